"""A head and parts behind it without a gap → a file, written from first byte to last, or each run at its place.

A pipe takes bytes in their order only. In a file every place is known before, so whoever has filled a run writes it:
the values are in its cache, nobody waits for his turn, and no single thread writes all.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np

from numbainit.files.filling import Put, Write
from numbainit.files.layout import Layout
from numbainit.files.pieces import Piece
from numbainit.targets.cpu.runs import RUN


class Dense:
    """A format of such files: the ``order`` of its parts, its ``size``, and how it is written.

    Examples
    --------
    >>> import io
    >>> import numpy as np
    >>> from numbainit.files.dense import Dense
    >>> from numbainit.files.headers import Parameter
    >>> from numbainit.files.layout import Layout
    >>> from numbainit.files.pieces import pieces, whole
    >>> part = whole(Parameter("w", (2, 3), "U8"))
    >>> file = io.BytesIO()
    >>> with Dense(Layout(b"head", [part], 10)).writing(file) as write:
    ...     for piece in pieces(part):
    ...         write(piece, np.ones(piece.box.shape, np.uint8), None)
    >>> file.getvalue()
    b'head\\x01\\x01\\x01\\x01\\x01\\x01'
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.order, self.size = layout.parts, layout.size

    @contextmanager
    def writing(self, file: BinaryIO) -> Iterator[Write]:
        """What takes the pieces, in order."""
        file.write(self.layout.head)

        def write(piece: Piece, array: np.ndarray, found: Any) -> None:
            for memory in cuts(array):
                file.write(memory)

        yield write

    def putting(self, file: BinaryIO) -> Put | None:
        """What takes runs of pieces in any order, on any thread; None where the system has no such thing."""
        if not hasattr(os, "pwritev"):
            return None
        descriptor, starts = file.fileno(), self.layout.starts()
        _write_all(descriptor, [memoryview(self.layout.head)], 0)

        def put(run: list[Piece], arrays: list[np.ndarray]) -> None:
            at = starts[run[0].part.name] + run[0].first
            if len(arrays) > 1:
                _write_all(descriptor, [bytes_of(array) for array in arrays], at)
                return
            for memory in cuts(arrays[0]):
                _write_all(descriptor, [memory], at)
                at += memory.nbytes

        return put


def bytes_of(array: np.ndarray) -> memoryview:
    """The memory of a contiguous array; of a dtype without a buffer, too."""
    return array.reshape(-1).view(np.uint8).data


def cuts(array: np.ndarray) -> Iterator[memoryview]:
    """The same in parts that are written soon: between them signals are heard."""
    memory = bytes_of(array)
    return (memory[at : at + RUN] for at in range(0, memory.nbytes, RUN))


def _write_all(descriptor: int, memory: list[memoryview], at: int) -> None:
    """Write one behind the other, however little the system takes at a time."""
    while memory:
        done = os.pwritev(descriptor, memory, at)
        at += done
        while memory and done >= memory[0].nbytes:
            done -= memory.pop(0).nbytes
        if memory:
            memory[0] = memory[0][done:]
