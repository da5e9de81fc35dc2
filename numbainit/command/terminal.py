"""What every command needs of the terminal: packages of the extra ``cli``, a bar, a seed that was typed."""

import argparse
import contextlib
import importlib
import importlib.util
import io
import os
import sys
from collections.abc import Callable, Iterator
from typing import TextIO

from numbainit.errors import MissingExtraError


def need_extra() -> None:
    """Raise where ``rich`` or ``safetensors`` is missing: late, so that ``--help`` can be read without them."""
    try:
        for name in ("rich", "safetensors"):
            importlib.import_module(name)
    except ImportError as error:
        raise MissingExtraError('the command line needs rich and safetensors: pip install "numbainit[cli]"') from error


@contextlib.contextmanager
def progress(total: int, text: str, *, of_bytes: bool = False) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal where ``rich`` is installed, nothing in a pipe."""
    if sys.stderr is None or not sys.stderr.isatty() or importlib.util.find_spec("rich") is None:
        yield lambda size: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    sizes = TextColumn(text), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()
    columns = sizes if of_bytes else Progress.get_default_columns()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(text, total=total)
        yield lambda size: bar.advance(task, size)


class _Page(io.StringIO):
    """A text that is printed as a whole: for ``rich`` as wide, as colourful and as poor in characters as the file."""

    def __init__(self, file: TextIO) -> None:
        super().__init__()
        self._file = file
        self.isatty, self.fileno = file.isatty, file.fileno  # type: ignore[method-assign]

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._file.encoding or "ascii"

    def print(self) -> None:
        """Write it to the file; characters that it lacks become escapes."""
        self._file.write(self.getvalue().encode(self.encoding, "backslashreplace").decode(self.encoding))
        self._file.flush()


@contextlib.contextmanager
def any_characters() -> Iterator[None]:
    """Characters that the standard output lacks become escapes; afterwards all is as before."""
    file = sys.stdout
    usual = getattr(file, "errors", None)  # surrogateescape: of the locale C
    if not isinstance(file, io.TextIOWrapper) or file.closed or usual not in ("strict", "surrogateescape"):
        yield
        return
    file.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        with contextlib.suppress(OSError, ValueError):  # it flushes
            file.reconfigure(errors=usual)


def flush() -> None:
    """Print what waits, while what goes wrong can still be said."""
    if sys.stdout is not None and not sys.stdout.closed:
        sys.stdout.flush()


def discard(file: TextIO | None) -> None:
    """What is left goes nowhere: a closed pipe and a full device would complain again when Python ends."""
    if file is not None:
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), file.fileno())


def tell(show: Callable[[TextIO], None], on_stderr: bool = False, done: str = "all is written") -> None:
    """Print a report of what is done already: that it cannot be printed changes nothing, and is said."""
    file = sys.stderr if on_stderr else sys.stdout
    if file is None:
        return
    try:
        page = _Page(file)
        show(page)
        page.print()
    except (OSError, ValueError) as error:  # ValueError: the file was closed
        discard(file)
        complain(f"numbainit: {done}, but the report could not be printed: {error}")


def complain(text: str) -> None:
    """One line on the standard error, if there is one."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            print(" ".join(text.split()), file=sys.stderr, flush=True)


def seed(text: str) -> int:
    """A seed as argparse reads it."""
    try:
        number = int(text)
    except ValueError:
        number = -1
    if number < 0:
        raise argparse.ArgumentTypeError(f"got {text[:40]!r}; wanted a whole number >= 0, such as 7")
    return number


def size(text: str) -> int:
    """A number of bytes as argparse reads it: digits, or a power as in 2^30."""
    base, power, exponent = text.partition("^")
    digits = (base, exponent) if power else (base,)
    plain = all(part.isascii() and part.isdigit() for part in digits) and 0 < len(base) < 21 and len(exponent) < 3
    number = int(base) ** int(exponent or 1) if plain else -1
    if not 0 <= number < 1 << 64:
        raise argparse.ArgumentTypeError(f"got {text[:40]!r}; wanted a whole number, such as 1000000 or 2^30")
    return number


def warn(text: str) -> None:
    """One line on the standard error, whatever is in the text."""
    complain(f"numbainit: warning: {text}")
