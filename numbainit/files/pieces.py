"""Parameters in the order of a file → pieces that are filled alone, in runs that are filled at once.

A piece is a box whose elements follow each other in the file. Whatever the size of a model, no more is in memory than
a few runs; and a piece is small enough to be still in a cache when it is written.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from numbainit.files.headers import Parameter
from numbainit.targets.cpu.runs import RUN, grouped
from numbainit.weights.blocks import Block

Box: TypeAlias = tuple[tuple[int, ...], tuple[int, ...]]  # its shape and its start


@dataclass(frozen=True, slots=True)
class Part:
    """What a file holds of a parameter: all of it, or the box of ``shape`` at ``start``.

    Examples
    --------
    >>> from numbainit.files.headers import Parameter
    >>> from numbainit.files.pieces import Part
    >>> Part(Parameter("w", (4, 6), "F32"), (1, 6), (2, 0)).nbytes
    24
    """

    of: Parameter
    shape: tuple[int, ...]
    start: tuple[int, ...]

    @property
    def name(self) -> str:
        return self.of.name

    @property
    def size(self) -> int:
        """How many elements there are."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """How many bytes they take."""
        return Parameter("", self.shape, self.of.dtype).nbytes

    @property
    def is_whole(self) -> bool:
        """Whether this is all of the parameter."""
        return self.shape == self.of.shape

    @property
    def block(self) -> Block | None:
        """Where it lies in the parameter; None if it is all of it."""
        return None if self.is_whole else Block(self.of.shape, self.start)

    def cut(self, shape: tuple[int, ...], start: Iterable[int]) -> "Part":
        """A box of this one, at ``start`` in it."""
        return Part(self.of, shape, tuple(map(sum, zip(self.start, start, strict=True))))


def whole(parameter: Parameter) -> Part:
    """All of a parameter."""
    return Part(parameter, parameter.shape, (0,) * len(parameter.shape))


@dataclass(frozen=True, slots=True)
class Piece:
    """What is filled and written as one: a box of a part; ``first`` is the number of its first byte in that part."""

    part: Part
    box: Part
    first: int

    @property
    def is_last(self) -> bool:
        """Whether the part ends with it."""
        return self.first + self.box.nbytes == self.part.nbytes


def pieces(part: Part, most: int = RUN) -> Iterator[Piece]:
    """The pieces of a part, of at most so many bytes each, in the order of its elements; one if it is empty.

    Examples
    --------
    >>> from numbainit.files.headers import Parameter
    >>> from numbainit.files.pieces import pieces, whole
    >>> [piece.box.shape for piece in pieces(whole(Parameter("w", (5, 2, 3), "F32")), 48)]
    [(2, 2, 3), (2, 2, 3), (1, 2, 3)]
    """
    first = 0
    for shape, start in boxes(part.shape, max(1, most // max(1, part.nbytes // max(1, part.size)))):
        box = part.cut(shape, start)
        yield Piece(part, box, first)
        first += box.nbytes


def boxes(shape: tuple[int, ...], most: int, chunks: tuple[int, ...] = ()) -> Iterator[Box]:
    """Boxes of at most so many elements that follow each other; one if it is empty.

    With the sizes of ``chunks`` along each axis, boxes end where these do, if they hold one.
    """
    if math.prod(shape) <= most:
        yield shape, (0,) * len(shape)
        return
    rows, inner = shape[0], math.prod(shape[1:])
    if inner <= most:
        step = most // inner
        step -= step % chunks[0] if chunks and step > chunks[0] else 0
        for row in range(0, rows, step):
            yield (min(step, rows - row), *shape[1:]), (row, *(0,) * (len(shape) - 1))
        return
    for row in range(rows):
        for found, start in boxes(shape[1:], most, chunks[1:]):
            yield (1, *found), (row, *start)


def runs(parts: Iterable[Part], in_pieces: "dict[str, bool] | None" = None) -> Iterator[list[Piece]]:
    """Pieces that are filled together, one after the other in the file: together of at most so many bytes.

    ``in_pieces`` says of some names that they cannot be made so: then a part is one piece.
    """
    found = (
        piece
        for part in parts
        for piece in (pieces(part) if in_pieces is None or in_pieces.get(part.name, True) else [Piece(part, part, 0)])
    )
    return grouped(found, lambda piece: piece.box.nbytes)
