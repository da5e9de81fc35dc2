"""An array of a logical range, contiguous or strided → the same array, filled by all cores: the loops of the CPU.

A *law* (``laws.py``) fills contiguous memory, four elements a counter. It is compiled once for each width, and called
through its address; a *loop* knows where memory lies and how threads share it, and no law, so neither is compiled again
for each of the other. Loops cut the range into chunks on a fixed grid of the logical indices, so that no counter is
shared. They neither check nor allocate: that is done before they are called.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import prange

from numbainit.targets.cache import kernel
from numbainit.targets.cpu.laws import CHUNK, address, inline
from numbainit.targets.cpu.stack import address_of, as_parts, call_law, parts, stack_array

STRIP = 2048  # numbers in a row of a strip of a sparse matrix, which a thread walks down: long rows, state in L1
_STRIP_WORDS = STRIP + 8  # of all counters that they lie in
_CHUNK = np.uint64(CHUNK)
_MOST_AXES = 64  # of a NumPy array
_PIECE = CHUNK // 2  # elements of a run of a block: with the others of their counters at each end they fit in a chunk
_32 = np.uint64(32)
_0, _1, _3, _4, _7 = np.uint64(0), np.uint64(1), np.uint64(3), np.uint64(4), np.uint64(7)


# ---- stretches: from any element to any element ----


@inline
def _stretch(law, out, first, stream, numbers):
    """Fill ``out`` with the elements from ``first`` on, all of whose counters fit in a chunk."""
    size, skip = np.uint64(out.size), first & _3
    counters, counter = (skip + size + _3) // _4, first // _4
    if skip == _0 and size & _3 == _0 and address_of(out) & _7 == _0:  # words are written in pairs
        call_law(law, address_of(out), counters, counter, *stream, numbers)
    else:
        whole = stack_array(CHUNK, out)
        call_law(law, address_of(whole), counters, counter, *stream, numbers)
        for i in range(size):
            out[i] = whole[skip + i]


@inline
def _chunks(first, size):
    """In how many chunks of the grid the elements [first, first + size) lie."""
    return (first % _CHUNK + size + _CHUNK - _1) // _CHUNK


@inline
def _chunk_bounds(chunk, first, size):
    """Where chunk number ``chunk`` of the elements [first, first + size) begins and ends, counted from ``first``."""
    skip = first % _CHUNK
    begin = chunk * _CHUNK - skip if chunk > _0 else _0
    return begin, min((chunk + _1) * _CHUNK - skip, size)


@inline
def _scatter(stretch, window, offset, shape, strides, place):
    """Put ``stretch`` at the places from ``place`` on of an array that lies in ``window`` with these strides."""
    index = stack_array(_MOST_AXES, np.int64(0))
    for axis in range(shape.size - 1, -1, -1):
        index[axis] = place % shape[axis]
        place //= shape[axis]
        offset += index[axis] * strides[axis]
    last = shape.size - 1
    done = 0
    while done < stretch.size:
        run = min(shape[last] - index[last], stretch.size - done)
        for i in range(run):
            window[offset + i * strides[last]] = stretch[done + i]
        done += run
        offset += run * strides[last]
        index[last] += run
        axis = last
        while axis > 0 and index[axis] == shape[axis]:
            offset += strides[axis - 1] - shape[axis] * strides[axis]
            index[axis] = 0
            axis -= 1
            index[axis] += 1


# ---- loops ----


class Loops(NamedTuple):
    """The same loop twice: on the calling thread, and on all threads."""

    serial: Any
    parallel: Any


def _loops(make, *arguments):
    return Loops(make(*arguments, "serial", False), make(*arguments, "parallel", True))


def _contiguous(way, parallel):
    """The loop (law, out, first, k0, k1, draw, numbers)."""

    @kernel(f"contiguous_{way}", parallel=parallel)
    def fill(law, out, first, k0, k1, draw, numbers):
        start, size = np.uint64(first), np.uint64(out.size)
        stream = np.uint64(draw), np.uint64(k0), np.uint64(k1)
        given = address_of(numbers)
        for chunk in prange(_chunks(start, size)):
            begin, end = _chunk_bounds(np.uint64(chunk), start, size)
            _stretch(law, out[begin:end], start + begin, stream, given)

    return fill


def _strided(way, parallel):
    """The loop (law, window, offset, shape, strides, first, k0, k1, draw, numbers)."""

    @kernel(f"strided_{way}", parallel=parallel)
    def fill(law, window, offset, shape, strides, first, k0, k1, draw, numbers):
        start, size = np.uint64(first), np.uint64(shape.prod())
        stream = np.uint64(draw), np.uint64(k0), np.uint64(k1)
        given = address_of(numbers)
        for chunk in prange(_chunks(start, size)):
            begin, end = _chunk_bounds(np.uint64(chunk), start, size)
            stretch = stack_array(CHUNK, window)[: end - begin]
            _stretch(law, stretch, start + begin, stream, given)
            _scatter(stretch, window, offset, shape, strides, np.int64(begin))

    return fill


def _block(way, parallel):
    """The loop (law, window, offset, shape, strides, steps, first, k0, k1, draw, numbers).

    The last axis is one along which numbers follow each other; its runs are what is cut into pieces.
    """

    @kernel(f"block_{way}", parallel=parallel)
    def fill(law, window, offset, shape, strides, steps, first, k0, k1, draw, numbers):
        stream = np.uint64(draw), np.uint64(k0), np.uint64(k1)
        given = address_of(numbers)
        last = shape.size - 1
        pieces = (shape[last] + _PIECE - 1) // _PIECE
        for item in prange(shape[:last].prod() * pieces):
            begin = item % pieces * _PIECE
            place, number, rest = offset + begin * strides[last], begin, item // pieces
            for axis in range(last - 1, -1, -1):
                index = rest % shape[axis]
                rest //= shape[axis]
                place += index * strides[axis]
                number += index * steps[axis]
            stretch = stack_array(CHUNK, window)[: min(_PIECE, shape[last] - begin)]
            _stretch(law, stretch, np.uint64(first) + np.uint64(number), stream, given)
            for i in range(stretch.size):
                window[place + i * strides[last]] = stretch[i]

    return fill


@inline
def _in_place(out, scratch):
    return out


@inline
def _aside(out, scratch):
    return scratch


def _sparse(layout, way, parallel):
    """The loop (law, mask, matrix, block, zeros, strip, k0, k1, draw, numbers): zeros in every column, else the law.

    ``block`` is the shape of the whole matrix and where this one starts in it.

    Selection sampling (Knuth, TAOCP 3.4.2, algorithm S) walks down the rows and decides each element with one word:
    zero with probability ``zeros left / rows left``. It is exact in count, needs no memory but a counter a column, and
    its columns are independent, so they are the SIMD lanes here and strips of them the threads. Values go to the matrix
    while they are made and are chosen from while they are in L1, so memory hides behind arithmetic. A complex element
    takes one word of the mask and two of the values.
    """
    place = _in_place if layout == "C" else _aside

    @kernel(f"sparse_{layout}_{way}", parallel=parallel)
    def fill(law, mask, matrix, block, zeros, strip, k0, k1, draw, numbers):
        rows, pitch, top, side = block
        bottom, columns = top + np.uint64(matrix.shape[0]), np.uint64(matrix.shape[1])
        stream = np.uint64(draw), np.uint64(k0), np.uint64(k1)
        given = address_of(numbers)
        width = np.uint64(strip)
        for number in prange((columns + width - _1) // width):
            begin = np.uint64(number) * width
            wide = min(width, columns - begin)
            zero = matrix.dtype.type(0)
            scratch = stack_array(STRIP, matrix)[:wide]
            words = stack_array(_STRIP_WORDS, np.uint32(0))
            left = stack_array(STRIP, np.uint64(0))[:wide]  # zeros to come in each column, times 2^32
            left[:] = np.uint64(zeros) << _32
            for row in range(bottom):
                first = row * pitch + side + begin
                skip = first & _3
                call_law(mask, address_of(words), (skip + wide + _3) // _4, first // _4, *stream, given)
                if row < top:
                    for i in range(wide):
                        left[i] -= np.uint64(np.uint64(words[skip + i]) * (rows - row) < left[i]) << _32
                    continue
                out = matrix[row - top, begin : begin + wide]
                values = place(out, scratch)
                _stretch(law, as_parts(values), first * parts(matrix), stream, given)
                for i in range(wide):
                    chosen = np.uint64(words[skip + i]) * (rows - row) < left[i]
                    left[i] -= np.uint64(chosen) << _32
                    out[i] = zero if chosen else values[i]

    return fill


__all__ = ["BLOCK", "CONTIGUOUS", "SPARSE", "STRIDED", "STRIP", "address"]
CONTIGUOUS, STRIDED, BLOCK = _loops(_contiguous), _loops(_strided), _loops(_block)
#: memory layout as Numba names it → the loops of sparse matrices
SPARSE = {layout: _loops(_sparse, layout) for layout in "CFA"}
