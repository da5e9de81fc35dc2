"""A case (a law, a dtype, shapes) and libraries → the best time of each, measured in turns.

Machines throttle, and others use them: what is compared is measured side by side, round by round, and the best round
counts. Before the first round everything was called once, so that code is compiled and memory is touched.
"""

import gc
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from numbainit.measure.peers import OURS, Call, Library, plain_fills

_SHORTEST = 0.002  # seconds: what is quicker is repeated
_ROUND = 0.05  # seconds: what is quicker is timed several times a round, for one quiet moment may come
_LONGEST = 1.0  # seconds: peers that are slower get fewer elements, where a law allows it
_PROBE = 1 << 18  # elements from which a peer's speed is guessed
_MOST_REPEATS = 10_000


@dataclass(frozen=True)
class Case:
    """A row of the table: arrays of some shapes, filled one after the other with a law."""

    name: str
    law: str
    dtype: np.dtype
    shapes: tuple[tuple[int, ...], ...]
    divisible: bool = False  # a peer may be measured on a part: the first rows of the only array

    @property
    def elements(self) -> int:
        """In all arrays together."""
        return sum(math.prod(shape) for shape in self.shapes)

    @property
    def nbytes(self) -> int:
        """Of all arrays together."""
        return self.elements * self.dtype.itemsize


@dataclass
class Turn:
    """What is timed once a round."""

    call: Call
    elements: int
    repeats: int = 1
    samples: int = 1
    best: float = math.inf

    def warm(self) -> "Turn":
        """Compile, touch memory, and find how often it must be repeated to be timed."""
        self.call()
        start = time.perf_counter()
        self.call()
        seconds = max(time.perf_counter() - start, 1e-8)
        self.repeats = max(1, min(_MOST_REPEATS, math.ceil(_SHORTEST / seconds)))
        self.samples = max(1, int(_ROUND / (seconds * self.repeats)))
        return self

    def measure(self) -> None:
        """Once more; the best of all rounds is kept."""
        call = self.call
        for _ in range(self.samples):
            start = time.perf_counter()
            for _ in range(self.repeats):
                call()
            self.best = min(self.best, (time.perf_counter() - start) / self.repeats)


@dataclass
class Row:
    """What was measured for a case: turns by name of the library, and those of the plain fills."""

    case: Case
    turns: dict[str, Turn] = field(default_factory=dict)
    fills: dict[str, Turn] = field(default_factory=dict)

    def speed(self, turn: Turn) -> float:
        """GB/s."""
        return turn.elements * self.case.dtype.itemsize / turn.best / 1e9

    def as_json(self) -> dict[str, Any]:
        """The row as ``--json`` prints it."""
        ours, ceiling = self.turns[OURS], min(self.fills, key=lambda name: self.fills[name].best)
        facts = {
            "case": self.case.name,
            "law": self.case.law,
            "dtype": self.case.dtype.name,
            "shapes": [list(shape) for shape in dict.fromkeys(self.case.shapes)],
            "arrays": len(self.case.shapes),
            "elements": self.case.elements,
            "bytes": self.case.nbytes,
            "seconds": ours.best,
            "gb_per_second": self.speed(ours),
            "fill": {"by": ceiling, "seconds": self.fills[ceiling].best, "gb_per_second": self._ceiling},
            "share_of_fill": self.speed(ours) / self._ceiling,
        }
        return facts | {"peers": {name: self._peer(turn) for name, turn in self.turns.items() if name != OURS}}

    @property
    def _ceiling(self) -> float:
        return max(self.speed(turn) for turn in self.fills.values())

    def _peer(self, turn: Turn) -> dict[str, Any]:
        speed = self.speed(turn)
        return {
            "elements": turn.elements,
            "fewer": turn.elements < self.case.elements,
            "seconds": turn.best,
            "gb_per_second": speed,
            "ratio": self.speed(self.turns[OURS]) / speed,
        }


def measure(case: Case, libraries: Sequence[Library], rounds: int) -> Row:
    """Time each library on the case, and the plain fills, ``rounds`` times in turn."""
    arrays = [np.full(shape, 0.5, case.dtype) for shape in case.shapes]
    row = Row(case)
    for name in plain_fills(arrays[0]):
        row.fills[name] = Turn(_in_sequence([plain_fills(array)[name] for array in arrays]), case.elements).warm()
    for library in libraries:
        turn = _turn(library, case, arrays)
        if turn:
            row.turns[library.name] = turn.warm()
    in_rounds([*row.fills.values(), *row.turns.values()], rounds)
    return row


def in_rounds(turns: Sequence[Turn], rounds: int) -> None:
    """Each turn once a round, beginning with another one each time, without garbage collections in between."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        for number in range(rounds):
            first = number % len(turns)
            for turn in (*turns[first:], *turns[:first]):
                turn.measure()
    finally:
        if collecting:
            gc.enable()


def _turn(library: Library, case: Case, arrays: list[np.ndarray]) -> Turn | None:
    if case.divisible and library.name != OURS:
        arrays = [arrays[0][: _rows(library, case.law, arrays[0])]]
    calls = [library.call(case.law, array) for array in arrays]
    known = [call for call in calls if call is not None]
    return Turn(_in_sequence(known), sum(array.size for array in arrays)) if known else None


def _rows(library: Library, law: str, array: np.ndarray) -> int:
    """How many rows of the array a library fills in about a second."""
    few = max(1, _PROBE * len(array) // array.size)
    call = library.call(law, array[:few]) if few < len(array) else None
    if call is None:
        return len(array)
    probe = Turn(call, 0)
    probe.warm().measure()
    return _affordable(len(array), few, probe.best)


def _affordable(rows: int, few: int, seconds: float) -> int:
    """All rows, or the largest power of two of them that takes a second, if ``few`` take ``seconds``."""
    possible = int(few * _LONGEST / seconds)
    return rows if possible >= rows else max(few, 1 << max(possible.bit_length() - 1, 0))


def _in_sequence(calls: list[Call]) -> Call:
    if len(calls) == 1:
        return calls[0]

    def call_all() -> None:
        for call in calls:
            call()

    return call_all


def best_of(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """The best time of each call in seconds, measured in turns."""
    turns = {name: Turn(call, 0).warm() for name, call in calls.items()}
    in_rounds(list(turns.values()), rounds)
    return {name: turn.best for name, turn in turns.items()}
