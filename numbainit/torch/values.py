"""Steps of a sheet that chance has no say in → values, on the CPU; the one value that all elements have, if so."""

from typing import Any

import torch

from numbainit.torch.histories import flat, replaced
from numbainit.torch.locations import View
from numbainit.torch.sheets import (
    Arrived,
    Changed,
    Constant,
    Copied,
    Drawn,
    Made,
    Piece,
    Target,
    UnsayableError,
    inputs_of,
    is_all,
)


def is_random(piece: Piece) -> bool:
    """Whether chance has a say in the values of a piece."""
    todo, seen = [piece], set()
    while todo:
        one = todo.pop()
        if (id(one.steps), one.length, one.view) in seen:
            continue
        seen.add((id(one.steps), one.length, one.view))
        for step in one.until_now():
            if isinstance(step, (Drawn, Arrived)):
                return True
            todo += inputs_of(step)
    return False


def evaluated(piece: Piece) -> torch.Tensor:
    """The values of a piece, on the CPU."""
    if any(region.held for region in piece.sheet.regions) and not piece.length:
        raise UnsayableError("values from before")
    memory = torch.zeros(piece.sheet.size, dtype=torch.uint8, device="cpu")
    for step in piece.until_now():
        part = _strided(memory, step.view)
        if isinstance(step, Constant):
            part.fill_(step.value)
        elif isinstance(step, Copied):
            part.copy_(evaluated(step.piece))
        elif isinstance(step, Changed):
            getattr(part, step.name + "_")(step.number)
        elif isinstance(step, Made):
            args, kwargs = replaced((step.args, step.kwargs), Piece, evaluated)
            if step.at is None:
                _call_in_place(step.func, args, kwargs, part)
            else:
                part.copy_(list(flat(step.func(*args, **on_cpu(kwargs)), torch.Tensor))[step.at])
        else:
            raise UnsayableError("random values")
    return _strided(memory, piece.view)


def _call_in_place(func: Any, args: Any, kwargs: Any, target: torch.Tensor) -> None:
    args, kwargs = replaced((args, kwargs), Target, lambda _: target)
    func(*args, **on_cpu(kwargs))


def on_cpu(kwargs: Any) -> Any:
    return {
        name: torch.device("cpu") if name == "device" and value is not None else value for name, value in kwargs.items()
    }


def _strided(memory: torch.Tensor, view: View) -> torch.Tensor:
    return memory.view(view.dtype).as_strided(view.shape, view.strides, view.offset)


def value_of(piece: Piece) -> Any:
    """The value that all elements of a piece have; None where they may differ."""
    found = None
    for step in piece.until_now():
        if not step.view.meets(piece.view):
            continue
        if not is_all(step.view, piece.view):
            return None
        if isinstance(step, Constant):
            found = rounded(step.value, step.view.dtype)
        elif isinstance(step, Copied):
            inner = value_of(step.piece)
            found = None if inner is None else rounded(inner, step.view.dtype)
        elif isinstance(step, Changed) and found is not None:
            one = torch.full((1,), found, dtype=step.view.dtype, device="cpu")
            found = getattr(one, step.name + "_")(step.number).item()
        else:
            found = None
    return found


def rounded(value: Any, dtype: torch.dtype) -> Any:
    """A number as an element of a dtype."""
    return torch.full((), value, dtype=dtype, device="cpu").item()
