"""Arrays that reach into each other → the two that share an element, as all addresses tell."""

import itertools

import numpy as np
import pytest

from numbainit.memory import sharing
from numbainit.memory.device import DeviceArray
from numbainit.memory.sharing import two_that_share


def views(rng, memory, count):
    """Some of a matrix, of any strides: slices with steps of both signs, perhaps transposed, perhaps in other units."""
    for _ in range(count):
        rows, columns = (slice(*sorted(rng.integers(0, size + 1, 2)), int(rng.integers(1, 5))) for size in memory.shape)
        view = memory[rows, columns][:: rng.choice([-1, 1]), :: rng.choice([-1, 1])]
        view = view.view(rng.choice(["i2", "f4"])) if view.shape[1:] and view.flags.c_contiguous else view
        if view.size:
            yield view.T if rng.integers(2) else view


def addresses(array):
    """Of all bytes of all elements."""
    first = array.__array_interface__["data"][0]
    return {
        first + sum(map(int.__mul__, index, array.strides)) + byte
        for index in np.ndindex(array.shape)
        for byte in range(array.itemsize)
    }


def on_a_gpu(array):
    first = array.__array_interface__["data"][0]
    return DeviceArray(first, array.shape, array.strides, array.dtype, None, array)


@pytest.mark.parametrize("few", [0, 16])
@pytest.mark.parametrize("as_memory", [lambda array: array, on_a_gpu], ids=["host", "gpu"])
def test_arrays_share_that_have_an_address_in_common(as_memory, few, monkeypatch):
    monkeypatch.setattr(sharing, "_FEW", few)
    rng = np.random.default_rng(0)
    found = []
    for _ in range(400):
        memory = np.empty((7, 12), "f4")
        arrays = list(views(rng, memory, 3))
        touched = [addresses(array) for array in arrays]
        want = {pair for pair in itertools.combinations(range(len(arrays)), 2) if touched[pair[0]] & touched[pair[1]]}
        pair = two_that_share([as_memory(array) for array in arrays])
        found.append(pair is not None)
        assert pair in want if want else pair is None
    assert 100 < sum(found) < 300


def test_columns_and_neighbours_do_not_share():
    memory = np.empty((64, 200), "f4")
    assert two_that_share([memory[:, column] for column in range(200)]) is None
    assert two_that_share([memory[row] for row in range(63, -1, -1)]) is None
    assert two_that_share([]) is None


def test_a_long_array_shares_with_what_comes_late():
    memory = np.empty(1000, "f4")
    assert two_that_share([memory[1:2], memory[990:], memory[::2], memory[995:996]]) == (1, 2)
    assert two_that_share([memory[1::2], memory[995:996], memory[::2]]) == (0, 1)


def many(memory):
    """Thousands of arrays into the bounds of each other, in all ways that parts of one matrix are handed out."""
    rows, columns = memory.shape
    tiles = memory.reshape(rows // 4, 4, columns // 3, 3).transpose(0, 2, 1, 3)
    return {
        "columns": [*memory.T],
        "columns upside down": [*memory[::-1].T],
        "of other lengths": [memory[column % 3 :: 3, column] for column in range(columns)],
        "every second row": [memory[start::2, column] for column in range(columns) for start in (0, 1)],
        "blocks": [memory[:, start : start + 3] for start in range(0, columns, 3)],
        "tiles": [tile for row in tiles for tile in row],
    }


@pytest.mark.parametrize("name", many(np.empty((4, 3), "f4")))
def test_of_thousands_that_reach_into_each_other_those_are_found_that_share(name):
    memory = np.empty((24, 3600), "f4")
    arrays = many(memory)[name]
    assert two_that_share(arrays) is None
    assert two_that_share([on_a_gpu(array) for array in arrays]) is None
    first, second = two_that_share([*arrays, memory[3:5, 1801:1802]])
    assert second == len(arrays)
    assert np.shares_memory(arrays[first], memory[3:5, 1801:1802])


def test_what_is_too_much_work_counts_as_sharing(monkeypatch):
    memory = np.empty((64, 40), "f4")
    monkeypatch.setattr(sharing, "_MOST_REACHING", 2)
    assert two_that_share([memory[::2], memory[1::4], memory[3::8], memory[7::16]]) == (0, 3)
    monkeypatch.setattr(sharing, "_MOST_WORK", 0)
    assert two_that_share([memory[::2, ::3], memory[1::3, 1::2]]) == (0, 1)


def test_a_step_along_one_element_makes_no_other_view():
    row = np.empty((1, 5), "f4")
    assert sharing.identity(row) == sharing.identity(np.lib.stride_tricks.as_strided(row, (1, 5), (4, 4)))
    assert sharing.identity(row) != sharing.identity(np.lib.stride_tricks.as_strided(row, (1, 5), (20, 0)))
