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
