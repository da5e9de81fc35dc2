"""A checked array on a GPU, or a block of one, and a law → what fills it for a stream, on its GPU and its own stream.

A *loop* (``loops.py``) becomes a kernel for each law, dtype and kind of memory when it is first asked for.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from numbainit.generator import Stream
from numbainit.memory.device import DeviceArray
from numbainit.scalar.formats import SMALL
from numbainit.targets.cache import sources_digest
from numbainit.targets.cuda import driver, laws, loops
from numbainit.targets.cuda.codes import code
from numbainit.targets.cuda.driver import LOCK, cuda
from numbainit.targets.target import Filling, nothing
from numbainit.weights.blocks import Block, c_strides, merged_axes
from numbainit.weights.laws import Law

_VECTOR = 16  # bytes that a thread stores at a time, where it can
_WORDS = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}
_BY_REJECTION = ("trunc_normal", "tail")
_BOUND_BY_ARITHMETIC = ("normal", "complex_normal")  # where wider stores gain less than two counters at once cost


# ---- kernels ----


class Kernels(NamedTuple):
    """The kernels of a law: over contiguous memory, over memory with strides, and over a block of a larger array.

    In contiguous memory a thread makes the words of so many ``counters`` at a time.
    """

    contiguous: Any
    strided: Any
    block: Any
    counters: int


def _kernel(name: str) -> Callable[[Any], Any]:
    """Compile the decorated function at its first launch, as ``name``, and keep it on disk like the CPU's kernels."""

    def decorate(function: Any) -> Any:
        function.__qualname__ = f"{name}_{sources_digest()}"
        try:
            return cuda.jit(cache=True)(function)
        except RuntimeError:  # "cannot cache function": no folder can be written
            return cuda.jit(function)

    return decorate


def _fill_kernel(name: str, loop: Any) -> Any:
    """The kernel (where, first, k0, k1, draw, numbers)."""

    @_kernel(name)
    def fill(where, first, k0, k1, draw, numbers):
        thread, threads = np.uint64(cuda.grid(1)), np.uint64(cuda.gridsize(1))
        loop(thread, threads, where, first, k0, k1, draw, numbers)

    return fill


def _mask_kernel(name: str, loop: Any) -> Any:
    """The kernel (address, shape, strides, block, zeros, k0, k1, draw)."""

    @_kernel(name)
    def mask(address, shape, strides, block, zeros, k0, k1, draw):
        thread, threads = np.uint64(cuda.grid(1)), np.uint64(cuda.gridsize(1))
        loop(thread, threads, address, shape, strides, block, zeros, k0, k1, draw)

    return mask


def _write_kernel(name: str, loop: Any) -> Any:
    """The kernel (where, what), which reads no words."""

    @_kernel(name)
    def write(where, what):
        thread, threads = np.uint64(cuda.grid(1)), np.uint64(cuda.gridsize(1))
        loop(thread, threads, where, what)

    return write


def kernels(name: str, dtype: np.dtype, capability: tuple[int, int]) -> Kernels:
    """The kernels of a law for a dtype, on GPUs of a compute capability; each is compiled when it is first needed."""
    with LOCK:
        return _kernels(name, dtype, capability)


@functools.cache
def _kernels(name: str, dtype: np.dtype, capability: tuple[int, int]) -> Kernels:
    counters = 1
    width = 32 if dtype.name in SMALL else 8 * dtype.itemsize
    law, stored = getattr(laws, f"{name}{width}"), code(dtype.name, capability)
    if name in _BY_REJECTION:
        kind = np.float64 if width == 64 else np.float32
        contiguous, strided = (
            loops.by_rejection(law, stored, put, kind) for put in (loops.put_contiguous, loops.put_strided)
        )
        block = loops.block_by_rejection(law, stored, kind)
    else:
        codes = loops.coded(law, stored)
        counters = 1 if name in _BOUND_BY_ARITHMETIC else _counters(dtype.itemsize)
        contiguous = loops.direct(codes, loops.put_contiguous, counters)
        strided, block = loops.direct(codes, loops.put_strided, 1), loops.block_direct(codes)
    ways = {"contiguous": contiguous, "strided": strided, "block": block}
    return Kernels(*(_fill_kernel(f"gpu_{name}_{dtype.name}_{way}", loop) for way, loop in ways.items()), counters)


