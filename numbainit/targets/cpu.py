"""An array of a logical range, contiguous or strided → the same array, filled by all cores: the kernels of the CPU.

A *law* (``cpu_laws.py``) fills whole blocks of four elements; a *part* lets it start and stop anywhere; a *kernel* cuts
the range into chunks and hands them to threads. Chunks lie on a fixed grid of the logical indices, so that no block is
shared, and none crosses a multiple of 2^32 blocks. Kernels neither check nor allocate: that is done before they are
called.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import prange

from numbainit.targets import cpu_laws as laws
from numbainit.targets.cache import kernel
from numbainit.targets.cpu_laws import CHUNK, inline
from numbainit.targets.stack import stack_array

STRIP = 2048  # columns of a sparse matrix that a thread walks down together, at most: long rows of memory, state in L1
_CHUNK = np.uint64(CHUNK)
_NUMBERS = 9  # the most parameters that a law takes
_MOST_AXES = 64  # of a NumPy array
_LOW32, _32 = np.uint64(0xFFFFFFFF), np.uint64(32)
_0, _1, _3, _4 = np.uint64(0), np.uint64(1), np.uint64(3), np.uint64(4)


# ---- parts: from any element to any element ----


@inline
def _part(law, out, first, k0, k1, draw, numbers):
    """Fill ``out`` with the elements from ``first`` on, all of them in one chunk."""
    size, skip = np.uint64(out.size), first & _3
    block, blocks = first // _4, (skip + size + _3) // _4
    whole = skip == _0 and size & _3 == _0 and out.ctypes.data % 8 == 0  # words are written in pairs
    ours = out if whole else stack_array(CHUNK, out)[: _4 * blocks]
    law(ours, (block & _LOW32, block >> _32, draw, np.uint64(k0), np.uint64(k1)), numbers)
    if not whole:
        for i in range(size):
            out[i] = ours[skip + i]


@inline
def _span(law, out, first, k0, k1, draw, numbers):
    """Fill ``out`` with the elements from ``first`` on, chunk by chunk."""
    for chunk in range(_chunks(first, np.uint64(out.size))):
        begin, end = _chunk_bounds(chunk, first, np.uint64(out.size))
        _part(law, out[begin:end], first + begin, k0, k1, draw, numbers)


@inline
def _chunks(first, size):
    """In how many chunks of the grid the elements [first, first + size) lie."""
    return (first + size + _CHUNK - _1) // _CHUNK - first // _CHUNK


@inline
def _chunk_bounds(chunk, first, size):
    """Where chunk number ``chunk`` of the elements [first, first + size) begins and ends, counted from ``first``."""
    grid = (first // _CHUNK + chunk) * _CHUNK
    begin = first if first > grid else grid
    end = grid + _CHUNK if grid + _CHUNK < first + size else first + size
    return begin - first, end - first


@inline
def _scatter(part, window, offset, shape, strides, place):
    """Put ``part`` at the logical places from ``place`` on of an array that lies in ``window`` with these strides."""
    index = stack_array(_MOST_AXES, np.int64(0))
    for axis in range(shape.size - 1, -1, -1):
        index[axis] = place % shape[axis]
        place //= shape[axis]
        offset += index[axis] * strides[axis]
    last = shape.size - 1
    done = 0
    while done < part.size:
        run = min(shape[last] - index[last], part.size - done)
        for i in range(run):
            window[offset + i * strides[last]] = part[done + i]
        done += run
        offset += run * strides[last]
        index[last] += run
        axis = last
        while axis > 0 and index[axis] == shape[axis]:
            offset += strides[axis - 1] - shape[axis] * strides[axis]
            index[axis] = 0
            axis -= 1
            index[axis] += 1


# ---- kernels ----


class Loops(NamedTuple):
    """The same loop twice: on the calling thread, and on all threads."""

    serial: Any
    parallel: Any


class Kernels(NamedTuple):
    """The loops of a law: over contiguous memory, and over a window with strides."""

    contiguous: Loops
    strided: Loops


def _contiguous(law, suffix, parallel):
    """The loop (out, first, k0, k1, draw, numbers)."""

    @kernel(f"{law.__name__}_contiguous_{suffix}", parallel=parallel)
    def fill(out, first, k0, k1, draw, numbers):
        given = stack_array(_NUMBERS, 0.0)
        for i in range(len(numbers)):
            given[i] = numbers[i]
        start, size, draw = np.uint64(first), np.uint64(out.size), np.uint64(draw)
        for chunk in prange(_chunks(start, size)):
            begin, end = _chunk_bounds(np.uint64(chunk), start, size)
            _part(law, out[begin:end], start + begin, k0, k1, draw, given)

    return fill


def _strided(law, suffix, parallel):
    """The loop (window, offset, shape, strides, first, k0, k1, draw, numbers)."""

    @kernel(f"{law.__name__}_strided_{suffix}", parallel=parallel)
    def fill(window, offset, shape, strides, first, k0, k1, draw, numbers):
        given = stack_array(_NUMBERS, 0.0)
        for i in range(len(numbers)):
            given[i] = numbers[i]
        start, size, draw = np.uint64(first), np.uint64(shape.prod()), np.uint64(draw)
        for chunk in prange(_chunks(start, size)):
            begin, end = _chunk_bounds(np.uint64(chunk), start, size)
            part = stack_array(CHUNK, window)[: end - begin]
            _part(law, part, start + begin, k0, k1, draw, given)
            _scatter(part, window, offset, shape, strides, np.int64(begin))

    return fill


def _sparse(name, suffix, parallel):
    """The loop (matrix, zeros, strip, k0, k1, draw): ``zeros`` zeros into every column, at random rows.

    Selection sampling (Knuth, TAOCP 3.4.2, algorithm S) walks down the rows and decides each element with one word:
    zero with probability ``zeros left / rows left``. It is exact in count, needs no memory but a counter a column, and
    its columns are independent, so they are the SIMD lanes here and strips of them the threads.
    """

    @kernel(f"{name}_{suffix}", parallel=parallel)
    def mask(matrix, zeros, strip, k0, k1, draw):
        rows, columns = np.uint64(matrix.shape[0]), np.uint64(matrix.shape[1])
        width, draw = np.uint64(strip), np.uint64(draw)
        for number in prange((columns + width - _1) // width):
            begin = np.uint64(number) * width
            wide = min(width, columns - begin)
            zero = matrix.dtype.type(0)
            words = stack_array(STRIP, np.uint32(0))[:wide]
            left = stack_array(STRIP, np.uint64(0))[:wide]
            left[:] = np.uint64(zeros)
            for row in range(rows):
                _span(laws.mask_words, words, row * columns + begin, k0, k1, draw, left)
                for i in range(wide):
                    chosen = (np.uint64(words[i]) * (rows - row)) >> _32 < left[i]
                    left[i] -= np.uint64(chosen)
                    value = matrix[row, begin + i]
                    matrix[row, begin + i] = zero if chosen else value

    return mask


def _loops(make, law):
    return Loops(make(law, "serial", False), make(law, "parallel", True))


_LAWS = {
    "bits": (laws.bits32, laws.bits64),
    "uniform": (laws.uniform32, laws.uniform64),
    "normal": (laws.normal32, laws.normal64),
    "trunc_normal": (laws.trunc_normal32, laws.trunc_normal64),
    "tail": (laws.tail32, laws.tail64),
}
#: (name of a law, bytes of an element) → its kernels, compiled at their first call
KERNELS = {
    (name, itemsize): Kernels(_loops(_contiguous, law), _loops(_strided, law))
    for name, pair in _LAWS.items()
    for itemsize, law in zip((4, 8), pair, strict=True)
}
#: (bytes of an element, memory layout as Numba names it) → the loops that put zeros into columns
SPARSE = {
    (itemsize, layout): _loops(_sparse, f"sparse{8 * itemsize}{layout}") for itemsize in (4, 8) for layout in "CFA"
}
