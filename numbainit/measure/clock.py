"""A call that puts work on a GPU → how long the device works on it; and what a table must say about the device.

For the default stream of the current device, on which the arrays of :func:`numbainit.targets.cuda.driver.empty` are
filled.
"""

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from numbainit.targets.cuda.driver import api, cuda


def on(ordinal: int) -> AbstractContextManager[Any]:
    """A context in which new work of this thread goes to a device."""
    found: AbstractContextManager[Any] = cuda.gpus[ordinal]
    return found


def synchronize() -> None:
    """Wait for all work of the current device."""
    cuda.synchronize()


def memset(array: Any) -> None:
    """The plain fill that all others are measured by: the driver's own, of a Numba device array."""
    api.device_memset(array, 0, array.nbytes, _default_stream())


@functools.cache
def _default_stream() -> Any:
    return cuda.default_stream()


def device_seconds(call: Callable[[], Any]) -> float:
    """How long the device works on what a call puts on the default stream."""
    begin, end = cuda.event(), cuda.event()
    begin.record()
    call()
    end.record()
    end.synchronize()
    return float(cuda.event_elapsed_time(begin, end)) / 1e3


def clock() -> Callable[[], float]:
    """A function that gives the time of the device in seconds, when all work before is done."""
    begin = cuda.event()
    begin.record()

    def now() -> float:
        event = cuda.event()
        event.record()
        event.synchronize()
        return float(cuda.event_elapsed_time(begin, event)) / 1e3

    return now


def host(array: Any) -> np.ndarray:
    """A copy of a Numba device array; Numba itself copies no small floats."""
    copied: np.ndarray = array.view(f"u{array.dtype.itemsize}").copy_to_host().view(array.dtype)
    return copied


def facts(ordinal: int) -> dict[str, str]:
    """What a table of timings must say about where they were taken."""
    name = cuda.gpus[ordinal].name
    versions = {"driver": api.driver.get_version(), "cuda": cuda.runtime.get_version()}
    known = {key: ".".join(map(str, version)) for key, version in versions.items()}
    return known | {"device": name.decode() if isinstance(name, bytes) else str(name)}
