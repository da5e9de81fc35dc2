"""A float32 → the bits of the nearest number of a smaller float format, ties to even.

For finite numbers that lie within the format's range after the rounding: ``weights/laws.py`` lets no others come here,
so infinities and NaN need no code.
"""

from numbainit.maths.formats import Format
from numbainit.maths.values import bits_of, float_of, select


def encode(x, form: Format):
    """The bits of ``x``, rounded once to ``form``, in the low bits of an int32; what is above them is garbage.

    A normal number is rounded by an addition that carries into the exponent. Subnormal ones, evenly spaced, are rounded
    by the addition of a float whose last place has their spacing: the sum holds their number in its low bits.
    """
    bits = bits_of(x)
    cut, half = 23 - form.mantissa, (1 << (22 - form.mantissa)) - 1
    odd = (bits >> cut) & 1
    if form.exponent == 8:  # float32's own: the sign stays where it is, and subnormal numbers round like all others
        return (bits + half + odd) >> cut
    magnitude = bits & 0x7FFFFFFF
    normal = ((magnitude + half + odd) >> cut) - ((127 - form.bias) << form.mantissa)
    anchor = (151 - form.bias - form.mantissa) << 23  # 2^(24 - bias - mantissa)
    subnormal = bits_of(float_of(magnitude) + float_of(bits.constant(anchor))) - anchor
    result = select(magnitude < ((128 - form.bias) << 23), subnormal, normal)
    sign = (bits >> (32 - form.bits)) & (1 << (form.bits - 1))
    return result | (sign if form.has_negative_zero else select(result == 0, 0, sign))
