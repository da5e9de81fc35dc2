"""The tensors of a shard → a manifest beside it, with a digest of each; a manifest and a file → what is wrong with it.

A tensor's digest is the SHA-256 of its bytes; of one that is filled in several pieces, the SHA-256 of the digests of
these, so that all threads take part. The manifest says how the values came about, too: another recipe or seed is
recognised before anything is mixed. One manifest a file, so that processes that make different files never wait for
each other.
"""

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from numbainit.errors import InvalidValueError
from numbainit.files import temporaries
from numbainit.files.dense import bytes_of
from numbainit.files.filling import fill_and_write
from numbainit.files.headers import load_json, named
from numbainit.files.layout import Layout
from numbainit.files.pieces import Part, Piece, pieces, runs

FORMAT = "numbainit-manifest-1"
_MAY_DIFFER = ("numbainit",)  # the version: within a major one values stay
_LARGEST = 200_000_000  # bytes of a manifest


class Digests:
    """The digests of a file's tensors, from those of their pieces in order."""

    def __init__(self) -> None:
        self._pieces: dict[str, list[bytes]] = {}

    def add(self, piece: Piece, found: list[bytes]) -> None:
        """The next piece of a tensor."""
        self._pieces.setdefault(piece.part.name, []).extend(found)

    def by_name(self) -> dict[str, str]:
        """The digest of each tensor, in hexadecimal."""
        return {
            name: (found[0] if len(found) == 1 else hashlib.sha256(b"".join(found)).digest()).hex()
            for name, found in self._pieces.items()
        }


def digests(piece: Piece, array: np.ndarray) -> list[bytes]:
    """The digest of a piece; of what was made as a whole, those of the pieces that it could have been."""
    memory = bytes_of(array)
    if piece.box != piece.part:
        return [hashlib.sha256(memory).digest()]
    cuts = [memory[one.first : one.first + one.box.nbytes] for one in pieces(piece.part)]
    return [hashlib.sha256(cut).digest() for cut in cuts]


def path_of(file: Path) -> Path:
    """Where the manifest of a file lies."""
    return file.with_name(file.name.removesuffix(".safetensors") + ".manifest.json")


def write(file: Path, parts: list[Part], metadata: Mapping[str, str], found: Mapping[str, str]) -> None:
    """Write the manifest of a file, before the file has its name: a file without one is not known to be right."""
    tensors = {part.name: _entry(part) | {"sha256": found[part.name]} for part in parts}
    facts = {"format": FORMAT, "file": file.name, "metadata": dict(metadata), "tensors": tensors}
    with temporaries.replacing(path_of(file)) as manifest:
        manifest.write((json.dumps(facts, indent=1) + "\n").encode())


def read(file: Path) -> dict[str, Any] | None:
    """The manifest of a file; None if there is none.

    Raises
    ------
    InvalidValueError
        It is there, and no manifest.
    """
    path, remedy = path_of(file), f"remove it and {file.name}, which is then made again"
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # a pipe would be waited for
            raise InvalidValueError(f"{path} is no file: remove it, or name another folder")
        with path.open("rb") as manifest:
            text = manifest.read(_LARGEST)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InvalidValueError(f"{path} cannot be read: {error.strerror or error}; {remedy}") from None
    try:
        facts = load_json(text, str(path), "wanted a manifest of numbainit")
    except InvalidValueError as error:
        raise InvalidValueError(f"{error}; else {remedy}") from None
    if facts.get("format") != FORMAT or not isinstance(facts.get("tensors"), dict) or not _are_texts(facts):
        raise InvalidValueError(f"{path} is no manifest of this version: {remedy}")
    return facts


def _are_texts(facts: Mapping[str, Any]) -> bool:
    """Whether the metadata are what a safetensors file can hold: names and texts of valid Unicode."""
    metadata = facts.get("metadata")
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        return False
    try:
        "".join([*metadata, *metadata.values()]).encode()
    except UnicodeEncodeError:
        return False
    return True


def difference(facts: Mapping[str, Any], metadata: Mapping[str, str], parts: list[Part] | None) -> str | None:
    """What was made otherwise than it is asked for now, in words; None if nothing was.

    ``parts`` are those of the file, if they are known.
    """
    there = facts["metadata"]
    for key in [*metadata, *(key for key in there if key not in metadata)]:
        old, new = there.get(key), metadata.get(key)
        if old != new and key not in _MAY_DIFFER:
            if old and new and len(old) + len(new) < 100:
                return f"the {key} is {old} there, and {new} now"
            return f"another {key if key in metadata else named(key)}{_first_difference(old, new)}"
    if parts is None:
        return None
    wanted = {part.name: _entry(part) for part in parts}
    for name in [*wanted, *(name for name in facts["tensors"] if name not in wanted)]:
        old, now = facts["tensors"].get(name), wanted.get(name)
        if not isinstance(old, dict) or now is None or {**old, "sha256": ""} != {**now, "sha256": ""}:
            return f"{named(name)} is {_described(old)} there, and {_described(now)} now"
    return None


def _entry(part: Part) -> dict[str, Any]:
    """What a manifest says of a tensor, but for its digest."""
    entry: dict[str, Any] = {"dtype": part.of.dtype, "shape": list(part.shape)}
    return entry if part.is_whole else entry | {"of": list(part.of.shape), "start": list(part.start)}


def _described(entry: Any) -> str:
    return f"{entry.get('dtype')} {entry.get('shape')}" if isinstance(entry, dict) else "not"


def _first_difference(old: Any, new: Any) -> str:
    """Where two texts, of JSON perhaps, differ."""
    try:
        pairs = json.loads(old), json.loads(new)
    except (TypeError, ValueError, RecursionError):
        return ""
    if not all(isinstance(one, dict) for one in pairs):
        return ""
    there, now = pairs
    key = next((key for key in [*now, *there] if there.get(key) != now.get(key)), None)
    return "" if key is None else f": {key} is {str(there.get(key))[:60]} there, and {str(now.get(key))[:60]} now"


def damaged(file: Path, layout: Layout, facts: Mapping[str, Any]) -> list[str]:
    """The names of a file's tensors that are not what its manifest says; all of them if the file is too short.

    Raises
    ------
    InvalidValueError
        The file does not begin as it was written: somebody else has written it since.
    """
    with file.open("rb") as data:
        head = data.read(len(layout.head))
        size = data.seek(0, os.SEEK_END)
    if not layout.head.startswith(head):
        raise InvalidValueError(
            f"{file} was written by something else since: it does not begin as its manifest says; remove it, or name "
            "another folder"
        )
    if size != layout.size:
        return [part.name for part in layout.parts]
    found, starts = Digests(), layout.starts()

    def load(piece: Piece, array: np.ndarray) -> list[bytes]:
        with file.open("rb") as data:
            data.seek(starts[piece.part.name] + piece.first)
            data.readinto(bytes_of(array))
        return digests(piece, array)

    fill_and_write(runs(layout.parts), load, lambda piece, array, of_piece: found.add(piece, of_piece))
    return [name for name, digest in found.by_name().items() if digest != facts["tensors"][name].get("sha256")]
