"""Whatever a user passed → a message that is short, and can be made."""

import pickle

import numpy as np
import pytest

import numbainit as init
from fuzz import odd
from numbainit.errors import CompilerError, InvalidValueError, MissingExtraError, OutputError, shown, suggestion
from numbainit.recipes import Recipe, Rules, load

KINDS = [InvalidValueError, init.InvalidTypeError, OutputError, init.DeviceError, MissingExtraError, CompilerError]
FAR = 10**5000


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"),
        ("relu", "'relu'"),
        ([1, "two", None], "[1, 'two', None]"),
        ({"b": 1, "a": 2}, "{'b': 1, 'a': 2}"),
        (FAR, "<int of 16610 bits>"),
        ([FAR], "[<int of 16610 bits>]"),
        ({"a": -FAR}, "{'a': <int of 16610 bits>}"),
        (odd.Raising(), "<Raising>"),
        (odd.Pretending(None), None),
        (odd.nested(3000), "[[[[...]]]]"),
        (list(range(100)), "[0, 1, 2, 3, 4, 5, 6, 7, ...]"),
        (np.zeros(3), "array([0., 0., 0.])"),
        (np.eye(2), "array([[1., 0.], [0., 1.]])"),
        (True, "True"),
        (float, "<class 'float'>"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_stands_for_an_object(value, text):
    found = shown(value)
    assert len(found) <= 100
    if text is not None:
        assert found == text


@pytest.mark.parametrize("value", ["x" * 10**6, b"y" * 10**6, odd.Endless("relu"), odd.in_itself(), np.arange(10**6)])
def test_what_is_long_is_cut(value):
    assert len(shown(value)) <= 100


@pytest.mark.parametrize("kind", KINDS)
def test_messages_keep_their_beginning_and_their_end(kind):
    error = kind(f"got {'x' * 10_000}: pass less")
    assert len(str(error)) <= 500
    assert str(error).startswith("got xxx")
    assert str(error).endswith(": pass less")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert str(kind("short")) == "short"


def test_no_suggestion_for_a_word_as_long_as_a_book():
    assert suggestion("rellu", ["relu", "selu"]) == "did you mean 'relu'? "
    assert suggestion("relu" * 10**6, ["relu"]) == ""


RULES = Rules([{"match": "*", "initializer": "normal"}])
CALLS = [
    lambda value: init.Generator(value),
    lambda value: init.Generator(0, draws=value),
    lambda value: init.Generator(0).spawn(value),
    lambda value: init.Generator(0).fold_in(value),
    lambda value: init.Block(value, (0,)),
    lambda value: init.Block((3,), value),
    lambda value: init.Layout(value),
    lambda value: init.Layout("OI", groups=value),
    lambda value: init.Layout("OI", splits=value),
    lambda value: init.calculate_gain(value),
    lambda value: init.calculate_gain("leaky_relu", value),
    lambda value: init.Initializer(value),
    lambda value: init.Initializer("normal", std=value),
    lambda value: init.normal(3, dtype=value),
    lambda value: init.normal(3, device=value),
    lambda value: init.kaiming_normal_(np.empty((2, 2)), mode=value),
    lambda value: init.kaiming_normal_(np.empty((2, 2)), nonlinearity=value),
    lambda value: init.xavier_normal_(np.empty((2, 2)), layout=value),
    lambda value: init.uniform_(np.empty(2), value, value),
    lambda value: init.constant_(np.empty(2, "c8"), value),
    lambda value: init.dirac_(np.empty((2, 2, 2)), value),
    lambda value: init.exact_gain(value),
    lambda value: init.exact_gain("leaky_relu", value),
    lambda value: init.exact_gain("relu", kind=value),
    lambda value: init.propagate([4, 4], value),
    lambda value: init.propagate([4, 4], "normal", value),
    lambda value: init.propagate([4, 4], "normal", gain=value),
    lambda value: init.propagate([4, 4], "normal", dtype=value),
    lambda value: load(value),
    lambda value: Rules([value]),
    lambda value: Rules([{"match": value, "initializer": "normal"}]),
    lambda value: Rules([{"match": "*", "initializer": value}]),
    lambda value: Rules([{"match": "*", "initializer": "normal", "std": value}]),
    lambda value: Rules([{"match": "*", "initializer": "normal", "rank": value}]),
    lambda value: Rules([{"match": "*", "initializer": "normal"}], variables=value),
    lambda value: Rules([{"match": "*", "initializer": "normal"}], optional=value),
    lambda value: Rules.from_toml(value),
    lambda value: RULES.recipe({"w": np.empty((2, 2))}, value),
    lambda value: RULES.recipe({"w": np.empty((2, 2))}).apply({"w": np.empty((2, 2))}, value),
    lambda value: RULES.recipe({"w": np.empty((2, 2))}).apply({"w": np.empty((2, 2))}, 0, [value]),
    lambda value: Recipe.from_json(value),
]
THINGS = [
    None,
    FAR,
    -FAR,
    [FAR],
    [],
    [1, 2],
    np.zeros(3),
    np.array("relu"),
    {},
    "x" * 10**5,
    "\ud800",
    odd.nested(3000),
]
THINGS += [
    odd.Raising(),
    odd.Raising(RecursionError),
    odd.Lying("1"),
    odd.Lying(FAR),
    odd.Pretending(str),
    float("nan"),
]


@pytest.mark.parametrize("call", range(len(CALLS)))
def test_whatever_stands_there_is_taken_or_refused_by_an_error_of_ours(call):
    for value in THINGS:
        try:
            CALLS[call](value)
        except init.NumbaInitError as error:
            text = str(error)
        else:
            continue
        assert len(text) <= 500
