"""Exact gains against closed forms, against samples, and against what others have measured."""

import math

import numpy as np
import pytest
from scipy import special

import numbainit as init
from numbainit import errors
from numbainit.weights.gains import exact_gain, expectation
from numbainit.weights.nonlinearities import NAMES, nonlinearity

CLOSED = {
    ("linear", None, "forward"): 1.0,
    ("relu", None, "forward"): math.sqrt(2),
    ("relu", None, "backward"): math.sqrt(2),
    ("relu", None, "centred"): 1 / math.sqrt(0.5 - 0.5 / math.pi),
    ("leaky_relu", None, "forward"): math.sqrt(2 / (1 + 0.01**2)),
    ("leaky_relu", 0.3, "forward"): math.sqrt(2 / (1 + 0.3**2)),
    ("squared_relu", None, "forward"): math.sqrt(2 / 3),  # half of E z^4
    ("squared_relu", None, "backward"): math.sqrt(1 / 2),  # half of 4 E z^2
    ("sine", None, "forward"): 1 / math.sqrt((1 - math.exp(-2)) / 2),
    ("sine", None, "backward"): 1 / math.sqrt((1 + math.exp(-2)) / 2),
    ("hardtanh", None, "backward"): 1 / math.sqrt(math.erf(1 / math.sqrt(2))),
    ("selu", None, "forward"): 1.0,  # what its two constants are for
}


@pytest.mark.parametrize("case", CLOSED)
def test_closed_forms(case):
    name, param, kind = case
    assert exact_gain(name, param, kind=kind) == pytest.approx(CLOSED[case], rel=1e-11)


def test_any_function():
    """E erf(z)^2 = 2 / pi asin(2 / 3): Williams, "Computing with infinite networks", 1996."""
    assert exact_gain(special.erf) == pytest.approx((2 / math.pi * math.asin(2 / 3)) ** -0.5, rel=1e-11)
    slope = 4 / math.pi / math.sqrt(5)  # E of (2 / sqrt(pi) exp(-z^2))^2
    assert exact_gain(special.erf, kind="backward") == pytest.approx(slope**-0.5, rel=1e-8)
    assert exact_gain(lambda x: np.where(x > 0.3, 1.0, 0.0)) == pytest.approx(special.ndtr(-0.3) ** -0.5, rel=1e-9)


@pytest.mark.parametrize(
    ("name", "measured"),
    [
        ("relu", 1.71385),
        ("gelu", 1.70150),
        ("silu", 1.78813),
        ("tanh", 1.59391),
        ("sigmoid", 4.80208),
        ("elu", 1.27167),
    ],
)
def test_the_gammas_of_normalizer_free_networks(name, measured):
    """Brock, De, Smith, 2021, from 1024 x 256 samples, as timm lists them."""
    assert exact_gain(name, kind="centred") == pytest.approx(measured, rel=2e-3)


@pytest.mark.parametrize("name", NAMES)
def test_samples_agree(name):
    """Ten thousand quantiles of N(0, 1), which are a midpoint rule."""
    z = special.ndtri((np.arange(100_000) + 0.5) / 100_000)
    found = nonlinearity(name)
    for kind, values in (("forward", found.value(z)), ("backward", found.slope(z))):
        assert exact_gain(name, kind=kind) == pytest.approx(np.square(values).mean() ** -0.5, rel=5e-4)


def test_torchs_values_stay():
    assert init.calculate_gain("tanh") == 5 / 3 != exact_gain("tanh")
    with pytest.raises(ValueError, match="Unsupported nonlinearity gelu"):
        init.calculate_gain("gelu")


def test_expectations():
    assert expectation(lambda z: 1.0) == pytest.approx(1.0, abs=1e-13)
    assert expectation(lambda z: z**6) == pytest.approx(15.0, rel=1e-12)


@pytest.mark.parametrize(
    ("arguments", "keywords", "error", "words"),
    [
        (("gleu",), {}, errors.InvalidValueError, "did you mean 'gelu'"),
        ((lambda x: x * 0,), {}, errors.InvalidValueError, "second moment is 0"),
        ((lambda x: x * 0 + 3,), {"kind": "centred"}, errors.InvalidValueError, "not constant"),
        ((lambda x: np.exp(x * x),), {}, errors.InvalidValueError, "no forward gain"),
        (("relu",), {"kind": "sideways"}, errors.InvalidValueError, "kind is one of"),
        ((np.tanh, 0.1), {}, errors.InvalidValueError, "param belongs to a name"),
        ((3,), {}, errors.InvalidTypeError, "a name or a function"),
    ],
)
def test_what_is_refused(arguments, keywords, error, words):
    with pytest.raises(error, match=words):
        exact_gain(*arguments, **keywords)


@pytest.mark.full
def test_functions_of_torch():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    for function, name in ((torch.nn.functional.gelu, "gelu"), (torch.nn.Mish(), "mish"), (torch.tanh, "tanh")):
        assert exact_gain(function) == pytest.approx(exact_gain(name), rel=1e-9)
