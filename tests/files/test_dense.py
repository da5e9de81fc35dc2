"""Files without a gap: each run at its place gives the bytes that one after the other does."""

import io
import os

import numpy as np
import pytest

from numbainit.files.dense import Dense
from numbainit.files.headers import Parameter
from numbainit.files.layout import Layout
from numbainit.files.pieces import runs, whole
from numbainit.targets.cpu.runs import RUN

PARTS = [
    whole(Parameter(f"small.{i}", (i % 7, 3), dtype)) for i, dtype in enumerate(["F64", "BF16", "BOOL", "F32"] * 40)
]
PARTS[50:50] = [whole(Parameter("large", (3, RUN // 4 + 5), "F32")), whole(Parameter("matrix", (RUN // 2 + 3,), "F32"))]
HEAD = b"head"
FORM = Dense(Layout(HEAD, PARTS, len(HEAD) + sum(part.nbytes for part in PARTS)))
RUNS = list(runs(PARTS, {"matrix": False}))


def values(piece):
    """Bytes that are other ones in each piece."""
    rng = np.random.default_rng([piece.first, *piece.part.name.encode()])
    bytes_ = rng.integers(0, 256, piece.box.nbytes, np.uint8)
    return bytes_.view(piece.part.of.numpy_dtype).reshape(piece.box.shape)


@pytest.fixture(scope="module")
def in_order():
    file = io.BytesIO()
    with FORM.writing(file) as write:
        for run in RUNS:
            for piece in run:
                write(piece, values(piece), None)
    return file.getvalue()


def test_in_order_is_head_and_values(in_order):
    assert in_order == HEAD + b"".join(values(piece).tobytes() for run in RUNS for piece in run)
    assert len(in_order) == FORM.size


@pytest.mark.parametrize("order", [1, -1])
def test_at_their_places(tmp_path, in_order, order):
    with (tmp_path / "m").open("wb") as file:
        put = FORM.putting(file)
        for run in RUNS[::order]:
            put(run, [values(piece) for piece in run])
    assert (tmp_path / "m").read_bytes() == in_order


def test_what_the_system_takes_a_little_of_at_a_time(tmp_path, monkeypatch, in_order):
    real, taken = os.pwritev, []

    def little(descriptor, memory, at):
        """Half of what it is given: of several, an end within one, between two, and within the first."""
        size = -(-sum(map(len, memory)) // 2)
        taken.append(size)
        return real(descriptor, [b"".join(memory)[:size]], at)

    monkeypatch.setattr(os, "pwritev", little)
    with (tmp_path / "m").open("wb") as file:
        put = FORM.putting(file)
        for run in RUNS:
            put(run, [values(piece) for piece in run])
    assert (tmp_path / "m").read_bytes() == in_order
    assert len(taken) > 2 * len(RUNS)


def test_no_write_is_long(tmp_path, monkeypatch):
    """Between two of them signals are heard, whatever is made as a whole."""
    real, sizes = os.pwritev, []
    monkeypatch.setattr(os, "pwritev", lambda *given: (sizes.append(sum(map(len, given[1]))), real(*given))[1])
    (run,) = (run for run in RUNS if run[0].part.name == "matrix")
    with (tmp_path / "m").open("wb") as file:
        FORM.putting(file)(run, [values(piece) for piece in run])
    assert run[0].box.nbytes > 2 * RUN - 16
    assert max(sizes) == RUN


def test_a_system_that_has_no_places(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "pwritev")
    with (tmp_path / "m").open("wb") as file:
        assert FORM.putting(file) is None
    assert (tmp_path / "m").read_bytes() == b""
