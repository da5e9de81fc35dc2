"""Runs of pieces and what fills one → threads fill them, ahead of the one that writes them in their order.

Each thread fills a run of its own, alone: many small tensors are filled at once, and a large one by all threads, while
what is filled is written. Buffers are used again and again, so memory does not grow with a model.
"""

import collections
import concurrent.futures
import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

import numpy as np

from numbainit.files.pieces import MOST_IN_A_RUN, RUN, Piece
from numbainit.targets.cpu import launch

Fill: TypeAlias = Callable[[Piece, np.ndarray], Any]  # an array to fill → what is to be known of it
Write: TypeAlias = Callable[[Piece, np.ndarray, Any], None]
Put: TypeAlias = Callable[[list[Piece], list[np.ndarray]], None]  # a run, and its arrays

_MOST_THREADS = 16  # none of the disks that there are keeps up with more
_AHEAD = 2  # runs that are filled, or being filled, for each thread
_ALIGNMENT = 64  # bytes: what the fastest stores of kernels want


def fill_and_write(runs: Iterable[list[Piece]], fill: Fill, write: Write, put: Put | None = None) -> None:
    """Fill all pieces, and hand each to ``write`` on the calling thread, in order.

    ``put`` takes a run as soon as it is filled, on the thread that filled it, and in no order. While one of them waits
    for the system another fills: so there is a thread more.

    What does not fit into a buffer, a matrix that can be made only as a whole, is filled by itself and by all threads.
    An exception of either function, or of a signal's handler, ends all.
    """
    threads = min(launch.threads() + (put is not None), _MOST_THREADS)
    spare = [np.empty(RUN + (MOST_IN_A_RUN + 1) * _ALIGNMENT, np.uint8) for _ in range(_AHEAD * threads)]
    waiting: collections.deque[tuple[np.ndarray, list[Piece], concurrent.futures.Future]] = collections.deque()

    def write_first() -> None:
        buffer, run, future = waiting.popleft()
        for piece, (array, found) in zip(run, future.result(), strict=True):
            write(piece, array, found)
        spare.append(buffer)

    with _pool(threads) as pool:
        for run in runs:
            large = run[0].box.nbytes > RUN
            while waiting and (large or not spare):
                write_first()
            if large:
                array = np.empty(run[0].box.shape, run[0].part.of.numpy_dtype)
                found = fill(run[0], array)
                if put:
                    put(run, [array])
                write(run[0], array, found)
                continue
            buffer = spare.pop()
            waiting.append((buffer, run, pool.submit(_filled, run, buffer, fill, put)))
        while waiting:
            write_first()


@contextlib.contextmanager
def _pool(threads: int) -> Iterator[concurrent.futures.Executor]:
    """Threads; what they have not begun when something fails is left."""
    pool = concurrent.futures.ThreadPoolExecutor(threads, "numbainit-fill")
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _filled(run: list[Piece], buffer: np.ndarray, fill: Fill, put: Put | None) -> list[tuple[np.ndarray, Any]]:
    """The arrays of a run, filled and put, with what is known of each."""
    found, at = [], -buffer.ctypes.data % _ALIGNMENT
    with launch.limited(1):
        for piece in run:
            array: np.ndarray = np.ndarray(piece.box.shape, piece.part.of.numpy_dtype, buffer, at)
            found.append((array, fill(piece, array)))
            at += -(-piece.box.nbytes // _ALIGNMENT) * _ALIGNMENT
    if put:
        put(run, [array for array, _ in found])
    return found
