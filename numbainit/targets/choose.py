"""An array → the target that fills it. Nobody above this asks of what kind an array is."""

import functools
from typing import Any

from numbainit.memory.arrays import Array
from numbainit.memory.device import DeviceArray
from numbainit.targets import cpu
from numbainit.targets.target import Target


def choose(array: Array) -> Target:
    """The CPU for an ndarray, CUDA for an array on a GPU."""
    return cuda() if type(array) is DeviceArray else cpu


@functools.cache
def cuda() -> Any:
    """The target of arrays on GPUs; imported when one is met, or asked for."""
    import numbainit.targets.cuda as target

    return target
