"""A checked array, a law and a generator → one draw of it, after every check; parts of their own; nothing at all.

The bits of whole arrays are tested in ``test_stream.py``, loops in ``targets/cpu``.
"""

import math

import numpy as np
import pytest

import numbainit as init
import reference
from numbainit.targets.cpu import fills
from numbainit.weights import laws

SEED = 23
KEY = reference.key_of_seed(SEED)


def normals(indices, std, dtype="float32", draw=0):
    return reference.elements(reference.normal, KEY, draw, indices, 0.0, std, dtype=dtype)


# ---- draws ----

FILLS = {
    "no elements": lambda g: init.normal_(np.empty((3, 0), "f4"), generator=g),
    "one element": lambda g: init.normal_(np.empty((), "f4"), generator=g),
    "all threads": lambda g: init.normal_(np.empty(100_000, "f4"), generator=g),
    "no elements of a block": lambda g: init.normal_(np.empty((0, 2)), generator=g, block=init.Block((5, 5), (5, 1))),
    "a block": lambda g: init.normal_(np.empty((2, 2)), generator=g, block=init.Block((5, 5), (3, 1))),
    "complex": lambda g: init.normal_(np.empty(5, "c8"), generator=g),
    "in pieces": lambda g: init.normal_(np.empty(70_000, ">f4"), generator=g),
    "splits": lambda g: init.xavier_normal_(np.empty((6, 4)), generator=g, layout=init.Layout(splits=(1, 2, 3))),
    "sparse": lambda g: init.sparse_(np.empty((6, 4)), 0.5, generator=g),
    "sparse without elements": lambda g: init.sparse_(np.empty((0, 4)), 0.5, generator=g),
    "rejections": lambda g: init.trunc_normal_(np.empty(999), a=-0.1, b=9.0, generator=g),
}


@pytest.mark.parametrize("name", FILLS)
def test_one_draw_whatever_the_fill(name):
    generator = init.Generator(SEED, draws=7)
    FILLS[name](generator)
    assert generator.draws == 8
    assert generator.key == KEY


def test_the_next_fill_takes_the_next_draw():
    generator = init.Generator(SEED)
    for draw in range(3):
        array = init.normal_(np.empty(9, "f4"), std=0.5, generator=generator)
        assert array.tobytes() == normals(range(9), 0.5, draw=draw).tobytes()


# ---- the order of checks: the array, the numbers, the block, the generator; then it is drawn from ----

WRONG = {
    "array": (np.zeros((3, 5), "i4"), "int32"),
    "std": (-1.0, "std must be >= 0"),
    "block": (init.Block((4, 5), (2, 0)), "does not lie inside"),
    "generator": ("seed", "generator|seed"),
}


@pytest.mark.parametrize("first", list(WRONG))
def test_the_first_of_several_errors_is_said(first):
    """All arguments from ``first`` on are wrong."""
    wrong = list(WRONG)[list(WRONG).index(first) :]
    right = {"array": np.zeros((3, 5), "f4"), "std": 1.0, "block": init.Block((4, 5), (1, 0)), "generator": 3}
    given = {name: WRONG[name][0] if name in wrong else right[name] for name in right}
    array = given.pop("array")
    with pytest.raises((init.InvalidTypeError, init.InvalidValueError), match=WRONG[first][1]):
        init.normal_(array, 0.0, **given)
    assert not array.any()


@pytest.mark.parametrize("wrong", ["array", "std", "block"])
def test_nothing_is_drawn_for_a_call_that_is_refused(wrong):
    own, source = init.Generator(SEED), np.random.default_rng(1)
    state = source.bit_generator.state
    for generator in (own, source):
        given = {"std": 1.0, "block": None} | ({} if wrong == "array" else {wrong: WRONG[wrong][0]})
        array = WRONG["array"][0] if wrong == "array" else np.zeros((3, 5), "f4")
        with pytest.raises((init.InvalidTypeError, init.InvalidValueError)):
            init.normal_(array, 0.0, generator=generator, **given)
        assert not array.any()
    assert own.draws == 0
    assert source.bit_generator.state == state


# ---- parts ----


