"""Moments of two sets of numbers → those of both, so that pieces are looked at one by one, or on threads.

They are sums of powers of distances from the mean, so that nothing cancels: m2 to m4.

Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979; Pebay,
"Formulas for robust, one-pass parallel computation of covariances and arbitrary-order statistical moments", 2008.
"""

from typing import NamedTuple


class Spread(NamedTuple):
    """How many numbers there are, their mean, and the sum of squared distances from it."""

    size: int = 0
    mean: float = 0.0
    m2: float = 0.0

    @property
    def variance(self) -> float:
        """Of the population; NaN for no numbers."""
        return self.m2 / self.size if self.size else float("nan")


class Gathered:
    """All numbers that were taken in so far, piece by piece."""

    def __init__(self) -> None:
        self._spread = Spread()

    @property
    def count(self) -> int:
        return self._spread.size

    @property
    def mean(self) -> float:
        return self._spread.mean


class Shape(NamedTuple):
    """The sums of the third and the fourth powers."""

    m3: float = 0.0
    m4: float = 0.0


def merged(first: Spread, second: Spread) -> Spread:
    """That of both, not both empty.

    Examples
    --------
    >>> from numbainit.maths.moments import Spread, merged
    >>> merged(Spread(2, 2.0, 2.0), Spread(2, 4.0, 0.0))
    Spread(size=4, mean=3.0, m2=6.0)
    """
    total = first.size + second.size
    away, share = second.mean - first.mean, second.size / total
    return Spread(total, first.mean + away * share, first.m2 + (second.m2 + away * away * first.size * share))


def merged_shape(first: Spread, second: Spread, of_first: Shape, of_second: Shape) -> Shape:
    """That of both, whose spreads these are."""
    count, total = first.size, first.size + second.size
    away, a, b = second.mean - first.mean, count / total, second.size / total
    square = away * away
    m3 = of_second.m3 + square * away * count * b * (a - b) + 3 * away * (a * second.m2 - b * first.m2)
    m4 = of_second.m4 + square * square * count * b * (a * a - a * b + b * b)
    m4 += 6 * square * (a * a * second.m2 + b * b * first.m2) + 4 * away * (a * of_second.m3 - b * of_first.m3)
    return Shape(of_first.m3 + m3, of_first.m4 + m4)
