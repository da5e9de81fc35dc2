"""A checked array on a GPU → ones at given places, or an orthogonal matrix, which takes cuSOLVER by way of CuPy."""

import importlib
import math
from typing import Any

import numpy as np

from numbainit import parameters
from numbainit.arrays import writable
from numbainit.devices import DeviceArray, gpu
from numbainit.errors import MissingExtraError
from numbainit.fill import fill
from numbainit.generator import GeneratorLike


def put_ones(kernel: DeviceArray, outputs: np.ndarray, channels: np.ndarray, *centre: int) -> None:
    """Ones at ``(output, channel, *centre)`` for each pair, diagonal by diagonal: each is a strided part."""
    breaks = np.flatnonzero((np.diff(outputs) != 1) | (np.diff(channels) != 1)) + 1
    for run in np.split(np.arange(len(outputs)), breaks) if len(outputs) else ():
        corner = int(outputs[run[0]]), int(channels[run[0]]), *centre
        part = kernel[tuple(slice(begin, None) for begin in corner)]
        part.diagonal(len(run)).fill(1)


def orthogonal(weights: DeviceArray, scale: float, generator: GeneratorLike, experts: int, outputs: int) -> None:
    """``scale`` times Haar-distributed orthonormal columns, or rows if there are fewer, for each expert alone.

    ``weights`` has axes of experts, then of outputs, then the others. Q of the QR factorisation of a Gaussian matrix,
    its columns times the signs of the diagonal of R: without them the law is not Haar's (Mezzadri, Notices AMS 54,
    2007).
    """
    cupy = _cupy()
    law = parameters.normal(0.0, 1.0, weights.dtype)
    if weights.size == 0:
        fill(weights, law, generator)
        return
    with cupy.cuda.Device(gpu().ordinal_of(weights)), _stream(cupy, weights.stream):
        work = cupy.empty(weights.shape, weights.dtype)
        fill(writable(work, "orthogonal_"), law, generator)
        rows = math.prod(weights.shape[experts : experts + outputs])
        for matrix in work.reshape(math.prod(weights.shape[:experts]), rows, -1):
            _make_haar(cupy, matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T, scale)
        _as_cupy(cupy, weights)[...] = work


def _make_haar(cupy: Any, tall: Any, scale: float) -> None:
    q, r = cupy.linalg.qr(tall)
    one, factor = tall.dtype.type(1), tall.dtype.type(scale)
    tall[...] = q * (cupy.copysign(one, cupy.diagonal(r)) * factor)


def _cupy() -> Any:
    try:
        return importlib.import_module("cupy")
    except ImportError as error:
        raise MissingExtraError(
            'orthogonal_ on a GPU factorises with CuPy: pip install "numbainit[cuda13]", or "numbainit[cuda12]"'
        ) from error


def _stream(cupy: Any, handle: int | None) -> Any:
    return cupy.cuda.ExternalStream(handle) if handle else cupy.cuda.Stream.null


def _as_cupy(cupy: Any, array: DeviceArray) -> Any:
    """A CuPy array over the same memory. Built by hand: CuPy's own way would wait for the array's stream."""
    spans = [step * (length - 1) for length, step in zip(array.shape, array.strides, strict=True)]
    lowest = sum(min(span, 0) for span in spans)
    size = sum(map(abs, spans)) + array.itemsize
    memory = cupy.cuda.UnownedMemory(array.pointer + lowest, size, array.owner)
    start = cupy.cuda.MemoryPointer(memory, -lowest)
    return cupy.ndarray(array.shape, array.dtype, start, array.strides)
