"""A checked array, a law with its numbers, a key and a draw → the array filled, on one thread or all, or on its GPU.

The target, and Numba with it, is imported at the first fill: ``import numbainit`` stays quick.
"""

import os
import pickle
import sys
import threading
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np

from numbainit.generator import GeneratorLike, Stream, as_generator
from numbainit.memory.arrays import as_parts, as_words, is_regular, strided, write_everywhere
from numbainit.memory.device import DeviceArray, gpu
from numbainit.memory.dtypes import part_of
from numbainit.weights.blocks import Block, c_strides, whole_block, whole_shape
from numbainit.weights.laws import Law, constant_law

PARALLEL_FROM = 1 << 15  # elements; below, waking the threads costs more than they save
_WORD = np.dtype("uint32")
_PIECE = 1 << 16  # elements of scratch for memory that kernels cannot address
Array: TypeAlias = np.ndarray | DeviceArray
Laws: TypeAlias = Sequence[tuple[tuple[slice, ...], Law]]


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

        from numbainit.targets.cpu import loops as cpu

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


def fill(array: Array, law: Law, generator: GeneratorLike, block: Block | None = None) -> None:
    """Fill ``array``, which may be a block of a larger one, with the law's values for the generator's next draw.

    The last checks are made here, those of the block and the generator: only now may it be drawn from.
    """
    if block is not None:
        whole_shape(array.shape, block)
    source = as_generator(generator)
    if isinstance(array, DeviceArray):
        _filling(array, law, block)(source.next_stream())
        return
    stream = source.next_stream()
    if array.size:
        fill_from(array, law, stream, block)


def fill_parts(array: Array, laws: Laws, generator: GeneratorLike, block: Block | None) -> None:
    """Fill parts of ``array``, each given by an index and with a law of its own, for one draw."""
    whole = whole_block(array.shape, block)
    source = as_generator(generator)
    if isinstance(array, DeviceArray):
        fillings = [_filling(array[index], law, whole.within(index)) for index, law in laws]
        stream = source.next_stream()
        for launch in fillings:
            launch(stream)
        return
    stream = source.next_stream()
    for index, law in laws:
        if array[index].size:
            fill_from(array[index], law, stream, whole.within(index))


def fill_constant(array: Array, value: complex, block: Block | None = None) -> None:
    """Fill ``array`` with one value, whatever part of a larger one it is."""
    if block is not None:
        whole_shape(array.shape, block)
    if not isinstance(array, DeviceArray):
        write_everywhere(array, value)
    elif array.size:
        _fill_constant_on_device(array, value)


def _fill_constant_on_device(array: DeviceArray, value: complex) -> None:
    """Floats of up to 32 bits as the integers of their bits, so that infinities and NaN need no code there."""
    if array.dtype.kind == "c":
        parts = array.parts()
        for index, number in enumerate((value.real, value.imag)):
            _fill_constant_on_device(parts.part(index * parts.itemsize, array.shape, array.strides), number)
        return
    if array.itemsize < 8:
        words = f"u{array.itemsize}"
        array, value = array.view(words), float(np.array(value, array.dtype).view(words))
    gpu().filling(array, constant_law(value.real), None)((0, 0, 0))


def fill_from(array: Array, law: Law, stream: Stream, block: Block | None = None) -> None:
    """Fill a non-empty ``array`` for the stream ``(k0, k1, draw)``."""
    if isinstance(array, DeviceArray):
        _filling(array, law, block)(stream)
        return
    dtype: np.dtype = array.dtype
    if dtype.kind == "c":
        parts = block.of_parts() if block else None
        fill_from(as_parts(array if block else array.squeeze()), law, stream, parts)
    elif (array.flags.carray and dtype.isnative) or is_regular(array):
        cpu = _launcher.cpu or _launcher.load()
        memory = array if dtype.itemsize >= 4 else as_words(array)
        _fill_memory(memory, cpu.address(law.name, dtype), law, stream, block)
    else:
        _fill_in_pieces(array, law, stream, block)


