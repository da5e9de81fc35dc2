"""A shape and a sparsity → every column has its exact number of zeros, at places that are uniformly random.

Every p-value spends a share of the family-wise false-alarm rate 1e-4 that ``budget`` states for the whole room. The law
of the values that stay is tested with the other laws.
"""

import itertools
import math

import numpy as np
import pytest

import budget
import numbainit as init
from cases import thinned

pytestmark = pytest.mark.full

SEED = 20261124

both_dtypes = pytest.mark.parametrize("dtype", thinned(["float32", "float64"], ["float32"]))


def mask(shape, sparsity, *, dtype="float32", generator=SEED):
    """Where ``sparse_`` put its zeros."""
    return init.sparse_(np.empty(shape, dtype), sparsity, 1.0, generator=generator) == 0


# ---- counts ----


SHAPES = [(1, 1), (1, 100), (100, 1), (2, 3), (3, 5000), (5000, 3), (10, 10), (97, 513), (64, 2049), (300, 1200)]
SPARSITIES = [0.0, 1e-300, 1e-9, 0.01, 0.07, 0.1, 0.25, 1 / 3, 0.5, 0.9, 0.99, 1 - 2**-53, 1.0]


@both_dtypes
@pytest.mark.parametrize("sparsity", SPARSITIES, ids="{:.17g}".format)
@pytest.mark.parametrize("shape", SHAPES, ids="x".join(["{0[0]}", "{0[1]}"]).format)
def test_every_column_has_its_count(shape, sparsity, dtype):
    """``ceil(sparsity rows)`` as torch computes it: the product rounded to float64 first, so 0.07 of 100 are 8."""
    zeros = mask(shape, sparsity, dtype=dtype).sum(axis=0)
    assert (zeros == math.ceil(sparsity * shape[0])).all()


@pytest.mark.parametrize(
    ("rows", "sparsity", "zeros"),
    [
        (10, 0.1, 1),
        (10, 0.11, 2),
        (10, 0.19, 2),
        (10, 0.2, 2),
        (100, 0.07, 8),
        (3, 2 / 3, 2),
        (7, 1e-12, 1),
        (7, 0.99, 7),
    ],
)
def test_count_is_rounded_up(rows, sparsity, zeros):
    assert (mask((rows, 40), sparsity).sum(axis=0) == zeros).all()


@pytest.mark.parametrize("order", ["C", "F"])
def test_count_is_exact_in_a_large_matrix(order):
    """More columns than a strip, on all threads; the mask does not depend on memory order or width."""
    narrow, wide = np.empty((257, 4099), "float32", order=order), np.empty((257, 4099), "float64")
    init.sparse_(narrow, 0.3, generator=SEED)
    init.sparse_(wide, 0.3, generator=SEED)
    assert ((narrow == 0).sum(axis=0) == math.ceil(0.3 * 257)).all()
    assert np.array_equal(narrow == 0, wide == 0)


# ---- places in a column ----


@pytest.mark.parametrize("zeros", range(1, 9))
def test_every_set_of_rows_is_equally_likely(zeros):
    """All ``9 choose zeros`` sets of rows, counted over many columns."""
    rows, columns = 9, 1 << 17
    sets = (1 << np.arange(rows)) @ mask((rows, columns), zeros / rows - 0.01)
    possible = [sum(1 << row for row in rows_) for rows_ in itertools.combinations(range(rows), zeros)]
    counts = np.bincount(sets, minlength=1 << rows)
    assert counts[possible].sum() == columns
    budget.chi_square(counts[possible], columns / len(possible), f"sets of {zeros} rows")


