"""What a tensor holds, and a law → how many elements lie in cells of nearly equal probability.

Elements are counted between points that lie half way between two numbers of the dtype, so that small floats, which are
rounded, are judged exactly. The codes that were counted in the first pass say all, but for a law that is narrow and far
from zero: there a second pass counts.
"""

import numpy as np

from numbainit.auditing.codes import codes, counted_as
from numbainit.auditing.figures import Figures
from numbainit.auditing.laws import Law
from numbainit.auditing.pieces import as_float, counts
from numbainit.files.reading.stored import Stored

CELLS = 256
LEAST = 25.0  # expected in a cell
_ENOUGH = 32  # cells of codes, with which no second pass is needed


def in_cells(stored: Stored, found: Figures, law: Law) -> tuple[np.ndarray, np.ndarray]:
    """The elements in each cell, and the values of the law's distribution function at its ends: 0 ... 1."""
    counted = counted_as(stored.dtype)
    real = np.dtype(np.float64) if counted.kind in "biu" else counted  # laws have numbers between the whole ones
    coarse = counted.itemsize > 2  # a code is many numbers
    edges, observed = _of_codes(found, law, counted, real)
    if coarse and len(edges) < _ENOUGH:
        wanted = _edges(law, real, found.size)
        if len(edges) < len(wanted):
            edges, observed = wanted, histogram(stored, wanted)
    return observed, np.concatenate(([0.0], law.cdf(edges), [1.0]))


def _of_codes(found: Figures, law: Law, counted: np.dtype, real: np.dtype) -> tuple[np.ndarray, np.ndarray]:
    """Edges of codes that are next to those that are wanted, and what lies between."""
    known = codes(counted).edges
    points, atoms = _points(law, found.size)
    places = np.searchsorted(known, points)
    after = np.searchsorted(known, atoms)
    places = np.unique(np.concatenate([places, after - 1, after]))
    places = places[(places >= 0) & (places < len(known))]
    low, high = _inner(law, real)
    places = places[(known[places] > low) & (known[places] < high)]
    starts = np.concatenate(([0], places + 1))
    return known[places], np.add.reduceat(found.counted, starts)


def _points(law: Law, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Between cells of equal probability; and numbers that are there with a probability of their own."""
    cells = int(min(CELLS, max(size / LEAST, 2)))
    drawn = [one.quantiles(cells) for one in law.components if one.scale]
    atoms = [one.shift for one in law.components if not one.scale]
    return np.concatenate([*drawn, np.empty(0)]), np.array(atoms, np.float64)


def _edges(law: Law, real: np.dtype, size: int) -> np.ndarray:
    """Points of equal probability, each half way between two neighbours of the dtype."""
    points, atoms = _points(law, size)
    around = np.array([value + sign * max(abs(value), 1e-30) * 1e-3 for value in atoms for sign in (-1, 1)])
    edges = np.unique(between(np.concatenate([points, around]), real))
    low, high = _inner(law, real)
    return edges[(edges > low) & (edges < high)]


def _inner(law: Law, real: np.dtype) -> tuple[float, float]:
    """The outermost numbers of a dtype that a bounded law surely has: what would be rounded past a bound is in them."""
    bounds = np.array([law.low, law.high]).astype(real)
    inward = np.nextafter(bounds, bounds[::-1]).astype(np.float64)
    return tuple(np.where(np.isfinite([law.low, law.high]), inward, [law.low, law.high]).tolist())


def between(points: np.ndarray, real: np.dtype) -> np.ndarray:
    """The middle between each point, rounded to a dtype, and the next number: no element lies on it."""
    rounded = points.astype(real)
    return (rounded.astype(np.float64) + np.nextafter(rounded, np.array(np.inf, real)).astype(np.float64)) / 2


def histogram(stored: Stored, edges: np.ndarray) -> np.ndarray:
    """How many elements lie between edges."""
    total, place = np.zeros(len(edges) + 1, np.int64), _Places(edges)
    for piece in stored.pieces(counts(stored.shape)):
        places = place(as_float(piece))
        total += np.bincount(places, minlength=len(total))[: len(total)]
    return total


class _Places:
    """``np.searchsorted`` of finite numbers, by a table: a fifth of the time, since no branch is guessed wrong."""

    _CELLS = 1 << 16

    def __init__(self, edges: np.ndarray) -> None:
        self.edges, self.table = np.append(edges, np.inf), None
        if len(edges) < 2:
            return
        self.low, self.scale = edges[0], (self._CELLS - 2) / (edges[-1] - edges[0])
        cells = self._cells(edges)
        if np.isfinite(self.scale) and len(np.unique(cells)) == len(edges):  # at most one edge in a cell
            self.table = np.searchsorted(cells, np.arange(self._CELLS)).astype(np.intp)

    def _cells(self, values: np.ndarray) -> np.ndarray:
        return np.clip((values - self.low) * self.scale + 1.0, 0, self._CELLS - 1).astype(np.intp)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        if self.table is None:
            return np.searchsorted(self.edges[:-1], values)
        places = self.table[self._cells(values)]
        places += values > self.edges[places]
        return places
