"""A loop and its arguments → a launch, on the calling thread or on all: what forks and threading layers allow here.

The loops, and Numba with them, are imported at the first launch: ``import numbainit`` stays quick.
"""

import os
import sys
import threading
from types import ModuleType
from typing import Any

from numbainit.generator import Stream
from numbainit.targets.cache import LOST, forget
from numbainit.targets.target import Filling

PARALLEL_FROM = 1 << 15  # elements; below, waking the threads costs more than they save


class _Launcher:
    """What must be known before kernels may run in parallel in this process.

    GNU OpenMP kills a forked child at its first parallel region if the parent had one; the workqueue layer aborts when
    two Python threads launch at once. The values are the same either way, so the first case runs on one thread and the
    second in turn.
    """

    def __init__(self) -> None:
        self.loops: ModuleType | None = None
        self.get_num_threads: Any = None
        self.started = False
        self.serial_only = False
        self.concurrent = False
        self.lock = threading.Lock()

    def load(self) -> ModuleType:
        from numba import get_num_threads

        from numbainit.targets.cpu import loops

        self.get_num_threads = get_num_threads
        self.loops = loops
        return loops

    def launch(self, kernel: Any, arguments: tuple) -> None:
        if self.concurrent:
            call(kernel, arguments)
            return
        from numba import threading_layer

        with self.lock:
            self.started = True
            call(kernel, arguments)
            self.concurrent = threading_layer() != "workqueue"

    def after_fork(self) -> None:
        numba_threads = sys.modules.get("numba.np.ufunc.parallel")  # which a user's own code may have started
        others = bool(getattr(numba_threads, "_is_initialized", False))
        self.serial_only = self.serial_only or self.started or others
        self.lock = threading.Lock()


_launcher = _Launcher()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_launcher.after_fork)


def loops() -> Any:
    """The module of the compiled loops."""
    return _launcher.loops or _launcher.load()


def threads() -> int:
    """How many threads a parallel loop runs on."""
    loops()
    count: int = _launcher.get_num_threads()
    return count


def launching(ways: Any, size: int, before: tuple, after: tuple) -> Filling:
    """What runs the serial or the parallel one of two loops, with a stream between its other arguments."""
    if size < PARALLEL_FROM or _launcher.serial_only or _launcher.get_num_threads() == 1:
        serial = ways.serial

        def launch(stream: Stream) -> None:
            try:  # as ``call`` does; another frame would cost a small call two percent
                serial(*(before + stream + after))
            except LOST:
                forget(serial)
                serial(*(before + stream + after))

        return launch
    return lambda stream: _launcher.launch(ways.parallel, before + stream + after)


def call(kernel: Any, arguments: tuple) -> None:
    """Call a kernel; where its first call finds the cache on the disk full, gone or spoilt, do without that."""
    try:
        kernel(*arguments)
    except LOST:
        forget(kernel)
        kernel(*arguments)
