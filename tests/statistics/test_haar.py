"""``orthogonal_`` → orthogonal to the dtype's precision, and distributed as Haar's measure says.

Every p-value spends a share of the family-wise false-alarm rate 1e-4 that ``budget`` states for the whole room.

Haar's measure is the one law that no rotation from the left or right changes. A QR factorisation alone misses it, by
the signs of the diagonal of R, and still passes tests of most single entries; the trace, the determinant and the angles
of the eigenvalues tell the two apart. What they should be: an entry, and any bilinear form of unit vectors, has the
square Beta(1/2, (n - 1)/2); the trace has the moments of N(0, 1); for angles see :func:`angle_cdf`.
"""

import math
from functools import cache

import numpy as np
import pytest
from scipy import stats

import budget
import numbainit as init
from cases import thinned

pytestmark = pytest.mark.full

SEED = 20261125
COUNT = 12_000  # small matrices in a sample
SIZES = [2, 3, 4, 5, 8]
SHAPES = [(2, 2), (3, 3), (4, 4), (5, 5), (8, 8), (7, 3), (3, 7)]
LIGHT_SIZES, LIGHT_SHAPES = [2, 3, 4], [(3, 3), (7, 3)]

both_dtypes = pytest.mark.parametrize("dtype", thinned(["float32", "float64"], ["float32"]))
all_sizes = pytest.mark.parametrize("n", thinned(SIZES, LIGHT_SIZES))
all_shapes = pytest.mark.parametrize("shape", thinned(SHAPES, LIGHT_SHAPES), ids="{0[0]}x{0[1]}".format)


@cache
def matrices(shape, dtype, count=COUNT):
    """Many matrices, each of its own draw, as float64."""
    sample = np.empty((count, *shape), dtype)
    generator = init.Generator(SEED).fold_in(f"{shape} {dtype}")
    for matrix in sample:
        init.orthogonal_(matrix, generator=generator)
    sample = sample.astype(np.float64)
    sample.flags.writeable = False
    return sample


def form_cdf(q, n):
    """Of u.Q v with unit vectors u and v, an entry for example: one coordinate on the sphere in n dimensions."""
    return (1.0 + np.sign(q) * stats.beta.cdf(np.minimum(np.square(q), 1.0), 0.5, (n - 1) / 2)) / 2.0


# ---- orthogonality ----


def _assert_orthonormal(matrix, gain, dtype):
    rows, columns = matrix.shape[0], math.prod(matrix.shape[1:])
    flat = matrix.reshape(rows, columns).astype(np.float64)
    product = flat @ flat.T if rows <= columns else flat.T @ flat
    tolerance = 6.0 * np.finfo(dtype).eps * math.sqrt(max(rows, columns))
    assert np.abs(product / gain**2 - np.eye(len(product))).max() <= tolerance


@both_dtypes
@pytest.mark.parametrize(
    "shape",
    [
        *[(1, 1), (1, 9), (9, 1), (2, 2), (20, 20), (64, 64), (65, 65), (200, 200), (301, 17), (17, 301)],
        *[(500, 130), (130, 500), (3, 4, 5), (30, 4, 5), (64, 3, 7, 7), (16, 8, 1, 1), (300, 8, 3, 3), (2, 3, 2, 2, 2)],
    ],
    ids=lambda shape: "x".join(map(str, shape)),
)
@pytest.mark.parametrize("gain", [1.0, math.sqrt(2.0), -0.1])
def test_rows_or_columns_are_orthonormal(shape, gain, dtype):
    """W W^T = gain^2 I where there are fewer rows than columns, W^T W = gain^2 I elsewhere; the rest is flattened."""
    _assert_orthonormal(init.orthogonal_(np.empty(shape, dtype), gain, generator=SEED), gain, dtype)


@both_dtypes
def test_a_gain_of_zero(dtype):
    assert not init.orthogonal_(np.full((4, 5), np.nan, dtype), 0.0, generator=SEED).any()


@pytest.mark.full
@both_dtypes
@all_shapes
def test_all_small_matrices_are_orthonormal(shape, dtype):
    for matrix in matrices(shape, dtype)[:2000]:
        _assert_orthonormal(matrix, 1.0, dtype)


# ---- entries ----


@both_dtypes
@all_shapes
def test_entries(shape, dtype):
    """Each entry against the law of a coordinate on the sphere, by Kolmogorov-Smirnov; its sign against a coin."""
    sample = matrices(shape, dtype)
    for place in np.ndindex(shape):
        budget.ks(form_cdf(sample[(slice(None), *place)], max(shape)), f"entry {place}")
    budget.largest_z_score(np.sign(sample).sum(axis=0) / math.sqrt(COUNT), "signs of entries")


