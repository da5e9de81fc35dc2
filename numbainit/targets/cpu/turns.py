"""Many items → turns of a twentieth of a second, between which Python hears signals.

While a kernel runs, Ctrl-C waits for its end. A turn is long beside what a launch costs, and short beside a user's
patience, whatever the law, the processor and the state of the memory: its length follows that of the turn before it.
What is computed does not depend on it.
"""

import time
from collections.abc import Iterator

import numpy as np

TURN = 0.05  # seconds
FIRST = 1 << 23  # elements a thread of the first turn, of which nothing is known yet: some milliseconds, with luck
_MOST_GROWTH, _LEAST_GROWTH = 8.0, 0.25
_WORD_BYTES = 4
PIECE = 1 << 22  # elements that NumPy is given at a time


def turns(items: int, first: int) -> Iterator[tuple[int, int]]:
    """(from which item on, how many) for each turn; the first has ``first`` items."""
    begin, count = 0, max(first, 1)
    while begin < items:
        count = min(count, items - begin)
        start = time.perf_counter()
        yield begin, count
        begin += count
        growth = TURN / max(time.perf_counter() - start, 1e-9)
        count = max(1, int(count * min(max(growth, _LEAST_GROWTH), _MOST_GROWTH)))


def slices(length: int, width: int = 1) -> Iterator[slice]:
    """Parts of an axis of this length, of which each element stands for so many: what NumPy is given at a time."""
    step = max(1, PIECE // max(width, 1))
    for begin in range(0, length, step):
        yield slice(begin, min(begin + step, length))


def parts(array: np.ndarray) -> Iterator[np.ndarray]:
    """Views that together are the array, each small enough to be dealt with at a time, as is the memory in between."""
    reach = array.size
    if not array.flags.forc and reach:
        reach = max(reach, sum(map(_span, array.shape, array.strides)) // _WORD_BYTES)
    if reach <= PIECE:
        yield array
        return
    axis = max((axis for axis in range(array.ndim) if array.shape[axis] > 1), key=lambda axis: abs(array.strides[axis]))
    lead = (slice(None),) * axis
    for part in slices(array.shape[axis], -(-reach // array.shape[axis])):
        yield from parts(array[*lead, part])


def _span(size: int, stride: int) -> int:
    """The bytes from the first element along an axis to its last."""
    return (size - 1) * abs(stride)
