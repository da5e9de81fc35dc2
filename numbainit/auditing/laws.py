"""How a tensor is made → the distribution of its elements, and whether what it holds follows it.

A law is a mixture: a sparse matrix has zeros, a padded embedding a row of them. Elements are counted between points
that lie half way between two numbers of the dtype, so that small floats, which are rounded, are judged exactly.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from numbainit.auditing.figures import Figures
from numbainit.auditing.pieces import as_float, counts
from numbainit.files.reading.stored import Stored
from numbainit.initializers import Initializer
from numbainit.recipes import Change, Fill, Formula, Weight
from numbainit.recipes.plain import in_numbers, std_of

CELLS = 256
_LEAST = 25.0  # expected in a cell
TESTS = 5  # p-values of a tensor
_D, _SHIFT, _RATIO = 0.005, 0.01, 0.005  # effects below are no difference, whatever the p-value


@dataclass(frozen=True)
class Component:
    """Part of the elements: ``scale * z + shift``, with z normal, uniform on [-1, 1], or 0."""

    share: float
    family: str
    shift: float
    scale: float
    low: float = -math.inf
    high: float = math.inf

    def cdf(self, x: np.ndarray) -> np.ndarray:
        from scipy.special import ndtr

        if self.family == "constant" or not self.scale:
            return (x >= self.shift).astype(np.float64)
        z = (x - self.shift) / self.scale
        if self.family == "uniform":
            return np.clip((z + 1) / 2, 0, 1)
        if math.isinf(self.low) and math.isinf(self.high):
            return ndtr(z)
        a, b = ((end - self.shift) / self.scale for end in (self.low, self.high))
        flip = a > 0  # in the upper tail 1 - ndtr cancels
        bottom, top = (ndtr(-b), ndtr(-a)) if flip else (ndtr(a), ndtr(b))
        inside = np.clip(z, a, b)
        share = (ndtr(-inside) - bottom) / (top - bottom) if flip else (ndtr(inside) - bottom) / (top - bottom)
        return 1 - share if flip else share

    @property
    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation."""
        if self.family == "constant":
            return self.shift, 0.0
        if self.family == "uniform":
            return self.shift, self.scale / math.sqrt(3)
        if math.isinf(self.low) and math.isinf(self.high):
            return self.shift, self.scale
        a, b = (np.clip((end - self.shift) / self.scale, -40, 40) for end in (self.low, self.high))
        x = np.linspace(a, b, 20_001)
        density = np.exp(-0.5 * (x * x - min(abs(a), abs(b)) ** 2 * (a * b > 0)))
        mass = np.trapezoid(density, x)
        mean = np.trapezoid(density * x, x) / mass
        square = np.trapezoid(density * x * x, x) / mass
        return float(self.shift + self.scale * mean), float(self.scale * math.sqrt(max(square - mean * mean, 0.0)))


@dataclass(frozen=True)
class Law:
    """The distribution of the elements of a tensor."""

    label: str
    components: tuple[Component, ...]

    @property
    def mean(self) -> float:
        return sum(one.share * one.moments[0] for one in self.components)

    @property
    def std(self) -> float:
        pairs = [(one.share, *one.moments) for one in self.components]
        square = sum(share * (std * std + mean * mean) for share, mean, std in pairs)
        return math.sqrt(max(square - self.mean**2, 0.0))

    @property
    def low(self) -> float:
        return min(_low(one) for one in self.components)

    @property
    def high(self) -> float:
        return max(-_low(replace(one, shift=-one.shift, low=-one.high, high=-one.low)) for one in self.components)

    def cdf(self, x: np.ndarray) -> np.ndarray:
        """P(element <= x)."""
        return np.sum([one.share * one.cdf(x) for one in self.components], axis=0)


def _low(one: Component) -> float:
    if one.family == "normal":
        return one.low
    return one.shift - (one.scale if one.family == "uniform" else 0.0)


