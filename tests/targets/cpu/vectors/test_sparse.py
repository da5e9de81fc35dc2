"""Words, rows and zeros left → zeros where selection sampling in Python puts them, and nothing else is written."""

import ctypes

import numpy as np
import pytest

from cases import thinned
from numbainit.targets.cpu.vectors.functions import choice
from targets.cpu.vectors.runs import Memory

SIZES = [0, 1, 15, 16, 17, 31, 32, 33, 67]
ELEMENTS = [(8, 1), (16, 1), (32, 1), (64, 1), (32, 2), (64, 2)]  # bits of a part, and parts
every_element = pytest.mark.parametrize(("bits", "parts"), thinned(ELEMENTS, [(32, 1), (64, 2)], several=True))


def choose(words, rows_left, left, values, bits, parts):
    """Let the compiled function choose once; values and zeros left afterwards, in memory that begins anywhere."""
    memory, count = (
        [Memory(array.nbytes, odd) for array, odd in ((words, 4), (left, 4), (values, bits // 8))],
        left.size,
    )
    for place, array in zip(memory, (words, left, values), strict=True):
        place.bytes[:] = np.frombuffer(array.tobytes(), np.uint8)
    addresses = [place.address for place in memory]
    function = ctypes.CFUNCTYPE(None, *[ctypes.c_uint64] * 5)(choice(bits, parts))
    function(addresses[0], rows_left, addresses[1], addresses[2], count)
    for place in memory:
        place.check()
    assert memory[0].bytes.tobytes() == words.tobytes()
    return (np.frombuffer(memory[i].bytes.tobytes(), array.dtype) for i, array in ((1, left), (2, values)))


def chosen_by_hand(words, rows_left, left):
    pairs = zip(words.tolist(), left.tolist(), strict=True)
    return np.array([word * rows_left >> 32 < zeros for word, zeros in pairs], bool)


@every_element
@pytest.mark.parametrize("count", SIZES)
def test_the_chosen_become_zero(bits, parts, count):
    rng, rows_left = np.random.default_rng(count), 1000
    words = rng.integers(0, 2**32, count, "u4")
    left = rng.integers(0, 1001, count).astype("u4")
    values = rng.integers(1, 2 ** min(bits, 63), count * parts).astype(f"u{bits // 8}")
    chosen = chosen_by_hand(words, rows_left, left)
    after, got = choose(words, rows_left, left, values, bits, parts)
    assert after.tolist() == (left - chosen).tolist()
    assert got.tolist() == np.where(np.repeat(chosen, parts), 0, values).tolist()
    assert count < 15 or 0 < chosen.sum() < count


@every_element
def test_edges_of_the_comparison(bits, parts):
    """Zero and all rows to go; the largest word; products just below and at a whole number; most rows there can be."""
    rows = [1, 2, 3, 7, 2**31, 2**32 - 1]
    for rows_left in rows:
        near = [2**32 * zeros // rows_left for zeros in (0, 1, rows_left // 2, rows_left - 1)]
        edges = sorted({(edge + off) % 2**32 for edge in near for off in (-1, 0, 1, 2)})
        zeros = sorted({0, 1, rows_left // 2, rows_left - 1, rows_left})
        words = np.array([edge for edge in edges for _ in zeros], "u4")
        left = np.array([one for _ in edges for one in zeros], "u4")
        values = np.full(words.size * parts, 7, f"u{bits // 8}")
        chosen = chosen_by_hand(words, rows_left, left)
        assert not chosen[left == 0].any()
        assert chosen[left == rows_left].all()
        after, got = choose(words, rows_left, left, values, bits, parts)
        assert after.tolist() == (left - chosen).tolist()
        assert got.tolist() == np.where(np.repeat(chosen, parts), 0, values).tolist()


@every_element
def test_each_column_has_as_many_zeros_as_asked_for(bits, parts):
    rng, rows, columns = np.random.default_rng(1), 23, 40
    zeros = np.arange(columns, dtype="u4") % (rows + 1)
    left, kept = zeros, np.zeros((rows, columns), bool)
    for row in range(rows):
        words = rng.integers(0, 2**32, columns, "u4")
        values = np.full(columns * parts, 1, f"u{bits // 8}")
        left, got = choose(words, rows - row, left, values, bits, parts)
        kept[row] = got.reshape(columns, parts).all(axis=1)
    assert not left.any()
    assert (~kept).sum(axis=0).tolist() == zeros.tolist()
