"""A law, its parameters and a dtype → the values follow it: Kolmogorov-Smirnov, moments, tails, bounds and grids.

Every p-value spends a share of the family-wise false-alarm rate 1e-4 that ``budget`` states for the whole room.

A float32 stands for a cell of the real line, half a unit in the last place to either side. Values are therefore spread
over their cells with an independent uniform before they meet a continuous law. Under that law, rounded, this is exact
however coarse the grid is; a float64 needs no spreading. What is left is the grid of the random words themselves,
2^-24 for a float32 uniform, which is 1/16,000 of what n = 2^20 can resolve.

Truncated normals are compared with a distribution function of our own in log space, because ``scipy.stats.truncnorm``
loses digits far in a tail; it is itself compared with the integral of the density.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from scipy import special, stats

import budget
import numbainit as init
from cases import thinned

SEED = 20261122
N = 1 << 20
MATRIX = (1100, 960)  # no square and no powers of two; the kernels below have at least N elements too
KERNEL = (600, 200, 3, 3)
INF = math.inf
NODES = 20  # of the quadrature, in each panel

both_dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


# ---- exact laws ----


@dataclass(frozen=True)
class Truncated:
    """N(mean, std^2) given that the value lies in [low, high]; the normal law itself where both are infinite."""

    mean: float
    std: float
    low: float = -INF
    high: float = INF

    @property
    def z_bounds(self):
        return (self.low - self.mean) / self.std, (self.high - self.mean) / self.std

    def cdf(self, x):
        alpha, beta = self.z_bounds
        z = (np.asarray(x, np.float64) - self.mean) / self.std
        if beta <= 0.0:
            return 1.0 - _upper_cdf(-z, -beta, -alpha)
        if alpha >= 0.0:
            return _upper_cdf(z, alpha, beta)
        base = special.ndtr(alpha)
        return (special.ndtr(z) - base) / (special.ndtr(beta) - base)

    def nodes(self):
        """Places in units of std before truncation, and their probabilities: composite Gauss-Legendre quadrature."""
        alpha, beta = self.z_bounds
        mode = min(max(0.0, alpha), beta)
        reach = math.sqrt(mode * mode + 180.0) - abs(mode)  # further out the density is below exp(-90) of its largest
        z, weights = _gauss_legendre(max(alpha, mode - reach), min(beta, mode + reach))
        weights = weights * np.exp(-(z - mode) * (z + mode) / 2.0)
        return z, weights / weights.sum()


def _upper_cdf(z, alpha, beta):
    """Of a standard normal on [alpha, beta], alpha >= 0: everything relative to the upper tail at alpha."""
    tail = special.log_ndtr(-alpha)
    return np.expm1(special.log_ndtr(-z) - tail) / np.expm1(special.log_ndtr(-beta) - tail)


@dataclass(frozen=True)
class Uniform:
    """The uniform law on [low, high)."""

    low: float
    high: float
    mean, std = 0.0, 1.0  # of no use here: moments are those of the values

    def cdf(self, x):
        return stats.uniform.cdf(x, self.low, self.high - self.low)

    def nodes(self):
        z, weights = _gauss_legendre(self.low, self.high)
        return z, weights / weights.sum()


def _gauss_legendre(low, high, panels=200):
    x, w = np.polynomial.legendre.leggauss(NODES)
    edges = np.linspace(low, high, panels + 1)
    half = np.diff(edges) / 2.0
    return (edges[:-1, None] + half[:, None] * (1.0 + x)).ravel(), (half[:, None] * w).ravel()


# ---- cases ----


@dataclass(frozen=True)
class Case:
    """A filling function with its arguments, the shape of its array, and the law its values must follow."""

    name: str
    fill: Callable
    arguments: dict
    law: Truncated | Uniform
    shape: tuple = (N,)

    def sample(self, dtype):
        array = np.empty(self.shape, dtype)
        self.fill(array, **self.arguments, generator=init.Generator(SEED).fold_in(f"{self.name}-{dtype}"))
        return array.ravel()


def _truncated(name, mean, std, a, b):
    arguments = {"mean": mean, "std": std, "a": a, "b": b}
    return Case(name, init.trunc_normal_, arguments, Truncated(mean, std, a, b))


PLAIN = [
    *(
        Case(f"uniform({a:g},{b:g})", init.uniform_, {"a": a, "b": b}, Uniform(a, b))
        for a, b in [(0.0, 1.0), (-1.0, 1.0), (-0.02, 0.03), (1.0, 2.0), (0.1, 0.3), (-1e30, 1e30), (1e-40, 3e-30)]
    ),
    *(
        Case(f"normal({mean:g},{std:g})", init.normal_, {"mean": mean, "std": std}, Truncated(mean, std))
        for mean, std in [(0.0, 1.0), (0.0, 0.02), (-3.0, 2.5), (1000.0, 1.0), (0.0, 1e-30), (1e6, 1e9)]
    ),
]
TRUNCATED = [
    _truncated("default", 0.0, 1.0, -2.0, 2.0),
    _truncated("asymmetric", 0.5, 2.0, -1.5, 6.0),
    _truncated("timm", 0.0, 0.02, -0.04, 0.04),
    _truncated("upper-tail", 0.0, 1.0, 8.0, 9.0),
    _truncated("far-lower-tail", 0.0, 1.0, -40.0, -39.0),
    _truncated("narrow", 0.0, 1.0, 1e-3, 1.001e-3),
    _truncated("wide-tail", 0.0, 1.0, 2.0, 100.0),
    _truncated("wide-lower-tail", 0.0, 1.0, -100.0, -2.0),
    _truncated("from-minus-1", 0.0, 1.0, -1.0, INF),
    _truncated("up-to-1", 0.0, 1.0, -INF, 1.0),
    _truncated("from-3", 0.0, 1.0, 3.0, INF),
    _truncated("up-to-minus-3", 0.0, 1.0, -INF, -3.0),
    _truncated("half-normal", 0.0, 1.0, 0.0, INF),
    _truncated("lower-half-normal", 0.0, 1.0, -INF, 0.0),
    _truncated("untruncated", 0.0, 1.0, -INF, INF),
    _truncated("small-std", 0.0, 1e-3, -2.0, 2.0),
    _truncated("mean-above", 5.0, 1.0, -2.0, 2.0),
    _truncated("mean-below", -5.0, 1.0, -2.0, 2.0),
    _truncated("mean-far-above", 100.0, 1.0, -2.0, 2.0),
    _truncated("mean-at-bound", 1.0, 0.5, -1.0, 1.0),
    _truncated("narrow-around-mean", 0.0, 1.0, -1e-3, 1e-3),
    _truncated("around-mean", 0.0, 1.0, -0.5, 0.25),
    _truncated("below-sqrt-2-pi", 0.0, 1.0, -1.2532, 1.2532),
    _truncated("above-sqrt-2-pi", 0.0, 1.0, -1.2534, 1.2534),
    _truncated("lopsided-below-sqrt-2-pi", 0.0, 1.0, -0.01, 2.49),
    _truncated("lopsided-above-sqrt-2-pi", 0.0, 1.0, -0.01, 2.51),
    _truncated("tail-uniform", 0.0, 1.0, 2.0, 2.414),  # either side of lam (b - a) = 1
    _truncated("tail-exponential", 0.0, 1.0, 2.0, 2.415),
    _truncated("near-tail-uniform", 0.0, 1.0, 0.1, 0.9),
    _truncated("near-lower-tail", 0.0, 1.0, -2.0, -0.1),
    _truncated("offset", 1000.0, 1.0, 998.5, 1003.0),
    _truncated("offset-tail", 1000.0, 1.0, 1002.0, 1010.0),
    _truncated("huge", 0.0, 1e30, -1e30, 3e30),
    _truncated("tiny", 0.0, 1e-30, 2e-30, 5e-30),
]


def _fan(shape, mode):
    receptive = math.prod(shape[2:])
    return {"fan_in": shape[1], "fan_out": shape[0]}[mode] * receptive


def _symmetric(std):
    return Uniform(-math.sqrt(3.0) * std, math.sqrt(3.0) * std)


def _xavier():
    for shape in (MATRIX, KERNEL):
        for gain in (1.0, 5.0 / 3.0):
            std = gain * math.sqrt(2.0 / (_fan(shape, "fan_in") + _fan(shape, "fan_out")))
            name = f"{len(shape)}d-gain-{gain:.2f}"
            yield Case(f"xavier_uniform-{name}", init.xavier_uniform_, {"gain": gain}, _symmetric(std), shape)
            yield Case(f"xavier_normal-{name}", init.xavier_normal_, {"gain": gain}, Truncated(0.0, std), shape)


_GAINS = {
    "linear": (0.0, 1.0),
    "conv2d": (0.0, 1.0),
    "sigmoid": (0.0, 1.0),
    "tanh": (0.0, 5.0 / 3.0),
    "relu": (0.0, math.sqrt(2.0)),
    "leaky_relu": (0.3, math.sqrt(2.0 / 1.09)),
    "selu": (0.0, 0.75),
}


def _kaiming():
    for number, (nonlinearity, (slope, gain)) in enumerate(_GAINS.items()):
        for mode in ("fan_in", "fan_out"):
            shape = (KERNEL, MATRIX)[number % 2]
            std = gain / math.sqrt(_fan(shape, mode))
            arguments = {"a": slope, "mode": mode, "nonlinearity": nonlinearity}
            name = f"{nonlinearity}-{mode}"
            yield Case(f"kaiming_uniform-{name}", init.kaiming_uniform_, arguments, _symmetric(std), shape)
            yield Case(f"kaiming_normal-{name}", init.kaiming_normal_, arguments, Truncated(0.0, std), shape)


CASES = [*PLAIN, *TRUNCATED, *_xavier(), *_kaiming()]
#: one or two of each law and of each kind of proposal
LIGHT = [
    *["uniform(0,1)", "uniform(-0.02,0.03)", "normal(0,1)", "normal(-3,2.5)", "default", "asymmetric", "upper-tail"],
    *[
        "wide-lower-tail",
        "from-minus-1",
        "half-normal",
        "around-mean",
        "tail-uniform",
        "tail-exponential",
        "mean-above",
    ],
    *["xavier_uniform-2d-gain-1.67", "xavier_normal-4d-gain-1.00", "kaiming_uniform-relu-fan_in"],
    "kaiming_normal-leaky_relu-fan_out",
]
assert set(LIGHT) <= {case.name for case in CASES}


def some(cases):
    return pytest.mark.parametrize("case", thinned(cases, lambda case: case.name in LIGHT), ids=lambda case: case.name)


all_cases, truncated_cases = some(CASES), some(TRUNCATED)


# ---- cells of the grid ----


def cells(x, law):
    """The lower and upper ends of what rounds to each value and lies inside the law's bounds, as float64."""
    below, above = np.nextafter(x, x.dtype.type(-INF)), np.nextafter(x, x.dtype.type(INF))
    centre = x.astype(np.float64)
    return np.maximum((centre + below) / 2.0, law.low), np.minimum((centre + above) / 2.0, law.high)


