"""The name of a nonlinearity → the function and its slope, for arrays: what signals go through between layers.

Names are those of torch.nn.functional. Each keeps the dtype of its array. At a kink the slope is the one that torch's
gradients have: 0 for relu at 0.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from numbainit.errors import InvalidTypeError, InvalidValueError, shown
from numbainit.weights.fans import DEFAULT_SLOPE, did_you_mean
from numbainit.weights.numbers import is_text, real

_SELU_SCALE, _SELU_ALPHA = 1.0507009873554805, 1.6732632423543772
_GELU_TANH = 0.7978845608028654  # sqrt(2 / pi)

Function = Callable[[np.ndarray], Any]


class Nonlinearity(NamedTuple):
    """A function of arrays, and its derivative."""

    name: str
    value: Function
    slope: Function


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 * (1.0 + np.tanh(0.5 * x))  # overflows nowhere


def _normal_cdf(x: np.ndarray) -> np.ndarray:
    from scipy.special import ndtr

    return ndtr(x)


def _density(x: np.ndarray) -> np.ndarray:
    return 0.3989422804014327 * np.exp(-0.5 * x * x)


def _step(x: np.ndarray) -> np.ndarray:
    return (x > 0).astype(x.dtype)


def _between(low: float, high: float) -> Function:
    return lambda x: ((x > low) & (x < high)).astype(x.dtype)


def _softplus(x: np.ndarray) -> np.ndarray:
    return np.logaddexp(x, np.zeros((), x.dtype))


def _silu_slope(x: np.ndarray) -> np.ndarray:
    share = _sigmoid(x)
    return share * (1.0 + x * (1.0 - share))


def _mish_slope(x: np.ndarray) -> np.ndarray:
    bent = np.tanh(_softplus(x))
    return bent + x * (1.0 - bent * bent) * _sigmoid(x)


def _gelu_tanh(x: np.ndarray) -> np.ndarray:
    return 0.5 * x * (1.0 + np.tanh(_GELU_TANH * (x + 0.044715 * x * x * x)))


def _gelu_tanh_slope(x: np.ndarray) -> np.ndarray:
    bent = np.tanh(_GELU_TANH * (x + 0.044715 * x * x * x))
    inner = _GELU_TANH * (1.0 + 3.0 * 0.044715 * x * x)
    return 0.5 * (1.0 + bent) + 0.5 * x * (1.0 - bent * bent) * inner


def _hardswish_slope(x: np.ndarray) -> np.ndarray:
    return np.where(x <= -3, 0.0, np.where(x >= 3, 1.0, (2.0 * x + 3.0) / 6.0)).astype(x.dtype)


def _exponential(scale: float, alpha: float) -> tuple[Function, Function]:
    """Value and slope of elu, and of selu, which is a scaled one."""

    def value(x: np.ndarray) -> Any:
        return scale * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))

    def slope(x: np.ndarray) -> Any:
        return scale * np.where(x > 0, np.ones((), x.dtype), alpha * np.exp(np.minimum(x, 0)))

    return value, slope


def _leaky(negative: float) -> tuple[Function, Function]:
    def slope(x: np.ndarray) -> Any:
        return np.where(x > 0, 1.0, negative).astype(x.dtype)

    return lambda x: np.where(x > 0, x, negative * x), slope


_IDENTITY = (lambda x: x, np.ones_like)
_SILU = (lambda x: x * _sigmoid(x), _silu_slope)
_FUNCTIONS: dict[str, tuple[Function, Function]] = {
    "linear": _IDENTITY,
    "identity": _IDENTITY,
    "relu": (lambda x: np.maximum(x, 0), _step),
    "relu6": (lambda x: np.clip(x, 0, 6), _between(0, 6)),
    "squared_relu": (lambda x: np.square(np.maximum(x, 0)), lambda x: 2.0 * np.maximum(x, 0)),
    "selu": _exponential(_SELU_SCALE, _SELU_ALPHA),
    "gelu": (lambda x: x * _normal_cdf(x), lambda x: _normal_cdf(x) + x * _density(x)),
    "gelu_tanh": (_gelu_tanh, _gelu_tanh_slope),
    "silu": _SILU,
    "swish": _SILU,
    "mish": (lambda x: x * np.tanh(_softplus(x)), _mish_slope),
    "softplus": (_softplus, _sigmoid),
    "softsign": (lambda x: x / (1.0 + np.abs(x)), lambda x: 1.0 / np.square(1.0 + np.abs(x))),
    "sigmoid": (_sigmoid, lambda x: _sigmoid(x) * (1.0 - _sigmoid(x))),
    "hardsigmoid": (lambda x: np.clip(x / 6.0 + 0.5, 0, 1), lambda x: _between(-3, 3)(x) / 6.0),
    "tanh": (np.tanh, lambda x: 1.0 - np.square(np.tanh(x))),
    "hardtanh": (lambda x: np.clip(x, -1, 1), _between(-1, 1)),
    "hardswish": (lambda x: x * np.clip(x / 6.0 + 0.5, 0, 1), _hardswish_slope),
    "sine": (np.sin, np.cos),
}
_WITH_PARAMETER: dict[str, tuple[float, Callable[[float], tuple[Function, Function]]]] = {
    "leaky_relu": (DEFAULT_SLOPE, _leaky),
    "elu": (1.0, lambda alpha: _exponential(1.0, alpha)),
}
NAMES = tuple(sorted((*_FUNCTIONS, *_WITH_PARAMETER)))


def nonlinearity(name: object, param: float | None = None) -> Nonlinearity:
    """The nonlinearity of a name.

    Parameters
    ----------
    name : str
        One of ``NAMES``.
    param : float, optional
        The negative slope of leaky_relu (0.01), the alpha of elu (1); no other has one.

    Examples
    --------
    >>> import numpy as np
    >>> from numbainit.weights.nonlinearities import nonlinearity
    >>> nonlinearity("relu").value(np.array([-2.0, 3.0])).tolist()
    [0.0, 3.0]
    """
    if not is_text(name):
        raise InvalidTypeError(f"a nonlinearity is a name such as 'relu', got {type(name).__name__} {shown(name)}")
    if name in _WITH_PARAMETER:
        usual, made = _WITH_PARAMETER[name]
        return Nonlinearity(name, *made(usual if param is None else real("param", param)))
    if name not in _FUNCTIONS:
        raise InvalidValueError(
            f"no nonlinearity is named {shown(name)}{did_you_mean(name, NAMES)}: use one of {', '.join(NAMES)}"
        )
    if param is not None:
        raise InvalidValueError(
            f"{name} takes no param, got {shown(param)}: leave it out ({', '.join(_WITH_PARAMETER)} do)"
        )
    return Nonlinearity(name, *_FUNCTIONS[name])
