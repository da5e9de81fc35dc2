"""Pieces: every element of a part once, in its order, in boxes that are small enough."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from numbainit.files.headers import Parameter
from numbainit.files.pieces import Part, pieces, runs, whole
from numbainit.targets.cpu.runs import MOST_IN_A_RUN, RUN

SHAPES = st.lists(st.integers(0, 7), max_size=5).map(tuple)


def _box(part):
    return tuple(slice(start, start + size) for start, size in zip(part.start, part.shape, strict=True))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SHAPES, st.sampled_from(["F64", "F32", "BF16", "U8"]), st.integers(1, 300))
def test_pieces_are_the_part_cut_into_boxes_in_its_order(shape, dtype, most):
    part = whole(Parameter("w", shape, dtype))
    numbers = np.arange(math.prod(shape)).reshape(shape)
    found = list(pieces(part, most))
    joined = np.concatenate([numbers[_box(piece.box)].ravel() for piece in found])
    np.testing.assert_array_equal(joined, numbers.ravel())
    itemsize = part.of.numpy_dtype.itemsize
    assert all(piece.box.nbytes <= max(most, itemsize) for piece in found)
    assert [piece.first for piece in found] == list(np.cumsum([0, *(piece.box.nbytes for piece in found[:-1])]))
    assert [piece.is_last for piece in found] == [False] * (len(found) - 1) + [True]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data(), SHAPES.filter(len))
def test_pieces_of_a_part_lie_in_the_whole(data, shape):
    """Their elements are those of the part, by their numbers in the whole."""
    start = tuple(data.draw(st.integers(0, size)) for size in shape)
    size = tuple(data.draw(st.integers(0, length - first)) for length, first in zip(shape, start, strict=True))
    part = whole(Parameter("w", shape, "F32")).cut(size, start)
    numbers = np.arange(math.prod(shape)).reshape(shape)
    joined = np.concatenate([numbers[_box(piece.box)].ravel() for piece in pieces(part, 40)])
    np.testing.assert_array_equal(joined, numbers[_box(part)].ravel())


@pytest.mark.parametrize(
    ("shape", "most", "expected"),
    [
        ((), 4, [()]),
        ((0, 3), 4, [(0, 3)]),
        ((5,), 8, [(2,), (2,), (1,)]),
        ((2, 3, 2), 16, [(1, 2, 2), (1, 1, 2)] * 2),
        ((2, 3), 1, [(1, 1)] * 6),
    ],
)
def test_examples(shape, most, expected):
    assert [piece.box.shape for piece in pieces(whole(Parameter("w", shape, "F32")), most)] == expected


def test_most_pieces_of_large_tensors_are_not_small():
    """Whatever their shape, they come in boxes of at least half the size, but for the last of a row of them."""
    for shape in [(128_256, 4096), (14_336, 4096), (3, 2**24), (50_257, 768)]:
        sizes = [piece.box.nbytes for piece in pieces(whole(Parameter("w", shape, "BF16")))]
        assert np.median(sizes) > RUN / 2


def test_a_block_only_where_there_is_more():
    parameter = Parameter("w", (4, 6), "F32")
    assert whole(parameter).block is None
    block = Part(parameter, (1, 6), (2, 0)).block
    assert (block.shape, block.start) == ((4, 6), (2, 0))


def test_runs_hold_many_small_ones_or_one_large_one():
    small = [whole(Parameter(str(i), (3,), "F32")) for i in range(100)]
    large = whole(Parameter("w", (3 * RUN // 4,), "F32"))
    matrix = whole(Parameter("whole", (3 * RUN // 4,), "F32"))
    found = list(runs([*small, large, matrix], {"whole": False}))
    assert [len(run) for run in found] == [MOST_IN_A_RUN, 100 - MOST_IN_A_RUN, 1, 1, 1, 1]
    assert [piece.part.name for run in found for piece in run] == [*map(str, range(100)), "w", "w", "w", "whole"]
    assert all(sum(piece.box.nbytes for piece in run) <= RUN for run in found[:-1])
    assert found[-1][0].box == matrix
