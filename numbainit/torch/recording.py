"""Every operation of torch while code is recorded → a step on the sheet of what it writes; nothing is filled.

Tensors are made on the meta device, but for those that are made of numbers. Where code wants to see values, it gets
them if chance has no say in them.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from numbainit.initializers import Initializer
from numbainit.torch import sampling, swapped
from numbainit.torch.accounts import is_plain
from numbainit.torch.calls import Calls, literal
from numbainit.torch.histories import flat, replaced
from numbainit.torch.locations import view_of
from numbainit.torch.on_meta import META, to_meta
from numbainit.torch.operations import Facts, facts_of, is_by_number, written_by
from numbainit.torch.sheets import Drawn, Piece, Region, Sheet, Step
from numbainit.torch.storages import Storages
from numbainit.torch.values import is_random, on_cpu


class RecordingMode(TorchDispatchMode):
    """What is done while code is recorded."""

    def __init__(self) -> None:
        super().__init__()
        self.sheets = Storages(Sheet)
        self._calls = Calls(self.sheets)

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

    def _looked_at(self, func: Any, facts: Facts, args: Any, kwargs: Any, tensors: list[torch.Tensor]) -> Any:
        self._read(tensors)
        args, kwargs = replaced((args, kwargs), torch.Tensor, self._calls.values)
        return replaced(func(*args, **on_cpu(kwargs)), torch.Tensor, self._on_meta)

    def _on_cpu(self, tensor: torch.Tensor) -> torch.Tensor:
        return self._calls.values(tensor) if tensor.is_meta else tensor

    def _on_meta(self, values: torch.Tensor) -> torch.Tensor:
        made = torch.empty_strided(values.shape, values.stride(), dtype=values.dtype, device=META)
        self._add(made, literal(values)._replace(view=view_of(made)), True)
        return made

    def _make(self, func: Any, facts: Facts, args: Any, kwargs: Any, tensors: list[torch.Tensor]) -> Any:
        device = kwargs.get("device")
        if any(one.is_meta for one in tensors):
            if device is not None and torch.device(device) != META:
                self._read(tensors)
                args, kwargs = replaced((args, kwargs), torch.Tensor, self._calls.values)
                return func(*args, **kwargs)
            made = func(*replaced(args, torch.Tensor, to_meta), **kwargs)
        else:
            made = func(*args, **kwargs)
        known = {tensor.untyped_storage()._cdata for tensor in tensors}
        results = list(flat(made, torch.Tensor))
        new = [(at, one) for at, one in enumerate(results) if is_plain(one)]
        new = [(at, one) for at, one in new if one.untyped_storage()._cdata not in known]
        if facts.fresh:
            swapped.exchange()
        if facts.name == "lift_fresh" and not results[0].is_meta and self.sheets.get(results[0]) is None:
            self._add(results[0], literal(results[0]), True)
        if not new:
            return made
        if not facts.valueless:
            self._read(tensors)
        if facts.fresh:
            for _, one in new:
                self.sheets.of(one).steps = []
            return made
        for at, one in new:
            for step in self._calls.made(func, facts, args, kwargs, tensors, one, at):
                self._add(one, step, False)
        return made

    def _write(
        self, func: Any, facts: Facts, args: Any, kwargs: Any, tensors: list[torch.Tensor], written: list[torch.Tensor]
    ) -> Any:
        targets = {id(tensor) for tensor in written}
        inputs = [tensor for tensor in tensors if id(tensor) not in targets]
        self._read(inputs)
        steps = [
            (tensor, self._calls.written(func, facts, args, kwargs, tensor, inputs, targets)) for tensor in written
        ]
        if all(one.is_meta for one in written):
            made = func(*replaced(args, torch.Tensor, to_meta), **kwargs)
        elif all(not one.is_meta for one in tensors):
            made = func(*args, **kwargs)
        elif any(isinstance(piece, Piece) and is_random(piece) for piece in map(self._calls.piece, inputs)):
            made = written[0]  # it has memory, but nobody can see its values
        else:
            args, kwargs = replaced(
                (args, kwargs), torch.Tensor, lambda one: self._calls.values(one) if one.is_meta else one
            )
            made = func(*args, **kwargs)
        for tensor, step in steps:
            self._add(tensor, step, facts.overwrites)
        return made
