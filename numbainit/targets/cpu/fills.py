"""A checked ndarray, or a block of one, and a law → what fills it for a stream.

Memory that kernels cannot address (misaligned, of foreign byte order, with strides between elements) is filled through
a small scratch, piece by piece.
"""

import functools
from typing import Any

import numpy as np

from numbainit.generator import Stream
from numbainit.memory.dtypes import made_for, part_of
from numbainit.targets.cpu import launch
from numbainit.targets.cpu.turns import parts, slices, turns
from numbainit.targets.cpu.views import as_bytes, as_parts, is_regular, strided, window
from numbainit.targets.target import Filling, Writing, nothing
from numbainit.targets.whole import whole
from numbainit.weights.blocks import Block, c_strides, pieces, whole_block
from numbainit.weights.laws import Law

_WORD = np.dtype("uint32")
_SCRATCH = 1 << 16  # elements of scratch
_MOST_COLUMNS = 1 << 22  # of a sparse matrix that are walked down at a time
_PAGE = 1 << 10  # elements: one in each page of memory
_TIMES_NORMAL = 4  # that a sparse matrix may take, whatever its order
_FEW = 256  # columns, of which a row takes a strip as long as a row of one


def filling(array: np.ndarray, law: Law, block: Block | None) -> Filling:
    """What fills an array, all of a larger one or (with ``block``) a part of it, with a law's values."""
    size, dtype, carray = array.size, array.dtype, array.flags.carray
    if not size:
        return nothing
    if carray and block is None and size < launch.PARALLEL_FROM:
        known = law.known.get(dtype) or _known(law, dtype)
        if known:
            kernel, record, kept = known  # the memory at the record's address lives as long as what reads it
            memory = array.ravel() if dtype.itemsize >= 4 else as_bytes(array)

            def fill(stream: Stream, kept: np.ndarray = kept) -> None:
                kernel(record, memory, *stream)

            return fill
    if dtype.kind == "c":
        whole = None if block is None else block.of_parts()
        return filling(as_parts(array.squeeze() if block is None else array), law, whole)
    _, tasks, functions = launch.kernels()
    address, itemsize, first = functions.address(law.name, dtype.newbyteorder("=")), dtype.itemsize, 0
    if not ((carray and dtype.isnative) or is_regular(array)):
        return functools.partial(_fill_in_pieces, array, law, whole_block(array.shape, block))
    if block is not None:
        first = block.first()
        if not block.is_range(array.shape):
            memory, offset, *axes = strided(array, block.strides)
            given = address, itemsize, offset, first, size, len(axes[0]), *axes[0], *axes[1], *axes[2]
            return launch.doing("block", tasks.pieces(size, axes[0][-1]), size, memory, law.packed, given)
    chunks = tasks.chunks(first, size)
    if carray:
        given = address, itemsize, 0, first, size
        return launch.doing("contiguous", chunks, size, as_bytes(array), law.packed, given)
    memory, offset, shape, strides, _ = strided(array, c_strides(array.shape))
    given = address, itemsize, offset, first, size, len(shape), *shape, *strides
    return launch.doing("strided", chunks, size, memory, law.packed, given)


def _known(law: Law, dtype: np.dtype) -> tuple[Any, int, np.ndarray] | None:
    """What fills small contiguous arrays: a kernel, and the address of all that it must know of a law, which is kept.

    None where a law does not fill such memory as it is.
    """
    if dtype.kind == "c" or not dtype.isnative:
        return None
    loops, _, functions = launch.kernels()
    address = functions.address(law.name, dtype)
    record = np.concatenate([np.array([address, dtype.itemsize]), law.packed.view(np.int64)])
    memory = np.empty(0, dtype if dtype.itemsize >= 4 else np.uint8)
    with whole():
        loops.fill(record.ctypes.data, memory, 0, 0, 0)  # whatever is compiled or loaded is so now
    known: tuple[Any, int, np.ndarray] = law.known.setdefault(dtype, (loops.fill, record.ctypes.data, record))
    return known


