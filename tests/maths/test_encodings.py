"""A float32 → the bits that ml_dtypes' cast gives it, for every number of every small format and all around it."""

import numpy as np
import pytest
from numba import njit

from cases import thinned
from numbainit.maths.encodings import encode
from numbainit.maths.formats import SMALL

LIGHT = ["bfloat16", "float16", "float8_e4m3fn", "float8_e5m2fnuz"]


@pytest.fixture(scope="module", params=thinned(SMALL, LIGHT))
def form(request):
    return SMALL[request.param]


def encoded(numbers, form):
    exponent, mantissa, bias, negative_zero = form.exponent, form.mantissa, form.bias, form.has_negative_zero

    @njit
    def loop(numbers, out):
        for i in range(numbers.size):
            out[i] = encode(numbers[i], exponent, mantissa, bias, negative_zero)

    out = np.empty(numbers.size, f"u{form.bits // 8}")
    loop(numbers, out)
    return out


def test_every_number_and_every_tie_with_their_neighbours(form):
    dtype, code = np.dtype(form.name), np.dtype(f"u{form.bits // 8}")
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
    got = encoded(x[kept], form)
    assert np.array_equal(got, want[kept].view(code))
    assert kept[: exact.size].all()


def test_no_negative_zero_where_its_bits_are_nan(form):
    tiny = np.float32([-0.0, -1e-45, -np.ldexp(1.0, form.smallest_exponent - 2)])
    if form.name == "bfloat16":
        tiny = tiny[:1]  # the others are numbers of its own, or near them
    zero = 1 << (form.bits - 1) if form.has_negative_zero else 0
    assert set(encoded(tiny, form).tolist()) == {zero}
