"""What code has done to storages without memory → the steps of a recipe for each named tensor, or why there are none.

A storage has a sheet: what was done to it since it was last written as a whole, each step with its view. Values are not
there, but those that do not depend on chance can be had: the steps are taken on the CPU when code wants to see them.
"""

from typing import Any, NamedTuple, TypeAlias

import torch

from numbainit.initializers import Initializer
from numbainit.recipes.steps import Change, Fill, Part
from numbainit.recipes.steps import Step as Known
from numbainit.torch.fills import SMALL, initializer
from numbainit.torch.histories import flat, replaced
from numbainit.torch.locations import View, view_of
from numbainit.torch.operations import facts_of
from numbainit.torch.storages import Draws, Storage

_OF_MATRICES = ("orthogonal", "sparse")


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

    def until_now(self) -> "list[Step]":
        return self.steps[: self.length]


def piece_of(sheet: Sheet, tensor: torch.Tensor) -> Piece:
    return Piece(sheet, sheet.steps, len(sheet.steps), view_of(tensor))


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


# ---- values ----


def is_random(piece: Piece) -> bool:
    """Whether chance has a say in the values of a piece."""
    todo, seen = [piece], set()
    while todo:
        one = todo.pop()
        if (id(one.steps), one.length, one.view) in seen:
            continue
        seen.add((id(one.steps), one.length, one.view))
        for step in one.until_now():
            if isinstance(step, (Drawn, Arrived)):
                return True
            todo += _inputs(step)
    return False


def _inputs(step: Step) -> list[Piece]:
    if isinstance(step, Copied):
        return [step.piece]
    return list(flat((step.args, step.kwargs), Piece)) if isinstance(step, Made) else []


def evaluated(piece: Piece) -> torch.Tensor:
    """The values of a piece, on the CPU."""
    if any(region.held for region in piece.sheet.regions) and not piece.length:
        raise UnsayableError("values from before")
    memory = torch.zeros(piece.sheet.size, dtype=torch.uint8, device="cpu")
    for step in piece.until_now():
        part = _strided(memory, step.view)
        if isinstance(step, Constant):
            part.fill_(step.value)
        elif isinstance(step, Copied):
            part.copy_(evaluated(step.piece))
        elif isinstance(step, Changed):
            getattr(part, step.name + "_")(step.number)
        elif isinstance(step, Made):
            args, kwargs = replaced((step.args, step.kwargs), Piece, evaluated)
            if step.at is None:
                _call_in_place(step.func, args, kwargs, part)
            else:
                part.copy_(list(flat(step.func(*args, **on_cpu(kwargs)), torch.Tensor))[step.at])
        else:
            raise UnsayableError("random values")
    return _strided(memory, piece.view)


class Target:
    """Stands for the tensor that an operation writes to."""


def _call_in_place(func: Any, args: Any, kwargs: Any, target: torch.Tensor) -> None:
    args, kwargs = replaced((args, kwargs), Target, lambda _: target)
    func(*args, **on_cpu(kwargs))


def on_cpu(kwargs: Any) -> Any:
    return {
        name: torch.device("cpu") if name == "device" and value is not None else value for name, value in kwargs.items()
    }


def _strided(memory: torch.Tensor, view: View) -> torch.Tensor:
    return memory.view(view.dtype).as_strided(view.shape, view.strides, view.offset)


def value_of(piece: Piece) -> Any:
    """The value that all elements of a piece have; None where they may differ."""
    found = None
    for step in piece.until_now():
        if not step.view.meets(piece.view):
            continue
        if not is_all(step.view, piece.view):
            return None
        if isinstance(step, Constant):
            found = _rounded(step.value, step.view.dtype)
        elif isinstance(step, Copied):
            inner = value_of(step.piece)
            found = None if inner is None else _rounded(inner, step.view.dtype)
        elif isinstance(step, Changed) and found is not None:
            one = torch.full((1,), found, dtype=step.view.dtype, device="cpu")
            found = getattr(one, step.name + "_")(step.number).item()
        else:
            found = None
    return found


def _rounded(value: Any, dtype: torch.dtype) -> Any:
    return torch.full((), value, dtype=dtype, device="cpu").item()


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


# ---- steps ----


