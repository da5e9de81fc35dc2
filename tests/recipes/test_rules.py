"""Names and shapes → initializers: every row of the table, every initializer, the built-in models."""

import numpy as np
import pytest

from numbainit import init
from numbainit.errors import InvalidTypeError, InvalidValueError
from numbainit.files.headers import parse_header
from numbainit.generator import Generator
from numbainit.initializers import Initializer
from numbainit.recipes import models, rules
from numbainit.weights.layouts import Layout

F32, I64, BOOL = np.dtype("float32"), np.dtype("int64"), np.dtype("bool")
ONES, ZEROS, CHOSEN = "ones()", "zeros()", "normal(std=0.02)"

TABLE = [
    ("fc.weight", (10, 5), F32, CHOSEN),
    ("conv.weight", (8, 3, 3, 3), F32, CHOSEN),
    ("in_proj_weight", (6, 2), F32, CHOSEN),
    ("weight", (2, 2), np.dtype("float64"), CHOSEN),
    ("bias.weight", (4, 4), F32, CHOSEN),  # only the last component counts
    ("biased", (4, 4), F32, CHOSEN),
    ("ln.weight", (7,), F32, ONES),
    ("logit_scale", (), F32, ONES),
    ("bn.running_var", (7,), F32, ONES),
    ("bn.running_mean", (7,), F32, ZEROS),
    ("bn.num_batches_tracked", (), I64, ZEROS),
    ("bn.num_batches_tracked", (), F32, ZEROS),
    ("fc.bias", (10,), F32, ZEROS),
    ("bias", (10,), F32, ZEROS),
    ("attention.bias", (1, 1, 4, 4), F32, ZEROS),
    ("lstm.bias_ih_l0", (12,), F32, ZEROS),
    ("attn.in_proj_bias", (12,), F32, ZEROS),
    ("mask.weight", (4, 4), BOOL, ZEROS),
    ("ids.weight", (4, 4), I64, ZEROS),
]


@pytest.mark.parametrize(("name", "shape", "dtype", "label"), TABLE)
def test_the_table(name, shape, dtype, label):
    found = rules.initializer_for(rules.rules(rules.initializer("normal")), name, shape, dtype)
    assert found.label == label


@pytest.mark.parametrize(("name", "shape", "dtype", "label"), TABLE)
def test_every_row_fills_what_it_is_given(name, shape, dtype, label):
    array = np.full(shape, 3, dtype)
    table = rules.rules(rules.initializer("normal"))
    rules.apply(rules.initializer_for(table, name, shape, dtype), array, Generator(0))
    if label == CHOSEN:
        expected = init.normal_(np.empty(shape, dtype), std=0.02, generator=Generator(0))
    else:
        expected = np.full(shape, label == ONES, dtype)
    np.testing.assert_array_equal(array, expected)


INITIALIZERS = [
    ("normal", {}, "normal(std=0.02)", init.normal_, {"std": 0.02}),
    ("normal", {"std": 0.5}, "normal(std=0.5)", init.normal_, {"std": 0.5}),
    ("uniform", {}, "uniform()", init.uniform_, {}),
    ("uniform", {"a": -1.0}, "uniform(a=-1.0)", init.uniform_, {"a": -1.0}),
    (
        "trunc_normal",
        {"std": 0.5, "b": 3.0},
        "trunc_normal(std=0.5, a=-1.0, b=3.0)",
        init.trunc_normal_,
        {"std": 0.5, "a": -1.0, "b": 3.0},
    ),
    ("xavier_uniform", {}, "xavier_uniform()", init.xavier_uniform_, {}),
    ("xavier_normal", {"gain": 2.0}, "xavier_normal(gain=2.0)", init.xavier_normal_, {"gain": 2.0}),
    (
        "kaiming_uniform",
        {},
        "kaiming_uniform()",
        init.kaiming_uniform_,
        {},
    ),
    (
        "kaiming_normal",
        {"mode": "fan_out", "nonlinearity": "relu"},
        "kaiming_normal(mode='fan_out', nonlinearity='relu')",
        init.kaiming_normal_,
        {"mode": "fan_out", "nonlinearity": "relu"},
    ),
    ("orthogonal", {"gain": 0.5}, "orthogonal(gain=0.5)", init.orthogonal_, {"gain": 0.5}),
]


@pytest.mark.parametrize(("name", "options", "label", "function", "arguments"), INITIALIZERS)
def test_an_initializer_is_the_call_that_its_label_shows(name, options, label, function, arguments):
    initializer = rules.initializer(name, **options)
    assert initializer.label == label
    filled = initializer(np.empty((6, 5), "float32"), Generator(5))
    np.testing.assert_array_equal(filled, function(np.empty((6, 5), "float32"), generator=Generator(5), **arguments))


@pytest.mark.parametrize(("name", "value"), [("zeros", 0), ("ones", 1)])
def test_constants_take_no_draw(name, value):
    generator, array = Generator(0), np.empty((2, 3), "float64")
    rules.initializer(name)(array, generator)
    assert (array == value).all()
    assert generator.draws == 0


