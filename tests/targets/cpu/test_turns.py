"""Work in turns → all of it once, whatever a turn takes; signals are heard in between, and bits do not depend on it."""

import itertools
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

import numbainit as init
from cases import full_only
from numbainit.targets.cpu import fills, launch, turns
from numbainit.targets.whole import whole

LARGE = 300_001


@pytest.mark.parametrize(("items", "first"), [(0, 5), (1, 0), (7, 1), (1000, 3), (1000, 10**6)])
def test_all_items_once(items, first):
    taken = list(turns.turns(items, first))
    assert [item for begin, count in taken for item in range(begin, begin + count)] == list(range(items))


def test_turns_become_as_long_as_wanted(monkeypatch):
    """By a clock that goes as the items do: a thousand a second, then ten times as slow."""
    clock, pace = [0.0], [1e-3]
    monkeypatch.setattr(turns.time, "perf_counter", lambda: clock[0])
    lasted = []
    for begin, count in turns.turns(100_000, 1):
        pace[0] = 1e-3 if begin < 50_000 else 1e-2
        clock[0] += count * pace[0]
        lasted.append(count * pace[0])
    assert max(lasted[:20]) <= turns.TURN * 1.01
    slow = [index for index, seconds in enumerate(lasted) if seconds > turns.TURN * 1.5]
    assert len(slow) <= 5, "a turn after a slow one is shorter"


@pytest.mark.parametrize("shape", [(), (0,), (5,), (3, 0, 4), (LARGE,), (700, 1000), (3, 500, 700)], ids=str)
@pytest.mark.parametrize("order", ["C", "F"])
def test_parts_are_the_whole(shape, order, monkeypatch):
    monkeypatch.setattr(turns, "PIECE", 1000)
    array = np.zeros(shape, order=order)
    for part in turns.parts(array):
        assert part.size <= 1000
        part += 1
    assert (array == 1).all()


FILLS = {
    "contiguous": lambda: init.normal_(np.empty(LARGE, "f4"), generator=3),
    "rejecting": lambda: init.trunc_normal_(np.empty(LARGE, "f4"), generator=3),
    "strided": lambda: init.normal_(np.empty((600, 1001), "f4")[:, ::2], generator=3),
    "block": lambda: init.normal_(np.empty((600, 500), "f4"), generator=3, block=init.Block((700, 700), (3, 5))),
    "sparse": lambda: init.sparse_(np.empty((600, 500), "f4"), 0.3, generator=3),
    "sparse, in Fortran's order": lambda: init.sparse_(np.empty((600, 500), "f4", order="F"), 0.3, generator=3),
    "sparse, a block": lambda: init.sparse_(
        np.empty((600, 500)), 0.3, generator=3, block=init.Block((900, 900), (7, 5))
    ),
    "sparse, complex": lambda: init.sparse_(np.empty((600, 500), "c8"), 0.3, generator=3),
    "sparse, foreign": lambda: init.sparse_(np.empty((600, 500), ">f4"), 0.3, generator=3),
    "constant": lambda: init.constant_(np.empty((600, 500), ">f4"), 3.5),
    "dirac": lambda: init.dirac_(np.empty((60, 50, 3, 3), "f4")),
}


@pytest.mark.parametrize("name", FILLS)
@pytest.mark.parametrize("first", [1 << 10, *full_only(1, 1 << 16)])
def test_bits_do_not_depend_on_turns(name, first, monkeypatch):
    wanted = FILLS[name]().tobytes()
    monkeypatch.setattr(launch, "FIRST", first)
    monkeypatch.setattr(turns, "TURN", 0.0)  # as short as they can be
    monkeypatch.setattr(turns, "PIECE", 4099)
    monkeypatch.setattr(fills, "_MOST_COLUMNS", 128)
    monkeypatch.setattr(fills, "_PAGE", 16)
    assert FILLS[name]().tobytes() == wanted