@pytest.mark.parametrize(
    ("shape", "sparsity"),
    [((16, 1 << 18), 0.5), ((100, 1 << 16), 0.05), ((1000, 5000), 0.1), ((1 << 14, 512), 0.5), ((1 << 17, 64), 0.9)],
    ids=str,
)
def test_rows_have_equal_shares(shape, sparsity):
    """Zeros of a row over all columns: of equal mean, and slightly negatively correlated as the counts are fixed.

    Rows are taken in groups where a tall matrix has few columns, so that the normal approximation holds.
    """
    rows, columns = shape
    group = max(1, rows // 1024)
    counts = mask(shape, sparsity).reshape(rows // group, group, columns).sum(axis=(1, 2))
    share = math.ceil(sparsity * rows) / rows
    variance = columns * group * share * (1 - share) * (rows - group) / (rows - 1)  # hypergeometric, column by column
    groups = rows // group
    squares = np.square(counts - columns * group * share).sum() / variance
    budget.chi_square_statistic(squares * (groups - 1) / groups, groups - 1, "zeros of the rows")


def _row_pairs(zeros, distance):
    """z-scores of the number of columns where rows r and r + distance are both zero, for all r."""
    rows, columns = zeros.shape
    count = int(zeros[:, 0].sum())
    probability = count * (count - 1) / (rows * (rows - 1))
    both = (zeros[:-distance] & zeros[distance:]).sum(axis=1)
    return (both - columns * probability) / math.sqrt(columns * probability * (1 - probability))


@pytest.mark.parametrize("sparsity", [0.1, 0.5, 0.8])
@pytest.mark.parametrize("distance", [1, 2, 4, 32])
def test_pairs_of_rows(distance, sparsity):
    """Adjacent rows, and rows whose words lie at the same place of their blocks."""
    budget.largest_z_score(_row_pairs(mask((64, 1 << 17), sparsity), distance), f"pairs of rows {distance} apart")


@pytest.mark.parametrize("sparsity", [0.1, 0.5, 0.8])
def test_adjacent_pairs_have_their_four_probabilities(sparsity):
    """Chi-square of (zero, zero), (zero, kept), (kept, zero), (kept, kept) for some adjacent rows."""
    rows, columns = 64, 1 << 17
    zeros = mask((rows, columns), sparsity, generator=SEED + 1)
    count = math.ceil(sparsity * rows)
    ways = [(rows - count) * (rows - count - 1), (rows - count) * count, count * (rows - count), count * (count - 1)]
    expected = columns * np.array(ways) / (rows * (rows - 1))
    for row in (0, 1, 31, 62):
        observed = np.bincount(2 * zeros[row] + zeros[row + 1], minlength=4)
        budget.chi_square(observed, expected, f"rows {row} and {row + 1}")


# ---- columns, values, other matrices ----


def _overlaps(zeros, others):
    """The z-score of the number of rows at which columns agree to be zero, summed over columns: hypergeometric."""
    rows, columns = zeros.shape
    count = int(zeros[:, 0].sum())
    mean = count**2 / rows
    variance = count**2 * (rows - count) ** 2 / (rows**2 * (rows - 1))
    return ((zeros & others).sum() - columns * mean) / math.sqrt(columns * variance)


@pytest.mark.parametrize("shape", [(64, 1 << 16), (1000, 4100), (1 << 14, 600)], ids=str)
@pytest.mark.parametrize("sparsity", [0.1, 0.5])
def test_columns_are_independent(shape, sparsity):
    """Neighbours, columns of the same place in a block, in a cache line, and in a strip of 512."""
    zeros = mask(shape, sparsity)
    z = [_overlaps(zeros[:, :-lag], zeros[:, lag:]) for lag in (1, 2, 3, 4, 8, 16, 512)]
    budget.z_scores(z, "columns")


def test_successive_matrices_are_independent():
    generator = init.Generator(SEED)
    first, second = (mask((100, 1 << 15), 0.3, generator=generator) for _ in range(2))
    other = mask((100, 1 << 15), 0.3, generator=init.Generator(SEED + 1))
    child = mask((100, 1 << 15), 0.3, generator=init.Generator(SEED).fold_in("layer.0.weight"))
    pairs = itertools.combinations((first, second, other, child), 2)
    budget.z_scores([_overlaps(*pair) for pair in pairs], "matrices")


@both_dtypes
@pytest.mark.parametrize("sparsity", [0.1, 0.5])
def test_places_do_not_depend_on_values(sparsity, dtype):
    """The values that would stand at the zeros are those of normal_, and they are N(0, 1) like all others.

    The same for the neighbours in memory of the zeros, which share a block with them.
    """
    shape = (1024, 1024)
    zeros = mask(shape, sparsity, dtype=dtype)
    values = init.normal_(np.empty(shape, dtype), generator=SEED).astype(np.float64)
    kept = init.sparse_(np.empty(shape, dtype), sparsity, 1.0, generator=SEED)
    assert np.array_equal(kept, np.where(zeros, 0, values))
    for shift in range(-4, 5):
        near = np.roll(values, shift, axis=1)[zeros]
        scores = [near.sum(), np.square(near).sum() - near.size] / np.sqrt([near.size, 2 * near.size])
        budget.z_scores(scores, f"values {shift} places from the zeros")
