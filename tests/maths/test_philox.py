"""Counters and keys → the package's Philox4x32-10 gives the published words, and the reference's on any others.

How a CPU packs the words of counters in a row is the matter of ``tests/targets/cpu/vectors/test_words.py``.
"""

import numpy as np

import reference
from maths.lanes import every_way, mapped
from numbainit.maths.philox import philox4x32


def blocks(rows, lanes):
    """The words of rows ``(c0, c1, c2, c3, k0, k1)``."""
    words = mapped(philox4x32, *np.array(rows, "u8").T.copy(), lanes=lanes)
    return [tuple(int(word) % 2**32 for word in row) for row in zip(*words, strict=True)]


def references(rows):
    return [reference.philox4x32(tuple(row[:4]), tuple(row[4:])) for row in rows]


@every_way
def test_known_answers(lanes):
    known = [(counter + key, output) for rounds, counter, key, output in reference.known_answers() if rounds == 10]
    assert len(known) >= 3
    assert blocks([row for row, _ in known], lanes) == [output for _, output in known]


@every_way
def test_cpp26_anchor(lanes):
    """The C++26 standard: the 10,000th output of ``philox4x32`` seeded with 20111115."""
    assert blocks([(2499, 0, 0, 0, 20111115, 0)], lanes)[0][3] == 1955073260


@every_way
def test_equals_the_reference_on_random_counters(lanes):
    rows = np.random.default_rng(1).integers(0, 2**32, (501, 6)).tolist()
    assert blocks(rows, lanes) == references(rows)


@every_way
def test_equals_the_reference_where_one_word_is_at_an_edge(lanes):
    rows = [
        [edge if i == place else 0 for i in range(6)] for place in range(6) for edge in (1, 2**31 - 1, 2**31, 2**32 - 1)
    ]
    assert blocks(rows, lanes) == references(rows)


@every_way
def test_garbage_above_a_word_does_not_matter(lanes):
    """Values have 64 bits: a counter that overflowed its word counts modulo 2^32."""
    rows = np.random.default_rng(2).integers(0, 2**64, (50, 6), "u8").tolist()
    rows.append([2**32 + 5, 2**40 + 6, 7, 8, 9, 10])
    assert blocks(rows, lanes) == references([[word % 2**32 for word in row] for row in rows])