@pytest.mark.parametrize("shape", [(5000, 20), (20, 5000), (700, 300)], ids=str)
@pytest.mark.parametrize("dtype", ["f4", "c8", "bfloat16"])
def test_orthogonal_in_parts(shape, dtype, monkeypatch):
    """Sums by parts are rounded otherwise; the law, and the precision, are the same."""
    wanted = init.orthogonal(shape, dtype=dtype, generator=3)
    monkeypatch.setattr(turns, "PIECE", 4099)
    found = init.orthogonal(shape, dtype=dtype, generator=3)
    assert np.allclose(found.astype("c8"), wanted.astype("c8"), atol=1e-5 if dtype != "bfloat16" else 1e-2)


def test_parts_count_the_memory_that_gaps_lie_in():
    """Of elements on pages of their own, few are dealt with at a time."""
    memory = np.zeros((1 << 16, 1024), "u1")  # zeros are not found before they are written
    array = memory[:, ::512]
    found = [part.size for part in turns.parts(array)]
    assert sum(found) == array.size
    assert 2 < max(found) * 512 <= turns.PIECE * 4 + 1024
    for one in (np.zeros(9), np.zeros(()), np.zeros((0, 5))[:, ::2], array[:9]):
        assert [part is one for part in turns.parts(one)] == [True]


# ---- signals ----


class InterruptError(Exception):
    """What a handler raises."""


@pytest.fixture
def interrupted():
    """A signal whose handler raises; what is under test sends it, in the middle of its work."""

    def handler(number, frame):
        raise InterruptError

    before = signal.signal(signal.SIGINT, handler)
    yield lambda: signal.raise_signal(signal.SIGINT)
    signal.signal(signal.SIGINT, before)


def test_a_step_is_whole(interrupted):
    """An exception of a handler comes after it; what handlers there were is as before."""
    done, before = [], signal.getsignal(signal.SIGINT)

    def step():
        with whole():
            interrupted()
            done.append(1)

    with pytest.raises(InterruptError):
        step()
    assert done == [1]
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(ZeroDivisionError), whole():
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGINT) is before


def test_a_step_in_another_thread_leaves_signals_alone():
    found = []

    def work():
        with whole():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [signal.getsignal(signal.SIGINT)]


@pytest.mark.parametrize("name", [name for name in FILLS if name not in ("dirac",)])
def test_a_fill_ends_between_two_turns(name, interrupted, monkeypatch):
    """The signal comes in the second turn: then nothing more is written, and the next fill is right."""
    wanted = FILLS[name]().tobytes()
    monkeypatch.setattr(launch, "FIRST", 1 << 10)
    monkeypatch.setattr(turns, "TURN", 0.0)
    monkeypatch.setattr(turns, "PIECE", 4099)
    original, count = turns.turns, itertools.count()

    def noisy(*arguments):
        for turn in original(*arguments):
            if next(count) == 1:
                interrupted()
            yield turn

    def noisy_slices(*arguments):
        for part in original_slices(*arguments):
            if next(count) == 1:
                interrupted()
            yield part

    original_slices = turns.slices
    for module in (launch, fills):
        monkeypatch.setattr(module, "turns", noisy)
    monkeypatch.setattr(turns, "slices", noisy_slices)
    with pytest.raises(InterruptError):
        FILLS[name]()
    monkeypatch.undo()
    assert FILLS[name]().tobytes() == wanted


INTERRUPTED = """
import os, signal, threading, time
import numpy as np, numbainit as init
signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever the parent ignores
small = np.empty(1 << 16, "f4")
CALL(small)
array = np.empty(1 << 29, "f4")  # two gigabytes, of which as many are touched as there is time for
sent = []
def send():
    time.sleep(0.2)
    sent.append(time.perf_counter())
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=send).start()
try:
    for _ in range(100):
        CALL(array)
except KeyboardInterrupt:
    print("heard")
"""


@pytest.mark.full
@pytest.mark.skipif(os.name != "posix", reason="this platform has no SIGINT to send")
@pytest.mark.parametrize("call", ["init.normal_(%s)", "init.zeros_(%s)", "init.sparse_(%s.reshape(256, -1), 0.5)"])
def test_an_interrupt_ends_a_long_fill(call):
    code = INTERRUPTED.replace("CALL(small)", call % "small").replace("CALL(array)", call % "array")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.stderr) == ("heard\n", "")
