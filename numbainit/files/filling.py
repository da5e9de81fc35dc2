"""Runs of pieces and what fills one → threads fill them, ahead of the one that writes them in their order.

Many small tensors are filled at once, and a large one by all threads, while what is filled is written. Buffers are used
again and again, so memory does not grow with a model.
"""

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import numpy as np

from numbainit.files.pieces import Piece
from numbainit.targets.cpu import launch
from numbainit.targets.cpu import runs as at_once
from numbainit.targets.cpu.runs import MOST_IN_A_RUN, RUN

Fill: TypeAlias = Callable[[Piece, np.ndarray], Any]  # an array to fill → what is to be known of it
Write: TypeAlias = Callable[[Piece, np.ndarray, Any], None]
Put: TypeAlias = Callable[[list[Piece], list[np.ndarray]], None]  # a run, and its arrays

_ALIGNMENT = 64  # bytes: what the fastest stores of kernels want


def fill_and_write(runs: Iterable[list[Piece]], fill: Fill, write: Write, put: Put | None = None) -> None:
    """Fill all pieces, and hand each to ``write`` on the calling thread, in order.

    ``put`` takes a run as soon as it is filled, on the thread that filled it, and in no order. While one of them waits
    for the system another fills: so there is a thread more.

    What does not fit into a buffer, a matrix that can be made only as a whole, is filled by itself and by all threads.
    An exception of either function, or of a signal's handler, ends all.
    """

    def work(run: list[Piece], buffer: np.ndarray | None) -> list[tuple[np.ndarray, Any]]:
        if buffer is None:
            array = np.empty(run[0].box.shape, run[0].part.of.numpy_dtype)
            found = [(array, fill(run[0], array))]
        else:
            with launch.limited(1):
                found = _filled(run, buffer, fill)
        if put:
            put(run, [array for array, _ in found])
        return found

    def take(run: list[Piece], found: list[tuple[np.ndarray, Any]]) -> None:
        for piece, (array, of_piece) in zip(run, found, strict=True):
            write(piece, array, of_piece)

    threads = at_once.threads(more=put is not None)
    buffers = at_once.spare(lambda: np.empty(RUN + (MOST_IN_A_RUN + 1) * _ALIGNMENT, np.uint8), threads)
    at_once.do(runs, lambda run: run[0].box.nbytes > RUN, work, take, buffers, threads)


def _filled(run: list[Piece], buffer: np.ndarray, fill: Fill) -> list[tuple[np.ndarray, Any]]:
    """The arrays of a run, filled, with what is known of each."""
    found, at = [], -buffer.ctypes.data % _ALIGNMENT
    for piece in run:
        array: np.ndarray = np.ndarray(piece.box.shape, piece.part.of.numpy_dtype, buffer, at)
        found.append((array, fill(piece, array)))
        at += -(-piece.box.nbytes // _ALIGNMENT) * _ALIGNMENT
    return found
