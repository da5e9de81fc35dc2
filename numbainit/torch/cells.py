"""A tensor → what is known of its storage: whose parameters lie in it, or how its values came about."""

import itertools

import torch

from numbainit.initializers import Initializer
from numbainit.torch.histories import History
from numbainit.torch.locations import Location, View, locate, locate_shard
from numbainit.torch.storages import Draws, Storage, Storages, short
from numbainit.weights.placements import Shard

#: what values are, from the least that can be said about them
KINDS = ("", "constant", "copied", "outside", "drawn")


class State(Draws):
    """How values came about: what they are, in words, and why numbainit could not make them, if so."""

    def __init__(self) -> None:
        super().__init__()
        self.kind, self.reason, self.note = "", "", ""
        self._how: str | Initializer = ""

    @property
    def how(self) -> str:
        """In words; those of an initializer are not made until somebody asks."""
        return short(self._how.label if isinstance(self._how, Initializer) else self._how)

    def becomes(self, kind: str, how: str | Initializer) -> None:
        """Written as a whole."""
        self.kind, self._how, self.reason = kind, how, ""

    def gets(self, kind: str, how: str) -> None:
        """Written in part, or changed."""
        self.kind = max(self.kind, kind, key=KINDS.index)
        if not self.how.endswith(how):
            self._how = short(f"{self.how}; in part {how}" if self.how else f"in part {how}")


class Region(State):
    """A named tensor in a storage; with ``shard``, what lies on this rank of one that is distributed."""

    def __init__(self, name: str, key: tuple[int, int], view: View, shard: Shard | None = None) -> None:
        super().__init__()
        self.name, self.key, self.view, self.shard = name, key, view, shard

    def locate(self, view: View) -> Location | None:
        """Where a view lies in the named tensor; None if its elements are not elements of that."""
        if self.shard is not None:
            return locate_shard(self.shard, self.view, view)
        return locate(self.view, view)


class Cell(Storage[Region], State):
    """A storage. ``fresh`` is one that nobody has written to; ``origins`` are the cells whose values flowed in.

    ``shard`` is what of a distributed temporary lies in it, as which view; ``gathered`` is the name of a distributed
    tensor that it is a copy of, where a view was meant.
    """

    def __init__(self, storage: torch.UntypedStorage) -> None:
        super().__init__(storage)
        self.named_late: bool | None = None  # whether it got its names at the end; None: not at all then
        self.history: History | None = None
        self.fresh = False
        self.origins: frozenset[Cell] = frozenset()
        self.losses: frozenset[Loss] = frozenset()
        self.shard: tuple[Shard, View] | None = None
        self.gathered = ""


class Loss:
    """A fill of a tensor that was computed from others: lost, unless it arrives somewhere."""

    def __init__(self, origins: frozenset[Cell], how: str) -> None:
        self.origins, self.how, self.arrived = origins, how, False


class Cells(Storages[Cell]):
    """The cells of all storages, and the time in which things happen to them."""

    def __init__(self) -> None:
        super().__init__(Cell)
        self._time = itertools.count()

    def tick(self) -> int:
        return next(self._time)


def is_whole(tensor: torch.Tensor) -> bool:
    """Whether a tensor covers its storage."""
    return tensor.numel() * tensor.element_size() == tensor.untyped_storage().nbytes()


def covers(view: View, region: Region) -> bool:
    """Whether a view holds all of a named tensor's elements, in whatever order."""
    same = view.size * view.dtype.itemsize == region.view.size * region.view.dtype.itemsize
    return same and region.view.contains(view)
