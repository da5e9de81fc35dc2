"""The pieces of a tensor → its moments, extremes, counts, hashes of rows and pages: all of one pass.

What only a few questions need, the matrix for the spectrum, is a part at the beginning.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from numbainit.auditing.codes import Codes, codes, counted_as
from numbainit.auditing.hashes import Pages, Rows
from numbainit.auditing.moments import Moments
from numbainit.auditing.pieces import counts, matrix_shape, real_parts
from numbainit.files.reading.stored import Stored

HEAD = 3 << 17  # elements that are kept for the spectrum: 1.5 MB
_HUGE = 1e30
_RUN = 1024  # zeros: rows, and what training makes, are told apart by where they begin
_WATCHED = ("float32", "float64", "bfloat16")  # whose denormals, huge numbers and addresses are counted


@dataclass
class Figures:
    """What a tensor holds, whatever it should.

    Attributes
    ----------
    size : int
        Elements.
    parts, nans, infinities, denormals, huge, zeros, pointers : int
        Real numbers, of which complex elements have two; ``pointers`` are words of 64 bits that look like addresses.
    mean, std, skew, kurtosis, low, high : float
        Of the finite elements; kurtosis is 3 for a normal law.
    run, run_start : int
        The longest run of zeros, and the number of its first element.
    rows : array of uint64
        Hashes; those of rows of zeros are 0. Empty if there is one row.
    dead_columns : int
    columns : tuple of ints
        Into how many equal blocks the columns fall.
    pages : int
        Pages of 4,096 bytes that another one repeats, without those of one value.
    head : array
        The leading rows, as a matrix of float32.
    counted : array of ints
        How many finite elements lie between the edges of their dtype's codes.
    """

    size: int
    parts: int = 0
    nans: int = 0
    infinities: int = 0
    denormals: int = 0
    huge: int = 0
    zeros: int = 0
    pointers: int = 0
    mean: float = math.nan
    std: float = math.nan
    skew: float = math.nan
    kurtosis: float = math.nan
    low: float = math.nan
    high: float = math.nan
    run: int = 0
    run_start: int = 0
    pages: int = 0
    dead_columns: int = 0
    columns: "tuple[int, ...]" = ()
    rows: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint64), repr=False)
    head: np.ndarray = field(default_factory=lambda: np.empty((0, 0)), repr=False)
    counted: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64), repr=False)

    @property
    def finite(self) -> bool:
        return not (self.nans or self.infinities)

    @property
    def is_constant(self) -> bool:
        return self.size > 0 and self.low == self.high and self.finite

    @property
    def dead_rows(self) -> int:
        return int((self.rows == 0).sum())


def figures(stored: Stored) -> Figures:
    """One pass over a tensor."""
    found = Figures(stored.size, stored.size * (2 if stored.dtype.kind == "c" else 1))
    if not stored.size:
        return found
    elements, rows, pages, head = _Elements(stored.dtype), Rows(stored), Pages(stored.dtype), _Head(stored.shape)
    for piece in stored.pieces(counts(stored.shape)):
        piece = np.ascontiguousarray(piece, stored.dtype.newbyteorder("="))
        values = real_parts(piece)
        elements.add(values)
        rows.add(piece)
        pages.add(piece)
        head.add(values)
        if stored.dtype.name in _WATCHED:
            found.pointers += _addresses(piece)
    elements.put(found)
    found.rows, found.dead_columns, found.columns = rows.hashes, rows.dead_columns, rows.blocks
    found.pages, found.head = pages.repeated, head.matrix
    return found


def _addresses(piece: np.ndarray) -> int:
    from numbainit.auditing.loops import count_addresses

    data = piece.view(np.uint8)
    return int(count_addresses(data[: data.size // 8 * 8].view(np.uint64)))


class _Elements:
    """Counts by code, moments, and what is no ordinary number: that is looked at in pieces whose codes have some."""

    def __init__(self, dtype: np.dtype) -> None:
        self.kind = counted_as(dtype)
        self.codes: Codes = codes(self.kind)
        self.counts = np.zeros(len(self.codes.place), np.int64)
        self.moments = Moments()
        self.run = np.zeros(5, np.int64)  # as run_of_zeros has it
        self.nans = self.infinities = self.denormals = self.huge = 0
        self._unusual = self._ranges()

    def _ranges(self) -> tuple[slice, slice]:
        """Codes of 0 and numbers near it, and of what is huge or no number, whatever the sign."""
        half = len(self.counts) // 2
        if self.codes.values.size:
            return slice(0, 1), slice(half, half)
        ends = np.array([np.finfo(self.kind).tiny, _HUGE], self.kind)
        least, most = (int(word) for word in self.codes.of(ends) >> self.codes.words.type(self.codes.shift))
        return slice(0, least), slice(most, half)

    def add(self, values: np.ndarray) -> None:
        from numbainit.auditing.loops import count, run_of_zeros

        values = values if values.dtype == self.kind else values.astype(self.kind)
        words, before = self.codes.of(values), self._so_far()
        count(words, words.dtype.type(self.codes.shift), self.counts)
        small, large = (now != then for now, then in zip(self._so_far(), before, strict=True))
        if small:
            run_of_zeros(words, self._magnitude, self.run)
        else:
            self.run[1], self.run[2] = 0, self.run[2] + words.size
        if self.codes.values.size:
            return  # its codes say all else
        if small or large:
            self._look(values)
        self.moments.add(values[np.isfinite(values)] if large else values)

    def _so_far(self) -> list[int]:
        halves = self.counts.reshape(2, -1)
        return [int(halves[:, part].sum()) for part in self._unusual]

    @property
    def _magnitude(self) -> np.unsignedinteger:
        """The bits of a word that make it another number than 0."""
        every = int(np.iinfo(self.codes.words).max)
        signed = self.codes.values.size == 0 or self.codes.values[len(self.counts) // 2] == 0
        return self.codes.words.type(every >> signed)

    def _look(self, values: np.ndarray) -> None:
        magnitudes = np.abs(values)
        self.nans += int(np.isnan(values).sum())
        self.infinities += int(np.isinf(values).sum())
        self.huge += int(np.count_nonzero(np.isfinite(values) & (magnitudes > _HUGE)))
        self.denormals += int(np.count_nonzero((magnitudes < np.finfo(self.kind).tiny) & (values != 0)))

    def put(self, found: Figures) -> None:
        """What was seen."""
        if self.codes.values.size:
            self._put_codes(found)
        else:
            found.nans, found.infinities, found.huge, found.denormals = (
                self.nans, self.infinities, self.huge, self.denormals
            )  # fmt: skip
        found.zeros, found.counted = int(self.run[0]), self.codes.counted(self.counts)
        if self.run[3] >= _RUN:
            found.run, found.run_start = int(self.run[3]), int(self.run[4])
        if self.moments.count:
            seen = self.moments
            found.mean, found.std, found.low, found.high = seen.mean, seen.std, seen.low, seen.high
            found.skew, found.kurtosis = seen.skew, seen.kurtosis

    def _put_codes(self, found: Figures) -> None:
        """Of a dtype each code of which is one number."""
        values = self.codes.values
        finite = np.isfinite(values)
        self.moments.add_counted(values[finite], self.counts[finite])
        found.nans = int(self.counts[np.isnan(values)].sum())
        found.infinities = int(self.counts[np.isinf(values)].sum())
        if self.kind.name in _WATCHED:
            sizes = np.abs(values)
            found.huge = int(self.counts[finite & (sizes > _HUGE)].sum())
            found.denormals = int(self.counts[(sizes < np.finfo(np.float32).tiny) & (values != 0)].sum())


class _Head:
    """Leading rows, up to ``HEAD`` elements."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        rows, self.columns = matrix_shape(shape)
        self.keep = min(rows * self.columns, max(HEAD // max(self.columns, 1), 1) * self.columns, 2 * HEAD)
        self.parts: list[np.ndarray] = []
        self.kept = 0

    def add(self, values: np.ndarray) -> None:
        more = values[: max(self.keep - self.kept, 0)]
        if more.size:
            with np.errstate(over="ignore", invalid="ignore"):
                self.parts.append(more.astype(np.float32))
            self.kept += more.size

    @property
    def matrix(self) -> np.ndarray:
        flat = np.concatenate(self.parts) if self.parts else np.empty(0, np.float32)
        width = self.columns if self.columns and flat.size % self.columns == 0 else flat.size
        return flat.reshape(-1, width) if width else flat.reshape(0, 0)
