"""Random words → ``-2 ln u``, cosine and sine: within a stated error of the exact functions, and the reference's bits.

The exact values come from Python's decimals with 40 digits: its own logarithm and square root, and Taylor series for
cosine and sine on an angle that is reduced exactly. Errors are in ulp of the exact result.
"""

import itertools
from decimal import Context, Decimal, localcontext

import numpy as np
import pytest
from numba import njit

import reference
from numbainit.maths import elementary
from numbainit.maths.elementary import cos_sin32, cos_sin64, minus_two_log32, minus_two_log64
from numbainit.maths.laws import normal_pair32, normal_pair64, uniform32, uniform64

PI = Decimal("3.1415926535897932384626433832795028841971693993751")
DIGITS = Context(prec=40)

# Ends, middles, powers of two, and the eighths of a turn, where a quarter begins or sine and cosine meet.
EDGES = sorted(
    {0, 1, 2, 3, 2**32 - 1, 2**32 - 2, 2**32 - 3}
    | {(eighth * 2**29 + off) % 2**32 for eighth in range(8) for off in (-4, -1, 0, 1, 4)}
    | {(2**power + off) % 2**32 for power in range(2, 32, 3) for off in (-1, 0)}
    | {2**24 - 1, 2**24, 2**24 + 1, 2**25 + 1, 2**31 - 129, 2**31 - 64, 2**31 + 127, 2**31 + 128}
)
LOW_EDGES = [0, 1, 2**11 - 1, 2**11, 2**30 - 1, 2**30, 2**31, 2**32 - 2**11 - 1, 2**32 - 2**11, 2**32 - 1]


def words32(seed, n=1500):
    """(w,) tuples: the edges, small words, words near the top, random ones."""
    rng = np.random.default_rng(seed)
    near = rng.integers(0, 2**10, 100)
    words = np.concatenate([EDGES, near, 2**32 - 1 - near, rng.integers(0, 2**32, n)])
    return [(int(w),) for w in words]


def words64(seed, n=1500):
    """(high, low) tuples: all pairs of edges, and random ones."""
    rng = np.random.default_rng(seed)
    return list(itertools.product(EDGES, LOW_EDGES)) + [tuple(pair) for pair in rng.integers(0, 2**32, (n, 2)).tolist()]


WORDS = {32: words32, 64: words64}


@njit
def _logs32(words, out):
    for i in range(len(words)):
        out[i] = minus_two_log32(words[i, 0])


@njit
def _logs64(words, out):
    for i in range(len(words)):
        out[i] = minus_two_log64(words[i, 0], words[i, 1])


@njit
def _turns32(words, out):
    for i in range(len(words)):
        out[i, 0], out[i, 1] = cos_sin32(words[i, 0])


@njit
def _turns64(words, out):
    for i in range(len(words)):
        out[i, 0], out[i, 1] = cos_sin64(words[i, 0], words[i, 1])


@njit
def _uniforms32(words, out):
    for i in range(len(words)):
        out[i] = uniform32(words[i, 0])


@njit
def _uniforms64(words, out):
    for i in range(len(words)):
        out[i] = uniform64(words[i, 0], words[i, 1])


@njit
def _pairs32(radius_words, turn_words, out):
    for i in range(len(radius_words)):
        out[i, 0], out[i, 1] = normal_pair32(radius_words[i, 0], turn_words[i, 0])


@njit
def _pairs64(radius_words, turn_words, out):
    for i in range(len(radius_words)):
        r, t = radius_words[i], turn_words[i]
        out[i, 0], out[i, 1] = normal_pair64(r[0], r[1], t[0], t[1])


LOGS, TURNS = {32: _logs32, 64: _logs64}, {32: _turns32, 64: _turns64}
UNIFORMS, PAIRS = {32: _uniforms32, 64: _uniforms64}, {32: _pairs32, 64: _pairs64}
FLOATS = {32: np.float32, 64: np.float64}


def run(kernel, width, *word_lists, columns=None):
    """A kernel's results for lists of word tuples."""
    shape = (len(word_lists[0]),) if columns is None else (len(word_lists[0]), columns)
    out = np.empty(shape, FLOATS[width])
    kernel(*(np.array(words, np.uint32) for words in word_lists), out)
    return out


# ---- the exact functions ----


def exact_minus_two_log(words):
    numerator, bits = (words[0] + 1, 32) if len(words) == 1 else ((words[0] << 21 | words[1] >> 11) + 1, 53)
    return -2 * (Decimal(numerator) / Decimal(2**bits)).ln()


