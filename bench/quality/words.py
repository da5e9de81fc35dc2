"""Words in many orders, and words recovered from laws and masks: what batteries of tests read.

A law's words are recovered by its distribution function: 16 bits of each of two values make a word. The mask of a
sparse matrix gives the row of the zero in each column of 16 rows with one zero, four bits.
"""

from collections.abc import Iterator

import numba
import numpy as np
from scipy import special

import numbainit as init
from numbainit.command.bits import ORDERS, chunks

CONTROL = "control"
_SIZE = 1 << 20  # values at a time


def _halves(numbers: np.ndarray) -> np.ndarray:
    return np.minimum(numbers * 65536.0, 65535.0).astype(np.uint16).view(np.uint32)


def _uniform(seed: int) -> Iterator[np.ndarray]:
    generator = init.Generator(seed)
    while True:
        yield _halves(init.uniform(_SIZE, generator=generator))


def _normal(seed: int) -> Iterator[np.ndarray]:
    generator = init.Generator(seed)
    while True:
        yield _halves(special.ndtr(init.normal(_SIZE, generator=generator).astype(np.float64)))


def _truncated(seed: int) -> Iterator[np.ndarray]:
    generator, low = init.Generator(seed), special.ndtr(-2.0)
    while True:
        values = init.trunc_normal(_SIZE, generator=generator).astype(np.float64)
        yield _halves((special.ndtr(values) - low) / (1 - 2 * low))


def _masks(seed: int) -> Iterator[np.ndarray]:
    generator, matrix, rows = (
        init.Generator(seed),
        np.empty((16, _SIZE // 4), np.float32),
        np.empty(_SIZE // 4, np.uint8),
    )
    while True:
        init.sparse_(matrix, 1 / 16, 1.0, generator=generator)
        _rows_of_zeros(matrix, rows)
        yield (rows[::2] << 4 | rows[1::2]).view(np.uint32)


@numba.njit(nogil=True)
def _rows_of_zeros(matrix, rows):
    for row in range(matrix.shape[0]):
        for column in range(matrix.shape[1]):
            if matrix[row, column] == 0:
                rows[column] = row


def _congruential(seed: int) -> Iterator[np.ndarray]:
    """The generator of *Numerical Recipes*: a battery that works calls it bad."""
    one = np.ones(1, np.uint32)
    powers = np.cumprod(np.repeat(1664525 * one, _SIZE), dtype=np.uint32)
    sums = 1013904223 * np.cumsum(np.concatenate([one, powers[:-1]]), dtype=np.uint32)
    last = seed * one
    while True:
        words = powers * last + sums
        yield words
        last = words[-1:]


#: name → words, without an end
SOURCES = {
    **{order: (lambda seed, order=order: chunks(seed, order)) for order in ORDERS},
    "of uniform_": _uniform,
    "of normal_": _normal,
    "of trunc_normal_": _truncated,
    "of sparse_'s mask": _masks,
    CONTROL: _congruential,
}
