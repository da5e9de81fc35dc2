"""What users ask of a law → checked numbers in float64, already rounded to the width that the kernels compute in.

This is the only place where bounds, rounding to a dtype and the choice of a rejection method meet. It uses nothing but
``+ - * /`` and ``sqrt`` in float64, which are the same on every machine: a library's ``exp`` or ``erf`` here would
make the values depend on it. Results are cached, since the same few laws are asked for again and again.

A float of less than 32 bits is a float32 value rounded once, so its law has the numbers of float32, and bounds that no
rounding crosses. The two formats of a dtype, that of its values and that which they are ``computed`` in, differ only
there. In a complex array each part has half of the variance.
"""

import functools
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from numbainit.errors import InvalidValueError
from numbainit.maths.formats import FLOAT32, SMALL, Format, computed, stored
from numbainit.weights.numbers import real, real_and_imaginary, scalar

_SQRT_2PI = 2.5066282746310002  # where uniform proposals over [a, b] become worse than normal ones
_HALF_OF_THE_VARIANCE = math.sqrt(0.5)
STD_WITHIN_TWO_SIGMAS = 0.87962566103423978  # of N(0, 1) given that it lies in [-2, 2], as JAX and Keras write it
_FAR = 1e9  # sigmas: alpha^2 + 4 is alpha^2 in float64 well before, and overflows far beyond

MOST_NUMBERS = 9  # that a law takes


@dataclass(frozen=True)
class Law:
    """A law as the targets know it: its name without the width, and its numbers; ``packed`` is what kernels read.

    ``known`` is what the CPU keeps of a law for a dtype, since small arrays ask again and again.
    """

    name: str
    numbers: tuple[float, ...] = ()
    packed: np.ndarray = field(init=False, repr=False, compare=False)
    known: dict[np.dtype, Any] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        packed = np.zeros(MOST_NUMBERS)
        packed[: len(self.numbers)] = self.numbers
        object.__setattr__(self, "packed", packed)


BITS = Law("bits")


@functools.cache
def _stored(dtype: np.dtype) -> Format:
    """NumPy makes the name of a dtype anew each time, which takes as long as a small fill."""
    return stored(dtype.name)


@functools.cache
def _computed(dtype: np.dtype) -> Format:
    return computed(dtype.name)


def finite(name: str, value: object, dtype: np.dtype) -> float:
    """``value`` as a float that stays finite in ``dtype``."""
    return _finite(name, value, _stored(dtype))


def _finite(name: str, value: object, form: Format) -> float:
    number = real(name, value)
    if abs(number) > form.largest:
        raise InvalidValueError(f"{name} must be finite in {form.name}, got {number}")
    return number


def standard_deviation(value: object, dtype: np.dtype, name: str = "std") -> float:
    number = _finite(name, value, _computed(dtype))
    if number < 0:
        raise InvalidValueError(f"{name} must be >= 0, got {number}: pass its absolute value")
    return number


def uniform(a: object, b: object, dtype: np.dtype) -> Law:
    """U[a, b): ``low + u width`` clipped to the representable values in [a, b)."""
    return _uniform(real("a", a), real("b", b), dtype)


@functools.lru_cache(maxsize=256)
def _uniform(a: float, b: float, dtype: np.dtype) -> Law:
    form, wide = _stored(dtype), _computed(dtype)
    _finite("a", a, form)
    _finite("b", b, form)
    if a > b:
        raise InvalidValueError(f"uniform bounds need a <= b, got a={a}, b={b}: swap them")
    if b - a > wide.largest:
        raise InvalidValueError(f"b - a must be finite in {wide.name}, got {b - a}: narrow [a, b)")
    low, width = wide.round(a), wide.round(b - a)
    if a == b:
        return Law("uniform", (low, 0.0, low, low))
    smallest, largest = form.round_up(a), form.round_down(b)
    if largest == b:
        largest = form.below(b)
    _check_not_empty(smallest, largest, f"[{a}, {b})", form)
    return Law("uniform", (low, width, smallest, largest))


