"""Merged moments against those of all numbers together, in fractions."""

from fractions import Fraction

import numpy as np
import pytest

from numbainit.maths.moments import Shape, Spread, merged, merged_shape


def exact(numbers):
    """Sums of the powers of distances from the mean, each rounded once."""
    whole = [Fraction(float(number)) for number in numbers]
    mean = sum(whole) / max(len(whole), 1)
    m2, m3, m4 = (float(sum((one - mean) ** power for one in whole)) for power in (2, 3, 4))
    return Spread(len(whole), float(mean), m2), Shape(m3, m4)


@pytest.mark.parametrize(("first", "second"), [(40, 25), (1, 1), (0, 7), (7, 0), (1, 300)])
@pytest.mark.parametrize("apart", [0.0, 3.0, 1e4])
def test_both_have_the_moments_of_all(first, second, apart):
    rng = np.random.default_rng(0)
    a, b = rng.exponential(size=first), apart + rng.normal(size=second)
    want, want_shape = exact([*a, *b])
    (one, its_shape), (other, others_shape) = exact(a), exact(b)
    assert merged(one, other) == pytest.approx(want, rel=1e-13)
    assert merged_shape(one, other, its_shape, others_shape) == pytest.approx(want_shape, rel=1e-10)
    assert merged(one, other).variance == pytest.approx(float(np.var([*a, *b])), rel=1e-12, abs=1e-13)


def test_constants_are_exact():
    one = Spread(3, 0.1, 0.0)
    assert merged(one, one) == Spread(6, 0.1, 0.0)
    assert merged_shape(one, one, Shape(), Shape()) == Shape(0.0, 0.0)
    assert np.isnan(Spread().variance)
