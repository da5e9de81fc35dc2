"""The kernels of a GPU in Numba's simulator → every element is reached once, by the right block, word and attempt.

The simulator runs the Python source, thread by thread: it is trusted with indices and control flow, not with floats
(``fma`` is unfused there and uint32 wraps with a warning), and it knows no intrinsics. So it fills words, for which the
CPU's are compared, and stand-ins for laws whose values are indices. Real values are the matter of
``test_values.py``, which runs the compiled code.
"""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import numbainit as init

PROGRAM = """
import json, warnings
import numpy as np
from numbainit.maths import philox
from numbainit.targets.cuda import kernels as target
from numbainit.targets.cuda import laws
from numbainit.targets.cuda import loops

warnings.simplefilter("error")
np.seterr(over="ignore")  # words wrap


def wide_product(word, multiplier):
    return np.uint64(multiplier) * (np.uint64(word) & np.uint64(0xFFFFFFFF))


def joined(high, low):
    return np.uint64(high) << np.uint64(32) | np.uint64(low)


def store(memory, place, value):
    memory.append((int(place), int(value)))


def store_all(memory, place, values):
    assert place % 4 == 0, "a vector at a place that the case below does not align"
    memory.extend((int(place) + lane, int(value)) for lane, value in enumerate(values))


def store_some(memory, place, values, size):
    memory.extend((int(place) + lane, int(value)) for lane, value in enumerate(values) if 0 <= place + lane < size)


philox.wide_product, laws.philox4x32, laws.joined = wide_product, philox.philox4x32, joined
loops.store, loops.store_all, loops.store_some = store, store_all, store_some


def code(value):
    return value


def index_law(stream, block, tag, numbers):
    return tuple(4 * int(block) + lane for lane in range(4))


def attempt_law(stream, block, tag, numbers):
    # element i is accepted at attempt i mod 3, with a value that tells both; before, it lies outside the bounds
    attempt = int(tag) >> 8
    assert int(tag) & 255 == 0
    return tuple(np.float64(10 * i + attempt) if attempt >= i % 3 else np.nan for i in index_law(stream, block, tag, 0))


def run(kernel, grid, *arguments):
    memory = []
    where, *rest = arguments
    kernel[grid, 256](*(((memory, *where[1:]), *rest) if isinstance(where, tuple) else (memory, *rest)))
    return sorted(memory)


put = {"contiguous": loops.put_contiguous, "strided": loops.put_strided}
words = {size: target.of_law("bits", np.dtype(f"u{size}"), (9, 0)) for size in (4, 8)}


def kernel(loop):
    return target._fill_kernel("simulated", loop)


direct = {(way, blocks): kernel(loops.direct(index_law, put[way], blocks)) for way, blocks in RUNS}
by_rejection = {way: kernel(loops.by_rejection(attempt_law, code, put[way], np.float64)) for way in put}
block_direct = kernel(loops.block_direct(index_law))
block_by_rejection = kernel(loops.block_by_rejection(attempt_law, code, np.float64))
found = {}
for name, (way, grid, first, where) in CASES.items():
    rest = first, 1, 2, 3
    found[name] = {
        "indices": run(direct[way, 1], grid, where, *rest, (0.0,)),
        "attempts": run(by_rejection[way], grid, where, *rest, (0.0, 1e9)),
        "bits32": run(getattr(words[4], way), grid, where, *rest, (0.0,)),
        "bits64": run(getattr(words[8], way), grid, where, *rest, (0.0,)),
    }
    for blocks in (2, 4):
        if way == "contiguous":  # whose vectors hold more, so that fewer begin where a whole one fits
            shorter = *where[:2], max(where[2] - 4 * (blocks - 1), 0)
            found[name][f"{blocks} blocks"] = run(direct[way, blocks], grid, shorter, *rest, (0.0,))
for name, (grid, shape, strides, zeros) in SPARSE.items():
    found[name] = run(target.of_mask(4), grid, None, shape, strides, (*shape, 0, 0), zeros, 1, 2, 3)
    found[name + " wide"] = run(target.of_mask(16), grid, None, shape, strides, (*shape, 0, 0), zeros, 1, 2, 3)
for name, (grid, shape, strides, steps, first) in BLOCKS.items():
    where = 0, int(np.prod(shape)), shape, strides, steps
    rest = first, 1, 2, 3
    found[name] = {
        "indices": run(block_direct, grid, where, *rest, (0.0,)),
        "attempts": run(block_by_rejection, grid, where, *rest, (0.0, 1e9)),
        "bits32": run(words[4].block, grid, where, *rest, (0.0,)),
    }
for name, (grid, shape, strides, place, zeros) in SPARSE_BLOCKS.items():
    found[name] = run(target.of_mask(4), grid, None, shape, strides, place, zeros, 1, 2, 3)
print(json.dumps(found))
"""
RUNS = [("contiguous", 1), ("contiguous", 2), ("contiguous", 4), ("strided", 1)]  # blocks that a thread makes at a time
CASES = {
    "one": ("contiguous", 1, 0, (0, 1, 0)),
    "a tail": ("contiguous", 1, 0, (0, 7, 4)),
    "whole blocks": ("contiguous", 2, 0, (0, 16, 13)),
    "no vectors": ("contiguous", 1, 0, (0, 9, 0)),
    "a head and a tail": ("contiguous", 1, 3, (0, 11, 0)),
    "inside one block": ("contiguous", 1, 1, (0, 2, 0)),
    "more blocks than threads": ("contiguous", 1, 0, (0, 4 * 300 + 1, 1198)),
    "idle thread blocks": ("contiguous", 3, 4, (0, 5, 2)),
    "Fortran": ("strided", 1, 0, (0, 60, (3, 4, 5), (1, 3, 12))),
    "backwards": ("strided", 1, 0, (0, 13, (13,), (-1,))),
    "from an element on": ("strided", 2, 6, (0, 24, (2, 3, 4), (100, -20, 3))),
    "strided, more blocks than threads": ("strided", 1, 0, (0, 1206, (402, 3), (5, 1))),
}
SPARSE = {
    "sparse": (1, (9, 5), (5, 1), 4),
    "sparse Fortran": (2, (6, 3), (1, 6), 6),
    "sparse none": (1, (3, 2), (2, 1), 0),
}
#: threads, shape, strides in memory and steps in number of a part, number of its first element
BLOCKS = {
    "rows": (1, (3, 5), (5, 1), (9, 1), 20),
    "columns": (2, (400, 2), (2, 1), (7, 1), 3),
    "Fortran block": (1, (2, 3, 4), (1, 2, 6), (63, 9, 1), 5),
    "a run and a single": (1, (6, 1), (-2, 1), (5, 1), 1),
}
#: threads, shape, strides, shape of the whole and start of the part, zeros in each column
SPARSE_BLOCKS = {
    "upper left": (1, (4, 3), (3, 1), (9, 5, 0, 0), 4),
    "lower right": (2, (5, 2), (1, 5), (9, 5, 4, 3), 4),
}

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(importlib.util.find_spec("numba_cuda") is None, reason="numba-cuda is not installed"),
]


