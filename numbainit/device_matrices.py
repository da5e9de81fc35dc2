"""A checked array on a GPU → a matrix with a structure: identity, Dirac, orthogonal.

Ones on a diagonal are a constant fill of a strided part. The orthogonal matrix takes cuSOLVER, by way of CuPy.
"""

import importlib
from collections.abc import Sequence
from typing import Any

from numbainit import parameters
from numbainit.arrays import writable
from numbainit.devices import DeviceArray
from numbainit.errors import MissingExtraError
from numbainit.fill import fill, fill_constant, gpu
from numbainit.generator import GeneratorLike


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
    for corner in range(0, whole[0], outputs):
        begin = max(corner, start[0], corner + start[1])
        end = min(corner + passed, start[0] + array.shape[0], corner + start[1] + array.shape[1])
        if begin < end:
            offset = (begin - start[0]) * across + (begin - corner - start[1]) * along
            fill_constant(array.part(middle + offset, (end - begin,), (across + along,)), 1.0)


def orthogonal(weights: DeviceArray, experts: int, outputs: int, scale: float, generator: GeneratorLike) -> None:
    """``scale`` times Haar-distributed orthonormal columns, or rows if there are fewer, for each expert alone.

    Q of the QR factorisation of a Gaussian matrix, its columns times the signs of the diagonal of R: without them the
    law is not Haar's (Mezzadri, Notices AMS 54, 2007). The first axes of ``weights`` are experts, then outputs.
    """
    cupy = _cupy()
    law = parameters.normal(0.0, 1.0, weights.dtype)
    if weights.size == 0:
        fill(weights, law, generator)
        return
    with cupy.cuda.Device(gpu().ordinal_of(weights)), _stream(cupy, weights.stream):
        normals = cupy.empty(weights.shape, weights.dtype)
        fill(writable(normals, "orthogonal_"), law, generator)
        for matrix in normals.reshape(experts, outputs, -1):
            tall = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
            q, r = cupy.linalg.qr(tall)
            q *= cupy.copysign(weights.dtype.type(1), cupy.diagonal(r)) * weights.dtype.type(scale)
            tall[...] = q
        _as_cupy(cupy, weights)[...] = normals


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
