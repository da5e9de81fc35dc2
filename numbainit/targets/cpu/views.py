"""An ndarray → the same memory as kernels see it: words, parts of complex numbers, a window with strides."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from numbainit.weights.blocks import merged_axes


def as_words(array: np.ndarray) -> np.ndarray:
    """An array of small floats as unsigned integers over the same memory; any other as it is."""
    return array.view(f"u{array.itemsize}") if array.itemsize < 4 else array


def as_parts(array: np.ndarray) -> np.ndarray:
    """A complex array, of any memory, as its real and imaginary parts along one more axis, the last."""
    part = array.real
    return np.lib.stride_tricks.as_strided(part, (*part.shape, 2), (*part.strides, part.itemsize))


class Strided(NamedTuple):
    """An array as kernels see it: a contiguous window over its memory, and where each axis steps, in it and in numbers.

    ``offset`` and ``strides`` count elements of the window, ``steps`` the numbers of elements. Axes that continue each
    other in both are merged.
    """

    window: np.ndarray
    offset: int
    shape: np.ndarray
    strides: np.ndarray
    steps: np.ndarray


def is_regular(array: np.ndarray) -> bool:
    """Whether kernels can address the array: aligned, native byte order, strides in whole elements."""
    return array.flags.aligned and array.dtype.isnative and not any(stride % array.itemsize for stride in array.strides)


def strided(array: np.ndarray, steps: Sequence[int]) -> Strided:
    """Describe a regular, non-empty array by its window, and by how far apart in number neighbours on each axis are."""
    axes = merged_axes(array, steps)
    spans = [one * (length - 1) for length, one, _ in axes]
    lowest = array[tuple(slice(None, None, -1 if stride < 0 else 1) for stride in array.strides)]
    window = np.lib.stride_tricks.as_strided(lowest, (1 + sum(map(abs, spans)),), (array.itemsize,))
    offset = -sum(min(span, 0) for span in spans)
    return Strided(window, offset, *np.array(axes, np.int64).T.copy())