@functools.lru_cache(maxsize=256)
def centred_uniform(std: float, dtype: np.dtype) -> Law:
    """U[-c, c) with standard deviation ``std``: ``c = sqrt(3) std``; of a complex number, in each part with less."""
    bound = math.sqrt(3.0) * _of_a_part(std, dtype)
    bound = finite("the bound, sqrt(3) times the std that follows from gain and fans,", bound, dtype)
    return uniform(-bound, bound, dtype)


def centred_normal(std: float, dtype: np.dtype) -> Law:
    """N(0, std^2)."""
    return normal(0.0, std, dtype)


@functools.lru_cache(maxsize=256)
def centred_trunc_normal(std: float, dtype: np.dtype) -> Law:
    """N(0, s^2) in [-2 s, 2 s], where s is such that the standard deviation *after* truncation is ``std``."""
    before = std / STD_WITHIN_TWO_SIGMAS
    finite("the bound, two standard deviations before truncation,", 2.0 * before, dtype)
    return trunc_normal(0.0, before, -2.0 * before, 2.0 * before, dtype)


def _of_a_part(std: float, dtype: np.dtype) -> float:
    return std * _HALF_OF_THE_VARIANCE if dtype.kind == "c" else std


def constant(val: object, dtype: np.dtype) -> complex:
    """A value to fill with: infinite or NaN if it is meant so, but not because ``dtype`` cannot hold it.

    Already rounded to a small dtype, since ml_dtypes would round twice; real unless ``dtype`` is complex.
    """
    if dtype.kind == "c":
        return complex(*(_constant_part(part, dtype) for part in real_and_imaginary("val", val)))
    return _constant_part(val if type(val) is float else scalar("val", val), dtype)


def _constant_part(number: float, dtype: np.dtype) -> float:
    form = _stored(dtype)
    if not -form.largest <= number <= form.largest and (math.isfinite(number) or not _holds(number, form)):
        _finite("val", number, form)
    return form.round(number) if form.name in SMALL else number


def _holds(number: float, form: Format) -> bool:
    """Whether the format has this infinity or NaN."""
    return math.isnan(number) or form.has_infinity


def normal(mean: object, std: object, dtype: np.dtype) -> Law:
    """N(mean, std^2); of a complex number, the parts N(mean.real, std^2 / 2) and N(mean.imag, std^2 / 2)."""
    if dtype.kind != "c":
        return _normal(real("mean", mean), real("std", std), dtype)
    even, odd = (real("mean", part) for part in real_and_imaginary("mean", mean))
    return _complex_normal(even, odd, real("std", std), dtype)


@functools.lru_cache(maxsize=256)
def _normal(mean: float, std: float, dtype: np.dtype) -> Law:
    form, wide = _stored(dtype), _computed(dtype)
    _finite("mean", mean, form)
    standard_deviation(std, dtype)
    low, scale = wide.round(mean), wide.round(std)
    reach = abs(low) + _reach(wide) * scale
    if form is not wide and form.round(reach) > form.largest:
        raise InvalidValueError(
            f"values of N({mean}, {std}^2) reach {reach:.6g}, but the largest {form.name} is {form.largest:g}: take a "
            "smaller mean or std, a wider dtype, or trunc_normal_ with bounds"
        )
    return Law("normal", (low, scale))


@functools.lru_cache(maxsize=256)
def _complex_normal(even: float, odd: float, std: float, dtype: np.dtype) -> Law:
    form, wide = _stored(dtype), _computed(dtype)
    _finite("mean", even, form)
    _finite("mean", odd, form)
    standard_deviation(std, dtype)
    scale = wide.round(_of_a_part(std, dtype))
    if even == odd:
        return Law("normal", (wide.round(even), scale))
    return Law("complex_normal", (wide.round(even), scale, wide.round(odd)))


def _reach(form: Format) -> float:
    """No standard normal of this width lies further out."""
    return 6.67 if form is FLOAT32 else 8.58


