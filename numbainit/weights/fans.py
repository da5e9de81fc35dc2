"""A shape, a mode, a nonlinearity → fan-in, fan-out and gain: what scales a weight so that signals keep their size."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from numbainit.errors import InvalidTypeError, InvalidValueError, NumbaInitError, shown, suggestion
from numbainit.weights.layouts import splits_of
from numbainit.weights.numbers import real

MODES = ("fan_in", "fan_out")

_GAINS = {
    **dict.fromkeys(("linear", "identity", "conv1d", "conv2d", "conv3d"), 1.0),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "sigmoid"), 1.0),
    "tanh": 5.0 / 3.0,
    "relu": math.sqrt(2.0),
    "selu": 3.0 / 4.0,
}
NONLINEARITIES = (*_GAINS, "leaky_relu")
DEFAULT_SLOPE = 0.01
_LONGEST_WORD = 80  # in a message


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """``"; did you mean 'relu'?"`` where a known name is near, else nothing."""
    hint = suggestion(str(word).lower(), known)
    return f"; {hint.rstrip()}" if hint else ""


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    r"""The recommended gain of a nonlinearity.

    ================================ ==============================================
    linear, identity, conv, sigmoid  1
    tanh                             5/3
    relu                             sqrt(2)
    leaky_relu                       sqrt(2 / (1 + s^2)), s = ``param``, 0.01 if None
    selu                             3/4
    ================================ ==============================================

    Parameters
    ----------
    nonlinearity : str
        One of the names above; conv is conv1d, conv2d, conv3d and conv_transpose1d to 3d.
    param : float, optional
        The negative slope of leaky_relu; ignored elsewhere.

    Raises
    ------
    InvalidValueError
        Unknown nonlinearity, or a slope that is not a number. Also a ``ValueError``, worded as torch words it.

    Examples
    --------
    >>> import numbainit as init
    >>> init.calculate_gain("leaky_relu", 0.2)
    1.3867504905630728
    """
    if not issubclass(type(nonlinearity), str):
        raise InvalidValueError(
            f"Unsupported nonlinearity {_as_torch_does(nonlinearity)}: use one of {', '.join(NONLINEARITIES)}"
        )
    if nonlinearity == "leaky_relu":
        try:
            slope = real("param", DEFAULT_SLOPE if param is None else param)
            if isinstance(param, (bool, np.bool_)):  # torch takes none either
                raise InvalidTypeError("a truth value is no number")
        except NumbaInitError:
            text = f"negative_slope {_as_torch_does(param)} not a valid number: pass a float, or None for 0.01"
            raise InvalidValueError(text) from None
        return math.sqrt(2.0 / (1.0 + slope * slope))  # infinite where ** would raise
    if nonlinearity in _GAINS:
        return _GAINS[nonlinearity]
    hint = did_you_mean(nonlinearity, NONLINEARITIES) or f": use one of {', '.join(NONLINEARITIES)}"
    raise InvalidValueError(f"Unsupported nonlinearity {nonlinearity[:_LONGEST_WORD]}{hint}")


def _as_torch_does(value: object) -> str:
    """Its ``str``, where it has a short one."""
    try:
        return str(value)[:_LONGEST_WORD]
    except Exception:
        return shown(value)


def fans(shape: Sequence[int]) -> tuple[int, int]:
    """``(fan_in, fan_out)`` of a shape laid out (out, in, *receptive field)."""
    ((_, _, _, fan_in, fan_out),) = splits_of("OI", tuple(shape))
    return fan_in, fan_out


def _calculate_fan_in_and_fan_out(tensor: Any) -> tuple[int, int]:
    """``(fan_in, fan_out)`` of anything with a ``shape``: torch's helper, under the name that others import.

    fan_in is ``shape[1]`` times the receptive field (the product of the axes from 2 on), fan_out ``shape[0]`` times it.
    """
    return fans(tensor.shape)


def _calculate_correct_fan(tensor: Any, mode: str) -> int:
    """The fan that ``mode`` names, "fan_in" or "fan_out" (case does not matter)."""
    return correct_fan(tensor.shape, mode)


def correct_fan(shape: Sequence[int], mode: str) -> int:
    """The fan of ``shape`` that ``mode`` names."""
    name = checked_mode(mode)
    fan_in, fan_out = fans(shape)
    return fan_in if name == "fan_in" else fan_out


def checked_mode(mode: str, known: Sequence[str] = MODES) -> str:
    """``"fan_in"``, ``"fan_out"``, or what else is ``known``; case does not matter."""
    if not issubclass(type(mode), str):
        raise InvalidTypeError(f"mode must be a str, one of {list(known)}, got {type(mode).__name__} {shown(mode)}")
    name = mode if mode in known else mode.lower()
    if name not in known:
        raise InvalidValueError(
            f"Mode {mode[:_LONGEST_WORD]} not supported, please use one of {list(known)}{did_you_mean(mode, known)}"
        )
    return name
