"""A float32 → the bits that ml_dtypes' cast gives it, for every number of every small format and all around it."""

import functools

import numpy as np
import pytest
from numba import njit

from cases import thinned
from maths.lanes import NUMBERS, every_way, mapped
from numbainit.maths import scalar
from numbainit.maths.encodings import encode
from numbainit.maths.formats import SMALL

LIGHT = ["bfloat16", "float16", "float8_e4m3fn", "float8_e5m2fnuz"]
every_form = pytest.mark.parametrize("name", thinned(SMALL, LIGHT))


@functools.cache
def encoder(name):
    """A compiled loop over single numbers."""

    @njit
    def loop(numbers, out):
        for i in range(numbers.size):
            out[i] = scalar.encode(numbers[i], name)

    return loop


def encoded(numbers, name, lanes):
    if lanes == NUMBERS:
        bits = np.empty(numbers.size, "i4")
        encoder(name)(numbers, bits)
    else:
        bits = mapped(lambda x: encode(x, SMALL[name]), numbers, lanes=lanes)
    assert bits.dtype == np.int32
    return bits.astype(f"u{SMALL[name].bits // 8}")  # what is above them is garbage


@every_form
@every_way
def test_every_number_and_every_tie_with_their_neighbours(name, lanes):
    x, want = cases(name)
    assert np.array_equal(encoded(x, name, lanes), want)


@functools.cache
def cases(name):
    """Numbers, and their bits: those of the format, the ties between them, what lies beside both, and any others."""
    form, dtype, code = SMALL[name], np.dtype(name), np.dtype(f"u{SMALL[name].bits // 8}")
    with np.errstate(invalid="ignore"):
        numbers = np.arange(2**form.bits, dtype=code).view(dtype).astype("f4")
    numbers = np.unique(numbers[np.isfinite(numbers)])
    ties = ((numbers[1:].astype("f8") + numbers[:-1]) / 2).astype("f4")
    exact = np.concatenate([numbers, ties, np.float32([0.0, -0.0])])
    around = [np.nextafter(exact, np.float32(way)) for way in (-np.inf, np.inf)]
    rng = np.random.default_rng(5)
    some = [rng.integers(0, 2**32, 2**18, dtype=np.uint32).view("f4"), rng.normal(size=2**18).astype("f4")]
    x = np.concatenate([exact, *around, *some])
    with np.errstate(all="ignore"):
        want = x.astype(dtype)
        kept = np.isfinite(x) & np.isfinite(want.astype("f4"))  # what overflows never comes here
    assert kept[: exact.size].all()
    return x[kept], want[kept].view(code)


@every_form
@every_way
def test_no_negative_zero_where_its_bits_are_nan(name, lanes):
    form = SMALL[name]
    tiny = np.float32([-0.0, -1e-45, -np.ldexp(1.0, form.smallest_exponent - 2)])
    if name == "bfloat16":
        tiny = tiny[:1]  # the others are numbers of its own, or near them
    zero = 1 << (form.bits - 1) if form.has_negative_zero else 0
    assert set(encoded(tiny, name, lanes).tolist()) == {zero}
