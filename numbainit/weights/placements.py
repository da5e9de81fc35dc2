"""How an array is cut over a mesh, and a rank's coordinate in it → the boxes of the whole that this rank holds.

Whole numbers only, so that all ranks of any mesh can be looked at from one process. Cuts are torch's: an axis falls
into pieces of equal length, rounded up, so that the last ones are short or empty; the axes of a mesh cut one after
another, each what those before have left. A cut with ``chunks`` takes a piece of each of several: that is how a rank of
FSDP2 holds what tensor parallelism has cut along the same axis (``_StridedShard``).
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from numbainit.errors import InvalidValueError
from numbainit.weights.blocks import Block

Range = tuple[int, int]


class Cut(NamedTuple):
    """What one axis of a mesh does: an axis falls into ``pieces``, of which this is number ``piece``.

    With ``chunks`` the axis falls into so many chunks first, each of them into pieces, and number ``piece`` of each
    chunk is here.
    """

    axis: int
    pieces: int
    piece: int
    chunks: int = 1


class Box(NamedTuple):
    """A range along each axis: where it begins in the whole, where in the shard, and its shape."""

    start: tuple[int, ...]
    place: tuple[int, ...]
    shape: tuple[int, ...]

    @property
    def slices(self) -> tuple[slice, ...]:
        """The part of the shard that this box is."""
        return tuple(slice(begin, begin + size) for begin, size in zip(self.place, self.shape, strict=True))


class Shard(NamedTuple):
    """The part of a whole that lies in one place: its own shape, and the boxes of the whole that it is made of."""

    whole: tuple[int, ...]
    shape: tuple[int, ...]
    boxes: tuple[Box, ...]

    def blocks(self, block: Block | None = None) -> Iterator[tuple[tuple[slice, ...], Block]]:
        """The index in the shard of each box, and its block, also where the whole is a part of a larger array."""
        for box in self.boxes:
            if block is None:
                yield box.slices, Block(self.whole, box.start)
            else:
                yield box.slices, block.within(tuple(slice(begin, None) for begin in box.start))


def shard_of(whole: Sequence[int], cuts: Sequence[Cut]) -> Shard:
    """What is here of an array of shape ``whole``.

    Examples
    --------
    >>> from numbainit.weights.placements import Cut, shard_of
    >>> shard_of((5, 4), [Cut(axis=0, pieces=2, piece=1)])
    Shard(whole=(5, 4), shape=(2, 4), boxes=(Box(start=(3, 0), place=(0, 0), shape=(2, 4)),))
    >>> [box.start for box in shard_of((8,), [Cut(0, 2, 1, chunks=2)]).boxes]
    [(2,), (6,)]
    """
    ranges: list[list[Range]] = [[(0, size)] for size in whole]
    for cut in cuts:
        if not 0 <= cut.axis < len(whole):
            raise InvalidValueError(f"an array of shape {tuple(whole)} has no axis {cut.axis} that could be cut")
        if not 0 <= cut.piece < cut.pieces or cut.chunks < 1:
            raise InvalidValueError(f"there is no piece {cut.piece} of {cut.pieces}, of {cut.chunks} chunks")
        ranges[cut.axis] = _cut(ranges[cut.axis], cut)
    shape = tuple(map(_length, ranges))
    if 0 in shape:
        return Shard(tuple(whole), shape, ())
    return Shard(tuple(whole), shape, tuple(_boxes(ranges)))


def _boxes(ranges: list[list[Range]]) -> Iterator[Box]:
    places = [[0, *itertools.accumulate(end - begin for begin, end in axis)] for axis in ranges]
    for chosen in itertools.product(*(range(len(axis)) for axis in ranges)):
        picked = [axis[at] for axis, at in zip(ranges, chosen, strict=True)]
        yield Box(
            tuple(begin for begin, _ in picked),
            tuple(axis[at] for axis, at in zip(places, chosen, strict=True)),
            tuple(end - begin for begin, end in picked),
        )


def _cut(ranges: list[Range], cut: Cut) -> list[Range]:
    found: list[Range] = []
    for begin, end in _pieces(0, _length(ranges), cut.chunks):
        piece = list(_pieces(begin, end, cut.pieces))[cut.piece]
        for one in _clipped(ranges, *piece):
            if found and found[-1][1] == one[0]:
                one = found.pop()[0], one[1]
            found.append(one)
    return found or [(0, 0)]


def _pieces(begin: int, end: int, count: int) -> Iterator[Range]:
    """Equal lengths, rounded up, as long as there is something."""
    length = -(-(end - begin) // count)
    return ((min(begin + at * length, end), min(begin + (at + 1) * length, end)) for at in range(count))


def _clipped(ranges: list[Range], begin: int, end: int) -> Iterator[Range]:
    """Those places [begin, end) of a row of ranges."""
    for first, last in ranges:
        low, high = max(begin, 0), min(end, last - first)
        if low < high:
            yield first + low, first + high
        begin, end = begin - (last - first), end - (last - first)


def _length(ranges: list[Range]) -> int:
    return sum(end - begin for begin, end in ranges)
