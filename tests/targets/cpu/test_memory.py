"""Addresses and memory on the stack, and runs that are copied from one to the other → every byte where it belongs."""

import numpy as np
import pytest
from numba import njit
from numba.core.errors import TypingError

from numbainit.targets.cpu.memory import address_of, copy_run, scratch, stack_array

SIZES = [1, 2, 4, 8, 16]
COUNTS = [0, 1, 2, 5, 33]


@njit
def copied(target, step, source, itemsize, count):
    copy_run(target, np.uint64(step), source, itemsize, count)


@pytest.mark.parametrize("itemsize", SIZES)
@pytest.mark.parametrize("count", COUNTS)
def test_runs_go_to_their_places(itemsize, count):
    """Side by side, apart, backwards, one over the other, and at steps that are no multiple of the size."""
    source = np.random.default_rng(itemsize).integers(1, 256, max(count, 1) * itemsize + 1, np.uint8)[1:]
    steps = itemsize, 2 * itemsize, 3 * itemsize + 1, itemsize + 1, 0, -itemsize, -2 * itemsize, -5 * itemsize - 1
    for step in steps:
        reach = abs(step) * count + itemsize
        target, want = np.zeros((2, 2 * reach + 1), np.uint8)
        for i in range(count):
            place = reach + i * step
            want[place : place + itemsize] = source[i * itemsize : (i + 1) * itemsize]
        copied(
            np.uint64(target.ctypes.data + reach),
            step,
            np.uint64(source.ctypes.data),
            np.uint64(itemsize),
            np.uint64(count),
        )
        assert np.array_equal(target, want), step


def test_an_address_is_that_of_the_first_element():
    address = njit(lambda array: address_of(array))
    array = np.zeros((6, 7), "f4")
    for view in (array, array[1:], array[::-1], array[:, 3], array.T):
        assert address(view) == view.ctypes.data


def test_scratch_is_memory():
    @njit
    def through(array):
        """There and back."""
        aside, size = scratch(256), np.uint64(array.nbytes)
        copy_run(aside, size, address_of(array), size, np.uint64(1))
        array[:] = 0
        copy_run(address_of(array), size, aside, size, np.uint64(1))
        return aside

    array = np.arange(64, dtype="u4")
    address = through(array)
    assert array.tolist() == list(range(64))
    assert address % 64 == 0, "a cache line of its own"


def test_small_arrays():
    @njit
    def function(like):
        array = stack_array(9, like)
        for i in range(array.size):
            array[i] = i * i
        total = array[8]
        return array.size, array.nbytes, array[::-2].sum(), total

    for like in (np.zeros((1, 1), "f4"), np.uint32(0)):
        size, nbytes, odd, last = function(like)
        assert (size, nbytes, odd, last) == (9, 9 * like.itemsize, 64 + 36 + 16 + 4 + 0, 64)


def test_sizes_are_literals():
    with pytest.raises(TypingError, match="scratch takes a literal size, got int64"):
        njit(lambda size: scratch(size))(8)
    with pytest.raises(TypingError, match="stack_array takes a literal length, got int64"):
        njit(lambda size: stack_array(size, size).size)(8)
