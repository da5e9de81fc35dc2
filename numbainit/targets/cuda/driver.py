"""A kernel and its arguments → a launch on the right device and stream; and what else is asked of the driver of a GPU.

Launches go to the array's own stream, on the device that holds it, and wait for nothing. This is the only file that
imports ``numba.cuda``; ``kernels.py`` and the clock of the benchmarks have it from here.
"""

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from cuda.core import LaunchConfig, Stream, launch
from numba import config, cuda
from numba.cuda.cudadrv import driver as api
from numba.cuda.cudadrv import nvrtc

from numbainit.errors import DeviceError, InvalidValueError
from numbainit.memory.device import DeviceArray
from numbainit.targets.cache import check_compiler, keep
from numbainit.targets.cuda.loops import THREADS

_BLOCKS_PER_SM = 8  # 2,048 threads, the most that one runs


# ---- devices ----


class Device(NamedTuple):
    """A GPU: its number, compute capability, how many thread blocks it runs, and its context."""

    ordinal: int
    capability: tuple[int, int]
    most_blocks: int
    context: int


def device_of(array: DeviceArray) -> Device:
    """The GPU that holds a non-empty DeviceArray; an error if it cannot be used."""
    return _device(ordinal_of(array))


@functools.cache
def _device(ordinal: int) -> Device:
    gpu = cuda.gpus[ordinal]
    major, minor = gpu.compute_capability
    capability = major, minor
    _check_capability(ordinal, capability)
    with gpu:
        context = int(api.driver.cuCtxGetCurrent())
    return Device(ordinal, capability, _BLOCKS_PER_SM * gpu.MULTIPROCESSOR_COUNT, context)


def _check_capability(ordinal: int, capability: tuple[int, int]) -> None:
    """Numba compiles for exactly this one from 9.0 on, and for the nearest older one before."""
    known = nvrtc.get_supported_ccs()  # type: ignore[attr-defined]
    name = f"cuda:{ordinal} has compute capability {capability[0]}.{capability[1]}"
    if capability < min(known):
        older = (
            'pip install "numbainit[cuda12]" in a fresh environment, or ' if cuda.runtime.get_version()[0] > 12 else ""
        )
        lowest = ".".join(map(str, min(known)))
        raise DeviceError(
            f"{name}, but the CUDA that is installed compiles for {lowest} and newer: {older}use device='cpu'"
        )
    if capability > max(known) or (capability >= (9, 0) and capability not in known):
        raise DeviceError(
            f"{name}, which the CUDA that is installed does not know: install newer numba-cuda and cuda-toolkit"
        )


def ordinal_of(array: DeviceArray) -> int:
    """The number of the device that holds a non-empty DeviceArray."""
    check_driver()
    attribute = api.binding.CUpointer_attribute.CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL
    try:
        return int(api.driver.cuPointerGetAttribute(attribute, array.pointer))
    except api.CudaAPIError as error:
        raise InvalidValueError(
            f"got an array at address {array.pointer:#x}, which the CUDA driver does not know ({error}): was it freed, "
            "or made in another process?"
        ) from None


@functools.cache
def check_driver() -> None:
    """Raise a :class:`DeviceError` where there is no driver, no card, or an older CUDA in the driver than installed."""
    if config.ENABLE_CUDASIM:  # type: ignore[attr-defined]
        raise DeviceError("NUMBA_ENABLE_CUDASIM is set, and Numba's simulator has no GPU: unset it")
    if not cuda.is_available():
        raise DeviceError(
            f"found no CUDA device ({_reason()}): install the NVIDIA driver and check that nvidia-smi lists a card, or "
            "use device='cpu'"
        )
    known, installed = api.driver.get_version(), cuda.runtime.get_version()
    if known[0] < installed[0]:
        older = ', or pip install "numbainit[cuda12]" in a fresh environment' if known[0] == 12 else ""
        raise DeviceError(
            f"the NVIDIA driver knows CUDA up to {known[0]}.{known[1]}, but CUDA {installed[0]}.{installed[1]} is "
            f"installed: update the driver{older}"
        )


def _reason() -> str:
    return " ".join((cuda.cuda_error() or "no card").split()).rstrip(":.")


