"""A Python function → a compiled kernel, kept on disk between processes and never served stale.

Numba's cache looks only at the file of the function itself (numba#1833): an edit in a scalar function would leave old
machine code in use. Here the digest of all sources that a kernel is built from is part of its name, so changed sources
look for other files. Without a folder that can be written (numba#4908), or without sources to tell apart, kernels are
compiled anew in each process.
"""

import contextlib
import functools
import hashlib
import pkgutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from numbainit.errors import CompilerError
from numbainit.targets.whole import whole

_PACKAGE = Path(__file__).parent.parent
_OPTIONS: Any = {"error_model": "numpy"}


@functools.cache
def sources_digest() -> str:
    """The first 16 hexadecimal digits of SHA-256 over all sources that kernels take anything from; else nothing."""
    digest = hashlib.sha256()
    found: list[tuple[str, bytes]] = []
    for look in (_files, functools.partial(_modules, "maths", "targets", "weights"), _program):
        with contextlib.suppress(Exception):  # of an importer that has no sources, or is somebody's own
            found = found or list(look())
    for name, source in found:
        digest.update(f"{name} {len(source)} ".encode())
        digest.update(source)
    return digest.hexdigest()[:16] if found else ""


def _files() -> Iterator[tuple[str, bytes]]:
    paths = [*_PACKAGE.glob("maths/*.py"), *_PACKAGE.glob("targets/**/*.py"), *_PACKAGE.glob("weights/laws.py")]
    for path in sorted(paths):
        yield path.name, path.read_bytes()


def _modules(*folders: str) -> Iterator[tuple[str, bytes]]:
    """What importers load modules from, in installations of one archive or without sources; nothing is imported."""
    for folder in folders:
        for finder, name, is_package in pkgutil.iter_modules([str(_PACKAGE / folder)]):
            loader: Any = finder.find_spec(name).loader  # type: ignore[call-arg, union-attr]
            yield f"{folder}.{name}", loader.get_data(loader.get_filename(name))
            if is_package:
                yield from _modules(f"{folder}/{name}")


def _program() -> Iterator[tuple[str, bytes]]:
    """A frozen program: one file holds them all."""
    if getattr(sys, "frozen", False):
        with open(sys.executable, "rb") as file:
            yield "program", hashlib.file_digest(file, "sha256").digest()


def kernel(name: str, *, parallel: bool = False) -> Callable:
    """Compile the decorated function on its first call, as ``name``; it releases the GIL while it runs."""

    def decorate(function: Any) -> Any:
        from numba import njit
        from numba.core.caching import FunctionCache

        check_compiler()
        dispatcher = njit(parallel=parallel, nogil=True, **_OPTIONS)(named(function, name))
        keep(dispatcher, FunctionCache, function)
        return dispatcher

    return decorate


def c_function(name: str, *arguments: Any) -> Callable:
    """Compile the decorated function at once, as a C function without a result, to be called by its ``.address``."""

    def decorate(function: Any) -> Any:
        from numba import void
        from numba.core.caching import FunctionCache
        from numba.core.ccallback import CFunc
        from numba.core.sigutils import normalize_signature

        check_compiler()
        signature = normalize_signature(void(*arguments))
        compiled = CFunc(named(function, name), signature, locals={}, options=dict(_OPTIONS))
        keep(compiled, FunctionCache, function)
        with whole():
            compiled.compile()
        return compiled

    return decorate


def check_compiler() -> None:
    """Raise where Numba hands out Python functions instead of compiled ones: kernels are more than Python can run."""
    from numba.core import config

    if config.DISABLE_JIT:  # type: ignore[attr-defined]
        raise CompilerError(
            "NUMBA_DISABLE_JIT is set, and without Numba's compiler there are no fills: unset it in processes that fill"
        )


def named(function: Any, name: str) -> Any:
    """The function as Numba finds it on the disk: by its name and the digest of all sources."""
    function.__qualname__ = f"{name}_{sources_digest()}"
    return function


def keep(dispatcher: Any, kind: type, function: Any) -> None:
    """Keep what a dispatcher compiles on the disk, by Numba's cache of this kind, where that can be done.

    Numba's switch, ``cache=True``, puts its own cache where this puts one that is checked.
    """
    from numbainit.targets.kept import checked

    if sources_digest():
        try:
            dispatcher._cache = checked(kind)(function)
        except Exception:  # no folder can be written, or no file stands behind the function
            return
