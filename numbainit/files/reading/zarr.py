"""A zarr store, of format 2 or 3 → its arrays, by the ``zarr`` package: a few chunks of one are in memory at a time."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from numbainit.errors import InvalidValueError, shown
from numbainit.files import pieces
from numbainit.files.reading.stored import Collection, Pieces, Stored, regrouped
from numbainit.files.zarr import package

_MARKS = ("zarr.json", ".zgroup", ".zarray")  # of which one lies in every store
_READ = 1 << 22  # bytes that are read at a time,
_MOST = 1 << 25  # or more, if whole chunks want so


def is_zarr(folder: Path) -> bool:
    """Whether a folder is a store, or says so by its name."""
    return folder.suffix == ".zarr" or any((folder / mark).is_file() for mark in _MARKS)


def arrays(folder: Path) -> Collection:
    """The arrays of a group and of groups in it, by their paths; one alone, under the name of the folder.

    Raises
    ------
    InvalidValueError
        This is no store, or one whose metadata cannot be read.
    MissingExtraError
        zarr is not installed.
    """
    zarr = package()
    try:
        store = zarr.open(str(folder), mode="r")
        if isinstance(store, zarr.Array):
            found = [(folder.stem, store)]
        else:
            found = sorted((name, one) for name, one in store.members(max_depth=None) if isinstance(one, zarr.Array))
        tensors = {name: _stored(folder, name, array) for name, array in found}
        said = {str(key): value for key, value in store.attrs.items() if isinstance(value, str)}
    except InvalidValueError:
        raise
    except Exception as error:  # of zarr, of codecs, of what JSON may hold
        raise _damaged(folder, error) from None
    return Collection(str(folder), tensors, said)


def _stored(folder: Path, name: str, array: Any) -> Stored:
    dtype = array.dtype
    if not isinstance(dtype, np.dtype):
        raise InvalidValueError(f"{folder}: {shown(name)} has the dtype {shown(dtype)}, which NumPy has not")
    return Stored(name, tuple(map(int, array.shape)), dtype, _Chunks(folder, array), f"{folder.name}/{name}")


def _damaged(folder: Path, error: Exception) -> InvalidValueError:
    what = " ".join(f"{type(error).__name__}: {error}".split())[:200]
    return InvalidValueError(f"{folder} is no zarr store that can be read ({what}): fetch or write it again")


@dataclass(frozen=True)
class _Chunks:
    folder: Path
    array: Any

    def __call__(self, counts: Iterable[int]) -> Pieces:
        shape, dtype = tuple(map(int, self.array.shape)), self.array.dtype
        boxes = _boxes(shape, self.array.chunks, dtype.itemsize)
        return regrouped((self._box(*box) for box in boxes), counts, dtype)

    def _box(self, shape: tuple[int, ...], start: tuple[int, ...]) -> np.ndarray:
        part = tuple(slice(at, at + size) for at, size in zip(start, shape, strict=True))
        try:
            return np.ascontiguousarray(self.array[part]).reshape(-1)
        except Exception as error:
            raise _damaged(self.folder, error) from None


def _boxes(shape: tuple[int, ...], chunks: tuple[int, ...], itemsize: int) -> Iterator[pieces.Box]:
    """Boxes that follow each other, of whole chunks unless these are too wide: then chunks are read several times."""
    row_of_chunks = math.prod(shape[1:]) * chunks[0] * itemsize if shape else 0
    return pieces.boxes(shape, max(_READ, min(row_of_chunks, _MOST)) // max(1, itemsize), chunks)
