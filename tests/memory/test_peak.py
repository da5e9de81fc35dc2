"""No fill takes memory beyond its array: the peak of the process, before and after, for arrays of 48 MiB.

``orthogonal_`` is the exception, and says so. The kernel's count of the peak is reset before each fill.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import numbainit as init
from cases import full_only

TESTS = Path(__file__).parents[1]
MOST = 16  # MiB
PROGRAM = """
import json
import numpy as np, ml_dtypes
import cases
import numbainit as init

def peak():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 2**10

def make(dtype, kind, rows):
    columns = 3072
    shape = (rows, columns)
    if kind == "Fortran order":
        return np.zeros(shape, dtype, order="F")
    if kind == "every other column":
        return np.zeros((rows, 2 * columns), dtype)[:, ::2]
    if kind == "misaligned":
        return np.zeros(rows * columns * dtype.itemsize + 1, np.uint8)[1:].view(dtype).reshape(shape)
    return np.zeros(shape, dtype.newbyteorder() if kind == "byte-swapped" else dtype)

def fill(name, array, how):
    array.__setitem__(..., array * 2) if name == "control" else cases.fill(name, array, 0, **how)

found = {}
for name, dtype, kind in CASES:
    dtype = np.dtype(getattr(ml_dtypes, dtype, dtype))
    def how(array):
        shape, corner = (2 * array.shape[0], 2 * array.shape[1]), (5, 7)
        return {"block": init.Block(shape, corner)} if kind == "block" else {}
    small, array = make(dtype, kind, 64), make(dtype, kind, 48 * 2**20 // 3072 // dtype.itemsize)
    array[...] = 1
    fill(name, small, how(small))
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    before = peak()
    fill(name, array, how(array))
    found[f"{name} {dtype} {kind}"] = peak() - before
    del array
print(json.dumps(found))
"""
DTYPES = ("float32", "float64", "bfloat16", "float8_e4m3fn", "complex64")
KINDS = ("C order", "Fortran order", "every other column", "misaligned", "byte-swapped", "block")
CASES = [("normal_", dtype, kind) for dtype in DTYPES for kind in KINDS]
CASES.remove(("normal_", "float8_e4m3fn", "byte-swapped"))  # there is no such dtype
CASES += [(name, "float32", kind) for name in ("uniform_", "trunc_normal_", "kaiming_normal_") for kind in KINDS]
CASES += [("sparse_", dtype, kind) for dtype in ("float32", "bfloat16", "complex64") for kind in KINDS]
CASES += [(name, "float32", "C order") for name in ("tail", "ones_", "eye_")]
CONTROL = ("control", "float32", "C order")  # takes a temporary


#: contiguous and strided memory, and what is filled in pieces
LIGHT = [("normal_", "float32", kind) for kind in ("C order", "every other column", "byte-swapped")]


@pytest.mark.full
@pytest.mark.parametrize("cases", [LIGHT, *full_only(CASES)], ids=["few", "all"])
@pytest.mark.skipif(sys.platform != "linux", reason="reads and resets the kernel's count of a process's peak memory")
def test_fills_take_no_memory(cases):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (TESTS, Path(init.__file__).parents[1])))}
    command = [sys.executable, "-c", f"CASES = {[*cases, CONTROL]!r}\n{PROGRAM}"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found.pop(" ".join(CONTROL)) > MOST
    assert len(found) == len(cases)
    assert {name: size for name, size in found.items() if size > MOST} == {}
