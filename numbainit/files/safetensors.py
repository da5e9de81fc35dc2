"""Parameters' names, dtypes and shapes → a safetensors file whose arrays are filled in place.

``safetensors.serialize_file`` wants every tensor in memory at once. Here the header comes first, then each tensor is
handed out as a view of the memory-mapped file, so a model of any size needs no more memory than the kernel cares to
keep. The file grows under a temporary name beside the output and takes its name when it is whole and on the disk: who
opens the output finds the old file or the new one, never a half.

Format: https://github.com/huggingface/safetensors (8 bytes of little-endian length, a JSON header, the tensors).
"""

import contextlib
import errno
import json
import mmap
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from numbainit.errors import InvalidValueError, OutputError
from numbainit.files.headers import LARGEST_FILE, LARGEST_HEADER, LENGTH, METADATA, Parameter

_UNSUPPORTED = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS)  # what a file system that cannot do a thing says


class Tensors(Mapping[str, np.ndarray]):
    """The arrays of a file that is being written, by name: each access makes a view of the file's memory."""

    def __init__(self, memory: mmap.mmap, offsets: dict[str, tuple[Parameter, int]]) -> None:
        self._memory = memory
        self._offsets = offsets

    def __getitem__(self, name: str) -> np.ndarray:
        parameter, start = self._offsets[name]
        return np.ndarray(parameter.shape, parameter.numpy_dtype, buffer=self._memory, offset=start)

    def __iter__(self) -> Iterator[str]:
        return iter(self._offsets)

    def __len__(self) -> int:
        return len(self._offsets)


def _layout(
    parameters: Iterable[Parameter], metadata: Mapping[str, str]
) -> tuple[bytes, dict[str, tuple[Parameter, int]], int]:
    """The file's first bytes, each parameter's offset in the file, and the file's size.

    Wide dtypes come first, as in the format's own writer: then every tensor is aligned without a gap, and the format
    allows none.
    """
    header: dict[str, Any] = {METADATA: dict(metadata)} if metadata else {}
    offsets: dict[str, tuple[Parameter, int]] = {}
    end = 0
    for parameter in sorted(parameters, key=lambda p: -p.numpy_dtype.itemsize):
        if parameter.name in header or parameter.name == METADATA:
            raise InvalidValueError(f"the name {parameter.name!r} is taken; wanted unique names: rename the parameter")
        start, end = end, end + parameter.nbytes
        header[parameter.name] = {"dtype": parameter.dtype, "shape": parameter.shape, "data_offsets": [start, end]}
        offsets[parameter.name] = parameter, start
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % LENGTH)
    first = LENGTH + len(text)
    if len(text) > LARGEST_HEADER:
        raise InvalidValueError(
            f"the header takes {len(text):,} bytes; the format allows {LARGEST_HEADER:,}: split the model"
        )
    if first + end >= LARGEST_FILE:
        raise InvalidValueError(
            f"the parameters take {end:,} bytes together; wanted fewer than 2^63: correct the shapes"
        )
    moved = {name: (parameter, first + start) for name, (parameter, start) in offsets.items()}
    return len(text).to_bytes(LENGTH, "little") + text, moved, first + end


def check_output(path: str | os.PathLike[str]) -> Path:
    """The path that an output will be written to, links followed; nothing is created.

    Raises
    ------
    OutputError
        If it is a folder or no regular file, if its folder is missing, or if either cannot be written.

    Examples
    --------
    >>> from numbainit.files.safetensors import check_output
    >>> check_output("no/such/folder/model.safetensors")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    numbainit.errors.OutputError: output no/such/folder/model.safetensors: there is no folder ...
    """
    text = os.fspath(path)
    try:
        problem = _output_problem(text)
    except (OSError, ValueError) as error:  # ValueError: a null byte
        raise OutputError(f"output {text}: {getattr(error, 'strerror', None) or error}; name another file") from error
    if problem:
        raise OutputError(f"output {text}: {problem}")
    return Path(os.path.realpath(text))