@both_dtypes
@all_shapes
def test_moments_of_entries(shape, dtype):
    """E q = 0, E q^2 = 1/n, E q^4 = 3/(n (n + 2)), each for every entry, with exact standard errors."""
    sample, n = matrices(shape, dtype), max(shape)
    moments = [1.0, 1 / n, 3 / (n * (n + 2)), 15 / (n * (n + 2) * (n + 4))]
    moments.append(moments[3] * 7 / (n + 6))  # of q^0, q^2, q^4, q^6, q^8
    budget.largest_z_score(math.sqrt(COUNT) * sample.mean(axis=0) / math.sqrt(moments[1]), "means")
    for k in (1, 2):
        error = math.sqrt((moments[2 * k] - moments[k] ** 2) / COUNT)
        budget.largest_z_score(((sample ** (2 * k)).mean(axis=0) - moments[k]) / error, f"powers {2 * k}")


@both_dtypes
@all_shapes
def test_products_of_entries(shape, dtype):
    """E q_ij q_kl = 0 for two places, and E q_11 q_22 q_12 q_21 = -1/(n (n - 1) (n + 2)) for four."""
    sample, n = matrices(shape, dtype), max(shape)
    flat = sample.reshape(COUNT, -1)
    correlation = n * np.einsum("mi,mj->ij", flat, flat) / math.sqrt(COUNT)
    i, j = np.triu_indices(flat.shape[1], 1)
    same_line = (i // shape[1] == j // shape[1]) | (i % shape[1] == j % shape[1])
    # E (q_ij q_kl)^2 is 1/(n (n + 2)) on a common row or column, (n + 1)/((n - 1) n (n + 2)) elsewhere
    variance = np.where(same_line, n / (n + 2), n * (n + 1) / ((n - 1) * (n + 2)))
    budget.largest_z_score(correlation[i, j] / np.sqrt(variance), "pairs of entries")
    product = sample[:, 0, 0] * sample[:, 1, 1] * sample[:, 0, 1] * sample[:, 1, 0]
    score = (product.mean() + 1 / (n * (n - 1) * (n + 2))) / product.std() * math.sqrt(COUNT)
    budget.z_scores(score, "two by two")


# ---- invariance ----


@pytest.mark.full
@both_dtypes
@pytest.mark.parametrize("shape", thinned([*SHAPES, (150, 150), (170, 140)], LIGHT_SHAPES), ids="{0[0]}x{0[1]}".format)
def test_no_direction_is_special(shape, dtype):
    """u.Q v for fixed unit vectors u and v has the law of an entry, whatever they are: Q and A Q B have one law.

    The last sizes have more columns than are reflected together in one block.
    """
    sample, rng = matrices(shape, dtype, COUNT if max(shape) < 10 else 500), np.random.default_rng(SEED)
    directions = [[_unit_vector(rng.standard_normal(size)) for size in shape] for _ in range(3)]
    directions.append([_unit_vector(np.ones(size)) for size in shape])  # where a bias of signs adds up
    for number, (u, v) in enumerate(directions):
        form = np.einsum("mij,i,j->m", sample, u, v, optimize=["einsum_path", (0, 2), (0, 1)])
        budget.ks(form_cdf(form, max(shape)), f"form {number}")


def _unit_vector(vector):
    return vector / np.linalg.norm(vector)


@both_dtypes
@pytest.mark.parametrize("column", range(3))
def test_columns_are_uniform_on_the_sphere(column, dtype):
    """In three dimensions: a uniform height (Archimedes) and, independently, a uniform longitude."""
    x, y, z = matrices((3, 3), dtype)[:, :, column].T
    longitude, height = np.arctan2(y, x) / (2 * math.pi) % 1.0, (z + 1.0) / 2.0
    budget.ks(longitude, "longitude")
    budget.ks(np.clip(height, 0.0, 1.0), "height")
    cells = np.minimum((longitude * 8).astype(int) * 8 + np.minimum(height * 8, 7).astype(int), 63)
    budget.chi_square(np.bincount(cells, minlength=64), COUNT / 64, "cells of equal area")


@pytest.mark.full
@both_dtypes
@all_sizes
def test_trace(n, dtype):
    """E tr = 0, E tr^2 = 1 and E tr^4 = 3, as for N(0, 1); E tr(Q^2) = 1."""
    sample = matrices((n, n), dtype)
    trace = np.trace(sample, axis1=1, axis2=2)
    budget.z_scores(math.sqrt(COUNT) * trace.mean(), "trace")
    budget.z_scores(math.sqrt(COUNT / 2.0) * (np.square(trace).mean() - 1.0), "squared trace")
    square = np.einsum("mij,mji->m", sample, sample)
    budget.z_scores(math.sqrt(COUNT) * (square.mean() - 1.0) / square.std(), "trace of the square")


# ---- eigenvalues ----


def _rotations(sample):
    """Which matrices have determinant +1."""
    return np.linalg.det(sample) > 0


@both_dtypes
@all_sizes
def test_determinant_is_a_fair_coin(n, dtype):
    sample = matrices((n, n), dtype)
    assert np.allclose(np.abs(np.linalg.det(sample)), 1.0, atol=100 * np.finfo(dtype).eps)
    budget.binomial(_rotations(sample).sum(), COUNT, 0.5, "rotations")


@both_dtypes
def test_one_by_one_is_a_fair_coin(dtype):
    """Nothing to rotate here: the sign is all the randomness there is, as in the last column of a square matrix."""
    signs = matrices((1, 1), dtype, 4000).ravel()
    assert np.allclose(np.abs(signs), 1.0, rtol=0.0, atol=8 * np.finfo(dtype).eps)
    budget.binomial((signs > 0).sum(), signs.size, 0.5, "plus ones")


def angle_cdf(angle, n, rotation):
    """Of the angle in (0, pi) of one pair of complex eigenvalues, picked at random, of O(n) at a given determinant.

    One-level densities after Weyl (Katz and Sarnak, "Random matrices, Frobenius eigenvalues, and monodromy", 1999):
    the number of pairs times the density is ``(n - 1) / (2 pi) + s sin((n - 1) t) / (2 pi sin t)``, with s = 1 for
    rotations of even n, and s = -1 for reflections of even n, which have +1 and -1 as eigenvalues, and for rotations
    of odd n, which have +1. Reflections of odd n are negatives of rotations.
    """
    if n % 2 and not rotation:
        return 1.0 - angle_cdf(np.pi - angle, n, True)
    sign = 1.0 if rotation and n % 2 == 0 else -1.0
    waves = range(1, (n - 2) // 2 + 1) if n % 2 == 0 else range(1, (n - 1) // 2 + 1)
    if n % 2 == 0:  # sin((n - 1) t) / sin t = 1 + 2 sum cos(2 j t)
        kernel = angle + sum(np.sin(2 * j * angle) / j for j in waves)
    else:  # = 2 sum cos((2 j - 1) t)
        kernel = sum(2 * np.sin((2 * j - 1) * angle) / (2 * j - 1) for j in waves)
    return ((n - 1) * angle + sign * kernel) / (2 * np.pi * _pairs(n, rotation))


def _pairs(n, rotation):
    """How many pairs of complex eigenvalues there are; the others are exactly +1 or -1."""
    return n // 2 if n % 2 or rotation else n // 2 - 1


def _random_angle(sample, rotation):
    """The angle of one random pair of complex eigenvalues of each matrix: independent, as pairs of one matrix repel."""
    count, n = sample.shape[:2]
    angles = np.sort(np.abs(np.angle(np.linalg.eigvals(sample))), axis=1)
    if n % 2 or not rotation:  # drop the real ones: the smallest angle is 0 up to rounding, the largest pi, or both
        low = 1 if rotation or n % 2 == 0 else 0
        high = 1 if not rotation else 0
        assert np.allclose(angles[:, :low], 0.0, atol=1e-4)
        assert np.allclose(angles[:, n - high :], np.pi, atol=1e-4)
        angles = angles[:, low : n - high]
    pairs = angles.reshape(count, _pairs(n, rotation), 2)
    return pairs[np.arange(count), np.random.default_rng(SEED).integers(0, pairs.shape[1], count), 0]


@both_dtypes
@pytest.mark.parametrize("rotation", [True, False], ids=["rotations", "reflections"])
@all_sizes
def test_angles_of_eigenvalues(n, rotation, dtype):
    """At either determinant, from the density of Haar's measure."""
    if _pairs(n, rotation) == 0:
        sample = matrices((n, n), dtype)
        sample = sample[~_rotations(sample)]  # reflections of the plane: twice the angle of the mirror is uniform
        budget.ks(np.arctan2(sample[:, 1, 0], sample[:, 0, 0]) / (2 * np.pi) % 1.0, "mirrors")
        return
    sample = matrices((n, n), dtype)
    angles = _random_angle(sample[_rotations(sample) == rotation], rotation)
    budget.ks(angle_cdf(angles, n, rotation), "angles")


@both_dtypes
@pytest.mark.parametrize("n", thinned([3, 5], [3]))
def test_angles_are_uniform_over_both_determinants(n, dtype):
    """Odd n has the same number of pairs at both, and the two densities average to a constant."""
    sample = matrices((n, n), dtype)
    rotations = _rotations(sample)
    angles = [_random_angle(sample[rotations == rotation], rotation) for rotation in (True, False)]
    budget.ks(np.concatenate(angles) / np.pi, "angles")


@both_dtypes
def test_rotations_of_the_plane(dtype):
    """The angle with its sign, which eigenvalues do not show."""
    sample = matrices((2, 2), dtype)
    sample = sample[_rotations(sample)]
    budget.ks(np.arctan2(sample[:, 1, 0], sample[:, 0, 0]) / (2 * np.pi) % 1.0, "angles")


# ---- one large matrix ----


@both_dtypes
def test_a_large_matrix(dtype):
    """Fourth powers of all entries, signs of all entries, and the trace of one matrix of 512 rows."""
    n = 512
    q = init.orthogonal_(np.empty((n, n), dtype), generator=SEED).astype(np.float64)
    fourth = (n * n * q**4).mean()  # n^2 almost normal entries, whose squares add up to n: Hermite's He_4 is left, 24
    budget.z_scores((fourth - 3 * n / (n + 2)) * n / math.sqrt(24), "fourth powers")
    budget.z_scores(np.sign(q).sum() / n, "signs")
    budget.z_scores(np.trace(q), "trace")
