"""Signals → their figures, layer by layer: how large they are, how many units are dead, what overflows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Flow:
    """Figures of a signal, one for each layer, in the order of ``layer``; of all elements of a batch.

    Attributes
    ----------
    layer : array of ints
    std, mean : arrays of float64
        Infinite or NaN where the signal is.
    dead : array of float64
        The share of units whose slope (of modules: whose output) is 0 for the whole batch; NaN where it is not known.
    overflow : array of float64
        The share of elements that are infinite or NaN.
    """

    layer: np.ndarray
    std: np.ndarray
    mean: np.ndarray
    dead: np.ndarray
    overflow: np.ndarray

    def __eq__(self, other: object) -> bool:
        """Whether all figures are the same; NaN is NaN."""
        if not isinstance(other, Flow):
            return NotImplemented
        pairs = ((getattr(self, one.name), getattr(other, one.name)) for one in fields(self))
        return all(np.array_equal(*pair, equal_nan=True) for pair in pairs)

    __hash__ = None  # type: ignore[assignment]

    def as_list(self) -> list[dict[str, Any]]:
        """One dict a layer; what is not finite is None, as JSON wants it."""
        columns = ("std", "mean", "dead", "overflow")
        rows = zip(self.layer, *(getattr(self, column) for column in columns), strict=True)
        return [
            {"layer": int(layer)} | {key: finite_or_none(value) for key, value in zip(columns, values, strict=True)}
            for layer, *values in rows
        ]


def finite_or_none(value: float) -> float | None:
    """What JSON has a number for."""
    return float(value) if math.isfinite(value) else None


def moments(signal: np.ndarray) -> tuple[float, float, float]:
    """Std and mean, in float64, and the share of elements that are not finite, of a batch."""
    finite = np.isfinite(signal)
    overflow = 1.0 - float(finite.mean())
    if overflow:
        what = math.inf if np.isinf(signal).any() else math.nan
        return what, what if math.isnan(what) else math.nan, overflow
    largest = float(np.abs(signal).max())
    if not largest:
        return 0.0, 0.0, 0.0
    scaled = signal.astype(np.float64) / largest  # squares of large float64 would overflow
    return float(scaled.std()) * largest, float(scaled.mean()) * largest, 0.0


def flow(layers: Sequence[int], rows: Sequence[tuple[float, float, float, float]]) -> Flow:
    """Rows of std, mean, overflow and dead → arrays."""
    std, mean, overflow, dead = np.array(rows, dtype=np.float64).reshape(-1, 4).T
    return Flow(np.asarray(layers), std, mean, dead, overflow)
