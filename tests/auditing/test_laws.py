"""Laws of weights: their moments and distribution functions against scipy, and fits of what follows them."""

import numpy as np
import pytest
from scipy import stats

import budget
import numbainit as init
from numbainit.auditing.cells import _Places, between, histogram
from numbainit.auditing.figures import figures
from numbainit.auditing.fits import fit, root_of
from numbainit.auditing.laws import law_of
from numbainit.files.reading.source import open_stored
from numbainit.recipes import Change, Fill, Weight

SHAPE = (200, 100)


def weight(*steps, shape=SHAPE):
    return Weight(shape, "float32", tuple(Fill(one) if isinstance(one, init.Initializer) else one for one in steps))


def named(name, **arguments):
    return weight(init.Initializer(name, **arguments))


CASES = {
    "normal": (named("normal", mean=0.1, std=0.5), stats.norm(0.1, 0.5)),
    "uniform": (named("uniform", a=-1, b=3), stats.uniform(-1, 4)),
    "trunc_normal": (named("trunc_normal", std=2.0, a=-1.0, b=3.0), stats.truncnorm(-0.5, 1.5, 0, 2)),
    "tail": (named("trunc_normal", a=3.0, b=5.0), stats.truncnorm(3, 5)),
    "xavier_uniform": (named("xavier_uniform"), stats.uniform(-(0.02**0.5), 2 * 0.02**0.5)),
    "kaiming_normal": (named("kaiming_normal", nonlinearity="relu"), stats.norm(0, (2 / 100) ** 0.5)),
    "changed": (weight(init.Initializer("normal"), Change("mul", 0.5), Change("add", 1.0)), stats.norm(1, 0.5)),
}


@pytest.mark.parametrize("name", CASES)
def test_moments_and_distribution_functions(name):
    one, wanted = CASES[name]
    law = law_of(one)
    assert law.mean == pytest.approx(wanted.mean(), abs=1e-6)
    assert law.std == pytest.approx(wanted.std(), rel=1e-6)
    points = wanted.ppf(np.linspace(0.001, 0.999, 101))
    np.testing.assert_allclose(law.cdf(points), wanted.cdf(points), atol=1e-12)
    assert (law.low, law.high) == pytest.approx(wanted.support())


SMALL = [name for name in CASES if name != "changed"]  # a sum of two is rounded on another grid


@pytest.mark.parametrize(("name", "dtype"), [(n, "float32") for n in CASES] + [(n, "bfloat16") for n in SMALL])
def test_what_follows_a_law_fits_it(name, dtype):
    one, _ = CASES[name]
    array = init.zeros(SHAPE, dtype=dtype)
    from numbainit.recipes.filling import make

    make(one, "w", array, init.Generator(4))
    stored = open_stored({"w": array}).tensors["w"]
    found = fit(stored, figures(stored), law_of(one), 1e-6)
    assert found.fits, found
    budget.check(found.p, f"{name} of {dtype}")


def test_mixtures():
    sparse = law_of(named("sparse", sparsity=0.25, std=2.0))
    assert sparse.std == pytest.approx(2 * 0.75**0.5)
    rows = law_of(weight(init.Initializer("normal"), Fill(init.Initializer("zeros"), ((0, 20), (0, 100)))))
    assert rows.std == pytest.approx(0.9**0.5)
    assert rows.cdf(np.array([-1e-9, 1e-9])).tolist() == pytest.approx([0.45, 0.55])
    halves = [
        Fill(init.Initializer("normal", std=std), part)
        for std, part in ((1.0, ((0, 100), (0, 100))), (3.0, ((100, 200), (0, 100))))
    ]
    assert law_of(weight(*halves)).std == pytest.approx(5**0.5)


def test_what_has_no_law():
    assert law_of(named("eye")) is None
    assert law_of(Weight((3, 3), "float32", (), "by hand")) is None
    assert law_of(weight(init.Initializer("normal"), Change("mul", 2.0, ((0, 1), (0, 1))))) is None


def test_no_element_lies_on_an_edge():
    points = np.linspace(-1, 1, 50)
    for dtype in ("float32", "float16", "bfloat16"):
        real = init.zeros(1, dtype=dtype).dtype
        edges = between(points, real)
        assert not np.isin(edges.astype(real).astype(np.float64), edges).any()
    assert histogram(open_stored({"w": np.array([0.0, 1.0, 3.0])}).tensors["w"], np.array([0.5, 2.0])).tolist() == [
        1,
        1,
        1,
    ]


@pytest.mark.parametrize("edges", [np.linspace(-2, 2, 255), np.array([0.0, 1e-9, 5.0]), np.array([0.5])])
def test_places_are_those_of_searchsorted(edges):
    values = np.concatenate([np.random.default_rng(0).standard_normal(10_000), edges, edges + 1e-12, [-1e300, 1e300]])
    assert np.array_equal(_Places(edges)(values), np.searchsorted(edges, values))


def test_roots_of_small_numbers():
    assert root_of(8**0.5, 10**6) == "sqrt(8)"
    assert root_of(1 / 2**0.5, 10**6) == "1 / sqrt(2)"
    assert root_of(1.0, 10**6) == root_of(1.3, 10**6) == ""


def test_large_tensors_of_small_errors_fit():
    """At 10^6 elements a std that is .2 % off is significant, and does not matter."""
    array = init.normal((1000, 1000), std=0.02 * 1.002, generator=0)
    stored = open_stored({"w": array}).tensors["w"]
    found = fit(stored, figures(stored), law_of(weight(init.Initializer("normal", std=0.02), shape=(1000, 1000))), 1e-6)
    assert found.fits
    assert found.ratio == pytest.approx(1.002, abs=0.002)