class Arrival:
    """What can be said of values that come into a named tensor, as a whole or into a part of it.

    As in a keyed context, the first random fill that has no owner yet gets the generator of that name. Another one has
    a generator that a recipe has no word for.
    """

    def __init__(self, region: Region, part: Part | None, draw: int) -> None:
        self._region, self._part, self._draw = region, part, draw
        self._first: Drawn | None = None
        self._takes = True  # those without an owner: not in a part, where they get another generator

    def known(self, piece: Piece) -> list[Known]:
        """The steps to a piece; all that it depends on has an owner afterwards."""
        try:
            return self._known(piece)
        except UnsayableError:
            self._own_all(piece)
            raise

    def _known(self, piece: Piece) -> list[Known]:
        value = value_of(piece)
        if value is not None:
            return [Fill(constant(value), self._part)]
        steps: list[Known] = []
        for step in piece.until_now():
            if step.view.meets(piece.view):
                part = self._part_of(piece.view, step)
                made = self._said(step, piece, part)
                if part is None and any(isinstance(one, Fill) for one in made):
                    steps = []
                steps += made
        own = any(region is self._region for region in piece.sheet.regions)
        if not own and not (steps and isinstance(steps[0], Fill)):
            raise UnsayableError("a copy of what another tensor held before")
        return steps

    def _part_of(self, view: View, step: Step) -> Part | None:
        if is_all(step.view, view):
            return None
        box = box_of(view, step.view)
        if box is None:
            raise UnsayableError(f"{_text(step)} in a part that is no box")
        return box

    def _said(self, step: Step, piece: Piece, part: Part | None) -> list[Known]:
        if part is not None and self._part is not None:
            raise UnsayableError(f"{_text(step)} in a part of what became a part")
        place = self._part if part is None else part
        if isinstance(step, Drawn):
            return [self._drawn(step, piece, part, place)]
        if isinstance(step, Constant):
            return [Fill(constant(_rounded(step.value, step.view.dtype)), place)]
        if isinstance(step, Changed):
            _check_single(step.view.dtype, _text(step))
            return [Change(step.name, float(step.number), place)]
        if isinstance(step, Copied):
            return self._copied(step, piece, part)
        is_eye = isinstance(step, Made) and facts_of(step.func).name == "eye" and step.view.dtype.is_floating_point
        if is_eye and place is None and step.view == piece.view:
            return [Fill(Initializer("eye"))]
        if isinstance(step, Arrived) and not step.text and step.view == piece.view and part is None:
            return list(step.known)
        if isinstance(step, Arrived) and not step.text and step.known and self._region in piece.sheet.regions:
            return list(step.known)
        raise UnsayableError(_text(step))

    def _copied(self, step: Copied, piece: Piece, part: Part | None) -> list[Known]:
        source = step.piece
        value = value_of(source)
        if value is not None:
            place = self._part if part is None else part
            return [Fill(constant(_rounded(value, step.view.dtype)), place)]
        check_rounding(source, step.view.dtype)
        same = step.view.shape == piece.view.shape if part is None else step.view.size == source.view.size
        if source.view.shape != step.view.shape or not same:
            raise UnsayableError(f"{_label(source)} in another shape")
        if part is None:
            return self._known(source)
        inner = Arrival(self._region, part, self._draw)
        inner._takes = False
        return inner._known(source)

    def _drawn(self, step: Drawn, piece: Piece, part: Part | None, place: Part | None) -> Fill:
        found, sheet = step.initializer, step.sheet
        is_matrix = found.name in _OF_MATRICES
        if (
            is_matrix
            and step.view != piece.view
            and not (part is not None and len(step.view.shape) == len(piece.view.shape))
        ):
            raise UnsayableError(f"{found.label} of a view")
        if sheet.regions:
            region = sheet.region_of(step.view)
            if region is None:  # memory that several share: each as if it were alone
                region = next((one for one in sheet.regions if one.view == piece.view), None)
            if region is self._region:
                return Fill(found, place, step.draw)
            if region is None or region.view != piece.view or place is not None:
                raise UnsayableError(f"{found.label} of a part of another tensor")
            return Fill(found, None, step.draw, region.name)
        if step.view.shape != piece.view.shape or step.view.strides != piece.view.strides or part is not None:
            raise UnsayableError(f"{found.label} of a temporary, in part or in another order")
        if step.owner is None:
            if self._first is not None:
                raise UnsayableError(f"{found.label} after {self._first.initializer.label}")
            if not self._takes:
                raise UnsayableError(f"{found.label} in a part")
            step.owner, self._first = (self._region.name, place, self._draw), step
        name, where, draw = step.owner
        if name == self._region.name and where == place:
            return Fill(found, place, draw)
        if where is None and place is None:
            return Fill(found, None, draw, name)
        raise UnsayableError(f"{found.label}, as in {name}")

    def _own_all(self, piece: Piece) -> None:
        """Whatever these values were made of is not to be drawn for another name."""
        todo, seen = [piece], set()
        while todo:
            one = todo.pop()
            if (id(one.steps), one.length) in seen:
                continue
            seen.add((id(one.steps), one.length))
            for step in one.until_now():
                if isinstance(step, Drawn) and step.owner is None and not step.sheet.regions:
                    step.owner = self._region.name, ((-1, -1),), self._draw
                todo += _inputs(step)


def constant(value: Any) -> Initializer:
    """All elements have one value."""
    if value in (0, 1) and str(value) not in ("-0.0", "-0"):
        return Initializer("ones" if value else "zeros")
    return initializer("constant", value)


def check_rounding(source: Piece, dtype: torch.dtype) -> None:
    """float32 may be rounded to small floats; what is drawn in others and rounded is not what is drawn in float32."""
    if source.view.dtype != dtype and not (source.view.dtype == torch.float32 and dtype in SMALL):
        raise UnsayableError(f"{_label(source)} as {dtype}")


def _check_single(dtype: torch.dtype, text: str) -> None:
    if not dtype.is_floating_point:
        raise UnsayableError(f"{text} of {dtype}")


def _text(step: Step) -> str:
    if isinstance(step, Drawn):
        return step.initializer.label
    if isinstance(step, Constant):
        return constant(step.value).label
    if isinstance(step, Copied):
        return _label(step.piece)
    if isinstance(step, Changed):
        return f"{step.name}({step.number:.6g})"
    if isinstance(step, Arrived):
        return step.text or "; ".join(one.label for one in step.known)
    return step.text


def _label(piece: Piece) -> str:
    """The values of a piece, in words."""
    named = next((region.name for region in piece.sheet.regions if region.view == piece.view), None)
    steps = [step for step in piece.until_now() if step.view.meets(piece.view)]
    return named or "; ".join(map(_text, steps)) or f"a tensor {list(piece.view.shape)}"


label_of = _label