@pytest.fixture(scope="module")
def simulated():
    environment = {key: value for key, value in os.environ.items() if not key.startswith("NUMBA_")}
    environment |= {"NUMBA_ENABLE_CUDASIM": "1", "NUMBA_DISABLE_JIT": "1"}
    environment["PYTHONPATH"] = str(Path(init.__file__).parents[1])
    cases = {"RUNS": RUNS, "CASES": CASES, "SPARSE": SPARSE, "BLOCKS": BLOCKS, "SPARSE_BLOCKS": SPARSE_BLOCKS}
    program = "\n".join([*(f"{name} = {value!r}" for name, value in cases.items()), PROGRAM])
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def places(where):
    """Where the elements lie, in logical order."""
    if len(where) == 3:
        return np.arange(where[1])
    return sum(
        np.multiply.outer(np.arange(n), s).reshape([-1 if axis == i else 1 for i in range(len(where[2]))])
        for axis, (n, s) in enumerate(zip(where[2], where[3], strict=True))
    ).ravel()


def check(writes, where, values):
    wanted = sorted(zip(places(where).tolist(), values, strict=True))
    assert [tuple(write) for write in writes] == wanted


@pytest.mark.parametrize("name", CASES)
def test_every_element_is_written_once_by_its_word(simulated, name):
    _, _, first, where = CASES[name]
    check(simulated[name]["indices"], where, range(first, first + where[1]))


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case[0] == "contiguous"])
@pytest.mark.parametrize("blocks", [2, 4])
def test_so_it_is_with_several_blocks_at_a_time(simulated, name, blocks):
    _, _, first, where = CASES[name]
    check(simulated[name][f"{blocks} blocks"], where, range(first, first + where[1]))


