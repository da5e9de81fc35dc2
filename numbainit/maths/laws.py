"""Random words → values of the laws: uniform, normal, and the proposals of truncated normals.

Standard laws first (no parameters), then one affine step with a single rounding. Each law states its interval. Words
are uint32; float64 laws take a uint64, of which the upper half is a high word and the lower a low word.
"""

import math

from numbainit.maths.elementary import cos_sin32, cos_sin64, fraction64, minus_two_log32, minus_two_log64
from numbainit.maths.values import float32, float64, fma, int32, select, sqrt, uint64


def joined(high, low):
    """A high and a low word, uint32 both, as the word of a float64 law."""
    return uint64(high) << 32 | uint64(low)


def uniform32(word):
    """``(word >> 8) 2^-24``, float32 in [0, 1): multiples of 2^-24, zero included, at most 1 - 2^-24."""
    return float32(int32(word >> 8)) * 2.0**-24


def uniform64(word):
    """``(word >> 11) 2^-53``, float64 in [0, 1): multiples of 2^-53, at most 1 - 2^-53."""
    return fraction64(word)


def normal_pair32(word0, word1):
    """Box and Muller: two words → two independent N(0, 1) in float32, |z| <= 6.661.

    ``r cos t`` and ``r sin t`` with ``r = sqrt(-2 ln((word0 + 1) 2^-32))`` and ``t = 2 pi word1 2^-32``. It is the
    one method that turns a known number of words into normals without a branch.
    """
    r = sqrt(minus_two_log32(word0))
    cos, sin = cos_sin32(word1)
    return r * cos, r * sin


def normal_pair64(word0, word1):
    """Two words → two independent N(0, 1) in float64, |z| <= 8.572. See :func:`normal_pair32`."""
    r = sqrt(minus_two_log64(word0))
    cos, sin = cos_sin64(word1)
    return r * cos, r * sin


def clipped(x, smallest, largest):
    """``x`` in [smallest, largest]."""
    x = select(x > smallest, x, smallest)
    return select(x < largest, x, largest)


def uniform_between32(word, low, width, smallest, largest):
    """``low + u width`` with one rounding, kept inside [smallest, largest], in float32.

    The clip matters: rounding takes ``a + u (b - a)`` to b itself on [1, 2) or [0.1, 0.3), although u < 1.
    """
    return clipped(fma(uniform32(word), width, low), smallest, largest)


def uniform_between64(word, low, width, smallest, largest):
    """``low + u width`` with one rounding, kept inside [smallest, largest], in float64."""
    return clipped(fma(uniform64(word), width, low), smallest, largest)


def tail32(word, acceptance, exponential, x1, x0, s1, s0, t1, t0):
    """One proposal of Robert (1995) in float32: the value, or NaN where it is rejected.

    With r uniform or exponential, the value is ``x0 + x1 r``, made in float64 so that a bound far from zero costs no
    precision; it is accepted with probability ``exp(-(s0 + s1 r)(t0 + t1 r) / 2)``, that is where ``-2 ln v`` of the
    acceptance word reaches the product.
    """
    r = select(exponential, minus_two_log32(word), uniform32(word))
    x = float32(fma(float64(r), x1, x0))
    accepted = minus_two_log32(acceptance) >= fma(r, s1, s0) * fma(r, t1, t0)
    return select(accepted, x, math.nan)


def tail64(word, acceptance, exponential, x1, x0, s1, s0, t1, t0):
    """One proposal of Robert (1995) in float64: the value, or NaN where it is rejected. See :func:`tail32`.

    The acceptance word is uint32; what is below it counts as ones.
    """
    limit = minus_two_log64(uint64(acceptance) << 32 | 0xFFFFFFFF)
    r = select(exponential, minus_two_log64(word), uniform64(word))
    accepted = limit >= fma(r, s1, s0) * fma(r, t1, t0)
    return select(accepted, fma(r, x1, x0), math.nan)
