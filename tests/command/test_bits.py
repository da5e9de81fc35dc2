"""``numbainit bits`` → the words of a seed, in each order, as many as are asked for; a reader may leave."""

import io
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import numbainit as init
from cases import thinned
from numbainit.command import bits
from numbainit.command.cli import main


def run(*words, **options):
    command = [sys.executable, "-m", "numbainit", "bits", *words]
    return subprocess.run(command, capture_output=True, timeout=300, check=False, **options)


def head(order, count=3):
    found = []
    for number, chunk in enumerate(bits.chunks(7, order)):
        found.append(chunk.copy())
        if number + 1 == count:
            return np.concatenate(found)
    raise AssertionError("the words came to an end")


def test_words_are_those_of_the_first_draw():
    found = head("words")
    assert np.array_equal(found, init.bits(found.size, generator=7))


def test_bits_from_right_to_left():
    found, wanted = head("reversed"), init.bits(3 << 18, generator=7)
    places = [0, 1, 5, 262_143, 262_144, found.size - 1]
    assert [f"{word:032b}" for word in found[places]] == [f"{word:032b}"[::-1] for word in wanted[places]]


@pytest.mark.full
@pytest.mark.parametrize(
    ("order", "stream"),
    [
        ("draws", lambda number: init.Generator(7, draws=number)),
        ("names", lambda number: init.Generator(7).fold_in(f"layers.{number}.weight")),
        ("seeds", lambda number: init.Generator(7 + number)),
    ],
)
def test_streams_in_turn(order, stream):
    table = head(order, 2).reshape(-1, 1024)
    for number in (0, 1, 2, 1023):
        assert np.array_equal(table[:, number], init.bits(len(table), generator=stream(number)))


@pytest.mark.parametrize("size", thinned([0, 1, 4, 1003, (1 << 20) + 5], [1003]))
def test_as_many_bytes_as_asked_for(size):
    done = run("--seed", "7", "--bytes", str(size))
    assert (done.returncode, done.stderr) == (0, b"")
    wanted = init.bits(size // 4 + 1, generator=7).astype("<u4").tobytes()
    assert done.stdout == wanted[:size]


@pytest.mark.full
def test_sizes_may_be_powers():
    assert len(run("--seed", "7", "--bytes", "2^11", "--order", "names").stdout) == 2048


@pytest.mark.parametrize("size", ["-1", "2^64", "2^", "x", "1e6", "2^-3", "9" * 5000])
def test_sizes_that_are_none(size, capsys):
    assert main(["bits", "--seed", "7", f"--bytes={size}"]) == 2
    assert "wanted a whole number" in capsys.readouterr().err


@pytest.mark.full
def test_a_reader_that_leaves_ends_it_quietly():
    command = [sys.executable, "-m", "numbainit", "bits", "--seed", "7"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.read(8) == init.bits(2, generator=7).astype("<u4").tobytes()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_a_closed_output_is_refused(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["bits", "--seed", "7"]) == 2
    assert "is closed; redirect it" in capsys.readouterr().err


def test_where_no_thread_can_be_started(monkeypatch, tmp_path):
    def start(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    with (tmp_path / "words").open("wb") as output:
        bits._write(output.fileno(), bits.chunks(7), 1001)
    assert (tmp_path / "words").read_bytes() == init.bits(251, generator=7).astype("<u4").tobytes()[:1001]


@pytest.mark.skipif(os.name != "posix", reason="this platform has no pipes that are not waited for")
def test_a_pipe_that_is_not_waited_for_is_filled_all_the_same():
    """Who else has it open, as node.js does, may have said so."""
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    found = []

    def read():
        time.sleep(0.05)  # the pipe is full by then
        while data := os.read(read_end, 1 << 16):
            found.append(data)

    reader = threading.Thread(target=read)
    reader.start()
    bits._write(write_end, bits.chunks(7), 3 << 20)
    os.close(write_end)
    reader.join()
    os.close(read_end)
    assert b"".join(found) == init.bits(3 << 18, generator=7).astype("<u4").tobytes()


@pytest.mark.full
@pytest.mark.skipif(os.name != "posix", reason="this platform has no signals to send")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_does_not_wait_for_a_reader_that_does_not_read(number):
    code = (
        "import signal; from numbainit.command.starting import run\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler); run()"  # whatever the parent ignores
    )
    command = [sys.executable, "-c", code, "bits", "--seed", "7"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.read(8)
        time.sleep(0.5)  # the pipe is full by then, or will be
        process.send_signal(number)
        assert process.wait(timeout=300) == 128 + number


def test_a_terminal_is_spared(monkeypatch, capsys):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stdout", Terminal())
    assert main(["bits", "--seed", "7"]) == 2
    assert "terminal" in capsys.readouterr().err


@pytest.mark.full
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="this platform has no /dev/full")
def test_a_full_device_is_one_line():
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "numbainit", "bits", "--seed", "7", "--bytes", "100"],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=300,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith(b"numbainit: error:")
    assert done.stderr.count(b"\n") == 1
