"""A law → Kolmogorov-Smirnov and Anderson-Darling over 2^30 values, made in pieces, and counts in its tails.

Values are counted by their probability F(x) in 2^20 cells: at their edges the empirical distribution is known exactly,
and between two of them a statistic can grow by a thousandth of its unit. Anderson-Darling is the integral of
(F_n - F)^2 / (F (1 - F)) by the same cells. Tails are binomial, to six sigma.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numba
import numpy as np
from scipy import special, stats

import numbainit as init

CELLS = 1 << 20
PIECE = 1 << 23


class Law(NamedTuple):
    """An initializer with its arguments and a dtype; where [a, b] cuts a normal, if it does."""

    name: str
    arguments: dict
    dtype: str
    low: float = -math.inf
    high: float = math.inf

    def __str__(self) -> str:
        inside = ", ".join(f"{key}={value}" for key, value in self.arguments.items())
        return f"{self.name}({inside}) {self.dtype}"


LAWS = [
    *(Law("uniform_", {}, dtype) for dtype in ("float32", "float64")),
    *(Law("normal_", {}, dtype) for dtype in ("float32", "float64")),
    *(Law("trunc_normal_", {}, dtype, -2.0, 2.0) for dtype in ("float32", "float64")),
    Law("trunc_normal_", {"a": 2.0, "b": 5.0}, "float32", 2.0, 5.0),
    Law("trunc_normal_", {"a": -0.3, "b": 0.5}, "float32", -0.3, 0.5),
]


@numba.njit(nogil=True)
def _count(values, cells, tails, kind, mass_below, mass):
    """Count probabilities in cells, and |x| beyond 1 to 6."""
    for i in range(values.size):
        x = np.float64(values[i])
        if kind == 0:
            u = x
        elif mass_below < 0.5:
            u = (0.5 * math.erfc(-x / math.sqrt(2.0)) - mass_below) / mass
        else:  # of the right tail, where the other difference would cancel
            u = 1.0 - (0.5 * math.erfc(x / math.sqrt(2.0)) - (1.0 - mass_below - mass)) / mass
        cells[min(max(int(u * cells.size), 0), cells.size - 1)] += 1
        for k in range(1, 7):
            if abs(x) > k:
                tails[k - 1] += 1


def run(law: Law, size: int, seed: int) -> Iterator[tuple[str, float]]:
    """(what was tested, p) of one law."""
    cells, tails = np.zeros(CELLS, np.int64), np.zeros(6, np.int64)
    below = special.ndtr(law.low)
    mass = special.ndtr(law.high) - below
    buffer = np.empty(min(PIECE, size), law.dtype)
    for start in range(0, size, PIECE):
        block = init.Block((size,), (start,))
        getattr(init, law.name)(buffer, **law.arguments, generator=init.Generator(seed), block=block)
        _count(buffer, cells, tails, int(law.name != "uniform_"), below, mass)
    empirical = np.cumsum(cells[:-1]) / size
    exact = np.arange(1, CELLS) / CELLS
    distance = np.abs(empirical - exact).max()
    yield "Kolmogorov-Smirnov", float(special.kolmogorov(math.sqrt(size) * distance))
    yield "Anderson-Darling", 1.0 - _below(size * np.mean(np.square(empirical - exact) / (exact * (1 - exact))))
    if law.name == "normal_":
        for k, count in enumerate(tails, 1):
            probability = 2 * special.ndtr(-k)
            p = stats.binomtest(int(count), size, probability).pvalue
            yield f"beyond {k} sigma: {count:,} of {size * probability:,.1f}", float(p)


def _below(z: float) -> float:
    """The limit law of the Anderson-Darling statistic (Marsaglia and Marsaglia, J. Stat. Software 9, 2004)."""
    if z < 2:
        series = 2.00012 + (0.247105 - (0.0649821 - (0.0347962 - (0.011672 - 0.00168691 * z) * z) * z) * z) * z
        return math.exp(-1.2337141 / z) / math.sqrt(z) * series
    return math.exp(-math.exp(1.0776 - (2.30695 - (0.43424 - (0.082433 - (0.008056 - 0.0003146 * z) * z) * z) * z) * z))
