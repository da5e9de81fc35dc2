"""Runs of jobs: each job done once, what comes out in order, by threads that hold no more than what is spare."""

import signal
import threading
import time

import pytest

from numbainit.targets.cpu import runs
from numbainit.targets.cpu.runs import MOST_IN_A_RUN, RUN


@pytest.mark.parametrize("sizes", [[], [0], [RUN], [RUN + 1], [1] * 200, [RUN // 3] * 10, [RUN + 1, 1, RUN, 1]])
def test_a_run_holds_no_more_than_it_may(sizes):
    found = list(runs.grouped(range(len(sizes)), sizes.__getitem__))
    assert [job for run in found for job in run] == [*range(len(sizes))]
    assert all(len(run) == 1 or sum(sizes[job] for job in run) <= RUN for run in found)
    assert all(len(run) <= MOST_IN_A_RUN for run in found)


def test_what_is_alone_is_done_here_with_nothing_else_on_its_way():
    here, on_their_way, taken = threading.get_ident(), set(), []

    def work(run, own):
        (job,) = run
        assert (own is None) == (job % 5 == 0) == (threading.get_ident() == here)
        if own is None:
            assert not on_their_way
        else:
            on_their_way.add(job)
        return -job

    def take(run, found):
        on_their_way.difference_update(run)
        taken.append((*run, found))

    spare = runs.spare(object, 3)
    own = [*spare]
    runs.do([[job] for job in range(23)], lambda run: run[0] % 5 == 0, work, take, spare, 3)
    assert taken == [(job, -job) for job in range(23)]
    assert {*map(id, spare)} == {*map(id, own)}


@pytest.mark.parametrize("allowed", [0, 1, 2])
def test_where_few_threads_or_none_can_be_started(monkeypatch, allowed):
    """All is done, in order, by those that there are, or here."""
    start, here = threading.Thread.start, threading.get_ident()
    started, done_by, taken = [], set(), []

    def start_some(thread):
        if len(started) == allowed:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    def work(run, own):
        done_by.add(threading.get_ident())
        return -run[0]

    monkeypatch.setattr(threading.Thread, "start", start_some)
    runs.do(
        [[job] for job in range(50)], lambda run: False, work, lambda run, x: taken.append(x), runs.spare(object, 4), 4
    )
    assert taken == [-job for job in range(50)]
    assert done_by == {here} if not allowed else here not in done_by


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_ends_all(error):
    done = []

    def work(run, _):
        done.extend(run)
        if run == [3]:
            raise error("enough")

    before = threading.active_count()
    with pytest.raises(error, match="enough"):
        runs.do(
            [[job] for job in range(10_000)], lambda run: False, work, lambda run, found: None, runs.spare(object, 2), 2
        )
    assert len(done) < 1000
    assert threading.active_count() == before


def test_nothing_is_written_after_an_error_however_often_ctrl_c_is_pressed():
    """It comes while the calling thread waits for a result, and again while it waits for what was begun."""
    begun, go, written = threading.Event(), threading.Event(), []
    main = threading.get_ident()

    def work(run, _):
        begun.set()
        assert go.wait(60)
        written.append(run)

    def press():
        assert begun.wait(60)
        for _ in range(3):
            signal.pthread_kill(main, signal.SIGINT)
            time.sleep(0.05)
        go.set()

    keys = threading.Thread(target=press)
    before = threading.active_count()
    keys.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            runs.do([[job] for job in range(9)], lambda run: False, work, lambda *_: None, runs.spare(object, 2), 2)
    finally:
        was_open, count = not go.is_set(), len(written)
        keys.join()
    assert not was_open
    assert threading.active_count() == before
    assert len(written) == count


def test_after_an_error_only_what_was_begun_is_done():
    begun, gate, done = threading.Semaphore(0), threading.Event(), []

    def job(number):
        begun.release()
        gate.wait()
        done.append(number)

    def open_when_over(pool):
        while not pool._is_over:
            time.sleep(0.001)
        gate.set()

    def interrupted():
        with runs.pool(2) as workers:
            for number in range(1000):
                workers.submit(job, number)
            begun.acquire()
            threading.Thread(target=open_when_over, args=(workers,)).start()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert sorted(done) in ([0], [1], [0, 1])
