"""A checked array on a GPU, or a block of one, and a law → what fills it for a stream, on its GPU and its own stream.

What lies where decides on the kernel (``kernels.py``).
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from numbainit.generator import Stream
from numbainit.memory.device import DeviceArray
from numbainit.memory.dtypes import made_for, part_of
from numbainit.targets.cuda import driver, kernels
from numbainit.targets.cuda.kernels import VECTOR
from numbainit.targets.target import Filling, Writing, nothing
from numbainit.weights.blocks import Block, c_strides, merged_axes
from numbainit.weights.laws import Law

# ---- where elements lie ----


def _kernel_for(array: DeviceArray, known: kernels.Kernels, first: int = 0) -> tuple[Any, tuple[Any, ...], int]:
    """The kernel for the memory of an array, ``where`` its elements lie for it, and how many a thread makes at a time.

    In contiguous memory that is ``(address, size, stop)``: from elements in [0, stop) on so many can be stored at once.
    """
    if array.is_contiguous():
        elements = 4 * known.counters
        aligned = (array.pointer - first * array.itemsize) % min(VECTOR, elements * array.itemsize) == 0
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
    known = kernels.of_law(law.name, array.dtype, device.capability)
    numbers = law.numbers or (0.0,)  # Numba wants its tuples to have a type of element
    first = 0 if block is None else _signed(block.first())
    if block is not None and not block.is_range(array.shape):
        shape, strides, steps = zip(*merged_axes(array, block.strides), strict=True)
        kernel, elements = known.block, 1
        where: tuple[Any, ...] = array.pointer, array.size, shape, strides, steps
    else:
        kernel, where, elements = _kernel_for(array, known, first)
    tasks = (first % elements + array.size + elements - 1) // elements
    return driver.launching(kernel, tasks, device, array.stream, (where, first), (numbers,))


def filling_sparse(matrix: DeviceArray, zeros: int, law: Law, block: Block) -> Filling:
    """The same, but ``zeros`` elements of each column of the whole matrix, at random rows, become zero."""
    fill = filling(matrix, law, block)
    if not zeros or not matrix.size:
        return fill
    strides = tuple(stride // matrix.itemsize for stride in matrix.strides)
    where = matrix.pointer, matrix.shape, strides, (*block.shape, *block.start), zeros
    kernel, device = kernels.of_mask(matrix.itemsize), driver.device_of(matrix)
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


def writing(array: DeviceArray) -> Writing:
    """What writes values to an index of an array: they are copied to its GPU, and rounded there."""
    device = driver.device_of(array) if array.size else None

    def write(index: tuple[slice, ...], values: np.ndarray) -> None:
        if device is None:
            return
        here = np.ascontiguousarray(made_for(values, array.dtype)).reshape(-1)
        with driver.uploaded(here.view(part_of(here.dtype)), device, array.stream) as address:
            copying(array[index] if index else array, address)()

    return write


def copying(array: DeviceArray, source: int) -> Callable[[], None]:
    """What copies contiguous values at the address ``source`` of the same GPU, rounding those that are made wider."""
    return _writing("copy", array.parts(), source)


def _writing(what: str, array: DeviceArray, given: int) -> Callable[[], None]:
    device = driver.device_of(array)
    kernel, where, elements = _kernel_for(array, kernels.of_writing(what, array.dtype, device.capability))
    tasks = (array.size + elements - 1) // elements
    launch = driver.launching(kernel, tasks, device, array.stream, (where, given), stream=())

    def write() -> None:
        launch(())

    return write


def _signed(number: int) -> int:
    """A number below 2^64 as the int64 of the same bits: arguments of a kernel have one type."""
    return number - (number >> 63 << 64)
