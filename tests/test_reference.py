"""The slow reference → is it right? Known answers, and its roundings against NumPy's.

Every other test trusts :mod:`reference`, so it is tested alone here, without numbainit.
"""

import ast
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import reference


def random_floats(rng, n, dtype):
    """Floats of every magnitude, subnormals included: random bits, without infinities and NaN."""
    kind = np.dtype(dtype)
    numbers = np.frombuffer(rng.bytes(n * kind.itemsize), kind)
    return [float(x) for x in numbers if math.isfinite(x)]


def test_shares_no_code_with_the_package():
    tree = ast.parse(Path(reference.__file__).read_text())
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module)
    assert imported == {
        "bisect",
        "hashlib",
        "math",
        "dataclasses",
        "fractions",
        "functools",
        "ml_dtypes",
        "numpy",
        "pathlib",
    }


@pytest.mark.parametrize(("rounds", "counter", "key", "output"), reference.known_answers())
def test_philox_known_answers(rounds, counter, key, output):
    assert reference.philox4x32(counter, key, rounds) == output


def test_known_answers_have_both_numbers_of_rounds():
    assert [rounds for rounds, *_ in reference.known_answers()] == [7, 7, 7, 10, 10, 10]


def test_philox_cpp26_anchor():
    """The standard's 10,000th output of ``std::philox4x32`` seeded with 20111115."""
    assert reference.philox4x32((2499, 0, 0, 0), (20111115, 0))[3] == 1955073260


def test_counter_layout():
    key, draw, block, attempt = (1, 2), 7, 5 * 2**32 + 9, 3
    expected = reference.philox4x32((9, 5, 7, 3 << 8 | 1), key)
    got = [reference.word(key, draw, 4 * block + j, reference.LOW_WORDS, attempt) for j in range(4)]
    assert tuple(got) == expected


def test_key_of_seed_is_that_of_seed_sequence():
    assert reference.key_of_seed(0) == (2968811710, 3677149159)  # NumPy promises these for ever (NEP 19)
    assert reference.key_of_seed([1, 2]) != reference.key_of_seed([2, 1])


def test_fold_in_tells_types_and_keys_apart():
    keys = [(0, 0), (1, 0), (0, 1)]
    folded = [reference.fold_in(key, data) for key in keys for data in ("", "1", 0, 1, 2**64 - 1)]
    assert len(set(folded)) == len(folded)
    assert all(0 <= w < 2**32 for pair in folded for w in pair)


# ---- roundings ----


def test_round_to_float64_is_pythons_division():
    rng = np.random.default_rng(1)
    for a, b in zip(random_floats(rng, 3000, "f8"), random_floats(rng, 3000, "f8"), strict=False):
        value = Fraction(a) / Fraction(b or 1.0)
        try:
            expected = float(value)  # correctly rounded in CPython
        except OverflowError:
            expected = -math.inf if value < 0 else math.inf
        assert reference.round_to(value, 64) == expected


def test_round_to_float32_is_numpys_conversion():
    rng = np.random.default_rng(2)
    numbers = random_floats(rng, 3000, "f8")
    numbers += [x * 2.0**-60 for x in random_floats(rng, 3000, "f4")]
    numbers += [math.ldexp(1 + k * 2.0**-25, e) for k in range(9) for e in (-150, -149, -127, -126, 0, 127)]  # ties
    for x in numbers:
        with np.errstate(over="ignore", under="ignore"):
            expected = float(np.float32(x))
        assert reference.round_to(Fraction(x), 32) == expected


def test_round_to_edges():
    largest = Fraction(2**24 - 1) * 2**104
    half_unit = Fraction(2) ** 103
    assert reference.round_to(largest + half_unit - 1, 32) == float(largest)
    assert reference.round_to(largest + half_unit, 32) == math.inf  # a tie that goes to even, which overflows
    assert reference.round_to(-largest - half_unit, 32) == -math.inf
    assert reference.round_to(Fraction(1, 2**150), 32) == 0.0
    assert reference.round_to(Fraction(1, 2**150) + Fraction(1, 2**900), 32) == 2.0**-149
    assert reference.round_to(Fraction(3, 2**1075), 64) == 2.0**-1073


@pytest.mark.parametrize(("width", "dtype"), [(32, np.float32), (64, np.float64)])
def test_mul_and_sqrt_are_ieee(width, dtype):
    rng = np.random.default_rng(3)
    for a, b in rng.normal(size=(2000, 2)).astype(dtype):
        assert reference.mul(float(a), float(b), width) == float(a * b)
        assert reference.sqrt(float(abs(a)), width) == float(np.sqrt(abs(a)))
        assert reference.sqrt(float(a * a), width) == float(np.sqrt(a * a))


