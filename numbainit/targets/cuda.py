"""A device array of a logical range, contiguous or strided → the same array, filled by its GPU.

A thread makes whole blocks of four elements: a *law* (``cuda_laws.py``) gives the values, a *put* stores them, and
a *kernel* hands blocks to threads. Blocks are numbered in 64 bits, so an array may hold more than 2^32 elements.
Launches go to the array's own stream, on the device that holds it, and wait for nothing.

This is the only file that imports ``numba.cuda``.
"""

import functools
from typing import Any, NamedTuple

import numpy as np
from numba import cuda
from numba.cuda.cudadrv import driver as api

from numbainit.blocks import c_strides, merged_axes
from numbainit.errors import DeviceError, InvalidValueError
from numbainit.scalar.purposes import ATTEMPT, VALUES
from numbainit.targets import cuda_laws as laws
from numbainit.targets.cuda_laws import inline
from numbainit.targets.device_memory import store, store_four

THREADS = 256  # a thread block
ROUNDS = 32  # blocks of the stream that a thread walks through before it waits for others, in a kernel by rejection
_KINDS = {4: np.float32, 8: np.float64}
_1, _2, _4, _THREADS = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(THREADS)
_ROUNDS = np.uint64(ROUNDS)
_32 = np.uint64(32)


# ---- puts: the four values of a block, of which the first is element ``place``, into memory ----


@inline
def _put_contiguous(where, place, v0, v1, v2, v3):
    """``where`` is (address, size, stop): blocks that begin in [0, stop) are whole, and at multiples of 16 bytes."""
    address, _, stop = where
    if np.uint64(place) < np.uint64(stop):  # unsigned, so one comparison does for both ends
        store_four(address, place, v0, v1, v2, v3)
    else:
        _put_one(where, place, v0)
        _put_one(where, place + 1, v1)
        _put_one(where, place + 2, v2)
        _put_one(where, place + 3, v3)


@inline
def _put_one(where, place, value):
    if 0 <= place < where[1]:
        store(where[0], place, value)


@inline
def _put_strided(where, place, v0, v1, v2, v3):
    """``where`` is (address, size, shape, strides): strides count elements."""
    _put_one_strided(where, place, v0)
    _put_one_strided(where, place + 1, v1)
    _put_one_strided(where, place + 2, v2)
    _put_one_strided(where, place + 3, v3)


@inline
def _put_one_strided(where, place, value):
    address, size, shape, strides = where
    if 0 <= place < size:
        rest, offset = np.uint64(place), 0
        for axis in range(len(shape) - 1, 0, -1):
            length = np.uint64(shape[axis])
            quotient = rest // length
            offset += np.int64(rest - quotient * length) * strides[axis]
            rest = quotient
        store(address, offset + np.int64(rest) * strides[0], value)


@inline
def _find(place, shape, strides, steps):
    """Where element ``place`` of a part lies in memory, and how far its number is from that of the first."""
    rest, offset, number = np.uint64(place), 0, np.uint64(0)
    for axis in range(len(shape) - 1, -1, -1):
        length = np.uint64(shape[axis])
        quotient = rest // length
        index = rest - quotient * length
        offset += np.int64(index) * strides[axis]
        number += index * np.uint64(steps[axis])
        rest = quotient
    return offset, number


# ---- kernels ----


class Kernels(NamedTuple):
    """The kernels of a law: over contiguous memory, over memory with strides, and over a block of a larger array."""

    contiguous: Any
    strided: Any
    block: Any


@inline
def _blocks(where, first):
    """The numbers of the first block of the elements [first, first + size), and of the first after them."""
    begin = np.uint64(first) // _4
    return begin, begin + (np.uint64(first) % _4 + np.uint64(where[1]) + np.uint64(3)) // _4  # up to number 2^64


@inline
def _place(block, first):
    """The place in the array of the first element of a block; before the array for part of one."""
    return np.int64(block * _4) - first