def _filling(array: DeviceArray, law: Law, block: Block | None) -> Callable[[Stream], None]:
    """What fills an array on a GPU for a stream; whatever can fail has been done before that is drawn."""
    if not array.size:
        return _nothing
    parts = array.parts()
    return gpu().filling(parts, law, block.of_parts() if block and parts is not array else block)


def _nothing(stream: Stream) -> None:
    """No elements, so nothing to do."""


def _fill_memory(array: np.ndarray, address: int, law: Law, stream: Stream, block: Block | None) -> None:
    """Fill a regular array of a machine type by the compiled law at ``address``."""
    cpu: Any = _launcher.cpu
    first: Any = 0
    if block is not None:
        first = np.uint64(block.first())
        if not block.is_range(array.shape):
            view = strided(array, block.strides)
            place = view.window, view.offset, view.shape, view.strides, view.steps
            run(cpu.BLOCK, array.size, (address, *place, first, *stream, law.packed))
            return
    if array.flags.carray:
        run(cpu.CONTIGUOUS, array.size, (address, array.ravel(), first, *stream, law.packed))
    else:
        view = strided(array, c_strides(array.shape))
        lines = view.window, view.offset, view.shape, view.strides
        run(cpu.STRIDED, array.size, (address, *lines, first, *stream, law.packed))


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


def _fill_in_pieces(array: np.ndarray, law: Law, stream: Stream, block: Block | None) -> None:
    """Through a small scratch, for misaligned memory, foreign byte order and strides between elements."""
    block = whole_block(array.shape, block)
    if array.size <= _PIECE:
        scratch = np.empty(array.shape, array.dtype.newbyteorder("="))
        fill_from(scratch, law, stream, block)
        array[...] = scratch
        return
    axis = next(axis for axis, length in enumerate(array.shape) if length > 1)
    middle = array.shape[axis] // 2
    for cut in (slice(0, middle), slice(middle, array.shape[axis])):
        index = tuple(cut if other == axis else slice(0, length) for other, length in enumerate(array.shape))
        _fill_in_pieces(array[index], law, stream, block.within(index))


def fill_sparse(matrix: Array, zeros: int, law: Law, generator: GeneratorLike, block: Block | None = None) -> None:
    """Fill a matrix with the law's values, but ``zeros`` of each column of the whole, at random rows, with zeros."""
    block = whole_block(matrix.shape, block)
    source = as_generator(generator)
    if isinstance(matrix, DeviceArray):
        launch = gpu().filling_sparse(matrix, zeros, law, block) if matrix.size else _nothing
        launch(source.next_stream())
        return
    stream = source.next_stream()
    if not matrix.size:
        return
    if is_regular(matrix):
        _fill_sparse_from(matrix, zeros, law, stream, block)
    else:
        _fill_sparse_in_pieces(matrix, zeros, law, stream, block)


def _fill_sparse_in_pieces(matrix: np.ndarray, zeros: int, law: Law, stream: Stream, block: Block) -> None:
    width = max(1, _PIECE // matrix.shape[0])
    for begin in range(0, matrix.shape[1], width):
        index = slice(0, matrix.shape[0]), slice(begin, min(begin + width, matrix.shape[1]))
        scratch = np.empty(matrix[index].shape, matrix.dtype.newbyteorder("="))
        _fill_sparse_from(scratch, zeros, law, stream, block.within(index))
        matrix[index] = scratch


def _fill_sparse_from(matrix: np.ndarray, zeros: int, law: Law, stream: Stream, block: Block) -> None:
    cpu = _launcher.cpu or _launcher.load()
    share = -(-matrix.shape[1] // _launcher.get_num_threads())
    widest = cpu.STRIP // 2 if matrix.dtype.kind == "c" else cpu.STRIP
    strip = min(widest, -(-share // 16) * 16)  # at most a thread's share, in whole cache lines
    layout = "C" if matrix.flags.c_contiguous else "F" if matrix.flags.f_contiguous else "A"
    laws = cpu.address(law.name, part_of(matrix.dtype)), cpu.address("mask", _WORD)
    place = *map(np.uint64, block.shape), *map(np.uint64, block.start)
    run(cpu.SPARSE[layout], matrix.size, (*laws, as_words(matrix), place, zeros, strip, *stream, law.packed))
