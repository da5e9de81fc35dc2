"""A function that no file stands behind → the folder of the user's where its machine code is kept.

Numba's folders go by the path of the source. In a frozen program that is relative to the current folder, or of the
machine where the program was made; in an archive that does not end with .zip there is none, and NUMBA_CACHE_DIR is not
looked at in either. Here the folder has the name of the module; sources are told apart by the names of files in it.
"""

import functools
import os
import sys
from typing import Any


def has_file(function: Any) -> bool:
    """Whether a function's source is a file of this installation."""
    return os.path.exists(function.__code__.co_filename) and not getattr(sys, "frozen", False)


@functools.cache
def in_users_folder(kind: Any) -> Any:
    """What Numba's cache of some kind is made with (``_impl_class``), with that folder for all functions."""
    from numba.core import config
    from numba.core.caching import UserWideCacheLocator

    class UsersFolder(UserWideCacheLocator):
        def __init__(self, function: Any, file: str) -> None:
            super().__init__(function, file)
            folder = config.CACHE_DIR or os.path.dirname(self._cache_path)  # type: ignore[attr-defined]
            self._cache_path = os.path.join(folder, function.__module__)

        @classmethod
        def from_function(cls, function: Any, file: str) -> Any:
            locator = cls(function, file)
            locator.ensure_cache_path()
            return locator

        def get_source_stamp(self) -> None:
            """Nothing: the digest of all sources is in the function's name."""

    class Kept(kind):
        _locator_classes = (UsersFolder,)

    return Kept
