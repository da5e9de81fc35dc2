"""Words and the numbers of a law → its values, with the bits of the reference: each function alone, without a fill."""

import functools
import math

import numpy as np
import pytest

import reference
from maths.lanes import every_way, mapped, same_bits
from numbainit.maths import laws

FLOATS = {32: np.float32, 64: np.float64}
TOP = 2**32 - 1
#: edges: zero, the largest, halves, and what rounds up to one
EDGES = [0, 1, 255, 256, 2**31 - 1, 2**31, 2**31 + 1, TOP - 256, TOP - 128, TOP - 1, TOP]
EACH = 31  # rows for each set of numbers
widths = pytest.mark.parametrize("width", [32, 64])


@functools.cache
def words(seed, width, count):
    """Tuples of words: edges first."""
    rng = np.random.default_rng(seed)
    found = rng.integers(0, 2**32, (count, width // 32))
    few = rng.permutation(EDGES)[:count]
    found[: few.size, 0] = few
    if width == 64:
        found[: few.size, 1] = rng.permutation(EDGES)[:count]
    return [tuple(row) for row in found.tolist()]


def column(tuples):
    """Tuples of words as the functions take them."""
    if len(tuples[0]) == 1:
        return np.array(tuples, "u4")[:, 0].copy()
    return np.array([high << 32 | low for high, low in tuples], "u8")


@every_way
def test_words_are_joined(lanes):
    high, low = np.array(words(1, 64, 200), "u4").T.copy()
    same_bits(mapped(laws.joined, high, low, lanes=lanes), high.astype("u8") << np.uint64(32) | low)


@functools.cache
def uniforms(width):
    """Rows of arguments, and the value of each."""
    rows, want = [], []
    for number, (a, b) in enumerate(reference.PARAMETERS["uniform"]):
        low, spread = reference._float(a, width), reference._float(b - a, width)
        smallest, largest = reference._smallest_at_least(a, width), reference._largest_at_most(b, width)
        if largest == b and a != b:
            largest = reference._neighbour(b, -1, width)
        for word in words(number, width, EACH):
            rows.append((word, low, spread, smallest, largest))
            x = reference.fma(reference.standard_uniform(word), spread, low, width)
            want.append(min(max(x, smallest), largest))
    return rows, np.array(want, FLOATS[width])


@widths
@every_way
def test_uniform_between_its_bounds(width, lanes):
    """Where rounding would leave [a, b) too: some rows lie at either bound."""
    rows, want = uniforms(width)
    given, *numbers = zip(*rows, strict=True)
    function = laws.uniform_between32 if width == 32 else laws.uniform_between64
    columns = [np.array(some, FLOATS[width]) for some in numbers]
    same_bits(mapped(function, column(given), *columns, lanes=lanes), want)
    assert (want == columns[2]).sum() > EACH  # [3, 3), and zeros
    assert (want == columns[3]).sum() > EACH


@functools.cache
def pairs(width):
    want = []
    for radius, angle in zip(words(2, width, 300), words(3, width, 300), strict=True):
        r = reference.sqrt(reference.minus_two_log(radius), width)
        want.append([reference.mul(r, one, width) for one in reference.cos_sin(angle)])
    return np.array(want, FLOATS[width]).T


@widths
@every_way
def test_normal_pairs_have_the_bits_of_the_reference(width, lanes):
    function = laws.normal_pair32 if width == 32 else laws.normal_pair64
    got = mapped(function, column(words(2, width, 300)), column(words(3, width, 300)), lanes=lanes)
    same_bits(np.stack(got), np.ascontiguousarray(pairs(width)))


TAILS = [(8.0, 9.0), (2.0, 100.0), (-40.0, -39.0), (2.0, math.inf), (1.0, 1.5), (0.0, 0.3), (-0.5, 0.5), (-0.1, 2.3)]


@functools.cache
def proposals(width):
    """Rows of arguments of the tail's function, and what the reference proposes: NaN where it rejects."""
    rows, want, kinds = [], [], set()
    for number, (a, b) in enumerate(TAILS):
        how = reference.proposals(0.0, 1.0, a, b, width)
        kinds.add(how.kind)
        exponential, (t1, t0, q1, q0) = (
            how.kind == "exponential",
            (reference._float(x, width) for x in (how.t1, how.t0, how.q1, how.q0)),
        )
        own, others = words(10 + number, width, 3 * EACH), words(30 + number, 32, 3 * EACH)
        # where what is below an acceptance word decides: hardly any limit at all, and hardly any word that is too low
        ends = [(word[: width // 32], (end,)) for word in ((0, 2**11), (39, 0)) for end in (0, TOP)]
        for word, (acceptance,) in [*zip(own, others, strict=True), *ends]:
            raw = reference.minus_two_log(word) if exponential else reference.standard_uniform(word)
            x = reference._float(reference.fma(raw, how.x1, how.base, 64), width)
            t, q = reference.fma(raw, t1, t0, width), reference.fma(raw, q1, q0, width)
            limit = reference.minus_two_log((acceptance,) if width == 32 else (acceptance, TOP))
            rows.append((word, acceptance, exponential, how.x1, how.base, q1, q0, t1, t0))
            want.append(x if limit >= reference.mul(t, q, width) else math.nan)
    assert kinds == {"exponential", "uniform"}
    return rows, np.array(want, FLOATS[width])


@widths
@every_way
def test_tails_propose_what_the_reference_proposes(width, lanes):
    rows, want = proposals(width)
    given, acceptances, exponential, x1, x0, *factors = zip(*rows, strict=True)
    columns = [
        *[column(given), np.array(acceptances, "u4"), np.array(exponential), np.array(x1), np.array(x0)],
        *(np.array(some, FLOATS[width]) for some in factors),
    ]
    got = mapped(laws.tail32 if width == 32 else laws.tail64, *columns, lanes=lanes)
    rejected = np.isnan(want)
    assert 0.05 < rejected.mean() < 0.6
    assert np.array_equal(np.isnan(got), rejected)
    same_bits(got[~rejected], want[~rejected])


@widths
@every_way
def test_clipped(width, lanes):
    kind = FLOATS[width]
    x = kind([-math.inf, -2, -1, -0.5, -0.0, 0.0, 0.5, 1, 2, math.inf])
    got = mapped(lambda x: laws.clipped(x, -1.0, 1.0), x, lanes=lanes)
    same_bits(got, kind([-1, -1, -1, -0.5, -0.0, 0.0, 0.5, 1, 1, 1]))
