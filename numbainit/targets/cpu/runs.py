"""Runs of small jobs and what does one → threads do them, ahead of the one that takes what comes out, in their order.

A fill of a small array keeps one thread busy for less time than waking others takes: so each thread does a run of such
fills alone, and what is larger is done by itself, by all threads.
"""

import collections
import concurrent.futures
import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from numbainit.targets.cpu import launch

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
    waiting: collections.deque[tuple[list[T], S, concurrent.futures.Future]] = collections.deque()

    def take_first() -> None:
        run, own, future = waiting.popleft()
        take(run, future.result())
        spare.append(own)

    with _pool(threads) as pool:
        for run in runs:
            alone = is_alone(run)
            while waiting and (alone or not spare):
                take_first()
            if alone:
                take(run, work(run, None))
                continue
            own = spare.pop()
            waiting.append((run, own, pool.submit(work, run, own)))
        while waiting:
            take_first()


@contextlib.contextmanager
def _pool(threads: int) -> Iterator[concurrent.futures.Executor]:
    """Threads; what they have not begun when something fails is left."""
    pool = concurrent.futures.ThreadPoolExecutor(threads, "numbainit-fill")
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
