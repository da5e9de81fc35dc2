"""A device array, or a block of one, of any layout → what fills it, on its GPU and on its own stream.

A *loop* (``cuda_loops.py``) becomes a kernel for each law, dtype and kind of memory when it is first asked for.
Launches go to the array's own stream, on the device that holds it, and wait for nothing.

This is the only file that imports ``numba.cuda``.
"""

import functools
import threading
from contextlib import nullcontext
from typing import Any, NamedTuple

import numpy as np
from cuda.core import LaunchConfig, Stream, launch
from numba import config, cuda
from numba.cuda.cudadrv import driver as api
from numba.cuda.cudadrv import nvrtc

from numbainit.blocks import c_strides, merged_axes
from numbainit.errors import DeviceError, InvalidValueError
from numbainit.scalar.formats import SMALL
from numbainit.targets import cuda_laws, cuda_loops
from numbainit.targets.cache import LOST, forget, sources_digest
from numbainit.targets.cuda_codes import code
from numbainit.targets.cuda_loops import THREADS

_VECTOR = 16  # bytes that a thread stores at a time, where it can
_WORDS = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}
_BY_REJECTION = ("trunc_normal", "tail")
_BOUND_BY_ARITHMETIC = ("normal", "complex_normal")  # where wider stores gain less than two blocks at once cost


# ---- kernels ----


class Kernels(NamedTuple):
    """The kernels of a law: over contiguous memory, over memory with strides, and over a block of a larger array.

    In contiguous memory a thread makes ``blocks`` blocks of the stream at a time.
    """

    contiguous: Any
    strided: Any
    block: Any
    blocks: int


def _kernel(name):
    """Compile the decorated function at its first launch, as ``name``, and keep it on disk like the CPU's kernels."""

    def decorate(function):
        function.__qualname__ = f"{name}_{sources_digest()}"
        try:
            return cuda.jit(cache=True)(function)
        except RuntimeError:  # "cannot cache function": no folder can be written
            return cuda.jit(function)

    return decorate


def _fill_kernel(name, loop):
    """The kernel (where, first, k0, k1, draw, numbers)."""

    @_kernel(name)
    def fill(where, first, k0, k1, draw, numbers):
        thread, threads = np.uint64(cuda.grid(1)), np.uint64(cuda.gridsize(1))
        loop(thread, threads, where, first, k0, k1, draw, numbers)

    return fill


def _mask_kernel(name, loop):
    """The kernel (address, shape, strides, block, zeros, k0, k1, draw)."""

    @_kernel(name)
    def mask(address, shape, strides, block, zeros, k0, k1, draw):
        thread, threads = np.uint64(cuda.grid(1)), np.uint64(cuda.gridsize(1))
        loop(thread, threads, address, shape, strides, block, zeros, k0, k1, draw)

    return mask


def kernels(name, dtype, capability):
    """The kernels of a law for a dtype, on GPUs of a compute capability; each is compiled when it is first needed."""
    with _lock:
        return _kernels(name, dtype, capability)


