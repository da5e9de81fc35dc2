"""How a tensor is made → the distribution of its elements.

A law is a mixture: a sparse matrix has zeros, a padded embedding a row of them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from numbainit.initializers import Initializer
from numbainit.recipes import Change, Fill, Formula, Weight
from numbainit.recipes.plain import in_numbers, std_of


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

    def quantiles(self, cells: int) -> np.ndarray:
        """Points between so many cells of equal probability."""
        from scipy.special import ndtr, ndtri

        u = np.arange(1, cells) / cells
        if self.family == "uniform":
            return self.shift + self.scale * (2 * u - 1)
        a, b = ((end - self.shift) / self.scale for end in (self.low, self.high))
        if a > 0:
            return self.shift - self.scale * ndtri(ndtr(-b) + u * (ndtr(-a) - ndtr(-b)))
        return self.shift + self.scale * ndtri(ndtr(a) + u * (ndtr(b) - ndtr(a)))

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
