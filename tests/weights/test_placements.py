"""Cuts over a mesh → boxes, beside arrays of numbers that NumPy cuts, for every coordinate of the mesh."""

import itertools

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from numbainit import InvalidValueError
from numbainit.weights.blocks import Block
from numbainit.weights.placements import Cut, shard_of


def chunks(array, axis, count):
    """As ``torch.chunk`` does, with empty ones at the end."""
    length = -(-array.shape[axis] // count)
    return [array.take(range(at, min(at + length, array.shape[axis])), axis) for at in range(0, count * length, length)]


def cut(array, one):
    """What a cut leaves of an array; ``length`` 0 gives no chunks, so an empty axis stays as it is."""
    if array.shape[one.axis] == 0:
        return array
    pieces = [chunks(chunk, one.axis, one.pieces) for chunk in chunks(array, one.axis, one.chunks) if chunk.size]
    held = [chunk[one.piece] for chunk in pieces if len(chunk) > one.piece]
    return np.concatenate(held, one.axis) if held else array.take([], one.axis)


@st.composite
def meshes(draw):
    """``(shape, mesh, its cuts: axis or None, chunks)``."""
    shape = tuple(draw(st.lists(st.integers(1, 11), min_size=1, max_size=3)))
    mesh = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    axes = [draw(st.none() | st.integers(0, len(shape) - 1)) for _ in mesh]
    return shape, mesh, [(axis, draw(st.sampled_from([1, 1, 2, 3]))) for axis in axes]


def cuts_at(case, coordinate):
    _, mesh, axes = case
    found = zip(mesh, coordinate, axes, strict=True)
    return [Cut(axis, size, place, pieces) for size, place, (axis, pieces) in found if axis is not None]


@pytest.mark.full
@hypothesis.given(meshes())
@hypothesis.settings(max_examples=200, deadline=None)
def test_every_rank_holds_what_it_should(case):
    shape, mesh, _ = case
    numbers = np.arange(np.prod(shape)).reshape(shape)
    counted = np.zeros(shape, int)
    for coordinate in itertools.product(*map(range, mesh)):
        want = numbers
        for one in cuts_at(case, coordinate):
            want = cut(want, one)
        shard = shard_of(shape, cuts_at(case, coordinate))
        assert shard.shape == want.shape or 0 == want.size == np.prod(shard.shape)
        found = np.full(shard.shape, -1)
        for slices, block in shard.blocks():
            part = found[slices]
            block.check(part.shape)
            part[...] = numbers[tuple(slice(at, at + size) for at, size in zip(block.start, part.shape, strict=True))]
        if found.size:
            np.testing.assert_array_equal(found, want)
        counted.ravel()[found.ravel()] += 1
    replicas = np.prod([size for size, (axis, _) in zip(mesh, case[2], strict=True) if axis is None], initial=1)
    assert (counted == replicas).all()


def test_neighbours_are_one_box():
    assert len(shard_of((12, 3), [Cut(0, 1, 0, chunks=4)]).boxes) == 1
    assert len(shard_of((12, 3), [Cut(0, 2, 0, chunks=4)]).boxes) == 4


def test_a_shard_of_a_part():
    shard = shard_of((4, 6), [Cut(1, 2, 1)])
    assert list(shard.blocks(Block((10, 6), (3, 0)))) == [((slice(0, 4), slice(0, 3)), Block((10, 6), (3, 3)))]


@pytest.mark.parametrize("wrong", [Cut(2, 2, 0), Cut(-1, 2, 0), Cut(0, 2, 2), Cut(0, 2, -1), Cut(0, 2, 0, chunks=0)])
def test_cuts_that_do_not_fit_are_refused(wrong):
    with pytest.raises(InvalidValueError, match=r"no (axis|piece)"):
        shard_of((4, 6), [wrong])
