"""Pieces → hashes of rows and of pages, dead columns, blocks of columns that repeat: what is found twice.

A hash is a sum of words of 32 bits, or fewer, times odd factors, one a place. What differs in a bit, or in signs alone,
has another.
"""

import numpy as np

from numbainit.auditing.pieces import matrix_shape
from numbainit.files.reading.stored import Stored

PAGE = 4096  # bytes
SHARES = (2, 3, 4, 6, 8, 16, 32, 64)  # into how many equal blocks an axis may fall
_WIDEST = 1 << 20  # columns that are looked at one by one
_ODD = np.uint64(0x9E3779B97F4A7C15)


def factors(first: int, count: int) -> np.ndarray:
    """Splitmix64: an odd number of 32 bits for each place."""
    z = np.arange(first + 1, first + count + 1, dtype=np.uint64) * _ODD
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    return (z >> np.uint64(32)).astype(np.uint32) | np.uint32(1)


class Rows:
    """A hash of each row, columns that are zero throughout, and into how many equal blocks the columns fall."""

    def __init__(self, stored: Stored) -> None:
        count, columns = matrix_shape(stored.shape)
        size = stored.dtype.itemsize
        self.wanted = count > 1 and columns > 0
        self.words = np.dtype(f"u{min(size, 4)}")
        self.each = size // self.words.itemsize  # words of an element
        self.length = columns * self.each
        self.hashes = np.zeros(count if self.wanted else 0, np.uint64)
        self.bits = np.zeros(self.length if self.wanted and self.length <= _WIDEST else 0, self.words)
        self.blocks = tuple(k for k in SHARES if self.wanted and columns % k == 0 and columns > k)
        self._at = 0
        self._factors = np.empty(0, np.uint32)

    def add(self, piece: np.ndarray) -> None:
        """Take in what follows: whole rows, or a part of one."""
        if not self.wanted:
            return
        from numbainit.auditing.loops import hash_rows

        row, column = divmod(self._at, self.length)
        words = piece.view(self.words)
        whole = column == 0 and words.size % self.length == 0
        matrix = words.reshape(-1, self.length if whole else words.size)
        if not whole:
            self.bits, self.blocks = self.bits[:0], ()
        if not whole or not self._factors.size:
            self._factors = factors(column, matrix.shape[1])
        hash_rows(matrix, self._factors, self.hashes[row : row + len(matrix)], self.bits)
        self.blocks = tuple(k for k in self.blocks if _repeats(matrix, k))
        self._at += words.size

    @property
    def dead_columns(self) -> int:
        """Columns of zeros, where pieces are whole rows."""
        return int(np.count_nonzero(~self.bits.reshape(-1, self.each).any(axis=1)))


def _repeats(matrix: np.ndarray, k: int) -> bool:
    """Whether the columns are k equal blocks; the first row answers nearly always."""
    size = matrix.shape[1] // k
    return all(bool((rows[:, :-size] == rows[:, size:]).all()) for rows in (matrix[:1], matrix))


class Pages:
    """Hashes of pages, which fresh memory and mapped files repeat."""

    def __init__(self, dtype: np.dtype) -> None:
        self._wanted = dtype.kind not in "biu" and PAGE % dtype.itemsize == 0
        self._factors = factors(0, PAGE // 4)
        self._hashes: list[np.ndarray] = []

    def add(self, piece: np.ndarray) -> None:
        """Take in the whole pages of what follows."""
        data = piece.view(np.uint8)
        if not self._wanted or data.size < PAGE:
            return
        from numbainit.auditing.loops import hash_pages

        pages = data[: data.size // PAGE * PAGE].view(np.uint32).reshape(-1, PAGE // 4)
        hashes = np.empty(len(pages), np.uint64)
        hash_pages(pages, self._factors, hashes)
        self._hashes.append(hashes)

    @property
    def repeated(self) -> int:
        """Pages that were there before, without those of one number again and again."""
        every = np.concatenate([np.empty(0, np.uint64), *self._hashes])
        every.sort()  # in place: a set of them takes ten times the memory
        return int(np.count_nonzero((every[1:] == every[:-1]) & (every[1:] != 0)))
