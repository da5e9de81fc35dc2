"""Names of libraries and laws → calls to measure, on memory that was touched, with threads as asked.

Sizes are small unless ``NUMBAINIT_BENCH_FULL=1``, so that all of it ends in about three minutes.
"""

import math

import numpy as np
import pytest

from numbainit.measure import peers


@pytest.fixture
def timed(benchmark):
    """Measure a call of a library: ``timed(library, law, shape, dtype)``, skipped where the library has no such law."""

    def run(name, law, shape, dtype="float32", threads=None, rounds=None):
        array = np.full(shape, 0.5, dtype)
        call = _call(name, law, array)
        if call is None:
            pytest.skip(f"{name} has no {law} of {dtype}")
        with peers.threads(threads):
            measure(benchmark, call, array.nbytes, rounds)

    return run


def _call(name, law, array):
    """The plain fills are libraries with one law."""
    fills = peers.plain_fills(array)
    return fills[name] if name in fills else peers.library(name).call(law, array)


def measure(benchmark, call, nbytes, rounds=None):
    """Compile and warm up, then time: ``rounds`` times, or as often as the plugin thinks right."""
    call()
    if benchmark.disabled or rounds is None:
        benchmark(call)
    else:
        benchmark.pedantic(call, rounds=rounds)
    if not benchmark.disabled:
        benchmark.extra_info["gb_per_second"] = nbytes / benchmark.stats.stats.min / 1e9


@pytest.fixture
def timed_all(benchmark):
    """Measure the calls for many shapes, one after the other."""

    def run(name, law, shapes, dtype="float32", rounds=3):
        calls = [_call(name, law, np.full(shape, 0.5, dtype)) for shape in shapes]
        if None in calls:
            pytest.skip(f"{name} has no {law} of {dtype}")

        def call_all():
            for call in calls:
                call()

        nbytes = sum(math.prod(shape) for shape in shapes) * np.dtype(dtype).itemsize
        with peers.threads():
            measure(benchmark, call_all, nbytes, rounds)

    return run
