"""Each task of the CPU, on the calling thread and on all threads → the elements of the reference, at their places.

Where a fill is cut into chunks, pieces and strips is up to the loops, so the borders of all of them are looked at.
"""

import numba
import numpy as np
import pytest

import numbainit as init
import reference
from cases import full_only, thinned
from numbainit.targets.cpu import tasks
from numbainit.targets.cpu.vectors.chunk import CHUNK

SEED = 29
KEY = reference.key_of_seed(SEED)
WIDTH = CHUNK + 3  # of a row: more than a chunk, and no whole number of blocks
ROWS = {"serial": 2, "parallel": 11}  # fewer and more elements than threads share
WHOLE, CORNER = (40, 2 * CHUNK + 1), (7, 1021)
KINDS = {  # memory that takes each task
    "contiguous": lambda rows, dtype: np.zeros((rows, WIDTH), dtype),
    "strided": lambda rows, dtype: np.zeros((2 * rows, 3 * WIDTH), dtype)[::-2, 1::3],
    "block": lambda rows, dtype: np.zeros((WIDTH, rows), dtype).T,
}
MATRICES = {  # by the order of the memory
    "C": lambda rows, columns: np.zeros((rows, columns), "f4"),
    "F": lambda rows, columns: np.zeros((rows, columns), "f4", order="F"),
    "A": lambda rows, columns: np.zeros((2 * rows, 2 * columns), "f4")[::-2, ::2],
}
every_kind = pytest.mark.parametrize("kind", KINDS)
every_dtype = pytest.mark.parametrize("dtype", ["float32", *full_only("float64", "bfloat16", "complex64")])


def filled(kind, way, dtype):
    """The array, and what number its first element and the steps of its axes have in the whole."""
    array = KINDS[kind](ROWS[way], dtype)
    if kind != "block":
        return init.normal_(array, std=0.5, generator=SEED), 0, WIDTH
    init.normal_(array, std=0.5, generator=SEED, block=init.Block(WHOLE, CORNER))
    return array, CORNER[0] * WHOLE[1] + CORNER[1], WHOLE[1]


@every_kind
@pytest.mark.parametrize("way", ROWS)
@every_dtype
def test_borders_have_the_elements_of_the_reference(kind, way, dtype):
    array, first, pitch = filled(kind, way, dtype)
    columns = [0, 1, CHUNK // 2 - 1, CHUNK // 2, CHUNK // 2 + 1, CHUNK - 4, CHUNK - 1, CHUNK, CHUNK + 2]
    for row in {0, 1, len(array) // 2, len(array) - 1}:
        indices = [first + row * pitch + column for column in columns]
        want = reference.elements(reference.normal, KEY, 0, indices, 0.0, 0.5, dtype=dtype)
        assert array[row, columns].tobytes() == want.tobytes()


@every_kind
@every_dtype
def test_one_thread_and_all_of_them(kind, dtype, one_thread):
    alone = filled(kind, "parallel", dtype)[0].copy()
    numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)
    assert filled(kind, "parallel", dtype)[0].tobytes() == alone.tobytes()


@pytest.mark.parametrize("order", thinned(MATRICES, ["C", "F"]))
@pytest.mark.parametrize("shape", [(9, 17), (7, 2 * tasks.STRIP + 5), (9, 3 * tasks.STRIP + 5)], ids=str)
def test_strips_of_a_sparse_matrix(order, shape):
    """The mask of whole columns at the borders of strips, and the values beside it."""
    rows, columns = shape
    array = init.sparse_(MATRICES[order](*shape), 0.4, 1.0, generator=SEED)
    dense = init.normal_(np.empty(shape, "f4"), generator=SEED)
    assert np.array_equal(array, np.where(array == 0, 0, dense))
    for column in {0, 1, columns // 2, min(tasks.STRIP - 1, columns - 1), min(tasks.STRIP, columns - 1), columns - 1}:
        mask = reference.sparse_mask_column(KEY, 0, column, rows, columns, 0.4)
        assert (array[:, column] == 0).tolist() == mask


@pytest.mark.parametrize("order", thinned(MATRICES, ["C"]))
def test_a_sparse_matrix_on_one_thread_and_on_all(order, one_thread):
    shape = 17, 2 * tasks.STRIP + 5
    alone = init.sparse_(MATRICES[order](*shape), 0.4, generator=SEED).copy()
    numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)
    assert init.sparse_(MATRICES[order](*shape), 0.4, generator=SEED).tobytes() == alone.tobytes()


def test_more_threads_than_rows_or_chunks():
    """One row of one chunk and a bit: most threads find nothing to do."""
    array = init.bits_(np.empty((1, 9 * CHUNK + 1), "u4"), generator=SEED)
    places = [0, CHUNK, 8 * CHUNK - 1, 9 * CHUNK]
    assert array[0, places].tolist() == [reference.word(KEY, 0, place) for place in places]
