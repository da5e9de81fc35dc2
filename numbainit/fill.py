"""A checked array, a law with its numbers, a key and a draw → the array filled, on one thread or all.

The target, and Numba with it, is imported at the first fill: ``import numbainit`` stays quick.
"""

import os
import pickle
import sys
import threading
from types import ModuleType
from typing import Any

import numpy as np

from numbainit.arrays import as_parts, as_words, is_regular, part_of, strided
from numbainit.generator import GeneratorLike, Stream, as_generator
from numbainit.parameters import Law

PARALLEL_FROM = 1 << 15  # elements; below, waking the threads costs more than they save
_WORD = np.dtype("uint32")
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


def fill(array: np.ndarray, law: Law, generator: GeneratorLike) -> None:
    """Fill ``array`` with the law's values for the next draw of ``generator``.

    The last check is made here, that of the generator: only now may it be drawn from.
    """
    stream = as_generator(generator).next_stream()
    if array.size:
        fill_from(array, law, stream, 0)


def fill_from(array: np.ndarray, law: Law, stream: Stream, first: int) -> None:
    """Fill a non-empty ``array`` with the elements from ``first`` on of the stream ``(k0, k1, draw)``."""
    if array.dtype.kind == "c":
        fill_from(as_parts(array), law, stream, 2 * first)
        return
    if not array.dtype.isnative:
        _fill_in_pieces(array, law, stream, first)
        return
    cpu = _launcher.cpu or _launcher.load()
    address = cpu.address(law.name, array.dtype)
    memory = as_words(array)
    if memory.flags.carray:
        run(cpu.CONTIGUOUS, memory.size, (address, memory.ravel(), first, *stream, law.packed))
    elif is_regular(memory):
        view = strided(memory)
        place = view.window, view.offset, view.shape, view.strides
        run(cpu.STRIDED, memory.size, (address, *place, first, *stream, law.packed))
    else:
        _fill_in_pieces(array, law, stream, first)


def run(loops: Any, size: int, arguments: tuple) -> None:
    """Run the serial or the parallel one of two loops."""
    if size < PARALLEL_FROM or _launcher.serial_only or _launcher.get_num_threads() == 1:
        call(loops.serial, arguments)
    else:
        _launcher.launch(loops.parallel, arguments)


def call(kernel: Any, arguments: tuple) -> None:
    """Call a kernel; where its first call finds the cache on the disk full, gone or spoilt, do without that."""
    try:
        kernel(*arguments)
    except (OSError, EOFError, pickle.UnpicklingError):
        from numbainit.targets.cache import forget

        forget(kernel)
        kernel(*arguments)


def _fill_in_pieces(array: np.ndarray, law: Law, stream: Stream, first: int) -> None:
    """Through a small scratch, for misaligned memory, foreign byte order and strides between elements."""
    flat = array.squeeze().flat  # NumPy's flat iterator knows 32 axes, its arrays 64
    scratch = np.empty(min(array.size, _PIECE), array.dtype.newbyteorder("="))
    for begin in range(0, array.size, _PIECE):
        piece = scratch[: array.size - begin]
        fill_from(piece, law, stream, first + begin)
        flat[begin : begin + piece.size] = piece


def fill_sparse(matrix: np.ndarray, zeros: int, law: Law, generator: GeneratorLike) -> None:
    """Fill a regular matrix with the law's values, but ``zeros`` of each column, at random rows, with zeros."""
    stream = as_generator(generator).next_stream()
    if not matrix.size:
        return
    cpu = _launcher.cpu or _launcher.load()
    share = -(-matrix.shape[1] // _launcher.get_num_threads())
    widest = cpu.STRIP // 2 if matrix.dtype.kind == "c" else cpu.STRIP
    strip = min(widest, -(-share // 16) * 16)  # at most a thread's share, in whole cache lines
    layout = "C" if matrix.flags.c_contiguous else "F" if matrix.flags.f_contiguous else "A"
    laws = cpu.address(law.name, part_of(matrix.dtype)), cpu.address("mask", _WORD)
    run(cpu.SPARSE[layout], matrix.size, (*laws, as_words(matrix), zeros, strip, *stream, law.packed))
