"""Random words → ``-2 ln u``, ``sin`` and ``cos`` of a turn: the two functions that Box and Muller need.

They take words, not floats: reducing the range in integers is exact, so every bit of a word counts and no error is
amplified near ``u = 1`` or at the zeros of sine and cosine. The polynomials are minimax (``fpminimax`` of Sollya,
relative error, coefficients already rounded to the width): below 2^-25 for float32 and 2^-54 for float64.
"""

import numpy as np
from numba import njit

from numbainit.scalar.options import INLINE
from numbainit.scalar.rounding import add, bits_to_float, float_to_bits, fma, mul, polynomial


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
_ONE_32, _ONE_64 = np.float32(1), np.float64(1)
_SCALE_32, _SCALE_64 = np.float32(2.0**-32), np.float64(2.0**-32)
_SIGN_32 = np.int32(-(2**31))
_2_TO_MINUS_53 = np.float64(2.0**-53)


@njit(**INLINE)
def minus_two_log32(word):
    """A uint32 word → ``-2 ln u`` in float32, where ``u = (word + 1) 2^-32`` lies in (0, 1].

    In [0, 44.4]. Read as a signed integer, ``word + 1`` is ``u`` itself below 1/2 and ``u - 1`` above it, so the
    conversion to float32 keeps its relative precision at both ends. With ``u = 2^-e (1 - g)``, g in [0, 1/2], the
    result ``e 2 ln 2 - 2 ln(1 - g)`` is a sum of non-negative terms: nothing cancels.
    """
    y = mul(np.float32(np.int32(np.uint32(word + np.uint32(1)))), _SCALE_32)
    bits = float_to_bits(y)
    half_to_one = bits_to_float(np.int32((bits & np.int32(0x007FFFFF)) | np.int32(0x3F000000)))
    below_half = y > np.float32(0)
    e = np.int32(126) - (bits >> np.int32(23)) if below_half else np.int32(0)
    g = add(_ONE_32, -half_to_one) if below_half else -y
    return fma(np.float32(np.int32(e)), _TWO_LN2_32, mul(g, polynomial(g, _LOG32)))


@njit(**INLINE)
def minus_two_log64(high, low):
    """Two uint32 words → ``-2 ln u`` in float64, where ``u = (v + 1) 2^-53`` and v is their upper 53 bits.

    In [0, 73.5]. See :func:`minus_two_log32`. Both halves of ``v + 1`` convert exactly, and so does their sum.
    """
    tail = mul(np.float64(np.int32((low >> np.uint32(11)) + np.uint32(1))), _2_TO_MINUS_53)
    y = fma(np.float64(np.int32(high)), _SCALE_64, tail)
    bits = float_to_bits(y)
    half_to_one = bits_to_float((bits & np.int64(0x000FFFFFFFFFFFFF)) | np.int64(0x3FE0000000000000))
    below_half = y > np.float64(0)
    e = np.int64(1022) - (bits >> np.int64(52)) if below_half else np.int64(0)
    g = add(_ONE_64, -half_to_one) if below_half else -y
    return fma(np.float64(np.int32(e)), _TWO_LN2_64, mul(g, polynomial(g, _LOG64)))


@njit(**INLINE)
def cos_sin32(word):
    """A uint32 word → ``cos`` and ``sin`` of ``2 pi word 2^-32`` in float32.

    The nearest quarter turn is bits 30 and 31 of ``word + 2^29``; the rest, in [-1/2, 1/2) quarters, is what a shift
    by two leaves when it is read as a signed integer.
    """
    y = mul(np.float32(np.int32(np.uint32(word << np.uint32(2)))), _SCALE_32)
    square = mul(y, y)
    sin = float_to_bits(mul(y, polynomial(square, _SIN32)))
    cos = float_to_bits(polynomial(square, _COS32))
    quarters = np.int32(np.uint32(word + np.uint32(1 << 29)))
    odd = (quarters & np.int32(1 << 30)) != 0
    sin, cos = (cos if odd else sin), (sin if odd else cos)
    sin_sign = quarters & _SIGN_32
    cos_sign = np.int32(quarters + np.int32(1 << 30)) & _SIGN_32
    return bits_to_float(np.int32(cos ^ cos_sign)), bits_to_float(np.int32(sin ^ sin_sign))


@njit(**INLINE)
def cos_sin64(high, low):
    """Two uint32 words → ``cos`` and ``sin`` of ``2 pi (high 2^32 + low) 2^-64``, cut to 55 bits, in float64."""
    rest = np.uint32(high << np.uint32(2)) | (low >> np.uint32(30))
    tail = mul(np.float64(np.int32(np.uint32(low << np.uint32(2)) >> np.uint32(11))), _2_TO_MINUS_53)
    y = fma(np.float64(np.int32(np.uint32(rest))), _SCALE_64, tail)
    square = mul(y, y)
    sin = float_to_bits(mul(y, polynomial(square, _SIN64)))
    cos = float_to_bits(polynomial(square, _COS64))
    quarters = np.int32(np.uint32(high + np.uint32(1 << 29)))
    odd = (quarters & np.int32(1 << 30)) != 0
    sin, cos = (cos if odd else sin), (sin if odd else cos)
    sin_sign = np.int64(quarters & _SIGN_32) << np.int64(32)
    cos_sign = np.int64(np.int32(quarters + np.int32(1 << 30)) & _SIGN_32) << np.int64(32)
    return bits_to_float(cos ^ cos_sign), bits_to_float(sin ^ sin_sign)
