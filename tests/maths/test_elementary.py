"""Random words → ``-2 ln u``, cosine and sine: within a stated error of the exact functions, and the reference's bits.

The exact values come from Python's decimals with 40 digits: its own logarithm and square root, and Taylor series for
cosine and sine on an angle that is reduced exactly. Errors are in ulp of the exact result.
"""

import functools
import itertools
from decimal import Context, Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest

import reference
from maths.lanes import every_way, mapped, same_bits
from numbainit.maths import elementary, laws
from numbainit.maths.elementary import fraction64, signed_fraction64

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


def words32(seed, n=600):
    """(w,) tuples: the edges, small words, words near the top, random ones."""
    rng = np.random.default_rng(seed)
    near = rng.integers(0, 2**10, 100)
    words = np.concatenate([EDGES, near, 2**32 - 1 - near, rng.integers(0, 2**32, n)])
    return [(int(w),) for w in words]


def words64(seed, n=600):
    """(high, low) tuples: all pairs of edges, and random ones."""
    rng = np.random.default_rng(seed)
    return list(itertools.product(EDGES, LOW_EDGES)) + [tuple(pair) for pair in rng.integers(0, 2**32, (n, 2)).tolist()]


WORDS = {32: words32, 64: words64}


LOGS = {32: elementary.minus_two_log32, 64: elementary.minus_two_log64}
TURNS = {32: elementary.cos_sin32, 64: elementary.cos_sin64}
UNIFORMS = {32: laws.uniform32, 64: laws.uniform64}
PAIRS = {32: laws.normal_pair32, 64: laws.normal_pair64}
FLOATS = {32: np.float32, 64: np.float64}
widths = pytest.mark.parametrize("width", [32, 64])


def run(functions, width, *word_lists, lanes):
    """A function's results for lists of word tuples: a column for each."""
    columns = [column_of(words, width) for words in word_lists]
    got = mapped(functions[width], *columns, lanes=lanes)
    return np.stack(got, axis=1) if isinstance(got, tuple) else got


def column_of(words, width):
    """Tuples of words as the function takes them."""
    return np.array([word[0] if width == 32 else word[0] << 32 | word[1] for word in words], f"u{width // 8}")


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


@widths
@every_way
def test_minus_two_log_is_accurate(width, lanes):
    words, bound = WORDS[width](1), 2.0
    got = run(LOGS, width, words, lanes=lanes)
    assert max(map(error, got, exact_logs(width))) < bound


@widths
@every_way
def test_cos_sin_are_accurate(width, lanes):
    words, bound = WORDS[width](2), 2.0
    got = run(TURNS, width, words, lanes=lanes)
    assert max(map(error, got.reshape(-1), exact_turns(width))) < bound


@widths
@every_way
def test_normal_pair_is_accurate(width, lanes):
    radius_words, turn_words, bound = *pair_words(width), 4.5
    got = run(PAIRS, width, radius_words, turn_words, lanes=lanes)
    assert max(map(error, got.reshape(-1), exact_pairs(width))) < bound


@functools.cache
def exact_logs(width):
    with localcontext(DIGITS):
        return [exact_minus_two_log(words) for words in WORDS[width](1)]


@functools.cache
def exact_turns(width):
    with localcontext(DIGITS):
        return [one for words in WORDS[width](2) for one in exact_cos_sin(words)]


def pair_words(width):
    turn_words = WORDS[width](4)
    order = np.random.default_rng(5).permutation(len(turn_words))
    return WORDS[width](3), [turn_words[i] for i in order]


@functools.cache
def exact_pairs(width):
    with localcontext(DIGITS):
        radii = [exact_minus_two_log(words).sqrt() for words in pair_words(width)[0]]
        turns = [exact_cos_sin(words) for words in pair_words(width)[1]]
        return [radius * one for radius, turn in zip(radii, turns, strict=True) for one in turn]


# ---- the reference's bits ----


@widths
def test_coefficients_are_those_of_the_reference(width):
    """The last bit of a highest coefficient changes so few values that no affordable number of words would tell."""
    for name in ("LOG", "SIN", "COS", "TWO_LN2"):
        ours = np.array(getattr(elementary, f"_{name}_{width}" if name == "TWO_LN2" else f"_{name}{width}"))
        assert ours.dtype == FLOATS[width]
        assert ours.tolist() == getattr(reference, name)[width]