def test_every_initializer_is_tested():
    others = {"zeros", "ones", "constant", "eye", "dirac", "sparse"}  # in test_initializers.py
    assert {case[0] for case in INITIALIZERS} | others == set(rules.choices())


@pytest.mark.parametrize(
    ("name", "options", "fragments"),
    [
        ("kaiming_norml", {}, ["'kaiming_norml'", "did you mean 'kaiming_normal'"]),
        ("?", {}, ["'?'", "xavier_uniform"]),
        ("normal", {"mode": "fan_in"}, ["'mode'", "'normal'", "kaiming_normal, kaiming_uniform"]),
        ("kaiming_normal", {"gain": 2.0}, ["'gain'", "orthogonal, xavier_normal, xavier_uniform"]),
        ("orthogonal", {"std": 2.0}, ["'std'", "normal, sparse, trunc_normal"]),
        ("zeros", {"b": 1.0}, ["'b'", "trunc_normal, uniform"]),
        ("normal", {"colour": 1}, ["'colour'", "no initializer"]),
    ],
)
def test_wrong_initializers_and_options(name, options, fragments):
    with pytest.raises(InvalidValueError) as caught:
        rules.initializer(name, **options)
    for fragment in fragments:
        assert fragment in str(caught.value)


@pytest.mark.parametrize(
    ("name", "parameters", "elements"), [("gpt2", 148, 124_439_808), ("resnet50", 161, 25_557_032)]
)
def test_builtin_models_have_their_published_size(name, parameters, elements):
    found = parse_header(models.builtin_header(name), name)
    assert len(found) == parameters
    assert sum(parameter.size for parameter in found) == elements


def test_builtin_names():
    assert models.builtin_names() == ["gpt2", "resnet50"]
    with pytest.raises(InvalidValueError, match=r"'gpt-2'; did you mean 'gpt2'\? Built in: gpt2, resnet50"):
        models.builtin_header("gpt-2")
    with pytest.raises(InvalidValueError, match=r"no built-in model is named '../x'"):
        models.builtin_header("../x")


@pytest.mark.parametrize("name", ["gpt2", "resnet50"])
def test_norms_of_builtin_models_become_ones_and_biases_zeros(name):
    table = rules.rules(rules.initializer("normal"))
    for parameter in parse_header(models.builtin_header(name), name):
        label = rules.initializer_for(table, parameter.name, parameter.shape, F32).label
        is_norm = any(part in parameter.name for part in ("ln_", "bn", "downsample.1"))
        is_bias = parameter.name.endswith("bias")
        assert label == (ZEROS if is_bias else ONES if is_norm else CHOSEN), parameter


def test_small_floats_are_floats():
    """NumPy calls the kind of bfloat16 V: weights of it must not become zeros."""
    kinds = pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")
    for dtype in (np.dtype(kinds.bfloat16), np.dtype(kinds.float8_e4m3fn), np.dtype("float16")):
        table = rules.rules(rules.initializer("normal"))
        assert rules.initializer_for(table, "fc.weight", (3, 3), dtype).label == CHOSEN


@pytest.mark.parametrize("arguments", [{"std": "0.1"}, {"std": [1]}, {"mean": None}, {"std": 1j}], ids=str)
def test_bounds_follow_from_numbers_only(arguments):
    (name,) = arguments
    with pytest.raises(InvalidTypeError, match=f"{name} must be a real number"):
        rules.initializer("trunc_normal", **arguments)


@pytest.mark.parametrize("wrong", ["normal", None, lambda array, generator: None])
def test_a_rule_holds_an_initializer(wrong):
    with pytest.raises(InvalidTypeError, match=r"the initializer of a Rule must be a numbainit\.Initializer, got"):
        rules.Rule("all", lambda name, rank, dtype: True, wrong)


@pytest.mark.parametrize(
    ("initializer", "shape", "text"),
    [
        (Initializer("eye"), (3, 4, 5), r"2 dimensions are supported, got 3, shape \(3, 4, 5\)"),
        (Initializer("dirac", groups=4), (6, 4, 3), r"got shape \(6, 4, 3\) and groups=4"),
        (Initializer("xavier_normal", layout=Layout(splits=(1, 2))), (4, 4), r"splits \(1, 2\) sum to 3"),
        (Initializer("orthogonal"), (4,), "2 or more dimensions"),
        (Initializer("normal", std=-1), (4,), "std must be >= 0"),
    ],
    ids=lambda value: getattr(value, "label", ""),
)
def test_a_check_speaks_of_the_shape_that_is_asked_about(initializer, shape, text):
    with pytest.raises(InvalidValueError, match=text):
        rules.check(initializer, shape, F32)


def test_a_table_that_ends_too_early_and_rules_that_fail_are_told_apart():
    def fails(name, rank, dtype):
        raise StopIteration

    with pytest.raises(InvalidValueError, match=r"no rule applies to 'a\.weight' of shape \(3,\): end the rules with"):
        rules.initializer_for([], "a.weight", (3,), F32)
    with pytest.raises(StopIteration):
        rules.initializer_for([rules.Rule("fails", fails, Initializer("ones"))], "a.weight", (3,), F32)
