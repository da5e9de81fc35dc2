"""A shape → boxes whose elements follow each other: what is looked at of a tensor at a time."""

import math
from collections.abc import Iterator
from typing import TypeAlias

import numpy as np

from numbainit.files import pieces

PIECE = 1 << 18  # elements: with copies in float64, few MB

Box: TypeAlias = tuple[tuple[int, int], ...]


def boxes(shape: tuple[int, ...], most: int = PIECE) -> Iterator[Box]:
    """The first index along each axis, and the one behind the last, of pieces in C order.

    Examples
    --------
    >>> from numbainit.auditing.pieces import boxes
    >>> list(boxes((2, 5, 3), most=9))
    [((0, 1), (0, 3), (0, 3)), ((0, 1), (3, 5), (0, 3)), ((1, 2), (0, 3), (0, 3)), ((1, 2), (3, 5), (0, 3))]
    """
    if shape and not shape[0]:
        return
    for lengths, start in pieces.boxes(shape, most):
        yield tuple((begin, begin + length) for begin, length in zip(start, lengths, strict=True))


def sizes(box: Box) -> tuple[int, ...]:
    """The shape of a box."""
    return tuple(stop - start for start, stop in box)


def counts(shape: tuple[int, ...]) -> Iterator[int]:
    """The numbers of elements of all boxes."""
    return (math.prod(sizes(box)) for box in boxes(shape))


def matrix_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    """(rows, columns): axis 0, and all others."""
    return (shape[0], math.prod(shape[1:])) if len(shape) > 1 else (1, math.prod(shape))


def real_parts(piece: np.ndarray) -> np.ndarray:
    """Both parts of complex numbers, each beside the other."""
    return piece.view(piece.real.dtype) if piece.dtype.kind == "c" else piece


def as_float(piece: np.ndarray) -> np.ndarray:
    """float64 of any real dtype; both parts of complex numbers."""
    with np.errstate(invalid="ignore"):  # NaNs that signal: memory holds anything
        return real_parts(piece).astype(np.float64)