@functools.cache
def of_the_reference(function, width, seed):
    return np.array([function(words) for words in WORDS[width](seed)], FLOATS[width])


@widths
@every_way
def test_minus_two_log_has_the_bits_of_the_reference(width, lanes):
    want = of_the_reference(reference.minus_two_log, width, 6)
    same_bits(run(LOGS, width, WORDS[width](6), lanes=lanes), want)


@widths
@every_way
def test_cos_sin_have_the_bits_of_the_reference(width, lanes):
    want = of_the_reference(reference.cos_sin, width, 7)
    same_bits(run(TURNS, width, WORDS[width](7), lanes=lanes), want)


@widths
@every_way
def test_uniform_has_the_bits_of_the_reference(width, lanes):
    want = of_the_reference(reference.standard_uniform, width, 8)
    same_bits(run(UNIFORMS, width, WORDS[width](8), lanes=lanes), want)


# ---- words as fractions: one way for numbers and one for lanes, both exact ----

FRACTION_EDGES = sorted(
    {0, 1, 2**11 - 1, 2**11, 2**11 + 1, 2**31, 2**32 - 2**11, 2**32 - 1, 2**32, 2**32 + 2**11, 2**64 - 1}
    | {2**power + off for power in (43, 53, 54, 62, 63) for off in (-(2**11) - 1, -(2**11), -1, 0, 2**11 - 1, 2**11)}
    | {2**64 - 2**32 - 1, 2**64 - 2**32, 2**64 - 2**12, 2**64 - 2**11 - 1, 2**64 - 2**11}
)


def fraction_words():
    return np.array([*FRACTION_EDGES, *np.random.default_rng(9).integers(0, 2**64, 2000, "u8").tolist()], "u8")


@every_way
def test_fractions_are_exact(lanes):
    words = fraction_words()
    want = np.array([float(Fraction(word >> 11, 2**53)) for word in words.tolist()])
    same_bits(mapped(fraction64, words, lanes=lanes), want)


@every_way
@pytest.mark.parametrize("more", [0, 1])
def test_signed_fractions_are_exact(lanes, more):
    """One half, which one more than the largest makes, may come out with the other sign."""
    words = fraction_words()
    exact = [Fraction((word - (word >> 63 << 64) >> 11) + more, 2**53) for word in words.tolist()]
    got = mapped(lambda word: signed_fraction64(word, more), words, lanes=lanes)
    want = np.array([float(fraction) for fraction in exact])
    half = want == 0.5
    assert set(half) == ({True, False} if more else {False})
    assert np.array_equal(np.abs(got[half]), want[half])
    same_bits(got[~half], want[~half])


# ---- ends of the ranges ----


@every_way
def test_range_of_minus_two_log(lanes):
    """u runs over (0, 1]: the largest word gives exactly zero, the smallest the largest radius."""
    top, bottom = 2**32 - 1, 0
    narrow = run(LOGS, 32, [(top,), (bottom,)], lanes=lanes)
    assert narrow.tolist() == [0.0, float(np.float32(64 * np.log(2)))]
    zero, largest = run(LOGS, 64, [(top, top), (bottom, bottom)], lanes=lanes)
    assert zero == 0
    assert largest == pytest.approx(106 * np.log(2), rel=1e-15)


@widths
@every_way
def test_quarter_turns_are_exact(width, lanes):
    words = [(quarter * 2**30,) + (0,) * (width // 32 - 1) for quarter in range(4)]
    assert run(TURNS, width, words, lanes=lanes).tolist() == [[1, 0], [0, 1], [-1, 0], [0, -1]]


@widths
def test_many_lanes_have_the_bits_of_one(width):
    """On more words than the reference has time for."""
    words = np.random.default_rng(10).integers(0, 2**width, (2, 2**16), f"u{width // 8}")
    functions = (LOGS, words[:1]), (TURNS, words[:1]), (PAIRS, words)
    for table, columns in functions:
        alone, together = (np.stack(mapped(table[width], *columns, lanes=lanes)) for lanes in (1, 32))
        same_bits(together, alone)