def _output_problem(text: str) -> str | None:
    output = Path(os.path.realpath(text))
    folder = output.parent
    if not text or output.is_dir() or text.endswith(("/", os.sep)):
        return f"this is a folder; name a file in it, such as {os.path.join(text, 'model.safetensors')}"
    if not folder.is_dir():
        return f"{folder} is a file, not a folder" if folder.exists() else f"there is no folder {folder}; make it first"
    if output.exists() and not output.is_file():
        return "this is a device, pipe or socket; name a regular file"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"the folder {folder} cannot be written; choose another one or change its permissions"
    if output.exists() and not os.access(output, os.W_OK):
        return "this file is write-protected; choose another name or change its permissions"
    return None


def _reserve(descriptor: int, size: int) -> None:
    """Gives a file its size, and its blocks where the system can.

    A mapped file without blocks makes a full disk a SIGBUS, which kills the process; this makes it an error.
    """
    if hasattr(os, "posix_fallocate"):
        try:
            return os.posix_fallocate(descriptor, 0, size)
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
    os.ftruncate(descriptor, size)


def _sync_folder(folder: Path) -> None:
    """Puts the new name on the disk; some file systems cannot, and need not."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _failures_named(output: Path, size: int) -> Iterator[None]:
    """Says which output failed, what it needs and what the disk has."""
    try:
        yield
    except OSError as error:
        free = "an unknown number of"
        with contextlib.suppress(OSError):
            free = f"{shutil.disk_usage(output.parent).free:,}"
        raise OutputError(
            f"output {output}: {error.strerror or error}; {size:,} bytes are wanted and {free} are free there: "
            "make room or choose another folder (nothing was left behind)"
        ) from error


@contextlib.contextmanager
def create(
    path: str | os.PathLike[str], parameters: Iterable[Parameter], metadata: Mapping[str, str] | None = None
) -> Iterator[Tensors]:
    """Write a safetensors file: a context that hands out its arrays and, on leaving, puts the file in place.

    Parameters
    ----------
    path : str or PathLike
        The output. A file there stays as it is until the new one is whole, and for good if anything fails.
    parameters : iterable of Parameter
        In the order of the file, but for wide dtypes, which come first.
    metadata : mapping of str to str, optional
        What the header tells beside them.

    Yields
    ------
    Tensors
        A mapping of names to arrays, which are views of the file. Do not keep one after the context.

    Raises
    ------
    OutputError
        If the output cannot be written: before anything is created where that can be told. An exception inside the
        context removes the temporary file and goes on.

    Examples
    --------
    >>> import os, tempfile
    >>> from numbainit.files.safetensors import create
    >>> from numbainit.files.headers import Parameter, read_parameters
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "model.safetensors")
    ...     with create(path, [Parameter("w", (2, 3), "F32")]) as tensors:
    ...         for name, array in tensors.items():
    ...             array[...] = 1
    ...     os.path.getsize(path), len(read_parameters(path))
    (96, 1)
    """
    output = check_output(path)
    head, offsets, size = _layout(parameters, metadata or {})
    # 64 random bits: never the name of another run; short enough for every file system
    temporary = output.with_name(f".{output.name[:48]}.{secrets.token_hex(8)}.tmp")
    try:
        with contextlib.ExitStack() as stack:
            with _failures_named(output, size):
                descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
                stack.callback(os.close, descriptor)
                _reserve(descriptor, size)
                memory = mmap.mmap(descriptor, size)
            stack.callback(_close, memory)
            memory[: len(head)] = head
            yield Tensors(memory, offsets)
            with _failures_named(output, size):
                memory.flush()
                os.fsync(descriptor)
        with _failures_named(output, size):
            os.replace(temporary, output)
        _sync_folder(output.parent)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _close(memory: mmap.mmap) -> None:
    """Unmaps the file, or leaves that to the last view: an error's traceback, or a careless caller, may hold one."""
    with contextlib.suppress(BufferError):
        memory.close()
