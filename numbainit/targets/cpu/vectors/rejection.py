"""A chunk of proposals → the rejected ones made again, attempt by attempt, until all lie within their bounds.

One look over the chunk lists where values lie outside: the comparisons of a turn become the bits of one integer, and
only set bits cost anything. The listed are then redone as vectors, a group at a time, and the list shrinks. Redoing
them one by one would cost more than all the others.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from numbainit.maths.stream import ATTEMPT
from numbainit.maths.values import Kind, Value, lane, mask_of, select, uint32, uint64
from numbainit.targets.cpu.vectors.chunk import CHUNK, Chunk
from numbainit.targets.cpu.vectors.code import (
    Variable,
    append,
    bytes_of,
    load,
    number,
    on_stack,
    repeat,
    store,
    turns,
)
from numbainit.targets.cpu.vectors.words import TURN, turn_of

_GROUP = 16  # rejected values that are redone together
_USUAL = 6  # rejected of a turn of 64 at 2 sigma; more take a loop

Attempt = Callable[[Value, Value], Value]  # (places in the chunk, tag) → their proposals


def redo_rejected(chunk: Chunk, kind: Kind, smallest: Value, largest: Value, attempt: Attempt) -> None:
    """Replace every value outside [smallest, largest] by that of the first later attempt that lies inside."""
    builder = chunk.out.builder
    places = on_stack(builder, uint32, CHUNK + TURN + _GROUP)
    end = Variable(places)
    _find(chunk, kind, smallest, largest, end)
    tag = Variable(number(builder, 0))
    with repeat(lambda: end.get() > places, builder):
        tag.set(tag.get() + int(ATTEMPT))
        count = (end.get() - places) >> 2
        store(load(end.get() - 4, uint32).wide(_GROUP), end.get())  # fills the last group up
        end.set(places)
        with turns((count + (_GROUP - 1)) >> (_GROUP.bit_length() - 1)) as group:
            here = places + group * (4 * _GROUP)
            among = load(here, uint32, _GROUP)
            values = attempt(among, tag.get())
            left = count - group * _GROUP
            genuine = select(left < _GROUP, (number(builder, 1) << (left & (_GROUP - 1))) - 1, (1 << _GROUP) - 1)
            _settle(values, chunk.out, here, _outside(values, smallest, largest) & genuine, end)


def _find(chunk: Chunk, kind: Kind, smallest: Value, largest: Value, end: Variable) -> None:
    """List the places of the values outside the bounds, NaN too."""
    lanes = turn_of(kind.bits)
    with turns(chunk.turns) as turn:
        first = turn * lanes
        values = load(chunk.out + first * bytes_of(kind), kind, lanes)
        append(_outside(values, smallest, largest), partial(_place, first), end, _USUAL)


def _place(first: Value, bit: Value) -> Value:
    return uint32(first + bit)


def _settle(values: Value, out: Value, here: Value, again: Value, end: Variable) -> None:
    """Put a group's values in their places; the places whose bits are set in ``again`` are listed once more.

    The new list grows over the old one, and never passes the place that is read: every place is written to its end,
    which moves on by the bit. Branches on such bits would be foreseen by no processor.
    """
    for i in range(_GROUP):
        place, after = load(here + 4 * i, uint32), end.get()
        store(lane(values, i), out + uint64(place) * bytes_of(values.kind))
        store(place, after)
        end.set(after + (((again >> i) & 1) << 2))


def _outside(values: Value, smallest: Value, largest: Value) -> Value:
    """A bit for each lane that is not ``smallest <= lane <= largest``."""
    inside = (values >= smallest) & (values <= largest)
    return uint64(mask_of(inside ^ 1))
