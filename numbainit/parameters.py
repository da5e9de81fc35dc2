"""What users ask of a law → checked numbers in float64, already rounded to the array's width, as the kernels take them.

This is the only place where bounds, rounding to a dtype and the choice of a rejection method meet. It uses nothing but
``+ - * /`` and ``sqrt`` in float64, which are the same on every machine: a library's ``exp`` or ``erf`` here would
make the values depend on it. Results are cached, since the same few laws are asked for again and again.
"""

import functools
import math
from dataclasses import dataclass, field

import numpy as np

from numbainit.errors import InvalidTypeError, InvalidValueError

_SQRT_2PI = 2.5066282746310002  # where uniform proposals over [a, b] become worse than normal ones
_FAR = 1e9  # sigmas: alpha^2 + 4 is alpha^2 in float64 well before, and overflows far beyond


MOST_NUMBERS = 9  # that a law takes


@dataclass(frozen=True)
class Law:
    """A law as the targets know it: its name without the width, and its numbers; ``packed`` is what kernels read."""

    name: str
    numbers: tuple[float, ...] = ()
    packed: np.ndarray = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        packed = np.zeros(MOST_NUMBERS)
        packed[: len(self.numbers)] = self.numbers
        object.__setattr__(self, "packed", packed)


BITS = Law("bits")


def scalar(name: str, value: object) -> float:
    """``value`` as a Python float, infinite and NaN included, or an error that speaks of the argument ``name``."""
    if type(value) is float:
        return value
    try:
        if type(value) is not int and (isinstance(value, (str, bytes, bytearray)) or not _is_real(value)):
            raise TypeError
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise InvalidTypeError(f"{name} must be a real number, got {type(value).__name__} {value!r}") from None


def _is_real(value: object) -> bool:
    """Whether NumPy sees one number that is not complex; ``float`` would only warn about the rest."""
    return np.ndim(value) == 0 and not np.iscomplexobj(value)  # type: ignore[arg-type]


def real(name: str, value: object) -> float:
    """:func:`scalar` without NaN."""
    number = value if type(value) is float else scalar(name, value)
    if number != number:
        raise InvalidValueError(f"{name} must be a number, got nan")
    return number + 0.0  # -0.0 equals 0.0 as a key of the caches below, so it must be the same number


def finite(name: str, value: object, dtype: np.dtype) -> float:
    """``value`` as a float that stays finite in ``dtype``."""
    number = real(name, value)
    if abs(number) > _largest(dtype):
        raise InvalidValueError(f"{name} must be finite in {dtype.name}, got {number}")
    return number


def standard_deviation(value: object, dtype: np.dtype, name: str = "std") -> float:
    number = finite(name, value, dtype)
    if number < 0:
        raise InvalidValueError(f"{name} must be >= 0, got {number}: pass its absolute value")
    return number


def uniform(a: object, b: object, dtype: np.dtype) -> Law:
    """U[a, b): ``low + u width`` clipped to the representable values in [a, b)."""
    return _uniform(real("a", a), real("b", b), dtype)


@functools.lru_cache(maxsize=256)
def _uniform(a: float, b: float, dtype: np.dtype) -> Law:
    finite("a", a, dtype), finite("b", b, dtype)
    if a > b:
        raise InvalidValueError(f"uniform bounds need a <= b, got a={a}, b={b}: swap them")
    if b - a > _largest(dtype):
        raise InvalidValueError(f"b - a must be finite in {dtype.name}, got {b - a}: narrow [a, b)")
    low, width = _round(a, dtype), _round(b - a, dtype)
    if a == b:
        return Law("uniform", (low, 0.0, low, low))
    smallest, largest = _round_up(a, dtype), _round_down(b, dtype)
    if largest == b:
        largest = _below(b, dtype)
    _check_not_empty(smallest, largest, f"[{a}, {b})", dtype)
    return Law("uniform", (low, width, smallest, largest))


@functools.lru_cache(maxsize=256)
def centred_uniform(std: float, dtype: np.dtype) -> Law:
    """U[-c, c) with standard deviation ``std``: ``c = sqrt(3) std``."""
    bound = finite("the bound, sqrt(3) times the std that follows from gain and fans,", math.sqrt(3.0) * std, dtype)
    return uniform(-bound, bound, dtype)


def centred_normal(std: float, dtype: np.dtype) -> Law:
    """N(0, std^2)."""
    return normal(0.0, std, dtype)


def constant(val: object, dtype: np.dtype) -> float:
    """A value to fill with: infinite or NaN if it is meant so, but not because ``dtype`` cannot hold it."""
    number = val if type(val) is float else scalar("val", val)
    if _largest(dtype) < abs(number) < math.inf:
        finite("val", number, dtype)
    return number


def normal(mean: object, std: object, dtype: np.dtype) -> Law:
    """N(mean, std^2)."""
    return _normal(real("mean", mean), real("std", std), dtype)


@functools.lru_cache(maxsize=256)
def _normal(mean: float, std: float, dtype: np.dtype) -> Law:
    finite("mean", mean, dtype), standard_deviation(std, dtype)
    return Law("normal", (_round(mean, dtype), _round(std, dtype)))


def trunc_normal(mean: object, std: object, a: object, b: object, dtype: np.dtype) -> Law:
    """N(mean, std^2) given that it lies in [a, b]; by the proposals that are rejected least.

    Normal proposals where [a, b] is wide around the mean; else Robert's (1995): uniform over a narrow interval,
    shifted exponential in a tail. At least 49 % of the proposals are accepted, whatever the bounds.
    """
    return _trunc_normal(real("mean", mean), real("std", std), real("a", a), real("b", b), dtype)


