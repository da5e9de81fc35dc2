"""Runs of small jobs and what does one → threads do them, ahead of the one that takes what comes out, in their order.

A fill of a small array keeps one thread busy for less time than waking others takes: so each thread does a run of such
fills alone, and what is larger is done by itself, by all threads.
"""

import collections
import contextlib
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import Any, TypeAlias, TypeVar

from numbainit.targets.cpu import launch
from numbainit.targets.whole import whole

T = TypeVar("T")
S = TypeVar("S")

RUN = 1 << 22  # bytes that one thread fills at once: one large array, or many small ones
MOST_IN_A_RUN = 64  # so that small arrays are shared out, too
_MOST_THREADS = 16  # none of the disks that there are keeps up with more
_AHEAD = 2  # runs that are done, or being done, for each thread


def grouped(jobs: Iterable[T], nbytes: Callable[[T], int], most: int = MOST_IN_A_RUN) -> Iterator[list[T]]:
    """Runs of at most so many jobs, and together of at most :data:`RUN` bytes, unless it is one alone.

    Examples
    --------
    >>> from numbainit.targets.cpu.runs import RUN, grouped
    >>> list(grouped([1, 2, RUN, 3, RUN + 1, 4], lambda job: job))
    [[1, 2], [4194304], [3], [4194305], [4]]
    """
    run: list[T] = []
    held = 0
    for job in jobs:
        size = nbytes(job)
        if run and (held + size > RUN or len(run) == most):
            yield run
            run, held = [], 0
        run.append(job)
        held += size
    if run:
        yield run


def threads(*, more: bool = False) -> int:
    """How many do runs; one more where they wait for the system now and then."""
    return min(launch.threads() + more, _MOST_THREADS)


def spare(new: Callable[[], S], threads: int) -> list[S]:
    """What runs are done in: so many of them as may be on their way."""
    return [new() for _ in range(_AHEAD * threads)]


def do(
    runs: Iterable[list[T]],
    is_alone: Callable[[list[T]], bool],
    work: Callable[[list[T], S | None], Any],
    take: Callable[[list[T], Any], None],
    spare: list[S],
    threads: int,
) -> None:
    """Do all runs, and hand what comes out of each to ``take`` on the calling thread, in order.

    ``work`` has one of the ``spare`` to itself until that was taken. A run that ``is_alone`` it does on the calling
    thread, with none, when no other is on its way. An exception of a function, or of a signal's handler, ends all.
    """
    waiting: collections.deque[tuple[list[T], S, Future]] = collections.deque()

    def take_first() -> None:
        run, own, future = waiting.popleft()
        take(run, future.result())
        spare.append(own)

    with pool(threads, writes=True) as workers:
        for run in runs:
            alone = is_alone(run)
            while waiting and (alone or not spare):
                take_first()
            if alone:
                take(run, work(run, None))
                continue
            own = spare.pop()
            waiting.append((run, own, workers.submit(work, run, own)))
        while waiting:
            take_first()


@contextlib.contextmanager
def pool(threads: int, *, writes: bool = False) -> Iterator["Pool"]:
    """Threads; what they have not begun when something fails is left.

    Those that write into memory of others have ended when this ends, however often Ctrl-C is pressed.
    """
    found = Pool(threads)
    try:
        yield found
    finally:
        with whole() if writes else contextlib.nullcontext():
            found.end()


_Job: TypeAlias = tuple[Future, Callable[..., Any], tuple]


class Pool:
    """As many threads as there are jobs, at most ``most``, and no more than the system starts.

    Python's own pool loses a job whose thread cannot be started. Here those that there are do it, or the calling one.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._threads: list[threading.Thread] = []
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._is_over = False

    def submit(self, work: Callable[..., Any], *arguments: Any) -> Future:
        """What comes out of a call, when it is there."""
        if len(self._threads) < self._most:
            self._start()
        future: Future = Future()
        if self._threads:
            self._jobs.put((future, work, arguments))
        else:
            future.set_result(work(*arguments))
        return future

    def _start(self) -> None:
        thread = threading.Thread(target=self._work, name="numbainit-fill", daemon=True)
        try:
            with whole():  # one that had started and was not known would not be waited for
                thread.start()
                self._threads.append(thread)
        except RuntimeError:  # no more are allowed, or the interpreter ends
            self._most = len(self._threads)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None and not self._is_over:
            _do(*job)

    def end(self) -> None:
        """Wait for what was begun; the rest is left."""
        self._is_over = True  # at once, however many there are: a signal waits for this
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()


def _do(future: Future, work: Callable[..., Any], arguments: tuple) -> None:
    try:
        future.set_result(work(*arguments))
    except BaseException as error:  # which who waits for the result gets
        future.set_exception(error)
