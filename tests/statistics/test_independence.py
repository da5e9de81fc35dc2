"""One stream, or several that a user would take to be independent → no dependence between their values.

Every p-value spends a share of the family-wise false-alarm rate 1e-4 that ``budget`` states for the whole room.

Within a stream: serial correlations (of values and of squares, so that a dependence of sizes shows too), at all lags by
the periodogram, the two elements that share a Box-Muller pair, the two pairs that share a block, single bits against
single bits. Across streams: successive draws, neighbouring seeds, neighbouring names, spawned children, and keys that
differ in one bit or in the order of their words. All of these are functions of one key schedule and one counter, so
this is where a slip in either would show.

Sums of products go through ``einsum`` and counts of bits, not through BLAS, whose threads fight over shared cores.
"""

import itertools

import numpy as np
import pytest
from scipy import fft, special, stats

import budget
import numbainit as init
from cases import thinned

pytestmark = pytest.mark.full

SEED = 20261123
N = 1 << 22
STREAMS = 16
LENGTH = 1 << 18  # of each of the streams that are compared with each other
LAGS = [*range(1, 9), 16, 63, 64, 1024, 4095, 4096, 4097, 8192]  # in a block, across blocks, SIMD lanes, chunks


def unit(values):
    """Shifted and scaled to mean 0 and variance 1, in float64."""
    values = np.asarray(values, np.float64)
    return (values - values.mean()) / values.std()


def square_bins(first, second, bits=6):
    """Counts of pairs in [0, 1)^2 over a grid of 2^bits by 2^bits cells."""
    side = 1 << bits
    columns = np.minimum(np.asarray(first) * side, side - 1).astype(np.int64)
    rows = np.minimum(np.asarray(second) * side, side - 1).astype(np.int64)
    return np.bincount(columns * side + rows, minlength=side * side)


def products(rows, others):
    """The inner product of every row of one matrix with every row of another."""
    return np.einsum("ik,jk->ij", rows, others)


def bit_correlations(words, others):
    """z-scores of every bit position of ``words`` against every one of ``others``, from counts of unequal bits."""
    count = words.size // 64 * 64
    first, second = _by_position(words[:count]), _by_position(others[:count])
    unequal = np.array([np.bitwise_count(row ^ second).sum(axis=1, dtype=np.int64) for row in first])
    return (count - 2.0 * unequal) / np.sqrt(count)


def _by_position(words):
    """Row p holds bit p of all words, 64 to a number."""
    bits = [np.packbits((words >> words.dtype.type(p) & words.dtype.type(1)).astype(bool)) for p in range(32)]
    return np.array(bits).view(np.uint64)


def bit_balance(words):
    """z-scores of the number of ones at each position."""
    ones = [np.count_nonzero(words >> words.dtype.type(p) & words.dtype.type(1)) for p in range(8 * words.itemsize)]
    return (2.0 * np.array(ones) - words.size) / np.sqrt(words.size)


# ---- one stream: serial correlation ----


SERIES = {
    "uniform": lambda array: init.uniform_(array, generator=SEED),
    "normal": lambda array: init.normal_(array, generator=SEED),
    "trunc_normal": lambda array: init.trunc_normal_(array, generator=SEED),
    "redrawn-often": lambda array: init.trunc_normal_(array, a=-0.2, b=5.0, generator=SEED),
    "tail": lambda array: init.trunc_normal_(array, a=2.0, b=9.0, generator=SEED),
    "narrow": lambda array: init.trunc_normal_(array, a=-0.5, b=0.25, generator=SEED),
}
all_series = pytest.mark.parametrize("series", thinned(SERIES, ["normal", "redrawn-often"]))
both_dtypes = pytest.mark.parametrize("dtype", thinned(["float32", "float64"], ["float32"]))


@both_dtypes
@all_series
def test_serial_correlation(series, dtype):
    values = unit(SERIES[series](np.empty(N, dtype)))
    squares = unit(np.square(values))
    for first, second, what in [
        (values, values, "values"),
        (squares, squares, "squares"),
        (values, squares, "values and squares"),
    ]:
        z = [np.einsum("i,i", first[:-lag], second[lag:]) / np.sqrt(N - lag) for lag in LAGS]
        budget.many_z_scores(z, f"lags of {what}")