def exact_cos_sin(words):
    """Of the word as a turn; of two words the upper 55 bits count."""
    turn, bits = (words[0], 32) if len(words) == 1 else (words[0] << 23 | words[1] >> 9, 55)
    quarter, rest = divmod(turn + 2 ** (bits - 3), 2 ** (bits - 2))
    angle = Decimal(rest - 2 ** (bits - 3)) / Decimal(2 ** (bits - 2)) * PI / 2
    term, sums = Decimal(1), [Decimal(0)] * 4  # the terms of exp, by degree modulo 4
    for degree in range(1, 40):
        sums[(degree - 1) % 4] += term
        term = term * angle / degree
    c, s = sums[0] - sums[2], sums[1] - sums[3]
    return [(c, s), (-s, c), (-c, -s), (s, -c)][quarter % 4]


def error(got, want):
    """|got - want| in ulp of want; where the exact value is zero, got must be zero too."""
    if want == 0:
        return 0.0 if got == 0 else np.inf
    ulp = np.spacing(abs(type(got)(float(want))))
    return float(abs(Decimal(float(got)) - want) / Decimal(float(ulp)))


# ---- accuracy ----


@pytest.mark.parametrize(("width", "bound"), [(32, 2.0), (64, 2.0)])
def test_minus_two_log_is_accurate(width, bound):
    words = WORDS[width](1)
    with localcontext(DIGITS):
        errors = [error(x, exact_minus_two_log(w)) for x, w in zip(run(LOGS[width], width, words), words, strict=True)]
    assert max(errors) < bound


@pytest.mark.parametrize(("width", "bound"), [(32, 2.0), (64, 2.0)])
def test_cos_sin_are_accurate(width, bound):
    words = WORDS[width](2)
    errors = []
    with localcontext(DIGITS):
        for pair, w in zip(run(TURNS[width], width, words, columns=2), words, strict=True):
            errors += [error(x, want) for x, want in zip(pair, exact_cos_sin(w), strict=True)]
    assert max(errors) < bound


@pytest.mark.parametrize(("width", "bound"), [(32, 4.5), (64, 4.5)])
def test_normal_pair_is_accurate(width, bound):
    radius_words, turn_words = WORDS[width](3), WORDS[width](4)
    order = np.random.default_rng(5).permutation(len(turn_words))
    turn_words = [turn_words[i] for i in order]
    got = run(PAIRS[width], width, radius_words, turn_words, columns=2)
    errors = []
    with localcontext(DIGITS):
        for pair, r, t in zip(got, radius_words, turn_words, strict=True):
            radius = exact_minus_two_log(r).sqrt()
            errors += [error(x, radius * want) for x, want in zip(pair, exact_cos_sin(t), strict=True)]
    assert max(errors) < bound


# ---- the reference's bits ----


def same_bits(got, want):
    assert got.dtype == want.dtype
    integers = np.dtype(f"u{got.itemsize}")
    assert np.array_equal(got.view(integers), want.view(integers))


@pytest.mark.parametrize("width", [32, 64])
def test_coefficients_are_those_of_the_reference(width):
    """The last bit of a highest coefficient changes so few values that no affordable number of words would tell."""
    for name in ("LOG", "SIN", "COS", "TWO_LN2"):
        ours = np.array(getattr(elementary, f"_{name}_{width}" if name == "TWO_LN2" else f"_{name}{width}"))
        assert ours.dtype == FLOATS[width]
        assert ours.tolist() == getattr(reference, name)[width]


@pytest.mark.parametrize("width", [32, 64])
def test_minus_two_log_has_the_bits_of_the_reference(width):
    words = WORDS[width](6)
    same_bits(run(LOGS[width], width, words), np.array([reference.minus_two_log(w) for w in words], FLOATS[width]))


@pytest.mark.parametrize("width", [32, 64])
def test_cos_sin_have_the_bits_of_the_reference(width):
    words = WORDS[width](7)
    same_bits(
        run(TURNS[width], width, words, columns=2), np.array([reference.cos_sin(w) for w in words], FLOATS[width])
    )


@pytest.mark.parametrize("width", [32, 64])
def test_uniform_has_the_bits_of_the_reference(width):
    words = WORDS[width](8)
    same_bits(
        run(UNIFORMS[width], width, words),
        np.array([reference.standard_uniform(w) for w in words], FLOATS[width]),
    )


# ---- ends of the ranges ----


def test_range_of_minus_two_log():
    """u runs over (0, 1]: the largest word gives exactly zero, the smallest the largest radius."""
    top, bottom = 2**32 - 1, 0
    assert run(LOGS[32], 32, [(top,), (bottom,)]).tolist() == [0.0, float(np.float32(64 * np.log(2)))]
    zero, largest = run(LOGS[64], 64, [(top, top), (bottom, bottom)])
    assert zero == 0
    assert largest == pytest.approx(106 * np.log(2), rel=1e-15)


@pytest.mark.parametrize("width", [32, 64])
def test_quarter_turns_are_exact(width):
    words = [(quarter * 2**30,) + (0,) * (width // 32 - 1) for quarter in range(4)]
    assert run(TURNS[width], width, words, columns=2).tolist() == [[1, 0], [0, 1], [-1, 0], [0, -1]]
