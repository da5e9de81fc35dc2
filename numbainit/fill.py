"""A checked array, a law with its numbers, a key and a draw → the array filled, on one thread or all, or on its GPU.

The target, and Numba with it, is imported at the first fill: ``import numbainit`` stays quick.
"""

import os
import pickle
import sys
import threading
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np

from numbainit.arrays import is_regular, strided
from numbainit.devices import DeviceArray, gpu
from numbainit.generator import GeneratorLike, as_generator

PARALLEL_FROM = 1 << 15  # elements; below, waking the threads costs more than they save
_PIECE = 1 << 16  # elements of scratch for memory that kernels cannot address


class _Launcher:
    """What must be known before kernels may run in parallel in this process.

    GNU OpenMP kills a forked child at its first parallel region if the parent had one; the workqueue layer aborts when
    two Python threads launch at once. The values are the same either way, so the first case runs on one thread and the
    second in turn.
    """

    def __init__(self) -> None:
        self.cpu: ModuleType | None = None
        self.get_num_threads: Any = None
        self.started = False
        self.serial_only = False
        self.concurrent = False
        self.lock = threading.Lock()

    def load(self) -> ModuleType:
        from numba import get_num_threads

        from numbainit.targets import cpu

        self.get_num_threads = get_num_threads
        self.cpu = cpu
        return cpu

    def launch(self, kernel: Any, arguments: tuple) -> None:
        if self.concurrent:
            call(kernel, arguments)
            return
        from numba import threading_layer

        with self.lock:
            self.started = True
            call(kernel, arguments)
            self.concurrent = threading_layer() != "workqueue"

    def after_fork(self) -> None:
        numba_threads = sys.modules.get("numba.np.ufunc.parallel")  # which a user's own code may have started
        others = bool(getattr(numba_threads, "_is_initialized", False))
        self.serial_only = self.serial_only or self.started or others
        self.lock = threading.Lock()


_launcher = _Launcher()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_launcher.after_fork)


Array: TypeAlias = np.ndarray | DeviceArray
Stream: TypeAlias = tuple[int, int, int]  # the two words of a key, and a draw


def fill(array: Array, law: str, numbers: tuple[float, ...], generator: GeneratorLike) -> Stream:
    """Fill ``array`` with the law's values for the next draw of ``generator``; return the stream ``(k0, k1, draw)``.

    ``law`` is the name of a law without its width; ``numbers`` are its parameters as the kernels take them. The last
    check is made here, that of the generator: only now may it be drawn from.
    """
    source = as_generator(generator)
    stream = (*source.key, source.next_draw())
    if array.size:
        fill_from(array, law, numbers, stream, 0)
    return stream


def fill_from(array: Array, law: str, numbers: tuple[float, ...], stream: Stream, first: int) -> None:
    """Fill a non-empty ``array`` with the elements from ``first`` on of the stream ``(k0, k1, draw)``."""
    if isinstance(array, DeviceArray):
        gpu().fill(array, law, numbers, stream, first)
        return
    cpu = _launcher.cpu or _launcher.load()
    kernels = cpu.KERNELS[law, array.itemsize]
    if array.flags.carray and array.dtype.isnative:
        flat = array if array.ndim == 1 else array.reshape(-1)
        run(kernels.contiguous, array.size, (flat, first, *stream, numbers))
    elif is_regular(array):
        view = strided(array)
        run(kernels.strided, array.size, (view.window, view.offset, view.shape, view.strides, first, *stream, numbers))
    else:
        _fill_in_pieces(array, law, numbers, stream, first)


def fill_constant(array: Array, value: float) -> None:
    """Fill ``array`` with one value."""
    if not isinstance(array, DeviceArray):
        array[...] = value
    elif array.size:
        fill_from(array, "constant", (value,), (0, 0, 0), 0)


def call(kernel: Any, arguments: tuple) -> None:
    """Call a kernel; where its first call finds the cache on the disk full, gone or spoilt, do without that."""
    try:
        kernel(*arguments)
    except (OSError, EOFError, pickle.UnpicklingError):
        from numbainit.targets.cache import forget

        forget(kernel)
        kernel(*arguments)


def run(loops: Any, size: int, arguments: tuple) -> None:
    """Run the serial or the parallel one of two loops."""
    if size < PARALLEL_FROM or _launcher.serial_only or _launcher.get_num_threads() == 1:
        call(loops.serial, arguments)
    else:
        _launcher.launch(loops.parallel, arguments)


def _fill_in_pieces(array, law, numbers, stream, first) -> None:
    """Through a small scratch, for misaligned memory, foreign byte order and strides between elements."""
    flat = array.squeeze().flat  # NumPy's flat iterator knows 32 axes, its arrays 64
    scratch = np.empty(min(array.size, _PIECE), array.dtype.newbyteorder("="))
    for begin in range(0, array.size, _PIECE):
        piece = scratch[: array.size - begin]
        fill_from(piece, law, numbers, stream, first + begin)
        flat[begin : begin + piece.size] = piece


def sparsify(matrix: Array, zeros: int, stream: Stream) -> None:
    """Put ``zeros`` zeros into every column of a regular, non-empty matrix, at random rows of ``(k0, k1, draw)``."""
    if isinstance(matrix, DeviceArray):
        gpu().sparsify(matrix, zeros, stream)
        return
    cpu = _launcher.cpu or _launcher.load()
    share = -(-matrix.shape[1] // _launcher.get_num_threads())
    strip = min(cpu.STRIP, -(-share // 16) * 16)  # at most a thread's share, in whole cache lines
    layout = "C" if matrix.flags.c_contiguous else "F" if matrix.flags.f_contiguous else "A"
    run(cpu.SPARSE[matrix.itemsize, layout], matrix.size, (matrix, zeros, strip, *stream))
