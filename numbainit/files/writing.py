"""An output, a format and what fills a piece → the output: whole, or as it was before."""

import contextlib
import functools
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeAlias

import numpy as np

from numbainit.files import failures, temporaries
from numbainit.files.dense import Dense
from numbainit.files.filling import Fill, Write, fill_and_write
from numbainit.files.numpy_files import Npy, Npz
from numbainit.files.outputs import Kind, Output
from numbainit.files.pieces import Part, Piece, runs
from numbainit.files.safetensors import Safetensors
from numbainit.files.zarr import Zarr

_BEGIN_TO_SYNC = 1 << 25  # bytes that the disk is given at a time

See: TypeAlias = Callable[[Piece, Any], None]  # a piece that was written, and what was found while it was filled


def _nothing() -> None:
    """What is left to do, usually, when a file is whole."""


class Format(Protocol):
    """What a format is asked: the order of its parts, its size, and what takes their pieces in that order."""

    order: list[Part]
    size: int

    def writing(self, file: Any) -> AbstractContextManager[Write]:
        """What takes the pieces, given an open file, or a folder."""


_FORMATS: dict[str, Callable[[Iterable[Part], Mapping[str, str]], Format]] = {
    "safetensors": Safetensors,
    "npy": Npy,
    "npz": Npz,
    "zarr": Zarr,
}


def prepared(output: Output, parts: Iterable[Part], metadata: Mapping[str, str]) -> Format:
    """The format of an output for these parts: what it cannot hold is refused here, before anything is created.

    Raises
    ------
    InvalidValueError
        A name, a dtype or a number of parts that the format does not have.
    OutputError
        More bytes than there is room for, or than a file may have.
    """
    found = _FORMATS[output.format](parts, metadata)
    if output.kind is Kind.FILE:
        failures.check_room(output.path, found.size)
    return found


def write(
    output: Output,
    form: Format,
    fill: Fill,
    see: See,
    whole_only: Iterable[str] = (),
    when_whole: Callable[[], None] = _nothing,
) -> None:
    """Fill all parts and write them; those named in ``whole_only`` are filled as one piece each.

    ``when_whole`` is called when all is written, before the output takes its name.

    Raises
    ------
    OutputError
        If the system refuses a write. Whatever is raised, also by ``fill``, an output that can be replaced is as it
        was before.
    """
    size = form.size if output.kind is Kind.FILE else None
    named = functools.partial(failures.named, output.path, size)
    with contextlib.ExitStack() as stack:
        with named():
            file = stack.enter_context(_opened(output))
            put = form.putting(file) if isinstance(form, Dense) and output.kind is Kind.FILE else None
            take = stack.enter_context(form.writing(file)) if put is None else None
            synced = _Synced(file) if isinstance(file, io.BufferedWriter) and output.kind is Kind.FILE else None

        def put_named(run: list[Piece], arrays: list[np.ndarray]) -> None:
            assert put is not None
            with named():
                put(run, arrays)

        def take_and_see(piece: Piece, array: np.ndarray, found: Any) -> None:
            with named():
                if take is not None:
                    take(piece, array, found)
                if synced is not None:
                    synced.add(piece.box.nbytes)
            see(piece, found)

        all_runs = runs(form.order, dict.fromkeys(whole_only, False))
        fill_and_write(all_runs, fill, take_and_see, None if put is None else put_named)
        with named():
            if synced is not None and when_whole is not _nothing:
                synced.finish()
            when_whole()
            stack.close()


class _Synced:
    """A file that the disk begins with while the rest of it is filled: little is left for the end."""

    def __init__(self, file: io.BufferedWriter) -> None:
        self._file, self._descriptor, self._waiting = file, file.fileno(), 0

    def add(self, size: int) -> None:
        """So many bytes were written."""
        self._waiting += size
        if self._waiting >= _BEGIN_TO_SYNC:
            self._waiting = 0
            temporaries.begin_to_sync(self._descriptor)

    def finish(self) -> None:
        """Wait for the disk, before anybody else may have to wait for this file to take its name."""
        self._file.flush()
        os.fsync(self._descriptor)


def _opened(output: Output) -> AbstractContextManager[Any]:
    if output.kind is Kind.STREAM:
        return _stream(output)
    if output.format == "zarr":
        return temporaries.replacing_folder(output.path)
    return temporaries.replacing(output.path)


@contextlib.contextmanager
def _stream(output: Output) -> Iterator[Any]:
    """What is written into as it comes: what has left cannot be called back."""
    if output.is_standard_output and sys.stdout is not None:
        sys.stdout.flush()
    target = output.path if output.descriptor is None else os.dup(output.descriptor)
    with temporaries.closed(open(target, "wb", buffering=temporaries.BUFFER)) as file:
        yield file
