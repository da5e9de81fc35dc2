"""Two weights of a name → whether they are made alike, and a table of those that are not."""

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any

from numbainit.initializers import Initializer
from numbainit.recipes.folding import columns, folded
from numbainit.recipes.plain import in_numbers
from numbainit.recipes.steps import Change, Fill, Step, Weight


class Difference(Mapping[str, "tuple[Weight | None, Weight | None]"]):
    """Name → the weights of two recipes, where they differ; None in the one that has none."""

    def __init__(self, pairs: "Mapping[str, tuple[Weight | None, Weight | None]]") -> None:
        self._pairs = dict(pairs)

    def __getitem__(self, name: str) -> "tuple[Weight | None, Weight | None]":
        return self._pairs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def __str__(self) -> str:
        return "\n".join(columns(folded((name, *_change(*pair)) for name, pair in self._pairs.items())))

    def __repr__(self) -> str:
        return f"<Difference of {len(self)} tensors>"


def _change(mine: Weight | None, theirs: Weight | None) -> tuple[str, str]:
    shapes = [str(list(one.shape)) for one in (mine, theirs) if one is not None]
    shape = " → ".join(dict.fromkeys(shapes))
    labels = ["not there" if one is None else one.label for one in (mine, theirs)]
    if mine is not None and theirs is not None and labels[0] == labels[1]:
        labels = [f"{mine.dtype} {_kind(mine)}", f"{theirs.dtype} {_kind(theirs)}"]
    return shape, " → ".join(labels)


def _kind(weight: Weight) -> str:
    return "parameter" if weight.is_parameter else "buffer"


def are_alike(mine: Weight | None, theirs: Weight | None, rtol: float) -> bool:
    """Whether the steps of two weights are the same in plain numbers, which may differ by a share of ``rtol``."""
    if mine is None or theirs is None or mine == theirs:
        return mine is theirs or mine == theirs
    facts = [(one.shape, one.dtype, one.computed, one.is_parameter, len(one.steps)) for one in (mine, theirs)]
    pairs = zip(mine.steps, theirs.steps, strict=False)
    return facts[0] == facts[1] and all(_are_alike(*pair, mine.shape, rtol) for pair in pairs)


def _are_alike(mine: Step, theirs: Step, shape: tuple[int, ...], rtol: float) -> bool:
    if isinstance(mine, Change) and isinstance(theirs, Change):
        return (mine.name, mine.part) == (theirs.name, theirs.part) and _are_close(mine.number, theirs.number, rtol)
    if not (isinstance(mine, Fill) and isinstance(theirs, Fill)):
        return mine == theirs
    first, second = in_numbers(mine.initializer, shape), in_numbers(theirs.initializer, shape)
    if dataclasses.replace(mine, initializer=second) != dataclasses.replace(theirs, initializer=second):
        return False
    return first == second or (rtol > 0 and _have_close_arguments(first, second, rtol))


def _have_close_arguments(first: Initializer, second: Initializer, rtol: float) -> bool:
    return first.name == second.name and all(
        _are_close(value, second.arguments[key], rtol) for key, value in first.arguments.items()
    )


def _are_close(first: Any, second: Any, rtol: float) -> bool:
    numbers = isinstance(first, (int, float)) and isinstance(second, (int, float))
    return first == second or (numbers and math.isclose(first, second, rel_tol=rtol))
