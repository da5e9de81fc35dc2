"""A tensor → what is known of its storage: whose parameters lie in it, or how its values came about.

Tensors come and go, storages stay: a view, ``.data``, ``.detach()`` and a ``Parameter`` made of a tensor share one.
"""

import itertools

import torch
from torch.multiprocessing.reductions import StorageWeakRef

from numbainit.initializers import Initializer
from numbainit.torch.histories import History
from numbainit.torch.locations import View

#: what values are, from the least that can be said about them
KINDS = ("", "constant", "copied", "outside", "drawn")
_LONG = 160


class State:
    """How values came about: what they are, in words, and why numbainit could not make them, if so."""

    def __init__(self) -> None:
        self.kind, self.reason, self.note = "", "", ""
        self._how: str | Initializer = ""
        self.draw, self.read = 0, False

    def next_draw(self) -> int:
        """That of the fill to come: another one only if somebody has read the values of the last."""
        self.draw, self.read = self.draw + self.read, False
        return self.draw

    @property
    def how(self) -> str:
        """In words; those of an initializer are not made until somebody asks."""
        return _short(self._how.label if isinstance(self._how, Initializer) else self._how)

    def becomes(self, kind: str, how: str | Initializer) -> None:
        """Written as a whole."""
        self.kind, self._how, self.reason = kind, how, ""

    def gets(self, kind: str, how: str) -> None:
        """Written in part, or changed."""
        self.kind = max(self.kind, kind, key=KINDS.index)
        if not self.how.endswith(how):
            self._how = _short(f"{self.how}; in part {how}" if self.how else f"in part {how}")


class Region(State):
    """A named tensor in a storage."""

    def __init__(self, name: str, key: tuple[int, int], view: View) -> None:
        super().__init__()
        self.name, self.key, self.view = name, key, view


class Cell(State):
    """A storage. ``fresh`` is one that nobody has written to; ``origins`` are the cells whose values flowed in."""

    def __init__(self, storage: torch.UntypedStorage) -> None:
        super().__init__()
        self.ref = StorageWeakRef(storage)
        self.regions: list[Region] = []
        self.named_late: bool | None = None  # whether it got its names at the end; None: not at all then
        self.history: History | None = None
        self.fresh = False
        self.origins: frozenset[Cell] = frozenset()
        self.losses: frozenset[Loss] = frozenset()

    def region_of(self, view: View) -> Region | None:
        """The named tensor that a view lies in."""
        for region in self.regions:
            if region.view == view:
                return region
        return next((region for region in self.regions if region.view.contains(view)), None)


class Loss:
    """A fill of a tensor that was computed from others: lost, unless it arrives somewhere."""

    def __init__(self, origins: frozenset[Cell], how: str) -> None:
        self.origins, self.how, self.arrived = origins, how, False


class Cells:
    """The cells of all storages that were met and live."""

    def __init__(self) -> None:
        self._cells: dict[int, Cell] = {}
        self._sweep_at = 1024
        self._time = itertools.count()

    def tick(self) -> int:
        return next(self._time)

    def get(self, tensor: torch.Tensor) -> Cell | None:
        return self._cells.get(tensor.untyped_storage()._cdata)

    def of(self, tensor: torch.Tensor) -> Cell:
        """The cell of a tensor, a new one where its storage is met for the first time."""
        storage = tensor.untyped_storage()
        cell = self._cells.get(storage._cdata)
        if cell is None:
            if len(self._cells) >= self._sweep_at:
                self._sweep()
            cell = self._cells[storage._cdata] = Cell(storage)
        return cell

    def _sweep(self) -> None:
        """Storages that are gone have no say; weak references keep their addresses from being used again."""
        self._cells = {address: cell for address, cell in self._cells.items() if not cell.ref.expired()}
        self._sweep_at = max(1024, 2 * len(self._cells))


def is_whole(tensor: torch.Tensor) -> bool:
    """Whether a tensor covers its storage."""
    return tensor.numel() * tensor.element_size() == tensor.untyped_storage().nbytes()


def covers(view: View, region: Region) -> bool:
    """Whether a view holds all of a named tensor's elements, in whatever order."""
    same = view.size * view.dtype.itemsize == region.view.size * region.view.dtype.itemsize
    return same and region.view.contains(view)


def _short(text: str) -> str:
    return text if len(text) <= _LONG else text[: _LONG - 1] + "…"