def spread(x, law):
    """A float32 sample, each value moved uniformly inside its cell; float64 as it is."""
    if x.dtype == np.float64:
        return x
    low, high = cells(x, law)
    return low + np.random.default_rng(SEED).random(x.size) * (high - low)


# ---- the laws ----


@some([*PLAIN, *TRUNCATED])
def test_exact_law_is_the_integral_of_its_density(case):
    """What the samples are compared with, by a second way: quadrature of the density up to a few places."""
    law = case.law
    z, weights = law.nodes()
    for share in (0.01, 0.3, 0.7, 0.99):
        first = max(1, int(np.searchsorted(np.cumsum(weights), share)) // NODES) * NODES  # where a panel begins
        edge = (z[first] + z[first - 1]) / 2.0
        assert law.cdf(law.mean + law.std * edge) == pytest.approx(weights[:first].sum(), abs=1e-9)


@both_dtypes
@all_cases
def test_kolmogorov_smirnov(case, dtype):
    sample = case.sample(dtype)
    assert sample.size >= N
    budget.ks(case.law.cdf(spread(sample, case.law)), "Kolmogorov-Smirnov")


@both_dtypes
@all_cases
def test_moments(case, dtype):
    """Mean, variance, skewness and kurtosis about the law's own mean and std, so that standard errors are exact."""
    law = case.law
    z, weights = law.nodes()
    mean = weights @ z
    std = math.sqrt(weights @ np.square(z - mean))
    exact = [weights @ ((z - mean) / std) ** k for k in range(9)]
    sample = ((spread(case.sample(dtype), law) - law.mean) / law.std - mean) / std
    power = np.ones_like(sample)
    for k, name in enumerate(("mean", "variance", "skewness", "kurtosis"), 1):
        power *= sample
        error = math.sqrt((exact[2 * k] - exact[k] ** 2) / sample.size)
        budget.z_scores((power.mean() - exact[k]) / error, name)


@pytest.mark.parametrize("dtype", thinned(["float32", "float64"], ["float32"]))
@pytest.mark.parametrize("std", [0.01, 1.0])
def test_values_of_sparse(std, dtype):
    array = init.sparse_(np.empty((1024, 1200), dtype), 0.1, std, generator=SEED)
    values = array[array != 0]
    assert values.size >= N
    law = Truncated(0.0, std)
    budget.ks(law.cdf(spread(values, law)), "non-zero values of sparse_")


@pytest.mark.parametrize("dtype", thinned(["uint32", "int32", "uint64", "int64"], ["uint32", "uint64"]))
def test_words(dtype):
    words = init.bits_(np.empty(N, dtype), generator=SEED + 1)
    bits = 8 * words.itemsize
    ordered = words.astype(np.float64) + (2.0 ** (bits - 1) if dtype.startswith("i") else 0.0)
    jitter = np.random.default_rng(SEED).random(N)
    budget.ks(np.minimum((ordered + jitter) / 2.0**bits, 1.0), "words")


# ---- tails ----


def _chunks(fill, dtype, count, size=1 << 22):
    """``count`` elements, as draws of ``size`` into one scratch array."""
    scratch, generator = np.empty(size, dtype), init.Generator(SEED)
    for _ in range(count // size):
        yield fill(scratch, generator=generator)


@pytest.mark.full
@both_dtypes
def test_tails_of_the_normal_law(dtype):
    """Both sides, and each place in a block: cosines and sines, first pair and second."""
    count = 1 << 26
    values, places = [], []
    for chunk in _chunks(init.normal_, dtype, count):
        outside = np.flatnonzero(np.abs(chunk) > 3.0)
        values.append(chunk[outside])
        places.append(outside % 4)
    values, places = np.concatenate(values).astype(np.float64), np.concatenate(places)
    for threshold in (3.0, 4.0, 4.5, 5.0, 5.5, 6.0):
        tail = special.ndtr(-threshold)
        budget.binomial((values > threshold).sum(), count, tail, f"z > {threshold}")
        budget.binomial((values < -threshold).sum(), count, tail, f"z < -{threshold}")
        for place in range(4):
            beyond = (np.abs(values[places == place]) > threshold).sum()
            budget.binomial(beyond, count // 4, 2.0 * tail, f"|z| > {threshold} at place {place}")
    assert np.abs(values).max() < (6.67 if dtype == "float32" else 8.58)


@pytest.mark.full
@both_dtypes
def test_tails_of_the_uniform_law(dtype):
    """Near 0 and near 1, down to the grid; 1 itself never."""
    count = 1 << 26
    ends = []
    for chunk in _chunks(init.uniform_, dtype, count):
        assert chunk.min() >= 0.0
        assert chunk.max() < 1.0
        ends.append(chunk[(chunk < 2.0**-8) | (chunk >= 1.0 - 2.0**-8)].astype(np.float64))
    ends = np.concatenate(ends)
    for exponent in (8, 12, 16, 20, 22, 23, 24):  # multiples of the grid: exact in either dtype
        budget.binomial((ends < 2.0**-exponent).sum(), count, 2.0**-exponent, f"u < 2^-{exponent}")
        budget.binomial((ends >= 1.0 - 2.0**-exponent).sum(), count, 2.0**-exponent, f"u >= 1 - 2^-{exponent}")


@pytest.mark.full
@both_dtypes
@pytest.mark.parametrize(
    ("law", "thresholds"),
    [
        (Truncated(0.0, 1.0, 2.0, INF), (4.0, 5.0, 5.5)),
        (Truncated(0.0, 1.0, -INF, -3.0), (-4.5, -5.5, -6.0)),
        (Truncated(0.0, 1.0, -1.0, INF), (3.0, 4.0, 5.0)),
        (Truncated(0.0, 1.0, 8.0, INF), (8.5, 9.0, 9.4)),
        (Truncated(0.0, 1.0, -1.3, 1.3), (-1.29999, -1.2999, 1.2999, 1.29999)),
        (Truncated(0.0, 1.0, 1.0, 1.5), (1.00001, 1.0001, 1.4999, 1.49999)),
        (Truncated(0.0, 1.0, -0.3, 0.6), (-0.29999, -0.2999, 0.5999, 0.59999)),
    ],
    ids=lambda value: f"[{value.low:g},{value.high:g}]" if isinstance(value, Truncated) else "",
)
def test_tails_of_truncated_normals(law, thresholds, dtype):
    """Far out where a side is open, close to the bounds where it is not."""
    count, below = 1 << 24, np.zeros(len(thresholds), np.int64)

    def fill(array, generator):
        return init.trunc_normal_(array, law.mean, law.std, law.low, law.high, generator=generator)

    for chunk in _chunks(fill, dtype, count):
        below += [np.count_nonzero(chunk < threshold) for threshold in thresholds]
    for threshold, observed in zip(thresholds, below, strict=True):
        lower = law.cdf(np.asarray(threshold, dtype))
        mirrored = Truncated(-law.mean, law.std, -law.high, -law.low)
        if lower < 0.5:
            budget.binomial(observed, count, lower, f"x < {threshold}")
        else:  # the small probability from the side where it has all its digits
            budget.binomial(count - observed, count, mirrored.cdf(-np.asarray(threshold, dtype)), f"x >= {threshold}")


# ---- bounds and grids ----


@both_dtypes
@truncated_cases
def test_truncated_normals_stay_inside_and_do_not_pile_up(case, dtype):
    """No value outside; no more values equal to the outermost numbers than their cells of the grid deserve."""
    sample, law = case.sample(dtype), case.law
    assert sample.astype(np.float64).min() >= law.low
    assert sample.astype(np.float64).max() <= law.high
    for bound, inwards in ((law.low, INF), (law.high, -INF)):
        if math.isinf(bound):
            continue
        end = np.asarray([bound], dtype)
        if not law.low <= float(end[0]) <= law.high:
            end = np.nextafter(end, end.dtype.type(inwards))
        probability = 2.0 * float(np.diff(law.cdf(np.ravel(cells(end, law))))[0])  # a whole cell, see below
        count = np.count_nonzero(sample == end)
        p = stats.binom.sf(count - 1, sample.size, min(1.0, probability))
        budget.check(p, f"{count} values equal to {end[0]!r}")


@dataclass(frozen=True)
class Grid:
    """A truncated normal on so few numbers of the dtype that each can be counted.

    ``mean``, ``std``, ``a`` and ``b`` are in units of the spacing of the dtype just above 1, from 1 on. ``whole`` names
    the bounds whose cell belongs to the law in full, although half of it lies outside [a, b].
    """

    name: str
    mean: float
    std: float
    a: float
    b: float
    whole: str = ""

    def law(self, dtype):
        unit = float(np.finfo(dtype).eps)
        return Truncated(1.0 + self.mean * unit, self.std * unit, 1.0 + self.a * unit, 1.0 + self.b * unit)


GRIDS = [
    Grid("flat", 64.0, 1e6, 1.0, 200.0),
    Grid("uniform-around-mean", 90.0, 120.0, 1.0, 200.0),
    Grid("tail-uniform", -20.0, 120.0, 1.0, 60.0),
    Grid("lower-tail-uniform", 250.0, 120.0, 150.0, 200.0),
    Grid("exponential", -50.0, 50.0, 1.0, 120.0, whole="b"),
    Grid("lower-exponential", 300.0, 50.0, 130.0, 250.0, whole="a"),
    Grid("normal", 90.0, 30.0, 20.0, 160.0, whole="ab"),
    Grid("bounds-off-the-grid", 90.0, 120.0, 1.25, 199.25),
]


@both_dtypes
@pytest.mark.parametrize("grid", GRIDS, ids=lambda grid: grid.name)
def test_every_number_between_the_bounds_has_its_probability(grid, dtype):
    """Chi-square over all numbers of the dtype in [a, b], the bounds and their neighbours included.

    A bound that is a number of the dtype has half a cell inside [a, b]. Proposals that may lie outside are tested after
    rounding and so keep the whole cell: normal ones at both bounds, exponential ones at the far bound.
    """
    law, unit = grid.law(dtype), float(np.finfo(dtype).eps)
    sample = init.trunc_normal_(np.empty(4 * N, dtype), law.mean, law.std, law.low, law.high, generator=SEED)
    low, high = (law.low - 1.0) / unit, (law.high - 1.0) / unit  # exact; float64 bounds have been rounded to its grid
    numbers = np.arange(math.ceil(low), math.floor(high) + 1)
    counts = np.bincount(np.rint((sample.astype(np.float64) - 1.0) / unit).astype(np.int64), minlength=numbers[-1] + 1)
    assert counts.sum() == counts[numbers].sum() == sample.size
    low, high = low - 0.5 * ("a" in grid.whole), high + 0.5 * ("b" in grid.whole)
    edges = np.clip(np.append(numbers - 0.5, numbers[-1] + 0.5), low, high)
    probabilities = np.diff(Truncated(grid.mean, grid.std, edges[0], edges[-1]).cdf(edges))
    budget.chi_square(counts[numbers], sample.size * probabilities, "numbers of the grid")


@both_dtypes
def test_every_number_of_a_narrow_uniform_has_its_probability(dtype):
    """``a + u (b - a)`` rounded to nearest: half a cell for a, and the half cell of b, which is excluded, below it."""
    unit, numbers = float(np.finfo(dtype).eps), 128
    sample = init.uniform_(np.empty(4 * N, dtype), 1.0, 1.0 + numbers * unit, generator=SEED)
    counts = np.bincount(((sample.astype(np.float64) - 1.0) / unit).astype(np.int64))
    shares = np.ones(numbers)
    shares[0], shares[-1] = 0.5, 1.5
    budget.chi_square(counts, sample.size / numbers * shares, "numbers of the grid")


def _occupied(rates, multiplicity, trials):
    """Mean and std of the number of occupied cells: ``multiplicity`` cells of each mean count in ``rates``."""
    empty = np.exp(-rates)
    mean = (multiplicity * -np.expm1(-rates)).sum()
    return mean, math.sqrt(
        (multiplicity * empty * (1 - empty)).sum() - (multiplicity * rates * empty).sum() ** 2 / trials
    )


def test_distinct_values_of_float32_uniforms():
    """As many as n balls in 2^24 urns occupy."""
    distinct = np.unique(init.uniform_(np.empty(N, "float32"), generator=SEED)).size
    mean, std = _occupied(np.array([N * 2.0**-24]), np.array([2.0**24]), N)
    budget.z_scores((distinct - mean) / std, f"{distinct} distinct values, {mean:.0f} expected")


def test_distinct_values_of_float32_normals():
    """As many as n balls occupy of the cells of float32, binade by binade; |z| < 2^-12 is left out on both sides."""
    sample = init.normal_(np.empty(N, "float32"), generator=SEED)
    distinct = np.unique(sample[np.abs(sample) >= 2.0**-12]).size
    rates, multiplicity = [], []
    for exponent in range(-12, 3):
        edges = np.linspace(2.0**exponent, 2.0 ** (exponent + 1), 513)
        numbers = 2.0**23 / 512
        rates.append(N * np.diff(special.ndtr(edges)) / numbers)
        multiplicity.append(np.full(512, 2 * numbers))
    mean, std = _occupied(np.concatenate(rates), np.concatenate(multiplicity), N)
    budget.z_scores((distinct - mean) / std, f"{distinct} distinct values, {mean:.0f} expected")


@pytest.mark.parametrize("fill", [init.uniform_, init.normal_, init.trunc_normal_], ids=lambda fill: fill.__name__)
def test_float64_values_do_not_repeat(fill):
    """n = 2^22 of about 2^53 numbers: 2^-10 pairs expected, so two pairs would be an alarm of its own."""
    count = 1 << 22
    values = fill(np.empty(count, "float64"), generator=SEED)
    pairs = count - np.unique(values).size
    budget.check(stats.poisson.sf(pairs - 1, count**2 * 2.0**-53), f"{pairs} repeated values")