def test_splits_have_laws_of_their_own_and_the_numbers_of_the_whole():
    sizes, width = (1, 4, 2), 3
    array = init.xavier_normal_(np.empty((7, width), "f4"), generator=SEED, layout=init.Layout(splits=sizes))
    begin = 0
    for size in sizes:
        indices = range(begin * width, (begin + size) * width)
        want = normals(indices, math.sqrt(2 / (width + size)))
        assert array[begin : begin + size].tobytes() == want.tobytes()
        begin += size


def test_complex_elements_are_two_numbers():
    array = init.normal_(np.empty((4, 3), "c16"), std=2.0, generator=SEED)
    want = normals(range(24), 2.0 * math.sqrt(0.5), "float64")
    assert array.view("f8").ravel().tobytes() == want.tobytes()


@pytest.mark.parametrize("dtype", [">f4", ">c16"])
@pytest.mark.parametrize("shape", [(70_001,), (3, 40_001), (2, 1, 7, 5001)], ids=str)
def test_memory_that_is_filled_in_pieces(shape, dtype):
    """Of a foreign byte order: more than one scratch array, and cuts that are no whole blocks."""
    native = np.dtype(dtype).newbyteorder("=")
    array = init.normal_(np.empty(shape, dtype), std=0.5, generator=SEED)
    assert np.array_equal(array, init.normal_(np.empty(shape, native), std=0.5, generator=SEED))
    if native.kind == "f":
        places = [0, 1, 2**15, 2**16 - 1, 2**16, array.size - 1]
        assert array.ravel()[places].astype(native).tobytes() == normals(places, 0.5).tobytes()


def test_sparse_matrices_that_are_filled_in_pieces():
    wanted = init.sparse_(np.empty((300, 401), "f4"), 0.3, generator=SEED)
    got = init.sparse_(np.zeros((300, 401), ">f4"), 0.3, generator=SEED)
    assert np.array_equal(got, wanted)
    assert ((got == 0).sum(axis=0) == 90).all()


# ---- constants, and no elements ----


def test_a_constant_is_the_same_in_every_part():
    array = np.zeros((5, 6), "f4")
    init.constant_(array[1:3, ::2], 0.5, block=init.Block((50, 60), (7, 8)))
    wanted = np.zeros((5, 6), "f4")
    wanted[1:3, ::2] = 0.5
    assert np.array_equal(array, wanted)


def test_a_block_without_elements_must_lie_inside_too():
    generator = init.Generator(SEED)
    with pytest.raises(init.InvalidValueError, match="does not lie inside"):
        init.normal_(np.empty((0, 3)), generator=generator, block=init.Block((5, 5), (6, 0)))
    with pytest.raises(init.InvalidValueError, match="does not lie inside"):
        init.ones_(np.empty((0, 3)), block=init.Block((5, 5), (0, 3)))
    assert generator.draws == 0


@pytest.mark.parametrize("dtype", [">c8", "c8", ">f4"])
def test_pieces_of_the_largest_array_there_can_be(dtype):
    """Its elements have numbers up to 2^62, and the parts of complex ones twice as many."""
    generator, size = init.Generator(SEED), 2**62
    array = init.normal_(np.empty(70_000, dtype), generator=generator, block=init.Block((size,), (size - 70_000,)))
    assert generator.draws == 1
    end = np.empty(3, np.dtype(dtype).newbyteorder("="))
    end = init.normal_(end, generator=SEED, block=init.Block((size,), (size - 3,)))
    assert (array[-3:] == end).all()


@pytest.mark.parametrize("rival", [False, True], ids=["alone", "another thread found the same"])
def test_a_filling_keeps_what_it_reads(rival):
    """The law is forgotten, or what was found of it is found again, between a filling and its stream."""
    dtype, array = np.dtype("f4"), np.zeros(8, "f4")
    law = laws.normal(0.25, 0.125, dtype)
    filling = fills.filling(array, law, None)
    if rival:
        fills._known(law, dtype)
    law.known.clear()
    del law
    laws._normal.cache_clear()
    others = [np.full(11, -1, np.int64) for _ in range(4000)]  # whatever memory was freed is somebody else's now
    filling((1, 2, 3))
    wanted = init.normal_(np.zeros(8, "f4"), 0.25, 0.125, generator=init.Generator.from_key(1, 2, draws=3))
    assert array.tobytes() == wanted.tobytes()
    assert others