def law_of(weight: Weight) -> Law | None:
    """The law of a weight's elements; None where it is not one of these."""
    size = math.prod(weight.shape)
    parts: list[tuple[int, Component]] = []
    for step in weight.steps if size else ():
        if isinstance(step, Formula):
            return None
        if isinstance(step, Change):
            if step.part is not None or step.name not in ("mul", "div", "add"):
                return None
            parts = [(count, _changed(one, step)) for count, one in parts]
            continue
        found = _components(step, weight.shape)
        if found is None:
            return None
        count = size if step.part is None else math.prod(stop - start for start, stop in step.part)
        parts = _covered(parts, count, size) + [(round(count * one.share), one) for one in found]
    if not parts or weight.computed:
        return None
    total = sum(count for count, _ in parts)
    return Law(weight.label, _merged([replace(one, share=count / total) for count, one in parts if count]))


def _covered(parts: list[tuple[int, Component]], count: int, size: int) -> list[tuple[int, Component]]:
    """What is left of earlier fills: parts lie beside each other, or in a first fill of all."""
    if count == size:
        return []
    return [(n - count if n + count > size else n, one) for n, one in parts]


def _merged(parts: Sequence[Component]) -> tuple[Component, ...]:
    shares: dict[Component, float] = {}
    for one in parts:
        key = replace(one, share=0.0)
        shares[key] = shares.get(key, 0.0) + one.share
    return tuple(replace(key, share=share) for key, share in shares.items())


def _changed(one: Component, step: Change) -> Component:
    if step.name == "add":
        return replace(one, shift=one.shift + step.number, low=one.low + step.number, high=one.high + step.number)
    factor = step.number if step.name == "mul" else 1.0 / step.number if step.number else math.inf
    low, high = sorted((one.low * factor, one.high * factor)) if factor else (0.0, 0.0)
    return replace(one, shift=one.shift * factor, scale=one.scale * abs(factor), low=low, high=high)


def _components(step: Fill, shape: tuple[int, ...]) -> list[Component] | None:
    found: Initializer = in_numbers(step.initializer, shape)
    given = found.arguments
    match found.name:
        case "normal":
            return [Component(1.0, "normal", float(given["mean"]), float(given["std"]))]
        case "trunc_normal":
            mean, std, a, b = (float(given[key]) for key in ("mean", "std", "a", "b"))
            return [Component(1.0, "normal", mean, std, a, b)]
        case "uniform":
            a, b = float(given["a"]), float(given["b"])
            return [Component(1.0, "uniform", (a + b) / 2, (b - a) / 2)]
        case "zeros" | "ones" | "constant":
            value = given.get("val", float(found.name == "ones"))
            return None if isinstance(value, complex) else [Component(1.0, "constant", float(value), 0.0)]
        case "sparse":
            share = min(math.ceil(float(given["sparsity"]) * shape[0]) / shape[0], 1.0)
            return [Component(share, "constant", 0.0, 0.0), Component(1 - share, "normal", 0.0, float(given["std"]))]
        case "orthogonal":  # nearly: each element is one coordinate of a random unit vector
            width = std_of(found, shape)
            return None if width is None else [Component(1.0, "normal", 0.0, width)]
    return None


# ---- what is there, against it ----


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
    edges = _edges(law, stored.dtype, stored.size)
    observed = histogram(stored, edges)
    below = np.concatenate(([0.0], law.cdf(edges), [1.0]))
    expected = np.diff(below) * observed.sum()
    d = float(np.abs(np.cumsum(observed) / max(observed.sum(), 1) - below[1:]).max(initial=0.0))
    ratio = found.std / law.std if law.std else math.inf if found.std else 1.0
    outside = _outside(stored, law)
    tests = {
        "shape": (_chi_square(observed, expected), d > _D),
        "distribution": (_kolmogorov(d, stored.size), d > _D),
        "mean": (_p(_mean_score(found, law)), abs(found.mean - law.mean) > _SHIFT * (law.std or 1e-30)),
        "std": (_p(_std_score(found, law)), abs(ratio - 1) > _RATIO),
        "extremes": (_extreme(found, law), True),
    }
    wrong = [name for name, (p, matters) in tests.items() if not p >= share and matters]
    why = f"{outside:,} elements outside [{law.low:g}, {law.high:g}]" if outside else ""
    if wrong and not why:
        why = _explained(wrong, found, law, ratio, d)
    return Fit(d, min(p for p, _ in tests.values()), ratio, outside, why)


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


