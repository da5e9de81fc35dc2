"""A run of elements → chunks that stay in L1 between the passes of a law, each in whole turns.

A chunk begins with a counter and ends with a turn, so what is filled may be more than what is wanted at both ends: such
a chunk is made aside and copied. Chunks lie on a fixed grid of elements, so that only the first and the last can be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from numbainit.maths.values import Kind, Value, select
from numbainit.targets.cpu.vectors.code import Variable, bytes_of, copy, minimum, on_stack, repeat, when
from numbainit.targets.cpu.vectors.words import TURN, Stream

CHUNK = 4096  # elements at most


@dataclass(frozen=True)
class Chunk:
    """Memory for the elements of whole turns of counters: its address, the first counter, how many of what."""

    out: Value
    counter: Value
    turns: Value
    elements: Value
    stream: Stream


def fill_chunks(
    out: Value, size: Value, first: Value, kind: Kind, turn: int, stream: Stream, fill: Callable[[Chunk], None]
) -> None:
    """Let ``fill(chunk)`` make ``size`` elements of a kind from number ``first`` on, ``turn`` of them in each turn."""
    aside, itemsize = on_stack(out.builder, kind, CHUNK + TURN), bytes_of(kind)
    end = first + size
    position = Variable(first)
    with repeat(lambda: position.get() < end, out.builder):
        begin = position.get()
        stop = minimum((begin | (CHUNK - 1)) + 1, end)
        start = begin & -4
        turns = (stop - start + (turn - 1)) >> (turn.bit_length() - 1)
        elements = turns * turn
        ragged = (start != begin) | (start + elements != stop)
        place = out + (begin - first) * itemsize
        fill(Chunk(select(ragged, aside, place), start >> 2, turns, elements, stream))
        with when(ragged):
            copy(place, aside + (begin - start) * itemsize, (stop - begin) * itemsize)
        position.set(stop)
