"""Steps that no signal ends half-way: what handlers would do comes after them, once."""

import asyncio
import signal

import pytest

from numbainit.targets.whole import whole


@pytest.fixture
def handler():
    """A handler that notes when it was called; afterwards all is as before."""
    before = signal.getsignal(signal.SIGTERM)
    heard = []

    def note(number, frame):
        heard.append(number)

    note.heard = heard
    signal.signal(signal.SIGTERM, note)
    yield note
    signal.signal(signal.SIGTERM, before)


def test_what_handlers_do_comes_after_the_step(handler):
    with whole():
        with whole():
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGTERM)
        assert handler.heard == []
    assert handler.heard == [signal.SIGTERM]
    assert signal.getsignal(signal.SIGTERM) is handler


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="this platform has no alarms")
def test_every_signal_is_heard_after_the_step_also_where_a_handler_raises(handler):
    """An alarm that raises is what time limits are made of."""

    def late(number, frame):
        raise TimeoutError

    def step():
        with whole():
            for number in (signal.SIGALRM, signal.SIGTERM, signal.SIGUSR1):
                signal.raise_signal(number)
            steps.append(1)

    before = signal.signal(signal.SIGALRM, late), signal.signal(signal.SIGUSR1, handler)
    steps = []
    try:
        with pytest.raises(TimeoutError):
            step()
    finally:
        signal.signal(signal.SIGALRM, before[0])
        signal.signal(signal.SIGUSR1, before[1])
    assert steps == [1]
    assert sorted(handler.heard) == sorted([signal.SIGTERM, signal.SIGUSR1])


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="this platform has no alarms")
@pytest.mark.parametrize("when", ["begins", "ends"])
def test_handlers_are_back_whenever_one_of_them_raises(handler, when, monkeypatch):
    """That of SIGALRM does so while the others are put aside, or back."""

    def late(number, frame):
        raise TimeoutError

    def step():
        with whole():
            signal.raise_signal(signal.SIGUSR1)
            inside.append(1)

    def set_handler(number, one):
        found = set_signal(number, one)
        if number == signal.SIGHUP and (one is handler) == (when == "ends"):
            signal.raise_signal(signal.SIGALRM)
        if number == signal.SIGALRM and one is late and not again:
            again.append(1)
            signal.raise_signal(signal.SIGALRM)
        return found

    numbers = signal.SIGHUP, signal.SIGALRM, signal.SIGUSR1
    set_signal = signal.signal
    before = [*map(signal.signal, numbers, (handler, late, handler))]
    inside, again = [], []
    try:
        monkeypatch.setattr(signal, "signal", set_handler)
        with pytest.raises(TimeoutError):
            step()
        monkeypatch.undo()
        assert [*map(signal.getsignal, numbers)] == [handler, late, handler]
        signal.raise_signal(signal.SIGTERM)
    finally:
        monkeypatch.undo()
        for number, one in zip(numbers, before, strict=True):
            signal.signal(number, one)
    assert handler.heard == [signal.SIGUSR1] * len(inside) + [signal.SIGTERM]
    assert len(inside) == (when == "ends")


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="this platform has no such signal")
def test_a_signal_is_heard_once_by_an_event_loop_too():
    """It wakes a loop when it comes, by a file; being sent again would wake it again."""

    async def run():
        loop, heard = asyncio.get_running_loop(), []
        loop.add_signal_handler(signal.SIGUSR1, heard.append, 1)
        with whole():
            signal.raise_signal(signal.SIGUSR1)
        await asyncio.sleep(0.05)
        assert loop.remove_signal_handler(signal.SIGUSR1)
        return heard

    assert asyncio.run(run()) == [1]


def test_a_handler_may_change_the_next_one(handler):
    other = []
    before = signal.signal(signal.SIGINT, lambda *_: signal.signal(signal.SIGTERM, lambda *_: other.append(1)))
    try:
        with whole():
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGINT, before)
    assert (handler.heard, other) == ([], [1])


def test_what_ends_the_process_waits_for_files_only(handler):
    handler.ends_process = True
    with whole():
        signal.raise_signal(signal.SIGTERM)
        assert handler.heard == [signal.SIGTERM]
        with whole(files=True):
            signal.raise_signal(signal.SIGTERM)
            assert handler.heard == [signal.SIGTERM]
        assert handler.heard == [signal.SIGTERM] * 2
    assert signal.getsignal(signal.SIGTERM) is handler
