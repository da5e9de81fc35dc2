"""Rows, pages and blocks that are there twice, in pieces of all sizes; and those that only nearly are."""

import numpy as np
import pytest

from numbainit.auditing import pieces
from numbainit.auditing.figures import figures
from numbainit.files.reading.source import open_stored


@pytest.fixture(params=[1 << 19, 1024, 37])
def small(request, monkeypatch):
    """Pieces of all sizes: the tensor, rows, parts of a row."""
    monkeypatch.setattr(pieces.boxes, "__defaults__", (request.param,))
    return request.param


def look(array):
    return figures(open_stored({"w": array}).tensors["w"])


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_equal_rows_have_equal_hashes(dtype):
    array = np.random.default_rng(0).standard_normal((64, 48)).astype(dtype)
    array[40] = array[3]
    array[41] = -array[4]
    array[42], array[42, 7] = array[5], 0
    rows = look(array).rows
    assert len(np.unique(rows)) == 63
    assert rows[40] == rows[3]


def test_signs_alone_make_other_hashes():
    """Hadamard's matrices: rows that differ in signs only."""
    from scipy.linalg import hadamard

    for dtype in ("float32", "float64"):
        found = look(hadamard(1024).astype(dtype))
        assert len(np.unique(found.rows)) == 1024
        assert found.pages == (
            0 if dtype == "float32" else 1022
        )  # of 8,192 bytes the second half is plus or minus the first


def test_equal_blocks_of_columns(small):
    array = np.random.default_rng(0).standard_normal((64, 48)).astype("float32")
    array[:] = np.tile(array[:, :12], 4)
    assert look(array).columns == ((2, 4) if small >= 48 else ())
    array[63, 40] += 1
    assert look(array).columns == ()


def test_repeated_pages():
    array = np.random.default_rng(0).standard_normal(8192).astype("float32")
    assert look(array).pages == 0
    array[3072:4096] = array[:1024]
    array[4096:6144] = 1.0  # of one word again and again
    assert look(array).pages == 1
