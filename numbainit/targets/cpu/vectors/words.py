"""A run of counters → their words in memory, in order: Philox4x32-10 on whole registers.

A register of 256 bits holds two counters (the layout of the library MCKL), each as two lanes of 64 bits::

    lane          0                 1                 2, 3
    32-bit half   0       1         2       3         …
    before        c0      c3        c2      c1        the next counter
    times         M0 · c0           M1 · c2           both products of a round by one instruction
    and           low     high      low     high
    the low halves stay: they are the new c3 and c1; the high ones take ^ c3 ^ k1 and ^ c1 ^ k0: the new c2 and c0
    after         c3      c2        c1      c0
    shuffled      c0      c3        c2      c1        ready for the next round
    in the last   c0      c1        c2      c3        reversed instead: the words in their order

That is five instructions for eight words a round with AVX2, three for sixteen with AVX-512, and stores need no
transposition. A product takes five cycles before the next round can use it, so several registers, called chains, go
through the rounds side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from numbainit.maths.philox import MULTIPLIERS, ROUNDS, WEYL
from numbainit.maths.stream import LOW, VALUES
from numbainit.maths.values import Value, lanes_as, row, shuffle, uint32, uint64
from numbainit.targets.cpu.vectors.code import Variable, store, turns

LANES = 8  # of 64 bits: one register of AVX-512, two of AVX2, four of SSE or NEON
COUNTERS = LANES // 2  # in a chain
CHAINS = 4
TURN = 4 * CHAINS * COUNTERS  # words that a turn of a loop makes

_HALVES = 2 * LANES
_SHUFFLED = [4 * (i // 4) + (_HALVES + 3, 0, _HALVES + 1, 2)[i % 4] for i in range(_HALVES)]
_REVERSED = [4 * (i // 4) + (_HALVES + 3, 2, _HALVES + 1, 0)[i % 4] for i in range(_HALVES)]

Finish = Callable[[Value], Value]


def turn_of(bits: int) -> int:
    """How many elements of so many bits a turn makes."""
    return TURN * 32 // bits


class Stream(NamedTuple):
    """What the words of an element depend on beside its counter."""

    draw: Value
    k0: Value
    k1: Value
    round_keys: Sequence[Value]


def stream_of(draw: Value, k0: Value, k1: Value) -> Stream:
    """A stream with the keys of its rounds, which are made once, before all loops."""
    keys = []
    for number in range(ROUNDS):
        first, second = (
            uint64(uint32(key) + (number * weyl & 0xFFFFFFFF)) << 32 for key, weyl in zip((k0, k1), WEYL, strict=True)
        )
        keys.append(_alternate(second, first))
    return Stream(draw, k0, k1, keys)


def _alternate(even: Value, odd: Value) -> Value:
    """Two numbers in turn, in all lanes."""
    return shuffle(even.wide(LANES), odd.wide(LANES), [i + LANES * (i & 1) for i in range(LANES)])


def _rounds(registers: list[Value], keys: Sequence[Value]) -> list[Value]:
    """Counters as they lie before a round → their words in order, as lanes of 32 bits."""
    factors = row(registers[0].builder, uint64, MULTIPLIERS * COUNTERS)
    for number, key in enumerate(keys):
        order = _REVERSED if number == ROUNDS - 1 else _SHUFFLED
        for chain, register in enumerate(registers):
            product = (register & 0xFFFFFFFF) * factors
            mixed = product ^ register ^ key
            halves = shuffle(lanes_as(product, uint32), lanes_as(mixed, uint32), order)
            registers[chain] = lanes_as(halves, uint64)
    return [lanes_as(register, uint32) for register in registers]


def _first_register(stream: Stream, counter: Value, tag: int) -> Value:
    """The counter and those after it, as they lie before the first round."""
    low, high = counter & 0xFFFFFFFF, counter >> 32
    both = _alternate(low | (tag << 32), stream.draw | (high << 32))
    return both + _steps(both, range(COUNTERS))


def _steps(like: Value, numbers: Sequence[int]) -> Value:
    """What is added to the counters of a register; a chunk never crosses a multiple of 2^32 counters."""
    return row(like.builder, uint64, [step for number in numbers for step in (number, 0)])


def _next_chains(position: Variable, count: int) -> list[Value]:
    """So many registers of counters that follow each other; the position goes on behind them."""
    first = position.get()
    position.set(first + _steps(first, [count * COUNTERS] * COUNTERS))
    return [first + _steps(first, [chain * COUNTERS] * COUNTERS) for chain in range(count)]


def fill_words(target: Value, count: Value, stream: Stream, counter: Value, tag: int, finish: Finish) -> None:
    """So many turns of words from a counter on, 32 bits each, as ``finish`` leaves them."""
    position = Variable(_first_register(stream, counter, tag))
    with turns(count) as turn:
        address = target + turn * (4 * TURN)
        for chain, words in enumerate(_rounds(_next_chains(position, CHAINS), stream.round_keys)):
            store(finish(words), address + chain * 4 * _HALVES)


def fill_pairs(target: Value, count: Value, stream: Stream, counter: Value, finish: Finish) -> None:
    """The same in 64 bits: high words joined with low words; a turn is half as many elements in as much memory."""
    positions = [Variable(_first_register(stream, counter, tag)) for tag in (int(VALUES), int(LOW))]
    each = CHAINS // 2
    with turns(count) as turn:
        address = target + turn * (4 * TURN)
        chains = [chain for position in positions for chain in _next_chains(position, each)]
        words = _rounds(chains, stream.round_keys)
        for chain, (high, low) in enumerate(zip(words[:each], words[each:], strict=True)):
            for half in range(2):
                lanes = [i // 2 + half * LANES + (0, _HALVES)[i & 1] for i in range(_HALVES)]
                joined = lanes_as(shuffle(low, high, lanes), uint64)
                store(finish(joined), address + (2 * chain + half) * 8 * LANES)
