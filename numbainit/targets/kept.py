"""Numba's cache of compiled functions → one that runs only what it wrote, and that is dispensable.

Its files are pickles of machine code, and Numba trusts them. Here each begins with a digest of the rest, and what a
file holds says what it is for: altered, cut, or mixed up by processes that wrote at once (numba#10128), it is not even
unpickled. Whatever goes wrong is as if there were nothing on the disk: the function is compiled, and its files are
written anew. The digest finds damage; who can write the folder can write a digest too (see SECURITY.md).
"""

import functools
import hashlib
import pickle
from typing import Any

from numbainit.targets.folders import has_file, in_users_folder
from numbainit.targets.whole import whole

_DIGEST = 32  # bytes


def seal(data: bytes) -> bytes:
    """Data behind its digest."""
    return hashlib.blake2b(data, digest_size=_DIGEST, usedforsecurity=False).digest() + data


def unseal(data: bytes) -> bytes:
    """What was sealed; a ValueError for anything else."""
    if seal(data[_DIGEST:])[:_DIGEST] != data[:_DIGEST]:
        raise ValueError("not what was written")
    return data[_DIGEST:]


@functools.cache
def checked(kind: Any) -> Any:
    """A kind of Numba's cache (of the CPU, or of CUDA), with files that are checked."""

    class Checked(kind):
        _cache_file: Any

        def __init__(self, function: Any) -> None:
            if not has_file(function):
                self._impl_class = in_users_folder(kind._impl_class)
            super().__init__(function)
            files: Any = self._cache_file
            base = files._index_name.removesuffix(".nbi")
            kind_of_files: Any = type(files)
            self._cache_file = _sealed(kind_of_files)(files._cache_path, base, files._source_stamp)

        def load_overload(self, *arguments: Any) -> Any:
            try:
                return super().load_overload(*arguments)
            except Exception:  # pickles raise what they like, and so does what they make
                return None

        def save_overload(self, *arguments: Any) -> None:
            try:
                super().save_overload(*arguments)
            except Exception:  # a full or lost disk must not stop a fill
                return

    return Checked


@functools.cache
def _sealed(kind: Any) -> Any:
    """Numba's files of a function: an index of signatures, and a file of machine code for each."""

    class Sealed(kind):
        def load(self, key: Any) -> Any:
            found = super().load(key)
            return found[1] if found is not None and found[0] == key else None

        def save(self, key: Any, data: Any) -> None:
            super().save(key, (key, data))

        def _load_index(self) -> Any:
            try:
                version, stamp, overloads = self._load_data(self._index_name)
            except Exception:  # there is none, or it is spoilt: the next that is saved replaces it
                return {}
            return dict(overloads) if (version, stamp) == (self._version, self._source_stamp) else {}

        def _save_index(self, overloads: Any) -> None:
            self._save_data(self._index_name, (self._version, self._source_stamp, overloads))

        def _load_data(self, name: str) -> Any:
            with open(self._data_path(name), "rb") as file:
                return pickle.loads(unseal(file.read()))

        def _save_data(self, name: str, data: Any) -> None:
            with whole(files=True), self._open_for_write(self._data_path(name)) as file:
                file.write(seal(self._dump(data)))

    return Sealed
