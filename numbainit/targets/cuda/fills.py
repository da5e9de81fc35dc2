"""A device array, or a block of one, of any layout → what fills it, on its GPU and on its own stream.

A *loop* (``cuda_loops.py``) becomes a kernel for each law, dtype and kind of memory when it is first asked for.
"""

import functools
from typing import Any, NamedTuple

import numpy as np

from numbainit.scalar.formats import SMALL
from numbainit.targets.cache import sources_digest
from numbainit.targets.cuda import driver
from numbainit.targets.cuda import laws as cuda_laws
from numbainit.targets.cuda import loops as cuda_loops
from numbainit.targets.cuda.codes import code
from numbainit.targets.cuda.driver import LOCK, cuda
from numbainit.weights.blocks import c_strides, merged_axes

_VECTOR = 16  # bytes that a thread stores at a time, where it can
_WORDS = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}
_BY_REJECTION = ("trunc_normal", "tail")
_BOUND_BY_ARITHMETIC = ("normal", "complex_normal")  # where wider stores gain less than two blocks at once cost


# ---- kernels ----


class Kernels(NamedTuple):
    """The kernels of a law: over contiguous memory, over memory with strides, and over a block of a larger array.

    In contiguous memory a thread makes ``blocks`` blocks of the stream at a time.
    """

    contiguous: Any
    strided: Any
    block: Any
    blocks: int


def _kernel(name):
    """Compile the decorated function at its first launch, as ``name``, and keep it on disk like the CPU's kernels."""

    def decorate(function):
        function.__qualname__ = f"{name}_{sources_digest()}"
        try:
            return cuda.jit(cache=True)(function)
        except RuntimeError:  # "cannot cache function": no folder can be written
            return cuda.jit(function)

    return decorate


def _fill_kernel(name, loop):
    """The kernel (where, first, k0, k1, draw, numbers)."""

    @_kernel(name)
    def fill(where, first, k0, k1, draw, numbers):
        thread, threads = np.uint64(cuda.grid(1)), np.uint64(cuda.gridsize(1))
        loop(thread, threads, where, first, k0, k1, draw, numbers)

    return fill


def _mask_kernel(name, loop):
    """The kernel (address, shape, strides, block, zeros, k0, k1, draw)."""

    @_kernel(name)
    def mask(address, shape, strides, block, zeros, k0, k1, draw):
        thread, threads = np.uint64(cuda.grid(1)), np.uint64(cuda.gridsize(1))
        loop(thread, threads, address, shape, strides, block, zeros, k0, k1, draw)

    return mask


def kernels(name, dtype, capability):
    """The kernels of a law for a dtype, on GPUs of a compute capability; each is compiled when it is first needed."""
    with LOCK:
        return _kernels(name, dtype, capability)


@functools.cache
def _kernels(name, dtype, capability):
    loops, blocks = cuda_loops, 1
    width = 32 if dtype.name in SMALL else 8 * dtype.itemsize
    law, stored = getattr(cuda_laws, f"{name}{width}"), code(dtype.name, capability)
    if name in _BY_REJECTION:
        kind = np.float64 if width == 64 else np.float32
        contiguous, strided = (
            loops.by_rejection(law, stored, put, kind) for put in (loops.put_contiguous, loops.put_strided)
        )
        block = loops.block_by_rejection(law, stored, kind)
    else:
        codes = loops.coded(law, stored)
        blocks = 1 if name in _BOUND_BY_ARITHMETIC else max(_VECTOR // dtype.itemsize // 4, 1)
        contiguous = loops.direct(codes, loops.put_contiguous, blocks)
        strided, block = loops.direct(codes, loops.put_strided, 1), loops.block_direct(codes)
    ways = {"contiguous": contiguous, "strided": strided, "block": block}
    return Kernels(*(_fill_kernel(f"gpu_{name}_{dtype.name}_{way}", loop) for way, loop in ways.items()), blocks)


def mask_kernel(itemsize):
    """The kernel that puts zeros into the columns of a matrix of elements of so many bytes."""
    with LOCK:
        return _mask(itemsize)


@functools.cache
def _mask(itemsize):
    word = min(itemsize, 8)
    return _mask_kernel(f"gpu_mask_{itemsize}", cuda_loops.sparse(_WORDS[word], itemsize // word))


# ---- fills ----


def filling(array, law, block):
    """What fills a non-empty DeviceArray, a part of a larger array or (None) all of it, by ``(k0, k1, draw)``.

    All that can fail is done before it is called: the device is looked at, and the kernel compiled and loaded.
    """
    device = driver.device_of(array)
    known = kernels(law.name, array.dtype, device.capability)
    numbers = law.numbers or (0.0,)  # Numba wants its tuples to have a type of element
    first = 0 if block is None else _signed(block.first())
    if block is not None and not block.is_range(array.shape):
        shape, strides, steps = zip(*merged_axes(array, block.strides), strict=True)
        where, kernel, elements = (array.pointer, array.size, shape, strides, steps), known.block, 1
    elif array.is_contiguous():
        elements = 4 * known.blocks
        aligned = (array.pointer - first * array.itemsize) % min(_VECTOR, elements * array.itemsize) == 0
        stop = max(array.size - (elements - 1), 0) if aligned else 0
        where, kernel = (array.pointer, array.size, stop), known.contiguous
    else:
        shape, strides, _ = zip(*merged_axes(array, c_strides(array.shape)), strict=True)
        where, kernel, elements = (array.pointer, array.size, shape, strides), known.strided, 4
    tasks = (first % elements + array.size + elements - 1) // elements
    return driver.launching(kernel, tasks, device, array.stream, (where, first), (numbers,))


def filling_sparse(matrix, zeros, law, block):
    """The same for a non-empty matrix, a part of a larger one, each of whose columns gets so many zeros."""
    parts = matrix.parts()
    fill = filling(parts, law, block if parts is matrix else block.of_parts())
    if not zeros:
        return fill
    strides = tuple(stride // matrix.itemsize for stride in matrix.strides)
    where = matrix.pointer, matrix.shape, strides, (*block.shape, *block.start), zeros
    mask = driver.launching(
        mask_kernel(matrix.itemsize), matrix.shape[1], driver.device_of(matrix), matrix.stream, where, ()
    )

    def both(stream):
        fill(stream)
        mask(stream)

    return both


def _signed(number):
    """A number below 2^64 as the int64 of the same bits: arguments of a kernel have one type."""
    return number - (number >> 63 << 64)
