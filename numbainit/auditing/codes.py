"""A dtype → the codes that its elements are counted by, and the numbers between which those of a code lie.

The code of a float of up to 16 bits is the number itself; of a longer one its leading bits: 128 codes from a number to
its double. Counted once, elements are compared with any law, without another pass over the file.
"""

import functools
from dataclasses import dataclass

import numpy as np

_LEADING = {"float32": 16, "float64": 19}  # bits: sign, exponent, and seven of the fraction


@dataclass(frozen=True)
class Codes:
    """How elements of a dtype are counted.

    Attributes
    ----------
    words : dtype
        Of the bits of an element.
    shift : int
        Bits of a word that are left out.
    place : array of ints
        Of each code, among all in the order of their numbers; -1 for those that are none. Both zeros are one.
    edges : array of float64
        Between a place and the next: no number of the dtype lies there, but for float64, whose middles are rounded.
    values : array of float64
        Of each code, where it is one number; else empty.
    """

    words: np.dtype
    shift: int
    place: np.ndarray
    edges: np.ndarray
    values: np.ndarray

    def of(self, piece: np.ndarray) -> np.ndarray:
        """The words of a piece."""
        return piece.view(self.words)

    def counted(self, counts: np.ndarray) -> np.ndarray:
        """How many elements lie between edges."""
        found, there = np.zeros(len(self.edges) + 1, np.int64), np.flatnonzero((counts > 0) & (self.place >= 0))
        np.add.at(found, self.place[there], counts[there])
        return found


def counted_as(dtype: np.dtype) -> np.dtype:
    """That of its real parts, in the machine's byte order; float64 for whole numbers of more than 16 bits."""
    real = np.empty(0, dtype).real.dtype.newbyteorder("=")
    return np.dtype(np.float64) if real.kind in "iu" and real.itemsize > 2 else real


@functools.cache
def codes(dtype: np.dtype) -> Codes:
    """Those of a real dtype.

    Examples
    --------
    >>> import numpy as np
    >>> from numbainit.auditing.codes import codes
    >>> found = codes(np.dtype("float32"))
    >>> one = int(np.float32(1).view("u4") >> 16)
    >>> float(found.edges[found.place[one]])  # the next code begins at 1 + 1 / 128
    1.0078124403953552
    """
    width = 8 * dtype.itemsize
    words = np.dtype(f"u{dtype.itemsize}")
    if width <= 16:
        numbers = _numbers(np.arange(1 << width, dtype=words), dtype)
        return Codes(words, 0, *_in_order(numbers, None), numbers)
    leading = _LEADING[dtype.name]
    first = np.arange(1 << leading, dtype=words) << words.type(width - leading)
    numbers = _numbers(first, dtype)
    before = _numbers(np.maximum(first, 1) - words.type(1), dtype)  # the last number of the code below
    return Codes(words, width - leading, *_in_order(numbers, before), np.empty(0))


def _numbers(words: np.ndarray, dtype: np.dtype) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # NaNs that signal
        return (words != 0).astype(np.float64) if dtype.kind == "b" else words.view(dtype).astype(np.float64)


def _in_order(numbers: np.ndarray, before: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """The place of each code, and the edges; ``before`` is the number below the least of a code that has many."""
    finite = np.isfinite(numbers)
    different, places = np.unique(numbers[finite], return_inverse=True)
    place = np.full(len(numbers), -1)
    place[finite] = places
    if before is None:
        return place, different[:-1] / 2 + different[1:] / 2
    positive = slice(1, int((different > 0).sum()) + 1)
    ends = numbers[positive] / 2 + before[positive] / 2
    return place, np.concatenate((-ends[::-1], ends))
