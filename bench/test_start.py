"""How long is the first call of a fresh process, with an empty cache and with a warm one?

The whole process is measured; ``test_import`` is what to subtract. The seconds of the call alone are ``call`` in the
``extra_info`` that ``--benchmark-json`` writes.
"""

import os
import subprocess
import sys

import pytest

FULL = bool(os.environ.get("NUMBAINIT_BENCH_FULL"))
CALLS = {
    "uniform": "init.uniform_(array)",
    "normal": "init.normal_(array)",
    "trunc_normal": "init.trunc_normal_(array)",
    "tail": "init.trunc_normal_(array, a=8.0, b=9.0)",
    "kaiming_normal": "init.kaiming_normal_(array)",
    "sparse": "init.sparse_(array, 0.9)",
    "orthogonal": "init.orthogonal_(array)",
}
SIDES = {"small": 32, "large": 512}  # one thread, all threads
PROGRAM = """
import time
import numba, numpy as np
import numbainit as init
array = np.full(({side}, {side}), 0.5, "{dtype}")
start = time.perf_counter()
{call}
print(time.perf_counter() - start)
"""


def python(program, cache):
    """What a fresh process prints."""
    command = [sys.executable, "-c", program]
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache)}
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("statement", ["pass", "import numpy", "import numba", "import numbainit"])
@pytest.mark.benchmark(group="import")
def test_import(benchmark, statement, tmp_path):
    benchmark.pedantic(python, (statement, tmp_path), rounds=3, warmup_rounds=1)


@pytest.mark.parametrize("dtype", ["float32", "float64"] if FULL else ["float32"])
@pytest.mark.parametrize("size", SIDES)
@pytest.mark.parametrize("law", CALLS)
@pytest.mark.parametrize("cache", ["cold", "warm"])
def test_first_call(benchmark, cache, law, size, dtype, tmp_path):
    benchmark.group = f"first call, {cache} cache, {size} array"
    program = PROGRAM.format(call=CALLS[law], side=SIDES[size], dtype=dtype)
    if cache == "warm":
        python(program, tmp_path)
    seconds = []

    def run():
        seconds.append(float(python(program, tmp_path)))

    benchmark.pedantic(run, rounds=3 if cache == "warm" else 1)
    benchmark.extra_info["call"] = min(seconds)
