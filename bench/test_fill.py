"""How fast are large fills: library x law x size x dtype x threads, with the plain fill as the ceiling?"""

import os

import pytest

from numbainit.measure import peers

FULL = bool(os.environ.get("NUMBAINIT_BENCH_FULL"))
SIZES = (1 << 12, 1 << 16, 1 << 20, 1 << 26) if FULL else (1 << 20,)
DTYPES = ("float32", "float64")
LAWS = ("uniform", "normal", "trunc_normal", "trunc_normal_0.02")
SCALED = ("xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal")
THREADS = sorted({1, peers.most_threads()})
LARGEST = {"trunc_normal": 1 << 22}  # for peers: torch takes many seconds for more

pytestmark = pytest.mark.benchmark(max_time=0.2, min_rounds=3)


def group(law, size, dtype):
    return f"{law} {dtype}, 2^{size.bit_length() - 1} elements"


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", SIZES)
def test_ours(benchmark, timed, size, dtype, law, threads):
    benchmark.group = group(law, size, dtype)
    timed(peers.OURS, law, size, dtype, threads)


@pytest.mark.parametrize("law", SCALED)
@pytest.mark.parametrize("size", SIZES)
def test_ours_scaled(benchmark, timed, size, law):
    benchmark.group = group(law.rpartition("_")[2], size, "float32")
    timed(peers.OURS, law, (1 << (size.bit_length() - 1) // 2, size >> (size.bit_length() - 1) // 2))


@pytest.mark.parametrize("name", peers.installed())
@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", SIZES)
def test_peer(benchmark, timed, size, dtype, law, name):
    if size > LARGEST.get(law, size):
        pytest.skip("takes many seconds there: measured on fewer elements")
    benchmark.group = group(law, size, dtype)
    timed(name, law, size, dtype)


@pytest.mark.parametrize("name", ["numpy.fill", "numba.fill"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", SIZES)
def test_ceiling(benchmark, timed, size, dtype, name):
    benchmark.group = f"plain fill {dtype}, 2^{size.bit_length() - 1} elements"
    timed(name, "constant", size, dtype)
