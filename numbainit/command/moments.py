"""Arrays → the count, mean and standard deviation of their elements, in float64, in one pass that holds no lock.

A thread that fills a piece looks at it while it is in the cache. In NumPy that would be a dozen short calls for every
few thousand elements, for each of which threads wait for each other: it would take longer than the fill.
"""

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

from numbainit.maths.moments import Gathered, Spread, merged
from numbainit.memory.dtypes import part_of
from numbainit.targets.cpu.turns import slices


class Moments(Gathered):
    """Count, mean and standard deviation of all arrays added so far, in float64 whatever their dtype.

    Run by run, each about its first element, so that no copy of an array is made and nothing cancels.

    Examples
    --------
    >>> import numpy as np
    >>> from numbainit.command.moments import Moments
    >>> moments = Moments()
    >>> moments.add(np.array([1, 3], "float32"))
    >>> moments.add(np.array([2, 2], "float32"))
    >>> moments.count, moments.mean, round(moments.std ** 2, 15)
    (4, 2.0, 0.5)
    """

    @property
    def std(self) -> float:
        """The standard deviation of the population; NaN for no elements."""
        return self._spread.variance**0.5

    def add(self, array: np.ndarray) -> None:
        """Take an array's elements in; of complex ones both parts."""
        flat = array.reshape(-1).view(part_of(array.dtype))
        for part in slices(flat.size):  # between which signals are heard
            self._add(flat[part])

    def merge(self, other: "Moments") -> None:
        """Take in what another one has counted."""
        if other.count:
            self._spread = merged(self._spread, other._spread)

    def _add(self, flat: np.ndarray) -> None:
        sums, origins = _sums(flat)
        for origin, (total, squares), size in zip(origins, sums, _sizes(flat.size), strict=True):
            away = total / size
            self._spread = merged(self._spread, Spread(size, origin + away, max(squares - total * away, 0.0)))


def _sizes(size: int) -> Iterator[int]:
    """How many elements each run has."""
    run = int(_kernels().RUN)
    return (min(run, size - begin) for begin in range(0, size, run))


def _sums(flat: np.ndarray) -> tuple[list[list[float]], list[float]]:
    """For each run the sums of the distances from its first element, and of their squares; and that element."""
    loops = _kernels()
    run, lanes = int(loops.RUN), np.empty((2, int(loops.LANES)))
    sums = np.zeros((-(-flat.size // run), 2))
    if flat.dtype.name == "bfloat16":
        loops.of_bfloats(flat.view(np.uint16), lanes, sums, np.empty(lanes.shape[1], np.uint32))
    elif flat.dtype.itemsize <= 2:
        loops.of_codes(flat.view(f"u{flat.dtype.itemsize}"), lanes, sums, _values(flat.dtype), np.empty(lanes.shape[1]))
    else:
        loops.of_floats(flat if flat.dtype.kind == "f" else flat.astype(np.float64), lanes, sums)
    return sums.tolist(), flat[::run].astype(np.float64).tolist()


@functools.cache
def _values(dtype: np.dtype) -> np.ndarray:
    """What each code of a dtype of at most 16 bits stands for."""
    codes = np.arange(1 << 8 * dtype.itemsize, dtype=f"u{dtype.itemsize}")
    if dtype.kind == "b":
        return (codes != 0).astype(np.float64)
    with np.errstate(invalid="ignore"):
        return codes.view(dtype).astype(np.float64)


@functools.cache
def _kernels() -> Any:
    """What is compiled, and Numba with it, when it is needed first."""
    from numbainit.command import moment_loops

    return moment_loops
