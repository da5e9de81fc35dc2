"""A storage without memory → a sheet of what code has done to it since it was last written as a whole.

Each step has its view. :mod:`numbainit.torch.values` takes steps on the CPU where values are wanted that chance has no
say in, :mod:`numbainit.torch.steps` turns them into those of a recipe.
"""

from typing import Any, NamedTuple, TypeAlias

import torch

from numbainit.initializers import Initializer
from numbainit.recipes.steps import Part
from numbainit.recipes.steps import Step as Known
from numbainit.torch.fills import initializer
from numbainit.torch.histories import flat
from numbainit.torch.locations import View, view_of
from numbainit.torch.storages import Draws, Storage


class UnsayableError(Exception):
    """What was done is no step of a recipe; the message says what it was."""


class Region(Draws):
    """A named tensor in a storage; ``held`` says that it may have had values before."""

    def __init__(self, name: str, view: View, held: bool) -> None:
        super().__init__()
        self.name, self.view, self.held = name, view, held


class Sheet(Storage[Region], Draws):
    """A storage, and what was done to it."""

    def __init__(self, storage: torch.UntypedStorage) -> None:
        super().__init__(storage)
        self.size = storage.nbytes()
        self.steps: list[Step] = []


class Piece(NamedTuple):
    """A view of a storage as it was at some time."""

    sheet: Sheet
    steps: "list[Step]"
    length: int
    view: View

    @property
    def is_the_last(self) -> bool:
        """Whether nothing was done to the storage since."""
        return self.steps is self.sheet.steps and self.length == len(self.steps)

    def until_now(self) -> "list[Step]":
        return self.steps[: self.length]


def piece_of(sheet: Sheet, tensor: torch.Tensor) -> Piece:
    return Piece(sheet, sheet.steps, len(sheet.steps), view_of(tensor))


class Target:
    """Stands for the tensor that an operation writes to."""


class Drawn:
    """A random fill. ``owner`` is the name whose generator it got, where its storage has no name itself."""

    def __init__(self, sheet: Sheet, view: View, found: Initializer, draw: int) -> None:
        self.sheet, self.view, self.initializer, self.draw = sheet, view, found, draw
        self.owner: tuple[str, Part | None, int] | None = None


class Constant(NamedTuple):
    view: View
    value: int | float | complex | bool


class Copied(NamedTuple):
    view: View
    piece: Piece


class Changed(NamedTuple):
    view: View
    name: str
    number: float


class Made(NamedTuple):
    """Any other operation: ``at`` is the number of this result, None where it writes in place."""

    view: View
    text: str
    func: Any
    args: Any
    kwargs: Any
    at: int | None


class Arrived(NamedTuple):
    """Values that came into a named tensor, which could be said then, or not."""

    view: View
    known: tuple[Known, ...]
    text: str


Step: TypeAlias = "Drawn | Constant | Copied | Changed | Made | Arrived"


def inputs_of(step: Step) -> list[Piece]:
    """What a step takes values from."""
    if isinstance(step, Copied):
        return [step.piece]
    return list(flat((step.args, step.kwargs), Piece)) if isinstance(step, Made) else []


# ---- places ----


def is_all(view: View, inner: View) -> bool:
    """Whether a view has every element of another one."""
    if view == inner:
        return True
    dense = view.end - view.offset == view.size
    return dense and view.dtype == inner.dtype and view.contains(inner)


def box_of(outer: View, inner: View) -> Part | None:
    """Where a view lies in another one, as ranges of its indices, if these say it."""
    if outer.dtype != inner.dtype:
        return None
    rest = inner.offset - outer.offset
    axes = [axis for axis, size in enumerate(outer.shape) if size > 1]
    axes.sort(key=lambda axis: -outer.strides[axis])
    starts, sizes = [0] * len(outer.shape), [1] * len(outer.shape)
    for axis in axes:
        starts[axis], rest = divmod(rest, outer.strides[axis]) if outer.strides[axis] else (0, rest)
    if rest:
        return None
    last = -1
    for size, stride in zip(inner.shape, inner.strides, strict=True):
        if size > 1:
            found = next((axis for axis in axes if outer.strides[axis] == stride and axis > last), None)
            if found is None:
                return None
            sizes[found], last = size, found
    box = tuple((start, start + size) for start, size in zip(starts, sizes, strict=True))
    return box if all(stop <= size for (_, stop), size in zip(box, outer.shape, strict=True)) else None


# ---- in words ----


def constant(value: Any) -> Initializer:
    """All elements have one value."""
    if value in (0, 1) and str(value) not in ("-0.0", "-0"):
        return Initializer("ones" if value else "zeros")
    return initializer("constant", value)


def text_of(step: Step) -> str:
    if isinstance(step, Drawn):
        return step.initializer.label
    if isinstance(step, Constant):
        return constant(step.value).label
    if isinstance(step, Copied):
        return label_of(step.piece)
    if isinstance(step, Changed):
        return f"{step.name}({step.number:.6g})"
    if isinstance(step, Arrived):
        return step.text or "; ".join(one.label for one in step.known)
    return step.text


def label_of(piece: Piece) -> str:
    """The values of a piece, in words."""
    named = next((region.name for region in piece.sheet.regions if region.view == piece.view), None)
    steps = [step for step in piece.until_now() if step.view.meets(piece.view)]
    return named or "; ".join(map(text_of, steps)) or f"a tensor {list(piece.view.shape)}"