@both_dtypes
@all_series
def test_correlation_at_every_lag(series, dtype):
    """Periodogram: white noise has independent exponential ordinates; its transform has all lags at once."""
    size = 1 << 20
    values = unit(SERIES[series](np.empty(size, dtype)))
    for noise, what in [(values, "values"), (unit(np.square(values)), "squares")]:
        power = np.square(np.abs(fft.rfft(noise))) / size
        budget.ks(-np.expm1(-power[1:-1]), f"periodogram of {what}")
        lags = fft.irfft(power)[1 : size // 2] * np.sqrt(size)
        budget.largest_z_score(lags, f"lags of {what}")


@both_dtypes
def test_triples_of_uniforms_fill_the_cube(dtype):
    """Chi-square of (u[i], u[i+1], u[i+2]), overlapping no triple with the next, from every place of a block."""
    uniforms = init.uniform_(np.empty(3 * N // 2, dtype), generator=SEED).reshape(-1, 3)
    codes = (uniforms * 32).astype(np.int64) @ [1024, 32, 1]
    budget.chi_square(np.bincount(codes, minlength=32**3), codes.size / 32**3, "triples")


# ---- one stream: inside a block ----


@both_dtypes
@pytest.mark.parametrize("pair", thinned(itertools.combinations(range(4), 2), [(0, 1), (1, 2)]), ids=str)
def test_normals_of_a_block_are_independent(pair, dtype):
    """Elements 0 and 1 share their two words, as do 2 and 3; the other pairs share nothing but the block."""
    blocks = special.ndtr(init.normal_(np.empty((N // 2, 4), dtype), generator=SEED)[:, pair].astype(np.float64))
    counts = square_bins(*blocks.T)
    budget.chi_square(counts, len(blocks) / counts.size, f"elements {pair}")


@pytest.mark.full
@both_dtypes
@pytest.mark.parametrize("place", [0, 2])
def test_box_muller_is_isotropic(place, dtype):
    """The angle of a pair is uniform, its radius exponential, and they are independent, far out too."""
    x, y = init.normal_(np.empty((N // 2, 4), dtype), generator=SEED)[:, place : place + 2].T.astype(np.float64)
    angle = np.arctan2(y, x) / (2.0 * np.pi) % 1.0
    outside = np.exp(-(x * x + y * y) / 2.0)  # the probability to lie further out
    budget.ks(angle, "angle")
    budget.ks(outside, "radius")
    counts = square_bins(angle, outside)
    budget.chi_square(counts, angle.size / counts.size, "angle and radius")
    far = outside < 1e-3
    octants = np.bincount((angle[far] * 16).astype(np.int64), minlength=16)
    budget.chi_square(octants, far.sum() / 16, "angles beyond 3.7 sigma")


# ---- one stream: bits ----


@pytest.mark.parametrize("dtype", thinned(["uint32", "uint64"], ["uint64"]))
def test_bits_are_balanced(dtype):
    """Each position by itself, and the number of ones in a word against the binomial law."""
    words = init.bits_(np.empty(N // 2, dtype), generator=SEED)
    budget.many_z_scores(bit_balance(words), "positions")
    law = stats.binom(8 * words.itemsize, 0.5)
    low = int(law.ppf(20 / words.size))  # rarer counts join this one, at either end
    high = 8 * words.itemsize - low
    ones = np.bincount(np.clip(np.bitwise_count(words), low, high) - low)
    expected = law.pmf(np.arange(low, high + 1))
    expected[0] = expected[-1] = law.cdf(low)
    budget.chi_square(ones, words.size * expected, "ones in a word")


BIT_PAIRS = {
    "same-word": lambda words, low: (words, words),
    "next-word": lambda words, low: (words[:-1], words[1:]),
    "next-block": lambda words, low: (words[:-4], words[4:]),
    "next-chunk": lambda words, low: (words[:-4096], words[4096:]),
    "low-words-of-64-bits": lambda words, low: (words, low),
    "next-low-word": lambda words, low: (words[:-1], low[1:]),
}


@pytest.mark.parametrize("pair", BIT_PAIRS)
def test_no_bit_depends_on_another(pair):
    """All 32 by 32 correlations of single bits."""
    both = init.bits_(np.empty(1 << 19, "uint64"), generator=SEED + 1)
    high, low = (both >> np.uint64(32)).astype(np.uint32), both.astype(np.uint32)
    first, second = BIT_PAIRS[pair](high, low)
    z = bit_correlations(first, second)
    budget.many_z_scores(z[np.triu_indices(32, 1)] if pair == "same-word" else z, pair)


def test_words_are_those_of_the_laws():
    """What the tests of words say holds for the laws: a uniform is the top of its word, or of its two words."""
    words = init.bits_(np.empty(4099, "uint64"), generator=SEED)
    assert np.array_equal(init.bits_(np.empty(4099, "uint32"), generator=SEED), words >> np.uint64(32))
    narrow = init.uniform_(np.empty(4099, "float32"), generator=SEED).astype(np.float64)
    wide = init.uniform_(np.empty(4099, "float64"), generator=SEED)
    assert np.array_equal(narrow * 2.0**24, (words >> np.uint64(40)).astype(np.float64))
    assert np.array_equal(wide * 2.0**53, (words >> np.uint64(11)).astype(np.float64))


@pytest.mark.full
def test_low_words_of_float64():
    """The bits of a float64 uniform that a float32 does not have are as good, and independent of the others."""
    uniforms = init.uniform_(np.empty(N, "float64"), generator=SEED)
    rest = uniforms * 2.0**24 % 1.0
    budget.ks(rest, "bits from 25 on")
    budget.ks(uniforms * 2.0**40 % 1.0, "bits from 41 on")
    counts = square_bins(uniforms, rest)
    budget.chi_square(counts, N / counts.size, "first and later bits")


# ---- many streams ----


def _spawned(depth):
    """The first children, then the first children of the first child of the first child."""
    generator = init.Generator(SEED)
    for _ in range(depth - 1):
        (generator,) = generator.spawn(1)
    return generator.spawn(STREAMS)


def _parts(template):
    return [init.Generator(SEED).fold_in(template.format(i)) for i in range(STREAMS)]


_LAYER = [
    f"{part}.{kind}" for part in ("q", "k", "v", "o", "up", "down", "ln_1", "ln_2") for kind in ("weight", "bias")
]
FAMILIES = {
    "draws": lambda: [init.Generator(SEED, draws=d) for d in range(STREAMS)],
    "late-draws": lambda: [init.Generator(SEED, draws=2**32 - STREAMS + d) for d in range(STREAMS)],
    "powers-of-draws": lambda: [init.Generator(SEED, draws=1 << d) for d in range(STREAMS)],
    "seeds": lambda: [init.Generator(SEED + i) for i in range(STREAMS)],
    "small-seeds": lambda: [init.Generator(i) for i in range(STREAMS)],
    "seeds-of-several-words": lambda: [init.Generator([SEED, i]) for i in range(STREAMS)],
    "layers": lambda: _parts("layer.{}.weight"),
    "long-names": lambda: _parts("transformer.encoder.layers.{}.self_attention.query_key_value.weight"),
    "parts-of-a-layer": lambda: [init.Generator(SEED).fold_in(f"layer.0.{name}") for name in _LAYER],
    "numbers-and-their-names": lambda: [
        init.Generator(SEED).fold_in(name) for i in range(STREAMS // 2) for name in (i, str(i))
    ],
    "same-name-of-neighbouring-seeds": lambda: [init.Generator(SEED + i).fold_in("weight") for i in range(STREAMS)],
    "children": lambda: _spawned(1),
    "grandchildren": lambda: _spawned(3),
    "line-of-descent": lambda: list(
        itertools.accumulate(range(STREAMS - 1), lambda g, _: g.spawn(1)[0], initial=init.Generator(SEED))
    ),
    "first-key-word": lambda: [init.Generator.from_key(i, 0) for i in range(STREAMS)],
    "second-key-word": lambda: [init.Generator.from_key(0, i) for i in range(STREAMS)],
    "bits-of-the-key": lambda: [init.Generator.from_key(1 << 2 * i, 0) for i in range(STREAMS)],
    "key-words-swapped": lambda: [
        init.Generator.from_key(*key) for i in range(STREAMS // 2) for key in ((1, 2**31 + i), (2**31 + i, 1))
    ],
    "weyl-increments": lambda: [  # keys that meet in the schedule, one round apart
        init.Generator.from_key(i * 0x9E3779B9 % 2**32, i * 0xBB67AE85 % 2**32) for i in range(STREAMS)
    ],
    "key-equals-draw": lambda: [
        init.Generator.from_key(*key, draws=d) for d in range(STREAMS // 2) for key in ((d, 0), (0, d + 1))
    ],
}
all_families = pytest.mark.parametrize("family", thinned(FAMILIES, ["draws", "small-seeds", "layers"]))
PAIRS = np.triu_indices(STREAMS, 1)


def _streams(family, dtype):
    """The streams of a family as the rows of a matrix: words for an integer dtype, else standard normals."""
    rows = np.empty((STREAMS, LENGTH), dtype)
    fill = init.normal_ if rows.dtype.kind == "f" else init.bits_
    for row, generator in zip(rows, FAMILIES[family](), strict=True):
        fill(row, generator=generator)
    return rows


@all_families
def test_streams_are_uncorrelated(family):
    """Every two streams of a family, element against the same element: normals and their squares."""
    rows = _streams(family, "float64")
    squares = (np.square(rows) - 1.0) / np.sqrt(2.0)
    for first, second, what in [
        (rows, rows, "normals"),
        (squares, squares, "squares"),
        (rows, squares, "normals and squares"),
    ]:
        budget.many_z_scores(products(first, second)[PAIRS] / np.sqrt(LENGTH), what)


@all_families
def test_streams_differ_in_half_of_their_bits(family):
    """Hamming distance of every two streams, whole and by the position of the bit for neighbours."""
    words = _streams(family, "uint32")
    distances = [np.bitwise_count(words[i] ^ words[j]).sum(dtype=np.int64) for i, j in zip(*PAIRS, strict=True)]
    bits = 32 * LENGTH
    budget.many_z_scores((2.0 * np.array(distances) - bits) / np.sqrt(bits), "Hamming distances")
    budget.many_z_scores(bit_correlations(words[0], words[1]), "bits of the first two")


@all_families
def test_neighbours_share_no_stretch(family):
    """Cross-correlation of the first two streams at every lag, so that one may not be the other, shifted."""
    words = _streams(family, "uint32")[:2]
    first, second = (fft.rfft(unit(row)) for row in words)
    budget.largest_z_score(fft.irfft(first * second.conj()) / np.sqrt(LENGTH), "lags")
    counts = square_bins(*(words / 2.0**32))
    budget.chi_square(counts, LENGTH / counts.size, "pairs of the first two")


@pytest.mark.parametrize("family", thinned(["draws", "seeds", "layers", "children"], ["draws"]))
def test_truncated_normals_of_neighbours(family):
    """Rejection steps through attempts in the counter's last word, beside the draw: they must not meet."""
    rows = np.empty((STREAMS, LENGTH), "float32")
    for row, generator in zip(rows, FAMILIES[family](), strict=True):
        init.trunc_normal_(row, a=-0.3, b=4.0, generator=generator)
    rows = np.array([unit(row) for row in rows])
    budget.many_z_scores(products(rows, rows)[PAIRS] / np.sqrt(LENGTH), "values")
    sizes = np.array([unit(np.abs(row)) for row in rows])
    budget.many_z_scores(products(sizes, sizes)[PAIRS] / np.sqrt(LENGTH), "sizes")


def test_thousand_layers_have_thousand_keys():
    """... and so have their children: no two generators of a large model coincide, nor do keys favour a bit."""
    root = init.Generator(SEED)
    keys = [root.fold_in(f"model.layers.{i}.mlp.weight").key for i in range(20_000)]
    keys += [child.key for child in root.spawn(20_000)]
    keys += [init.Generator(i).key for i in range(5_000)]
    assert len(set(keys)) == len(keys)
    words = np.array(keys, np.uint32)
    for column, what in zip(words.T, ("first key word", "second key word"), strict=True):
        budget.many_z_scores(bit_balance(column), what)
