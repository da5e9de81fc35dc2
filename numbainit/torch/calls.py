"""A call of torch while code is recorded → the steps that say what the tensors hold which it makes or writes to."""

from typing import Any

import torch

from numbainit.errors import InvalidValueError
from numbainit.recipes import Formula
from numbainit.torch.accounts import is_plain
from numbainit.torch.histories import replaced
from numbainit.torch.locations import View, view_of
from numbainit.torch.operations import Facts, label
from numbainit.torch.sheets import (
    Arrived,
    Changed,
    Constant,
    Copied,
    Made,
    Piece,
    Sheet,
    Step,
    Target,
    UnsayableError,
    box_of,
    is_all,
    label_of,
    piece_of,
)
from numbainit.torch.steps import Destination, check_rounding
from numbainit.torch.storages import Storages, short
from numbainit.torch.values import evaluated, is_random, on_cpu, value_of


class Calls:
    """What calls do, by the sheets of all storages."""

    def __init__(self, sheets: Storages[Sheet]) -> None:
        self._sheets = sheets

    def piece(self, tensor: torch.Tensor) -> Any:
        """A tensor as it is now: what nobody has seen yet, and has values, is itself."""
        sheet = self._sheets.get(tensor) if is_plain(tensor) else None
        if sheet is not None and not (tensor.is_conj() or tensor.is_neg()):
            return piece_of(sheet, tensor)
        return tensor

    def values(self, tensor: torch.Tensor) -> torch.Tensor:
        """Those of a tensor, on the CPU, if chance has no say in them."""
        piece = self.piece(tensor)
        if isinstance(piece, torch.Tensor):
            return tensor
        try:
            return evaluated(piece)
        except UnsayableError as error:
            raise InvalidValueError(
                f"the code wants to see values that a recording does not have ({error}: {short(label_of(piece))}): "
                "record other code, or use numbainit.torch.build, which has values"
            ) from None

    def made(
        self, func: Any, facts: Facts, args: Any, kwargs: Any, tensors: list[torch.Tensor], made: torch.Tensor, at: int
    ) -> list[Step]:
        """What a new tensor holds."""
        view = view_of(made)
        if facts.is_constant and facts.name != "eye":
            return [Constant(view, _constant_value(facts, args, kwargs))]
        inputs = [] if facts.valueless else [self.piece(tensor) for tensor in tensors]
        if facts.same and len(inputs) == 1 and isinstance(inputs[0], Piece):
            return [Copied(view, inputs[0])]
        padding = facts.name == "constant_pad_nd" and not any(args[1])
        if padding and isinstance(inputs[0], Piece):
            return [Copied(view, inputs[0])]
        value = self._uniform(func, facts, args, kwargs, inputs)
        if value is not None:
            return [Constant(view, value)]
        changes = self._changes(facts, args, kwargs)
        first = self.piece(args[0]) if args and isinstance(args[0], torch.Tensor) else None
        if changes and isinstance(first, Piece) and first.view.shape == view.shape:
            return [Copied(view, first), *(Changed(view, *change) for change in changes)]
        args_kept, kwargs_kept = replaced((args, kwargs), torch.Tensor, self.piece)
        text = short(label(facts, args, kwargs, self._how)) if tensors else facts.name
        return [Made(view, text, func, args_kept, kwargs_kept, at)]

    def written(
        self, func: Any, facts: Facts, args: Any, kwargs: Any, tensor: torch.Tensor, inputs: Any, targets: set[int]
    ) -> Step:
        """What a tensor that is written to holds then, or how it changes."""
        view = view_of(tensor)
        if facts.name == "zero":
            return Constant(view, 0)
        pieces = [self.piece(one) for one in inputs]
        if facts.name == "fill":
            value = args[1] if not inputs else value_of(pieces[0]) if isinstance(pieces[0], Piece) else inputs[0].item()
            if value is not None:
                return Constant(view, value)
        if facts.name == "copy" and len(pieces) == 1 and isinstance(pieces[0], Piece):
            return self._copied(tensor, view, pieces[0])
        changes = self._changes(facts, args, kwargs)
        if len(changes) == 1:
            return Changed(view, *changes[0])

        def kept(one: torch.Tensor) -> Any:
            return Target() if id(one) in targets else self.piece(one)

        args_kept, kwargs_kept = replaced((args, kwargs), torch.Tensor, kept)
        return Made(view, short(label(facts, args, kwargs, self._how)), func, args_kept, kwargs_kept, None)

    def _copied(self, tensor: torch.Tensor, view: View, piece: Piece) -> Step:
        sheet = self._sheets.of(tensor)
        region = sheet.region_of(view)
        if region is None or piece.sheet.regions or value_of(piece) is not None or not is_random(piece):
            return Copied(view, piece)
        draw = region.next_draw()
        try:
            check_rounding(piece, view.dtype)
            part = None if is_all(view, region.view) else box_of(region.view, view)
            if view.shape != piece.view.shape or (part is None and view != region.view):
                raise UnsayableError(f"{label_of(piece)} in a part, or in another shape")
            known = tuple(Destination(region, part, draw).known(piece))
            of_others = any(isinstance(step, Formula) and step.of is not None for step in known)
            return Copied(view, piece) if of_others else Arrived(view, known, "")  # others may yet change
        except UnsayableError as error:
            return Arrived(view, (), short(str(error)))

    def _changes(self, facts: Facts, args: Any, kwargs: Any) -> list[tuple[str, float]]:
        """The factors and summands that an operation is, if it is."""
        if facts.name == "neg":
            return [("mul", -1)]
        if facts.name not in ("add", "sub", "rsub", "mul", "div") or len(args) != 2 or kwargs:
            return []
        number = args[1]
        if isinstance(number, torch.Tensor):
            piece = self.piece(number)
            same = number.dim() == 0 or (isinstance(args[0], torch.Tensor) and number.dtype == args[0].dtype)
            number = value_of(piece) if isinstance(piece, Piece) and same else None
        if type(number) not in (int, float):
            return []
        if facts.name == "rsub":
            return [("mul", -1), ("add", number)]
        return [("add", -number) if facts.name == "sub" else (facts.name, number)]

    def _uniform(self, func: Any, facts: Facts, args: Any, kwargs: Any, pieces: list[Any]) -> Any:
        """The value of all elements of a new tensor, if those of all inputs are equal."""
        if torch.Tag.pointwise not in func.tags or not pieces or not all(isinstance(one, Piece) for one in pieces):
            return None
        values = [value_of(piece) for piece in pieces]
        if any(value is None for value in values):
            return None

        def single(tensor: torch.Tensor) -> torch.Tensor:
            value = value_of(self.piece(tensor))
            return torch.full((1,) * tensor.dim(), value, dtype=tensor.dtype, device="cpu")

        args, kwargs = replaced((args, kwargs), torch.Tensor, single)
        found = func(*args, **on_cpu(kwargs))
        return found.item() if isinstance(found, torch.Tensor) else None

    def _how(self, tensor: torch.Tensor) -> str:
        piece = self.piece(tensor)
        return short(label_of(piece)) if isinstance(piece, Piece) else f"a tensor {list(tensor.shape)}"


def literal(tensor: torch.Tensor) -> Constant | Made:
    """The step that gives values which Python knew."""
    view = view_of(tensor)
    if tensor.numel() == 1:
        return Constant(view, tensor.item())
    values = tensor.detach().clone()
    return Made(view, f"a tensor {list(view.shape)}", torch.ops.aten.clone.default, (values,), {}, 0)


def _constant_value(facts: Facts, args: Any, kwargs: Any) -> Any:
    if "zeros" in facts.name:
        return 0
    if "ones" in facts.name:
        return 1
    return args[0] if facts.name == "scalar_tensor" else args[2 if facts.name == "new_full" else 1]
