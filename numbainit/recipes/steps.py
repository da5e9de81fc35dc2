"""What is done to a tensor, one step after the other → a value that says so: a weight, of fills and changes."""

import itertools
import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from numbainit.initializers import Initializer
from numbainit.recipes.formulas import has_x

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


@dataclass(frozen=True)
class Formula:
    """A tensor, or a part of it, gets the values of a formula.

    Attributes
    ----------
    text : str
        See :mod:`numbainit.recipes.formulas`; ``x`` is what the tensor, or the part, holds before.
    part : tuple of pairs of ints, optional
        As in :class:`Fill`.
    of : str, optional
        The name of another tensor of the recipe, which ``x`` then is.
    dtype : str, optional
        That of all operations, where it is not the tensor's: ``"float64"`` for a table that is rounded at the end.

    Examples
    --------
    >>> from numbainit.recipes import Formula
    >>> Formula("1 / 10000 ** (arange(0, 8, 2) / 8)").label
    '1 / 10000 ** (arange(0, 8, 2) / 8)'
    """

    text: str
    part: Part | None = None
    of: str | None = None
    dtype: str | None = None

    def __post_init__(self) -> None:
        has_x(self.text)  # it can be read

    @property
    def overwrites(self) -> bool:
        """Whether it does not matter what the tensor held before."""
        return self.of is not None or not has_x(self.text)

    @property
    def label(self) -> str:
        notes = [f" of {self.of}"] * (self.of is not None) + [f" in {self.dtype}"] * (self.dtype is not None)
        return _place(self.part) + self.text + "".join(notes)


Step: TypeAlias = Fill | Change | Formula


@dataclass(frozen=True)
class Weight:
    """How the values of a tensor are made.

    Attributes
    ----------
    shape : tuple of ints
    dtype : str
        NumPy's name, or ml_dtypes': what the code made. Another one may be filled.
    steps : tuple of Fill, Change and Formula
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
        if self.computed or (self.steps and not any(map(_overwrites, self.steps))):
            return "computed"
        if not self.steps:
            return "untouched"
        return "drawn" if any(map(_draws, self.steps)) else "constant"

    @property
    def is_whole(self) -> bool:
        """Whether the steps begin with fills of all elements, so that it does not matter what there was before."""
        parts = []
        for step in itertools.takewhile(_overwrites, self.steps):
            if step.part is None:
                return True
            parts.append(step.part)
        sizes = [math.prod(stop - start for start, stop in part) for part in parts]
        apart = all(are_apart(*pair) for pair in itertools.combinations(parts[:_MOST_PARTS], 2))
        return bool(parts) and len(parts) <= _MOST_PARTS and apart and sum(sizes) == math.prod(self.shape)

    @property
    def makes_itself(self) -> bool:
        """Whether the steps say all, and need no other tensor: formulas may be of this one."""
        needs = any(isinstance(step, Formula) and step.of is not None for step in self.steps)
        return self.is_whole and not self.computed and not needs

    @property
    def label(self) -> str:
        """The steps, or what is known instead."""
        if self.computed:
            return f"computed: {self.computed}"
        steps = [step.label for step in self.steps[:_MOST_STEPS]]
        steps += [f"and {len(self.steps) - _MOST_STEPS} more"] * (len(self.steps) > _MOST_STEPS)
        return "; ".join(steps if self.is_whole else ["untouched", *steps])


def _overwrites(step: Step) -> bool:
    return isinstance(step, Fill) or (isinstance(step, Formula) and step.overwrites)


def _draws(step: Step) -> bool:
    """Whether chance has a say, as it has in what other tensors hold."""
    return step.initializer.draws if isinstance(step, Fill) else isinstance(step, Formula) and step.of is not None


def are_apart(first: Part, second: Part) -> bool:
    """Whether two parts have no element in common."""
    return any(max(a, c) >= min(b, d) for (a, b), (c, d) in zip(first, second, strict=True))


def _place(part: Part | None) -> str:
    return "" if part is None else f"[{', '.join(f'{start}:{stop}' for start, stop in part)}] "
