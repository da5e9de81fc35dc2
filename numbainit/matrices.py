"""A checked array → a matrix with a structure: orthogonal, sparse, identity, Dirac.

These need more than one pass over independent elements, so each does its own work on top of the fills.
"""

import math

import numpy as np

from numbainit import device_matrices, parameters
from numbainit.arrays import is_regular
from numbainit.devices import DeviceArray
from numbainit.errors import InvalidTypeError, InvalidValueError
from numbainit.fill import Array, fill, sparsify
from numbainit.generator import GeneratorLike
from numbainit.haar import haar


def eye(array: Array) -> None:
    """Ones on the diagonal of a matrix, which may be rectangular; zeros elsewhere."""
    if array.ndim != 2:
        raise InvalidValueError(f"Only tensors with 2 dimensions are supported, got {_dimensions(array)}")
    if isinstance(array, DeviceArray):
        device_matrices.eye(array)
        return
    array[...] = 0
    diagonal = np.arange(min(array.shape))
    array[diagonal, diagonal] = 1


def dirac(array: Array, groups: int) -> None:
    """A kernel that passes its input channels on: ones at the centre, group by group."""
    if array.ndim not in (3, 4, 5):
        raise InvalidValueError(f"Only tensors with 3, 4, or 5 dimensions are supported, got {_dimensions(array)}")
    if isinstance(groups, (bool, np.bool_)) or not isinstance(groups, (int, np.integer)):
        raise InvalidTypeError(f"groups must be an int, got {type(groups).__name__} {groups!r}")
    groups = int(groups)
    if groups < 1:
        raise InvalidValueError(f"groups must be at least 1, got {groups}")
    if array.shape[0] % groups:
        raise InvalidValueError(f"dim 0 must be divisible by groups, got shape {array.shape} and groups={groups}")
    if isinstance(array, DeviceArray):
        device_matrices.dirac(array, groups)
        return
    array[...] = 0
    if array.size == 0:
        return
    outputs = array.shape[0] // groups
    centre = tuple(size // 2 for size in array.shape[2:])
    channels = np.arange(min(outputs, array.shape[1]))
    for group in range(groups):
        array[(group * outputs + channels, channels, *centre)] = 1


def sparse(array: Array, sparsity: float, std: float, generator: GeneratorLike) -> None:
    """``ceil(sparsity * rows)`` zeros in every column, the rest N(0, std^2)."""
    if array.ndim != 2:
        raise InvalidValueError(f"Only tensors with 2 dimensions are supported, got {_dimensions(array)}")
    share = parameters.real("sparsity", sparsity)
    if not 0.0 <= share <= 1.0:
        raise InvalidValueError(f"sparsity is the share of zeros in each column, in [0, 1], got {share}")
    law = parameters.normal(0.0, std, array.dtype)
    zeros = math.ceil(share * array.shape[0])
    regular = isinstance(array, DeviceArray) or is_regular(array)
    work = array if regular else np.empty(array.shape, array.dtype.newbyteorder("="))
    stream = fill(work, *law, generator)
    if work.size and zeros:
        sparsify(work, zeros, stream)
    if isinstance(array, np.ndarray) and work is not array:
        array[...] = work


def orthogonal(array: Array, gain: float, generator: GeneratorLike) -> None:
    """``gain`` times a Haar-distributed matrix with orthonormal columns, or rows if there are fewer of them."""
    if array.ndim < 2:
        raise InvalidValueError(f"Only tensors with 2 or more dimensions are supported, got {_dimensions(array)}")
    scale = parameters.finite("gain", gain, array.dtype)
    if isinstance(array, DeviceArray):
        device_matrices.orthogonal(array, scale, generator)
        return
    contiguous = array.flags.c_contiguous and is_regular(array)
    work = array if contiguous else np.empty(array.shape, array.dtype.newbyteorder("="))
    fill(work, *parameters.normal(0.0, 1.0, work.dtype), generator)
    if array.size == 0:
        return
    matrix = work.reshape(array.shape[0], -1)
    haar(matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T)
    work *= scale
    if work is not array:
        array[...] = work


def _dimensions(array: Array) -> str:
    return f"{array.ndim}, shape {array.shape}"
