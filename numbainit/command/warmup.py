"""``numbainit warmup``: laws and dtypes → their kernels compiled, and kept on the disk.

Small arrays are filled in each way that memory can lie, on one thread and on all: whatever a later fill runs is then
there. See docs/containers.md.
"""

import argparse
import functools
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from numbainit import init
from numbainit.command.terminal import progress
from numbainit.errors import InvalidValueError, OutputError, suggestion
from numbainit.generator import Generator
from numbainit.memory.dtypes import FLOATS, SHORT, checked_dtype
from numbainit.weights.blocks import Block

_SIDE = 512  # of the largest matrices: enough for all threads, and for what orthogonal_ does to large ones

Call = Callable[..., Any]


def _both_proposals(array: np.ndarray, **keywords: Any) -> None:
    """Truncated normals have two laws: one around the mean, one in the tails."""
    init.trunc_normal_(array, **keywords)
    init.trunc_normal_(array, a=3.0, b=4.0, **keywords)


def _complex_means_too(array: np.ndarray, **keywords: Any) -> None:
    init.normal_(array, **keywords)
    if array.dtype.kind == "c":
        init.normal_(array, mean=1.0 + 2.0j, **keywords)  # type: ignore[arg-type]


def _sparse(array: np.ndarray, **keywords: Any) -> None:
    init.sparse_(array, 0.5, **keywords)


#: what is asked for by name → a call that needs all of its kernels, and whether it takes a block
_LAWS: dict[str, tuple[Call, bool]] = {
    "uniform": (init.uniform_, True),
    "normal": (_complex_means_too, True),
    "trunc_normal": (_both_proposals, True),
    "sparse": (_sparse, True),
    "orthogonal": (init.orthogonal_, False),
}
_REAL = ("uniform", "trunc_normal")  # laws of real numbers only


def add(commands: Any) -> None:
    """The command, as argparse knows it."""
    parser = commands.add_parser(
        "warmup",
        help="compile kernels ahead",
        description="Compile the kernels of laws and dtypes, for all kinds of memory, and keep them on the disk for "
        "the processes that come after: in an image of a container, or before a job.",
        allow_abbrev=False,
    )
    dtypes = ", ".join((*SHORT, "complex64"))
    parser.add_argument("--dtype", default="f32", metavar="NAMES", help=f"such as {dtypes} (default: f32)")
    parser.add_argument(
        "--law", metavar="NAMES", help=f"of {', '.join(_LAWS)} (default: all); xavier_*, kaiming_* use these"
    )
    parser.set_defaults(run=_run)


def _laws(text: str | None) -> list[str]:
    names = list(_LAWS) if text is None else text.split(",")
    for name in names:
        if name not in _LAWS:
            raise InvalidValueError(f"--law got {name!r}: {suggestion(name, _LAWS)}it takes some of {', '.join(_LAWS)}")
    return names


def _dtypes(text: str) -> list[np.dtype]:
    return [checked_dtype(name, FLOATS) for name in text.split(",")]


def _memories(dtype: np.dtype, block: bool) -> Iterator[tuple[np.ndarray, dict[str, Any]]]:
    """Arrays small and large, contiguous and strided; with ``block`` also parts of larger ones."""
    for side in (8, _SIDE):
        matrix = np.empty((side, side), dtype)
        yield matrix, {}
        yield matrix[:, ::2], {}
        if block:
            yield matrix, {"block": Block((side + 1, side + 1), (1, 1))}


def calls(laws: Sequence[str], dtypes: Sequence[np.dtype]) -> list[Callable[[], Any]]:
    """Calls that fill memory of each kind by each law that the dtype has."""
    found: list[Callable[[], Any]] = []
    for dtype in dtypes:
        for name in laws:
            law, takes_block = _LAWS[name]
            if dtype.kind == "c" and name in _REAL:
                continue
            for array, keywords in _memories(dtype, takes_block):
                found.append(functools.partial(law, array, generator=Generator(0), **keywords))
    return found


def _run(arguments: argparse.Namespace) -> int:
    """Compile what is asked for, and say how long it took and where it is kept."""
    laws, dtypes = _laws(arguments.law), _dtypes(arguments.dtype)
    planned = calls(laws, dtypes)
    if not planned:
        raise InvalidValueError(f"no complex array has a law of {', '.join(laws)}: take normal, sparse or orthogonal")
    start = time.perf_counter()
    with progress(len(planned), "compiling") as advance:
        for call in planned:
            call()
            advance(1)
    seconds = time.perf_counter() - start
    folder = _folder()
    if folder is None:
        raise OutputError("nothing was kept: no folder for a cache can be written; set NUMBA_CACHE_DIR to one")
    names = ", ".join(dtype.name for dtype in dtypes)
    print(f"{', '.join(laws)} of {names} are ready after {seconds:.1f} s, for {_processor()}, in {folder}")
    return 0


def _folder() -> str | None:
    """Where Numba keeps the kernels of this process."""
    from numbainit.targets.cpu import loops

    found: str | None = loops.TASKS.serial.stats.cache_path
    return found


def _processor() -> str:
    from numbainit.measure.instructions import compiled_for

    found = compiled_for()
    return f"{found['cpu']} ({', '.join(found['instructions']) or 'no vector instructions named'})"
