"""Two or three floats of one width → the one correctly rounded result, as exact fractions and NumPy give it."""

import math
from fractions import Fraction

import numpy as np
import pytest
from numba import njit, types
from numba.core.errors import TypingError

import reference
from numbainit.maths import rounding

KINDS = {32: np.float32, 64: np.float64}
COUNT = 3000
widths = pytest.mark.parametrize("width", [32, 64])


def numbers(width, seed, count=COUNT):
    """Random bits: floats of every magnitude, subnormal too, neither infinite nor NaN; some of ordinary size."""
    rng = np.random.default_rng(seed)
    kind = KINDS[width]
    found = np.frombuffer(rng.bytes(3 * count * kind().itemsize), kind)
    ordinary = rng.normal(size=count // 2).astype(kind)
    return np.concatenate([found[np.isfinite(found)][: count - ordinary.size], ordinary])


def mapped(operation, *columns):
    """The operation on each row of arrays, in a compiled loop as in the laws."""
    if len(columns) == 1:

        @njit
        def loop(out, a):
            for i in range(out.size):
                out[i] = operation(a[i])

    elif len(columns) == 2:

        @njit
        def loop(out, a, b):
            for i in range(out.size):
                out[i] = operation(a[i], b[i])

    else:

        @njit
        def loop(out, a, b, c):
            for i in range(out.size):
                out[i] = operation(a[i], b[i], c[i])

    out = np.empty_like(columns[0])
    loop(out, *columns)
    return out


def same_bits(got, want):
    assert got.dtype == want.dtype
    assert got.tobytes() == want.tobytes()


@widths
def test_fma_is_rounded_once(width):
    """Also where a product cancels against the third number but for the bits that its own rounding would lose."""
    kind, (a, b, c) = KINDS[width], (numbers(width, seed) for seed in (1, 2, 3))
    with np.errstate(all="ignore"):
        product = a * b
    half = COUNT // 2
    c[half:] = np.where(np.isfinite(product[half:]), -product[half:], c[half:])
    want = [reference.fma(float(x), float(y), float(z), width) for x, y, z in zip(a, b, c, strict=True)]
    same_bits(mapped(rounding.fma, a, b, c), np.array(want, kind))
    assert np.count_nonzero(want[half:]) > 100, "no product was inexact: the second half tests nothing"


@widths
def test_products_and_sums(width):
    a, b = numbers(width, 4), numbers(width, 5)
    with np.errstate(all="ignore"):
        same_bits(mapped(rounding.mul, a, b), a * b)
        same_bits(mapped(rounding.add, a, b), a + b)


@widths
def test_a_sum_is_not_fused_with_a_product(width):
    """``add(mul(a, b), c)`` rounds twice wherever an fma would round once to another number."""
    a, b = numbers(width, 6), numbers(width, 7)
    with np.errstate(all="ignore"):
        c = -(a * b)

    @njit
    def loop(out, a, b, c):
        for i in range(out.size):
            out[i] = rounding.add(rounding.mul(a[i], b[i]), c[i])

    out = np.full_like(a, 7)
    loop(out, a, b, c)
    finite = np.isfinite(c)
    assert not out[finite].any()
    assert finite.sum() > COUNT // 2


@widths
def test_square_roots(width):
    a = np.abs(numbers(width, 8))
    same_bits(mapped(rounding.sqrt, a), np.sqrt(a))
    ordinary = a[a >= 2.0**-100][:500]
    want = np.array([reference.sqrt(float(x), width) for x in ordinary], KINDS[width])
    same_bits(mapped(rounding.sqrt, ordinary), want)


@widths
def test_polynomials_by_horners_rule(width):
    kind = KINDS[width]
    coefficients = tuple(map(kind, (0.1, -2.5, 3e-3, 7.0, -1 / 3)))

    @njit
    def loop(out, x):
        for i in range(out.size):
            out[i] = rounding.polynomial(x[i], coefficients)

    x = np.random.default_rng(9).normal(size=500).astype(kind)
    out = np.empty_like(x)
    loop(out, x)
    want = [reference.polynomial(float(one), tuple(map(float, coefficients)), width) for one in x]
    same_bits(out, np.array(want, kind))


@widths
def test_bits_and_back(width):
    a = np.concatenate([numbers(width, 10), KINDS[width]([0.0, -0.0, math.inf, -math.inf])])

    @njit
    def loop(bits, back, a):
        for i in range(a.size):
            bits[i] = rounding.float_to_bits(a[i])
            back[i] = rounding.bits_to_float(bits[i])

    bits, back = np.empty(a.size, f"i{width // 8}"), np.empty_like(a)
    loop(bits, back, a)
    assert np.array_equal(bits, a.view(bits.dtype))
    same_bits(back, a)


def test_products_of_words():
    """Of the lower halves; what lies above them does not count."""
    rng = np.random.default_rng(11)
    a, b = rng.integers(0, 2**32, (2, COUNT), np.uint64)
    b[::2] += rng.integers(0, 2**32, COUNT // 2, np.uint64) << np.uint64(32)
    want = [int(x) * (int(y) % 2**32) for x, y in zip(a, b, strict=True)]
    assert mapped(rounding.wide_product, a, b).tolist() == want
    assert mapped(rounding.swap_halves, b).tolist() == [int(y) >> 32 | int(y) % 2**32 << 32 for y in b]


@pytest.mark.parametrize("operation", [rounding.mul, rounding.add], ids=["mul", "add"])
def test_widths_do_not_mix(operation):
    @njit
    def mixed(a, b):
        return operation(a, b)

    with pytest.raises(TypingError, match="floats of one width"):
        mixed.compile((types.float32, types.float64))


def test_the_counterpart_rounds_once():
    """What the cases above are compared with, where an fma and two roundings differ."""
    a = 1 + 2.0**-12
    assert reference.fma(a, a, -1.0, 32) == float(Fraction(a) ** 2 - 1)
    assert np.float32(a) * np.float32(a) - np.float32(1) != np.float32(reference.fma(a, a, -1.0, 32))
