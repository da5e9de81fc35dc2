"""Words on a command line → a command, and how it ends.

Exit codes: 0 done · 1 failed under way (a full disk, a missing package) · 2 refused before anything was touched · 130
interrupted · 128 + n ended by signal n. Whatever the code, the output is whole, or as it was before.

A command is a file beside this one, with ``add(commands)``. ``rich`` and ``safetensors`` come with the extra ``cli``
and are imported when a command runs, so that this module can be imported, and ``--help`` read, without them.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from numbainit import __version__
from numbainit.command import audit, bench, bits, ending, gain, init, plan, propagate, recipes, terminal, warmup
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
        with ending.unwinding(), terminal.any_characters():
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
        return _complain(ending.said(130), 130)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
        return _complain(ending.said(code), code) if code > ending.FIRST_CODE else code  # else --help, --version
