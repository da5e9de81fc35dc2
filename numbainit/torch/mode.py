"""Every operation of torch inside of a context → a keyed fill, a step of a history, or torch's own.

A fill of a named tensor is made at once, with the generator of its name. Values of a temporary are a stopgap: they
serve what looks at them, and are made again when they arrive in a named tensor. What code decides by (``.item()``, a
mask) must stay as it was seen, so such a stopgap is kept.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakIdKeyDictionary

from numbainit.errors import InvalidTypeError, InvalidValueError
from numbainit.generator import Generator
from numbainit.initializers import Initializer
from numbainit.torch import sampling, shards, swapped
from numbainit.torch.accounts import Accounts, is_plain
from numbainit.torch.arrivals import Arrival
from numbainit.torch.cells import KINDS, Cell, Cells, Region, State, covers, is_whole
from numbainit.torch.fills import SMALL, Source, fill
from numbainit.torch.histories import (
    Fill,
    History,
    NotKeyedError,
    Operation,
    Piece,
    Replay,
    constant,
    flat,
    piece_of,
    replaced,
    steps_to,
)
from numbainit.torch.locations import WHOLE, Location, locate_shard, view_of
from numbainit.torch.operations import Facts, facts_of, is_by_number, written_by
from numbainit.torch.stopgaps import Stopgaps

GENERATOR_PASSED = "a torch.Generator was passed, and has no say"
_STRANGE = "memory of {} was filled that is not that of its elements"

Tensors = list[torch.Tensor]


class KeyedMode(TorchDispatchMode):
    """What a context does. ``module_names`` are those of modules by identity."""

    def __init__(self, root: Generator, module_names: dict[int, str]) -> None:
        super().__init__()
        self._root = root
        self.cells = Cells()
        self.accounts = Accounts(self.cells)
        self._stopgaps = Stopgaps(root, module_names)
        self.part: tuple[Location, Sequence[int], bool] | None = None  # where a write goes, of which some lies here
        self.views: Any = WeakIdKeyDictionary()  # of a distributed tensor, the same as a shards.Part

    def name(self, tensor: torch.Tensor, name: str, key: str) -> Region:
        """Fills of a tensor, or of the local shard of a distributed one, have the generator of a name from now on."""
        shard, local = shards.shard_of(tensor), shards.local_of(tensor)
        region = Region(name, self._root.fold_in(key).key, view_of(local), shard)
        self.cells.of(local).regions.append(region)
        return region

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if shards.has_distributed(types):
            return shards.dispatched(self, func, args, kwargs)
        found = sampling.initializer_of(func, args, kwargs)
        if found is not None and is_plain(args[0]):
            self.note_generator(args[0], kwargs.get("generator"))
            return self.fill(args[0], found, lambda: func(*args, **kwargs))
        composed = sampling.COMPOSED.get(func)
        if composed is not None and all(map(is_plain, flat(args, torch.Tensor))):
            with self:
                made = composed(*args, **kwargs)
            self.note_generator(made, kwargs.get("generator"))
            return made
        facts = facts_of(func)
        if facts.moves or facts.views:
            return func(*args, **kwargs)
        tensors = [tensor for tensor in flat((args, kwargs), torch.Tensor) if is_plain(tensor)]
        if facts.looks and not is_by_number(facts, args):
            self._look(tensors)
        written = [tensor for tensor in written_by(facts, args, kwargs) if is_plain(tensor)]
        if written:
            return self._write(func, facts, args, kwargs, tensors, written)
        made = self._called(func, facts, args, kwargs)
        self._make(func, facts, args, kwargs, tensors, made)
        return made

    def note_generator(self, tensor: torch.Tensor, passed: torch.Generator | None) -> None:
        """Say so where a call passes a generator of torch."""
        if passed is not None:
            tensor = shards.local_of(tensor)
            self.accounts.state_of(tensor, self.cells.of(tensor)).note = GENERATOR_PASSED

    def _called(self, func: Any, facts: Facts, args: Any, kwargs: dict[str, Any]) -> Any:
        if facts.random:
            return self._stopgaps.by_torch(lambda: func(*args, **kwargs))
        return func(*args, **kwargs)

    # ---- random fills ----

    def fill(self, tensor: torch.Tensor, found: Initializer, torchs_own: Callable[[], Any]) -> torch.Tensor:
        """Fill a tensor by an initializer; ``torchs_own`` makes the values where numbainit cannot."""
        if shards.is_distributed(tensor):
            return shards.fill(self, tensor, found)
        cell = self.cells.of(tensor)
        if cell.gathered:
            raise shards.lost(cell.gathered)
        if not cell.regions:
            return self._fill_temporary(cell, tensor, found, torchs_own)
        view = view_of(tensor)
        region = cell.region_of(view)
        _check_memory(tensor, region or cell.regions[0])
        if region is None:
            return self._fill_many(cell, tensor, found)
        if view == region.view or covers(view, region):
            region.becomes("drawn", found)
            cell.history = History(cell, tensor) if _is_rounded_once(cell, tensor) else None
        else:
            region.gets("drawn", found.label)
        where = region.locate(view)
        if where is None:
            return self._by_torch(region, torchs_own, _STRANGE.format(tensor.dtype))
        source = Source(region.key, region.next_draw(), where)
        try:
            fill(tensor, found, source)
        except (InvalidTypeError, InvalidValueError) as error:
            return self._by_torch(region, torchs_own, str(error))
        if cell.history is not None:
            piece = Piece(cell.history, view)
            cell.history.steps.append(Fill(self.cells.tick(), piece, found, source, source.draw, source))
        return tensor

    def _fill_many(self, cell: Cell, tensor: torch.Tensor, found: Initializer) -> torch.Tensor:
        """A fill of memory that several named tensors share: each is filled as it would be alone."""
        view = view_of(tensor)
        fill(tensor, found, self._stopgaps.source())
        for region in cell.regions:
            if view.contains(region.view):
                region.becomes("drawn", found)
                part = torch.as_strided(tensor, region.view.shape, region.view.strides, region.view.offset)
                fill(part, found, Source(region.key, region.next_draw(), WHOLE))
            elif view.meets(region.view):
                region.reason = "a fill took a part of it together with its neighbours"
        return tensor

    def _fill_temporary(
        self, cell: Cell, tensor: torch.Tensor, found: Initializer, torchs_own: Callable[[], Any]
    ) -> torch.Tensor:
        if tensor.is_meta:
            return tensor
        self.accounts.filled(cell, found.label)
        if is_whole(tensor):
            cell.becomes("drawn", found)
            cell.history = History(cell, tensor)
        else:
            self._begin_history(cell, tensor)
            cell.gets("drawn", found.label)
        cell.fresh = False
        stopgap = self._stopgaps.source()
        if cell.shard is not None:
            place = locate_shard(*cell.shard, view_of(tensor))
            stopgap = stopgap if place is None else stopgap._replace(location=place)
        try:
            fill(tensor, found, stopgap)
        except (InvalidTypeError, InvalidValueError) as error:
            cell.history = None
            return self._by_torch(cell, torchs_own, str(error))
        assert cell.history is not None
        piece = piece_of(cell.history, tensor)
        cell.history.steps.append(Fill(self.cells.tick(), piece, found, stopgap, cell.next_draw(), None))
        return tensor

    def _by_torch(self, state: State, torchs_own: Callable[[], Any], reason: str) -> Any:
        state.reason = reason
        return self._stopgaps.by_torch(torchs_own)

    # ---- operations that look, make and write ----

    def _look(self, tensors: Tensors) -> None:
        """Values that Python is about to see are kept."""
        self.accounts.read(tensors)
        for history in self._histories(tensors):
            for step in steps_to([history]):
                if isinstance(step, Fill) and step.source is None:
                    step.source, step.decided = step.stopgap, True

    def _make(self, func: Any, facts: Facts, args: Any, kwargs: dict[str, Any], tensors: Tensors, made: Any) -> None:
        """New storages: how their values came about, and their histories if random ones went in."""
        known = {tensor.untyped_storage()._cdata for tensor in tensors}
        results = list(flat(made, torch.Tensor))
        plain = [one for one in results if is_plain(one)]
        new = [one for one in plain if one.untyped_storage()._cdata not in known]
        if facts.name == "lift_fresh":
            new = [one for one in plain if self.cells.get(one) is None]
        if not new:
            return
        inputs = [] if facts.valueless else [self.cells.get(tensor) for tensor in tensors]
        kind, how = self.accounts.described(facts, args, kwargs, tensors)
        if facts.fresh:
            swapped.exchange()
        for result in new:
            cell = self.cells.of(result)
            cell.becomes(kind, how)
            cell.fresh = facts.fresh
            self.accounts.inherit(facts, inputs, cell)
            self.accounts.flows(inputs, cell)
        if facts.valueless:
            return
        self.accounts.read(tensors)
        if new[0].is_meta or not self._histories(tensors):
            return
        pieces: list[Piece | None] = []
        step = self._recorded(func, args, kwargs, pieces)
        for result in results:
            if any(result is one for one in new):
                cell = self.cells.of(result)
                cell.history = History(cell, result)
                cell.history.steps.append(step)
                pieces.append(piece_of(cell.history, result))
            else:
                pieces.append(None)

    def _write(
        self, func: Any, facts: Facts, args: Any, kwargs: dict[str, Any], tensors: Tensors, written: Tensors
    ) -> Any:
        for cell in map(self.cells.get, written):
            if cell is not None and cell.gathered:
                raise shards.lost(cell.gathered)
        targets = {id(tensor) for tensor in written}
        inputs = [tensor for tensor in tensors if id(tensor) not in targets]
        cells = [self.cells.get(tensor) for tensor in inputs]
        kind, how = self.accounts.described(facts, args, kwargs, inputs if facts.overwrites else tensors)
        self.accounts.read(inputs)
        arriving = bool(self._histories(inputs))
        if arriving:
            args, kwargs = self._arrived(facts, args, kwargs, inputs, written)
        step = None
        if self._needs_record(facts, written, arriving):
            step = self._recorded(func, args, kwargs, [], targets)
        made = self._called(func, facts, args, kwargs)
        for tensor in written:
            self._written(facts, tensor, kind, how, cells, step)
        return made

    def _arrived(
        self, facts: Facts, args: Any, kwargs: dict[str, Any], inputs: Tensors, written: Tensors
    ) -> tuple[Any, dict[str, Any]]:
        """The arguments of a call that writes to a named tensor, their random values made for it."""
        tensor, view = written[0], view_of(written[0])
        region = self.cells.of(tensor).region_of(view)
        if region is None:
            return args, kwargs
        where, shape, is_local = self.part or (region.locate(view), tensor.shape, region.shard is not None)
        if where is None or len(written) > 1:
            several = f"{facts.name} writes to several tensors at once"
            region.reason = several if len(written) > 1 else _STRANGE.format(tensor.dtype)
            return args, kwargs
        replay, stays_wide = Replay(), facts.rounds and tensor.dtype in SMALL

        def made_again(argument: torch.Tensor) -> torch.Tensor:
            history = next(iter(self._histories([argument])), None)
            if history is None:
                return argument
            value = replay.tensor(piece_of(history, argument))
            return value if stays_wide else value.to(argument.dtype)

        try:
            arrival = Arrival(region, where, shape, region.next_draw(), is_local)
            replay.run(self._histories(inputs), arrival.sources)
            return replaced((args, kwargs), torch.Tensor, made_again)
        except NotKeyedError as error:
            region.reason = str(error)
            return args, kwargs

    def _needs_record(self, facts: Facts, written: Tensors, arriving: bool) -> bool:
        """Whether a target has, or now gets, a history: small floats that are named have one, to be rounded once."""
        needed = False
        for tensor in written:
            cell = self.cells.of(tensor)
            kept = not cell.regions or _is_rounded_once(cell, tensor)
            if arriving and facts.overwrites and is_whole(tensor) and kept:
                cell.history = History(cell, tensor)
            needed |= cell.history is not None or (arriving and not cell.regions)
        return needed

    def _written(
        self, facts: Facts, tensor: torch.Tensor, kind: str, how: str, inputs: list[Cell | None], step: Operation | None
    ) -> None:
        """What is known of a target afterwards."""
        cell, view = self.cells.of(tensor), view_of(tensor)
        region = cell.region_of(view) if cell.regions else None
        state: State = region or cell
        if region is not None:
            _check_memory(tensor, region)
        if region is None and facts.is_constant:
            self.accounts.filled(cell, how)
        whole = covers(view, region) if region else is_whole(tensor)
        if whole and facts.overwrites:
            state.becomes(kind, how)
        elif whole:
            state.becomes(max(kind, state.kind, key=KINDS.index), how)
        else:
            state.gets(kind, how)
        self.accounts.inherit(facts, inputs, state)
        cell.fresh = False
        if region is not None:
            self.accounts.arrive(inputs)
        else:
            self.accounts.flows(inputs, cell)
        if step is None or cell.history is None:
            return
        if whole and facts.overwrites and kind != "drawn":
            cell.history = None
            return
        cell.history.steps.append(step)
        if region is not None:
            self._round_once(cell, tensor)

    def _round_once(self, cell: Cell, tensor: torch.Tensor) -> None:
        """A chain of operations on small floats: in float32 from its beginning, then rounded."""
        assert cell.history is not None
        replay = Replay()
        try:
            replay.run([cell.history], lambda step: [(step.view, step.source or step.stopgap)])
            tensor.copy_(replay.tensor(piece_of(cell.history, tensor)))
        except NotKeyedError:  # an operation that torch has for the small dtype alone
            cell.history = None

    # ---- histories ----

    def _histories(self, tensors: Iterable[torch.Tensor]) -> list[History]:
        """Those of random temporaries among some tensors."""
        cells = map(self.cells.get, tensors)
        return [cell.history for cell in cells if cell is not None and cell.history is not None and not cell.regions]

    def _begin_history(self, cell: Cell, tensor: torch.Tensor) -> History:
        """The history of a cell, which begins with what it holds now if it had none."""
        if cell.history is None:
            size = tensor.untyped_storage().nbytes() // tensor.element_size()
            base = None if cell.fresh else constant(torch.as_strided(tensor, (size,), (1,), 0))
            cell.history = History(cell, tensor, base)
        return cell.history

    def _recorded(
        self, func: Any, args: Any, kwargs: Any, results: "list[Piece | None]", targets: Iterable[int] = ()
    ) -> Operation:
        """A step: what has a history, or is written to, as a piece of that; of all else what it holds now."""

        def kept(tensor: torch.Tensor) -> Any:
            if not is_plain(tensor):
                return tensor
            if id(tensor) in targets:
                return piece_of(self._begin_history(self.cells.of(tensor), tensor), tensor)
            history = next(iter(self._histories([tensor])), None)
            return constant(tensor) if history is None else piece_of(history, tensor)

        args, kwargs = replaced((args, kwargs), torch.Tensor, kept)
        return Operation(self.cells.tick(), func, args, kwargs, results)


def _is_rounded_once(cell: Cell, tensor: torch.Tensor) -> bool:
    """Whether operations on a named tensor are kept, so that it is rounded after the last: small floats, alone."""
    return tensor.dtype in SMALL and len(cell.regions) == 1


def _check_memory(tensor: torch.Tensor, region: Region) -> None:
    if tensor.is_meta:
        raise InvalidValueError(
            f"{region.name!r} is on the meta device, where there are no values to fill: give it memory first, by "
            "module.to_empty(device='cpu')"
        )