def _direct(law, put):
    """The kernel (where, first, k0, k1, draw, numbers) of a law whose first attempt counts."""

    @cuda.jit
    def fill(where, first, k0, k1, draw, numbers):
        stream = np.uint64(draw), np.uint64(k0), np.uint64(k1)
        block, end = _blocks(where, first)
        block += np.uint64(cuda.grid(1))
        step = np.uint64(cuda.gridsize(1))
        while block < end:
            v0, v1, v2, v3 = law(stream, block, VALUES, numbers)
            put(where, _place(block, first), v0, v1, v2, v3)
            block += step

    return fill


def _by_rejection(law, put, kind):
    """The same kernel, for a law of which each element takes the first attempt that lies within the bounds.

    In each turn of the loop a thread makes one attempt for its four elements, and goes on to its next block if all have
    a value: threads of a warp never wait for one that has to try again, only for the end of a tile. At two sigma that
    takes 1.34 turns a block, where waiting after each block would take 2.25. Longer tiles would gain little, and
    scatter what is written at a time over more memory than the cache holds.
    """

    @cuda.jit
    def fill(where, first, k0, k1, draw, numbers):
        stream = np.uint64(draw), np.uint64(k0), np.uint64(k1)
        smallest, largest, nothing = kind(numbers[-2]), kind(numbers[-1]), kind(np.nan)
        tile, end = _blocks(where, first)
        rounds = min((end - tile) // np.uint64(cuda.gridsize(1)) + _1, _ROUNDS)  # few, where there is work for few
        length = rounds * _THREADS
        tile += np.uint64(cuda.blockIdx.x) * length
        step = np.uint64(cuda.gridDim.x) * length
        while tile < end:
            block, stop = tile + np.uint64(cuda.threadIdx.x), min(tile + length, end)
            v0, v1, v2, v3 = nothing, nothing, nothing, nothing
            tag = VALUES
            while block < stop:
                p0, p1, p2, p3 = law(stream, block, tag, numbers)
                v0 = v0 if smallest <= v0 <= largest else p0
                v1 = v1 if smallest <= v1 <= largest else p1
                v2 = v2 if smallest <= v2 <= largest else p2
                v3 = v3 if smallest <= v3 <= largest else p3
                tag += ATTEMPT
                left = smallest <= v0 <= largest and smallest <= v1 <= largest
                right = smallest <= v2 <= largest and smallest <= v3 <= largest
                if left and right:
                    put(where, _place(block, first), v0, v1, v2, v3)
                    block, tag = block + _THREADS, VALUES
                    v0, v1, v2, v3 = nothing, nothing, nothing, nothing
            tile += step

    return fill


@inline
def _lane(number, v0, v1, v2, v3):
    """The value of element ``number`` of its block. By selects: an index needs memory."""
    even, odd = (v2 if number & _2 else v0), (v3 if number & _2 else v1)
    return odd if number & _1 else even


def _block_direct(law):
    """The kernel (where, first, k0, k1, draw, numbers) for a block of a larger array: a thread makes one element.

    ``where`` is (address, size, shape, strides, steps). It takes four times the arithmetic, and knows no neighbours.
    """

    @cuda.jit
    def fill(where, first, k0, k1, draw, numbers):
        stream = np.uint64(draw), np.uint64(k0), np.uint64(k1)
        address, size, shape, strides, steps = where
        place, stride = np.int64(cuda.grid(1)), np.int64(cuda.gridsize(1))
        while place < size:
            offset, number = _find(place, shape, strides, steps)
            number += np.uint64(first)
            v0, v1, v2, v3 = law(stream, number // _4, VALUES, numbers)
            store(address, offset, _lane(number, v0, v1, v2, v3))
            place += stride

    return fill


def _block_by_rejection(law, kind):
    """The same kernel, for a law of which each element takes the first attempt that lies within the bounds."""

    @cuda.jit
    def fill(where, first, k0, k1, draw, numbers):
        stream = np.uint64(draw), np.uint64(k0), np.uint64(k1)
        smallest, largest = kind(numbers[-2]), kind(numbers[-1])
        address, size, shape, strides, steps = where
        place, stride = np.int64(cuda.grid(1)), np.int64(cuda.gridsize(1))
        while place < size:
            offset, number = _find(place, shape, strides, steps)
            number += np.uint64(first)
            value, tag = kind(np.nan), VALUES
            while not smallest <= value <= largest:
                v0, v1, v2, v3 = law(stream, number // _4, tag, numbers)
                value = _lane(number, v0, v1, v2, v3)
                tag += ATTEMPT
            store(address, offset, value)
            place += stride

    return fill


def _sparse(kind):
    """The kernel (address, shape, strides, block, zeros, k0, k1, draw): zeros into every column, at random rows.

    Selection sampling (Knuth, TAOCP 3.4.2, algorithm S), as on the CPU. A thread walks down one column, so that
    threads beside each other write beside each other. ``block`` is the shape of the whole matrix, each of whose columns
    has ``zeros`` zeros, and where this one starts in it.
    """

    @cuda.jit
    def mask(address, shape, strides, block, zeros, k0, k1, draw):
        stream = np.uint64(draw), np.uint64(k0), np.uint64(k1)
        rows, pitch, top, side = block
        bottom, columns = np.uint64(top) + np.uint64(shape[0]), np.uint64(shape[1])
        column, step = np.uint64(cuda.grid(1)), np.uint64(cuda.gridsize(1))
        while column < columns:
            left, row = np.uint64(zeros), np.uint64(0)
            while row < bottom and left > np.uint64(0):
                place = row * np.uint64(pitch) + np.uint64(side) + column
                word = np.uint64(laws.mask_word(stream, place))
                if (word * (np.uint64(rows) - row)) >> _32 < left:
                    left -= np.uint64(1)
                    if row >= np.uint64(top):
                        here = np.int64(row - np.uint64(top))
                        store(address, here * strides[0] + np.int64(column) * strides[1], kind(0))
                row += np.uint64(1)
            column += step

    return mask


_DIRECT = ("bits", "constant", "uniform", "normal")
_BY_REJECTION = ("trunc_normal", "tail")


def _kernels(name, itemsize):
    law = getattr(laws, f"{name}{8 * itemsize}")
    if name in _DIRECT:
        block = None if name == "constant" else _block_direct(law)  # a constant is the same everywhere
        return Kernels(_direct(law, _put_contiguous), _direct(law, _put_strided), block)
    kind = _KINDS[itemsize]
    contiguous, strided = (_by_rejection(law, put, kind) for put in (_put_contiguous, _put_strided))
    return Kernels(contiguous, strided, _block_by_rejection(law, kind))


#: (name of a law, bytes of an element) → its kernels, compiled at their first call
KERNELS = {(name, itemsize): _kernels(name, itemsize) for name in _DIRECT + _BY_REJECTION for itemsize in _KINDS}
#: bytes of an element → the kernel that puts zeros into columns
SPARSE = {itemsize: _sparse(kind) for itemsize, kind in _KINDS.items()}


# ---- launching ----

_FEWEST_BLOCKS = 128  # Numba warns of an idle GPU below; thread blocks without work cost nothing
_BLOCKS_PER_SM = 8  # that fill it, at 2,048 threads


def fill(array, law, stream, block):
    """Fill a non-empty DeviceArray, a part of a larger array or (None) all of it, for the stream ``(k0, k1, draw)``."""
    kernels = KERNELS[law.name, array.itemsize]
    numbers = law.numbers or (0.0,)  # Numba wants its tuples to have a type of element
    first = 0 if block is None else block.first()
    if block is not None and not block.is_range(array.shape):
        shape, strides, steps = zip(*merged_axes(array, block.strides), strict=True)
        where = (array.pointer, array.size, shape, strides, steps)
        _launch(kernels.block, array.size, array, (where, first, *stream, numbers))
        return
    shape, strides, _ = zip(*merged_axes(array, c_strides(array.shape)), strict=True)
    blocks = (first % 4 + array.size + 3) // 4
    if len(shape) == 1 and strides[0] in (0, 1):
        aligned = (array.pointer - first * array.itemsize) % 16 == 0
        where = (array.pointer, array.size, max(array.size - 3, 0) if aligned else 0)
        _launch(kernels.contiguous, blocks, array, (where, first, *stream, numbers))
    else:
        where = (array.pointer, array.size, shape, strides)
        _launch(kernels.strided, blocks, array, (where, first, *stream, numbers))


def fill_sparse(matrix, zeros, law, stream, block):
    """Fill a non-empty matrix, a part of a larger one, but ``zeros`` of each column of the whole with zeros."""
    fill(matrix, law, stream, block)
    if zeros:
        strides = tuple(stride // matrix.itemsize for stride in matrix.strides)
        place = (*block.shape, *block.start)
        arguments = (matrix.pointer, matrix.shape, strides, place, zeros, *stream)
        _launch(SPARSE[matrix.itemsize], matrix.shape[1], matrix, arguments)


def _launch(kernel, tasks, array, arguments):
    """Run ``tasks`` threads, or as many as the device holds, on the array's device and stream."""
    device = cuda.gpus[ordinal_of(array)]
    with device:
        stream = cuda.external_stream(array.stream) if array.stream else 0
        most = _BLOCKS_PER_SM * device.MULTIPROCESSOR_COUNT
        grid = max(_FEWEST_BLOCKS, min(-(-tasks // THREADS), most))
        kernel[grid, THREADS, stream](*arguments)


def ordinal_of(array):
    """The number of the device that holds a non-empty DeviceArray."""
    check_driver()
    attribute = api.binding.CUpointer_attribute.CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL
    try:
        return int(api.driver.cuPointerGetAttribute(attribute, array.pointer))
    except api.CudaAPIError as error:
        raise InvalidValueError(
            f"got an array at address {array.pointer:#x}, which the CUDA driver does not know ({error}): was it freed, "
            "or made in another process?"
        ) from None


@functools.cache
def check_driver():
    """Raise a :class:`DeviceError` where there is no driver, no card, or an older CUDA in the driver than installed."""
    if not cuda.is_available():
        raise DeviceError(
            f"found no CUDA device ({_reason()}): install the NVIDIA driver and check that nvidia-smi lists a card, or "
            "use device='cpu'"
        )
    known, installed = api.driver.get_version(), cuda.runtime.get_version()
    if known[0] < installed[0]:
        raise DeviceError(
            f"the NVIDIA driver knows CUDA up to {known[0]}.{known[1]}, but CUDA {installed[0]}.{installed[1]} is "
            f'installed: update the driver, or pip install "numbainit[cuda{known[0]}]" in a fresh environment'
        )


def _reason():
    return " ".join((cuda.cuda_error() or "no card").split()).rstrip(":.")


def check_device(ordinal):
    """Raise a :class:`DeviceError` if there is no device of this number."""
    check_driver()
    if ordinal >= len(cuda.gpus):
        raise DeviceError(f"there is no cuda:{ordinal}: {len(cuda.gpus)} CUDA devices, numbered from 0, are here")


def empty(shape, dtype, ordinal):
    """A new Numba device array."""
    check_device(ordinal)
    with cuda.gpus[ordinal]:
        return cuda.device_array(shape, dtype)


# ---- measuring ----


def on(ordinal):
    """A context in which new work of this thread goes to a device."""
    return cuda.gpus[ordinal]


def synchronize():
    """Wait for all work of the current device."""
    cuda.synchronize()


def device_seconds(call):
    """How long the device works on what a call puts on the default stream."""
    begin, end = cuda.event(), cuda.event()
    begin.record()
    call()
    end.record()
    end.synchronize()
    return cuda.event_elapsed_time(begin, end) / 1e3


def facts(ordinal):
    """What a table of timings must say about where they were taken."""
    name = cuda.gpus[ordinal].name
    versions = {"driver": api.driver.get_version(), "cuda": cuda.runtime.get_version()}
    known = {key: ".".join(map(str, version)) for key, version in versions.items()}
    return known | {"device": name.decode() if isinstance(name, bytes) else str(name)}
