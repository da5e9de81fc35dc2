"""The pieces of a tensor → its moments, extremes, counts, hashes of rows and pages: all of one pass.

What only a few questions need, the matrix for the spectrum, is a part at the beginning.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from numbainit.auditing.pieces import as_float, counts, matrix_shape
from numbainit.files.reading.stored import Stored

HEAD = 1 << 20  # elements that are kept for the spectrum: 4 MB
PAGE = 4096  # bytes
_HUGE = 1e30
_RUN = 1024  # zeros: rows, and what training makes, are told apart by where they begin
_ODD = np.uint64(0x9E3779B97F4A7C15)


@dataclass
class Figures:
    """What a tensor holds, whatever it should.

    Attributes
    ----------
    size, nans, infinities, denormals, huge, zeros, pointers : int
        Elements; ``pointers`` are words of 64 bits that look like addresses.
    mean, std, skew, kurtosis, low, high : float
        Of the finite elements; kurtosis is 3 for a normal law.
    run, run_start : int
        The longest run of zeros, and the number of its first element.
    rows : array of uint64
        Hashes; those of rows of zeros are 0.
    dead_columns : int
    pages : int
        Pages of 4,096 bytes that another one repeats, without those of one value.
    head : array
        The leading rows, as a matrix of float32.
    """

    size: int
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
    rows: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint64), repr=False)
    head: np.ndarray = field(default_factory=lambda: np.empty((0, 0)), repr=False)
    columns: "tuple[int, ...]" = ()  # equal blocks along axis 1

    @property
    def finite(self) -> bool:
        return not (self.nans or self.infinities)

    @property
    def is_constant(self) -> bool:
        return self.size > 0 and self.low == self.high and self.finite

    @property
    def dead_rows(self) -> int:
        return int((self.rows == 0).sum()) if len(self.rows) > 1 else 0


def figures(stored: Stored) -> Figures:
    """One pass over a tensor."""
    found = Figures(stored.size)
    if not stored.size:
        return found
    moments, rows, pages = _Moments(), _RowHashes(stored), _Pages(stored.dtype)
    zeros, head = _Zeros(), _Head(stored.shape)
    for piece in stored.pieces(counts(stored.shape)):
        values = as_float(piece)
        finite = np.isfinite(values)
        if not finite.all():
            found.nans += int(np.isnan(values).sum())
            found.infinities += int(np.isinf(values).sum())
            moments.add(values[finite])
        else:
            moments.add(values)
        _count(found, piece, values)
        zeros.add(values)
        rows.add(piece)
        pages.add(piece)
        head.add(values)
    moments.put(found)
    zeros.put(found)
    rows.put(found)
    found.pages, found.head = pages.repeated, head.matrix
    return found


def _count(found: Figures, piece: np.ndarray, values: np.ndarray) -> None:
    magnitudes = np.abs(values)
    tiny = {"float32": 1.1754943508222875e-38, "float64": 2.2250738585072014e-308, "bfloat16": 1.1754943508222875e-38}
    least = tiny.get(piece.real.dtype.name)
    if least is not None:
        found.denormals += int(np.count_nonzero((magnitudes < least) & (values != 0)))
        found.huge += int(np.count_nonzero(np.isfinite(values) & (magnitudes > _HUGE)))
        found.pointers += _pointers(piece)


def _pointers(piece: np.ndarray) -> int:
    """Words that look like addresses of a 64-bit program: 0x000055..., 0x00007f..., a multiple of 8."""
    data = np.ascontiguousarray(piece).view(np.uint8)
    words = data[: data.size // 8 * 8].view(np.uint64)
    high = words >> np.uint64(40)
    return int(np.count_nonzero(((high == 0x7F) | (high == 0x55) | (high == 0x56)) & (words & np.uint64(7) == 0)))


class _Moments:
    """Chan, Golub, LeVeque, 1979, and Pebay, 2008, for the third and the fourth."""

    def __init__(self) -> None:
        self.count, self.mean, self.m2, self.m3, self.m4 = 0, 0.0, 0.0, 0.0, 0.0
        self.low, self.high = math.inf, -math.inf

    def add(self, values: np.ndarray) -> None:
        if not values.size:
            return
        with np.errstate(over="ignore", invalid="ignore"):
            n, mean = values.size, float(values.mean())
            away = values - mean
            square = away * away
            m2, m3, m4 = (float(np.einsum("i,i->", *pair)) for pair in ((away, away), (square, away), (square, square)))
            self._merge(n, mean, m2, m3, m4)
        self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))

    def _merge(self, n: int, mean: float, m2: float, m3: float, m4: float) -> None:
        before, total = self.count, self.count + n
        d = mean - self.mean
        a, b = before / total, n / total
        self.m4 += m4 + d**4 * before * b * (a * a - a * b + b * b) + 6 * d * d * (a * a * m2 + b * b * self.m2)
        self.m4 += 4 * d * (a * m3 - b * self.m3)
        self.m3 += m3 + d**3 * before * b * (a - b) + 3 * d * (a * m2 - b * self.m2)
        self.m2 += m2 + d * d * before * b
        self.mean += d * b
        self.count = total

    def put(self, found: Figures) -> None:
        if not self.count:
            return
        found.mean, found.low, found.high = self.mean, self.low, self.high
        variance = self.m2 / self.count
        found.std = math.sqrt(variance) if math.isfinite(variance) else math.inf
        if variance > 0 and math.isfinite(self.m4):
            found.skew = self.m3 / self.count / variance**1.5
            found.kurtosis = self.m4 / self.count / variance**2


class _Zeros:
    """How many, and the longest run, across pieces."""

    def __init__(self) -> None:
        self.count, self.seen, self.open = 0, 0, 0
        self.best, self.best_start = 0, 0

    def add(self, values: np.ndarray) -> None:
        zero = values == 0
        count = int(np.count_nonzero(zero))
        self.count += count
        if not count:
            self.open = 0
        elif count == values.size:
            self.open += count
            self._note(self.open, self.seen + values.size - self.open)
        else:
            edges = np.flatnonzero(np.diff(np.concatenate(([False], zero, [False])).astype(np.int8)))
            starts, stops = edges[::2], edges[1::2]
            lengths = stops - starts
            if starts[0] == 0:
                self._note(int(lengths[0]) + self.open, self.seen - self.open)
            at = int(lengths.argmax())
            self._note(int(lengths[at]), self.seen + int(starts[at]))
            self.open = int(lengths[-1]) if stops[-1] == values.size else 0
        self.seen += values.size

    def _note(self, length: int, start: int) -> None:
        if length > self.best:
            self.best, self.best_start = length, start

    def put(self, found: Figures) -> None:
        found.zeros = self.count
        if self.best >= _RUN:
            found.run, found.run_start = self.best, self.best_start


class _RowHashes:
    """A hash of each row, columns that are zero throughout, and blocks of columns that repeat."""

    def __init__(self, stored: Stored) -> None:
        self.count, self.length = matrix_shape(stored.shape)
        self.rows = np.zeros(self.count, np.uint64)
        self.at = 0
        self.alive = np.zeros(self.length if self.length <= HEAD else 0, bool)
        self.candidates = [
            k for k in (2, 3, 4, 6, 8, 16, 32, 64) if self.count > 1 and self.length % k == 0 and self.length > k
        ]

    def add(self, piece: np.ndarray) -> None:
        if not self.length:
            return
        words = _words(piece)
        where = np.arange(self.at % self.length, self.at % self.length + words.size, dtype=np.uint64)
        if words.size % self.length == 0 and self.at % self.length == 0:
            matrix = words.reshape(-1, self.length)
            self.rows[self.at // self.length :][: len(matrix)] = (matrix * _mixed(where[: self.length])).sum(
                axis=1, dtype=np.uint64
            )
            if self.alive.size:
                self.alive |= (matrix != 0).any(axis=0)
            self.candidates = [k for k in self.candidates if _repeats(matrix, k)]
        else:  # a part of one row
            with np.errstate(over="ignore"):  # modulo 2^64
                self.rows[self.at // self.length] += (words * _mixed(where)).sum(dtype=np.uint64)
            self.alive, self.candidates = self.alive[:0], []
        self.at += words.size

    def put(self, found: Figures) -> None:
        found.rows = self.rows
        found.dead_columns = int((~self.alive).sum()) if self.count > 1 else 0
        found.columns = tuple(self.candidates)


def _words(piece: np.ndarray) -> np.ndarray:
    """A whole number for each element: its bits, or of complex128 a hash of its two words."""
    width = piece.dtype.itemsize
    words = np.ascontiguousarray(piece).view(f"u{min(width, 8)}")
    return words if width <= 8 else (words.reshape(-1, 2) * _mixed(np.arange(2, dtype=np.uint64))).sum(axis=1)


def _repeats(matrix: np.ndarray, k: int) -> bool:
    size = matrix.shape[1] // k
    return bool((matrix[:, :size] == matrix[:, size : 2 * size]).all()) and bool(
        (matrix[:, :-size] == matrix[:, size:]).all()
    )


def _mixed(numbers: np.ndarray) -> np.ndarray:
    """Splitmix64: a factor for each place of a row."""
    z = (numbers + np.uint64(1)) * _ODD
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (z ^ (z >> np.uint64(31))) | np.uint64(1)


class _Pages:
    """Hashes of pages, which fresh memory and mapped files repeat."""

    def __init__(self, dtype: np.dtype) -> None:
        self.wanted = dtype.kind not in "biu" and PAGE % dtype.itemsize == 0
        self.hashes: list[np.ndarray] = []

    def add(self, piece: np.ndarray) -> None:
        data = np.ascontiguousarray(piece).view(np.uint8)
        if not self.wanted or data.size < PAGE:
            return
        pages = data[: data.size // PAGE * PAGE].view(np.uint64).reshape(-1, PAGE // 8)
        varied = (pages != pages[:, :1]).any(axis=1)
        factors = _mixed(np.arange(PAGE // 8, dtype=np.uint64))
        self.hashes.append((pages[varied] * factors).sum(axis=1, dtype=np.uint64))

    @property
    def repeated(self) -> int:
        if not self.hashes:
            return 0
        every = np.concatenate(self.hashes)
        return int(every.size - np.unique(every).size)


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
            with np.errstate(over="ignore"):
                self.parts.append(more.astype(np.float32))
            self.kept += more.size

    @property
    def matrix(self) -> np.ndarray:
        flat = np.concatenate(self.parts) if self.parts else np.empty(0, np.float32)
        width = self.columns if self.columns and flat.size % self.columns == 0 else flat.size
        return flat.reshape(-1, width) if width else flat.reshape(0, 0)
