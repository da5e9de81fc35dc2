"""A tensor → what is kept of its storage as long as that lives: what :func:`keyed` and :func:`record` keep alike.

Tensors come and go, storages stay: a view, ``.data``, ``.detach()`` and a ``Parameter`` made of a tensor share one.
"""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import torch
from torch.multiprocessing.reductions import StorageWeakRef

from numbainit.torch.locations import View

_LONG = 160

R = TypeVar("R", bound=Any)  # a named tensor, with its ``view``
S = TypeVar("S", bound="Storage[Any]")


class Draws:
    """The draw of a tensor's next fill: another one only if somebody has read the values of the last."""

    def __init__(self) -> None:
        self.draw, self.read = 0, False

    def next_draw(self) -> int:
        """That of the fill to come."""
        self.draw, self.read = self.draw + self.read, False
        return self.draw


class Storage(Generic[R]):
    """What is kept of a storage, with the regions of it that have names; the other side of a class with Draws."""

    def __init__(self, storage: torch.UntypedStorage) -> None:
        super().__init__()
        self.ref = StorageWeakRef(storage)
        self.regions: list[R] = []

    def region_of(self, view: View) -> R | None:
        """The named tensor that a view lies in."""
        for region in self.regions:
            if region.view == view:
                return region
        return next((region for region in self.regions if region.view.contains(view)), None)


class Storages(Generic[S]):
    """What is kept of all storages that were met and live; ``make`` makes it for one that is met first."""

    def __init__(self, make: Callable[[torch.UntypedStorage], S]) -> None:
        self._make = make
        self._kept: dict[int, S] = {}
        self._sweep_at = 1024

    def get(self, tensor: torch.Tensor) -> S | None:
        return self._kept.get(tensor.untyped_storage()._cdata)

    def of(self, tensor: torch.Tensor) -> S:
        """What is kept of a tensor's storage, which may be met for the first time."""
        storage = tensor.untyped_storage()
        kept = self._kept.get(storage._cdata)
        if kept is None:
            if len(self._kept) >= self._sweep_at:
                self._sweep()
            kept = self._kept[storage._cdata] = self._make(storage)
        return kept

    def _sweep(self) -> None:
        """Storages that are gone have no say; weak references keep their addresses from being used again."""
        self._kept = {address: one for address, one in self._kept.items() if not one.ref.expired()}
        self._sweep_at = max(1024, 2 * len(self._kept))


def short(text: str) -> str:
    """A description, cut where it is long."""
    return text if len(text) <= _LONG else text[: _LONG - 1] + "…"
