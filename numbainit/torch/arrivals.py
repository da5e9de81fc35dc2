"""Random values that arrive in a named tensor, or whose own memory gets a name → the sources of their fills."""

import torch

from numbainit.generator import Generator
from numbainit.torch.cells import Cell, Region
from numbainit.torch.fills import Source
from numbainit.torch.histories import Fill, NotKeyedError
from numbainit.torch.locations import WHOLE, Location, View


class Arrival:
    """Values that arrive at a location in a named tensor: whose generator each fill among them takes.

    The first that has the shape of that location is filled as it would be itself. Others have generators of their own,
    made of their number and of where the location begins. A fill that has a source keeps it: what is copied into two
    tensors is equal in both.
    """

    def __init__(self, region: Region, where: Location, shape: "tuple[int, ...] | torch.Size", draw: int) -> None:
        self._region, self._where, self._shape, self._draw = region, where, tuple(shape), draw
        self._count = 0

    def sources(self, step: Fill) -> list[tuple[View, Source]]:
        if step.source is None:
            own = _own_sources(step)
            if own:
                return own
            step.source = self._next(step)
        return [(step.view, step.source)]

    def _next(self, step: Fill) -> Source:
        number, self._count = self._count, self._count + 1
        place = self._place(step)
        key = Generator.from_key(*self._region.key)
        if number:
            key = key.fold_in(number)
        if place is None:
            key = key.fold_in("part").fold_in(self._where.first)
        return Source(key.key, self._draw, place or WHOLE)

    def _place(self, step: Fill) -> Location | None:
        """Where the values of a fill arrive, if they have the shape of the location: of all ranks together."""
        temporary: Cell = step.history.cell
        if temporary.shard is not None:
            shard, view = temporary.shard
            mine = self._where.shard
            if step.view == view and shard.whole == (self._region.view.shape if mine is None else mine.whole):
                return Location(0, False, shard=shard)
        elif step.view.shape == self._shape:
            return self._where
        if self._region.shard is not None or temporary.shard is not None:
            raise NotKeyedError("a random temporary of another shape arrived in a distributed tensor")
        return None


def _own_sources(step: Fill) -> list[tuple[View, Source]]:
    """Those of a fill of memory that has names itself: of the one that it lies in, or of all that lie in it."""
    cell: Cell = step.history.cell
    if not cell.regions:
        return []
    region = cell.region_of(step.view)
    if region is not None:
        where = region.locate(step.view)
        if where is None:
            raise NotKeyedError(f"{step.view.dtype} is not that of its elements")
        return [(step.view, Source(region.key, step.draw, where))]
    inner = [region for region in cell.regions if step.view.contains(region.view)]
    return [(step.view, step.stopgap), *((one.view, Source(one.key, step.draw, WHOLE)) for one in inner)]
