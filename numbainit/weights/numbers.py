"""What stands where a number, or one of a few words, belongs → just that, or an error that speaks of the argument.

The only place where numbers are taken from users. An object may raise what it likes when it is asked for its number:
then it is none.
"""

import itertools
import operator
from collections.abc import Iterable
from typing import Any, TypeGuard

import numpy as np

from numbainit.errors import InvalidTypeError, InvalidValueError, shown, suggestion

_MOST = 1 << 16  # numbers of a sequence: far more than an array has axes


def whole(value: Any) -> int:
    """A whole number as an int; a TypeError for everything else, True and False included.

    What the message should say of it is the caller's to know.

    Examples
    --------
    >>> import numpy as np
    >>> from numbainit.weights.numbers import whole
    >>> whole(np.int64(3))
    3
    """
    if type(value) is int:
        return value
    try:
        if issubclass(type(value), (bool, np.bool_)) or str(getattr(value, "dtype", None)) in ("bool", "torch.bool"):
            raise TypeError("a truth value is no number")
        return int(operator.index(value))
    except Exception:
        raise TypeError(f"{type(value).__name__} is no whole number") from None


def integer(name: str, value: Any) -> int:
    """:func:`whole`, or an error that speaks of the argument ``name``."""
    try:
        return whole(value)
    except TypeError:
        raise InvalidTypeError(f"{name} must be an int, got {type(value).__name__} {shown(value)}") from None


def wholes(values: Any) -> tuple[int, ...]:
    """A sequence of whole numbers as a tuple; a TypeError for everything else, text included."""
    if issubclass(type(values), (str, bytes, bytearray)):
        raise TypeError("text is no sequence of numbers")
    try:
        several = list(itertools.islice(values, _MOST + 1))
        if len(several) > _MOST:
            raise OverflowError
    except Exception:
        raise TypeError(f"{type(values).__name__} is no sequence of whole numbers") from None
    return tuple(map(whole, several))


def scalar(name: str, value: object) -> float:
    """``value`` as a Python float, infinite and NaN included, or an error that speaks of the argument ``name``."""
    if type(value) is float:
        return value
    try:
        if type(value) is int:
            return float(value)
        number = _plain(value)
        if issubclass(type(number), (str, bytes, bytearray)) or not _is_real(number):
            raise TypeError
        return float(number)  # type: ignore[arg-type]
    except Exception:
        raise InvalidTypeError(f"{name} must be a real number, got {type(value).__name__} {shown(value)}") from None


def _plain(value: Any) -> object:
    """The number that an array of one holds: NumPy cannot read a tensor of torch that needs a gradient, or is small.

    What is masked stays as it is: NumPy makes NaN of it.
    """
    held = np.ndim(value) == 0 and hasattr(value, "item") and not isinstance(value, (np.generic, np.ma.MaskedArray))
    return value.item() if held else value


def _is_real(value: object) -> bool:
    """Whether NumPy sees one number that is not complex; ``float`` would only warn about the rest."""
    return np.ndim(value) == 0 and not np.iscomplexobj(value)  # type: ignore[arg-type]


def real(name: str, value: object) -> float:
    """:func:`scalar` without NaN."""
    number = value if type(value) is float else scalar(name, value)
    if number != number:
        raise InvalidValueError(f"{name} must be a number, got nan")
    return number + 0.0  # -0.0 equals 0.0 as a key of the caches of laws, so it must be the same number


def real_and_imaginary(name: str, value: object) -> tuple[float, float]:
    """The halves of a number, complex or not; as :func:`scalar`."""
    try:
        plain = _plain(value)
        number = complex(plain) if np.ndim(plain) == 0 and np.iscomplexobj(plain) else None  # type: ignore
    except Exception:
        number = None
    return (scalar(name, value), 0.0) if number is None else (number.real, number.imag)


def is_text(value: object) -> TypeGuard[str]:
    """Whether this is a str: by its type, which cannot lie as ``__class__`` can."""
    return issubclass(type(value), str)


def one_of(name: str, value: object, known: Iterable[str]) -> str:
    """One of a few words, or an error that lists them."""
    words = list(known)
    if not is_text(value):
        raise InvalidTypeError(f"{name} must be a str, one of {words}, got {type(value).__name__} {shown(value)}")
    if value not in words:
        raise InvalidValueError(
            f"{name} must be one of {words}, got {shown(value)}; {suggestion(value, words)}".rstrip("; ")
        )
    return value
