"""Fills of every kind of dtype and memory → one loop for all of them, on one thread and on all."""

import numba
import numpy as np
import pytest

import numbainit as init
from numbainit.targets.cpu import launch, loops

SIDE = {"serial": 12, "parallel": 400}  # of matrices below and above the size that wakes the threads
MEMORY = {
    "contiguous": (lambda array: array, None),
    "strided": (lambda array: array[::-2, ::3], None),
    "Fortran": (lambda array: array.T, None),
    "block": (lambda array: array, init.Block((2000, 2000), (3, 5))),
}


@pytest.mark.parametrize("way", SIDE)
def test_one_loop_serves_every_dtype_and_memory(way):
    if way == "parallel" and numba.get_num_threads() == 1:
        pytest.skip("Numba has one thread here")
    for dtype in ("f4", "f8", "f2", "c8"):
        for view, block in MEMORY.values():
            array = view(np.empty((3 * SIDE[way], 3 * SIDE[way]), dtype))
            assert (array.size * (2 if dtype == "c8" else 1) < launch.PARALLEL_FROM) == (way == "serial")
            init.normal_(array, generator=1, block=block)
        init.sparse_(np.empty((SIDE[way], SIDE[way]), dtype), 0.5, generator=1)
    assert len(getattr(loops.TASKS, way).signatures) == 1


def test_a_small_array_takes_one_kernel_for_wholes_and_for_blocks():
    before = set(loops.fill.signatures)
    init.normal_(np.empty(8, "f4"), generator=0)
    init.normal_(np.empty(8, "f4"), generator=0, block=init.Block((20,), (5,)))
    init.normal_(np.empty((2, 4), "f4"), generator=0)
    assert len(set(loops.fill.signatures) - before) <= 1
