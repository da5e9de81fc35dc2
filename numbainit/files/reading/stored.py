"""Tensors that lie somewhere, by name → their values, piece by piece: what every format gives, and audits look at."""

import functools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from numbainit.errors import InvalidTypeError, InvalidValueError, shown
from numbainit.memory.dtypes import is_small

_LONG = (np.dtype("g").name, np.dtype("G").name) if np.dtype("g").itemsize > 8 else ()

Pieces = Iterator[np.ndarray]


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor that is somewhere.

    Attributes
    ----------
    name, shape, dtype
    pieces : callable
        Numbers of elements → as many arrays of one axis, which follow each other from the first element on.
    file : str
        Where it lies; empty for memory.
    unread : str
        How safetensors spells a dtype that no array has; ``dtype`` is then that of bytes, and nobody reads the values.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    pieces: Callable[[Iterable[int]], Pieces] = field(repr=False, compare=False)
    file: str = ""
    unread: str = ""

    @property
    def size(self) -> int:
        """How many elements there are."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """How many bytes they take."""
        return self.size * self.dtype.itemsize


@dataclass(frozen=True)
class Collection:
    """All tensors of a source, by name, and what its file says about itself."""

    source: str
    tensors: dict[str, Stored]
    metadata: dict[str, str] = field(default_factory=dict)


def check_values(stored: Stored) -> None:
    """Raise for what is no number, or longer than what safetensors and torch have, or shares its bytes."""
    dtype = stored.dtype
    if stored.unread or not _is_looked_at(dtype):
        what = stored.unread or ("Python objects" if dtype.hasobject else str(dtype)[:100])
        raise InvalidTypeError(
            f"{shown(stored.name)} holds {what}: an audit looks at whole numbers, booleans, floats of at most 64 bits "
            "and complex numbers of these; leave it out"
        )


@functools.lru_cache(64)  # of many tensors there are few dtypes
def _is_looked_at(dtype: np.dtype) -> bool:
    is_number = dtype.kind in "biufc" and dtype.name not in _LONG
    return not dtype.hasobject and (is_small(dtype) or is_number)


def slices(flat: np.ndarray, counts: Iterable[int]) -> Pieces:
    """Pieces of an array in memory."""
    start = 0
    for count in counts:
        yield flat[start : start + count]
        start += count


def read(file: Any, counts: Iterable[int], dtype: np.dtype, source: str) -> Pieces:
    """Pieces of an open file, from where it stands on."""
    for count in counts:
        array = np.empty(count, dtype)
        memory, got = memoryview(array.view(np.uint8).data), 0
        while got < len(memory):
            more = file.readinto(memory[got:])
            if not more:
                raise InvalidValueError(f"{source} ends within a tensor: fetch or save it again")
            got += more
        yield array


def regrouped(arrays: Iterable[np.ndarray], counts: Iterable[int], dtype: np.dtype) -> Pieces:
    """Arrays of one axis that follow each other → pieces of other sizes; no copy where they are the same.

    Examples
    --------
    >>> import numpy as np
    >>> from numbainit.files.reading.stored import regrouped
    >>> halves = np.arange(4), np.arange(4, 8)
    >>> [piece.tolist() for piece in regrouped(halves, [3, 3, 2], np.dtype(int))]
    [[0, 1, 2], [3, 4, 5], [6, 7]]
    """
    more = iter(arrays)
    rest = np.empty(0, dtype)
    for count in counts:
        held, missing = [rest] if rest.size else [], count - rest.size
        while missing > 0:
            held.append(next(more))
            missing -= held[-1].size
        flat = held[0] if len(held) == 1 else np.concatenate(held) if held else rest
        yield flat[:count]
        rest = flat[count:]
