"""How long do matrices with a structure take: sparse_ and orthogonal_?"""

import os

import pytest

from numbainit.measure import peers

FULL = bool(os.environ.get("NUMBAINIT_BENCH_FULL"))
LIBRARIES = [peers.OURS, *(name for name in peers.installed() if name in ("torch", "jax"))]

pytestmark = pytest.mark.benchmark(min_rounds=3)


@pytest.mark.parametrize("name", LIBRARIES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("side", [1024, 4096] if FULL else [1024])
def test_sparse(benchmark, timed, side, dtype, name):
    benchmark.group = f"sparse {dtype}, {side} x {side}"
    timed(name, "sparse", (side, side), dtype, rounds=3)


@pytest.mark.parametrize("name", LIBRARIES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(1024, 1024), (2048, 2048), (4096, 4096), (4096, 1024)] if FULL else [(512, 512)])
def test_orthogonal(benchmark, timed, shape, dtype, name):
    benchmark.group = f"orthogonal {dtype}, {shape[0]} x {shape[1]}"
    timed(name, "orthogonal", shape, dtype, rounds=3)
