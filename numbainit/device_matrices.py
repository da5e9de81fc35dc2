"""A checked array on a GPU → a matrix with a structure: identity, Dirac, orthogonal.

Ones on a diagonal are a constant fill of a strided part. The orthogonal matrix takes cuSOLVER, by way of CuPy.
"""

import importlib
from typing import Any

from numbainit import parameters
from numbainit.arrays import writable
from numbainit.devices import DeviceArray
from numbainit.errors import MissingExtraError
from numbainit.fill import fill, fill_constant, gpu
from numbainit.generator import GeneratorLike


def eye(array: DeviceArray) -> None:
    """Ones on the diagonal of a matrix, zeros elsewhere."""
    fill_constant(array, 0.0)
    fill_constant(array.part(0, (min(array.shape),), (sum(array.strides),)), 1.0)


def dirac(array: DeviceArray, groups: int) -> None:
    """Ones at the centre of the first channels of each group: a part of two axes, groups and channels."""
    fill_constant(array, 0.0)
    outputs = array.shape[0] // groups
    across, along, *spatial = array.strides
    centre = sum(size // 2 * stride for size, stride in zip(array.shape[2:], spatial, strict=True))
    shape, strides = (groups, min(outputs, array.shape[1])), (outputs * across, across + along)
    if array.size:
        fill_constant(array.part(centre, shape, strides), 1.0)


def orthogonal(array: DeviceArray, scale: float, generator: GeneratorLike) -> None:
    """``scale`` times a Haar-distributed matrix with orthonormal columns, or rows if there are fewer of them.

    Q of the QR factorisation of a Gaussian matrix, its columns times the signs of the diagonal of R: without them the
    law is not Haar's (Mezzadri, Notices AMS 54, 2007).
    """
    cupy = _cupy()
    law = parameters.normal(0.0, 1.0, array.dtype)
    if array.size == 0:
        fill(array, *law, generator)
        return
    with cupy.cuda.Device(gpu().ordinal_of(array)), _stream(cupy, array.stream):
        rows = array.shape[0]
        normals = cupy.empty((rows, array.size // rows), array.dtype)
        fill(writable(normals, "orthogonal_"), *law, generator)
        tall = normals if rows >= normals.shape[1] else normals.T
        q, r = cupy.linalg.qr(tall)
        q *= cupy.copysign(array.dtype.type(1), cupy.diagonal(r)) * array.dtype.type(scale)
        _as_cupy(cupy, array)[...] = (q if tall is normals else q.T).reshape(array.shape)


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
