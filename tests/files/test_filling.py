"""Filling: everything once, in order, whatever threads do; and an end that leaves none of them."""

import threading
import time

import numpy as np
import pytest

import numbainit as init
from numbainit.files.filling import fill_and_write
from numbainit.files.headers import Parameter
from numbainit.files.pieces import runs, whole
from numbainit.targets.cpu.runs import RUN

PARTS = [
    whole(Parameter(f"small.{i}", (i % 7, 3), dtype)) for i, dtype in enumerate(["F64", "BF16", "BOOL", "F32"] * 60)
]
PARTS.insert(100, whole(Parameter("large", (5, RUN // 8), "F32")))


def test_all_pieces_arrive_in_order_filled():
    seen, threads = [], set()

    def fill(piece, array):
        threads.add(threading.current_thread().name)
        if array.dtype.kind == "f":
            init.normal_(array, generator=5, block=piece.box.block) if array.size else None
        return piece.box.start

    def write(piece, array, found):
        assert threading.current_thread() is threading.main_thread()
        assert (array.shape, found) == (piece.box.shape, piece.box.start)
        assert array.flags.carray
        seen.append((piece, array.copy()))

    fill_and_write(runs(PARTS), fill, write)
    assert [piece for piece, _ in seen] == [piece for run in runs(PARTS) for piece in run]
    large = np.concatenate([array.ravel() for piece, array in seen if piece.part.name == "large"])
    np.testing.assert_array_equal(large.reshape(5, -1), init.normal((5, RUN // 8), generator=5))
    assert threads
    assert "MainThread" not in threads


def test_runs_are_put_by_who_fills_them_before_they_are_handed_over():
    """Each once, filled; what is made as a whole on the calling thread."""
    parts = [*PARTS, whole(Parameter("matrix", (RUN,), "F32"))]
    put, lock = {}, threading.Lock()

    def fill(piece, array):
        array.view(np.uint8)[...] = 7
        return threading.get_ident()

    def keep(run, arrays):
        assert [array.shape for array in arrays] == [piece.box.shape for piece in run]
        assert all((array.view(np.uint8) == 7).all() for array in arrays)
        with lock:
            put.update(dict.fromkeys(run, threading.get_ident()))

    seen = []

    def write(piece, array, filler):
        assert put[piece] == filler
        assert (filler == threading.get_ident()) == (piece.part.name == "matrix")
        seen.append(piece)

    fill_and_write(runs(parts, {"matrix": False}), fill, write, keep)
    assert seen == [piece for run in runs(parts, {"matrix": False}) for piece in run]
    assert len(put) == len(seen)


def test_a_matrix_that_is_made_whole_is_made_alone():
    parts = [whole(Parameter("w", (RUN,), "F32"))]

    def fill(piece, array):
        assert threading.current_thread() is threading.main_thread()
        array[...] = 3

    seen = []
    fill_and_write(runs(parts, {"w": False}), fill, lambda piece, array, found: seen.append((array == 3).all()))
    assert seen == [True]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("where", ["fill", "put", "write"])
def test_an_error_ends_all(error, where):
    calls = []

    def breaks(own):
        if own == where:
            calls.append(1)
            if len(calls) == 5:
                raise error("broken")

    before = threading.active_count()
    with pytest.raises(error, match="broken"):
        fill_and_write(runs(PARTS), *(lambda *arguments, own=own: breaks(own) for own in ("fill", "write", "put")))
    assert threading.active_count() == before
    assert len(calls) < len(PARTS)


def test_writing_and_filling_overlap():
    """A fill that waits for the write before it would wait for ever."""
    written = threading.Event()
    parts = [whole(Parameter(str(i), (RUN // 4,), "F32")) for i in range(2)]

    def fill(piece, array):
        if piece.part.name == "1":
            assert written.wait(20)

    def write(piece, array, found):
        if piece.part.name == "0":
            written.set()

    fill_and_write(runs(parts), fill, write)


def test_fills_run_ahead_of_a_slow_writer_but_not_far():
    parts = [whole(Parameter(str(i), (RUN // 4,), "F32")) for i in range(40)]
    filled, most = [], []

    def write(piece, array, found):
        time.sleep(0.002)
        most.append(len(filled) - int(piece.part.name))

    fill_and_write(runs(parts), lambda piece, array: filled.append(1), write)
    assert len(filled) == 40
    assert max(most) <= 2 * 16 + 1
