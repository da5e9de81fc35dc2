"""Words in many orders, and words recovered from laws and masks → dieharder's tests, through a pipe.

A law's words are recovered by its distribution function: 16 bits of each of two values make a word. The mask of a
sparse matrix gives the row of the zero in each column of 2^16 rows with one zero.
"""

import contextlib
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator

import numpy as np
from scipy import special

import numbainit as init
from numbainit.command.bits import ORDERS, chunks

_SIZE = 1 << 20  # values at a time
#: tests that see most for their time; ``-a`` runs all of them
QUICK = (0, 1, 2, 3, 8, 11, 15, 100, 101, 102, 200, 204)


def _halves(numbers: np.ndarray) -> np.ndarray:
    return np.minimum(numbers * 65536.0, 65535.0).astype(np.uint16).view(np.uint32)


def _uniform(seed: int) -> Iterator[np.ndarray]:
    generator = init.Generator(seed)
    while True:
        yield _halves(init.uniform(_SIZE, generator=generator))


def _normal(seed: int) -> Iterator[np.ndarray]:
    generator = init.Generator(seed)
    while True:
        yield _halves(special.ndtr(init.normal(_SIZE, generator=generator).astype(np.float64)))


def _truncated(seed: int) -> Iterator[np.ndarray]:
    generator, low = init.Generator(seed), special.ndtr(-2.0)
    while True:
        values = init.trunc_normal(_SIZE, generator=generator).astype(np.float64)
        yield _halves((special.ndtr(values) - low) / (1 - 2 * low))


def _masks(seed: int) -> Iterator[np.ndarray]:
    generator = init.Generator(seed)
    while True:
        matrix = init.sparse((1 << 16, 64), 2.0**-16, 1.0, generator=generator)
        yield np.argmin(np.abs(matrix), axis=0).astype(np.uint16).view(np.uint32)


#: name → words, without an end
SOURCES = {
    **{order: (lambda seed, order=order: chunks(seed, order)) for order in ORDERS},
    "of uniform_": _uniform,
    "of normal_": _normal,
    "of trunc_normal_": _truncated,
    "of sparse_'s mask": _masks,
}


def run(source: str, seed: int, every: bool, seconds: float) -> Iterator[tuple[str, float]]:
    """(test, p) of dieharder on a source, until its time is over."""
    if shutil.which("dieharder") is None:
        return
    for words in [("-a",)] if every else [("-d", str(test)) for test in QUICK]:
        try:
            text = _piped(["dieharder", *words, "-g", "200", "-c", ","], SOURCES[source](seed), seconds)
        except subprocess.TimeoutExpired:
            continue
        for line in text.splitlines():
            name, *_, p, verdict = line.split(",") if line.count(",") >= 5 else ("", "", "")
            if verdict.strip() in ("PASSED", "WEAK", "FAILED"):
                yield f"{name.strip()} {line.split(',')[1].strip()}", float(p)


def _piped(command: list[str], words: Iterator[np.ndarray], seconds: float) -> str:
    read, write = os.pipe()
    with subprocess.Popen(command, stdin=read, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        os.close(read)  # whose end the program alone holds: when it has read enough, a write says so

        def feed() -> None:
            with open(write, "wb", buffering=0) as pipe, contextlib.suppress(OSError):
                for chunk in words:
                    data = chunk.astype("<u4", copy=False).view(np.uint8).data
                    while data:
                        data = data[pipe.write(data) :]

        threading.Thread(target=feed, daemon=True).start()
        try:
            return process.communicate(timeout=seconds)[0].decode()
        except subprocess.TimeoutExpired:
            process.kill()
            raise
