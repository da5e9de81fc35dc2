"""What a tensor holds, and a law → whether it follows it: five tests, each with a p-value, and effects that matter."""

import math
from dataclasses import dataclass

import numpy as np

from numbainit.auditing.cells import LEAST, in_cells
from numbainit.auditing.figures import Figures
from numbainit.auditing.laws import Law
from numbainit.auditing.pieces import as_float, counts
from numbainit.files.reading.stored import Stored

TESTS = 5  # p-values of a tensor
_D, _SHIFT, _RATIO = 0.005, 0.01, 0.005  # effects below are no difference, whatever the p-value


@dataclass(frozen=True)
class Fit:
    """How well a tensor follows a law.

    Attributes
    ----------
    d : float
        The largest distance of the two distribution functions.
    p : float
        The least p-value of five tests.
    ratio : float
        Standard deviation by that of the law.
    outside : int
        Elements that the law does not allow.
    why : str
        What is wrong; empty if the law fits.
    """

    d: float
    p: float
    ratio: float
    outside: int
    why: str

    @property
    def fits(self) -> bool:
        return not self.why


def fit(stored: Stored, found: Figures, law: Law, share: float) -> Fit:
    """Test a tensor, each p-value against ``share``, and each effect against what would matter."""
    d, shape = distance(stored, found, law)
    ratio = found.std / law.std if law.std else math.inf if found.std else 1.0
    outside = _outside(stored, found, law)
    tests = {
        "shape": (shape, d > _D),
        "distribution": (_kolmogorov(d, stored.size), d > _D),
        "mean": (p_value(_mean_score(found, law)), abs(found.mean - law.mean) > _SHIFT * (law.std or 1e-30)),
        "std": (p_value(_std_score(found, law)), abs(ratio - 1) > _RATIO),
        "extremes": (_extreme(found, law), True),
    }
    wrong = [name for name, (p, matters) in tests.items() if not p >= share and matters]
    why = f"{outside:,} elements outside [{law.low:g}, {law.high:g}]" if outside else ""
    if wrong and not why:
        why = _explained(wrong, found, law, ratio, d)
    return Fit(d, min(p for p, _ in tests.values()), ratio, outside, why)


def distance(stored: Stored, found: Figures, law: Law) -> tuple[float, float]:
    """The largest distance of the two distribution functions between cells, and the p-value of the counts in them."""
    observed, below = in_cells(stored, found, law)
    total = max(int(observed.sum()), 1)
    d = float(np.abs(np.cumsum(observed) / total - below[1:]).max(initial=0.0))
    return d, _chi_square(observed, np.diff(below) * total)


def _explained(wrong: list[str], found: Figures, law: Law, ratio: float, d: float) -> str:
    if "std" in wrong:
        return f"std {found.std:.4g}, expected {law.std:.4g} (x {ratio:.4g})"
    if "mean" in wrong:
        return f"mean {found.mean:.4g}, expected {law.mean:.4g}"
    if wrong == ["extremes"]:
        return f"values reach from {found.low:.4g} to {found.high:.4g}, too far for so many of {law.label}"
    return f"another shape than {law.label}: distribution functions differ by {d:.3f}"


def root_of(ratio: float, size: int) -> str:
    """``sqrt(8)`` where a std is off by the root of a small number: fans of a shard; else empty."""
    for k in range(2, 65):
        for value, text in ((math.sqrt(k), f"sqrt({k})"), (1 / math.sqrt(k), f"1 / sqrt({k})")):
            if abs(ratio / value - 1) < min(max(4 / math.sqrt(2 * size), 1e-3), 0.1 / k):
                return text
    return ""


def _outside(stored: Stored, found: Figures, law: Law) -> int:
    """Elements beyond the bounds of the law, which are rounded to the dtype: counted where the extremes lie there."""
    slack = 4 * np.finfo(np.float32).eps if stored.dtype.itemsize >= 4 else 0.01
    low = law.low - slack * max(abs(law.low), law.std, 1e-30) if math.isfinite(law.low) else -math.inf
    high = law.high + slack * max(abs(law.high), law.std, 1e-30) if math.isfinite(law.high) else math.inf
    if low <= found.low and found.high <= high:
        return 0
    outside = 0
    for piece in stored.pieces(counts(stored.shape)):
        values = as_float(piece)
        outside += int(np.count_nonzero((values < low) | (values > high)))
    return outside


def _chi_square(observed: np.ndarray, expected: np.ndarray) -> float:
    from scipy.special import gammaincc

    if (observed[expected <= 0] > 0).any():
        return 0.0
    keep = expected >= LEAST / 5
    if keep.sum() < 2:
        return 1.0
    statistic = float((np.square(observed[keep] - expected[keep]) / expected[keep]).sum())
    return float(gammaincc((keep.sum() - 1) / 2, statistic / 2))


def _kolmogorov(d: float, size: int) -> float:
    from scipy.special import kolmogorov

    return float(kolmogorov(d * math.sqrt(size)))


def p_value(score: float) -> float:
    """Of a score that should be normal, on both sides; 0 for what is no number."""
    return math.erfc(abs(score) / math.sqrt(2)) if math.isfinite(score) else 0.0


def _mean_score(found: Figures, law: Law) -> float:
    if not law.std:
        return 0.0 if found.mean == law.mean or abs(found.mean - law.mean) <= 0.01 * abs(law.mean) else math.inf
    return (found.mean - law.mean) / law.std * math.sqrt(found.size)


def _std_score(found: Figures, law: Law) -> float:
    if not law.std:
        return 0.0 if not found.std else math.inf
    spread = math.sqrt(max(found.kurtosis - 1, 0.05) / found.size) if math.isfinite(found.kurtosis) else math.inf
    return (found.std**2 / law.std**2 - 1) / spread if spread < math.inf else math.inf


def _extreme(found: Figures, law: Law) -> float:
    """The probability that so many elements reach as far."""
    if not law.std:
        return 1.0
    tails = float(law.cdf(np.array([found.low]))[0]), float(1 - law.cdf(np.array([found.high]))[0])
    wide = [one for one in law.components if one.family == "normal" and one.scale and math.isinf(one.high)]
    if wide:  # 1 - cdf cancels
        from scipy.special import ndtr

        z = min((found.high - one.shift) / one.scale for one in wide)
        tails = tails[0], float(ndtr(-z))
    bounds = math.isfinite(law.low), math.isfinite(law.high)  # beyond them no element is allowed at all
    least = min(1.0 if bounded else tail for tail, bounded in zip(tails, bounds, strict=True))
    return -math.expm1(found.size * math.log1p(-least)) if least < 1 else 1.0