@functools.cache
def _kernels(name, dtype, capability):
    loops, blocks = cuda_loops, 1
    width = 32 if dtype.name in SMALL else 8 * dtype.itemsize
    law, stored = getattr(cuda_laws, f"{name}{width}"), code(dtype.name, capability)
    if name in _BY_REJECTION:
        kind = np.float64 if width == 64 else np.float32
        contiguous, strided = (
            loops.by_rejection(law, stored, put, kind) for put in (loops.put_contiguous, loops.put_strided)
        )
        block = loops.block_by_rejection(law, stored, kind)
    else:
        codes = loops.coded(law, stored)
        blocks = 1 if name in _BOUND_BY_ARITHMETIC else max(_VECTOR // dtype.itemsize // 4, 1)
        contiguous = loops.direct(codes, loops.put_contiguous, blocks)
        strided, block = loops.direct(codes, loops.put_strided, 1), loops.block_direct(codes)
    ways = {"contiguous": contiguous, "strided": strided, "block": block}
    return Kernels(*(_fill_kernel(f"gpu_{name}_{dtype.name}_{way}", loop) for way, loop in ways.items()), blocks)


def mask_kernel(itemsize):
    """The kernel that puts zeros into the columns of a matrix of elements of so many bytes."""
    with _lock:
        return _mask(itemsize)


@functools.cache
def _mask(itemsize):
    word = min(itemsize, 8)
    return _mask_kernel(f"gpu_mask_{itemsize}", cuda_loops.sparse(_WORDS[word], itemsize // word))


# ---- fills ----


def filling(array, law, block):
    """What fills a non-empty DeviceArray, a part of a larger array or (None) all of it, by ``(k0, k1, draw)``.

    All that can fail is done before it is called: the device is looked at, and the kernel compiled and loaded.
    """
    device = device_of(array)
    known = kernels(law.name, array.dtype, device.capability)
    numbers = law.numbers or (0.0,)  # Numba wants its tuples to have a type of element
    first = 0 if block is None else _signed(block.first())
    if block is not None and not block.is_range(array.shape):
        shape, strides, steps = zip(*merged_axes(array, block.strides), strict=True)
        where, kernel, elements = (array.pointer, array.size, shape, strides, steps), known.block, 1
    elif array.is_contiguous():
        elements = 4 * known.blocks
        aligned = (array.pointer - first * array.itemsize) % _VECTOR == 0
        stop = max(array.size - (elements - 1), 0) if aligned else 0
        where, kernel = (array.pointer, array.size, stop), known.contiguous
    else:
        shape, strides, _ = zip(*merged_axes(array, c_strides(array.shape)), strict=True)
        where, kernel, elements = (array.pointer, array.size, shape, strides), known.strided, 4
    tasks = (first % elements + array.size + elements - 1) // elements
    return _launching(kernel, tasks, device, array.stream, (where, first), (numbers,))


def filling_sparse(matrix, zeros, law, block):
    """The same for a non-empty matrix, a part of a larger one, each of whose columns gets so many zeros."""
    parts = matrix.parts()
    fill = filling(parts, law, block if parts is matrix else block.of_parts())
    if not zeros:
        return fill
    strides = tuple(stride // matrix.itemsize for stride in matrix.strides)
    where = matrix.pointer, matrix.shape, strides, (*block.shape, *block.start), zeros
    mask = _launching(mask_kernel(matrix.itemsize), matrix.shape[1], device_of(matrix), matrix.stream, where, ())

    def both(stream):
        fill(stream)
        mask(stream)

    return both


def _signed(number):
    """A number below 2^64 as the int64 of the same bits: arguments of a kernel have one type."""
    return number - (number >> 63 << 64)


# ---- launching ----

_BLOCKS_PER_SM = 8  # 2,048 threads, the most that one runs


def _launching(kernel, tasks, device, handle, before, after):
    """What launches a kernel, with a stream of words between its other arguments.

    It runs ``tasks`` threads, or as many as the device holds, on the stream of this handle. By way of Numba's
    dispatcher a call would cost its caller several times as much: it finds the types of nested tuples anew each time.
    """
    leading, following = flat(before), flat(after)
    key = kernel, device.ordinal, len(leading) + len(following)
    with _lock:
        if key not in _loaded:
            _loaded[key] = _load(kernel, device, (*before, 0, 0, 0, *after))
    loaded, grid = _loaded[key], min(-(-tasks // THREADS), device.most_blocks)

    def launch_for(stream):
        with _current(device):
            launch(_stream(handle or 0, device.ordinal), _configuration(grid), loaded, *leading, *stream, *following)

    return launch_for


_lock = threading.RLock()  # so that two threads do not compile the same
#: (kernel, device, number of values that it takes) → the kernel in the memory of that device
_loaded: dict[tuple[Any, int, int], Any] = {}


def _load(kernel, device, arguments):
    """Compile a kernel for arguments of these types, or find it on disk, and load it on a device."""
    kinds = tuple(map(kernel.typeof_pyval, arguments))
    with _current(device):
        try:
            compiled = kernel.compile(kinds)
        except LOST:
            forget(kernel)
            compiled = kernel.compile(kinds)
        return compiled.library.get_cufunc().kernel


def _current(device):
    """A context in which new work of this thread goes to a device."""
    here = int(api.driver.cuCtxGetCurrent()) == device.context
    return nullcontext() if here else cuda.gpus[device.ordinal]


@functools.lru_cache(maxsize=1024)
def _configuration(grid):
    return LaunchConfig(grid=grid, block=THREADS)


@functools.lru_cache(maxsize=256)
def _stream(handle, ordinal):
    """cuda.core's object for a handle. It holds nothing else, and takes as long to make as eight launches."""
    return Stream.from_handle(handle)


def flat(arguments):
    """Numba passes tuples element by element."""
    values = []
    for argument in arguments:
        if type(argument) is tuple:
            values.extend(flat(argument))
        else:
            values.append(argument)
    return values


# ---- devices ----


class Device(NamedTuple):
    """A GPU: its number, compute capability, how many thread blocks it runs, and its context."""

    ordinal: int
    capability: tuple[int, int]
    most_blocks: int
    context: int


def device_of(array):
    """The GPU that holds a non-empty DeviceArray; an error if it cannot be used."""
    return _device(ordinal_of(array))


@functools.cache
def _device(ordinal):
    gpu = cuda.gpus[ordinal]
    capability = tuple(gpu.compute_capability)
    _check_capability(ordinal, capability)
    with gpu:
        context = int(api.driver.cuCtxGetCurrent())
    return Device(ordinal, capability, _BLOCKS_PER_SM * gpu.MULTIPROCESSOR_COUNT, context)


def _check_capability(ordinal, capability):
    """Numba compiles for exactly this one from 9.0 on, and for the nearest older one before."""
    known, name = nvrtc.get_supported_ccs(), f"cuda:{ordinal} has compute capability {capability[0]}.{capability[1]}"
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


def ordinal_of(array):
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
def check_driver():
    """Raise a :class:`DeviceError` where there is no driver, no card, or an older CUDA in the driver than installed."""
    if config.ENABLE_CUDASIM:
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


def _reason():
    return " ".join((cuda.cuda_error() or "no card").split()).rstrip(":.")


def check_device(ordinal):
    """Raise a :class:`DeviceError` if there is no device of this number."""
    check_driver()
    if ordinal >= len(cuda.gpus):
        raise DeviceError(f"there is no cuda:{ordinal}: {len(cuda.gpus)} CUDA devices, numbered from 0, are here")


def empty(shape, dtype, ordinal):
    """A new Numba device array."""
    try:
        with cuda.gpus[ordinal]:
            return cuda.device_array(shape, dtype)
    except api.CudaAPIError as error:
        if error.code != api.binding.CUresult.CUDA_ERROR_OUT_OF_MEMORY:
            raise
        raise MemoryError(f"cuda:{ordinal} has no memory left for shape {shape} of {dtype}") from error


# ---- measuring ----


def on(ordinal):
    """A context in which new work of this thread goes to a device."""
    return cuda.gpus[ordinal]


def synchronize():
    """Wait for all work of the current device."""
    cuda.synchronize()


def memset(array):
    """The plain fill that all others are measured by: the driver's own, of a Numba device array."""
    api.device_memset(array, 0, array.nbytes, _default_stream())


@functools.cache
def _default_stream():
    return cuda.default_stream()


def device_seconds(call):
    """How long the device works on what a call puts on the default stream."""
    begin, end = cuda.event(), cuda.event()
    begin.record()
    call()
    end.record()
    end.synchronize()
    return cuda.event_elapsed_time(begin, end) / 1e3


def clock():
    """A function that gives the time of the device in seconds, when all work before is done."""
    begin = cuda.event()
    begin.record()

    def now():
        event = cuda.event()
        event.record()
        event.synchronize()
        return cuda.event_elapsed_time(begin, event) / 1e3

    return now


def host(array):
    """A copy of a Numba device array; Numba itself copies no small floats."""
    return array.view(f"u{array.dtype.itemsize}").copy_to_host().view(array.dtype)


def facts(ordinal):
    """What a table of timings must say about where they were taken."""
    name = cuda.gpus[ordinal].name
    versions = {"driver": api.driver.get_version(), "cuda": cuda.runtime.get_version()}
    known = {key: ".".join(map(str, version)) for key, version in versions.items()}
    return known | {"device": name.decode() if isinstance(name, bytes) else str(name)}