def _edges(law: Law, dtype: np.dtype, size: int) -> np.ndarray:
    """Points of equal probability, each half way between two neighbours of the dtype."""
    cells = int(min(CELLS, max(size / _LEAST, 2)))
    drawn = [one for one in law.components if one.scale]
    points = np.concatenate([_quantiles(one, cells) for one in drawn]) if drawn else np.empty(0)
    atoms = [one.shift for one in law.components if not one.scale]
    around = np.array([value + sign * max(abs(value), 1e-30) * 1e-3 for value in atoms for sign in (-1, 1)])
    edges = np.unique(between(np.concatenate([points, around]), dtype))
    low, high = _inner(law, dtype)
    return edges[(edges > low) & (edges < high)]


def _inner(law: Law, dtype: np.dtype) -> tuple[float, float]:
    """The outermost numbers of a dtype that a bounded law surely has: what would be rounded past a bound is in them."""
    real = np.empty(0, dtype).real.dtype
    bounds = np.array([law.low, law.high]).astype(real)
    inward = np.nextafter(bounds, bounds[::-1]).astype(np.float64)
    return tuple(np.where(np.isfinite([law.low, law.high]), inward, [law.low, law.high]).tolist())


def _quantiles(one: Component, cells: int) -> np.ndarray:
    from scipy.special import ndtr, ndtri

    u = np.arange(1, cells) / cells
    if one.family == "uniform":
        return one.shift + one.scale * (2 * u - 1)
    a, b = ((end - one.shift) / one.scale for end in (one.low, one.high))
    if a > 0:
        return one.shift - one.scale * ndtri(ndtr(-b) + u * (ndtr(-a) - ndtr(-b)))
    return one.shift + one.scale * ndtri(ndtr(a) + u * (ndtr(b) - ndtr(a)))


def between(points: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """The middle between each point, rounded to a dtype, and the next number: no element lies on it."""
    real = np.empty(0, dtype).real.dtype
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


def _outside(stored: Stored, law: Law) -> int:
    """Elements beyond the bounds of the law, which are rounded to the dtype."""
    if math.isinf(law.low) and math.isinf(law.high):
        return 0
    slack = 4 * np.finfo(np.float32).eps if stored.dtype.itemsize >= 4 else 0.01
    low = law.low - slack * max(abs(law.low), law.std, 1e-30) if math.isfinite(law.low) else -math.inf
    high = law.high + slack * max(abs(law.high), law.std, 1e-30) if math.isfinite(law.high) else math.inf
    outside = 0
    for piece in stored.pieces(counts(stored.shape)):
        values = as_float(piece)
        outside += int(np.count_nonzero((values < low) | (values > high)))
    return outside


def _chi_square(observed: np.ndarray, expected: np.ndarray) -> float:
    from scipy.special import gammaincc

    if (observed[expected <= 0] > 0).any():
        return 0.0
    keep = expected >= _LEAST / 5
    if keep.sum() < 2:
        return 1.0
    statistic = float((np.square(observed[keep] - expected[keep]) / expected[keep]).sum())
    return float(gammaincc((keep.sum() - 1) / 2, statistic / 2))


def _kolmogorov(d: float, size: int) -> float:
    from scipy.special import kolmogorov

    return float(kolmogorov(d * math.sqrt(size)))


def _p(score: float) -> float:
    from scipy.special import erfc

    return float(erfc(abs(score) / math.sqrt(2))) if not math.isnan(score) else 0.0


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
