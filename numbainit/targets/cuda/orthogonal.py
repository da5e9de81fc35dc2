"""A weight on a GPU and a gain → what makes it orthogonal for a stream, expert by expert: Haar's law.

Q of the QR factorisation of a Gaussian matrix by cuSOLVER, by way of CuPy, its columns times the signs of the diagonal
of R: without them the law is not Haar's (Mezzadri, Notices AMS 54, 2007).
"""

import importlib
from typing import Any

import numpy as np

from numbainit.errors import MissingExtraError
from numbainit.generator import Stream
from numbainit.memory.device import DeviceArray, on_device
from numbainit.memory.dtypes import is_small
from numbainit.memory.libraries import errors_of_cupy
from numbainit.targets.cuda import driver
from numbainit.targets.cuda.fills import copying, filling
from numbainit.targets.target import Filling, nothing
from numbainit.weights import laws
from numbainit.weights.blocks import Block


def filling_orthogonal(weights: DeviceArray, experts: int, outputs: int, gain: float, first: int = 0) -> Filling:
    """What makes of each expert a Haar-distributed matrix (outputs, the rest), times ``gain``.

    Of the normals with the numbers from ``first`` on; in a copy, in float32 for smaller floats, so that ``weights`` may
    have any layout.
    """
    cupy = _cupy()
    if not weights.size:
        return nothing
    dtype = np.dtype("float32") if is_small(weights.dtype) else weights.dtype
    device = cupy.cuda.Device(driver.device_of(weights).ordinal)
    with errors_of_cupy(), device, _stream(cupy, weights.stream):
        normals = cupy.empty(weights.size, dtype)
        memory = on_device(normals, "orthogonal_")
        assert memory is not None, "CuPy's arrays are on a GPU"
        numbers = Block((first + normals.size,), (first,)) if first else None
        fill = filling(memory, laws.normal(0.0, 1.0, dtype), numbers)
        copy = copying(weights, normals.data.ptr)

    def make(stream: Stream) -> None:
        with errors_of_cupy(), device, _stream(cupy, weights.stream):
            fill(stream)
            for matrix in normals.reshape(experts, outputs, -1):
                tall = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
                q, r = cupy.linalg.qr(tall)
                tall[...] = q * (_signs(cupy, cupy.diagonal(r)) * dtype.type(gain))
            copy()

    return make


def _signs(cupy: Any, diagonal: Any) -> Any:
    """Numbers of absolute value 1 with the signs, or phases, of others; 1 for 0."""
    if diagonal.dtype.kind == "c":
        return cupy.exp(1j * cupy.angle(diagonal)).astype(diagonal.dtype)
    return cupy.copysign(diagonal.dtype.type(1), diagonal)


def _cupy() -> Any:
    try:
        return importlib.import_module("cupy")
    except ImportError as error:
        raise MissingExtraError(
            'orthogonal_ on a GPU factorises with CuPy: pip install "numbainit[cuda13]", or "numbainit[cuda12]"'
        ) from error


def _stream(cupy: Any, handle: int | None) -> Any:
    """CuPy's object for a handle, of which 1 and 2 are the default streams of a process and of a thread."""
    if handle in (None, 0, 1):
        return cupy.cuda.Stream.null
    return cupy.cuda.Stream.ptds if handle == 2 else cupy.cuda.ExternalStream(handle)
