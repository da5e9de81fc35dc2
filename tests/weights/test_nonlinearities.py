"""Nonlinearities and their slopes against differences, and against torch's functions and gradients."""

import numpy as np
import pytest

from numbainit import errors
from numbainit.weights.nonlinearities import NAMES, nonlinearity

POINTS = np.linspace(-7, 7, 4001) + 0.00123  # none of them a kink


@pytest.mark.parametrize("name", NAMES)
def test_slopes_are_those_of_the_values(name):
    found = nonlinearity(name)
    differences = (found.value(POINTS + 1e-6) - found.value(POINTS - 1e-6)) / 2e-6
    np.testing.assert_allclose(found.slope(POINTS), differences, atol=1e-8)


@pytest.mark.parametrize("name", NAMES)
def test_dtypes_stay_and_large_numbers_pass(name):
    found, array = nonlinearity(name), np.array([-1e4, -3.0, 0.0, 3.0, 1e4], "float32")
    for function in found[1:]:
        result = function(array)
        assert result.dtype == array.dtype
        assert np.isfinite(result).all()


def test_parameters_are_used():
    x = np.array([-2.0])
    assert nonlinearity("leaky_relu", 0.2).value(x) == -0.4
    np.testing.assert_allclose(nonlinearity("elu", 2.0).value(x), 2 * np.expm1(-2.0))
    with pytest.raises(errors.InvalidValueError, match="relu takes no param"):
        nonlinearity("relu", 0.2)


def test_unknown_names_are_refused():
    with pytest.raises(errors.InvalidValueError, match="did you mean 'gelu'"):
        nonlinearity("gleu")
    with pytest.raises(errors.InvalidTypeError, match="a name such as 'relu'"):
        nonlinearity(3)


@pytest.mark.full
@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("linear", "identity", "swish")])
def test_they_are_torchs(name):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    functional = torch.nn.functional
    ours = {
        "squared_relu": lambda x: functional.relu(x) ** 2,
        "sine": torch.sin,
        "gelu_tanh": lambda x: functional.gelu(x, approximate="tanh"),
    }
    x = torch.from_numpy(POINTS).requires_grad_()
    y = ours.get(name, getattr(functional, name, None))(x)
    y.sum().backward()
    found = nonlinearity(name)
    np.testing.assert_allclose(found.value(POINTS), y.detach().numpy(), atol=1e-12)
    np.testing.assert_allclose(found.slope(POINTS), x.grad.numpy(), atol=1e-12)
