"""A checked array on a GPU → a matrix with a structure: identity, Dirac, orthogonal.

Ones on a diagonal are a constant fill of a strided part. The orthogonal matrix takes cuSOLVER, by way of CuPy.
"""

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from numbainit.errors import MissingExtraError
from numbainit.fill import fill, fill_constant, fill_from
from numbainit.generator import GeneratorLike
from numbainit.memory.arrays import writable
from numbainit.memory.device import DeviceArray, errors_of_cupy, gpu
from numbainit.memory.dtypes import is_small
from numbainit.weights import laws as parameters

_SLACK = 15  # elements after those that are copied, since threads read whole blocks


def eye(array: DeviceArray, row: int, column: int, count: int) -> None:
    """``count`` ones on the diagonal that begins at (row, column), zeros elsewhere."""
    fill_constant(array, 0.0)
    if count > 0:
        begin = row * array.strides[0] + column * array.strides[1]
        fill_constant(array.part(begin, (count,), (sum(array.strides),)), 1.0)


def dirac(array: DeviceArray, whole: Sequence[int], start: Sequence[int], groups: int) -> None:
    """Ones at the centre of the first channels of each group, of which each is a diagonal of outputs and channels.

    ``array`` is the part at ``start`` of a kernel of shape ``whole``, laid out (out, in, *receptive field).
    """
    fill_constant(array, 0.0)
    across, along, *spatial = array.strides
    centre = [size // 2 - begin for size, begin in zip(whole[2:], start[2:], strict=True)]
    if array.size == 0 or not all(0 <= place < size for place, size in zip(centre, array.shape[2:], strict=True)):
        return
    middle = sum(place * stride for place, stride in zip(centre, spatial, strict=True))
    outputs = whole[0] // groups
    passed = min(outputs, whole[1])
    if tuple(whole) == array.shape:  # all groups at once
        strides = (outputs * across, across + along)
        fill_constant(array.part(middle, (groups, passed), strides), 1.0)
        return
    for corner in range(start[0] // outputs * outputs, start[0] + array.shape[0], outputs):
        begin = max(corner, start[0], corner + start[1])
        end = min(corner + passed, start[0] + array.shape[0], corner + start[1] + array.shape[1])
        if begin < end:
            offset = (begin - start[0]) * across + (begin - corner - start[1]) * along
            fill_constant(array.part(middle + offset, (end - begin,), (across + along,)), 1.0)


def orthogonal(weights: DeviceArray, experts: int, outputs: int, scale: float, generator: GeneratorLike) -> None:
    """``scale`` times Haar-distributed orthonormal columns, or rows if there are fewer, for each expert alone.

    Q of the QR factorisation of a Gaussian matrix, its columns times the signs of the diagonal of R: without them the
    law is not Haar's (Mezzadri, Notices AMS 54, 2007). The first axes of ``weights`` are experts, then outputs. It is
    made in a copy, in float32 for smaller floats, so that ``weights`` may have any layout.
    """
    cupy = _cupy()
    dtype = np.dtype("float32") if is_small(weights.dtype) else weights.dtype
    law = parameters.normal(0.0, 1.0, dtype)
    if weights.size == 0:
        fill(weights, law, generator)
        return
    device = cupy.cuda.Device(gpu().driver.device_of(weights).ordinal)
    with errors_of_cupy(), device, _stream(cupy, weights.stream):
        memory = cupy.empty(weights.size + _SLACK, dtype)
        normals = memory[: weights.size]
        fill(writable(normals, "orthogonal_"), law, generator)
        for matrix in normals.reshape(experts, outputs, -1):
            tall = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
            q, r = cupy.linalg.qr(tall)
            tall[...] = q * (_signs(cupy, cupy.diagonal(r)) * dtype.type(scale))
        fill_from(weights, parameters.COPY, (0, 0, memory.data.ptr))


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
