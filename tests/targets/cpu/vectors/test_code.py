"""Loops, branches and memory of the code that is built → what the same lines of Python would do."""

import numpy as np
import pytest

from maths.lanes import mapped, traced
from numbainit.maths.values import Value, float64, uint8, uint32, uint64
from numbainit.targets.cpu.vectors.code import (
    Variable,
    append,
    bytes_of,
    copy,
    load,
    minimum,
    number,
    on_stack,
    parameters,
    repeat,
    set_bits,
    store,
    turns,
    when,
)

WORDS = np.array([0, 1, 2, 3, 7, 64, 2**31, 2**32 - 1, 2**63, 2**63 + 5, 0xF0F0_0000_0000_0001, 2**64 - 1], "u8")
SMALL = np.arange(20, dtype="u8")


def test_turns_are_as_many_as_were_asked_for():
    """None at all, too; each knows its number."""

    def function(count):
        ran, total = Variable(count.constant(0)), Variable(count.constant(0))
        with turns(count) as turn:
            ran.set(ran.get() + 1)
            total.set(total.get() + turn * turn)
        return ran.get(), total.get()

    ran, total = mapped(function, SMALL)
    assert ran.tolist() == SMALL.tolist()
    assert total.tolist() == [sum(i * i for i in range(count)) for count in SMALL.tolist()]


def test_loops_test_before_they_run():
    def function(x):
        """How often x can be halved until it is zero."""
        rest, times = Variable(x), Variable(x.constant(0))
        with repeat(lambda: rest.get() != 0, x.builder):
            rest.set(rest.get() >> 1)
            times.set(times.get() + 1)
        return times.get()

    assert mapped(function, WORDS).tolist() == [x.bit_length() for x in WORDS.tolist()]


def test_loops_in_loops():
    def function(count):
        total = Variable(count.constant(0))
        with turns(count) as outer, turns(outer) as inner:
            total.set(total.get() + (inner ^ outer))
        return total.get()

    assert mapped(function, SMALL).tolist() == [
        sum(inner ^ outer for outer in range(count) for inner in range(outer)) for count in SMALL.tolist()
    ]


def test_branches():
    def function(x):
        found = Variable(x.constant(7))
        with when(x > 5):
            found.set(x * 2)
            with when(x > 10):
                found.set(found.get() + 1)
        return found.get()

    want = [7 if x <= 5 else 2 * x + (x > 10) for x in SMALL.tolist()]
    assert mapped(function, SMALL).tolist() == want


@pytest.mark.parametrize("kind", [uint64, uint32], ids=["64", "32"])
def test_set_bits(kind):
    """From the lowest: their numbers become the digits of a result, so that order and repetition would show."""

    def function(mask):
        digits = Variable(mask.constant(1))
        for bit in set_bits(mask):
            digits.set(digits.get() * 131 + bit)
        return digits.get()

    words = WORDS.astype(kind.name)
    modulus = 1 << kind.bits

    def by_hand(mask):
        digits = 1
        for bit in range(kind.bits):
            if mask >> bit & 1:
                digits = (digits * 131 + bit) % modulus
        return digits

    assert mapped(function, words).tolist() == [by_hand(mask) for mask in words.tolist()]


@pytest.mark.parametrize("usual", [1, 3, 8])
@pytest.mark.parametrize("kind", [uint64, uint32], ids=["64", "32"])
def test_append(kind, usual):
    """Numbers of set bits, of more and of fewer than usual, twice in a row: garbage only behind the last."""

    def function(mask, memory):
        end = Variable(memory)
        append(mask, lambda bit: uint32(bit) * 2, end, usual)
        append(mask >> 1, lambda bit: uint32(bit) * 2 + 1, end, usual)
        return end.get()

    words = WORDS.astype(kind.name)
    memory = np.zeros((words.size, 2 * 64 + usual), "u4")
    ends = mapped(function, words, memory.ctypes.data + memory.strides[0] * np.arange(words.size, dtype="u8"))
    for mask, row, end in zip(words.tolist(), memory, ends.tolist(), strict=True):
        want = [2 * bit + turn for turn in range(2) for bit in range(kind.bits) if mask >> turn >> bit & 1]
        assert (end - row.ctypes.data) // 4 == len(want)
        assert row[: len(want)].tolist() == want
        assert not row[len(want) + usual :].any()


