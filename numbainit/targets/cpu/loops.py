"""An array of a logical range, contiguous or strided → the same array, filled by all cores: the loops of the CPU.

A *law* (``vectors/``) fills contiguous memory. It is compiled once for each dtype, and called through its address; a
*loop* knows where memory lies and how threads share it, and no law. Memory is bytes to it, so it is compiled once for
all dtypes. Loops cut the range into chunks on a fixed grid of the logical indices, so that no counter is shared. They
neither check nor allocate: that is done before they are called.

Strides and offsets are in bytes, sizes, steps and numbers in elements; addresses wrap like all uint64.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import prange
from numba.extending import register_jitable

from numbainit.maths.scalar import INLINE
from numbainit.targets.cache import kernel
from numbainit.targets.cpu.memory import address_of, call_choice, call_law, copy_run, scratch, stack_array
from numbainit.targets.cpu.vectors.chunk import CHUNK
from numbainit.targets.cpu.vectors.functions import address, choice

__all__ = ["BLOCK", "CONTIGUOUS", "SPARSE", "STRIDED", "STRIP", "address", "choice"]

STRIP = 2048  # numbers in a row of a strip of a sparse matrix, which a thread walks down: long rows, state in L1
_CHUNK = np.uint64(CHUNK)
_PIECE = np.uint64(CHUNK // 2)  # elements of a run of a block
_CHUNK_BYTES, _STRIP_BYTES, _WORDS_BYTES = 8 * CHUNK, 16 * STRIP, 4 * STRIP  # of the largest elements, and of words
_MOST_AXES = 64  # of a NumPy array
_0, _1 = np.uint64(0), np.uint64(1)

inline = register_jitable(**INLINE)


class Loops(NamedTuple):
    """The same loop twice: on the calling thread, and on all threads."""

    serial: Any
    parallel: Any


def _loops(make: Any) -> Loops:
    return Loops(make("serial", False), make("parallel", True))


# ---- a chunk of a range ----


@inline
def _chunks(first, size):
    """In how many chunks of the grid the elements [first, first + size) lie."""
    return (first % _CHUNK + size + _CHUNK - _1) // _CHUNK


@inline
def _chunk_bounds(chunk, first, size):
    """Where chunk number ``chunk`` of the elements [first, first + size) begins and ends, counted from ``first``."""
    end = (chunk + _1) * _CHUNK - first % _CHUNK
    return end - _CHUNK if chunk > _0 else _0, min(end, size)


@inline
def _scatter(stretch, itemsize, size, out, shape, strides, place):
    """Put ``size`` elements at the places from ``place`` on of an array at ``out`` with these strides."""
    last = shape.size - 1
    index = stack_array(_MOST_AXES, shape)
    for axis in range(last, -1, -1):
        index[axis] = place % shape[axis]
        place //= shape[axis]
        out += np.uint64(index[axis] * strides[axis])
    while size > _0:
        run = min(np.uint64(shape[last] - index[last]), size)
        copy_run(out, np.uint64(strides[last]), stretch, itemsize, run)
        stretch += run * itemsize
        out += run * np.uint64(strides[last])
        size -= run
        index[last] += np.int64(run)
        axis = last
        while axis > 0 and index[axis] == shape[axis]:
            out += np.uint64(strides[axis - 1] - shape[axis] * strides[axis])
            index[axis] = 0
            axis -= 1
            index[axis] += 1


# ---- loops ----


def _contiguous(way, parallel):
    """The loop (law, memory, size, first, k0, k1, draw, numbers)."""

    @kernel(f"contiguous_{way}", parallel=parallel)
    def fill(law, memory, size, first, k0, k1, draw, numbers):
        start, length = np.uint64(first), np.uint64(size)
        itemsize = np.uint64(memory.nbytes) // length
        out, given = address_of(memory), address_of(numbers)
        for chunk in prange(_chunks(start, length)):
            begin, end = _chunk_bounds(np.uint64(chunk), start, length)
            call_law(law, out + begin * itemsize, end - begin, start + begin, draw, k0, k1, given)

    return fill


def _strided(way, parallel):
    """The loop (law, memory, size, itemsize, offset, shape, strides, first, k0, k1, draw, numbers)."""

    @kernel(f"strided_{way}", parallel=parallel)
    def fill(law, memory, size, itemsize, offset, shape, strides, first, k0, k1, draw, numbers):
        start, length, width = np.uint64(first), np.uint64(size), np.uint64(itemsize)
        out, given = address_of(memory) + np.uint64(offset), address_of(numbers)
        for chunk in prange(_chunks(start, length)):
            begin, end = _chunk_bounds(np.uint64(chunk), start, length)
            stretch = scratch(_CHUNK_BYTES)
            call_law(law, stretch, end - begin, start + begin, draw, k0, k1, given)
            _scatter(stretch, width, end - begin, out, shape, strides, np.int64(begin))

    return fill


def _block(way, parallel):
    """The loop (law, memory, size, itemsize, offset, shape, strides, steps, first, k0, k1, draw, numbers).

    The last axis is one along which numbers follow each other; its runs are what is cut into pieces.
    """

    @kernel(f"block_{way}", parallel=parallel)
    def fill(law, memory, size, itemsize, offset, shape, strides, steps, first, k0, k1, draw, numbers):
        out, given, width = address_of(memory) + np.uint64(offset), address_of(numbers), np.uint64(itemsize)
        last = shape.size - 1
        length, step = np.uint64(shape[last]), np.uint64(strides[last])
        pieces = (length + _PIECE - _1) // _PIECE
        for item in prange(np.uint64(size) // length * pieces):
            begin = np.uint64(item) % pieces * _PIECE
            place, number, rest = out + begin * step, np.uint64(first) + begin, np.int64(np.uint64(item) // pieces)
            for axis in range(last - 1, -1, -1):
                index = rest % shape[axis]
                rest //= shape[axis]
                place += np.uint64(index * strides[axis])
                number += np.uint64(index * steps[axis])
            stretch, run = scratch(_CHUNK_BYTES), min(_PIECE, length - begin)
            call_law(law, stretch, run, number, draw, k0, k1, given)
            copy_run(place, step, stretch, width, run)

    return fill


def _sparse(way, parallel):
    """The loop (laws, memory, shape, itemsize, parts, offset, strides, block, zeros, strip, k0, k1, draw, numbers).

    Zeros in every column, at random rows, else the law. ``laws`` are the addresses of the law, of the mask's words and
    of the choice between them; an element has so many ``parts``, each an element of the law. ``block`` is the shape of
    the whole matrix and where this one starts in it.

    Threads walk down strips of columns, row by row. Values go to the matrix at once where its rows are contiguous, and
    are chosen from while they are in L1, so memory hides behind arithmetic.
    """

    @kernel(f"sparse_{way}", parallel=parallel)
    def fill(laws, memory, shape, itemsize, parts, offset, strides, block, zeros, strip, k0, k1, draw, numbers):
        law, mask, choose = laws
        rows, pitch, top, side = block
        bottom, columns = top + np.uint64(shape[0]), np.uint64(shape[1])
        out, given, width = address_of(memory) + np.uint64(offset), address_of(numbers), np.uint64(itemsize)
        down, right, many, widest = np.uint64(strides[0]), np.uint64(strides[1]), np.uint64(parts), np.uint64(strip)
        for number in prange((columns + widest - _1) // widest):
            begin = np.uint64(number) * widest
            wide = min(widest, columns - begin)
            words, aside, left = scratch(_WORDS_BYTES), scratch(_STRIP_BYTES), stack_array(STRIP, np.uint32(0))
            left[:] = np.uint32(zeros)
            for row in range(bottom):
                first = row * pitch + side + begin
                call_law(mask, words, wide, first, draw, k0, k1, given)
                inside, place = row >= top, out + (row - top) * down + begin * right
                values = place if inside and right == width else aside
                if inside:
                    call_law(law, values, wide * many, first * many, draw, k0, k1, given)
                call_choice(choose, words, rows - row, address_of(left), values, wide)
                if inside and values == aside:
                    copy_run(place, right, aside, width, wide)

    return fill


CONTIGUOUS, STRIDED, BLOCK, SPARSE = _loops(_contiguous), _loops(_strided), _loops(_block), _loops(_sparse)
