"""What was done to a storage, as a sheet has it → a formula of a recipe, and the one random fill or tensor in it."""

from typing import Any

import torch

from numbainit.torch.fills import SMALL
from numbainit.torch.functions import MAKERS, SYMBOLS
from numbainit.torch.locations import View
from numbainit.torch.nodes import Node, binary, constant, reshaped, seen, seen_as, without_ones
from numbainit.torch.operations import facts_of
from numbainit.torch.sheets import (
    Changed,
    Constant,
    Copied,
    Drawn,
    Made,
    Piece,
    Region,
    Step,
    Target,
    UnsayableError,
    is_all,
    text_of,
)
from numbainit.torch.values import value_of

_MOST_NODES = 60
_OF_MEMORY = ("dtype", "device", "layout", "pin_memory", "memory_format", "non_blocking")


class Tree:
    """The tree of a piece. ``source`` is the random fill, or the name of the other tensor, that x stands for in it."""

    def __init__(self, region: Region) -> None:
        self._region = region
        self._floats: set[torch.dtype] = set()
        self._small = False
        self.source: Drawn | Region | None = None

    def of(self, piece: Piece) -> Node:
        """The node of a piece."""
        value = value_of(piece)
        if value is not None:
            return constant(value, piece.view.dtype)
        self._note(piece.view.dtype)
        others = [one for one in piece.sheet.regions if one is not self._region and one.view.contains(piece.view)]
        if others and piece.is_the_last:
            return seen_as(self._x(others[0], others[0].view), others[0].view, piece.view)
        node, view, parts = None, piece.view, list[Step]()
        for step in piece.until_now():
            if step.view.meets(piece.view) and not is_all(step.view, piece.view):
                parts.append(step)
            elif step.view.meets(piece.view):
                node, view, parts = self._after(step, node, view), step.view, []
        if parts:
            return self._interleaved(parts, piece.view)
        if node is None:
            raise UnsayableError("values from before")
        if piece.view.dtype in SMALL and not node.has_x:
            raise UnsayableError("values that were rounded to small floats again and again")
        return seen_as(node, view, piece.view)

    def dtype(self, wanted: torch.dtype) -> str | None:
        """That of the operations, if it is not what the tensor has anyway."""
        floats = self._floats or {wanted}
        if len(floats) > 1 or (not wanted.is_floating_point and self._floats) or (self._small and wanted not in SMALL):
            raise UnsayableError("values of several dtypes")
        (found,) = floats
        if found == _wide(wanted):
            return None
        if isinstance(self.source, Drawn):
            raise UnsayableError(f"random values of {found} as {wanted}")
        return str(found).removeprefix("torch.")

    def _interleaved(self, steps: list[Step], view: View) -> Node:
        """Copies to every other column, say, which together are all: sines and cosines of positions."""
        steps = sorted(steps, key=lambda step: step.view.offset)
        shape, strides = without_ones(view)
        count = len(steps)
        for at, step in enumerate(steps):
            own, steps_of_own = without_ones(step.view)
            fits = own == (*shape[:-1], shape[-1] // count) and steps_of_own == (*strides[:-1], strides[-1] * count)
            if not (fits and isinstance(step, Copied) and step.view.offset == view.offset + at * strides[-1]):
                raise UnsayableError(f"{text_of(step)} in a part")
        parts = [seen(self.of(step.piece), step.piece.view.shape) for step in steps if isinstance(step, Copied)]
        columns = tuple(reshaped(part, (*shape[:-1], shape[-1] // count, 1)) for part in parts)
        return reshaped(Node("cat", columns, (-1,), (*shape[:-1], shape[-1] // count, count)), view.shape)

    def _note(self, dtype: torch.dtype) -> None:
        if dtype.is_complex:
            raise UnsayableError(f"a formula of {dtype}")
        if dtype.is_floating_point:
            self._floats.add(_wide(dtype))
            self._small |= dtype in SMALL

    def _x(self, source: Drawn | Region, view: View) -> Node:
        if isinstance(source, Region) and source.name == self._region.name:
            raise UnsayableError("values from before")
        if self.source not in (None, source):
            raise UnsayableError("values that are drawn twice")
        self.source = source
        return Node("x", shape=view.shape)

    def _after(self, step: Step, before: Node | None, view: View) -> Node:
        """What a storage holds after a step, seen as that sees it."""
        if isinstance(step, Drawn):
            if before is not None and before.has_x:
                raise UnsayableError("values that are drawn twice")
            return self._x(step, step.view)
        if isinstance(step, Constant):
            return constant(step.value, step.view.dtype)
        if isinstance(step, Copied):
            return self.of(step.piece)
        if before is not None:
            before = seen_as(before, view, step.view)
        if isinstance(step, Changed):
            if before is None:
                raise UnsayableError("values from before")
            return binary(SYMBOLS[step.name], before, Node("number", numbers=(step.number,)))
        if isinstance(step, Made):
            return self._made(step, before)
        raise UnsayableError(text_of(step))

    def _made(self, step: Made, before: Node | None) -> Node:
        """The node of any other operation, if it has one."""
        name = facts_of(step.func).name
        make = MAKERS.get(name)
        if make is None or step.at not in (None, 0):
            raise UnsayableError(step.text)

        def read(value: Any) -> Any:
            if isinstance(value, Piece):
                return self.of(value)
            if isinstance(value, Target):
                if before is None:
                    raise UnsayableError("values from before")
                return before
            if isinstance(value, (list, tuple)):
                return [read(one) for one in value]
            return value

        known = {key: value for key, value in step.kwargs.items() if key not in _OF_MEMORY}
        try:
            node = make(name, step, *(read(value) for value in step.args), **known)
        except (TypeError, ValueError):  # arguments of a kind that no formula has
            raise UnsayableError(step.text) from None
        if node.size > _MOST_NODES:
            raise UnsayableError("a formula that is too long")
        return node


def _wide(dtype: torch.dtype) -> torch.dtype:
    return torch.float32 if dtype in SMALL else dtype