def test_minimum_and_number():
    a, b = np.repeat(WORDS, WORDS.size), np.tile(WORDS, WORDS.size)
    assert np.array_equal(mapped(minimum, a, b), np.minimum(a, b))
    made = traced(lambda x: number(x.builder, 2**64 - 1), uint64)
    assert (made.kind, made.ir.constant) == (uint64, 2**64 - 1)


# ---- memory ----


@pytest.mark.parametrize("lanes", [1, 2, 3, 16])
@pytest.mark.parametrize("odd", [0, 1, 3])
def test_loads_and_stores_anywhere(lanes, odd):
    """Neighbours come and go in their order, at addresses that are no multiple of anything, and none beside them."""
    source = np.random.default_rng(1).integers(0, 256, 100, np.uint8)
    target = np.zeros(100, np.uint8)
    size = 4 * lanes

    def function(source, target):
        store(load(source + odd, uint32, lanes), target + (odd + 5))
        return source

    mapped(function, *(np.array([array.ctypes.data], "u8") for array in (source, target)))
    want = np.zeros(100, np.uint8)
    want[odd + 5 : odd + 5 + size] = source[odd : odd + size]
    assert np.array_equal(target, want)


@pytest.mark.parametrize("size", [0, 1, 7, 64, 99])
def test_copies(size):
    source, target = np.random.default_rng(2).integers(1, 256, 100, np.uint8), np.zeros(100, np.uint8)

    def function(source, target, size):
        copy(target, source, size)
        return size

    mapped(function, *(np.array([one], "u8") for one in (source.ctypes.data, target.ctypes.data, size)))
    assert np.array_equal(target[:size], source[:size])
    assert not target[size:].any()


def test_memory_on_the_stack():
    """On cache lines of its own, as long as asked for, and the same in each turn of a loop."""

    def function(x):
        first, second = on_stack(x.builder, uint8, 100), on_stack(x.builder, float64, 3)
        with turns(x.constant(100)) as place:
            store(uint8(x + place), first + place)
        for i in range(3):
            store(x, second + 8 * i)
        total = Variable(x.constant(0))
        with turns(x.constant(100)) as place:
            total.set(total.get() * 3 + uint64(load(first + place, uint8)))
        return total.get(), first, second

    total, first, second = mapped(function, WORDS)

    def by_hand(x):
        total = 0
        for place in range(100):
            total = (total * 3 + (x + place) % 256) % 2**64
        return total

    assert total.tolist() == [by_hand(x) for x in WORDS.tolist()]
    for addresses in (first, second):
        assert not (addresses % 64).any()
        assert len(set(addresses.tolist())) == 1
    assert abs(int(first[0]) - int(second[0])) >= (100 if first[0] < second[0] else 24)


def test_variables_of_many_lanes():
    def function(x):
        total = Variable(x)
        with turns(Value(x.builder, uint64.type(5), uint64)):
            total.set(total.get() + x)
        return total.get()

    x = np.arange(37, dtype="u4")
    assert mapped(function, x, lanes=8).tolist() == (6 * x).tolist()


def test_parameters_are_neighbours():
    numbers = np.array([0.5, -1.25, 3.0])
    got = mapped(lambda address: tuple(parameters(address, 3)), np.array([numbers.ctypes.data], "u8"))
    assert [float(one[0]) for one in got] == numbers.tolist()


def test_sizes():
    assert [bytes_of(kind) for kind in (uint8, uint32, float64)] == [1, 4, 8]
