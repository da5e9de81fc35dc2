"""The initializers beyond torch as they were on the day they came → the package still makes them, and the reference.

``data/golden_beyond.json`` is to them what ``data/golden.json`` is to stream v1; :mod:`reference_beyond` made it::

    python tests/test_golden_beyond.py > tests/data/golden_beyond.json
"""

import json
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import reference_beyond
from test_golden import HEAD, SEED, entry, text_of

import reference

SIZE, KERNEL, SIDE = 3001, (5, 3, 3, 3), 64
FILE = Path(__file__).parent / "data" / "golden_beyond.json"


# ---- the reference makes the file ----


def map_entry(case):
    return entry(reference_beyond.map_elements(case, reference.key_of_seed(SEED), 0, range(SIZE)))


def scaled_entry(case):
    size = int(np.prod(KERNEL))
    return entry(reference_beyond.scaled_elements(case, reference.key_of_seed(SEED), 0, range(size)))


def hadamard_elements(dtype, indices):
    key = reference.key_of_seed(SEED)
    return np.array([reference_beyond.randomized_hadamard(key, 0, i, SIDE, dtype) for i in indices], dtype)


def make():
    maps, scaled = reference_beyond.MAP_CASES, reference_beyond.SCALED_CASES
    with ProcessPoolExecutor() as pool:
        laws = dict(zip(map(reference_beyond.map_name, maps), pool.map(map_entry, maps), strict=True))
        laws |= dict(zip(map(reference_beyond.scaled_name, scaled), pool.map(scaled_entry, scaled), strict=True))
    for dtype in reference_beyond.DTYPES:
        laws[f"randomized_hadamard({SIDE})-{dtype}"] = entry(hadamard_elements(dtype, range(SIDE * SIDE)))
    return {"stream": "numbainit.v1", "seed": SEED, "size": SIZE, "laws": laws}


if __name__ == "__main__":
    json.dump(make(), sys.stdout, indent=1)
    print()
    sys.exit()


# ---- both still make it ----

import numbainit as init  # noqa: E402  (not needed, nor wanted, to make the file)

GOLDEN = json.loads(FILE.read_text())


def test_the_file_holds_every_case():
    assert (GOLDEN["stream"], GOLDEN["seed"], GOLDEN["size"]) == ("numbainit.v1", SEED, SIZE)
    names = [
        *map(reference_beyond.map_name, reference_beyond.MAP_CASES),
        *map(reference_beyond.scaled_name, reference_beyond.SCALED_CASES),
        *(f"randomized_hadamard({SIDE})-{dtype}" for dtype in reference_beyond.DTYPES),
    ]
    assert GOLDEN["laws"].keys() == set(names)


@pytest.mark.parametrize("case", reference_beyond.MAP_CASES, ids=reference_beyond.map_name)
def test_maps(case):
    name, arguments, dtype = case
    source = {} if name == "log_arange" else {"generator": SEED}
    array = getattr(init, name + "_")(np.empty(SIZE, dtype), **arguments, **source)
    assert entry(array) == GOLDEN["laws"][reference_beyond.map_name(case)]
    head = reference_beyond.map_elements(case, reference.key_of_seed(SEED), 0, range(HEAD))
    assert [text_of(x) for x in head] == GOLDEN["laws"][reference_beyond.map_name(case)]["head"]


@pytest.mark.parametrize("case", reference_beyond.SCALED_CASES, ids=reference_beyond.scaled_name)
def test_scaled(case):
    *rule, dtype = case
    array = init.variance_scaling_(np.empty(KERNEL, dtype), *rule, generator=SEED)
    assert entry(array) == GOLDEN["laws"][reference_beyond.scaled_name(case)]


@pytest.mark.parametrize("dtype", reference_beyond.DTYPES)
def test_randomized_hadamard(dtype):
    array = init.randomized_hadamard_(np.empty((SIDE, SIDE), dtype), generator=SEED)
    wanted = GOLDEN["laws"][f"randomized_hadamard({SIDE})-{dtype}"]
    assert entry(array) == wanted
    assert [text_of(x) for x in hadamard_elements(dtype, range(HEAD))] == wanted["head"]


MAPS_WITHOUT_VECTORS = """
import sys
sys.path.insert(0, ".")
from numpy._core import _multiarray_umath as numpy
import reference_beyond
import test_golden_beyond
assert not any(numpy.__cpu_features__[name] for name in numpy.__cpu_dispatch__)
for case in reference_beyond.MAP_CASES:
    test_golden_beyond.test_maps(case)
"""


@pytest.mark.full
def test_maps_on_a_processor_with_fewer_instructions():
    """NumPy chooses its loops by the processor: those of the oldest that it runs on give the same bits."""
    from numpy._core import _multiarray_umath as numpy

    known = [name for name in numpy.__cpu_dispatch__ if numpy.__cpu_features__[name]]
    if not known:
        pytest.skip("this NumPy has no other loops for this processor")
    environment = os.environ | {"NPY_DISABLE_CPU_FEATURES": " ".join(known)}
    command = [sys.executable, "-c", MAPS_WITHOUT_VECTORS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, cwd=FILE.parents[1])
    assert done.returncode == 0, done.stderr
