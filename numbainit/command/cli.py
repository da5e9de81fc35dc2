"""Words on a command line → a command, and how it ends.

Exit codes: 0 done · 1 failed under way (a full disk, a missing package) · 2 refused before anything was touched · 130
interrupted · 128 + n ended by signal n. Whatever the code, the output is whole, or as it was before.

A command is a file beside this one, with ``add(commands)``. ``rich`` and ``safetensors`` come with the extra ``cli``
and are imported when a command runs, so that this module can be imported, and ``--help`` read, without them.
"""

import argparse
import contextlib
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import NoReturn

from numbainit import __version__
from numbainit.command import audit, bench, bits, gain, init, plan, propagate, recipes, terminal, warmup
from numbainit.errors import InvalidTypeError, InvalidValueError, NumbaInitError

_COMMANDS = (init, plan, recipes, audit, propagate, gain, bench, warmup, bits)  # as --help lists them


# ---- what is typed ----


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as every other error of this command does."""

    def error(self, message: str) -> NoReturn:
        dash = "; a value that starts with - is given as --option=value" if "expected one argument" in message else ""
        raise InvalidValueError(f"{message}{dash}; {self.prog} --help shows what is possible")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="numbainit", description="Initialise the weights of neural networks.", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"numbainit {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.add(commands)
    return parser


# ---- how it ends ----


@contextlib.contextmanager
def _signals_unwind() -> Iterator[None]:
    """A polite end by signal becomes an exception, so that temporary files are removed; afterwards all is as before.

    From then on such signals are ignored: a second Ctrl-C must not end the clearing up.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    wanted = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in wanted}
    usual = signal.SIG_DFL, signal.default_int_handler  # nohup ignores SIGHUP
    changed = [number for number, handler in before.items() if handler in usual]

    def leave(number: int, frame: object) -> NoReturn:
        for other in changed:
            signal.signal(other, signal.SIG_IGN)
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + number)

    try:
        for number in changed:
            signal.signal(number, leave)
        yield
    finally:
        for number in changed:
            signal.signal(number, before[number])


def _complain(message: object, code: int) -> int:
    terminal.complain(f"numbainit: error: {message}")
    return code


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        The words after the program's name; those of this process by default.

    Examples
    --------
    >>> from numbainit.command.cli import main
    >>> main(["init"])  # one line on the standard error
    2
    """
    try:
        with _signals_unwind(), terminal.any_characters():
            arguments = _parser().parse_args(argv)
            code: int = arguments.run(arguments)
            terminal.flush()
            return code
    except (InvalidValueError, InvalidTypeError) as error:
        return _complain(error, 2)
    except BrokenPipeError:  # | head: who reads has enough
        terminal.discard(sys.stdout)
        return 0
    except (NumbaInitError, OSError) as error:
        return _complain(error, 1)
    except MemoryError as error:
        return _complain(f"not enough memory: {error}", 1)
    except KeyboardInterrupt:
        return _complain("interrupted", 130)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
        return _complain(f"ended by signal {code - 128}", code) if code > 128 else code  # else --help, --version
