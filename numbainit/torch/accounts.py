"""A call of torch → how the values that it makes came about: what they are, in words, and what flowed into them."""

from collections.abc import Iterable
from typing import Any

import torch

from numbainit.torch.cells import KINDS, Cell, Cells, Loss, Region, State
from numbainit.torch.locations import view_of
from numbainit.torch.operations import Facts, label

_MOST_ORIGINS = 16


def is_plain(tensor: Any) -> bool:
    """Whether a tensor's memory is a storage of its own, as that of a shard or of a sparse one is not."""
    kind = type(tensor)
    known = kind is torch.Tensor or kind is torch.nn.Parameter
    return tensor.layout is torch.strided and (known or kind.__torch_dispatch__ is _DISABLED)


_DISABLED = torch._C._disabled_torch_dispatch_impl


class Accounts:
    """What is known of the values of all storages that were met."""

    def __init__(self, cells: Cells) -> None:
        self._cells = cells
        self.losses: list[Loss] = []

    def state_of(self, tensor: torch.Tensor, cell: Cell) -> State:
        """That of the named tensor which a tensor lies in, else of its storage."""
        return (cell.region_of(view_of(tensor)) or cell) if cell.regions else cell

    def read(self, tensors: Iterable[torch.Tensor]) -> None:
        """Somebody has the values of these now: the next fill is another draw."""
        for tensor in tensors:
            cell = self._cells.get(tensor)
            if cell is not None:
                self.state_of(tensor, cell).read = True

    def described(self, facts: Facts, args: Any, kwargs: Any, inputs: list[torch.Tensor]) -> tuple[str, str]:
        """What a call makes, of which inputs: one of :data:`KINDS`, and an expression."""
        if facts.fresh:
            return "", "empty"
        kinds = [] if facts.valueless else [self._kind_of(tensor) for tensor in inputs]
        kind = max(kinds, key=KINDS.index, default="")
        if facts.random:
            kind = "drawn"
        elif facts.name == "lift_fresh":  # what Python knew, or memory of another library
            kind = "constant" if inputs[0].numel() == 1 else "copied"
            kind = kind if inputs[0].untyped_storage().resizable() else "outside"
        elif not facts.same and kind in ("", "constant"):
            kind = "constant" if facts.is_constant else "copied"
        return kind or "copied", label(facts, args, kwargs, self._how_of)

    def inherit(self, facts: Facts, inputs: Iterable[Cell | None], state: State) -> None:
        """Why what a call makes is not numbainit's, if it is not: for itself, or for one of its inputs."""
        for cell in inputs:
            if cell is not None and not cell.regions:
                state.reason, state.note = cell.reason or state.reason, cell.note or state.note
        if facts.random:
            state.reason = f"numbainit has no {facts.name}"

    def _kind_of(self, tensor: torch.Tensor) -> str:
        cell = self._cells.get(tensor)
        if cell is None:
            return "outside" if tensor.numel() > 1 else "copied"
        state = self.state_of(tensor, cell)
        return "copied" if isinstance(state, Region) else state.kind

    def _how_of(self, tensor: torch.Tensor) -> str:
        cell = self._cells.get(tensor) if is_plain(tensor) else None
        state = None if cell is None else self.state_of(tensor, cell)
        known = state.name if isinstance(state, Region) else state and state.how
        return known or f"a tensor {list(tensor.shape)}"

    def flows(self, inputs: Iterable[Cell | None], cell: Cell) -> None:
        """Values of some storages went into another one, and what is lost unless it arrives with them."""
        for source in inputs:
            if source is not None and source is not cell:
                cell.losses |= source.losses
                if len(cell.origins) < _MOST_ORIGINS:
                    cell.origins |= source.origins | {source}

    def arrive(self, inputs: Iterable[Cell | None]) -> None:
        """Values of some storages went into a named tensor."""
        for source in inputs:
            for loss in () if source is None else source.losses:
                loss.arrived = True

    def filled(self, cell: Cell, how: str) -> None:
        """A storage without a name was filled: in vain, if it was computed from a named one and goes nowhere."""
        if cell.origins:
            loss = Loss(cell.origins, how)
            cell.origins, cell.losses = frozenset(), cell.losses | {loss}
            self.losses.append(loss)
