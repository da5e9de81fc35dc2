"""What every command needs of the terminal: packages of the extra ``cli``, a bar, a seed that was typed."""

import argparse
import contextlib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator

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
    if not sys.stderr.isatty() or importlib.util.find_spec("rich") is None:
        yield lambda size: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    sizes = TextColumn(text), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()
    columns = sizes if of_bytes else Progress.get_default_columns()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(text, total=total)
        yield lambda size: bar.advance(task, size)


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
    print("numbainit: warning:", " ".join(text.split()), file=sys.stderr)
