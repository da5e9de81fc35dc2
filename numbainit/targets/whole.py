"""A step that must not end half-way → the step, with signals heard after it.

Ctrl-C, an alarm or any other signal may be an exception between any two bytecodes. In the middle of an import of Numba,
or of a compilation, it leaves registries behind that fail later, or is lost in a callback from which no exception comes
out.
"""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

_NUMBERS = sorted(map(int, signal.valid_signals()))


@contextlib.contextmanager
def whole(*, files: bool = False) -> Iterator[None]:
    """Keep back what handlers of signals would do until the end of the block; only the main thread has any.

    A handler that never comes back (``ends_process`` is set) need not wait, except where a file would be left half.
    """
    later = _Later()
    try:
        if threading.current_thread() is threading.main_thread():
            later.begin(files)
        yield
    finally:
        later.end()


class _Later:
    """What stands for all handlers of signals, each of which may raise as soon as it is back."""

    def __init__(self) -> None:
        self._handlers: dict[int, Callable] = {}
        self._away: dict[int, None] = {}
        self._came: dict[int, Any] = {}
        self._is_over = False

    def __call__(self, number: int, frame: Any) -> None:
        if self._is_over:
            self._handlers[number](number, frame)
        else:
            self._came.setdefault(number, frame)

    def begin(self, files: bool) -> None:
        for number in _NUMBERS:
            handler = signal.getsignal(number)
            if callable(handler) and (files or not getattr(handler, "ends_process", False)):
                self._handlers[number], self._away[number] = handler, None
                try:
                    signal.signal(number, self)
                except ValueError:  # the main thread of a subinterpreter has none
                    del self._away[number]
                    return

    def end(self) -> None:
        """Put all handlers back, then call those of what came, in its order, also where one of them raises."""
        self._is_over = True
        try:
            while self._away:
                number = next(iter(self._away))
                here: Any = signal.getsignal(number)
                if here is self:  # a handler that raised may be back
                    signal.signal(number, self._handlers[number])
                del self._away[number]
            while self._came:
                number = next(iter(self._came))
                _hear(number, self._came.pop(number))
        finally:
            if self._away or self._came:
                self.end()


def _hear(number: int, frame: Any) -> None:
    """Call a handler; the signal is not sent again, or what it woke in another way would take it for two."""
    handler = signal.getsignal(number)
    if callable(handler):
        handler(number, frame)
    else:  # the handler of another one has changed it
        signal.raise_signal(number)
