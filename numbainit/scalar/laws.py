"""Random words → values of the laws: uniform, normal, and the proposals of truncated normals.

Standard laws first (no parameters), then one affine step with a
single rounding. Each law states its interval. Words are uint32; float64 laws take a high and a low word per value.
"""

import numpy as np
from numba import njit

from numbainit.scalar.elementary import cos_sin32, cos_sin64, minus_two_log32, minus_two_log64
from numbainit.scalar.options import INLINE
from numbainit.scalar.rounding import fma, mul, sqrt

_2_TO_MINUS_24, _2_TO_MINUS_53 = np.float32(2.0**-24), np.float64(2.0**-53)
_2_TO_MINUS_32 = np.float64(2.0**-32)


@njit(**INLINE)
def uniform32(word):
    """``(word >> 8) 2^-24``, float32 in [0, 1): multiples of 2^-24, zero included, at most 1 - 2^-24."""
    return mul(np.float32(np.int32(word >> np.uint32(8))), _2_TO_MINUS_24)


@njit(**INLINE)
def uniform64(high, low):
    """``((high << 32 | low) >> 11) 2^-53``, float64 in [0, 1): multiples of 2^-53, at most 1 - 2^-53."""
    low21 = mul(np.float64(np.int32(low >> np.uint32(11))), _2_TO_MINUS_53)
    return fma(np.float64(np.uint32(high)), _2_TO_MINUS_32, low21)


@njit(**INLINE)
def normal_pair32(word0, word1):
    """Box and Muller: two words → two independent N(0, 1) in float32, |z| <= 6.661.

    ``r cos t`` and ``r sin t`` with ``r = sqrt(-2 ln((word0 + 1) 2^-32))`` and ``t = 2 pi word1 2^-32``. It is the
    one method that turns a known number of words into normals without a branch.
    """
    r = sqrt(minus_two_log32(word0))
    cos, sin = cos_sin32(word1)
    return mul(r, cos), mul(r, sin)


@njit(**INLINE)
def normal_pair64(high0, low0, high1, low1):
    """Two words twice → two independent N(0, 1) in float64, |z| <= 8.572. See :func:`normal_pair32`."""
    r = sqrt(minus_two_log64(high0, low0))
    cos, sin = cos_sin64(high1, low1)
    return mul(r, cos), mul(r, sin)


@njit(**INLINE)
def _clipped(x, smallest, largest):
    """``x`` in [smallest, largest]; two selects, where Numba's min and max would be four functions to compile."""
    x = x if x > smallest else smallest
    return x if x < largest else largest


@njit(**INLINE)
def uniform_between32(word, low, width, smallest, largest):
    """``low + u width`` with one rounding, kept inside [smallest, largest], in float32.

    The clip matters: rounding takes ``a + u (b - a)`` to b itself on [1, 2) or [0.1, 0.3), although u < 1.
    """
    return _clipped(fma(uniform32(word), width, low), smallest, largest)


@njit(**INLINE)
def uniform_between64(high, low_word, low, width, smallest, largest):
    """``low + u width`` with one rounding, kept inside [smallest, largest], in float64."""
    return _clipped(fma(uniform64(high, low_word), width, low), smallest, largest)


@njit(**INLINE)
def tail32(word, acceptance, exponential, x1, x0, s1, s0, t1, t0):
    """One proposal of Robert (1995) in float32: the value, or NaN where it is rejected.

    With r uniform or exponential, the value is ``x0 + x1 r``, made in float64 so that a bound far from zero costs no
    precision; it is accepted with probability ``exp(-(s0 + s1 r)(t0 + t1 r) / 2)``, that is where ``-2 ln v`` of the
    acceptance word reaches the product.
    """
    r = minus_two_log32(word) if exponential else uniform32(word)
    x = np.float32(fma(np.float64(r), x1, x0))
    accepted = minus_two_log32(acceptance) >= mul(fma(r, s1, s0), fma(r, t1, t0))
    return x if accepted else np.float32(np.nan)


@njit(**INLINE)
def tail64(high, low, acceptance, exponential, x1, x0, s1, s0, t1, t0):
    """One proposal of Robert (1995) in float64: the value, or NaN where it is rejected. See :func:`tail32`."""
    r = minus_two_log64(high, low) if exponential else uniform64(high, low)
    x = fma(r, x1, x0)
    accepted = minus_two_log64(acceptance, np.uint32(0xFFFFFFFF)) >= mul(fma(r, s1, s0), fma(r, t1, t0))
    return x if accepted else np.float64(np.nan)
