"""How fast are large fills on a GPU: library x law x dtype, by the device's clock, with its memset as the ceiling?"""

import os

import numpy as np
import pytest

from numbainit.errors import NumbaInitError
from numbainit.measure import device
from numbainit.memory.dtypes import small_dtype
from numbainit.targets.choose import cuda

SIZE = int(os.environ.get("NUMBAINIT_BENCH_DEVICE_SIZE", device.SIZE))
DTYPES = ("float32", "float64", "bfloat16")
LIBRARIES = (device.FILL, device.OURS, *device.installed())


def _missing():
    """Why nothing can be measured here, or an empty text."""
    try:
        cuda().driver.check_device(0)
    except NumbaInitError as error:
        return str(error)
    return ""


pytestmark = pytest.mark.skipif(bool(_missing()), reason=_missing())


@pytest.fixture
def timed(benchmark):
    """``timed(call)`` by the clock of the device, whose median counts."""
    # set by hand: pytest-benchmark takes a timer only for whole modules, at their import
    benchmark._timer = device._clock().clock()
    return lambda call: benchmark.pedantic(call, rounds=20, warmup_rounds=3)


@pytest.mark.parametrize("name", LIBRARIES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("law", device.LAWS)
def test_fill(benchmark, timed, law, dtype, name):
    benchmark.group = f"{law} {dtype}, {SIZE:,} elements on a GPU"
    kind = small_dtype(dtype) if dtype == "bfloat16" else np.dtype(dtype)
    call = device.call_of(name, law, kind, SIZE, 0)
    if call is None:
        pytest.skip(f"{name} has no {law} of {dtype}")
    timed(call)
    if not benchmark.disabled:
        benchmark.extra_info["gb_per_second"] = SIZE * kind.itemsize / benchmark.stats.stats.median / 1e9
