"""Counters and keys → the package's Philox4x32-10 gives the published words, and the reference's on any others."""

import numpy as np
import pytest
from numba import njit

import reference
from numbainit.maths.philox import philox4x32, philox4x32_pairs


@njit
def _block(c0, c1, c2, c3, k0, k1):
    lanes = philox4x32(np.uint64(c0), np.uint64(c1), np.uint64(c2), np.uint64(c3), np.uint64(k0), np.uint64(k1))
    return np.uint32(lanes[0]), np.uint32(lanes[1]), np.uint32(lanes[2]), np.uint32(lanes[3])


def block(counter, key):
    return tuple(int(w) for w in _block(*counter, *key))


@pytest.mark.parametrize(
    ("counter", "key", "output"), [row for rounds, *row in reference.known_answers() if rounds == 10]
)
def test_known_answers(counter, key, output):
    assert block(counter, key) == output


def test_cpp26_anchor():
    """The C++26 standard: the 10,000th output of ``philox4x32`` seeded with 20111115."""
    assert block((2499, 0, 0, 0), (20111115, 0))[3] == 1955073260


def test_equals_the_reference_on_random_counters():
    rng = np.random.default_rng(1)
    for c0, c1, c2, c3, k0, k1 in rng.integers(0, 2**32, (500, 6)).tolist():
        counter, key = (c0, c1, c2, c3), (k0, k1)
        assert block(counter, key) == reference.philox4x32(counter, key)


@pytest.mark.parametrize("place", range(6))
@pytest.mark.parametrize("edge", [1, 2**31 - 1, 2**31, 2**32 - 1])
def test_equals_the_reference_where_one_word_is_at_an_edge(place, edge):
    words = [0] * 6
    words[place] = edge
    counter, key = tuple(words[:4]), tuple(words[4:])
    assert block(counter, key) == reference.philox4x32(counter, key)


def test_garbage_above_a_word_does_not_matter():
    """Lanes are 64 bits wide: a counter that overflowed its word counts modulo 2^32."""
    assert block((2**32 + 5, 2**40 + 6, 7, 8), (9, 10)) == reference.philox4x32((5, 6, 7, 8), (9, 10))


@njit
def _pairs(c0, c1, c2, c3, k0, k1):
    return philox4x32_pairs(np.uint64(c0), np.uint64(c1), np.uint64(c2), np.uint64(c3), np.uint64(k0), np.uint64(k1))


@pytest.mark.parametrize("counter", [(0, 0, 0, 0), (2**32 - 1,) * 4, (2**32 + 5, 2**40 + 6, 7, 3 << 8 | 2)])
@pytest.mark.parametrize("key", [(0, 0), (2**32 - 1, 2**32 - 1), (0xA4093822, 0x299F31D0)])
def test_pairs_are_the_words_as_memory_holds_them(counter, key):
    w0, w1, w2, w3 = reference.philox4x32(tuple(word % 2**32 for word in counter), key)
    assert tuple(map(int, _pairs(*counter, *key))) == (w1 << 32 | w0, w3 << 32 | w2)
