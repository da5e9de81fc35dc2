"""A task and its items → launches, on the calling thread or on many: what forks, threads and containers allow here.

What is compiled, and Numba with it, is imported at the first launch: ``import numbainit`` stays quick.
"""

import contextlib
import functools
import importlib
import itertools
import os
import sys
import threading
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from numbainit.errors import CompilerError
from numbainit.generator import Stream
from numbainit.targets.cpu.quota import most_threads
from numbainit.targets.cpu.turns import FIRST, turns
from numbainit.targets.target import Filling
from numbainit.targets.whole import whole

PARALLEL_FROM = 1 << 15  # elements; below, waking the threads costs more than they save
_WORD_BYTES = 4
_OWN_THREADS_FROM = 1 << 19  # elements; threads that are started anew cost more than those that wait

Run: TypeAlias = Callable[..., None]  # of a task, its memory, numbers and what else is given, the first item, how many


class Kernels(NamedTuple):
    """The modules of what is compiled."""

    loops: ModuleType
    tasks: ModuleType
    functions: ModuleType


class _Threads:
    """What is known of Numba's threads in this process.

    GNU OpenMP kills a forked child at its first parallel region if the parent had one: such a child fills on one
    thread. The workqueue layer aborts the process when two launches meet, which a user's own may be, from another
    thread or around this call: there fills run on threads of their own. The values are the same either way.
    """

    def __init__(self) -> None:
        self.count: Any = None  # Numba's function
        self.layer: str | None = None
        self.started = False
        self.serial_only = False

    def after_fork(self) -> None:
        numba_threads = sys.modules.get("numba.np.ufunc.parallel")  # which a user's own code may have started
        others = bool(getattr(numba_threads, "_is_initialized", False))
        self.serial_only = self.serial_only or self.started or others


_threads = _Threads()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_threads.after_fork)


@functools.cache
def kernels() -> Kernels:
    """What is compiled for the CPU: loaded in steps of 0.2 s at most, between which signals are heard."""
    with whole(), _started():
        from numba import get_num_threads
    with whole():
        importlib.import_module("scipy.linalg.cython_blas")  # half of what Numba loads in the next step
    with whole():
        from numba.core.registry import cpu_target

        cpu_target.target_context.refresh()
    with whole():
        from numbainit.targets.cpu import loops, tasks
        from numbainit.targets.cpu.vectors import functions

    _threads.count = get_num_threads
    return Kernels(loops, tasks, functions)


def threads() -> int:
    """How many threads a fill runs on: as Numba is set for the calling thread, if the container allows that."""
    kernels()
    with _started():
        count: int = _threads.count()
    most = most_threads()
    return count if most is None else min(count, most)


@contextlib.contextmanager
def _started() -> Iterator[None]:
    """What Numba says of its own variables becomes an error for a user."""
    try:
        yield
    except ValueError as error:
        text = " ".join(str(error).split())[:300]
        raise CompilerError(
            f"Numba cannot start its threads: {text}: correct NUMBA_NUM_THREADS or NUMBA_THREADING_LAYER"
        ) from None


@contextlib.contextmanager
def limited(count: int) -> Iterator[None]:
    """Numba's setting for the calling thread, until this ends."""
    kernels()
    from numba import set_num_threads

    with _started():
        before = _threads.count()
    set_num_threads(count)
    try:
        yield
    finally:
        set_num_threads(before)


def doing(task: str, items: int, size: int, memory: np.ndarray, numbers: np.ndarray, given: tuple[int, ...]) -> Filling:
    """What does all items of a task that fills so many elements; ``given`` is what the task is given after a stream."""
    address = kernels().tasks.address(task)
    how_to_run(size)  # what can fail there does so before a draw is taken

    def launch(stream: Stream) -> None:
        arguments = address, memory, numbers, np.array(stream + given, np.int64)
        run, at_first = how_to_run(size)
        reach = max(size, memory.nbytes // _WORD_BYTES)  # memory that is touched first may cost more than its values
        if reach <= at_first:
            run(*arguments, 0, items)
            return
        for first, count in turns(items, items * at_first // reach):
            run(*arguments, first, count)

    return launch


def how_to_run(size: int) -> tuple[Run, int]:
    """What runs items of a task that fills so many elements, and how many elements it should fill at first."""
    if size < PARALLEL_FROM or _threads.serial_only:
        return _ready("serial"), FIRST
    count = threads()
    if count == 1:
        return _ready("serial"), FIRST
    if _layer() == "workqueue":
        if size < _OWN_THREADS_FROM:
            return _ready("serial"), FIRST
        return functools.partial(_on_own_threads, count), FIRST * count
    _threads.started = True
    parallel = _ready("parallel")
    if count == _threads.count():
        return parallel, FIRST * count
    return functools.partial(_on_fewer_threads, count), FIRST * count


@functools.cache
def _ready(way: str) -> Run:
    """A loop, after it was compiled or loaded: for no item of no task."""
    run: Run = getattr(kernels().loops.TASKS, way)
    with whole():
        run(0, np.empty(0, np.uint8), np.empty(0), np.empty(0, np.int64), 0, 0)
    return run


def _layer() -> str:
    if _threads.layer is None:
        from numba import threading_layer

        _threads.layer = threading_layer()  # known since Numba was asked for its threads
    return _threads.layer


def _on_fewer_threads(count: int, *arguments: Any) -> None:
    """On no more threads than the container allows."""
    with limited(count):
        _ready("parallel")(*arguments)


def _on_own_threads(count: int, *arguments: Any) -> None:
    """On threads that are started for this; a share whose thread cannot be started is done by the calling one."""
    *what, first, items = arguments
    serial = _ready("serial")
    edges = [first + items * number // count for number in range(count + 1)]
    shares = [(*what, begin, end - begin) for begin, end in itertools.pairwise(edges)]
    started: list[threading.Thread] = []
    try:
        while shares[1:]:
            thread = threading.Thread(target=serial, args=shares[-1], daemon=True)
            try:
                thread.start()
            except RuntimeError:  # no more are allowed, or the interpreter ends
                break
            started.append(thread)
            shares.pop()
        for share in shares:
            serial(*share)
    finally:
        for thread in started:
            thread.join()
