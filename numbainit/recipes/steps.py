"""What is done to a tensor, one step after the other → a value that says so: a weight, of fills and changes."""

import itertools
import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from numbainit.initializers import Initializer

_MOST_STEPS = 8  # that are shown
_MOST_PARTS = 64  # that are looked at
CHANGES = {"add": np.add, "div": np.divide, "mul": np.multiply}

Part: TypeAlias = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Fill:
    """An initializer fills a tensor, or a part of it.

    Attributes
    ----------
    initializer : Initializer
    part : tuple of pairs of ints, optional
        The first index along each axis, and the one behind the last; None: all of the tensor.
    draw : int
        Of the tensor's generator.
    of : str, optional
        The name whose generator it is, if not that of the tensor: its values are then a copy.
    """

    initializer: Initializer
    part: Part | None = None
    draw: int = 0
    of: str | None = None

    @property
    def label(self) -> str:
        notes = [f" of {self.of}"] * (self.of is not None) + [f", draw {self.draw}"] * (self.draw > 0)
        return _place(self.part) + self.initializer.label + "".join(notes)


@dataclass(frozen=True)
class Change:
    """A number changes what a tensor, or a part of it, holds: ``name`` is ``"add"``, ``"div"`` or ``"mul"``."""

    name: str
    number: float
    part: Part | None = None

    @property
    def label(self) -> str:
        return f"{_place(self.part)}{self.name}({self.number!r})"


Step: TypeAlias = Fill | Change


@dataclass(frozen=True)
class Weight:
    """How the values of a tensor are made.

    Attributes
    ----------
    shape : tuple of ints
    dtype : str
        NumPy's name, or ml_dtypes': what the code made. Another one may be filled.
    steps : tuple of Fill and Change
        One after the other; small floats are rounded after the last.
    computed : str
        What the steps cannot say, in words: the tensor cannot be made from this recipe.
    is_parameter : bool
        Or a buffer.
    """

    shape: tuple[int, ...]
    dtype: str
    steps: tuple[Step, ...] = ()
    computed: str = ""
    is_parameter: bool = True

    @property
    def status(self) -> str:
        """``drawn``, ``constant``, ``computed`` or ``untouched``."""
        fills = [step for step in self.steps if isinstance(step, Fill)]
        if self.computed or (self.steps and not fills):
            return "computed"
        if not fills:
            return "untouched"
        return "drawn" if any(step.initializer.draws for step in fills) else "constant"

    @property
    def is_whole(self) -> bool:
        """Whether the steps begin with fills of all elements, so that it does not matter what there was before."""
        parts = []
        for step in itertools.takewhile(lambda step: isinstance(step, Fill), self.steps):
            if step.part is None:
                return True
            parts.append(step.part)
        sizes = [math.prod(stop - start for start, stop in part) for part in parts]
        apart = all(are_apart(*pair) for pair in itertools.combinations(parts[:_MOST_PARTS], 2))
        return bool(parts) and len(parts) <= _MOST_PARTS and apart and sum(sizes) == math.prod(self.shape)

    @property
    def label(self) -> str:
        """The steps, or what is known instead."""
        if self.computed:
            return f"computed: {self.computed}"
        steps = [step.label for step in self.steps[:_MOST_STEPS]]
        steps += [f"and {len(self.steps) - _MOST_STEPS} more"] * (len(self.steps) > _MOST_STEPS)
        return "; ".join(steps if self.is_whole else ["untouched", *steps])


def are_apart(first: Part, second: Part) -> bool:
    """Whether two parts have no element in common."""
    return any(max(a, c) >= min(b, d) for (a, b), (c, d) in zip(first, second, strict=True))


def _place(part: Part | None) -> str:
    return "" if part is None else f"[{', '.join(f'{start}:{stop}' for start, stop in part)}] "
