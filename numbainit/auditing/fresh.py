"""What a tensor holds → whether it looks freshly initialised: independent draws of one law, with no trace of training.

No seed and no recipe are needed. A few steps of training leave the histogram as it was: what gives them away is the
spectrum, since gradients have low rank (outliers beyond the edge of Marchenko and Pastur, by Tracy and Widom's law),
rows and columns that differ in mean or norm, and neighbours that are alike.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from numbainit.auditing.figures import Figures
from numbainit.auditing.laws import Component, Law, _chi_square, _edges, histogram
from numbainit.files.reading.stored import Stored

FAMILY = 1e-3  # the probability that any tensor of an untrained checkpoint is called trained
TESTS = 10  # p-values of a tensor
ENOUGH = 4096  # elements: fewer that show no trace of training may have some
_LEAST = 256  # elements: fewer are not tested
_SIDE = 16  # rows and columns, for what looks at them
_SWEEPS = 12  # of the power method
_D = 0.005  # a shape nearer to a law than this is that law


@dataclass(frozen=True)
class Freshness:
    """Whether a tensor looks fresh.

    Attributes
    ----------
    fresh : bool or None
        None: too small to tell, or no floats.
    like : str
        The law that it cannot be told from, or that is nearest.
    p : float
        The least p-value.
    why : str
        The test that found a trace of training.
    """

    fresh: bool | None
    like: str = ""
    p: float = 1.0
    why: str = ""


def freshness(stored: Stored, found: Figures, tensors: int) -> Freshness:
    """Test one of so many tensors."""
    if stored.dtype.kind in "biuc" or not found.finite or found.size < 2:
        return Freshness(None)
    if found.is_constant:
        return Freshness(True, f"constant {found.low:g}") if found.low in (0.0, 1.0) else Freshness(None)
    if _is_identity(found):
        return Freshness(True, "identity")
    if found.size < _LEAST:
        return Freshness(None)
    share = FAMILY / (TESTS * max(tensors, 1))
    like, shape = _shape(stored, found)
    tests = {"shape": shape, "mean": _p(found.mean / found.std * math.sqrt(found.size)), **_structure(found)}
    why, p = min(tests.items(), key=lambda pair: pair[1])
    if p < share:
        return Freshness(False, like, p, why)
    return Freshness(True if found.size >= ENOUGH else None, like, p)


def _is_identity(found: Figures) -> bool:
    return found.low == 0 and found.head.size > 1 and len(np.unique(found.head)) <= 2 and found.zeros > found.size // 2


# ---- the law of all elements ----


def _shape(stored: Stored, found: Figures) -> tuple[str, float]:
    """The law that fits best, of those that weights begin with, scaled as the tensor is; and its p-value."""
    zeros = found.zeros / found.size
    sparse = 1e-4 < zeros < 0.999 and stored.dtype.itemsize > 1  # of the smallest floats some are rounded to 0
    std = found.std / math.sqrt(1 - zeros) if sparse else found.std
    reach = max(-found.low, found.high)
    best = ("", 0.0)
    for label, component in _candidates(std, reach, found.size):
        atoms = (Component(zeros, "constant", 0.0, 0.0),) if sparse else ()
        law = Law(label, (replace(component, share=1 - zeros if sparse else 1.0), *atoms))
        edges = _edges(law, stored.dtype, found.size)
        observed = histogram(stored, edges)
        below = np.concatenate(([0.0], law.cdf(edges), [1.0]))
        d = float(np.abs(np.cumsum(observed) / observed.sum() - below[1:]).max())
        p = _chi_square(observed, np.diff(below) * observed.sum())
        if d < _D and p < 1e-3 and found.size > 100_000:
            p = max(p, 1e-3)  # another library's generator
        if p >= best[1]:
            best = (label, p)
    return best


def _candidates(std: float, reach: float, size: int) -> list[tuple[str, Component]]:
    found = [(f"N(0, {std:.3g}^2)", Component(1.0, "normal", 0.0, std))]
    bound = reach * (1 + 1 / size)
    if reach < 2.2 * std:
        found.append((f"U(-{bound:.3g}, {bound:.3g})", Component(1.0, "uniform", 0.0, bound)))
    for sigmas, shrunk in ((2.0, 0.8796257), (3.0, 0.9865783)):
        inner = std / shrunk
        if abs(reach / inner / sigmas - 1) < 0.1:
            cut = Component(1.0, "normal", 0.0, inner, -sigmas * inner, sigmas * inner)
            found.append((f"N(0, {inner:.3g}^2) cut at {sigmas:g} sigma", cut))
    return found


# ---- what rows and columns have in common ----


def _structure(found: Figures) -> dict[str, float]:
    matrix = found.head
    matrix = matrix[(matrix != 0).any(axis=1)] if matrix.ndim == 2 else matrix  # padding
    rows, columns = matrix.shape
    with np.errstate(over="ignore"):
        scale = float(np.sqrt(np.square(matrix).mean())) if matrix.size else 0.0
    if not 0.0 < scale < math.inf:
        return {}
    x = matrix / scale
    tests = {"neighbours along rows": _correlation(x[:, :-1], x[:, 1:])}
    if rows > 1:
        tests["neighbours along columns"] = _correlation(x[:-1], x[1:])
    if min(rows, columns) < _SIDE:
        return tests
    spread = max(float(np.square(np.square(x)).mean()) - 1.0, 0.05)
    for name, axis, length in (("rows", 1, columns), ("columns", 0, rows)):
        tests[f"means of {name}"] = _too_large(np.square(x.mean(axis=axis)) * length)
        away = (np.square(x).mean(axis=axis) - 1.0) * math.sqrt(length / spread)
        tests[f"norms of {name}"] = _too_large_norms(away, length)
    tests["correlations"] = _correlations(x)
    tests["spectrum"] = _spectrum(x)
    return tests


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    if first.size < _LEAST:
        return 1.0
    return _p(float((first * second).mean()) * math.sqrt(first.size))


def _too_large(squares: np.ndarray) -> float:
    """The sum of squares of so many normal scores."""
    from scipy.special import gammaincc

    return float(gammaincc(len(squares) / 2, squares.sum() / 2))


def _too_large_norms(scores: np.ndarray, length: int) -> float:
    """The same for scores that are sums of ``length`` squares: their own kurtosis widens the sum's law."""
    count = len(scores)
    excess = 12.0 / length  # of a chi-square law
    score = (np.square(scores).sum() - count) / math.sqrt(count * (2.0 + excess))
    shrunk = max(score, 0.0) / (1 + 4.0 / math.sqrt(count))  # chi-square has a heavier tail than the normal law
    return min(_p(shrunk), 1.0)


