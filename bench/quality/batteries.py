"""Words → the p-values of a battery of tests, which reads them through a pipe.

Batteries are programs that Debian has: ``dieharder``, and TestU01 (``libtestu01-0``, of ``non-free``) by the program
beside this file.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import IO, NamedTuple

import numpy as np

from bench.quality import testu01

Words = Iterator[np.ndarray]


class Battery(NamedTuple):
    """Programs that read words and print p-values; how a line says its test and p, if it does."""

    commands: list[list[str]]
    read: Callable[[str], tuple[str, float] | None]
    installed: Callable[[], object]


def _of_dieharder(line: str) -> tuple[str, float] | None:
    if line.count(",") < 5:
        return None
    test, number, _, _, p, verdict = line.split(",")[:6]
    return (f"{test.strip()} {number.strip()}", float(p)) if verdict.strip() in ("PASSED", "WEAK", "FAILED") else None


def _of_testu01(line: str) -> tuple[str, float] | None:
    test, tab, p = line.partition("\t")
    return (test, float(p)) if tab else None


def dieharder(*which: str) -> list[str]:
    return ["stdbuf", "-oL", "dieharder", *which, "-g", "200", "-c", ","]


#: tests of dieharder that see most for their time
_QUICK = (0, 1, 2, 3, 8, 11, 15, 100, 101, 102, 200, 204)

BATTERIES = {
    "quick": Battery([dieharder("-d", str(test)) for test in _QUICK], _of_dieharder, lambda: shutil.which("dieharder")),
    "dieharder": Battery([dieharder("-a")], _of_dieharder, lambda: shutil.which("dieharder")),
    **{
        name: Battery([[sys.executable, "-m", "bench.quality.testu01", name]], _of_testu01, testu01.library)
        for name in testu01.BATTERIES
    },
}


def is_installed(name: str) -> bool:
    """Whether a battery can be run here."""
    return bool(BATTERIES[name].installed())


def run(name: str, words: Words, seconds: float) -> Iterator[tuple[str, float]]:
    """(test, p) of a battery, each as soon as it is known; ("...", NaN) where a program's time was over first."""
    battery = BATTERIES[name]
    for command in battery.commands:
        for line in _lines(command, words, seconds):
            if line is None:
                yield f"{name} was ended after {seconds:g} s: {' '.join(command[-6:])}", float("nan")
            elif found := battery.read(line):
                yield f"{name}: {found[0]}", found[1]


def _lines(command: list[str], words: Words, seconds: float) -> Iterator[str | None]:
    """What a program prints that reads words; at the end None if it had to be ended."""
    ended = threading.Event()
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "pipesize": 1 << 20}
    with subprocess.Popen(command, text=True, **pipes) as process:

        def end() -> None:
            ended.set()
            process.kill()

        feeding = threading.Thread(target=_feed, args=(process.stdin, words), daemon=True)
        timer = threading.Timer(seconds, end)
        feeding.start()
        timer.start()
        yield from process.stdout
        timer.cancel()
        feeding.join()
    if ended.is_set():
        yield None


def _feed(pipe: IO[str], words: Words) -> None:
    """Write words until the reader has enough."""
    with contextlib.suppress(OSError):
        for chunk in words:
            data = chunk.astype("<u4", copy=False).view(np.uint8).data
            while data:
                data = data[os.write(pipe.fileno(), data) :]
