"""A piece of an array, contiguous, strided or scattered → its elements, by a law that fills contiguous memory.

A task is a C function of four integers: the addresses of memory, of the law's numbers and of what else is ``given``,
and which piece is meant. Every task is given the int64 ``(k0, k1, draw, law, itemsize, offset, first, size)``, then the
number of axes, their lengths, strides and steps. Pieces lie on a fixed grid of the logical indices, so that no counter
is shared between two.

Strides and offsets are in bytes, sizes, steps and numbers in elements; addresses wrap like all uint64.
"""

import functools
from typing import Any

import numpy as np
from numba import types
from numba.extending import register_jitable

from numbainit.maths.scalar import INLINE
from numbainit.targets.cache import c_function
from numbainit.targets.cpu.memory import (
    call_choice,
    call_law,
    copy_run,
    integer_at,
    scratch,
    stack_array,
    words_at,
)
from numbainit.targets.cpu.vectors.chunk import CHUNK

STRIP = 2048  # numbers in a row of a strip of a sparse matrix, which a thread walks down: long rows, state in L1
PIECE = CHUNK // 2  # elements of a run of a block
_CHUNK, _PIECE = np.uint64(CHUNK), np.uint64(PIECE)
_CHUNK_BYTES, _STRIP_BYTES, _WORDS_BYTES = 8 * CHUNK, 16 * STRIP, 4 * STRIP  # of the largest elements, and of words
_AXES, _MOST_AXES = 8, 64  # where their number is given; of a NumPy array
_0, _1, _WORD_BYTES = np.uint64(0), np.uint64(1), np.uint64(4)

inline = register_jitable(**INLINE)


def address(name: str) -> int:
    """Where the task of this name, one of the functions below, is."""
    found: int = compiled(name).address
    return found


@functools.cache
def compiled(name: str) -> Any:
    """The task of this name as a C function, which lives as long as the process."""
    return c_function(name, *[types.uint64] * 4)(_TASKS[name])


# ---- ranges ----


def chunks(first: int, size: int) -> int:
    """In how many chunks of the grid the elements [first, first + size) lie."""
    return (first % CHUNK + size + CHUNK - 1) // CHUNK


@inline
def _bounds(chunk, first, size):
    """Where chunk number ``chunk`` of the elements [first, first + size) begins and ends, counted from ``first``."""
    end = (chunk + _1) * _CHUNK - first % _CHUNK
    return end - _CHUNK if chunk > _0 else _0, min(end, size)


def _contiguous(memory, numbers, given, chunk):
    k0, k1, draw, law, itemsize, offset, first, size = words_at(given, 0, 8)
    begin, end = _bounds(chunk, first, size)
    call_law(law, memory + offset + begin * itemsize, end - begin, first + begin, draw, k0, k1, numbers)


def _strided(memory, numbers, given, chunk):
    """The chunk is made aside, and scattered run by run, as an odometer counts."""
    k0, k1, draw, law, itemsize, offset, first, size = words_at(given, 0, 8)
    begin, end = _bounds(chunk, first, size)
    stretch, left = scratch(_CHUNK_BYTES), end - begin
    call_law(law, stretch, left, first + begin, draw, k0, k1, numbers)
    axes = integer_at(given, _AXES)
    last, shape, strides = axes - 1, _AXES + 1, _AXES + 1 + axes
    index = stack_array(_MOST_AXES, np.int64(0))
    place, rest = memory + offset, np.int64(begin)
    for axis in range(last, -1, -1):
        length = integer_at(given, shape + axis)
        index[axis] = rest % length
        rest //= length
        place += np.uint64(index[axis] * integer_at(given, strides + axis))
    row, step = integer_at(given, shape + last), np.uint64(integer_at(given, strides + last))
    while left > _0:
        run = min(np.uint64(row - index[last]), left)
        copy_run(place, step, stretch, itemsize, run)
        stretch += run * itemsize
        place += run * step
        left -= run
        index[last] += np.int64(run)
        axis = last
        while axis > 0 and index[axis] == integer_at(given, shape + axis):
            place -= np.uint64(index[axis] * integer_at(given, strides + axis))
            index[axis] = 0
            axis -= 1
            place += np.uint64(integer_at(given, strides + axis))
            index[axis] += 1


# ---- blocks of larger arrays ----


def pieces(size: int, run: int) -> int:
    """In how many pieces ``size`` elements are cut that lie in runs of this length."""
    return size // run * -(-run // PIECE)


def _block(memory, numbers, given, piece):
    """The last axis is one along which numbers follow each other; its runs are what is cut into pieces."""
    k0, k1, draw, law, itemsize, place, number, _ = words_at(given, 0, 8)
    axes = integer_at(given, _AXES)
    last, shape, strides, steps = axes - 1, _AXES + 1, _AXES + 1 + axes, _AXES + 1 + 2 * axes
    length, step = np.uint64(integer_at(given, shape + last)), np.uint64(integer_at(given, strides + last))
    each = (length + _PIECE - _1) // _PIECE
    begin, rest = piece % each * _PIECE, np.int64(piece // each)
    place, number = memory + place + begin * step, number + begin
    for axis in range(last - 1, -1, -1):
        index = rest % integer_at(given, shape + axis)
        rest //= integer_at(given, shape + axis)
        place += np.uint64(index * integer_at(given, strides + axis))
        number += np.uint64(index * integer_at(given, steps + axis))
    stretch, run = scratch(_CHUNK_BYTES), min(_PIECE, length - begin)
    call_law(law, stretch, run, number, draw, k0, k1, numbers)
    copy_run(place, step, stretch, itemsize, run)


# ---- sparse matrices ----


def _sparse(memory, numbers, given, strip):
    """Zeros in every column, at random rows, else the law; ``size`` is the number of columns in a strip.

    Given also the addresses of the mask's words and of the choice between them, the parts of an element (each an
    element of the law), columns and strides of the matrix, the shape of the whole one, where this one starts in it, the
    address of how many zeros are left for each column, and which rows of the whole are meant. A strip is walked down
    row by row, from those above the matrix on. Values go to the matrix at once where its rows are contiguous, and are
    chosen from while they are in L1, so memory hides behind arithmetic.
    """
    k0, k1, draw, law, itemsize, offset, _, widest = words_at(given, 0, 8)
    mask, choose, parts, columns, down, right = words_at(given, 8, 6)
    rows, pitch, top, side, left, start, stop = words_at(given, 14, 7)
    begin = strip * widest
    wide = min(widest, columns - begin)
    words, aside = scratch(_WORDS_BYTES), scratch(_STRIP_BYTES)
    for row in range(start, stop):
        first = row * pitch + side + begin
        call_law(mask, words, wide, first, draw, k0, k1, numbers)
        inside, place = row >= top, memory + offset + (row - top) * down + begin * right
        values = place if inside and right == itemsize else aside
        if inside:
            call_law(law, values, wide * parts, first * parts, draw, k0, k1, numbers)
        call_choice(choose, words, rows - row, left + begin * _WORD_BYTES, values, wide)
        if inside and values == aside:
            copy_run(place, right, aside, itemsize, wide)


_TASKS = {"contiguous": _contiguous, "strided": _strided, "block": _block, "sparse": _sparse}
