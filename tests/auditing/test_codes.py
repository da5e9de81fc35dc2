"""Codes of dtypes: every element is counted between the edges where it lies, against NumPy's sorted search."""

import numpy as np
import pytest

from numbainit.auditing.codes import codes
from numbainit.auditing.figures import figures
from numbainit.files.reading.source import open_stored
from numbainit.memory.dtypes import small_dtype

FLOATS = ["float32", "float64", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz"]


def dtype_of(name):
    return np.dtype(name) if name in ("float32", "float64", "float16") else small_dtype(name)


def values_of(dtype):
    """Of all sizes and both signs, with zeros, the numbers next to an edge, and what is no number."""
    random = np.random.default_rng(1)
    wide = random.standard_normal(5000) * 10.0 ** random.uniform(-45, 38, 5000)
    edges = codes(dtype).edges[:: max(1, len(codes(dtype).edges) // 500)]
    more = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0]
    with np.errstate(over="ignore", invalid="ignore"):
        found = np.concatenate([wide, random.standard_normal(5000) * 0.02, edges, more]).astype(dtype)
    if dtype == np.float64:  # its edges are numbers
        found = np.concatenate([np.nextafter(found, -np.inf), np.nextafter(found, np.inf)])
        found = found[~np.isin(found, codes(dtype).edges)]
    return found


@pytest.mark.parametrize("name", FLOATS)
def test_counts_are_those_of_a_search(name):
    dtype = dtype_of(name)
    values = values_of(dtype)
    found = figures(open_stored({"w": values}).tensors["w"])
    wide = values.astype(np.float64)
    places = np.searchsorted(codes(dtype).edges, wide[np.isfinite(wide)])
    assert np.array_equal(found.counted, np.bincount(places, minlength=len(codes(dtype).edges) + 1))
    assert (found.nans, found.infinities) == (np.isnan(wide).sum(), np.isinf(wide).sum())
    assert found.zeros == (wide == 0).sum()


@pytest.mark.parametrize("name", [name for name in FLOATS if name != "float64"])
def test_no_number_lies_on_an_edge(name):
    dtype = dtype_of(name)
    edges = codes(dtype).edges
    assert (np.diff(edges) > 0).all()
    with np.errstate(over="ignore"):
        assert not np.isin(values_of(dtype).astype(np.float64), edges).any()


@pytest.mark.parametrize("dtype", ["int8", "uint16", "bool"])
def test_small_integers(dtype):
    values = np.random.default_rng(0).integers(0, 2, 1000).astype(dtype)
    found = figures(open_stored({"w": values}).tensors["w"])
    assert (found.mean, found.std) == pytest.approx((values.mean(), values.std()))
    assert (found.low, found.high, found.zeros) == (0, 1, (values == 0).sum())


@pytest.mark.parametrize("dtype", ["int64", "uint32", "complex64", "complex128"])
def test_what_is_counted_as_other_floats(dtype):
    values = (np.random.default_rng(0).standard_normal(900) * 100).astype("float64").astype(dtype)
    if dtype.startswith("complex"):
        values += 1j
        parts = values.view(values.real.dtype)
    else:
        parts = values
    found = figures(open_stored({"w": values.reshape(30, 30)}).tensors["w"])
    assert found.counted.sum() == parts.size
    assert (found.mean, found.std) == pytest.approx((parts.mean(), parts.std()))
