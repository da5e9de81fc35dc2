"""Stream v1 as it was on the day it was frozen → the package still makes it, and so does the reference.

``data/golden.json`` holds, for every law, dtype and parameter set, the SHA-256 of the little-endian bytes of the first
10,007 elements and the first eight of them in hexadecimal; and keys. A failure here means that users' weights change:
the remedy is to undo that, or to name a new stream (never to write the file anew).

The file was made by :mod:`reference` alone, not by the package, in a few minutes of plain Python::

    python tests/test_golden.py > tests/data/golden.json
"""

import hashlib
import json
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import reference

SEED, SIZE, HEAD = 20261103, 10007, 8
SEEDS = [0, 1, SEED, 2**64 - 1, [1, 2, 3]]
NAMES = ["", "weight", "h.0.attn.c_attn.weight", "gewicht-ä-重", 0, 1, 2**64 - 1]
SPARSE = [((101, 99), 0.3, 1.0, dtype) for dtype in (*reference.FLOAT_DTYPES, "bfloat16", "complex64")]
FILE = Path(__file__).parent / "data" / "golden.json"


def sparse_name(case):
    (rows, cols), sparsity, std, dtype = case
    return f"sparse({rows}x{cols}, {sparsity:g}, {std:g})-{dtype}"


def text_of(value):
    """A number as a text that holds every bit: hexadecimal for words as for floats."""
    if value.dtype.kind == "c":
        return f"{float(value.real).hex()} {float(value.imag).hex()}"
    return hex(value) if value.dtype.kind in "iu" else float(value).hex()


def entry(array):
    flat = np.ascontiguousarray(array).reshape(-1)
    data = flat.astype(flat.dtype.newbyteorder("<")).tobytes()
    return {"sha256": hashlib.sha256(data).hexdigest(), "head": [text_of(x) for x in flat[:HEAD]]}


# ---- the reference makes the file ----


def law_entry(case):
    return entry(reference.case_elements(case, reference.key_of_seed(SEED), 0, range(SIZE)))


def sparse_entry(case):
    (rows, cols), sparsity, std, dtype = case
    return entry(reference.sparse(reference.key_of_seed(SEED), 0, rows, cols, sparsity, std, dtype))


def keys():
    return {
        "seeds": [[seed, reference.key_of_seed(seed)] for seed in SEEDS],
        "fold_in": [[name, reference.fold_in(reference.key_of_seed(SEED), name)] for name in NAMES],
    }


def make():
    with ProcessPoolExecutor() as pool:
        laws = dict(zip(map(reference.case_name, reference.CASES), pool.map(law_entry, reference.CASES), strict=True))
        laws |= dict(zip(map(sparse_name, SPARSE), pool.map(sparse_entry, SPARSE), strict=True))
    return {"stream": "numbainit.v1", "seed": SEED, "size": SIZE, "keys": keys(), "laws": laws}


if __name__ == "__main__":
    json.dump(make(), sys.stdout, indent=1)
    print()
    sys.exit()


# ---- both still make it ----

import numbainit as init  # noqa: E402  (not needed, nor wanted, to make the file)
from cases import LIGHT_DTYPES, thinned  # noqa: E402

GOLDEN = json.loads(FILE.read_text())


def test_the_file_holds_every_case():
    assert (GOLDEN["stream"], GOLDEN["seed"], GOLDEN["size"]) == ("numbainit.v1", SEED, SIZE)
    assert GOLDEN["laws"].keys() == {*map(reference.case_name, reference.CASES), *map(sparse_name, SPARSE)}


@pytest.mark.parametrize(
    "case", thinned(reference.CASES, lambda case: case[2] in LIGHT_DTYPES), ids=reference.case_name
)
def test_law(case):
    law, parameters, dtype = case
    array = getattr(init, law + "_")(np.empty(SIZE, dtype), *parameters, generator=SEED)
    assert entry(array) == GOLDEN["laws"][reference.case_name(case)]


@pytest.mark.parametrize("case", SPARSE, ids=sparse_name)
def test_sparse(case):
    shape, sparsity, std, dtype = case
    array = init.sparse_(np.empty(shape, dtype), sparsity, std, generator=SEED)
    assert entry(array) == GOLDEN["laws"][sparse_name(case)]


@pytest.mark.parametrize("case", reference.CASES, ids=reference.case_name)
def test_reference_still_makes_the_head(case):
    head = reference.case_elements(case, reference.key_of_seed(SEED), 0, range(HEAD))
    assert [text_of(x) for x in head] == GOLDEN["laws"][reference.case_name(case)]["head"]


def test_keys():
    for seed, key in GOLDEN["keys"]["seeds"]:
        assert init.Generator(seed).key == tuple(key) == reference.key_of_seed(seed)
    for name, key in GOLDEN["keys"]["fold_in"]:
        assert init.Generator(SEED).fold_in(name).key == tuple(key)
        assert reference.fold_in(reference.key_of_seed(SEED), name) == tuple(key)
