"""Files that ranks have written, each with a box of the tensors → whole tensors, and nothing of them in memory.

Torch's distributed checkpoints say in the metadata of a file where its tensors begin in the whole ones; how large
these are, nobody says. Boxes may be cut along any axes. The elements of a box follow each other in its file in the
order that they have in the whole: so all files are read from their beginning to their end, side by side.
"""

import itertools
import json
import operator
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from numbainit.errors import InvalidValueError, shown
from numbainit.files import pieces
from numbainit.files.reading.stored import Collection, Pieces, Stored, regrouped
from numbainit.files.sharded import SHARDING_INFO, WORLD

Start: TypeAlias = tuple[int, ...]

_BOX = 1 << 18  # elements of the whole that are put together at a time
_MOST_CUT = 8  # axes: the corners of a box in as many dimensions


def starts(metadata: Mapping[str, str], source: str) -> dict[str, Start]:
    """The first index of each tensor of a file along each axis of the whole one; empty if it is no rank's."""
    if SHARDING_INFO not in metadata:
        return {}
    try:
        facts = json.loads(metadata[SHARDING_INFO])
        found = {str(name): tuple(one["saved_offsets"]) for name, one in facts.items()}
        if not all(type(at) is int and at >= 0 for start in found.values() for at in start):
            raise ValueError("offsets are whole numbers")
        return found
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise InvalidValueError(
            f"{source}: {SHARDING_INFO} cannot be read: {str(error)[:100]}: save the file again"
        ) from None


def check_whole(found: Collection, beside: Iterable[Mapping[str, str]]) -> None:
    """Raise for a file of one of several ranks, as far as it and the metadata of files ``beside`` it say."""
    world, here = _world(found.metadata), starts(found.metadata, found.source)
    if world is None:
        is_part = any(itertools.chain(*here.values())) or (here and any(SHARDING_INFO in one for one in beside))
    else:
        is_part = world != "1"
    if is_part:
        of = "several ranks" if world is None else f"{shown(world)[1:-1]} ranks"
        raise InvalidValueError(
            f"{found.source} holds the part of one of {of}, and not the model: name the folder with the files of all "
            "ranks"
        )


def check_all_there(files: Sequence[Mapping[str, str]], source: str) -> None:
    """Raise if the metadata of files, which are all there are, speak of more ranks."""
    for world in map(_world, files):
        if world not in (None, str(len(files))):
            raise InvalidValueError(
                f"{source} holds {len(files)} files, and the model is cut over {shown(world)} ranks: fetch the files "
                "of all ranks"
            )


def _world(metadata: Mapping[str, str]) -> str | None:
    """How many ranks there were, if a file of numbainit init says so; the word alone may mean anything."""
    return metadata.get(WORLD) if "stream" in metadata else None


def joined(parts: Sequence[tuple[Start, Stored]]) -> Stored:
    """A tensor whose boxes lie in several files; its shape is the smallest that holds them all.

    Raises
    ------
    InvalidValueError
        Elements that are missing or there twice, parts of several dtypes, or of another number of axes.
    """
    first = parts[0][1]
    for start, one in parts:
        if len(start) != len(one.shape) or len(one.shape) != len(first.shape) or _dtype(one) != _dtype(first):
            raise InvalidValueError(
                f"{shown(first.name)} is {_dtype(one)} {shown(one.shape)} from {shown(start)} on in {shown(one.file)}, "
                f"and {_dtype(first)} {shown(first.shape)} in {shown(first.file)}: wanted boxes of one tensor: save "
                "the files of all ranks together"
            )
    ends = [tuple(map(operator.add, start, one.shape)) for start, one in parts]
    shape = tuple(map(max, zip(*ends, strict=True)))
    _check_tiled(first.name, shape, [(start, one.shape) for start, one in parts])
    boxes = [_Part(start, one) for start, one in parts if one.size]
    if len(boxes) == 1:
        return boxes[0].stored
    return replace(first, shape=shape, pieces=_Whole(shape, first.dtype, tuple(boxes)))


def _dtype(one: Stored) -> str:
    return one.unread or one.dtype.name


def _check_tiled(name: str, shape: tuple[int, ...], boxes: Sequence[tuple[Start, tuple[int, ...]]]) -> None:
    """Raise unless each element of the whole lies in one box.

    How many boxes an element lies in, less one, is a function of the element. Where it is not 0 first, in the order of
    C, its differences along all axes are not 0 first either, and have the same value. These differences are there at
    the corners of boxes alone.
    """
    cut = [axis for axis, size in enumerate(shape) if any(one[axis] != size for _, one in boxes)]
    if len(cut) > _MOST_CUT:
        raise InvalidValueError(
            f"{shown(name)} is cut along {len(cut)} axes; wanted at most {_MOST_CUT}: save it again"
        )
    differences: Counter[Start] = Counter()
    for sign, start, size in [(-1, (0,) * len(shape), shape), *((1, *box) for box in boxes)]:
        if 0 in size:
            continue
        for ends in itertools.product((0, 1), repeat=len(cut)):
            corner = tuple(start[axis] + size[axis] * end for axis, end in zip(cut, ends, strict=True))
            differences[corner] += sign * (-1) ** sum(ends)
    wrong = min((corner for corner, value in differences.items() if value), default=None)
    if wrong is not None:
        at = [0] * len(shape)
        for axis, index in zip(cut, wrong, strict=True):
            at[axis] = index
        what = "is missing" if differences[wrong] < 0 else "is there several times"
        raise InvalidValueError(
            f"{shown(name)} is cut over files, and what begins at {shown(at)} {what}: fetch the files of all ranks, of "
            "one checkpoint"
        )


@dataclass(frozen=True)
class _Part:
    start: Start
    stored: Stored

    def overlap(self, shape: tuple[int, ...], start: Start) -> tuple[slice, ...] | None:
        """Where a box of the whole has elements of this one, in the box."""
        found = []
        for mine, length, begin, size in zip(self.start, self.stored.shape, start, shape, strict=True):
            low, high = max(mine, begin), min(mine + length, begin + size)
            if low >= high:
                return None
            found.append(slice(low - begin, high - begin))
        return tuple(found)


@dataclass(frozen=True)
class _Whole:
    """Boxes that tile a tensor."""

    shape: tuple[int, ...]
    dtype: np.dtype
    parts: tuple[_Part, ...]

    def __call__(self, counts: Iterable[int]) -> Pieces:
        return regrouped(self._boxes(), counts, self.dtype)

    def _boxes(self) -> Iterator[np.ndarray]:
        """Boxes of the whole that follow each other: what a part has of one follows what it had of the one before."""
        asked: list[deque[int]] = [deque() for _ in self.parts]  # of each part, how many elements it gives next
        given = [
            part.stored.pieces(map(deque.popleft, itertools.repeat(one)))
            for part, one in zip(self.parts, asked, strict=True)
        ]
        for shape, start in pieces.boxes(self.shape, _BOX):
            array = np.empty(shape, self.dtype)
            for part, counts, values in zip(self.parts, asked, given, strict=True):
                place = part.overlap(shape, start)
                if place is not None:
                    target = array[place]
                    counts.append(target.size)
                    target[...] = next(values).reshape(target.shape)
            yield array.reshape(-1)
