"""A Python function → a compiled kernel, kept on disk between processes and never served stale.

Numba's cache looks only at the file of the function itself (numba#1833): an edit in a scalar function would leave old
machine code in use. Here the digest of all sources that a kernel is built from is part of its name, so changed sources
look for other files. Without a writable cache folder (numba#4908) kernels are compiled anew in each process.
"""

import functools
import hashlib
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

LOST = (OSError, EOFError, pickle.UnpicklingError)  # what a cache on the disk raises where it is full, gone or spoilt


@functools.cache
def sources_digest() -> str:
    """The first 16 hexadecimal digits of SHA-256 over all sources that kernels take anything from."""
    digest = hashlib.sha256()
    package = Path(__file__).parent.parent
    for path in sorted([*package.glob("maths/*.py"), *package.glob("targets/**/*.py"), package / "weights/laws.py"]):
        source = path.read_bytes()
        digest.update(f"{path.name} {len(source)} ".encode())
        digest.update(source)
    return digest.hexdigest()[:16]


def kernel(name: str, *, parallel: bool = False) -> Callable:
    """Compile the decorated function on its first call, as ``name``; it releases the GIL while it runs."""

    def decorate(function):
        from numba import njit

        function.__qualname__ = f"{name}_{sources_digest()}"
        options: Any = {"parallel": parallel, "nogil": True, "error_model": "numpy"}
        try:
            return njit(cache=True, **options)(function)
        except RuntimeError:  # "cannot cache function": no folder can be written
            return njit(**options)(function)

    return decorate


def c_function(name: str, *arguments) -> Callable:
    """Compile the decorated function at once, as a C function without a result, to be called by its ``.address``."""

    def decorate(function):
        from numba import cfunc, void

        function.__qualname__ = f"{name}_{sources_digest()}"
        try:
            return cfunc(void(*arguments), cache=True, error_model="numpy")(function)
        except (RuntimeError, *LOST):
            return cfunc(void(*arguments), error_model="numpy")(function)

    return decorate


def forget(dispatcher) -> None:
    """Leave the cache on the disk alone from now on: a full disk or a spoilt file must not stop a fill."""
    from numba.core.caching import NullCache

    dispatcher._cache = NullCache()  # what Numba itself puts there without cache=True; it has no public switch
