"""Every operation of torch while code is recorded → a step on the sheet of what it writes; nothing is filled.

Tensors are made on the meta device, but for those that are made of numbers. Where code wants to see values, it gets
them if chance has no say in them.
"""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._device import _device_constructors
from torch.utils._python_dispatch import TorchDispatchMode

from numbainit.errors import InvalidValueError
from numbainit.initializers import Initializer
from numbainit.torch import sampling, swapped
from numbainit.torch.accounts import is_plain
from numbainit.torch.histories import flat, replaced
from numbainit.torch.locations import View, view_of
from numbainit.torch.operations import Facts, facts_of, is_by_number, label, written_by
from numbainit.torch.sheets import (
    Arrival,
    Arrived,
    Changed,
    Constant,
    Copied,
    Drawn,
    Made,
    Piece,
    Region,
    Sheet,
    Step,
    Target,
    UnsayableError,
    box_of,
    check_rounding,
    evaluated,
    is_all,
    is_random,
    label_of,
    on_cpu,
    piece_of,
    value_of,
)
from numbainit.torch.storages import Storages, short

_META = torch.device("meta")
_TO_NUMPY = (torch.Tensor.numpy, torch.Tensor.__array__)
_IS_META = torch.Tensor.is_meta.__get__  # type: ignore[attr-defined]


