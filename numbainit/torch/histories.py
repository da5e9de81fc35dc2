"""What was done to a temporary tensor → its values again, from other generators.

Layers draw into temporaries and copy: ``weight.copy_(torch.rand(n).exp())``. Which parameter that is for shows only
when it arrives. So a temporary whose values are random has a history: the steps that led to it, each a random fill or
an operation of torch, with views of storages instead of tensors. When it arrives, or gets a name at the end, the steps
run again with the generator of that name. Floats of less than 32 bits are float32 in between, and rounded once.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

import torch

from numbainit.errors import InvalidTypeError, InvalidValueError
from numbainit.initializers import Initializer
from numbainit.torch.fills import SMALL, Source, fill
from numbainit.torch.locations import View, view_of


class NotKeyedError(Exception):
    """A history cannot run again; the message is the reason."""


class History:
    """The steps since a storage was made, or last written as a whole; ``base`` is what it held before, if it counts."""

    def __init__(self, cell: Any, like: torch.Tensor, base: torch.Tensor | None = None) -> None:
        self.cell = cell
        self.dtype, self.device = like.dtype, like.device
        self.size = like.untyped_storage().nbytes() // like.dtype.itemsize
        self.base = base
        self.steps: list[Step] = []


class Fill:
    """A random fill of a piece of a storage. ``source`` is None until it is known whom the values are for.

    ``decided`` is one whose stopgap became its source because code looked at the values.
    """

    def __init__(
        self, time: int, piece: "Piece", initializer: Initializer, stopgap: Source, draw: int, source: Source | None
    ) -> None:
        self.time, self.history, self.view, self.initializer = time, piece.history, piece.view, initializer
        self.stopgap, self.draw, self.source, self.decided = stopgap, draw, source, False

    def inputs(self) -> Iterable[History]:
        return ()


class Operation:
    """A call of torch, with a :class:`Piece` where a tensor with a history stood, and copies of all others."""

    def __init__(
        self, time: int, func: Any, args: Any, kwargs: Mapping[str, Any], results: "list[Piece | None]"
    ) -> None:
        self.time, self.func, self.args, self.kwargs, self.results = time, func, args, kwargs, results

    def inputs(self) -> Iterable[History]:
        return [piece.history for piece in flat((self.args, self.kwargs), Piece)]


Step: TypeAlias = Fill | Operation


class Piece(NamedTuple):
    """A view of what has a history; ``conj`` and ``neg`` where torch keeps a conjugate or a negative as such."""

    history: History
    view: View
    conj: bool = False
    neg: bool = False


def piece_of(history: History, tensor: torch.Tensor) -> Piece:
    return Piece(history, view_of(tensor), tensor.is_conj(), tensor.is_neg())


def flat(value: Any, kind: type) -> Iterator[Any]:
    """What of a kind stands in nested arguments."""
    if isinstance(value, kind):
        yield value
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from flat(one, kind)
    elif isinstance(value, dict):
        yield from flat(list(value.values()), kind)


def replaced(value: Any, kind: type, change: Callable[[Any], Any]) -> Any:
    """Nested arguments with everything of a kind changed."""
    if isinstance(value, kind):
        return change(value)
    if isinstance(value, (list, tuple)):
        return type(value)([replaced(one, kind, change) for one in value])
    if isinstance(value, dict):
        return {key: replaced(one, kind, change) for key, one in value.items()}
    return value


def steps_to(histories: Iterable[History]) -> list[Step]:
    """All steps that what these hold now depends on, in the order of time."""
    until: dict[History, float] = {}
    steps: dict[int, Step] = {}
    todo: list[tuple[History, float]] = [(history, math.inf) for history in histories]
    while todo:
        history, end = todo.pop()
        known = until.get(history, -1)
        if end <= known:
            continue
        until[history] = end
        for step in history.steps:
            if known <= step.time < end:
                steps[step.time] = step
                todo += [(inner, step.time) for inner in step.inputs()]
    return [steps[time] for time in sorted(steps)]


class Replay:
    """Histories that run again, each in memory of its own, or in the one given."""

    def __init__(self, memory: dict[History, torch.Tensor] | None = None) -> None:
        self.memory = memory or {}
        for history, given in self.memory.items():
            if history.base is not None:
                given.copy_(history.base)

    def run(self, histories: Iterable[History], sources_of: Callable[[Fill], list[tuple[View, Source]]]) -> None:
        """Take all steps; ``sources_of`` a fill are those of each view that it fills."""
        for step in steps_to(histories):
            if isinstance(step, Operation):
                self._run(step)
            else:
                for view, source in sources_of(step):
                    self._fill(Piece(step.history, view), step.initializer, source)

    def tensor(self, piece: Piece) -> torch.Tensor:
        """The values of a piece, so far."""
        history, view, conj, neg = piece
        memory = self.memory.get(history)
        if memory is None:
            memory = self.memory[history] = _new_memory(history)
        if view.dtype != history.dtype:
            if memory.dtype != history.dtype:
                raise NotKeyedError(f"{history.dtype} was read as {view.dtype}")
            memory = memory.view(view.dtype)
        tensor = memory.as_strided(view.shape, view.strides, view.offset)
        tensor = tensor.conj() if conj else tensor
        return torch._neg_view(tensor) if neg else tensor

    def _fill(self, piece: Piece, initializer: Initializer, source: Source) -> None:
        try:
            fill(self.tensor(piece), initializer, source)
        except (InvalidTypeError, InvalidValueError) as error:
            raise NotKeyedError(str(error)) from None

    def _run(self, step: Operation) -> None:
        args, kwargs = replaced((step.args, step.kwargs), Piece, self.tensor)
        try:
            made = step.func(*args, **replaced(kwargs, torch.dtype, wide))
        except (
            RuntimeError,
            TypeError,
            IndexError,
            NotImplementedError,
        ) as error:  # not for other values, or in float32
            reason = str(error).partition("\n")[0]
            raise NotKeyedError(f"{step.func} cannot be called again ({reason})") from None
        for piece, result in zip(step.results, flat(made, torch.Tensor), strict=False):  # none where it wrote in place
            if piece is not None:
                self.tensor(piece).copy_(result)


def wide(dtype: torch.dtype) -> torch.dtype:
    """The dtype that values are computed in."""
    return torch.float32 if dtype in SMALL else dtype


def constant(tensor: torch.Tensor) -> torch.Tensor:
    """What a tensor without a history holds now."""
    return tensor.detach().to(wide(tensor.dtype), copy=True)


def _new_memory(history: History) -> torch.Tensor:
    if history.base is not None:
        return history.base.to(wide(history.dtype), copy=True)
    return torch.empty(history.size, dtype=wide(history.dtype), device=history.device)