def trunc_normal(mean: object, std: object, a: object, b: object, dtype: np.dtype) -> Law:
    """N(mean, std^2) given that it lies in [a, b]; by the proposals that are rejected least.

    Normal proposals where [a, b] is wide around the mean; else Robert's (1995): uniform over a narrow interval,
    shifted exponential in a tail. At least 49 % of the proposals are accepted, whatever the bounds.
    """
    return _trunc_normal(real("mean", mean), real("std", std), real("a", a), real("b", b), dtype)


@functools.lru_cache(maxsize=256)
def _trunc_normal(mean: float, std: float, a: float, b: float, dtype: np.dtype) -> Law:
    form, wide = _stored(dtype), _computed(dtype)
    _finite("mean", mean, wide)
    standard_deviation(std, dtype)
    if a > b:
        raise InvalidValueError(f"truncation bounds need a <= b, got a={a}, b={b}: swap them")
    if std == 0.0 and not a <= mean <= b:
        raise InvalidValueError(f"with std = 0 all values are the mean, {mean}, which lies outside [{a}, {b}]")
    if a == b:
        return _constant(finite("a == b", a, dtype), wide)
    smallest, largest = form.round_up(a), form.round_down(b)
    _check_not_empty(smallest, largest, f"[{a}, {b}]", form)
    if form is not wide:
        smallest, largest = _before_rounding(a, smallest, form, wide), -_before_rounding(-b, -largest, form, wide)
    if std == 0.0:
        return _constant(min(max(wide.round(mean), smallest), largest), wide)
    low, high = _tightened(a, b, smallest, largest, wide)
    if low < mean < high and _sigmas(low, high, std) >= _SQRT_2PI:
        return _normal_proposals(mean, std, smallest, largest, wide)
    return Law("tail", (*_tail_proposals(mean, std, low, high, wide), smallest, largest))


def _before_rounding(a: float, smallest: float, form: Format, wide: Format) -> float:
    """The smallest number of ``wide`` that is >= ``a`` and that ``form`` rounds to ``smallest`` or more."""
    half_way = (form.below(smallest) + smallest) / 2.0
    number = wide.round_up(max(a, half_way))
    return number if form.round(number) >= smallest else wide.above(number)


def _constant(value: float, wide: Format) -> Law:
    return Law("normal", (wide.round(value), 0.0))


def _normal_proposals(mean: float, std: float, smallest: float, largest: float, wide: Format) -> Law:
    low, scale = wide.round(mean), wide.round(std)
    reach = scale * _reach(wide)
    if smallest <= low - reach and low + reach <= largest:
        return Law("normal", (low, scale))  # nothing can be rejected: the same values without looking
    return Law("trunc_normal", (low, scale, smallest, largest))


def _tail_proposals(mean: float, std: float, low: float, high: float, wide: Format) -> tuple[float, ...]:
    """``exponential?, x1, x0, s1, s0, t1, t0``: see ``maths.laws.tail32`` for what they mean.

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
    return (*numbers[:3], *(wide.round(number) for number in numbers[3:]))


def _tightened(a: float, b: float, smallest: float, largest: float, wide: Format) -> tuple[float, float]:
    """[a, b] without what rounding to ``wide`` would carry out of [smallest, largest]: the law given that values fit.

    Both ends become finite: nearly all proposals towards an infinite bound could overflow.
    """
    if wide is not FLOAT32:
        return smallest, largest
    low = math.nextafter(smallest + (wide.below(smallest) - smallest) / 2.0, math.inf)
    high = math.nextafter(largest + (wide.above(largest) - largest) / 2.0, -math.inf)
    return max(a, low), min(b, high)


def _sigmas(origin: float, value: float, std: float) -> float:
    """``(value - origin) / std``, also where the difference overflows."""
    distance = value - origin
    return value / std - origin / std if math.isinf(distance) else distance / std


def _check_not_empty(smallest: float, largest: float, interval: str, form: Format) -> None:
    if smallest > largest:
        raise InvalidValueError(f"no {form.name} lies in {interval}: widen the bounds or use a wider dtype")
