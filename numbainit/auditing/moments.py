"""Pieces → mean, standard deviation, skew, kurtosis and extremes of all their elements, in float64."""

import math

import numpy as np

from numbainit.maths.moments import Gathered, Shape, Spread, merged, merged_shape

_LANES = 1024
_HEAD = 63  # elements, whose median is the origin of a piece: near its mean, and one of them; so constants are exact


class Moments(Gathered):
    """The first four of all elements so far.

    Examples
    --------
    >>> import numpy as np
    >>> from numbainit.auditing.moments import Moments
    >>> moments = Moments()
    >>> for piece in ([1.0, 3.0], [2.0, 2.0, 7.0]):
    ...     moments.add(np.array(piece))
    >>> moments.mean, round(moments.std, 6), round(moments.kurtosis, 6), moments.low, moments.high
    (3.0, 2.097618, 2.830579, 1.0, 7.0)
    """

    def __init__(self) -> None:
        super().__init__()
        self._shape = Shape()
        self.low, self.high = math.inf, -math.inf

    def add(self, values: np.ndarray) -> None:
        """Take in finite numbers."""
        if not values.size:
            return
        from numbainit.auditing.loops import add_powers

        origin = float(np.sort(values[:_HEAD])[values[:_HEAD].size // 2])
        lanes = np.zeros((6, _LANES))
        lanes[4], lanes[5] = math.inf, -math.inf
        add_powers(values, origin, lanes)
        with np.errstate(over="ignore", invalid="ignore"):
            self._add_sums(values.size, origin, lanes[:4].sum(axis=1) / values.size)
        self.low, self.high = min(self.low, float(lanes[4].min())), max(self.high, float(lanes[5].max()))

    def add_counted(self, values: np.ndarray, counts: np.ndarray) -> None:
        """Take in numbers, each so many times."""
        values, counts = values[counts > 0], counts[counts > 0]
        if not values.size:
            return
        total, origin = int(counts.sum()), float(values[counts.argmax()])
        away = values - origin
        self._add_sums(total, origin, np.array([float(counts @ away**power) for power in (1, 2, 3, 4)]) / total)
        self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))

    def _add_sums(self, n: int, origin: float, means: np.ndarray) -> None:
        """Take in the means of the first four powers of distances from an origin."""
        d, s2, s3, s4 = means.tolist()
        square = d * d
        spread = Spread(n, origin + d, max(s2 - square, 0.0) * n)
        m3 = (s3 - 3 * d * s2 + 2 * square * d) * n
        shape = Shape(m3, (s4 - 4 * d * s3 + 6 * square * s2 - 3 * square * square) * n)
        self._shape = merged_shape(self._spread, spread, self._shape, shape)
        self._spread = merged(self._spread, spread)

    @property
    def std(self) -> float:
        """Of the population; infinite where squares overflow."""
        return math.sqrt(self._spread.variance) if math.isfinite(self._spread.m2) else math.inf

    @property
    def skew(self) -> float:
        """0 for what is symmetric; NaN for a constant."""
        return self._shape.m3 / self.count / self._spread.variance**1.5 if self._has_shape else math.nan

    @property
    def kurtosis(self) -> float:
        """3 for a normal law; NaN for a constant."""
        return self._shape.m4 / self.count / self._spread.variance**2 if self._has_shape else math.nan

    @property
    def _has_shape(self) -> bool:
        return self._spread.m2 > 0 and math.isfinite(self._shape.m4)
