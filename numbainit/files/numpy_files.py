"""Parameters → NumPy's own files: one array as .npy, all as an .npz whose members are stored as they are."""

import io
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np

from numbainit.errors import InvalidValueError
from numbainit.files.dense import Dense, cuts
from numbainit.files.filling import Write
from numbainit.files.headers import named
from numbainit.files.layout import Layout
from numbainit.files.pieces import Part, Piece

_LONGEST_NAME = 65_000  # bytes: zip counts them in 16 bits


class Npy(Dense):
    """The format of one array; its name is not written."""

    def __init__(self, parts: Iterable[Part], metadata: Mapping[str, str]) -> None:
        order = list(parts)
        if len(order) != 1:
            raise InvalidValueError(f"a .npy file holds one array, got {len(order)}: write an .npz or .safetensors")
        head = _head(order[0])
        super().__init__(Layout(head, order, len(head) + order[0].nbytes))


class Npz:
    """The format of many: a zip archive, not compressed."""

    def __init__(self, parts: Iterable[Part], metadata: Mapping[str, str]) -> None:
        self.order = list(parts)
        self._heads = {part.name: _head(part) for part in self.order}
        for name in self._heads:
            member = name + ".npy"
            if zipfile.ZipInfo(member).filename != member or len(member.encode()) > _LONGEST_NAME:
                raise InvalidValueError(f"a zip archive takes no member of the name {named(name)}: rename it")
        archive = sum(2 * len(name.encode()) + 170 for name in self._heads)  # of zip: at most
        self.size = archive + sum(len(self._heads[part.name]) + part.nbytes for part in self.order)

    @contextmanager
    def writing(self, file: BinaryIO) -> Iterator[Write]:
        """What takes the pieces, in order."""
        archive = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED)
        member: Any = None

        def write(piece: Piece, array: np.ndarray, found: Any) -> None:
            nonlocal member
            if piece.first == 0:
                member = archive.open(zipfile.ZipInfo(piece.part.name + ".npy"), "w", force_zip64=True)
                member.write(self._heads[piece.part.name])
            for memory in cuts(array):
                member.write(memory)
            if piece.is_last:
                member.close()

        try:
            yield write
            archive.close()
        except BaseException:
            archive.fp = None  # or both would write their ends into a file that is lost, when they are collected
            if member is not None:
                io.IOBase.close(member)
            raise


def _head(part: Part) -> bytes:
    """The first bytes of an array as NumPy saves it."""
    dtype = part.of.numpy_dtype
    if dtype.isbuiltin != 1:  # of ml_dtypes
        raise InvalidValueError(
            f"parameter {named(part.name)}: NumPy's files have no name for {dtype.name}, and who reads one gets bytes "
            "without a meaning: choose another --dtype, or write a .safetensors file"
        )
    text = io.BytesIO()
    facts = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": part.shape}
    np.lib.format.write_array_header_1_0(text, facts)
    return text.getvalue()