def _correlations(x: np.ndarray) -> float:
    """All pairs of rows, or of columns if they are fewer: Schott, "Testing for complete independence", 2005."""
    from scipy.special import gammaincc

    wide = x if x.shape[0] <= x.shape[1] else x.T
    norms = np.sqrt(np.square(wide).sum(axis=1, keepdims=True))
    unit = wide / np.where(norms, norms, 1.0)
    count, length = unit.shape
    pairs = count * (count - 1) / 2
    squares = (np.square(unit @ unit.T).sum() - np.square(np.square(unit).sum(axis=1)).sum()) / 2 * length
    return float(gammaincc(pairs / 2, squares / 2))


def _spectrum(x: np.ndarray) -> float:
    """Johnstone, "On the distribution of the largest eigenvalue in principal components analysis", 2001."""
    n, p = max(x.shape), min(x.shape)
    largest = _largest_singular_value(x) ** 2
    a, b = math.sqrt(n - 1), math.sqrt(p)
    centre, width = (a + b) ** 2, (a + b) * (1 / a + 1 / b) ** (1 / 3)
    return _tracy_widom((largest - centre) / width)


def _largest_singular_value(x: np.ndarray) -> float:
    """By the power method on a few vectors at once: from below, so never an alarm that is none."""
    random = np.random.default_rng(0)  # where it starts from; it does not matter
    small = x if x.shape[0] >= x.shape[1] else x.T
    vectors = random.standard_normal((small.shape[1], 6), dtype=np.float32).astype(x.dtype)
    value = 0.0
    for _ in range(_SWEEPS):
        vectors, _ = np.linalg.qr(vectors)
        image = small @ vectors
        value = float(np.linalg.norm(image, 2))
        vectors = small.T @ image
    return value


def _tracy_widom(s: float) -> float:
    """The upper tail for real matrices, as it is far out; 1 where that does not hold."""
    if s < 1.5:
        return 1.0
    return min(math.exp(-2.0 / 3.0 * s**1.5) / (4.0 * math.sqrt(math.pi) * s**0.75), 1.0)


def _p(score: float) -> float:
    return math.erfc(abs(score) / math.sqrt(2)) if math.isfinite(score) else 0.0
