"""Shards, a folder and what fills a piece → the files of a checkpoint that are missing or wrong, and its index.

The index is there only while all files are: a folder that looks complete is. Each file has a manifest, written before
the file takes its name; what is there without one was made by somebody else, and is never replaced.
"""

import contextlib
import stat
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from numbainit.errors import InvalidValueError
from numbainit.files import failures, manifests, temporaries
from numbainit.files.filling import Fill
from numbainit.files.outputs import Kind, Output
from numbainit.files.pieces import Part, Piece
from numbainit.files.safetensors import Safetensors
from numbainit.files.sharded import INDEX, Shard, index
from numbainit.files.writing import See, write

_SUFFIX = ".safetensors"
_INDEX = ".safetensors.index.json"


@dataclass
class Checkpoint:
    """A folder and the shards that belong into it.

    Parameters
    ----------
    folder : Path
        It may be missing.
    shards : sequence of Shard
        Those that may be made here, and all of them if there is an index.
    names : collection of str
        The files of the whole model.
    metadata : mapping of str to str
        How the values come about: the same for all files of a folder.
    has_index : bool
        Whether readers want an index: they do if files were cut by size, and are several.
    """

    folder: Path
    shards: Sequence[Shard]
    names: Collection[str]
    metadata: Mapping[str, str]
    has_index: bool
    _forms: dict[str, Safetensors] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._forms = {one.file: Safetensors(one.parts, {**self.metadata, **one.metadata}) for one in self.shards}

    def to_make(self, chosen: Iterable[Shard], resume: bool) -> tuple[list[Shard], dict[str, list[str]]]:
        """Which of some shards are to be made; and of those that are there and wrong, the tensors that are.

        Raises
        ------
        InvalidValueError
            The folder holds something else: another recipe, seed or cut, a file of another writer; or, without
            ``resume``, one of these shards.
        OutputError
            There is no room for them.
        """
        self._check_folder()
        missing: list[Shard] = []
        wrong: dict[str, list[str]] = {}
        for shard in chosen:
            path = self.folder / shard.file
            if not path.exists():
                missing.append(shard)
            elif not resume:
                raise InvalidValueError(
                    f"{path} is there already: --resume keeps what is right in this folder; or remove the file, or "
                    "name another folder"
                )
            elif names := self._damaged(shard, path):
                wrong[shard.file] = names
                missing.append(shard)
        if missing:
            sizes = [self._forms[shard.file].size for shard in missing]
            failures.check_room(self.folder, max(sizes), together=sum(sizes))
        return missing, wrong

    def _check_folder(self) -> None:
        if not self.folder.is_dir():
            return
        there = sorted(path.name for path in self.folder.iterdir())
        strangers = [name for name in there if name.endswith(_SUFFIX) and name not in self.names]
        strangers += [name for name in there if name.endswith(_INDEX) and not (self.has_index and name == INDEX)]
        if strangers:
            raise InvalidValueError(
                f"{self.folder} holds {strangers[0]}, which is no file of this checkpoint: cut it the same way "
                "(--shard-size, --world), remove what is there, or name another folder"
            )
        for name in there:
            if name in (INDEX, *self.names) and _is_no_file(self.folder / name):
                raise InvalidValueError(f"{self.folder / name} is no file: remove it, or name another folder")
        self._check_alike(there)

    def _check_alike(self, there: Iterable[str]) -> None:
        """Raise if some file's values came about in another way than is asked for now."""
        parts = {shard.file: shard.parts for shard in self.shards}
        others = [name for name in there if name in self.names and name not in parts]
        for name in [*parts, *others[:1]]:  # each was compared with one that was there before it
            self._check_made(name, parts.get(name))

    def _check_made(self, name: str, parts: list[Part] | None) -> None:
        """Raise if a file of this name is there, or on its way, and its values come about in another way."""
        facts = manifests.read(self.folder / name)
        found = facts and manifests.difference(facts, self.metadata, parts)
        if found:
            raise InvalidValueError(
                f"{self.folder} holds another checkpoint ({manifests.path_of(Path(name))}): {found}; ask for the "
                "same, remove what is there, or name another folder"
            )

    def _damaged(self, shard: Shard, path: Path) -> list[str]:
        facts = manifests.read(path)
        if facts is None:
            raise InvalidValueError(
                f"{path} has no manifest: it was written by something else; remove it, or name another folder"
            )
        form = Safetensors(
            shard.parts, facts["metadata"] | shard.metadata
        )  # which another version of this package may have written
        return manifests.damaged(path, form.layout, facts)

    def make(self, shards: Iterable[Shard], fill: Fill, see: See, whole_only: Iterable[str]) -> None:
        """Write some shards, and the index as soon as all files are there.

        Raises
        ------
        OutputError
            If the system refuses a write. Files that are whole by then stay.
        InvalidValueError
            Another process has made some with another seed or recipe meanwhile.
        """
        with failures.named(self.folder, None):
            self.folder.mkdir(exist_ok=True)
        try:
            for shard in shards:
                self._make(shard, fill, see, whole_only)
            self._finish()
        except BaseException:
            with contextlib.suppress(OSError):
                self.folder.rmdir()  # if it is empty
            raise

    def _make(self, shard: Shard, fill: Fill, see: See, whole_only: Iterable[str]) -> None:
        self._check_made(shard.file, shard.parts)  # another process may have come in between, with a seed of its own
        with failures.named(self.folder, None):
            (self.folder / INDEX).unlink(missing_ok=True)
        path, form, digests = self.folder / shard.file, self._forms[shard.file], manifests.Digests()

        def fill_and_digest(piece: Piece, array: np.ndarray) -> tuple[Any, list[bytes]]:
            return fill(piece, array), manifests.digests(piece, array)

        def take(piece: Piece, found: tuple[Any, list[bytes]]) -> None:
            digests.add(piece, found[1])
            see(piece, found[0])

        def note() -> None:
            alone.enter_context(temporaries.alone_in(self.folder))  # until the file has its name, beside its manifest
            self._check_made(shard.file, shard.parts)
            manifests.write(path, form.order, self.metadata, digests.by_name())

        with contextlib.ExitStack() as alone:
            write(Output(path, Kind.FILE), form, fill_and_digest, take, whole_only, note)

    def _finish(self) -> None:
        with failures.named(self.folder, None):
            there = sorted(path.name for path in self.folder.iterdir())
        self._check_alike(there)  # another process may have made other files, with a seed of its own
        if not self.has_index or not all(self._is_there(shard) for shard in self.shards):
            return
        text = index(self.shards)
        path = self.folder / INDEX
        with failures.named(path, len(text)), temporaries.replacing(path) as file:
            file.write(text)

    def _is_there(self, shard: Shard) -> bool:
        path = self.folder / shard.file
        return path.is_file() and path.stat().st_size == self._forms[shard.file].size


def _is_no_file(path: Path) -> bool:
    """Whether there is something that cannot be read as a file: a folder, a pipe that would be waited for, a loop."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return False
    except OSError:
        return True


def seed_there(folder: Path, names: Iterable[str]) -> int | None:
    """The seed of the files in a folder, if there are any with a manifest."""
    for name in names:
        facts = manifests.read(folder / name)
        if facts is not None:
            seed = str(facts["metadata"].get("seed"))
            return int(seed) if seed.isdecimal() and len(seed) < 4000 else None
    return None
