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

_MOST_THREADS = 16  # none of the disks that there are keeps up with more
_AHEAD = 2  # runs that are filled, or being filled, for each thread
_ALIGNMENT = 64  # bytes: what the fastest stores of kernels want


def fill_and_write(runs: Iterable[list[Piece]], fill: Fill, write: Write) -> None:
    """Fill all pieces, and hand each to ``write`` on the calling thread, in order.

    What does not fit into a buffer, a matrix that can be made only as a whole, is filled by itself and by all threads.
    An exception of either function, or of a signal's handler, ends all.
    """
    threads = min(launch.threads(), _MOST_THREADS)
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
                write(run[0], array, fill(run[0], array))
                continue
            buffer = spare.pop()
            waiting.append((buffer, run, pool.submit(_filled, run, buffer, fill)))
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


def _filled(run: list[Piece], buffer: np.ndarray, fill: Fill) -> list[tuple[np.ndarray, Any]]:
    """The arrays of a run, filled, with what is known of each."""
    found, at = [], -buffer.ctypes.data % _ALIGNMENT
    with launch.limited(1):
        for piece in run:
            array: np.ndarray = np.ndarray(piece.box.shape, piece.part.of.numpy_dtype, buffer, at)
            found.append((array, fill(piece, array)))
            at += -(-piece.box.nbytes // _ALIGNMENT) * _ALIGNMENT
    return found
