"""``numbainit bits``: a seed → raw words on the standard output, for batteries of statistical tests.

Words of one draw follow each other for ever. Other orders show what these hide: words of neighbouring draws, names or
seeds, taken in turn, and words with their bits from right to left.
"""

import argparse
import contextlib
import os
import queue
import select
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from numbainit.command import terminal
from numbainit.errors import InvalidValueError
from numbainit.generator import Generator
from numbainit.init import bits_
from numbainit.targets.cpu.launch import limited
from numbainit.weights.blocks import Block

_WORDS = 1 << 18  # at a time: a megabyte, which stays in a cache between those who make, write and read it
_MOST_WORDS = 1 << 62
_STREAMS = 1 << 10  # that are taken in turn
_AHEAD = 4  # megabytes that wait for the reader
_SET_PIPE_SIZE, _PIPE = 1031, 1 << 20  # F_SETPIPE_SZ of Linux, and bytes that everybody may ask for

Stream = Callable[[int, int], Generator]  # a seed, a number → whose first draw is read


def _of_draw(seed: int, number: int) -> Generator:
    return Generator.from_key(*Generator(seed).key, draws=number)


def _of_name(seed: int, number: int) -> Generator:
    return Generator(seed).fold_in(f"layers.{number}.weight")


def _of_seed(seed: int, number: int) -> Generator:
    return Generator(seed + number)


#: orders in which streams take turns, a word each, and their streams
_TURNS: dict[str, Stream] = {"draws": _of_draw, "names": _of_name, "seeds": _of_seed}
ORDERS = ("words", "reversed", *_TURNS)


def add(commands: Any) -> None:
    """The command, as argparse knows it."""
    parser = commands.add_parser(
        "bits",
        help="write raw random words, for statistical tests",
        description="Write the raw words of a seed to the standard output, 32 bits each, lowest byte first: what "
        "bits_ puts into an array of uint32. They go on until the reader has enough.",
        allow_abbrev=False,
    )
    parser.add_argument("--seed", type=terminal.seed, required=True, metavar="N", help="a whole number")
    parser.add_argument("--bytes", type=terminal.size, metavar="N", help="such as 1000000 or 2^30 (default: no end)")
    parser.add_argument(
        "--order",
        choices=ORDERS,
        default="words",
        help="words: as they follow in draw 0 (default); reversed: the same, bits from right to left; draws, names, "
        f"seeds: a word of each of {_STREAMS} draws, fold_in names or seeds in turn",
    )
    parser.set_defaults(run=_run)


def chunks(seed: int, order: str = "words") -> Iterator[np.ndarray]:
    """Words as uint32 arrays of megabytes, which are overwritten some turns later.

    Examples
    --------
    >>> import numbainit as init
    >>> from numbainit.command.bits import chunks
    >>> first = next(chunks(7))
    >>> bool((first[:8] == init.bits(8, generator=7)).all())
    True
    """
    if order in _TURNS:
        yield from _in_turn([_TURNS[order](seed, number) for number in range(_STREAMS)])
        return
    key = Generator(seed).key
    buffers = [np.empty(_WORDS, np.uint32) for _ in range(2 * _AHEAD)]
    for start in range(0, _MOST_WORDS, _WORDS):
        words = buffers[start // _WORDS % len(buffers)]
        bits_(words, generator=Generator.from_key(*key), block=Block((_MOST_WORDS,), (start,)))
        if order == "reversed":
            _reverse(words)
        yield words


def _reverse(words: np.ndarray) -> None:
    """Bits from right to left: the bytes, and in each of them halves, quarters, bits."""
    words.byteswap(inplace=True)
    right = np.empty_like(words)
    for shift, mask in ((4, 0x0F0F0F0F), (2, 0x33333333), (1, 0x55555555)):
        np.right_shift(words, shift, out=right)
        right &= np.uint32(mask)
        words &= np.uint32(mask)
        words <<= np.uint32(shift)
        words |= right


def _in_turn(generators: list[Generator]) -> Iterator[np.ndarray]:
    each = 16 * _WORDS // len(generators)  # a call of bits_ for fewer would take longer than its words
    words = np.empty((len(generators), each), np.uint32)
    streams = [(one.key, one.draws) for one in generators]
    for start in range(0, _MOST_WORDS, each):
        for row, (key, draws) in zip(words, streams, strict=True):
            bits_(row, generator=Generator.from_key(*key, draws=draws), block=Block((_MOST_WORDS,), (start,)))
        yield np.ascontiguousarray(words.T).reshape(-1)


def _run(arguments: argparse.Namespace) -> int:
    if sys.stdout is None:
        raise InvalidValueError("the standard output is closed; redirect it: numbainit bits ... | program, or > file")
    if sys.stdout.isatty():
        raise InvalidValueError("these are raw bytes, and this is a terminal: numbainit bits ... | program, or > file")
    output = sys.stdout.fileno()
    # one thread makes more than a pipe takes; suppressed: the reader has enough
    with limited(1), contextlib.suppress(BrokenPipeError):
        _write(output, chunks(arguments.seed, arguments.order), arguments.bytes)
    return 0


def _write(output: int, words: Iterator[np.ndarray], limit: int | None) -> None:
    """Write chunks while the next ones are made."""
    _enlarge(output)
    waiting: queue.Queue[memoryview | None] = queue.Queue(_AHEAD)
    failures: list[OSError] = []

    def drain() -> None:
        while (data := waiting.get()) is not None:
            try:
                if not failures:
                    _write_all(output, data)
            except OSError as error:
                failures.append(error)

    pieces = _first(words, limit)
    writer = threading.Thread(target=drain, daemon=True)
    try:
        writer.start()
    except RuntimeError:  # no more are allowed
        for data in pieces:
            _write_all(output, data)
        return
    try:
        for data in pieces:
            waiting.put(data)
            if failures:
                break
        waiting.put(None)
        writer.join()
    except BaseException as error:  # of a signal, perhaps: then nobody waits for a reader that does not read
        failures.append(OSError(f"given up: {error}"))
        with contextlib.suppress(queue.Empty):
            while True:
                waiting.get_nowait()
        waiting.put(None)
        raise
    if failures:
        raise failures[0]


def _first(words: Iterator[np.ndarray], limit: int | None) -> Iterator[memoryview]:
    """The bytes of chunks, lowest first, until there are so many."""
    left = limit
    while left is None or left > 0:
        data = next(words).astype("<u4", copy=False).view(np.uint8).data[:left]
        yield data
        left = None if left is None else left - len(data)


def _write_all(output: int, data: memoryview) -> None:
    while data:
        try:
            data = data[os.write(output, data) :]
        except BlockingIOError:  # who else has this pipe open does not wait for it
            select.select([], [output], [])


def _enlarge(output: int) -> None:
    """A pipe of Linux holds 64 KiB, and wakes its reader as often."""
    try:
        import fcntl

        fcntl.fcntl(output, _SET_PIPE_SIZE, _PIPE)
    except (ImportError, OSError):  # no pipe, or no Linux
        return
