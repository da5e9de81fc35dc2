"""An .npz or .npy file → its arrays: headers are read now, and nothing in it that could run code."""

import math
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from numbainit.errors import InvalidValueError, shown
from numbainit.files import pieces
from numbainit.files.reading.safetensors import Bytes
from numbainit.files.reading.stored import Collection, Pieces, Stored, read, regrouped, slices

_BOX = 1 << 18  # elements of a transposed file that are read at a time


def npy(path: Path) -> Collection:
    """The array, under the name of its file.

    Raises
    ------
    InvalidValueError
        The file is cut off, or no file of this format.
    """
    try:
        with path.open("rb") as file:
            shape, is_turned, dtype = _header(file)
            offset = file.tell()
        if path.stat().st_size < offset + math.prod(shape) * dtype.itemsize:
            raise ValueError("it ends within the array")
    except (ValueError, EOFError) as error:
        raise InvalidValueError(f"{path} is no whole .npy file ({error}): save it again") from None
    values = _Turned(path, shape, dtype) if is_turned else Bytes(path, offset, dtype)
    return Collection(str(path), {path.stem: Stored(path.stem, shape, dtype, values, path.name)})


def npz(path: Path) -> Collection:
    """The arrays of an archive, compressed or not.

    Raises
    ------
    InvalidValueError
        The archive is cut off, or a member is no array.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            found = [_of_member(path, archive, member) for member in archive.namelist()]
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise InvalidValueError(f"{path} is not a whole .npz file ({error}): save it again") from None
    return Collection(str(path), {one.name: one for one in found})


def _of_member(path: Path, archive: zipfile.ZipFile, member: str) -> Stored:
    name = member.removesuffix(".npy")
    with archive.open(member) as file:
        try:
            shape, is_turned, dtype = _header(file)
        except ValueError as error:
            raise InvalidValueError(
                f"{path}: {shown(name)} is no array of NumPy ({error}): take it out, or save it again"
            ) from None
    return Stored(name, shape, dtype, _Member(path, member, dtype, is_turned), path.name)


def _header(file: Any) -> tuple[tuple[int, ...], bool, np.dtype]:
    """The shape, whether the elements lie in Fortran order, and the dtype of an array as NumPy saved it."""
    major, _ = np.lib.format.read_magic(file)
    reads = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
    shape, is_fortran, dtype = reads(file)
    return shape, is_fortran and len(shape) > 1, dtype


@dataclass(frozen=True)
class _Turned:
    """An .npy file in Fortran order, of which boxes are read."""

    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype

    def __call__(self, counts: Iterable[int]) -> Pieces:
        if not math.prod(self.shape):
            return slices(np.empty(0, self.dtype), counts)
        array = np.load(self.path, mmap_mode="r", allow_pickle=False)
        boxes = (
            np.array(array[tuple(slice(at, at + size) for at, size in zip(start, shape, strict=True))]).reshape(-1)
            for shape, start in pieces.boxes(self.shape, _BOX)
        )
        return regrouped(boxes, counts, self.dtype)


@dataclass(frozen=True)
class _Member:
    """An array of an archive; in Fortran order, it is in memory as a whole."""

    path: Path
    member: str
    dtype: np.dtype
    is_turned: bool

    def __call__(self, counts: Iterable[int]) -> Pieces:
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as file:
                if self.is_turned:
                    yield from slices(np.lib.format.read_array(file, allow_pickle=False).reshape(-1), counts)
                else:
                    _header(file)
                    yield from read(file, counts, self.dtype, f"{self.path}, {shown(self.member)},")
        except (zipfile.BadZipFile, zlib.error, ValueError, EOFError) as error:
            if isinstance(error, InvalidValueError):
                raise
            raise InvalidValueError(f"{self.path} is damaged: {error}: fetch or save it again") from None
