"""A polite signal → an exception that clears up; or, while there is nothing to clear up, the end of this process.

A command that runs inside another program leaves that as it was, whatever it takes. A process of its own
(``python -m numbainit``) is the system's to clear up, which is quicker than Python at it by most of a second.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, NoReturn

from numbainit.command import terminal
from numbainit.files import temporaries

_NUMBERS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
_USUAL = signal.SIG_DFL, signal.default_int_handler  # nohup ignores SIGHUP
_LARGE = 1 << 26  # bytes
FIRST_CODE = 128  # of exit codes that are numbers of signals, too


class _Process:
    """Whose the running process is, whether a signal ends it, and who holds files until it has ended."""

    is_own = False
    is_ending = False
    holders: ClassVar[list[subprocess.Popen]] = []


def run(main: Callable[[], int]) -> NoReturn:
    """Run a command as all that this process does; after a signal nothing of Python's own end takes time."""
    _Process.is_own = True
    temporaries.Closing.close = staticmethod(close)
    code = main()
    if code > FIRST_CODE:
        _leave(code)
    sys.exit(code)


def _leave(code: int) -> NoReturn:
    for file in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError, RuntimeError):  # closed, or in the middle of it
            file.flush()
    os._exit(code)


def close(descriptor: int) -> None:
    """Close a file; one that is large, and given up as this process ends, is held by another one until it has ended."""
    try:
        if _Process.is_ending and os.fstat(descriptor).st_size >= _LARGE:
            with contextlib.suppress(OSError):  # no shell here: then this process waits
                _Process.holders.append(_holder(descriptor))
    finally:
        os.close(descriptor)


def _holder(descriptor: int) -> subprocess.Popen:
    """A process that has a file open until its own input ends, as it does when this process has ended."""
    nowhere = subprocess.DEVNULL
    return subprocess.Popen(
        ["/bin/sh", "-c", "read _"],
        stdin=subprocess.PIPE,
        stdout=nowhere,
        stderr=nowhere,
        pass_fds=[descriptor],
        start_new_session=True,
    )


def said(code: int) -> str:
    """What is printed of such an end."""
    number = code - FIRST_CODE
    return "interrupted" if number == signal.SIGINT else f"ended by signal {number}"


@contextlib.contextmanager
def unwinding() -> Iterator[None]:
    """A polite end by signal becomes an exception, so that temporary files are removed; afterwards all is as before.

    From then on such signals are ignored: a second Ctrl-C must not end the clearing up.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _NUMBERS}
    changed = [number for number, handler in before.items() if handler in _USUAL]

    def leave(number: int, frame: object) -> NoReturn:
        for other in changed:
            signal.signal(other, signal.SIG_IGN)
        _Process.is_ending = _Process.is_own
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(FIRST_CODE + number)

    with _handled(changed, leave, before):
        yield


@contextlib.contextmanager
def at_once() -> Iterator[None]:
    """While nothing is begun: a signal ends this process here and now, if it is the command's own.

    Whatever is imported, compiled or loaded just then, which an exception could not pass through.
    """
    if not _Process.is_own:
        yield
        return
    before = {number: signal.getsignal(number) for number in _NUMBERS}

    def end(number: int, frame: object) -> NoReturn:
        with contextlib.suppress(RuntimeError):  # in the middle of printing
            terminal.complain(f"numbainit: error: {said(FIRST_CODE + number)}")
        _leave(FIRST_CODE + number)

    end.ends_process = True  # type: ignore[attr-defined]
    with _handled([number for number, handler in before.items() if callable(handler)], end, before):
        yield


@contextlib.contextmanager
def _handled(numbers: list[Any], handler: Callable[[int, Any], object], before: dict[Any, Any]) -> Iterator[None]:
    """Signals have a handler until this ends, and then the one that they had before."""
    try:
        for number in numbers:
            signal.signal(number, handler)
        yield
    finally:
        for number in numbers:
            signal.signal(number, before[number])