@pytest.mark.parametrize("name", CASES)
def test_every_element_keeps_its_first_accepted_attempt(simulated, name):
    _, _, first, where = CASES[name]
    check(simulated[name]["attempts"], where, [10 * i + i % 3 for i in range(first, first + where[1])])


@pytest.mark.parametrize("width", [32, 64])
@pytest.mark.parametrize("name", CASES)
def test_words_are_those_of_the_cpu(simulated, name, width):
    _, _, first, where = CASES[name]
    words = init.bits_(np.empty(first + where[1], f"u{width // 8}"), generator=draw_three())
    check(simulated[name][f"bits{width}"], where, words[first:].tolist())


@pytest.mark.parametrize("name", SPARSE)
def test_sparse_zeros_are_those_of_the_cpu(simulated, name):
    _, shape, strides, zeros = SPARSE[name]
    matrix = init.sparse_(np.empty(shape, "f4"), zeros / shape[0], generator=draw_three())
    rows, columns = np.nonzero(matrix == 0)
    wanted = sorted((rows * strides[0] + columns * strides[1]).tolist())
    assert [tuple(write) for write in simulated[name]] == [(place, 0) for place in wanted]
    halves = [(2 * place + half, 0) for place in wanted for half in (0, 1)]
    assert [tuple(write) for write in simulated[name + " wide"]] == halves


def numbers(shape, steps, first):
    """The number of each element of a part, in its logical order."""
    return first + places((0, 0, shape, steps))


@pytest.mark.parametrize("name", BLOCKS)
def test_elements_of_a_block_have_the_numbers_of_the_whole(simulated, name):
    _, shape, strides, steps, first = BLOCKS[name]
    wanted = numbers(shape, steps, first)
    words = init.bits_(np.empty(wanted.max() + 1, "u4"), generator=draw_three())
    where = 0, 0, shape, strides
    check(simulated[name]["indices"], where, wanted.tolist())
    check(simulated[name]["attempts"], where, (10 * wanted + wanted % 3).tolist())
    check(simulated[name]["bits32"], where, words[wanted].tolist())


@pytest.mark.parametrize("name", SPARSE_BLOCKS)
def test_sparse_zeros_of_a_block_are_those_of_the_cpu(simulated, name):
    _, shape, strides, (*whole, row, column), zeros = SPARSE_BLOCKS[name]
    matrix = init.sparse_(np.empty(whole, "f4"), zeros / whole[0], generator=draw_three())
    rows, columns = np.nonzero(matrix[row : row + shape[0], column : column + shape[1]] == 0)
    wanted = sorted((rows * strides[0] + columns * strides[1]).tolist())
    assert [tuple(write) for write in simulated[name]] == [(place, 0) for place in wanted]


def draw_three():
    return init.Generator.from_key(1, 2, draws=3)
