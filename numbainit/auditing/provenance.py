"""A tensor and how it should have been made → made again piece by piece, and compared bit by bit.

A tensor that was cast to a wider dtype is compared with what the narrower one would hold. orthogonal matrices are
made as a whole, and have the same bits on the same machine only: elsewhere they agree to rounding.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from numbainit.auditing.pieces import Box, as_float, boxes, counts, sizes
from numbainit.files.reading.stored import Stored
from numbainit.generator import Generator
from numbainit.memory.dtypes import dtype_named
from numbainit.recipes import Fill, Formula, Weight
from numbainit.recipes.filling import can_be_cut, make

_NARROWER = {"float64": ("float32", "bfloat16", "float16"), "float32": ("bfloat16", "float16")}
_CHUNK = 1 << 13  # elements that are widened at a time: in cache, and too few for BLAS to start threads
_CLOSE = 64  # units in the last place of the largest: what another LAPACK may do

Advance = Callable[[int], None]
Make = Callable[[np.ndarray, Box | None], None]


@dataclass
class Provenance:
    """How a tensor compares with the same made again, or with a baseline.

    Attributes
    ----------
    size, equal : int
        Elements, and how many of them have the same bits.
    first : int or None
        The number of the first that has not.
    rows : int
        How many whole rows are the same, where ``equal`` is not all.
    dtype : str
        What was made: narrower than the tensor's, if that is all it holds.
    close : bool
        Whether all elements agree to rounding (of orthogonal matrices and formulas alone).
    moments : tuple of floats
        Mean and standard deviation, of what was read.
    """

    size: int
    equal: int = 0
    first: int | None = None
    rows: int = 0
    dtype: str = ""
    close: bool = False
    moments: tuple[float, float] = (math.nan, math.nan)

    @property
    def is_exact(self) -> bool:
        return self.equal == self.size


def again(
    stored: Stored, weight: Weight, name: str, root: Generator, others: Mapping[str, Weight], advance: Advance
) -> Provenance:
    """Compare with the values of a name and a seed; ``others`` are the weights that formulas may be of."""
    dtype = _narrowed(stored, weight)

    def made() -> Iterator[np.ndarray]:
        makes = _pieces if can_be_cut(weight) else _whole
        return makes(weight, dtype, lambda array, box: make(weight, name, array, root, box, others))

    found = _compared(stored, made(), dtype, advance)
    if not found.is_exact and _is_rounded(weight) and stored.dtype.kind not in "biuc":
        found.close = _agrees(stored, made())
    return found


def _is_rounded(weight: Weight) -> bool:
    """Whether another machine may round otherwise."""
    return any(
        step.initializer.name.endswith("orthogonal") if isinstance(step, Fill) else isinstance(step, Formula)
        for step in weight.steps
    )


def with_baseline(stored: Stored, baseline: Stored, advance: Advance) -> Provenance:
    """Compare with another tensor of the same shape."""
    return _compared(stored, baseline.pieces(counts(stored.shape)), baseline.dtype, advance)


def _compared(stored: Stored, expected: Iterator[np.ndarray], dtype: np.dtype, advance: Advance) -> Provenance:
    found = Provenance(stored.size, dtype=dtype.name)
    rows = _Rows(stored.shape)
    start, total, square = 0, 0.0, 0.0
    for piece, made in zip(stored.pieces(counts(stored.shape)), expected, strict=True):
        same = _same_bits(piece, made.reshape(-1))
        equal = piece.size if same is None else int(np.count_nonzero(same))
        if same is not None and found.first is None:
            found.first = start + int(same.argmin())
        rows.add(start, same, piece.size)
        found.equal += equal
        for part in range(0, piece.size, _CHUNK):
            values = as_float(piece[part : part + _CHUNK])
            with np.errstate(invalid="ignore", over="ignore"):
                total, square = total + float(values.sum()), square + float(np.dot(values, values))
        start += piece.size
        advance(piece.nbytes)
    found.rows = rows.equal
    count = max(start * (2 if stored.dtype.kind == "c" else 1), 1)
    mean = total / count
    found.moments = mean, math.sqrt(max(square / count - mean * mean, 0.0)) if math.isfinite(square) else math.nan
    return found


def _same_bits(piece: np.ndarray, made: np.ndarray) -> np.ndarray | None:
    """Element by element; None where all are the same."""
    if made.dtype != piece.dtype:
        if made.dtype.kind == "c" and piece.dtype.kind != "c":
            return np.zeros(piece.size, bool)
        with np.errstate(over="ignore", invalid="ignore"):
            made = made.astype(piece.dtype)
    if made.nbytes and np.array_equal(_words(piece), _words(made)):
        return None
    width = piece.dtype.itemsize
    words = np.dtype(f"u{width}") if width in (1, 2, 4, 8) else np.dtype((np.void, width))
    return np.ascontiguousarray(piece).view(words) == np.ascontiguousarray(made).view(words) if piece.size else None


def _words(array: np.ndarray) -> np.ndarray:
    flat = np.ascontiguousarray(array).view(np.uint8)
    return flat.view(np.uint64) if flat.size % 8 == 0 else flat


class _Rows:
    """Counts rows (of axis 0) that are equal as a whole, though pieces cut them."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.length = math.prod(shape[1:]) if len(shape) > 1 else 0
        self.equal, self.current, self.good = 0, 0, True

    def add(self, start: int, same: np.ndarray | None, size: int) -> None:
        if not self.length:
            return
        if start % self.length == 0 and size % self.length == 0:
            whole = size // self.length
            self.equal += whole if same is None else int(same.reshape(whole, self.length).all(axis=1).sum())
            return
        self.good = (start % self.length == 0 or self.good) and (same is None or bool(same.all()))
        if (start + size) % self.length == 0:
            self.equal += self.good


def _pieces(weight: Weight, dtype: np.dtype, fill: Make) -> Iterator[np.ndarray]:
    for box in boxes(weight.shape):
        array = np.empty(sizes(box), dtype)
        if array.size:
            fill(array, box or None)
        yield array


def _whole(weight: Weight, dtype: np.dtype, fill: Make) -> Iterator[np.ndarray]:
    array, start = np.empty(weight.shape, dtype), 0
    if array.size:
        fill(array, None)
    for count in counts(weight.shape):
        yield array.reshape(-1)[start : start + count]
        start += count


def _narrowed(stored: Stored, weight: Weight) -> np.dtype:
    """The dtype that was made: a narrower one, if all of the first piece is in it."""
    if stored.dtype.name not in _NARROWER or weight.status != "drawn" or not stored.size:
        return stored.dtype
    head = next(stored.pieces(counts(stored.shape)))
    for text in _NARROWER[stored.dtype.name]:
        try:
            dtype = dtype_named(text)
        except ImportError:
            continue
        with np.errstate(over="ignore", invalid="ignore"):
            if np.array_equal(head.astype(dtype).astype(head.dtype), head) and head.any():
                return dtype
    return stored.dtype


def _agrees(stored: Stored, expected: Iterator[np.ndarray]) -> bool:
    worst, largest = 0.0, 0.0
    for piece, made in zip(stored.pieces(counts(stored.shape)), expected, strict=True):
        first, second = piece.astype(np.float64), made.reshape(-1).astype(np.float64)
        if not np.isfinite(first).all():
            return False
        worst, largest = max(worst, float(np.abs(first - second).max())), max(largest, float(np.abs(second).max()))
    import ml_dtypes

    return worst <= _CLOSE * float(ml_dtypes.finfo(stored.dtype).eps) * largest
