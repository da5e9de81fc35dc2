"""Proposals outside their bounds → the first later attempts that lie inside, however many and however late."""

import functools

import numpy as np
import pytest

import reference
from cases import full_only
from numbainit.targets.cpu.vectors.chunk import CHUNK
from targets.cpu.vectors.runs import DRAW, KEY, law_of, run, wanted

KINDS = {"float32": 32, "float64": 64}
widths = pytest.mark.parametrize("element", KINDS)


@functools.cache
def attempts(element, index, low, high):
    """The first normal within [low, high] that element ``index`` is proposed, and the number of its attempt."""
    attempt = 0
    while not low <= (value := reference.standard_normal(KEY, DRAW, index, KINDS[element], attempt)) <= high:
        attempt += 1
    return value, attempt


@widths
@pytest.mark.parametrize("size", [1, 16, 17, *full_only(2, 15, 31, 32, 33, 64, 65)])
def test_groups_of_which_nothing_passes_at_first(element, size):
    """Rejected elements are redone in groups of sixteen, the last of which is filled up."""
    bounds, first = (1.25, 1.5), 4 * 700 + 1
    chosen = [attempts(element, first + i, *bounds) for i in range(size)]
    got = run("trunc_normal", element, size, first, (0.0, 1.0, *bounds))
    assert got.tolist() == [value + 0.0 for value, _ in chosen]
    if size >= 15:
        assert sum(attempt > 0 for _, attempt in chosen) > 0.8 * size
        assert max(attempt for _, attempt in chosen) > 20


@pytest.mark.parametrize("element", ["float32", *full_only("float64")])
def test_hundreds_of_attempts(element):
    """Each element goes on by itself: those that are done stay as they are."""
    bounds = 2.0, 2.1
    chosen = [attempts(element, i, *bounds) for i in range(5)]
    assert max(attempt for _, attempt in chosen) > 256 > min(attempt for _, attempt in chosen)
    assert run("trunc_normal", element, 5, 0, (0.0, 1.0, *bounds)).tolist() == [value for value, _ in chosen]


HALF = [  # parameters whose proposals are rejected nearly half of the time, by kind of proposal
    (0.0, 1.0, -1.2534, 1.2534),
    (0.0, 1.0, -1.25, 1.25),
    (0.0, 1.0, 2.0, 2.42),
    (0.0, 1.0, 0.0, 3.0),
]


@pytest.mark.parametrize("element", ["float32", *full_only("float64", "bfloat16", "float8_e4m3fn")])
@pytest.mark.parametrize("parameters", [*HALF[:2], *full_only(*HALF[2:])], ids=str)
def test_laws_that_reject_nearly_half(element, parameters):
    """All of a stretch across a border of chunks."""
    case = "trunc_normal", parameters, element
    (name, numbers), first, size = law_of(case), CHUNK - 150, 300
    got = run(name, element, size, first, numbers)
    assert got.tobytes() == wanted(case, range(first, first + size)).tobytes()
    tries = [reference.trunc_normal_attempts(KEY, DRAW, i, *parameters, element)[1] for i in range(first, first + size)]
    assert 0.15 < np.mean(np.array(tries) > 0) < 0.6


@widths
def test_a_whole_chunk_is_rejected(element):
    """The list of places is as long as the chunk, and its last turn."""
    bounds = 1.0, 1.5
    got = run("trunc_normal", element, CHUNK, 0, (0.0, 1.0, *bounds))
    assert np.all((got >= bounds[0]) & (got <= bounds[1]))
    for place in (0, 1, 17, CHUNK // 2, CHUNK - 3, CHUNK - 1):
        assert got[place] == attempts(element, place, *bounds)[0]


@widths
def test_bounds_belong_to_the_interval(element):
    """A value that is a bound itself is kept at its first attempt."""
    value = reference.standard_normal(KEY, DRAW, 9, KINDS[element])
    for low, high in ((value, 100.0), (-100.0, value)):
        assert run("trunc_normal", element, 1, 9, (0.0, 1.0, low, high)).tolist() == [value]
