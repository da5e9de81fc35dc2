"""A matrix → traces of training in what its rows and columns have in common: a p-value for each test.

A few steps of training leave the histogram as it was. What gives them away is the spectrum, since gradients have low
rank (outliers beyond the edge of Marchenko and Pastur, by Tracy and Widom's law), rows and columns that differ in mean
or norm, and neighbours that are alike.
"""

import math

import numpy as np

from numbainit.auditing.fits import p_value
from numbainit.auditing.products import largest_eigenvalue, of_rows

_LEAST = 256  # pairs of neighbours: fewer are not tested
_SIDE = 16  # rows and columns, for what looks at them


def traces(matrix: np.ndarray, bias: np.ndarray | None = None) -> dict[str, float]:
    """The p-values of all tests that the matrix is large enough for; ``bias`` is that of the same layer."""
    alive = np.asarray(matrix.any(axis=1))  # the others are padding
    along = _along(matrix, alive, bias)
    x = matrix[alive]
    rows, columns = x.shape
    with np.errstate(over="ignore"):
        scale = math.sqrt(float(_sums(x, x).sum(dtype=np.float64)) / x.size) if x.size else 0.0
    if not 0.0 < scale < math.inf:
        return {}
    x /= np.float32(scale)
    tests = {"neighbours along rows": _correlation(x[:, :-1], x[:, 1:])}
    if rows > 1:
        tests["neighbours along columns"] = _correlation(x[:-1], x[1:])
    tests |= {f"{name} by the bias": _by_bias(x, axis, one) for name, axis, one in along}
    if min(rows, columns) < _SIDE:
        return tests
    squares = np.square(x)
    spread = max(float(_sums(squares, squares).mean()) / columns - 1.0, 0.05)
    for name, axis, length in (("rows", 1, columns), ("columns", 0, rows)):
        tests[f"means of {name}"] = _too_large(np.square(x.mean(axis=axis)) * length)
        away = (squares.mean(axis=axis) - 1.0) * math.sqrt(length / spread)
        tests[f"norms of {name}"] = _too_large_norms(away, length)
    del squares  # memory
    products = of_rows(x if rows <= columns else x.T)
    tests["correlations"] = _correlations(products, max(rows, columns))
    tests["spectrum"] = _spectrum(products, min(rows, columns), max(rows, columns))
    return tests


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    if first.size < _LEAST:
        return 1.0
    return p_value(float(_sums(first, second).sum(dtype=np.float64)) / math.sqrt(first.size))


def _sums(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Of the products in each row."""
    return np.einsum("ij,ij->i", first, second)


def _along(matrix: np.ndarray, alive: np.ndarray, bias: np.ndarray | None) -> list[tuple[str, int, np.ndarray]]:
    """The axes that a bias may belong to, and its numbers there."""
    if bias is None:
        return []
    found = [("rows", 0, bias[: len(matrix)][alive])] if len(bias) >= len(matrix) else []
    return found + [("columns", 1, bias)] * (len(bias) == matrix.shape[1])


def _by_bias(x: np.ndarray, axis: int, bias: np.ndarray) -> float:
    """Whether means of rows, or columns, go with the bias.

    Where the inputs of a layer have a mean, as they have behind relu, its gradient has a part of the bias's gradient
    times that mean: what moves the bias moves whole rows of the weight. In what nobody trained they are independent.
    """
    length = float(np.linalg.norm(bias))
    if not 0.0 < length < math.inf:
        return 1.0
    return p_value(float(bias / length @ x.sum(axis=1 - axis, dtype=np.float64)) / math.sqrt(x.shape[1 - axis]))


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
    return min(p_value(shrunk), 1.0)


def _correlations(products: np.ndarray, length: int) -> float:
    """All pairs of rows, or of columns if they are fewer: Schott, "Testing for complete independence", 2005."""
    from scipy.special import gammaincc

    squares = np.diagonal(products)
    norms = np.where(squares, squares, np.float32(1))
    count = np.count_nonzero(squares)
    total = float((np.square(products / np.sqrt(norms) / np.sqrt(norms)[:, np.newaxis])).sum(dtype=np.float64))
    return float(gammaincc(count * (count - 1) / 4, (total - count) / 4 * length))


def _spectrum(products: np.ndarray, rows: int, n: int) -> float:
    """Johnstone, "On the distribution of the largest eigenvalue in principal components analysis", 2001."""
    a, b = math.sqrt(n - 1), math.sqrt(rows)
    centre, width = (a + b) ** 2, (a + b) * (1 / a + 1 / b) ** (1 / 3)
    return _tracy_widom((largest_eigenvalue(products) - centre) / width)


def _tracy_widom(s: float) -> float:
    """The upper tail for real matrices, as it is far out; 1 where that does not hold."""
    if s < 1.5:
        return 1.0
    return min(math.exp(-2.0 / 3.0 * s**1.5) / (4.0 * math.sqrt(math.pi) * s**0.75), 1.0)
