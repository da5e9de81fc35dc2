"""A .safetensors file → its tensors and its metadata: the header is read now, values when they are asked for."""

import json
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from numbainit.errors import InvalidValueError, MissingExtraError
from numbainit.files import dtypes
from numbainit.files.headers import LARGEST_HEADER, LENGTH, METADATA, check_names, check_size
from numbainit.files.reading.stored import Collection, Pieces, Stored, read


def is_safetensors(path: Path) -> bool:
    """Whether the name says so, or the first bytes do: a length that fits into the file, then an object."""
    if path.suffix == ".safetensors":
        return True
    if not stat.S_ISREG(path.stat().st_mode):  # a pipe: its bytes can be read only once
        return False
    with path.open("rb") as file:
        head = file.read(LENGTH + 1)
    fits = int.from_bytes(head[:LENGTH], "little") <= path.stat().st_size - LENGTH
    return fits and head[LENGTH:] == b"{"


def tensors(path: Path) -> Collection:
    """The tensors, in the order of their bytes.

    Raises
    ------
    InvalidValueError
        The file is cut off, or no file of this format.
    MissingExtraError
        safetensors, whose checks these are, is not installed.
    """
    header, first = _header(path)
    metadata = dict(header.pop(METADATA, None) or {})
    check_names(header, str(path))
    dtype_of = {spelled: _dtype(path, spelled) for spelled in {entry.dtype for entry in header.values()}}
    file, found = path.name, {}
    for name, entry in sorted(header.items(), key=lambda entry: entry[1].offsets):
        dtype, unread = dtype_of[entry.dtype]
        values = Bytes(path, first + entry.offsets[0], dtype)
        found[name] = Stored(name, entry.shape, dtype, values, file, unread)
    return Collection(str(path), found, metadata)


def metadata(path: Path) -> dict[str, str]:
    """What a file says of itself; nothing where that cannot be read."""
    try:
        return dict(_header(path)[0].get(METADATA) or {})
    except (InvalidValueError, OSError):
        return {}


class _Entry(NamedTuple):
    """What a header says of a tensor: tuples, as Python's garbage collector walks over lists again and again."""

    dtype: str
    shape: tuple[int, ...]
    offsets: tuple[int, int]


def _entry(found: dict[str, Any]) -> Any:
    """A tensor's entry; metadata, which hold texts alone, stay what they are."""
    shape = found.get("shape")
    return _Entry(found["dtype"], tuple(shape), tuple(found["data_offsets"])) if type(shape) is list else found


def _header(path: Path) -> tuple[dict[str, Any], int]:
    """The header of a whole file, and where the bytes of its tensors begin."""
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise MissingExtraError('safetensors files need safetensors: pip install "numbainit[cli]"') from error
    with path.open("rb") as file:
        length = int.from_bytes(file.read(LENGTH), "little")
        text = file.read(min(length, LARGEST_HEADER))
    check_size(text, str(path))
    try:
        with safe_open(path, framework="numpy"):  # which checks every entry, and the size of the file
            pass  # and holds as much memory as is needed below
    except SafetensorError as error:
        raise InvalidValueError(
            f"{path} is not a whole safetensors file ({str(error)[:200]}); fetch or save it again"
        ) from None
    return json.loads(text, object_hook=_entry), LENGTH + length


def _dtype(path: Path, spelled: str) -> tuple[np.dtype, str]:
    """That of an array, and nothing; or that of bytes, and the name of one that no array has."""
    try:
        return dtypes.numpy_dtype(dtypes.checked(spelled)), ""
    except InvalidValueError:
        return np.dtype("u1"), spelled
    except MissingExtraError as error:
        raise MissingExtraError(f"{path}: {error}") from None


@dataclass(frozen=True, slots=True)
class Bytes:
    """Bytes of a file, from an offset on. It is open only while it is read: a model may lie in thousands of files."""

    path: Path
    offset: int
    dtype: np.dtype

    def __call__(self, counts: Iterable[int]) -> Pieces:
        at = self.offset
        for count in counts:
            with self.path.open("rb", buffering=0) as file:
                file.seek(at)
                (piece,) = read(file, [count], self.dtype, str(self.path))
            at += piece.nbytes
            yield piece
