"""A format → its numbers, neighbours and roundings are those of NumPy and of ml_dtypes."""

import itertools
import math

import ml_dtypes
import numpy as np
import pytest

from numbainit.maths.formats import SMALL, computed, stored


def finite_numbers(name):
    """Every finite number of a small dtype, in order."""
    dtype = np.dtype(name)
    with np.errstate(invalid="ignore"):  # signalling NaN among the codes
        numbers = np.arange(2 ** (8 * dtype.itemsize), dtype=f"u{dtype.itemsize}").view(dtype).astype("f4")
    return np.unique(numbers[np.isfinite(numbers)]).tolist()


@pytest.mark.parametrize("name", SMALL)
def test_a_small_format_is_that_of_ml_dtypes(name):
    known, form = ml_dtypes.finfo(name), stored(name)
    assert form is SMALL[name]
    assert (form.bits, form.exponent, form.mantissa) == (known.bits, known.nexp, known.nmant)
    assert form.largest == float(known.max)
    assert math.ldexp(1.0, form.smallest_exponent) == float(known.smallest_subnormal)
    with np.errstate(invalid="ignore"):
        assert form.has_infinity == np.isinf(np.array(math.inf).astype(name))
        assert form.has_negative_zero == np.signbit(np.array(-0.0).astype(name))


@pytest.mark.parametrize("name", SMALL)
def test_neighbours_of_every_number(name):
    form, numbers = SMALL[name], finite_numbers(name)
    assert [form.above(x) for x in numbers[:-1]] == numbers[1:]
    assert [form.below(x) for x in numbers[1:]] == numbers[:-1]
    assert [form.round(x) for x in numbers] == numbers
    assert form.round(form.above(form.largest)) == form.above(form.largest) > form.largest
    between = [(x + y) / 2 for x, y in itertools.pairwise(numbers)]
    assert [form.round_up(x) for x in between] == numbers[1:]
    assert [form.round_down(x) for x in between] == numbers[:-1]
    assert form.round_up(math.inf) == form.round_up(2.0 * form.largest) == math.inf
    assert form.round_up(-math.inf) == -form.largest


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_wide_formats_are_those_of_numpy(dtype):
    form = computed(np.dtype(dtype).name)
    assert form is stored(np.dtype(dtype).name)
    assert form.largest == float(np.finfo(dtype).max)
    numbers = np.frombuffer(np.random.default_rng(1).bytes(8 * 4000), "f8").tolist()
    numbers += [0.0, -0.0, 1.0, -1.0, 5e-324, -5e-324, 2.0**-126, 2.0**-1022, 2.0**-149, 2.0**-150, 1e-45]
    infinity = dtype(math.inf)
    for number in numbers:
        with np.errstate(all="ignore"):
            nearest = dtype(number)
        if not np.isfinite(nearest):
            continue
        assert form.round(number).hex() == float(nearest).hex()
        with np.errstate(under="ignore"):
            assert form.above(float(nearest)) == float(np.nextafter(nearest, infinity))
            assert form.below(float(nearest)) == float(np.nextafter(nearest, -infinity))
