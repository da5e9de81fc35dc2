"""Any run of elements → the same values as a part of one long run, and nothing beside it is written.

Runs begin and end anywhere: within a counter, a turn, a chunk, at an address that is no multiple of anything. The long
run is compared with the reference where chunks and turns meet.
"""

import functools
import itertools

import numpy as np
import pytest

from cases import thinned
from numbainit.maths.formats import SMALL
from numbainit.targets.cpu.vectors.chunk import CHUNK
from numbainit.targets.cpu.vectors.laws import LAWS
from targets.cpu.vectors.runs import law_of, run, wanted

PARAMETERS = {
    "uniform": (-1.0, 1.0),
    "normal": (0.25, 0.5),
    "trunc_normal": (0.0, 1.0, -1.5, 1.5),  # normal proposals, of which an eighth is rejected
    "tail": (0.0, 1.0, 1.0, 3.0),
}
FLOATS = ["float32", "float64", *SMALL]
#: law, element; the case of the reference it is, where it has one by that name and dtype
RUNS = [("bits", "uint32"), ("bits", "uint64"), ("mask", "uint32")]
RUNS += [("complex_normal", "float32"), ("complex_normal", "float64")]
RUNS += itertools.product(PARAMETERS, FLOATS)
LIGHT = [("bits", "uint32"), ("bits", "uint64"), ("uniform", "float64"), ("normal", "float32"), ("normal", "float64")]
LIGHT += [("trunc_normal", "float32"), ("trunc_normal", "bfloat16"), ("tail", "float32"), ("tail", "float8_e5m2fnuz")]
EDGES = [0, 1, 3, 4, 63, 64, 65, CHUNK - 1, CHUNK, CHUNK + 1]
LONG = 3 * CHUNK
every_run = pytest.mark.parametrize(("name", "element"), thinned(RUNS, LIGHT, several=True))


def case_of(name, element):
    """The case of the reference; of complex numbers, whose parts are elements here, and of the mask there is none."""
    law = {"tail": "trunc_normal"}.get(name, name)
    return (law, PARAMETERS.get(name, ()), element) if law in ("bits", *PARAMETERS) else None


def numbers_of(name, element):
    if name in ("mask", "complex_normal"):
        return (0.25, 0.5, -2.0) if name == "complex_normal" else ()
    chosen, numbers = law_of(case_of(name, element))
    assert chosen == name
    return numbers


@functools.cache
def long_run(name, element, first=0):
    return run(name, element, LONG, first, numbers_of(name, element))


@every_run
def test_a_long_run_is_the_references(name, element):
    """Around the borders of chunks and turns, and at some other places."""
    some = np.random.default_rng(3).integers(0, LONG, 5).tolist()
    near = [border + off for border in (0, 64, CHUNK, 2 * CHUNK, LONG) for off in (-4, -2, -1, 0, 1, 2, 5)]
    indices = sorted({place for place in (*near, *some) if 0 <= place < LONG})
    got = long_run(name, element)[indices]
    if case := case_of(name, element):
        assert got.tobytes() == wanted(case, indices).tobytes()
    elif name == "complex_normal":
        even, odd = (wanted(("normal", (mean, 0.5), element), indices) for mean in (0.25, -2.0))
        assert got.tobytes() == np.where(np.array(indices) % 2 == 0, even, odd).tobytes()
    else:
        assert name == "mask"  # see test_words.py


@every_run
@pytest.mark.parametrize("misaligned", [0, 1, 4])
def test_ragged_ends(name, element, misaligned):
    numbers, long = numbers_of(name, element), long_run(name, element)
    for first, size in itertools.product(EDGES, EDGES):
        got = run(name, element, size, first, numbers, misaligned=misaligned)
        assert got.tobytes() == long[first : first + size].tobytes(), (first, size)


@every_run
def test_far_chunks(name, element):
    """Where the low word of a counter overflows, chunks are cut like everywhere, and each knows its second word."""
    numbers, begin = numbers_of(name, element), 4 * 2**32 - CHUNK - 9
    long = long_run(name, element, begin)
    if case := case_of(name, element):
        indices = [begin + 9 + CHUNK + off for off in (-3, -1, 0, 1, 4)]
        assert long[np.array(indices) - begin].tobytes() == wanted(case, indices).tobytes()
    for first, size in ((CHUNK + 4, 9), (CHUNK + 9, 5), (CHUNK - 60, CHUNK + 100), (9, CHUNK), (8, 1)):
        got = run(name, element, size, begin + first, numbers)
        assert got.tobytes() == long[first : first + size].tobytes(), (first, size)


def test_every_law_is_run():
    assert {name for name, _ in RUNS} == set(LAWS)
    assert {name for name, _ in LIGHT} == set(LAWS) - {"mask", "complex_normal"}
