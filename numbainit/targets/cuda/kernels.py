"""A loop, a law and a dtype → kernels for each kind of memory, compiled when they are first needed and kept on disk."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from numbainit.maths.formats import SMALL
from numbainit.targets.cache import named
from numbainit.targets.cuda import laws, loops
from numbainit.targets.cuda.codes import code
from numbainit.targets.cuda.driver import LOCK, cuda, kernel

VECTOR = 16  # bytes that a thread stores at a time, where it can
_WORDS = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}
_BY_REJECTION = ("trunc_normal", "tail")
_BOUND_BY_ARITHMETIC = ("normal", "complex_normal")  # where wider stores gain less than two counters at once cost


class Kernels(NamedTuple):
    """The kernels of a law: over contiguous memory, over memory with strides, and over a block of a larger array.

    In contiguous memory a thread makes the words of so many ``counters`` at a time.
    """

    contiguous: Any
    strided: Any
    block: Any
    counters: int


def _kernel(name: str) -> Callable[[Any], Any]:
    """Compile the decorated function at its first launch, as ``name``, and keep it on disk like the CPU's kernels."""

    def decorate(function: Any) -> Any:
        return kernel(named(function, name))

    return decorate


def _fill_kernel(name: str, loop: Any) -> Any:
    """The kernel (where, first, k0, k1, draw, numbers)."""

    @_kernel(name)
    def fill(where, first, k0, k1, draw, numbers):
        thread, threads = np.uint64(cuda.grid(1)), np.uint64(cuda.gridsize(1))
        loop(thread, threads, where, first, k0, k1, draw, numbers)

    return fill


def _mask_kernel(name: str, loop: Any) -> Any:
    """The kernel (address, shape, strides, block, zeros, k0, k1, draw)."""

    @_kernel(name)
    def mask(address, shape, strides, block, zeros, k0, k1, draw):
        thread, threads = np.uint64(cuda.grid(1)), np.uint64(cuda.gridsize(1))
        loop(thread, threads, address, shape, strides, block, zeros, k0, k1, draw)

    return mask


def _write_kernel(name: str, loop: Any) -> Any:
    """The kernel (where, what), which reads no words."""

    @_kernel(name)
    def write(where, what):
        thread, threads = np.uint64(cuda.grid(1)), np.uint64(cuda.gridsize(1))
        loop(thread, threads, where, what)

    return write


def of_law(name: str, dtype: np.dtype, capability: tuple[int, int]) -> Kernels:
    """The kernels of a law for a dtype, on GPUs of a compute capability; each is compiled when it is first needed."""
    with LOCK:
        return _of_law(name, dtype, capability)


@functools.cache
def _of_law(name: str, dtype: np.dtype, capability: tuple[int, int]) -> Kernels:
    counters = 1
    width = 32 if dtype.name in SMALL else 8 * dtype.itemsize
    law, stored = getattr(laws, f"{name}{width}"), code(dtype.name, capability)
    if name in _BY_REJECTION:
        kind = np.float64 if width == 64 else np.float32
        contiguous, strided = (
            loops.by_rejection(law, stored, put, kind) for put in (loops.put_contiguous, loops.put_strided)
        )
        block = loops.block_by_rejection(law, stored, kind)
    else:
        codes = loops.coded(law, stored)
        counters = 1 if name in _BOUND_BY_ARITHMETIC else _counters(dtype.itemsize)
        contiguous = loops.direct(codes, loops.put_contiguous, counters)
        strided, block = loops.direct(codes, loops.put_strided, 1), loops.block_direct(codes)
    ways = {"contiguous": contiguous, "strided": strided, "block": block}
    return Kernels(*(_fill_kernel(f"gpu_{name}_{dtype.name}_{way}", loop) for way, loop in ways.items()), counters)


def _counters(itemsize: int) -> int:
    """How many counters make the bytes that a thread stores at a time."""
    return max(VECTOR // itemsize // 4, 1)


def of_mask(itemsize: int) -> Any:
    """The kernel that puts zeros into the columns of a matrix of elements of so many bytes."""
    with LOCK:
        return _of_mask(itemsize)


@functools.cache
def _of_mask(itemsize: int) -> Any:
    word = min(itemsize, 8)
    return _mask_kernel(f"gpu_mask_{itemsize}", loops.sparse(_WORDS[word], itemsize // word))


def of_writing(what: str, dtype: np.dtype, capability: tuple[int, int]) -> Kernels:
    """The kernels of what reads no words: a "constant", given by its bits, or the "copy" of floats as they are made."""
    with LOCK:
        return _of_writing(what, dtype, capability)


@functools.cache
def _of_writing(what: str, dtype: np.dtype, capability: tuple[int, int]) -> Kernels:
    counters, ways = _counters(dtype.itemsize), {"contiguous": loops.put_contiguous, "strided": loops.put_strided}
    made: list[Any] = []
    for way, put in ways.items():
        each = counters if way == "contiguous" else 1
        if what == "constant":
            loop = loops.constant(_WORDS[dtype.itemsize], put, each)
        else:
            made_in = np.float64 if dtype.itemsize == 8 else np.float32
            loop = loops.copy(made_in(0), code(dtype.name, capability), put, each)
        made.append(_write_kernel(f"gpu_{what}_{dtype.name}_{way}", loop))
    return Kernels(*made, None, counters)
