"""What a user names as SHAPES on the disk → parameters: only headers are read, however large the tensors are.

What an audit reads, and a safetensors header as a JSON text, also from a pipe.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from numbainit.errors import InvalidValueError, shown
from numbainit.files import dtypes
from numbainit.files.headers import LARGEST_HEADER, Parameter, checked_parameters, parse_header
from numbainit.files.reading.file import WANTED, Kind, kind_of
from numbainit.files.reading.source import open_path
from numbainit.files.reading.stored import Collection, Stored

_WANTED = f"{WANTED}, or a JSON header"


def read_parameters(path: str | os.PathLike[str]) -> list[Parameter]:
    """The parameters that a file or a folder describes.

    Raises
    ------
    InvalidValueError
        If there is no such file, or it is of no kind that is known; if an index names files that are missing, or
        tensors that its files do not have; if it is the file of one of several ranks.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from numbainit.files.reading.shapes import read_parameters
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(Path(folder, "weights.npz"), up=np.zeros((8, 4), "float32"), down=np.zeros((4, 8), "float16"))
    ...     read_parameters(Path(folder, "weights.npz"))
    [Parameter(name='up', shape=(8, 4), dtype='F32'), Parameter(name='down', shape=(4, 8), dtype='F16')]
    """
    path = Path(path)
    if _is_other(path):
        return _of_text(path)
    return checked_parameters(_entries(open_path(path, _WANTED)), str(path))


def _entries(found: Collection) -> Iterator[tuple[str, dict[str, Any]]]:
    """What a header would say of them."""
    known: dict[tuple[np.dtype, str], str] = {}  # of many tensors there are few dtypes
    for one in found.tensors.values():
        key = one.dtype, one.unread
        if key not in known:
            known[key] = _spelled(one)
        yield one.name, {"dtype": known[key], "shape": list(one.shape)}


def _is_other(path: Path) -> bool:
    try:
        return kind_of(path) is Kind.OTHER
    except OSError:  # which says more where it is opened
        return False


def _of_text(path: Path) -> list[Parameter]:
    try:
        with path.open("rb") as file:
            header = file.read(LARGEST_HEADER + 1)
    except OSError as error:
        raise InvalidValueError(f"{path} cannot be read: {error.strerror or error}; {_WANTED}") from error
    if len(header) > LARGEST_HEADER:
        raise InvalidValueError(
            f"{path} is larger than the {LARGEST_HEADER:,} bytes of the longest header; is it a model?"
        )
    return parse_header(header, str(path))


def _spelled(one: Stored) -> str:
    """The dtype as safetensors spells it."""
    try:
        return one.unread or dtypes.of_numpy(one.dtype)
    except InvalidValueError as error:
        raise InvalidValueError(f"{shown(one.name)}: {error}") from None
