"""A task and its items → a launch, on the calling thread or on all: what forks and threading layers allow here.

What is compiled, and Numba with it, is imported at the first launch: ``import numbainit`` stays quick.
"""

import contextlib
import functools
import os
import sys
import threading
from collections.abc import Iterator
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from numbainit.generator import Stream
from numbainit.targets.cache import LOST, forget
from numbainit.targets.target import Filling

PARALLEL_FROM = 1 << 15  # elements; below, waking the threads costs more than they save


class Kernels(NamedTuple):
    """The modules of what is compiled."""

    loops: ModuleType
    tasks: ModuleType
    functions: ModuleType


class _Launcher:
    """What must be known before kernels may run in parallel in this process.

    GNU OpenMP kills a forked child at its first parallel region if the parent had one; the workqueue layer aborts when
    two Python threads launch at once. The values are the same either way, so the first case runs on one thread and the
    second in turn.
    """

    def __init__(self) -> None:
        self.get_num_threads: Any = None
        self.started = False
        self.serial_only = False
        self.concurrent = False
        self.lock = threading.Lock()

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


@functools.cache
def kernels() -> Kernels:
    """What is compiled for the CPU."""
    from numba import get_num_threads

    from numbainit.targets.cpu import loops, tasks
    from numbainit.targets.cpu.vectors import functions

    _launcher.get_num_threads = get_num_threads
    return Kernels(loops, tasks, functions)


def threads() -> int:
    """How many threads a parallel loop runs on."""
    kernels()
    count: int = _launcher.get_num_threads()
    return count


def on_one_thread(size: int) -> bool:
    """Whether the calling thread fills so many elements alone."""
    return size < PARALLEL_FROM or _launcher.serial_only or threads() == 1


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Fills on the calling thread, whatever their size: for what calls BLAS next.

    OpenMP's threads spin for a while after a loop, on the cores that those of BLAS need: a matrix of 256 x 256 then
    takes 8 ms instead of 1.6.
    """
    kernels()
    from numba import set_num_threads

    before = threads()
    set_num_threads(1)  # of this thread
    try:
        yield
    finally:
        set_num_threads(before)


def doing(task: str, items: int, size: int, memory: np.ndarray, numbers: np.ndarray, given: tuple[int, ...]) -> Filling:
    """What does all items of a task that fills so many elements; ``given`` is what the task is given after a stream."""
    loops, tasks, _ = kernels()
    address = tasks.address(task)

    def launch(stream: Stream) -> None:
        arguments = address, memory, numbers, np.array(stream + given, np.int64), items
        if on_one_thread(size):
            call(loops.TASKS.serial, arguments)
        else:
            _launcher.launch(loops.TASKS.parallel, arguments)

    return launch


def call(kernel: Any, arguments: tuple) -> None:
    """Call a kernel; where its first call finds the cache on the disk full, gone or spoilt, do without that."""
    try:
        kernel(*arguments)
    except LOST:
        forget(kernel)
        kernel(*arguments)
