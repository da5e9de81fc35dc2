"""Counters in a row → their words in order, as the reference makes them one by one."""

import numpy as np
import pytest

import reference
from cases import full_only, thinned
from numbainit.targets.cpu.vectors.words import CHAINS, COUNTERS, LANES, TURN, turn_of
from targets.cpu.vectors.runs import DRAW, KEY, run

ROLLOVER = 4 * 2**32  # elements: the next counter has another second word
#: where runs begin: at each lane of a counter, in each chain, and where the low word of a counter becomes zero again
FIRSTS = [0, 1, 2, 3, 4, 5, 15, 16, 17, 63, 64, 4095]
FIRSTS += [ROLLOVER + off for off in (-4097, -65, -64, -5, -1, 0, 1, 3)]
FIRSTS += [ROLLOVER * 7 - 2, 2**62 - 3, 2**63 - 77]
SIZE = 2 * TURN + 5
PURPOSES = {"bits": reference.VALUES, "mask": reference.SPARSE_MASK}


def words(purpose, first, size, key=KEY, draw=DRAW):
    return np.array([reference.word(key, draw, first + i, purpose) for i in range(size)], "u4")


@pytest.mark.parametrize("name", PURPOSES)
@pytest.mark.parametrize(
    "first", thinned(FIRSTS, [0, 1, 3, 4, 17, 64, 4095, ROLLOVER - 65, ROLLOVER - 1, ROLLOVER, 2**62 - 3])
)
def test_words_follow_each_other(name, first):
    assert run(name, "uint32", SIZE, first).tolist() == words(PURPOSES[name], first, SIZE).tolist()


@pytest.mark.parametrize("first", thinned(FIRSTS, [0, 1, 3, 31, 64, ROLLOVER - 65, ROLLOVER - 1, 2**62 - 3]))
def test_pairs_are_high_and_low_words(first):
    high, low = (words(purpose, first, SIZE).astype("u8") for purpose in (reference.VALUES, reference.LOW_WORDS))
    assert run("bits", "uint64", SIZE, first).tolist() == (high << np.uint64(32) | low).tolist()


@pytest.mark.parametrize("element", ["uint32", *full_only("uint64")])
@pytest.mark.parametrize("key", [(0, 0), (2**32 - 1, 2**32 - 1), (2**31, 1), (0x61C88647, 0x44988 << 12)], ids=str)
@pytest.mark.parametrize("draw", [0, 2**31, 2**32 - 1])
def test_keys_and_draws_at_their_edges(element, key, draw):
    """The keys of later rounds overflow, and each word has its own place."""
    first = ROLLOVER - 9
    got = run("bits", element, 21, first, key=key, draw=draw)
    want = words(reference.VALUES, first, 21, key, draw).astype(element)
    if element == "uint64":
        want = want << np.uint64(32) | words(reference.LOW_WORDS, first, 21, key, draw)
    assert got.tolist() == want.tolist()


def test_a_turn_is_whole_registers_of_whole_counters():
    assert COUNTERS * 2 == LANES
    assert TURN == 4 * COUNTERS * CHAINS
    assert [turn_of(bits) for bits in (32, 64)] == [TURN, TURN // 2]
