"""A context that closes, and the names of a model → values made again for what had no name yet, and a report."""

from collections.abc import Callable, Iterable

import torch

from numbainit.errors import InvalidValueError
from numbainit.torch.accounts import is_plain
from numbainit.torch.arrivals import Arrival
from numbainit.torch.cells import Cell, Region, State
from numbainit.torch.fills import SMALL
from numbainit.torch.histories import Fill, NotKeyedError, Replay, piece_of, steps_to
from numbainit.torch.locations import WHOLE, view_of
from numbainit.torch.mode import GENERATOR_PASSED, KeyedMode
from numbainit.torch.names import Named
from numbainit.torch.report import BAD, Entry, Report
from numbainit.torch.shards import local_of

_MOST_LISTED = 8


def has_memory(tensor: torch.Tensor) -> bool:
    """Whether a tensor, or the local shard of a distributed one, lies in a storage that can be named."""
    return not torch.nn.parameter.is_lazy(tensor) and is_plain(local_of(tensor))


def settle(mode: KeyedMode, found: Iterable[Named]) -> None:
    """Name what was made or replaced inside, then make its values again: histories may lead to names of others."""
    late = []
    for one in found:
        local = local_of(one.tensor)
        cell = mode.cells.get(local) if has_memory(one.tensor) else None
        if cell is None or any(region.view == view_of(local) for region in cell.regions):
            continue
        region = mode.name(one.tensor, one.name, one.key)
        if cell.named_late is None:
            cell.named_late = len(cell.regions) == 1
        if cell.named_late:
            region.becomes(cell.kind, cell.how)
            region.reason, region.note = cell.reason, cell.note
            mode.accounts.arrive([cell])
            late.append((local, cell, region))
    with torch.no_grad():
        for tensor, cell, region in late:
            _make_again(tensor, cell, region)


def _make_again(tensor: torch.Tensor, cell: Cell, region: Region) -> None:
    history = cell.history
    if history is None:
        return
    if any(isinstance(step, Fill) and step.decided for step in steps_to([history])):
        region.reason = "its values decided what the code did, before it had a name"
        return
    replay = Replay()
    if history.dtype == tensor.dtype and tensor.dtype not in SMALL:  # no copy is needed
        replay = Replay({history: torch.as_strided(tensor.detach(), (history.size,), (1,), 0)})
    try:
        where, is_shard = region.locate(region.view) or WHOLE, region.shard is not None
        replay.run([history], Arrival(region, where, region.view.shape, 0, is_shard).sources)
        made = replay.tensor(piece_of(history, tensor))
        if made.data_ptr() != tensor.data_ptr():
            tensor.copy_(made)
    except NotKeyedError as error:
        region.reason = str(error)


def reported(mode: KeyedMode, found: Iterable[Named]) -> Report:
    """What became of each tensor."""
    losses = [loss for loss in mode.accounts.losses if not loss.arrived]
    lost = {id(region): loss.how for loss in losses for cell in loss.origins for region in cell.regions}
    return Report({one.name: Entry(*_found(mode, one, lost), one.is_parameter) for one in found})


def _found(mode: KeyedMode, one: Named, lost: dict[int, str]) -> tuple[str, str]:
    """The status of a tensor, and how it came about."""
    if torch.nn.parameter.is_lazy(one.tensor):
        return "untouched", "it has no shape yet"
    tensor = local_of(one.tensor)
    if not is_plain(tensor):
        return "not keyed", f"a {type(tensor).__name__} has no memory of its own"
    cell = mode.cells.get(tensor)
    if cell is None:
        return "not keyed", "its memory comes from elsewhere: loaded, or made by another library"
    state: State = cell.region_of(view_of(tensor)) or cell
    if state.reason:
        return "not keyed", state.reason
    if id(state) in lost:
        return "lost", f"{lost[id(state)]} went to a tensor computed from it: fill this one, or assign the other"
    if state.kind == "outside":
        return "not keyed", f"{state.how} holds values that torch did not make here"
    if not state.kind:
        return "untouched", "it is on the meta device" if tensor.is_meta else ""
    return state.kind, f"{state.how} ({state.note})" if state.note else state.how


def refuse(report: Report, passes: Callable[[str], bool]) -> None:
    """Raise if a tensor is not as ``strict`` wants it."""
    wrong: dict[str, list[str]] = {}
    for name, entry in report.items():
        bad = entry.status in BAD or GENERATOR_PASSED in entry.how
        if bad and not passes(name):
            wrong.setdefault(entry.status, []).append(f"{name!r} ({entry.how})" if entry.how else repr(name))
    if wrong:
        text = "; ".join(f"{status}: {listed(names)}" for status, names in wrong.items())
        raise InvalidValueError(f"{text}: initialize these too, or let them pass by ignore=")


def listed(names: list[str]) -> str:
    """Names for a message, not too many."""
    more = len(names) - _MOST_LISTED
    return ", ".join(names[:_MOST_LISTED]) + (f" and {more} more" if more > 0 else "")
