"""Arrays → the count, mean and standard deviation of their elements, in float64, in one pass that holds no lock.

A thread that fills a piece looks at it while it is in the cache. In NumPy that would be a dozen short calls for every
few thousand elements, for each of which threads wait for each other: it took longer than the fill.
"""

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from numbainit.memory.dtypes import part_of

_LANES = 1024  # sums side by side, in float64: what a vector of any width likes, and too few to leave the cache
_RUN = 1 << 16  # elements about whose first one deviations are summed: so that nothing cancels


@dataclass
class Moments:
    """Count, mean and standard deviation of all arrays added so far, in float64 whatever their dtype.

    Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979: run by run,
    each about its first element, so that no copy of an array is made and nothing cancels.

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

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0  # the sum of the squared distances from the mean

    @property
    def std(self) -> float:
        """The standard deviation of the population; NaN for no elements."""
        return (self.squares / self.count) ** 0.5 if self.count else float("nan")

    def add(self, array: np.ndarray) -> None:
        """Take an array's elements in; of complex ones both parts."""
        flat = array.reshape(-1).view(part_of(array.dtype))
        for start in range(0, flat.size, _RUN):
            run = flat[start : start + _RUN]
            origin = float(run[0])
            total, squares = _sums(run, origin)
            away = total / run.size
            self._merge(run.size, origin + away, max(squares - total * away, 0.0))

    def merge(self, other: "Moments") -> None:
        """Take in what another one has counted."""
        if other.count:
            self._merge(other.count, other.mean, other.squares)

    def _merge(self, count: int, mean: float, squares: float) -> None:
        total = self.count + count
        distance = mean - self.mean
        self.squares += squares + distance * distance * self.count * count / total
        self.mean += distance * count / total
        self.count = total


def _sums(run: np.ndarray, origin: float) -> tuple[float, float]:
    """The sums of the distances from the origin, and of their squares."""
    whole = run.size // _LANES * _LANES
    with np.errstate(invalid="ignore", over="ignore"):  # a constant may be infinite
        rest = run[whole:].astype(np.float64) - origin
        sums = np.array([np.add.reduce(rest), np.add.reduce(rest * rest)])
        if whole:
            lanes = np.zeros((2, _LANES))
            _add_to_lanes(run[:whole], origin, lanes)
            sums += lanes.sum(axis=1)
    return float(sums[0]), float(sums[1])


def _add_to_lanes(run: np.ndarray, origin: float, lanes: np.ndarray) -> None:
    of_floats, of_bfloats, of_codes = _kernels()
    if run.dtype.name == "bfloat16":
        of_bfloats(run.view(np.uint16), origin, lanes, np.empty(_LANES, np.uint32))
    elif run.dtype.itemsize <= 2:
        codes = run.view(f"u{run.dtype.itemsize}")
        of_codes(codes, origin, lanes, _values(run.dtype))
    else:
        of_floats(run if run.dtype.kind == "f" else run.astype(np.float64), origin, lanes)


@functools.cache
def _values(dtype: np.dtype) -> np.ndarray:
    """What each code of a dtype of at most 16 bits stands for."""
    codes = np.arange(1 << 8 * dtype.itemsize, dtype=f"u{dtype.itemsize}")
    if dtype.kind == "b":
        return (codes != 0).astype(np.float64)
    with np.errstate(invalid="ignore"):
        return codes.view(dtype).astype(np.float64)


@functools.cache
def _kernels() -> tuple[Any, Any, Any]:
    from numbainit.command import moment_loops

    return moment_loops.of_floats, moment_loops.of_bfloats, moment_loops.of_codes
