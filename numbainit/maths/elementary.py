"""Random words → ``-2 ln u``, ``sin`` and ``cos`` of a turn: the two functions that Box and Muller need.

They take words, not floats: reducing the range in integers is exact, so every bit of a word counts and no error is
amplified near ``u = 1`` or at the zeros of sine and cosine. The polynomials are minimax (``fpminimax`` of Sollya,
relative error, coefficients already rounded to the width): below 2^-25 for float32 and 2^-54 for float64.
"""

import numpy as np

from numbainit.maths.values import bits_of, float32, float64, float_of, fma, int32, int64, polynomial, select, uint32


def _coefficients(dtype, *digits):
    return tuple(dtype(float.fromhex(text)) for text in digits)


# -2 ln(1 - g) / g on [0, 1/2], lowest degree first
_LOG32 = _coefficients(
    np.float32,
    *("0x1p1", "0x1.00002p0", "0x1.554238p-1", "0x1.01f70ep-1", "0x1.67415ep-2"),
    *("0x1.5ea91ap-1", "-0x1.330302p0", "0x1.fc0326p1", "-0x1.3eb5eep2", "0x1.bfc51cp1"),
)
_LOG64 = _coefficients(
    np.float64,
    *("0x1p1", "0x1.fffffffffff74p-1", "0x1.555555556131ep-1", "0x1.fffffff49c115p-2", "0x1.99999c66166ep-2"),
    *("0x1.5554eb3f63e26p-2", "0x1.249cabd575affp-2", "0x1.fe92e308298e3p-3", "0x1.d968df4460f28p-3"),
    *("0x1.d2e4d2e954d9dp-4", "0x1.a14a58414f6b9p-1", "-0x1.b8b016d21d4fap1", "0x1.032b7865c37f2p4"),
    *("-0x1.bc8e0838f6d31p5", "0x1.2d754c3c9f20cp7", "-0x1.39a38630be296p8", "0x1.eebd0d8760505p8"),
    *("-0x1.1dafde7c42859p9", "0x1.c9e0de4710eabp8", "-0x1.c83b66aec2811p7", "0x1.afa9feccf3e1dp5"),
)
# sin(pi/2 y) / y and cos(pi/2 y) in y^2, for |y| <= 1/2, lowest degree first
_SIN32 = _coefficients(np.float32, "0x1.921fb6p0", "-0x1.4abbecp-1", "0x1.466b2p-4", "-0x1.2f5992p-8")
_COS32 = _coefficients(np.float32, "0x1p0", "-0x1.3bd3ccp0", "0x1.03c1b8p-2", "-0x1.55b7cep-6", "0x1.d684aap-11")
_SIN64 = _coefficients(
    np.float64,
    *("0x1.921fb54442d18p0", "-0x1.4abbce625be09p-1", "0x1.466bc67754fffp-4", "-0x1.32d2ccdfe9424p-8"),
    *("0x1.50782d5f14825p-13", "-0x1.e2fe76fdffd29p-19", "0x1.e357ef99eaea7p-25"),
)
_COS64 = _coefficients(
    np.float64,
    *("0x1p0", "-0x1.3bd3cc9be45dep0", "0x1.03c1f081b5a67p-2", "-0x1.55d3c7e3c325bp-6"),
    *("0x1.e1f5067b90b37p-11", "-0x1.a6d1e7294bff9p-16", "0x1.f9c89ca1d4f4ap-22", "-0x1.b167302e2337bp-28"),
)
_TWO_LN2_32, _TWO_LN2_64 = np.float32(float.fromhex("0x1.62e43p0")), float.fromhex("0x1.62e42fefa39efp0")


# ---- words as fractions: exact in 64 bits, correctly rounded in 32 ----


def fraction64(word):
    """The upper 53 bits of a uint64 as a float64 in [0, 1): ``(word >> 11) 2^-53``."""
    if word.lanes > 1:
        return _spliced(word >> 32, word, 2.0**-12)
    high, low = uint32(word >> 32), uint32(word) >> 11
    return fma(float64(high), 2.0**-32, float64(int32(low)) * 2.0**-53)


