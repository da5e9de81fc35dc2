"""The name of a float dtype → its layout in bits, and rounding, neighbours and the largest number in plain Python.

NumPy's ``finfo`` and ``nextafter`` do not know the small floats of ml_dtypes, and nobody should have to import that
package for them. Numbers are held as Python floats, which hold every number of every format here. No Numba, so that
parameters can be checked before it is imported.
"""

import math
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Format:
    """A binary float: one bit of sign, ``exponent`` bits biased by ``bias``, ``mantissa`` bits.

    ``specials`` are "ieee" where the highest exponent means infinities and NaN, "fn" where the only NaN has all bits
    set and nothing is infinite, "fnuz" where besides there is no negative zero: its bits are the NaN.
    """

    name: str
    exponent: int
    mantissa: int
    bias: int
    specials: str = "ieee"

    @property
    def bits(self) -> int:
        return 1 + self.exponent + self.mantissa

    @property
    def has_infinity(self) -> bool:
        return self.specials == "ieee"

    @property
    def has_negative_zero(self) -> bool:
        return self.specials != "fnuz"

    @cached_property
    def smallest_exponent(self) -> int:
        """Of the smallest subnormal: every number is a multiple of two to this power."""
        return 1 - self.bias - self.mantissa

    @cached_property
    def largest(self) -> float:
        highest = 2**self.exponent - (2 if self.specials == "ieee" else 1) - self.bias
        reserved = 2 if self.specials == "fn" else 1  # of the mantissas that the highest exponent allows, and one more
        return math.ldexp(2.0 ** (self.mantissa + 1) - reserved, highest - self.mantissa)

    def _unit(self, value: float) -> int:
        """The exponent of the last place of ``value``, as if exponents had no upper end."""
        lowest = self.smallest_exponent
        return max(math.frexp(value)[1] - 1 - self.mantissa, lowest) if value else lowest

    def round(self, value: float) -> float:
        """The nearest number, ties to even; beyond the largest, what it would be with more exponents."""
        if not math.isfinite(value):
            return value
        unit = self._unit(value)
        steps = value * 2.0**-unit if unit > -1000 else math.ldexp(value, -unit)
        return math.copysign(round(steps) * 2.0**unit, value)

    def above(self, value: float) -> float:
        """The next number upwards; after the largest, what it would be with more exponents."""
        if value < 0.0:
            return -self._towards_zero(-value)
        return value + math.ldexp(1.0, self._unit(value))

    def below(self, value: float) -> float:
        """The next number downwards."""
        return -self.above(-value)

    def _towards_zero(self, value: float) -> float:
        unit = self._unit(value)
        lowest_of_its_binade = value == math.ldexp(1.0, unit + self.mantissa) and unit > self.smallest_exponent
        return value - math.ldexp(1.0, unit - lowest_of_its_binade)

    def round_up(self, value: float) -> float:
        """The smallest finite number that is >= ``value``; infinity where there is none."""
        value = max(value, -self.largest)
        if value > self.largest:
            return math.inf
        rounded = self.round(value)
        return rounded if rounded >= value else self.above(rounded)

    def round_down(self, value: float) -> float:
        """The largest finite number that is <= ``value``; minus infinity where there is none."""
        return -self.round_up(-value)


FLOAT32, FLOAT64 = Format("float32", 8, 23, 127), Format("float64", 11, 52, 1023)
#: floats narrower than 32 bits: made in float32 and rounded once
SMALL = {
    small.name: small
    for small in (
        Format("float16", 5, 10, 15),
        Format("bfloat16", 8, 7, 127),
        Format("float8_e3m4", 3, 4, 3),
        Format("float8_e4m3", 4, 3, 7),
        Format("float8_e4m3b11fnuz", 4, 3, 11, "fnuz"),
        Format("float8_e4m3fn", 4, 3, 7, "fn"),
        Format("float8_e4m3fnuz", 4, 3, 8, "fnuz"),
        Format("float8_e5m2", 5, 2, 15),
        Format("float8_e5m2fnuz", 5, 2, 16, "fnuz"),
    )
}
_COMPUTED = {"float64": FLOAT64, "complex128": FLOAT64}
_STORED = {**SMALL, **_COMPUTED}


def stored(name: str) -> Format:
    """What an array of the dtype ``name`` holds, in each part where it is complex."""
    return _STORED.get(name, FLOAT32)


def computed(name: str) -> Format:
    """In what the values of the dtype ``name`` are made, before they are rounded to it."""
    return _COMPUTED.get(name, FLOAT32)