class OnMeta(TorchFunctionMode):
    """What torch makes without a device is made on meta, but for what is made of numbers, which that would forget.

    It is no ``torch.device("meta")``, under which transformers initializes nothing, and no tensor says that it is on
    meta, where ``dirac_`` does nothing.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in _TO_NUMPY and args[0].is_meta:
            return func(args[0].cpu(), *args[1:], **kwargs)
        if func == _IS_META:
            return False
        if func in _made_on_meta() and kwargs.get("device") is None:
            kwargs = {**kwargs, "device": _META}
        return func(*args, **kwargs)


@functools.cache
def _made_on_meta() -> frozenset[Any]:
    return frozenset(_device_constructors()) - {torch.tensor, torch.as_tensor, torch.from_file, torch.scalar_tensor}


class RecordingMode(TorchDispatchMode):
    """What is done while code is recorded."""

    def __init__(self) -> None:
        super().__init__()
        self.sheets = Storages(Sheet)

    # ---- storages ----

    def name(self, tensor: torch.Tensor, name: str, held: bool) -> Region:
        region = Region(name, view_of(tensor), held)
        self.sheets.of(tensor).regions.append(region)
        return region

    def _state(self, tensor: torch.Tensor) -> Region | Sheet:
        sheet = self.sheets.of(tensor)
        return (sheet.region_of(view_of(tensor)) or sheet) if sheet.regions else sheet

    def _read(self, tensors: list[torch.Tensor]) -> None:
        for tensor in tensors:
            if self.sheets.get(tensor) is not None:
                self._state(tensor).read = True

    def _add(self, tensor: torch.Tensor, step: Step, overwrites: bool) -> None:
        sheet, view = self.sheets.of(tensor), view_of(tensor)
        if overwrites and view.size * view.dtype.itemsize == sheet.size:
            sheet.steps = []
        sheet.steps.append(step)

    # ---- random fills ----

    def note_generator(self, tensor: torch.Tensor, passed: Any) -> None:
        """A generator of torch has no say here."""

    def fill(self, tensor: torch.Tensor, found: Initializer, torchs_own: Callable[[], Any]) -> torch.Tensor:
        """A random fill, which is not made."""
        sheet, view = self.sheets.of(tensor), view_of(tensor)
        region = sheet.region_of(view)
        if region is None and sheet.regions:
            draws = [one.next_draw() for one in sheet.regions if view.contains(one.view)]
            draw = max(draws, default=0)
        else:
            draw = (region or sheet).next_draw()
        self._add(tensor, Drawn(sheet, view, found, draw), True)
        return tensor

    # ---- all others ----

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        found = sampling.initializer_of(func, args, kwargs)
        if found is not None and is_plain(args[0]):
            return self.fill(args[0], found, lambda: None)
        composed = sampling.COMPOSED.get(func)
        if composed is not None:
            with self:
                return composed(*args, **kwargs)
        facts = facts_of(func)
        if facts.moves or facts.views:
            return func(*args, **kwargs)
        tensors = [tensor for tensor in flat((args, kwargs), torch.Tensor) if is_plain(tensor)]
        if facts.looks and not is_by_number(facts, args):
            return self._looked_at(func, facts, args, kwargs, tensors)
        written = [tensor for tensor in written_by(facts, args, kwargs) if is_plain(tensor)]
        if written:
            return self._write(func, facts, args, kwargs, tensors, written)
        return self._make(func, facts, args, kwargs, tensors)

    def _piece(self, tensor: torch.Tensor) -> Any:
        """A tensor as it is now: what nobody has seen yet, and has values, is itself."""
        sheet = self.sheets.get(tensor) if is_plain(tensor) else None
        if sheet is not None and not (tensor.is_conj() or tensor.is_neg()):
            return piece_of(sheet, tensor)
        return tensor

    def _values(self, tensor: torch.Tensor) -> torch.Tensor:
        piece = self._piece(tensor)
        if isinstance(piece, torch.Tensor):
            return tensor
        try:
            return evaluated(piece)
        except UnsayableError as error:
            raise InvalidValueError(
                f"the code wants to see values that a recording does not have ({error}: {short(label_of(piece))}): "
                "record other code, or use numbainit.torch.build, which has values"
            ) from None

    def _looked_at(self, func: Any, facts: Facts, args: Any, kwargs: Any, tensors: list[torch.Tensor]) -> Any:
        self._read(tensors)
        args, kwargs = replaced((args, kwargs), torch.Tensor, self._values)
        return replaced(func(*args, **on_cpu(kwargs)), torch.Tensor, self._on_meta)

    def _on_meta(self, values: torch.Tensor) -> torch.Tensor:
        made = torch.empty_strided(values.shape, values.stride(), dtype=values.dtype, device=_META)
        step = Made(view_of(made), "", torch.ops.aten.clone.default, (values,), {}, 0)
        self._add(made, step._replace(text=f"a tensor {list(values.shape)}"), True)
        return made

    def _make(self, func: Any, facts: Facts, args: Any, kwargs: Any, tensors: list[torch.Tensor]) -> Any:
        device = kwargs.get("device")
        if any(one.is_meta for one in tensors):
            if device is not None and torch.device(device) != _META:
                self._read(tensors)
                args, kwargs = replaced((args, kwargs), torch.Tensor, self._values)
                return func(*args, **kwargs)
            made = func(*replaced(args, torch.Tensor, _to_meta), **kwargs)
        else:
            made = func(*args, **kwargs)
        known = {tensor.untyped_storage()._cdata for tensor in tensors}
        results = list(flat(made, torch.Tensor))
        new = [(at, one) for at, one in enumerate(results) if is_plain(one)]
        new = [(at, one) for at, one in new if one.untyped_storage()._cdata not in known]
        if facts.fresh:
            swapped.exchange()
        if facts.name == "lift_fresh" and not results[0].is_meta and self.sheets.get(results[0]) is None:
            self._literal(results[0])
        if not new:
            return made
        if not facts.valueless:
            self._read(tensors)
        if facts.fresh:
            for _, one in new:
                self.sheets.of(one).steps = []
            return made
        for at, one in new:
            for step in self._steps(func, facts, args, kwargs, tensors, one, at):
                self._add(one, step, False)
        return made

    def _literal(self, tensor: torch.Tensor) -> None:
        """What Python knew."""
        view = view_of(tensor)
        if tensor.numel() == 1:
            self._add(tensor, Constant(view, tensor.item()), True)
        else:
            values = tensor.detach().clone()
            self._add(
                tensor, Made(view, f"a tensor {list(view.shape)}", torch.ops.aten.clone.default, (values,), {}, 0), True
            )

    def _steps(
        self, func: Any, facts: Facts, args: Any, kwargs: Any, tensors: list[torch.Tensor], made: torch.Tensor, at: int
    ) -> list[Step]:
        """What a new tensor holds."""
        view = view_of(made)
        if facts.is_constant and facts.name != "eye":
            return [Constant(view, _constant_value(facts, args, kwargs))]
        inputs = [] if facts.valueless else [self._piece(tensor) for tensor in tensors]
        if facts.same and len(inputs) == 1 and isinstance(inputs[0], Piece):
            return [Copied(view, inputs[0])]
        padding = facts.name == "constant_pad_nd" and not any(args[1])
        if padding and isinstance(inputs[0], Piece):
            return [Copied(view, inputs[0])]
        value = self._uniform(func, facts, args, kwargs, inputs)
        if value is not None:
            return [Constant(view, value)]
        changes = self._changes(facts, args, kwargs)
        first = self._piece(args[0]) if args and isinstance(args[0], torch.Tensor) else None
        if changes and isinstance(first, Piece) and first.view.shape == view.shape:
            return [Copied(view, first), *(Changed(view, *change) for change in changes)]
        args_kept, kwargs_kept = replaced((args, kwargs), torch.Tensor, self._piece)
        text = short(label(facts, args, kwargs, self._how)) if tensors else facts.name
        return [Made(view, text, func, args_kept, kwargs_kept, at)]

    def _write(
        self, func: Any, facts: Facts, args: Any, kwargs: Any, tensors: list[torch.Tensor], written: list[torch.Tensor]
    ) -> Any:
        targets = {id(tensor) for tensor in written}
        inputs = [tensor for tensor in tensors if id(tensor) not in targets]
        self._read(inputs)
        steps = [(tensor, self._written(func, facts, args, kwargs, tensor, inputs, targets)) for tensor in written]
        if all(one.is_meta for one in written):
            made = func(*replaced(args, torch.Tensor, _to_meta), **kwargs)
        elif all(not one.is_meta for one in tensors):
            made = func(*args, **kwargs)
        elif any(isinstance(piece, Piece) and is_random(piece) for piece in map(self._piece, inputs)):
            made = written[0]  # it has memory, but nobody can see its values
        else:
            args, kwargs = replaced((args, kwargs), torch.Tensor, lambda one: self._values(one) if one.is_meta else one)
            made = func(*args, **kwargs)
        for tensor, step in steps:
            self._add(tensor, step, facts.overwrites)
        return made

    def _written(
        self, func: Any, facts: Facts, args: Any, kwargs: Any, tensor: torch.Tensor, inputs: Any, targets: set[int]
    ) -> Step:
        """What a tensor that is written to holds then, or how it changes."""
        view = view_of(tensor)
        if facts.name == "zero":
            return Constant(view, 0)
        pieces = [self._piece(one) for one in inputs]
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
            return Target() if id(one) in targets else self._piece(one)

        args_kept, kwargs_kept = replaced((args, kwargs), torch.Tensor, kept)
        return Made(view, short(label(facts, args, kwargs, self._how)), func, args_kept, kwargs_kept, None)

    def _copied(self, tensor: torch.Tensor, view: View, piece: Piece) -> Step:
        sheet = self.sheets.of(tensor)
        region = sheet.region_of(view)
        if region is None or piece.sheet.regions or value_of(piece) is not None or not is_random(piece):
            return Copied(view, piece)
        draw = region.next_draw()
        try:
            check_rounding(piece, view.dtype)
            part = None if is_all(view, region.view) else box_of(region.view, view)
            if view.shape != piece.view.shape or (part is None and view != region.view):
                raise UnsayableError(f"{label_of(piece)} in a part, or in another shape")
            return Arrived(view, tuple(Arrival(region, part, draw).known(piece)), "")
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
            piece = self._piece(number)
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
            value = value_of(self._piece(tensor))
            return torch.full((1,) * tensor.dim(), value, dtype=tensor.dtype, device="cpu")

        args, kwargs = replaced((args, kwargs), torch.Tensor, single)
        found = func(*args, **on_cpu(kwargs))
        return found.item() if isinstance(found, torch.Tensor) else None

    def _how(self, tensor: torch.Tensor) -> str:
        piece = self._piece(tensor)
        return short(label_of(piece)) if isinstance(piece, Piece) else f"a tensor {list(tensor.shape)}"


def _constant_value(facts: Facts, args: Any, kwargs: Any) -> Any:
    if "zeros" in facts.name:
        return 0
    if "ones" in facts.name:
        return 1
    return args[0] if facts.name == "scalar_tensor" else args[2 if facts.name == "new_full" else 1]


def _to_meta(tensor: torch.Tensor) -> torch.Tensor:
    return tensor if tensor.is_meta or tensor.dim() == 0 else tensor.to(_META)
