"""Tensors to be filled and their memory → each memory once, or an error where two reach into each other."""

from collections.abc import Iterable
from typing import Any

from numbainit.errors import InvalidValueError
from numbainit.memory.sharded import ShardedArray
from numbainit.memory.sharing import identity, two_that_share
from numbainit.recipes.tensors import Held


def each_once(tensors: Iterable[tuple[Held, Any]]) -> list[Held]:
    """The tensors; of several that are the same memory the first. None is the memory of what gets a new array.

    Raises
    ------
    InvalidValueError
        Two share elements, and are not the same view: each would be written over by the other.
    """
    found: list[Held] = []
    in_place: dict[Any, tuple[str, Any]] = {}
    for held, memory in tensors:
        here = memory.memory if isinstance(memory, ShardedArray) else memory
        if here is None or not here.size:
            found.append(held)
        elif (key := identity(here)) not in in_place:
            in_place[key] = held.tensor.name, here
            found.append(held)
    names, arrays = zip(*in_place.values(), strict=True) if in_place else ((), ())
    pair = two_that_share(arrays)
    if pair is not None:
        first, second = (names[index] for index in pair)
        raise InvalidValueError(
            f"{first!r} and {second!r} share memory, and are different views of it: one would be written over the "
            "other; pass one of them, or a copy, or let one pass by ignore= of Recipe.apply"
        )
    return found