def _counters(itemsize: int) -> int:
    """How many counters make the bytes that a thread stores at a time."""
    return max(_VECTOR // itemsize // 4, 1)


def mask_kernel(itemsize: int) -> Any:
    """The kernel that puts zeros into the columns of a matrix of elements of so many bytes."""
    with LOCK:
        return _mask(itemsize)


@functools.cache
def _mask(itemsize: int) -> Any:
    word = min(itemsize, 8)
    return _mask_kernel(f"gpu_mask_{itemsize}", loops.sparse(_WORDS[word], itemsize // word))


def write_kernels(what: str, dtype: np.dtype, capability: tuple[int, int]) -> Kernels:
    """The kernels of what reads no words: a "constant", given by its bits, or the "copy" of floats as they are made."""
    with LOCK:
        return _write_kernels(what, dtype, capability)


@functools.cache
def _write_kernels(what: str, dtype: np.dtype, capability: tuple[int, int]) -> Kernels:
    counters, ways = _counters(dtype.itemsize), {"contiguous": loops.put_contiguous, "strided": loops.put_strided}
    made: list[Any] = []
    for way, put in ways.items():
        each = counters if way == "contiguous" else 1
        if what == "constant":
            loop = loops.constant(_WORDS[dtype.itemsize], put, each)
        else:
            made_in = np.float64 if dtype.itemsize == 8 else np.float32
            loop = loops.copy(made_in(0), code(dtype.name, capability), put, each)
        made.append(_write_kernel(f"gpu_{what}_{dtype.name}_{way}", loop))
    return Kernels(*made, None, counters)


# ---- where elements lie ----


def _place(array: DeviceArray, known: Kernels, first: int = 0) -> tuple[Any, tuple[Any, ...], int]:
    """The kernel for the memory of an array, ``where`` its elements lie for it, and how many a thread makes at a time.

    In contiguous memory that is ``(address, size, stop)``: from elements in [0, stop) on so many can be stored at once.
    """
    if array.is_contiguous():
        elements = 4 * known.counters
        aligned = (array.pointer - first * array.itemsize) % min(_VECTOR, elements * array.itemsize) == 0
        stop = max(array.size - (elements - 1), 0) if aligned else 0
        return known.contiguous, (array.pointer, array.size, stop), elements
    shape, strides, _ = zip(*merged_axes(array, c_strides(array.shape)), strict=True)
    return known.strided, (array.pointer, array.size, shape, strides), 4


# ---- fills ----


def filling(array: DeviceArray, law: Law, block: Block | None) -> Filling:
    """What fills an array, all of a larger one or (with ``block``) a part of it, with a law's values.

    All that can fail is done before it is called: the device is looked at, and the kernel compiled and loaded.
    """
    if not array.size:
        return nothing
    parts = array.parts()
    if parts is not array:
        return filling(parts, law, block.of_parts() if block else None)
    device = driver.device_of(array)
    known = kernels(law.name, array.dtype, device.capability)
    numbers = law.numbers or (0.0,)  # Numba wants its tuples to have a type of element
    first = 0 if block is None else _signed(block.first())
    if block is not None and not block.is_range(array.shape):
        shape, strides, steps = zip(*merged_axes(array, block.strides), strict=True)
        kernel, elements = known.block, 1
        where: tuple[Any, ...] = array.pointer, array.size, shape, strides, steps
    else:
        kernel, where, elements = _place(array, known, first)
    tasks = (first % elements + array.size + elements - 1) // elements
    return driver.launching(kernel, tasks, device, array.stream, (where, first), (numbers,))


def filling_sparse(matrix: DeviceArray, zeros: int, law: Law, block: Block) -> Filling:
    """The same, but ``zeros`` elements of each column of the whole matrix, at random rows, become zero."""
    fill = filling(matrix, law, block)
    if not zeros or not matrix.size:
        return fill
    strides = tuple(stride // matrix.itemsize for stride in matrix.strides)
    where = matrix.pointer, matrix.shape, strides, (*block.shape, *block.start), zeros
    kernel, device = mask_kernel(matrix.itemsize), driver.device_of(matrix)
    mask = driver.launching(kernel, matrix.shape[1], device, matrix.stream, where)

    def both(stream: Stream) -> None:
        fill(stream)
        mask(stream)

    return both


def constant(array: DeviceArray, value: complex) -> None:
    """Write one value everywhere: as an integer of its bits, so that infinities and NaN need no code on the GPU."""
    if not array.size:
        return
    parts = array.parts()
    if parts is not array:
        for index, number in enumerate((value.real, value.imag)):
            constant(parts.view_at(index * parts.itemsize, array.shape, array.strides), number)
        return
    bits = int(np.array(value, array.dtype).view(f"u{array.itemsize}"))
    words = array.view(f"u{array.itemsize}")
    _writing("constant", words, _signed(bits))()


def copying(array: DeviceArray, source: int) -> Callable[[], None]:
    """What copies contiguous values at the address ``source`` of the same GPU, rounding those that are made wider."""
    return _writing("copy", array.parts(), source)


def _writing(what: str, array: DeviceArray, given: int) -> Callable[[], None]:
    device = driver.device_of(array)
    kernel, where, elements = _place(array, write_kernels(what, array.dtype, device.capability))
    tasks = -(-array.size // elements)
    return functools.partial(driver.launching(kernel, tasks, device, array.stream, (where, given), stream=()), ())


def _signed(number: int) -> int:
    """A number below 2^64 as the int64 of the same bits: arguments of a kernel have one type."""
    return number - (number >> 63 << 64)
