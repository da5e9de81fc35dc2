"""Moments against NumPy's in extended precision."""

import math

import numpy as np
import pytest

from numbainit.command.moments import Moments
from numbainit.targets.cpu.turns import PIECE


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int64", "int8", "bool"])
@pytest.mark.parametrize("sizes", [(1,), (5, 0, 7), (100_000, 3), (65_536, 65_537), (1024,), (1023, 1025)])
def test_moments_are_those_of_all_elements(dtype, sizes):
    rng = np.random.default_rng(0)
    arrays = [(rng.normal(100, 3, size)).astype(dtype) for size in sizes]
    moments = Moments()
    for array in arrays:
        moments.add(array)
    everything = np.concatenate(arrays).astype("longdouble")
    assert moments.count == everything.size
    assert moments.mean == pytest.approx(float(everything.mean()), rel=1e-14)
    assert moments.std == pytest.approx(float(everything.std()), rel=1e-11, abs=1e-13)


def test_moments_of_constants_are_exact():
    moments = Moments()
    moments.add(np.full((300, 300), 0.1, "float32"))
    assert (moments.mean, moments.std) == (
        pytest.approx(float(np.float32(0.1)), rel=1e-15),
        pytest.approx(0, abs=1e-15),
    )


def test_moments_of_complex_numbers_are_those_of_their_parts():
    moments = Moments()
    moments.add(np.array([1 + 3j, 1 + 3j], "complex64"))
    assert (moments.count, moments.mean, moments.std) == (4, 2, 1)


def test_moments_of_a_scalar_and_of_nothing():
    moments = Moments()
    assert math.isnan(moments.std)
    moments.add(np.empty((0, 3), "float32"))
    assert moments.count == 0
    moments.add(np.array(2.5, "float32"))
    assert (moments.count, moments.mean, moments.std) == (1, 2.5, 0)


@pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz"])
def test_moments_of_small_floats(name):
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")
    array = np.random.default_rng(0).normal(0.5, 1, 70_001).astype(getattr(ml_dtypes, name))
    moments, exact = Moments(), array.astype("longdouble")
    moments.add(array)
    assert moments.count == array.size
    assert moments.mean == pytest.approx(float(exact.mean()), rel=1e-13)
    assert moments.std == pytest.approx(float(exact.std()), rel=1e-12)


def test_far_from_zero_nothing_cancels():
    array = 1e8 + np.random.default_rng(0).normal(size=100_000)
    moments = Moments()
    moments.add(array)
    assert moments.std == pytest.approx(float(array.astype("longdouble").std()), rel=1e-10)


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_what_is_not_finite(value):
    moments = Moments()
    moments.add(np.full(5000, value, "float32"))
    assert moments.count == 5000
    assert not math.isfinite(moments.mean)


def test_large_arrays_are_looked_at_in_parts(monkeypatch):
    """Between them signals are heard, whatever is made as a whole."""
    parts, add = [], Moments._add
    monkeypatch.setattr(Moments, "_add", lambda self, flat: (parts.append(flat.size), add(self, flat))[1])
    moments = Moments()
    moments.add(np.full((3, PIECE // 2), 2.5, "float32"))
    assert parts == [PIECE, PIECE // 2]
    assert (moments.count, moments.mean, moments.std) == (3 * PIECE // 2, 2.5, 0)
