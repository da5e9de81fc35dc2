"""Shapes, modes and nonlinearities → fans and gains, by the formulas of the papers."""

import fractions
import math
from types import SimpleNamespace

import numpy as np
import pytest

import numbainit as init
from numbainit.weights.fans import NONLINEARITIES, correct_fan, did_you_mean, fans

GAINS = {
    **dict.fromkeys(["linear", "identity", "sigmoid"], 1),
    **dict.fromkeys([f"conv{kind}{d}d" for kind in ("", "_transpose") for d in (1, 2, 3)], 1),
    "tanh": 5 / 3,
    "relu": math.sqrt(2),
    "selu": 3 / 4,
    "leaky_relu": math.sqrt(2 / (1 + 0.01**2)),
}
FANS = {  # shape: (fan_in, fan_out)
    (5, 3): (3, 5),
    (64, 3, 7, 7): (147, 3136),
    (8, 4, 3): (12, 24),
    (2, 3, 4, 5, 6): (360, 240),
    (1, 1): (1, 1),
    (0, 3): (3, 0),
    (3, 0): (0, 3),
    (0, 0): (0, 0),
    (3, 4, 0): (0, 0),
    (2**40, 2**40, 2**40): (2**80, 2**80),  # no overflow
}


def test_gains():
    assert set(NONLINEARITIES) == set(GAINS)
    assert {name: init.calculate_gain(name) for name in GAINS} == GAINS


@pytest.mark.parametrize(
    "slope", [0, 1, -1, 0.2, 5, 1e-300, 1e100, math.inf, np.float32(0.5), np.int8(2), fractions.Fraction(1, 3)]
)
def test_gain_of_a_slope(slope):
    assert init.calculate_gain("leaky_relu", slope) == math.sqrt(2 / (1 + float(slope) ** 2))


@pytest.mark.parametrize("slope", [1e200, -1e308, 10**300], ids=["1e200", "-1e308", "10**300"])
def test_gain_of_a_huge_slope(slope):
    """The limit: next to nothing is left, and no OverflowError."""
    assert init.calculate_gain("leaky_relu", slope) == pytest.approx(math.sqrt(2) / abs(slope), rel=1e-9, abs=1e-150)


@pytest.mark.parametrize("slope", ["0.1", True, False, np.True_, [0.1], (), {}, 1j, ..., np.array([0.1])], ids=str)
def test_slopes_that_are_no_numbers(slope):
    with pytest.raises(init.InvalidValueError) as caught:
        init.calculate_gain("leaky_relu", slope)
    assert str(caught.value).startswith(f"negative_slope {slope} not a valid number")


def test_a_slope_past_all_floats():
    with pytest.raises(init.InvalidValueError, match="negative_slope"):
        init.calculate_gain("leaky_relu", 10**400)


@pytest.mark.parametrize("name", [name for name in GAINS if name != "leaky_relu"])
@pytest.mark.parametrize("parameter", [0.3, "ignored", None])
def test_others_ignore_the_parameter(name, parameter):
    assert init.calculate_gain(name, parameter) == GAINS[name]


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("rellu", "relu"),
        ("ReLU", "relu"),
        ("TANH", "tanh"),
        ("leaky-relu", "leaky_relu"),
        ("conv4d", "conv"),
        ("Selu ", "selu"),
    ],
)
def test_the_nearest_nonlinearity_is_named(word, near):
    with pytest.raises(init.InvalidValueError, match=rf"Unsupported nonlinearity {word}.*did you mean '{near}"):
        init.calculate_gain(word)


@pytest.mark.parametrize("word", ["", "zzzzzz", None, 3, [], {"relu"}], ids=str)
def test_words_near_to_nothing_get_the_list(word):
    with pytest.raises(init.InvalidValueError, match=r"Unsupported nonlinearity.*relu"):
        init.calculate_gain(word)


def test_did_you_mean():
    assert did_you_mean("fan_inn", ["fan_in", "fan_out"]) == "; did you mean 'fan_in'?"
    assert did_you_mean("x", ["fan_in", "fan_out"]) == ""


@pytest.mark.parametrize("shape", FANS, ids=str)
def test_fans(shape):
    assert fans(shape) == FANS[shape]
    assert init._calculate_fan_in_and_fan_out(SimpleNamespace(shape=shape)) == FANS[shape]
    for mode, fan in zip(("fan_in", "fan_out"), FANS[shape], strict=True):
        for spelling in (mode, mode.upper(), mode.title()):
            assert correct_fan(shape, spelling) == fan
            assert init._calculate_correct_fan(SimpleNamespace(shape=shape), spelling) == fan


def test_fans_of_any_array():
    """Only the shape is asked for: other dtypes, read-only and broadcast arrays have fans too."""
    assert init._calculate_fan_in_and_fan_out(np.broadcast_to(np.int8(0), (5, 3, 2))) == (6, 10)


@pytest.mark.parametrize("shape", [(), (3,)])
def test_fans_need_two_dimensions(shape):
    text = "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions"
    for function in (fans, lambda s: init._calculate_fan_in_and_fan_out(SimpleNamespace(shape=s))):
        with pytest.raises(init.InvalidValueError, match=text):
            function(shape)
    with pytest.raises(init.InvalidValueError, match=text):
        correct_fan(shape, "fan_in")


def test_the_mode_is_checked_before_the_shape():
    with pytest.raises(
        init.InvalidValueError, match=r"Mode x not supported, please use one of \['fan_in', 'fan_out'\]"
    ):
        correct_fan((3,), "x")


@pytest.mark.parametrize("mode", [None, 1, b"fan_in", ["fan_in"]])
def test_modes_that_are_no_names(mode):
    with pytest.raises(init.InvalidTypeError, match="mode must be a str"):
        correct_fan((3, 4), mode)