@functools.lru_cache(maxsize=256)
def _trunc_normal(mean: float, std: float, a: float, b: float, dtype: np.dtype) -> Law:
    finite("mean", mean, dtype), standard_deviation(std, dtype)
    if a > b:
        raise InvalidValueError(f"truncation bounds need a <= b, got a={a}, b={b}: swap them")
    if std == 0.0 and not a <= mean <= b:
        raise InvalidValueError(f"with std = 0 all values are the mean, {mean}, which lies outside [{a}, {b}]")
    if a == b:
        return _constant(finite("a == b", a, dtype), dtype)
    smallest, largest = _round_up(a, dtype), _round_down(b, dtype)
    _check_not_empty(smallest, largest, f"[{a}, {b}]", dtype)
    if std == 0.0:
        return _constant(min(max(_round(mean, dtype), smallest), largest), dtype)
    low, high = _tightened(a, b, smallest, largest, dtype)
    if low < mean < high and _sigmas(low, high, std) >= _SQRT_2PI:
        return _normal_proposals(mean, std, smallest, largest, dtype)
    return Law("tail", (*_tail_proposals(mean, std, low, high, dtype), smallest, largest))


def _constant(value: float, dtype: np.dtype) -> Law:
    return Law("normal", (_round(value, dtype), 0.0))


def _normal_proposals(mean: float, std: float, smallest: float, largest: float, dtype: np.dtype) -> Law:
    low, scale = _round(mean, dtype), _round(std, dtype)
    reach = scale * (6.67 if dtype.itemsize == 4 else 8.58)  # no normal of this width lies further out
    if smallest <= low - reach and low + reach <= largest:
        return Law("normal", (low, scale))  # nothing can be rejected: the same values without looking
    return Law("trunc_normal", (low, scale, smallest, largest))


def _tail_proposals(mean: float, std: float, low: float, high: float, dtype: np.dtype) -> tuple[float, ...]:
    """``exponential?, x1, x0, s1, s0, t1, t0``: see ``scalar.laws.tail32`` for what they mean.

    All of them stay moderate however far in the tail the bounds lie, because the far bound never enters alone and
    ``lam (lam - alpha) = 1``.
    """
    alpha, beta, base, sign = _sigmas(mean, low, std), _sigmas(mean, high, std), low, 1.0
    if beta <= 0.0:
        alpha, beta, base, sign = -beta, -alpha, high, -1.0
    width = _sigmas(low, high, std)
    if alpha < 0.0:  # narrow around the mean: exp(-z^2 / 2) with z = alpha + width u
        numbers = (0.0, sign * (high - low), base, width, alpha, width, alpha)
    else:
        lam = alpha if alpha > _FAR else (alpha + math.sqrt(alpha * alpha + 4.0)) / 2.0
        if lam * width <= 1.0:  # narrow in a tail: exp(-d (d + 2 alpha) / 2) with d = width u
            scale = max(1.0, 2.0 * alpha)
            numbers = (0.0, sign * (high - low), base, width * scale, 0.0, width / scale, 2.0 * alpha / scale)
        else:  # d exponential with rate lam: exp(-(d - 1 / lam)^2 / 2), and r = -2 ln u is twice its exponent
            half = 1.0 / (2.0 * lam)
            numbers = (1.0, sign * std / (2.0 * lam), base, half, -1.0 / lam, half, -1.0 / lam)
    return (*numbers[:3], *(_round(number, dtype) for number in numbers[3:]))


def _tightened(a: float, b: float, smallest: float, largest: float, dtype: np.dtype) -> tuple[float, float]:
    """[a, b] without what rounding to ``dtype`` would carry out of it: the law given that the stored value fits.

    Both ends become finite: nearly all proposals towards an infinite bound could overflow.
    """
    if dtype.itemsize == 8:
        return smallest, largest
    low = math.nextafter(smallest + (_below(smallest, dtype) - smallest) / 2.0, math.inf)
    high = math.nextafter(largest + (_above(largest, dtype) - largest) / 2.0, -math.inf)
    return max(a, low), min(b, high)


def _sigmas(origin: float, value: float, std: float) -> float:
    """``(value - origin) / std``, also where the difference overflows."""
    distance = value - origin
    return value / std - origin / std if math.isinf(distance) else distance / std


def _check_not_empty(smallest: float, largest: float, interval: str, dtype: np.dtype) -> None:
    if smallest > largest:
        raise InvalidValueError(f"no {dtype.name} lies in {interval}: widen the bounds or use a wider dtype")


@functools.cache
def _largest(dtype: np.dtype) -> float:
    return float(np.finfo(dtype).max)


def _round(value: float, dtype: np.dtype) -> float:
    """``value`` rounded to ``dtype``, as a Python float."""
    return float(dtype.type(value))


def _round_up(value: float, dtype: np.dtype) -> float:
    """The smallest finite number of ``dtype`` that is >= ``value``."""
    value = max(value, -_largest(dtype))
    if value > _largest(dtype):
        return math.inf
    rounded = _round(value, dtype)
    return rounded if rounded >= value else _above(rounded, dtype)


def _round_down(value: float, dtype: np.dtype) -> float:
    """The largest finite number of ``dtype`` that is <= ``value``."""
    return -_round_up(-value, dtype)


def _above(value: float, dtype: np.dtype) -> float:
    """The next number of ``dtype`` upwards; after the largest, what it would be with a wider exponent."""
    if value >= _largest(dtype):
        return 2.0 * value - _below(value, dtype)
    return float(np.nextafter(dtype.type(value), dtype.type(math.inf)))


def _below(value: float, dtype: np.dtype) -> float:
    return -_above(-value, dtype)
