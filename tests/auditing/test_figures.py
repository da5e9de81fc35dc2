"""Figures of tensors that are read in pieces, against NumPy and scipy on all at once."""

import numpy as np
import pytest
from scipy import stats

from numbainit.auditing import pieces
from numbainit.auditing.figures import figures
from numbainit.auditing.pieces import boxes, sizes
from numbainit.files.reading.source import open_stored


@pytest.fixture(params=[1 << 19, 1000, 37])
def small(request, monkeypatch):
    """Pieces of all sizes: the tensor, rows, parts of a row."""
    monkeypatch.setattr(pieces.boxes, "__defaults__", (request.param,))


def look(array):
    return figures(open_stored({"w": array}).tensors["w"])


@pytest.mark.parametrize("shape", [(40, 90), (3600,), (5, 8, 90), (1, 1), ()])
@pytest.mark.usefixtures("small")
def test_moments(shape):
    array = np.random.default_rng(0).gamma(2.0, size=shape)
    found = look(array)
    assert (found.mean, found.std) == pytest.approx((array.mean(), array.std()))
    assert (found.low, found.high, found.size) == (array.min(), array.max(), array.size)
    if array.size > 1:
        assert found.skew == pytest.approx(stats.skew(array, axis=None))
        assert found.kurtosis == pytest.approx(stats.kurtosis(array, axis=None, fisher=False))


@pytest.mark.usefixtures("small")
def test_runs_of_zeros():
    array = np.random.default_rng(0).standard_normal(10_000)
    array[5] = array[100:700] = array[2000:3500] = 0
    found = look(array)
    assert (found.zeros, found.run, found.run_start) == (2101, 1500, 2000)


@pytest.mark.usefixtures("small")
def test_rows_columns_and_what_is_no_number():
    array = np.random.default_rng(0).standard_normal((30, 60)).astype("float32")
    array[3], array[4], array[7] = 0, array[5], [np.nan, np.inf, 1e-40, *array[7, 3:]]
    array[:, 11] = 0
    found = look(array)
    assert (found.nans, found.infinities, found.denormals) == (1, 1, 1)
    assert found.dead_rows == 1
    assert len(np.unique(found.rows)) == 29
    whole = next(boxes(array.shape))
    assert found.dead_columns == (1 if sizes(whole)[1] == 60 else 0)  # not counted where pieces cut rows


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_rows_and_columns_of_complex_numbers(dtype):
    """Also where half of all words are 0: rows and columns are not."""
    array = np.random.default_rng(0).standard_normal((32, 48)).astype(dtype)
    found = look(array)
    assert (found.columns, found.dead_rows, found.dead_columns, len(np.unique(found.rows))) == ((), 0, 0, 32)
    array[3], array[:, 7] = 0, 0
    array[:, 24:] = array[:, :24]
    found = look(array)
    assert (found.columns, found.dead_rows, found.dead_columns) == ((2,), 1, 2)


@pytest.mark.parametrize("shape", [(), (7,), (3, 5, 2), (1000, 3), (2, 3, 400), (0, 4)])
@pytest.mark.parametrize("most", [1, 6, 500])
def test_boxes_are_all_elements_in_order(shape, most):
    numbers = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    parts = [numbers[tuple(slice(*ends) for ends in box)] for box in boxes(shape, most)]
    assert np.array_equal(np.concatenate([part.reshape(-1) for part in parts] or [[]]), numbers.reshape(-1))
    assert all(part.size <= most for part in parts)
