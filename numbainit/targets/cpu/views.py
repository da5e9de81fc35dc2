"""An ndarray → the same memory as kernels see it: bytes, parts of complex numbers, a window with strides."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from numbainit.weights.blocks import merged_axes

_BYTE = np.dtype("u1")


def as_bytes(array: np.ndarray) -> np.ndarray:
    """A contiguous array as the bytes of its memory, on one axis."""
    return array.ravel().view(_BYTE)


def as_parts(array: np.ndarray) -> np.ndarray:
    """A complex array, of any memory, as its real and imaginary parts along one more axis, the last."""
    part = array.real
    return np.lib.stride_tricks.as_strided(part, (*part.shape, 2), (*part.strides, part.itemsize))


class Strided(NamedTuple):
    """An array as kernels see it: a window of bytes over its memory, and where each axis steps in it and in numbers.

    ``offset`` and ``strides`` count bytes of the window, ``steps`` the numbers of elements. Axes that continue each
    other in both are merged.
    """

    window: np.ndarray
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    steps: tuple[int, ...]


class Window(NamedTuple):
    """All bytes from the lowest address of an array to the highest, and at which of them its first element begins."""

    bytes: np.ndarray
    offset: int


def window(array: np.ndarray) -> Window:
    """The window over a non-empty array."""
    spans = [stride * (length - 1) for length, stride in zip(array.shape, array.strides, strict=True)]
    lowest = array[tuple(slice(None, None, -1 if stride < 0 else 1) for stride in array.strides)]
    length = 1 + sum(map(abs, spans)) // array.itemsize
    elements = lowest.view(f"V{array.itemsize}")  # NumPy cannot name all small floats
    memory = np.lib.stride_tricks.as_strided(elements, (length,), (array.itemsize,))
    return Window(memory.view(_BYTE), -sum(min(span, 0) for span in spans))


def is_regular(array: np.ndarray) -> bool:
    """Whether kernels can address the array: aligned, native byte order, strides in whole elements."""
    return array.flags.aligned and array.dtype.isnative and not any(stride % array.itemsize for stride in array.strides)


def strided(array: np.ndarray, steps: Sequence[int]) -> Strided:
    """Describe a regular, non-empty array by its window, and by how far apart in number neighbours on each axis are."""
    axes = merged_axes(array, steps)
    memory, offset = window(array)
    shape, strides, moves = zip(*axes, strict=True)
    return Strided(memory, offset, shape, tuple(stride * array.itemsize for stride in strides), moves)
