"""Parameters → a zarr group (format 3), an array each, by the ``zarr`` package; a piece is a chunk."""

import importlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from numbainit.errors import InvalidValueError, MissingExtraError
from numbainit.files.filling import Write
from numbainit.files.headers import named
from numbainit.files.pieces import Part, Piece, pieces


class Zarr:
    """The format, for whole parameters; the metadata are the group's attributes."""

    def __init__(self, parts: Iterable[Part], metadata: Mapping[str, str]) -> None:
        self.order, self._metadata, self._zarr = list(parts), dict(metadata), package()
        for part in self.order:
            _check(part)
        self.size = sum(part.nbytes for part in self.order)

    @contextmanager
    def writing(self, folder: Path) -> Iterator[Write]:
        """What takes the pieces, in order, and makes chunks of them in a folder that is there and empty."""
        group = self._zarr.open_group(str(folder), mode="w", zarr_format=3)
        group.attrs.update(self._metadata)
        array: Any = None

        def write(piece: Piece, values: np.ndarray, found: Any) -> None:
            nonlocal array
            part = piece.part
            if piece.first == 0:
                chunks = next(pieces(part)).box.shape
                chunks = tuple(max(1, size) for size in chunks)  # of an empty array, too
                array = group.create_array(
                    part.name, shape=part.shape, dtype=part.of.numpy_dtype, chunks=chunks, compressors=None
                )
            if values.size:
                box = piece.box
                array[tuple(slice(at, at + size) for at, size in zip(box.start, box.shape, strict=True))] = values

        yield write


def _check(part: Part) -> None:
    """A name becomes that of a folder, and may not lead out of the group or hide its own files."""
    name = part.name
    if not name or name in (".", "..") or name.startswith("__") or {"/", "\\", "\0"} & set(name) or name == "zarr.json":
        raise InvalidValueError(f"zarr takes no array of the name {named(name)}: rename it")
    if len(name.encode()) > 255:
        raise InvalidValueError(f"{named(name)} is too long for the name of a folder: rename it")
    if part.of.numpy_dtype.isbuiltin != 1:
        raise InvalidValueError(
            f"parameter {named(name)}: zarr has no {part.of.numpy_dtype.name}: choose another --dtype, or write a "
            ".safetensors file"
        )


def package() -> Any:
    """zarr, of the version that writes format 3."""
    try:
        return importlib.import_module("zarr")
    except ImportError as error:
        raise MissingExtraError('a .zarr store needs zarr 3: pip install "numbainit[zarr]"') from error
