"""A step that must not end half-way → the step, with signals heard after it.

Ctrl-C, an alarm or any other signal may be an exception between any two bytecodes. In the middle of an import of Numba,
or of a compilation, it leaves registries behind that fail later, or is lost in a callback from which no exception comes
out.
"""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator

_NUMBERS = sorted(map(int, signal.valid_signals()))


@contextlib.contextmanager
def whole(*, files: bool = False) -> Iterator[None]:
    """Keep back what handlers of signals would do until the end of the block; only the main thread has any.

    A handler that never comes back (``ends_process`` is set) need not wait, except where a file would be left half.
    """
    came: dict[int, None] = {}
    handlers: dict[int, Callable] = {}
    try:
        if threading.current_thread() is threading.main_thread():
            for number in _NUMBERS:
                handler = signal.getsignal(number)
                if callable(handler) and (files or not getattr(handler, "ends_process", False)):
                    signal.signal(number, lambda number, frame: came.setdefault(number))
                    handlers[number] = handler
    except ValueError:  # the main thread of a subinterpreter has none
        pass
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        with contextlib.ExitStack() as heard:  # all of them, also where the handler of one raises
            for number in reversed(came):
                heard.callback(signal.raise_signal, number)
