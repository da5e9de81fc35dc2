"""Laws that follow from fans → plain numbers: the same bits; and standard deviations against those of many values."""

import math

import numpy as np
import pytest
from scipy import stats

import numbainit as init
from numbainit import Initializer
from numbainit.recipes import Change, Fill, Weight
from numbainit.recipes.plain import in_numbers, std_of, std_of_weight

BY_FANS = [
    ("kaiming_normal", {}),
    ("kaiming_normal", {"mode": "fan_out", "nonlinearity": "tanh"}),
    ("kaiming_uniform", {"a": math.sqrt(5)}),
    ("kaiming_uniform", {"nonlinearity": "relu", "layout": "IO"}),
    ("kaiming_normal", {"layout": init.Layout(groups=2)}),
    ("xavier_normal", {"gain": 0.7}),
    ("xavier_uniform", {"layout": init.Layout(splits=3)}),
    ("xavier_uniform", {"gain": 2, "layout": init.Layout("IO", transposed=True)}),
    *((name, {}) for name in ("lecun_normal", "lecun_uniform", "lecun_truncated_normal", "he_truncated_normal")),
    ("glorot_truncated_normal", {"layout": "IO"}),
    ("sine", {}),
    ("sine", {"layer": "first", "omega": 10}),
    ("variance_scaling", {}),
    ("variance_scaling", {"scale": 0.3, "mode": "fan_avg", "distribution": "uniform"}),
    ("variance_scaling", {"scale": 2, "mode": "fan_geo_avg", "distribution": "untruncated_normal"}),
    ("variance_scaling", {"mode": "fan_out", "distribution": "normal", "layout": init.Layout(groups=3)}),
]


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize(("name", "arguments"), BY_FANS)
def test_values_are_the_same_bit_by_bit(name, arguments, dtype):
    found, shape = Initializer(name, **arguments), (12, 6, 3)
    plain = in_numbers(found, shape)
    assert plain.name in ("normal", "trunc_normal", "uniform")
    got, want = (one(np.empty(shape, dtype), 5) for one in (plain, found))
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize(
    ("found", "shape"),
    [
        (Initializer("normal", std=2), (3, 4)),
        (Initializer("orthogonal"), (3, 4)),
        (Initializer("xavier_normal"), (0, 4)),
        (Initializer("xavier_normal", layout=init.Layout(splits=(1, 2))), (3, 4)),
    ],
)
def test_others_stay_what_they_are(found, shape):
    assert in_numbers(found, shape) is found


@pytest.mark.parametrize(
    "found",
    [
        *(Initializer(name, **arguments) for name, arguments in BY_FANS),
        Initializer("normal", mean=3, std=0.02),
        Initializer("uniform", a=-1, b=3),
        Initializer("trunc_normal", std=0.02, a=-0.04, b=0.04),
        Initializer("trunc_normal", mean=1, std=0.5, a=0, b=math.inf),
        Initializer("trunc_normal", a=1, b=2.5),
        Initializer("orthogonal", gain=3),
        Initializer("constant", val=7),
        Initializer("zeros"),
    ],
    ids=lambda found: found.label,
)
def test_a_standard_deviation_is_that_of_many_values(found):
    shape = (120, 60, 30)
    values = found(np.empty(shape), 5)
    # 6 standard errors, of a law whose kurtosis is at most that of the normal one
    error = 6 / math.sqrt(2 * values.size)
    assert std_of(found, shape) == pytest.approx(values.std(), rel=error, abs=1e-15)


def test_a_standard_deviation_of_rows_with_zeros():
    found = Initializer("sparse", sparsity=0.25, std=0.5)
    values = found(np.empty((1000, 300)), 5)
    assert std_of(found, values.shape) == pytest.approx(values.std(), rel=6 / math.sqrt(values.size))


@pytest.mark.parametrize(("a", "b"), [(-2, 2), (0, 1), (-math.inf, -1), (-3, math.inf), (4, 5)])
def test_truncated_standard_deviations_are_those_of_scipy(a, b):
    found = Initializer("trunc_normal", mean=0.3, std=2, a=0.3 + 2 * a, b=0.3 + 2 * b)
    assert std_of(found, (3,)) == pytest.approx(stats.truncnorm.std(a, b, scale=2), rel=1e-6)


@pytest.mark.parametrize("name", ["eye", "dirac"])
def test_elements_that_differ_have_none(name):
    assert std_of(Initializer(name), (3, 3, 3)) is None


@pytest.mark.parametrize(
    ("steps", "std"),
    [
        ((), None),
        ((Fill(Initializer("normal")), Change("add", 3)), 1),
        ((Fill(Initializer("normal")), Change("mul", -3), Change("div", 2)), 1.5),
        ((Fill(Initializer("normal")), Change("mul", 2, ((0, 1),))), None),
        ((Fill(Initializer("normal")), Fill(Initializer("zeros"), ((0, 1),))), None),
        ((Fill(Initializer("normal"), ((0, 1),)),), None),
    ],
)
def test_the_standard_deviation_of_a_weight(steps, std):
    assert std_of_weight(Weight((3,), "float32", steps)) == std
