"""Random values that arrive in a named tensor, or whose own memory gets a name → the sources of their fills."""

from collections.abc import Sequence

from numbainit.generator import Generator
from numbainit.torch.cells import Cell, Region
from numbainit.torch.fills import Source
from numbainit.torch.histories import Fill, NotKeyedError
from numbainit.torch.locations import WHOLE, Location, View


class Arrival:
    """Values that arrive at a location in a named tensor: whose generator each fill among them takes.

    The first that has the shape of that location is filled as it would be itself. Others have generators of their own,
    made of their number and of where the location begins. A fill that has a source keeps it: what is copied into two
    tensors is equal in both. ``local`` says that the location is what lies on this rank, of a shape that others do not
    have.
    """

    def __init__(self, region: Region, where: Location, shape: Sequence[int], draw: int, local: bool) -> None:
        self._region, self._where, self._shape, self._draw = region, where, tuple(shape), draw
        self._local, self._count = local, 0

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
        """Where the values of a fill arrive, if they have the shape of the location; None if they have another."""
        temporary: Cell = step.history.cell
        shard, view = temporary.shard or (None, None)
        if shard is not None and step.view == view:
            if self._where.shard is not None and shard.whole == self._where.shard.whole:
                return Location(0, False, shard=shard)
            if shard.shape == shard.whole:  # on every rank
                return self._where if shard.whole == self._shape else None
            if self._where.shard is None and shard.shape == self._shape:  # cut as the part is that it arrives in
                return self._where
        elif step.view.shape == self._shape:
            return self._where
        elif not self._local:
            return None
        raise NotKeyedError("a random temporary of another shape arrived in a sharded tensor")


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
