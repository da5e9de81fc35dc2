"""A float32 → the bits of the nearest number of a smaller float format, ties to even.

For finite numbers that lie within the format's range after the rounding: ``weights/laws.py`` lets no others come here,
so infinities and NaN need no code. There are no branches, so a loop over this is SIMD code.
"""

import numpy as np
from numba import njit

from numbainit.scalar.options import INLINE
from numbainit.scalar.rounding import add, bits_to_float, float_to_bits

_MAGNITUDE = np.int32(0x7FFFFFFF)
_0, _1 = np.int32(0), np.int32(1)


@njit(**INLINE)
def encode(x, exponent, mantissa, bias, negative_zero):
    """The bits of ``x``, rounded once, in the low ``1 + exponent + mantissa`` bits of an int32.

    The layout is that of ``formats.Format`` and constant along a loop: LLVM then folds all that depends on it. A normal
    number is rounded by an addition that carries into the exponent. Subnormal ones, evenly spaced, are rounded by the
    addition of a float whose last place has their spacing: the sum holds their number in its low bits.
    """
    bits = float_to_bits(x)
    cut, half = np.int32(23 - mantissa), np.int32((1 << (22 - mantissa)) - 1)
    odd = np.int32(bits >> cut & _1)
    if exponent == 8:  # no other exponent, so the sign stays where it is and subnormal numbers round like all others
        return np.int32(np.int32(bits + half + odd) >> cut)
    magnitude = np.int32(bits & _MAGNITUDE)
    normal = np.int32(np.int32(np.int32(magnitude + half + odd) >> cut) - np.int32((127 - bias) << mantissa))
    anchor = np.int32((151 - bias - mantissa) << 23)  # 2^(24 - bias - mantissa)
    subnormal = np.int32(float_to_bits(add(bits_to_float(magnitude), bits_to_float(anchor))) - anchor)
    result = subnormal if magnitude < np.int32((128 - bias) << 23) else normal
    sign = np.int32(np.int32(bits >> np.int32(31 - exponent - mantissa)) & np.int32(1 << (exponent + mantissa)))
    return np.int32(result | (sign if negative_zero or result != _0 else _0))