def check_device(ordinal: int) -> None:
    """Raise a :class:`DeviceError` if there is no device of this number."""
    check_driver()
    if ordinal >= len(cuda.gpus):
        raise DeviceError(f"there is no cuda:{ordinal}: {len(cuda.gpus)} CUDA devices, numbered from 0, are here")


def empty(shape: tuple[int, ...], dtype: np.dtype, ordinal: int) -> Any:
    """A new Numba device array."""
    try:
        with cuda.gpus[ordinal]:
            return cuda.device_array(shape, dtype)
    except api.CudaAPIError as error:
        if error.code != api.binding.CUresult.CUDA_ERROR_OUT_OF_MEMORY:
            raise
        raise MemoryError(f"cuda:{ordinal} has no memory left for shape {shape} of {dtype}") from error


@contextlib.contextmanager
def uploaded(array: np.ndarray, device: Device, handle: int | None) -> Iterator[int]:
    """The address of a copy of a contiguous array on a GPU, for work on the stream of this handle within the block."""
    copy = empty(array.shape, array.dtype, device.ordinal)
    with _current(device):
        copy.copy_to_device(array)
        yield int(copy.__cuda_array_interface__["data"][0])
        _stream(handle or 0, device.ordinal).sync()


# ---- launching ----


def launching(
    kernel: Any,
    tasks: int,
    device: Device,
    handle: int | None,
    before: tuple[Any, ...],
    after: tuple[Any, ...] = (),
    stream: tuple[int, ...] = (0, 0, 0),
) -> Callable[[tuple[int, ...]], None]:
    """What launches a kernel, with a stream of words between its other arguments: () for one that reads no words.

    It runs ``tasks`` threads, or as many as the device holds, on the stream of this handle. By way of Numba's
    dispatcher a call would cost its caller several times as much: it finds the types of nested tuples anew each time.
    """
    leading, following = flat(before), flat(after)
    key = kernel, device.ordinal, len(leading) + len(following)
    with LOCK:
        if key not in _loaded:
            _loaded[key] = _load(kernel, device, (*before, *stream, *after))
    loaded, grid = _loaded[key], min(-(-tasks // THREADS), device.most_blocks)

    def launch_for(stream: tuple[int, ...]) -> None:
        with _current(device):
            launch(_stream(handle or 0, device.ordinal), _configuration(grid), loaded, *leading, *stream, *following)

    return launch_for


LOCK = threading.RLock()  # so that two threads do not compile the same
#: (kernel, device, number of values that it takes) → the kernel in the memory of that device
_loaded: dict[tuple[Any, int, int], Any] = {}


def kernel(function: Any) -> Any:
    """What compiles a function at its first launch, and keeps it on disk like the CPU's kernels."""
    simulated = config.ENABLE_CUDASIM  # type: ignore[attr-defined]  # which compiles nothing
    if not simulated:
        check_compiler()
    dispatcher = cuda.jit(function)
    if not simulated:
        from numba.cuda.dispatcher import CUDACache

        keep(dispatcher, CUDACache, function)
    return dispatcher


def _load(kernel: Any, device: Device, arguments: tuple[Any, ...]) -> Any:
    """Compile a kernel for arguments of these types, or find it on disk, and load it on a device."""
    kinds = tuple(map(kernel.typeof_pyval, arguments))
    with _current(device):
        return kernel.compile(kinds).library.get_cufunc().kernel


def _current(device: Device) -> Any:
    """A context in which new work of this thread goes to a device."""
    here = int(api.driver.cuCtxGetCurrent()) == device.context
    return contextlib.nullcontext() if here else cuda.gpus[device.ordinal]


@functools.lru_cache(maxsize=1024)
def _configuration(grid: int) -> LaunchConfig:
    return LaunchConfig(grid=grid, block=THREADS)


@functools.lru_cache(maxsize=256)
def _stream(handle: int, ordinal: int) -> Stream:
    """cuda.core's object for a handle. It holds nothing else, and takes as long to make as eight launches."""
    return Stream.from_handle(handle)


def flat(arguments: tuple[Any, ...]) -> list[Any]:
    """Numba passes tuples element by element."""
    values: list[Any] = []
    for argument in arguments:
        if type(argument) is tuple:
            values.extend(flat(argument))
        else:
            values.append(argument)
    return values
