"""Pieces → mean, standard deviation, skew, kurtosis and extremes of all their elements, in float64.

Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979; Pebay,
"Formulas for robust, one-pass parallel computation of covariances and arbitrary-order statistical moments", 2008.
"""

import math

import numpy as np

_LANES = 1024
_HEAD = 63  # elements, whose median is the origin of a piece: near its mean, and one of them; so constants are exact


class Moments:
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
        self.count, self.mean, self.m2, self.m3, self.m4 = 0, 0.0, 0.0, 0.0, 0.0
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
        d, s2, s3, s4 = (np.float64(mean) for mean in means)
        self._merge(
            n,
            origin + float(d),
            float(max(s2 - d * d, 0.0) * n),
            float((s3 - 3 * d * s2 + 2 * d**3) * n),
            float((s4 - 4 * d * s3 + 6 * d * d * s2 - 3 * d**4) * n),
        )

    def _merge(self, n: int, mean: float, m2: float, m3: float, m4: float) -> None:
        before, total = self.count, self.count + n
        d = np.float64(mean) - self.mean
        a, b = before / total, n / total
        self.m4 += float(m4 + d**4 * before * b * (a * a - a * b + b * b) + 6 * d * d * (a * a * m2 + b * b * self.m2))
        self.m4 += float(4 * d * (a * m3 - b * self.m3))
        self.m3 += float(m3 + d**3 * before * b * (a - b) + 3 * d * (a * m2 - b * self.m2))
        self.m2 += float(m2 + d * d * before * b)
        self.mean += float(d * b)
        self.count = total

    @property
    def std(self) -> float:
        """Of the population; infinite where squares overflow."""
        return math.sqrt(self.m2 / self.count) if math.isfinite(self.m2) else math.inf

    @property
    def skew(self) -> float:
        """0 for what is symmetric; NaN for a constant."""
        known = self.m2 > 0 and math.isfinite(self.m4)
        return self.m3 / self.count / (self.m2 / self.count) ** 1.5 if known else math.nan

    @property
    def kurtosis(self) -> float:
        """3 for a normal law; NaN for a constant."""
        known = self.m2 > 0 and math.isfinite(self.m4)
        return self.m4 / self.count / (self.m2 / self.count) ** 2 if known else math.nan
