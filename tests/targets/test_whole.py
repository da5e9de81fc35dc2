"""Steps that no signal ends half-way: what handlers would do comes after them, once."""

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
