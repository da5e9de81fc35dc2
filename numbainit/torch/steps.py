"""Values that come into a named tensor, as a sheet has them → the steps of a recipe, or why there are none."""

import torch

from numbainit.initializers import Initializer
from numbainit.recipes.filling import MATRICES
from numbainit.recipes.steps import Change, Fill, Part
from numbainit.recipes.steps import Step as Known
from numbainit.torch.fills import SMALL
from numbainit.torch.formulas import Tree
from numbainit.torch.locations import View
from numbainit.torch.nodes import steps_of
from numbainit.torch.operations import facts_of
from numbainit.torch.sheets import (
    Arrived,
    Changed,
    Constant,
    Copied,
    Drawn,
    Made,
    Piece,
    Region,
    Step,
    UnsayableError,
    box_of,
    constant,
    inputs_of,
    is_all,
    label_of,
    text_of,
)
from numbainit.torch.values import rounded, value_of


class Destination:
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
        except UnsayableError as error:
            try:
                return self._computed(piece)
            except UnsayableError:
                self._own_all(piece)
                raise error from None

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

    def _computed(self, piece: Piece) -> list[Known]:
        """A formula, with the random fill in it before, and what was done to parts of it afterwards."""
        if self._part is not None:
            raise UnsayableError("a formula in a part")
        steps = [step for step in piece.until_now() if step.view.meets(piece.view)]
        until = max((at for at, step in enumerate(steps, 1) if is_all(step.view, piece.view)), default=0)
        tail, last = steps[until:], steps[until - 1] if until else None
        if isinstance(last, Copied) and (tail or until == 1) and self._is_taken_whole(last, piece):
            return self._computed(last.piece) + self._in_parts(tail, piece)
        try:
            return self._formula(piece)
        except UnsayableError:
            if not tail:
                raise
            whole = piece._replace(steps=steps[:until], length=until)
            return self._formula(whole) + self._in_parts(tail, piece)

    def _in_parts(self, steps: list[Step], piece: Piece) -> list[Known]:
        return [one for step in steps for one in self._said(step, piece, self._part_of(piece.view, step))]

    def _is_taken_whole(self, step: Copied, piece: Piece) -> bool:
        """Whether a copy is all that counts: what is left is to make its source."""
        same = step.view.shape == piece.view.shape == step.piece.view.shape
        return same and step.view.dtype == self._region.view.dtype

    def _formula(self, piece: Piece) -> list[Known]:
        tree = Tree(self._region)
        root = tree.of(piece)
        dtype, source = tree.dtype(self._region.view.dtype), tree.source
        if isinstance(source, Region):
            return [*steps_of(root, source.name, dtype)]
        if source is None:
            return [*steps_of(root, None, dtype)]
        if source.view.shape != self._region.view.shape:
            raise UnsayableError(f"{source.initializer.label} in another shape")
        drawn = Piece(source.sheet, [], 0, source.view)
        return [self._drawn(source, drawn, None, None), *steps_of(root, None, dtype)]

    def _part_of(self, view: View, step: Step) -> Part | None:
        if is_all(step.view, view):
            return None
        box = box_of(view, step.view)
        if box is None:
            raise UnsayableError(f"{text_of(step)} in a part that is no box")
        return box

    def _said(self, step: Step, piece: Piece, part: Part | None) -> list[Known]:
        if part is not None and self._part is not None:
            raise UnsayableError(f"{text_of(step)} in a part of what became a part")
        place = self._part if part is None else part
        if isinstance(step, Drawn):
            return [self._drawn(step, piece, part, place)]
        if isinstance(step, Constant):
            return [Fill(constant(rounded(step.value, step.view.dtype)), place)]
        if isinstance(step, Changed):
            _check_single(step.view.dtype, text_of(step))
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
        raise UnsayableError(text_of(step))

    def _copied(self, step: Copied, piece: Piece, part: Part | None) -> list[Known]:
        source = step.piece
        value = value_of(source)
        if value is not None:
            place = self._part if part is None else part
            return [Fill(constant(rounded(value, step.view.dtype)), place)]
        check_rounding(source, step.view.dtype)
        same = step.view.shape == piece.view.shape if part is None else step.view.size == source.view.size
        if source.view.shape != step.view.shape or not same:
            raise UnsayableError(f"{label_of(source)} in another shape")
        if part is None:
            return self._known(source)
        inner = Destination(self._region, part, self._draw)
        inner._takes = False
        return inner._known(source)

    def _drawn(self, step: Drawn, piece: Piece, part: Part | None, place: Part | None) -> Fill:
        found, sheet = step.initializer, step.sheet
        is_matrix = found.name in MATRICES
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
                todo += inputs_of(step)


def check_rounding(source: Piece, dtype: torch.dtype) -> None:
    """float32 may be rounded to small floats; what is drawn in others and rounded is not what is drawn in float32."""
    if source.view.dtype != dtype and not (source.view.dtype == torch.float32 and dtype in SMALL):
        raise UnsayableError(f"{label_of(source)} as {dtype}")


def _check_single(dtype: torch.dtype, text: str) -> None:
    if not dtype.is_floating_point:
        raise UnsayableError(f"{text} of {dtype}")