def _fill_in_pieces(array: np.ndarray, law: Law, block: Block, stream: Stream) -> None:
    for index in pieces(array.shape, _SCRATCH):
        part = array[index]
        scratch = np.empty(part.shape, array.dtype.newbyteorder("="))
        filling(scratch, law, block.within(index))(stream)
        array[index] = scratch


def filling_sparse(matrix: np.ndarray, zeros: int, law: Law, block: Block) -> Filling:
    """The same, but ``zeros`` elements of each column of the whole matrix, at random rows, become zero."""
    if not matrix.size:
        return nothing
    if not is_regular(matrix):
        return functools.partial(_fill_sparse_in_pieces, matrix, zeros, law, block)
    columns = matrix.shape[1]
    if columns > _MOST_COLUMNS:
        return functools.partial(_fill_sparse_in_parts, matrix, zeros, law, block)
    _, tasks, functions = launch.kernels()
    part = part_of(matrix.dtype)
    halves, share = matrix.itemsize // part.itemsize, -(-columns // launch.threads())
    strip = min(tasks.STRIP // halves, -(-share // 16) * 16)  # at most a thread's share, in whole cache lines
    memory, offset = window(matrix)
    mask, choice = functions.address("mask", _WORD), functions.choice(8 * part.itemsize, halves)
    lies = columns, *matrix.strides, *block.shape, *block.start
    given = functions.address(law.name, part), matrix.itemsize, offset, 0, strip, mask, choice, halves, *lies
    strips, rows = -(-columns // strip), block.start[0] + matrix.shape[0]

    def walk_down(stream: Stream) -> None:
        _touch(matrix)
        left = np.full(columns, zeros, np.uint32)
        run, at_first = launch.how_to_run(matrix.size)
        for row, count in turns(rows, at_first // (_TIMES_NORMAL * max(columns, _FEW))):
            numbers = np.array((*stream, *given, left.ctypes.data, row, row + count), np.int64)
            run(tasks.address("sparse"), memory, law.packed, numbers, 0, strips)

    return walk_down


def _touch(matrix: np.ndarray) -> None:
    """Make the system find memory for all of a large matrix, in turns, where its first row would ask for all of it."""
    if matrix.flags.f_contiguous and matrix.size > _PAGE:
        flat = matrix.T.reshape(-1)
        for part in slices(matrix.size):
            flat[part][::_PAGE] = 0


def _fill_sparse_in_parts(matrix: np.ndarray, zeros: int, law: Law, block: Block, stream: Stream) -> None:
    """Some columns after the others: what is known of each must fit in memory."""
    for begin in range(0, matrix.shape[1], _MOST_COLUMNS):
        index = slice(0, matrix.shape[0]), slice(begin, min(begin + _MOST_COLUMNS, matrix.shape[1]))
        filling_sparse(matrix[index], zeros, law, block.within(index))(stream)


def _fill_sparse_in_pieces(matrix: np.ndarray, zeros: int, law: Law, block: Block, stream: Stream) -> None:
    width = max(1, _SCRATCH // matrix.shape[0])
    for begin in range(0, matrix.shape[1], width):
        index = slice(0, matrix.shape[0]), slice(begin, min(begin + width, matrix.shape[1]))
        scratch = np.empty(matrix[index].shape, matrix.dtype.newbyteorder("="))
        filling_sparse(scratch, zeros, law, block.within(index))(stream)
        for rows in slices(matrix.shape[0], abs(matrix.strides[0]) // matrix.itemsize):
            matrix[rows, index[1]] = scratch[rows]


def writing(array: np.ndarray) -> Writing:
    """What writes values to an index of an array, rounded once from float32 where its dtype is smaller."""
    native = array.dtype.newbyteorder("=")

    def write(index: tuple[slice, ...], values: np.ndarray) -> None:
        array[index] = made_for(values, native).astype(native)

    return write


def constant(array: np.ndarray, value: complex) -> None:
    """Write one value everywhere; ml_dtypes' own assignment takes no notice of the byte order."""
    for part in parts(array):
        if array.dtype.isnative:
            part.fill(value)
        else:
            part[...] = np.full(1, value, array.dtype.newbyteorder("="))
