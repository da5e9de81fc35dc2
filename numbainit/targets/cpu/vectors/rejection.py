"""A chunk of proposals → the rejected ones made again, attempt by attempt, until all lie within their bounds.

One look over the chunk lists where values lie outside: the comparisons of a turn become the bits of one integer, and
only set bits cost anything. The listed are then redone as vectors, a group at a time, and the list shrinks. Redoing
them one by one would cost more than all the others.
"""

from __future__ import annotations

from collections.abc import Callable

from numbainit.maths.stream import ATTEMPT
from numbainit.maths.values import Kind, Value, lane, mask_of, select, uint32, uint64
from numbainit.targets.cpu.vectors.chunk import CHUNK, Chunk
from numbainit.targets.cpu.vectors.code import (
    Variable,
    bytes_of,
    load,
    number,
    on_stack,
    repeat,
    set_bits,
    store,
    turns,
)
from numbainit.targets.cpu.vectors.words import TURN, turn_of

_GROUP = 16  # rejected values that are redone together

Attempt = Callable[[Value, Value], Value]  # (places in the chunk, tag) → their proposals


def redo_rejected(chunk: Chunk, kind: Kind, smallest: Value, largest: Value, attempt: Attempt) -> None:
    """Replace every value outside [smallest, largest] by that of the first later attempt that lies inside."""
    builder = chunk.out.builder
    places = on_stack(builder, uint32, CHUNK + TURN + _GROUP)
    rejected = _find(chunk, kind, smallest, largest, places)
    tag = Variable(number(builder, 0))
    with repeat(lambda: rejected.get() > 0, builder):
        tag.set(tag.get() + int(ATTEMPT))
        count, kept = rejected.get(), Variable(number(builder, 0))
        store(load(places + (count - 1) * 4, uint32).wide(_GROUP), places + count * 4)  # fills the last group up
        with turns((count + (_GROUP - 1)) >> (_GROUP.bit_length() - 1)) as group:
            here = places + group * (4 * _GROUP)
            among = load(here, uint32, _GROUP)
            values = attempt(among, tag.get())
            _scatter(values, chunk.out, among)
            left = count - group * _GROUP
            genuine = select(left < _GROUP, (number(builder, 1) << (left & (_GROUP - 1))) - 1, (1 << _GROUP) - 1)
            _append(_outside(values, smallest, largest) & genuine, here, places, kept)
        rejected.set(kept.get())


def _find(chunk: Chunk, kind: Kind, smallest: Value, largest: Value, places: Value) -> Variable:
    """List the places of the values outside the bounds, NaN too; how many they are."""
    count = Variable(number(chunk.out.builder, 0))
    lanes = turn_of(kind.bits)
    with turns(chunk.turns) as turn:
        first = turn * lanes
        values = load(chunk.out + first * bytes_of(kind), kind, lanes)
        for bit in set_bits(_outside(values, smallest, largest)):
            store(uint32(first + bit), places + count.get() * 4)
            count.set(count.get() + 1)
    return count


def _append(mask: Value, among: Value, places: Value, count: Variable) -> None:
    """Move those of a group whose bits are set to the end of the list."""
    for bit in set_bits(mask):
        store(load(among + bit * 4, uint32), places + count.get() * 4)
        count.set(count.get() + 1)


def _outside(values: Value, smallest: Value, largest: Value) -> Value:
    """A bit for each lane that is not ``smallest <= lane <= largest``."""
    inside = (values >= smallest) & (values <= largest)
    return uint64(mask_of(inside ^ 1))


def _scatter(values: Value, out: Value, places: Value) -> None:
    for i in range(values.lanes):
        store(lane(values, i), out + uint64(lane(places, i)) * bytes_of(values.kind))