def test_fma_float32_is_float64_where_that_is_exact():
    """Of small integers a float64 holds product and sum exactly, so one conversion is the one rounding."""
    rng = np.random.default_rng(4)
    for a, b, c in rng.integers(-(2**24), 2**24, (2000, 3)).tolist():
        assert reference.fma(float(a), float(b), float(c), 32) == float(np.float32(a * b + c))


def test_fma_rounds_once():
    a = 1 + 2.0**-12
    assert reference.fma(a, a, -1.0, 32) == 2.0**-11 + 2.0**-24  # two roundings lose the last bit
    assert reference.fma(1 + 2.0**-27, 1 - 2.0**-27, -1.0, 64) == -(2.0**-54)


def test_zeros_have_signs():
    def sign(x):
        assert x == 0
        return math.copysign(1, x)

    assert sign(reference.mul(-0.0, 2.0, 32)) == -1
    assert sign(reference.mul(-0.0, -2.0, 64)) == 1
    assert sign(reference.fma(-0.0, 1.0, -0.0, 32)) == -1
    assert sign(reference.fma(-0.0, 1.0, 0.0, 32)) == 1
    assert sign(reference.fma(1.0, 2.0, -2.0, 64)) == 1
    assert sign(reference.sqrt(-0.0, 64)) == -1


@pytest.mark.parametrize("name", reference.SMALL)
def test_small_formats_are_those_of_ml_dtypes(name):
    """Every number, every tie between two, and their neighbours in float32."""
    dtype = np.dtype(name)
    numbers = np.arange(len(reference.magnitudes(name))).astype(f"u{dtype.itemsize}").view(dtype).astype("f4")
    assert numbers.tolist() == reference.magnitudes(name)
    some = numbers[:: max(1, numbers.size // 500)]
    ties = some[:-1] / 2 + numbers[np.searchsorted(numbers, some[:-1]) + 1] / 2
    near = [np.nextafter(ties, np.float32(way)) for way in (-np.inf, np.inf)]
    for x in np.concatenate([some, -some, ties, -ties, *near]):
        assert reference.small_code(float(x), name) == int(x.astype(dtype).view(f"u{dtype.itemsize}"))


# ---- parameters ----


def test_bounds_are_the_nearest_floats_inside():
    assert reference._smallest_at_least(0.1, 32) == float(np.float32(0.1))  # float32(0.1) lies above 0.1
    assert reference._largest_at_most(0.1, 32) < 0.1
    assert reference._smallest_at_least(-math.inf, 32) == -float(np.finfo(np.float32).max)
    assert reference._largest_at_most(math.inf, 64) == np.finfo(np.float64).max


@pytest.mark.parametrize(
    ("parameters", "kind"),
    [
        ((0, 1, -2, 2), "normal"),
        ((0, 1e-3, -2, 2), "normal"),
        ((0, 1, -math.inf, math.inf), "normal"),
        ((0, 1, -0.5, 0.5), "uniform"),
        ((0, 1, 1e-3, 1.001e-3), "uniform"),
        ((0, 1, 8, 9), "exponential"),
        ((0, 1, -40, -39), "exponential"),
        ((0, 1, 2, 100), "exponential"),
        ((0, 1, 2, math.inf), "exponential"),
        ((0, 1, -math.inf, -3), "exponential"),
        ((0, 1, 0.5, 0.5), "constant"),
        ((0.5, 0, -1, 1), "constant"),
    ],
)
@pytest.mark.parametrize("width", [32, 64])
def test_truncated_normal_regimes(parameters, kind, width):
    assert reference.proposals(*map(float, parameters), width).kind == kind


@pytest.mark.parametrize(
    "parameters", [(0, 1, 8, 9), (0, 1, -40, -39), (0, 1, 2, 2.1), (0, 1, -0.5, 1), (3, 2, 4, math.inf)]
)
def test_acceptance_line_is_the_log_density_ratio(parameters):
    """(raw t1 + t0)(raw q1 + q0) against minus two log of target over proposal, up to the constant at its best."""
    mean, std, a, b = map(float, parameters)
    how = reference.proposals(mean, std, a, b, 64)
    raw = np.linspace(0, 1, 101) if how.kind == "uniform" else np.linspace(0, 20, 101)
    z = (raw * how.x1 + how.base - mean) / std
    cost = z**2 - (raw if how.kind == "exponential" else 0)  # raw is -2 ln of the exponential's density
    line = (raw * how.t1 + how.t0) * (raw * how.q1 + how.q0)
    assert np.allclose(line - line[0], cost - cost[0], rtol=1e-12, atol=1e-12 * np.abs(z).max() ** 2)
    assert line.min() >= -1e-12


def test_sparse_mask_is_exact_in_count():
    key = reference.key_of_seed(5)
    for rows, sparsity in [(1, 0.1), (7, 0.5), (10, 0.0), (10, 1.0), (33, 1 / 3)]:
        for column in range(4):
            zero = reference.sparse_mask_column(key, 0, column, rows, 4, sparsity)
            assert sum(zero) == math.ceil(sparsity * rows)