def signed_fraction64(word, more=0):
    """The upper 53 bits of a uint64 as a signed number, as a float64: ``((int64(word) >> 11) + more) 2^-53``.

    In [-1/2, 1/2]; 1/2 itself, which ``more`` can make, may come out as -1/2.
    """
    if word.lanes > 1:
        word = word + (more << 11)
        return _spliced((word >> 32) ^ (1 << 31), word, 0.5 + 2.0**-12)
    high, low = int32(word >> 32), (uint32(word) >> 11) + more
    return fma(float64(high), 2.0**-32, float64(int32(low)) * 2.0**-53)


def _float_of_small(integer):
    """A number of [0, 2^31) in an int64 as a float64."""
    if integer.lanes > 1:
        return float_of(integer | _BITS_OF_2_TO_52) - 2.0**52
    return float64(int32(integer))


def _spliced(high, word, excess):
    """``high 2^-32`` and the lower half's upper 21 bits as what is below, less ``excess``; every step is exact.

    Bits placed below the leading one of 2^20 and of 2^-12 are floats without a conversion, for which AVX2 has no
    instruction.
    """
    upper = float_of(high | _BITS_OF_2_TO_20) - (2.0**20 + excess)
    return upper + float_of((word & 0xFFFFF800) | _BITS_OF_2_TO_MINUS_12)


_BITS_OF_2_TO_20, _BITS_OF_2_TO_MINUS_12, _BITS_OF_2_TO_52 = (1023 + 20) << 52, (1023 - 12) << 52, (1023 + 52) << 52


# ---- functions ----


def minus_two_log32(word):
    """A uint32 word → ``-2 ln u`` in float32, where ``u = (word + 1) 2^-32`` lies in (0, 1].

    In [0, 44.4]. Read as a signed integer, ``word + 1`` is ``2^32 u`` itself below 1/2 and ``2^32 (u - 1)`` above it,
    so the conversion to float32 keeps its relative precision at both ends. With ``u = 2^-e (1 - g)``, g in [0, 1/2],
    the result ``e 2 ln 2 - 2 ln(1 - g)`` is a sum of non-negative terms: nothing cancels.
    """
    y = float32(int32(word + 1))
    bits = bits_of(y)
    half_to_one = float_of((bits & 0x007FFFFF) | 0x3F000000)
    below_half = y > 0
    e = select(below_half, 158 - (bits >> 23), 0)
    g = select(below_half, 1 - half_to_one, y * -(2.0**-32))
    return fma(float32(e), _TWO_LN2_32, g * polynomial(g, _LOG32))


def minus_two_log64(word):
    """A uint64 word → ``-2 ln u`` in float64, where ``u = (v + 1) 2^-53`` and v is its upper 53 bits.

    In [0, 73.5]. See :func:`minus_two_log32`.
    """
    y = signed_fraction64(word, 1)
    bits = bits_of(y)
    half_to_one = float_of((bits & 0x000FFFFFFFFFFFFF) | 0x3FE0000000000000)
    below_half = y > 0
    e = select(below_half, 1022 - (bits >> 52), 0)
    g = select(below_half, 1 - half_to_one, -y)
    return fma(_float_of_small(e), _TWO_LN2_64, g * polynomial(g, _LOG64))


def cos_sin32(word):
    """A uint32 word → ``cos`` and ``sin`` of ``2 pi word 2^-32`` in float32.

    The nearest quarter turn is bits 30 and 31 of ``word + 2^29``; the rest, in [-1/2, 1/2) quarters, is what a shift
    by two leaves when it is read as a signed integer.
    """
    y = float32(int32(word << 2)) * 2.0**-32
    square = y * y
    sin, cos = y * polynomial(square, _SIN32), polynomial(square, _COS32)
    return _turned(cos, sin, int32(word + (1 << 29)))


def cos_sin64(word):
    """A uint64 word → ``cos`` and ``sin`` of ``2 pi word 2^-64``, cut to 55 bits, in float64."""
    y = signed_fraction64(word << 2)
    square = y * y
    sin, cos = y * polynomial(square, _SIN64), polynomial(square, _COS64)
    return _turned(cos, sin, int64(word + (1 << 61)))


def _turned(cos, sin, quarters):
    """Cosine and sine after as many quarter turns as the two highest bits of a signed integer say."""
    sign = -(1 << (quarters.kind.bits - 1))
    twice = quarters << 1
    odd = twice < 0
    cos, sin = bits_of(select(odd, sin, cos)), bits_of(select(odd, cos, sin))
    return float_of(cos ^ ((quarters ^ twice) & sign)), float_of(sin ^ (quarters & sign))
