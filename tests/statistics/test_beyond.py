"""The initializers beyond torch → their laws: widths after truncation, maps, signs, matrices of splits and groups."""

import math

import numpy as np
import pytest
from scipy import stats

import budget
import numbainit as init
from cases import thinned

pytestmark = pytest.mark.full

SIZE = 1 << 16
DTYPES = thinned(["f4", "f8", "bfloat16"], ["f4"])


def unrounded(values, dtype, seed=0):
    """Values of a small dtype, spread over the numbers that are rounded to them: their law is then continuous."""
    values = values.astype("f8")
    if np.dtype(dtype).itemsize >= 4:
        return values
    units = 2.0 ** (np.floor(np.log2(abs(values))) - 7)
    return values + units * np.random.default_rng(seed).uniform(-0.5, 0.5, values.shape)


# ---- scaled by fans ----


@pytest.mark.parametrize("dtype", thinned(["f4", "f8"], ["f4"]))
@pytest.mark.parametrize("mode", thinned(["fan_in", "fan_out", "fan_avg", "fan_geo_avg"], ["fan_in", "fan_avg"]))
@pytest.mark.parametrize("distribution", ["truncated_normal", "normal", "uniform"])
def test_variance_scaling(distribution, mode, dtype):
    """The law, and that ``scale / fan`` is its variance, after truncation too."""
    fans = {"fan_in": 9 * 64, "fan_out": 9 * 128, "fan_avg": 9 * 96, "fan_geo_avg": 9 * math.sqrt(64 * 128)}
    std = math.sqrt(0.7 / fans[mode])
    values = init.variance_scaling((128, 64, 3, 3), 0.7, mode, distribution, dtype=dtype, generator=11).ravel()
    before = std / math.sqrt(1 - 4 * stats.norm.pdf(2) / (2 * stats.norm.cdf(2) - 1))  # by the variance of the textbook
    law = {
        "truncated_normal": stats.truncnorm(-2, 2, scale=before),
        "normal": stats.norm(scale=std),
        "uniform": stats.uniform(-math.sqrt(3) * std, 2 * math.sqrt(3) * std),
    }[distribution]
    assert math.isclose(law.std(), std, rel_tol=1e-9)
    budget.ks(law.cdf(values.astype("f8")), f"variance_scaling {mode} {distribution} {dtype}")
    squares = np.square(values.astype("f8") / std)
    error = math.sqrt((law.moment(4) / std**4 - 1) / squares.size)
    budget.z_scores((squares.mean() - 1) / error, f"the variance of variance_scaling {mode} {distribution} {dtype}")


# ---- maps ----


@pytest.mark.parametrize("dtype", DTYPES)
def test_log_uniform(dtype):
    values = unrounded(init.log_uniform(SIZE, 1e-3, 1e-1, dtype=dtype, generator=1), dtype)
    inside = (values > 1.01e-3) & (values < 0.99e-1)
    low, high = math.log(1.01e-3), math.log(0.99e-1)
    budget.ks((np.log(values[inside]) - low) / (high - low), f"log_uniform {dtype}")
    share = (high - low) / math.log(100)
    budget.binomial(inside.sum(), SIZE, share, f"log_uniform {dtype} away from its bounds")


@pytest.mark.parametrize("dtype", DTYPES)
def test_log_of_uniform(dtype):
    values = unrounded(init.log_of_uniform(SIZE, 2, 16, dtype=dtype, generator=2), dtype)
    inside = (values > math.log(2.1)) & (values < math.log(15.5))
    budget.ks((np.exp(values[inside]) - 2.1) / 13.4, f"log_of_uniform {dtype}")
    budget.binomial(inside.sum(), SIZE, 13.4 / 14, f"log_of_uniform {dtype} away from its bounds")


@pytest.mark.parametrize("dtype", thinned(["f4", "f8"], ["f4"]))
def test_time_step_bias(dtype):
    """A log-uniform step, and as many at the floor as would lie below."""
    values = init.time_step_bias(SIZE, 1e-3, 1e-1, 1e-2, dtype=dtype, generator=3)
    at_floor = values == values.min()
    budget.binomial(at_floor.sum(), SIZE, 0.5, f"time_step_bias {dtype} at the floor")
    steps = np.logaddexp(0, values[~at_floor].astype("f8"))
    budget.ks(np.log10(steps) + 2, f"time_step_bias {dtype}")


# ---- signs ----


def test_signs_of_a_randomized_hadamard():
    """As many of each, whatever the neighbour and the draw."""
    generator = init.Generator(4)
    first, second = (init.randomized_hadamard((1, 1 << 14), generator=generator)[0] > 0 for _ in range(2))
    budget.binomial(first.sum(), first.size, 0.5, "positive columns")
    budget.binomial((first[1:] == first[:-1]).sum(), first.size - 1, 0.5, "columns with the sign of their neighbour")
    budget.binomial((first == second).sum(), first.size, 0.5, "columns with the sign that they have in another draw")


# ---- orthogonal matrices ----


def ks_of_corners(corners, size, what):
    """An element of a Haar-distributed matrix: its square is of the law Beta(1/2, (size - 1) / 2), its sign is fair."""
    budget.ks(stats.beta(0.5, (size - 1) / 2).cdf(np.square(corners)), what)
    budget.binomial((corners > 0).sum(), corners.size, 0.5, f"{what}: signs")


@pytest.mark.parametrize(
    ("name", "layout", "shape", "matrices"),
    [
        ("orthogonal_", init.Layout(groups=4000), (16000, 4), lambda w: w.reshape(-1, 4, 4)),
        ("orthogonal_", init.Layout(splits=4000), (16000, 4), lambda w: w.reshape(-1, 4, 4)),
        ("orthogonal_", init.Layout(splits=(4,) * 2000), (8000, 4), lambda w: w.reshape(-1, 4, 4)),
        ("delta_orthogonal_", "EOIX", (4000, 4, 4, 3), lambda w: w[..., 1]),
        ("convolution_orthogonal_", "EOIX", (4000, 4, 4, 1), lambda w: w[..., 0]),
        ("convolution_orthogonal_", "EOIX", (4000, 4, 4, 3), lambda w: w.sum(-1)),  # at frequency 0: O itself
    ],
    ids=["groups", "equal splits", "splits", "delta", "convolution of one place", "convolution"],
)
def test_matrices_are_haars_and_independent(name, layout, shape, matrices):
    made = matrices(getattr(init, name)(np.empty(shape), generator=6, layout=layout))
    for row, column in ((0, 0), (1, 2), (3, 3)):
        ks_of_corners(made[:, row, column], 4, f"{name} {layout!r:.40}, element {row}, {column}")
    products = made[1:].reshape(-1, 16) * made[:-1].reshape(-1, 16) * 4  # of neighbours: mean 0, variance 1
    budget.z_scores(products.sum(axis=0)[[0, 5]] / math.sqrt(len(products)), f"{name} {layout!r:.40}, neighbours")


def test_projections_of_a_convolution_keep_each_direction_by_a_coin():
    """The first of two places is O P: its rank is how many columns of P's basis are kept."""
    kernels = init.convolution_orthogonal((3000, 5, 5, 2), dtype="f8", layout="EOIX", generator=7)
    ranks = np.linalg.matrix_rank(kernels[..., 0], tol=1e-6)
    assert (ranks + np.linalg.matrix_rank(kernels[..., 1], tol=1e-6) == 5).all()
    expected = 3000 * stats.binom(5, 0.5).pmf(np.arange(6))
    budget.chi_square(np.bincount(ranks, minlength=6), expected, "ranks of projections")
