"""A checked array → a matrix with a structure: orthogonal, sparse, identity, Dirac.

These need more than one pass over independent elements, so each does its own work on top of the fills.
"""

import math

import numpy as np

from numbainit import parameters
from numbainit.arrays import is_regular, is_small
from numbainit.errors import InvalidTypeError, InvalidValueError
from numbainit.fill import fill, fill_sparse
from numbainit.generator import GeneratorLike
from numbainit.haar import haar


def eye(array: np.ndarray) -> None:
    """Ones on the diagonal of a matrix, which may be rectangular; zeros elsewhere."""
    if array.ndim != 2:
        raise InvalidValueError(f"Only tensors with 2 dimensions are supported, got {_dimensions(array)}")
    array.fill(0)
    columns = array.shape[1]
    elements = array.ravel() if array.flags.c_contiguous else array.flat
    elements[: columns * columns : columns + 1] = 1


def dirac(array: np.ndarray, groups: int) -> None:
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
    array[...] = 0
    if array.size == 0:
        return
    outputs = array.shape[0] // groups
    centre = tuple(size // 2 for size in array.shape[2:])
    channels = np.arange(min(outputs, array.shape[1]))
    for group in range(groups):
        array[(group * outputs + channels, channels, *centre)] = 1


def sparse(array: np.ndarray, sparsity: float, std: float, generator: GeneratorLike) -> None:
    """``ceil(sparsity * rows)`` zeros in every column, the rest N(0, std^2)."""
    if array.ndim != 2:
        raise InvalidValueError(f"Only tensors with 2 dimensions are supported, got {_dimensions(array)}")
    share = parameters.real("sparsity", sparsity)
    if not 0.0 <= share <= 1.0:
        raise InvalidValueError(f"sparsity is the share of zeros in each column, in [0, 1], got {share}")
    law = parameters.normal(0.0, std, array.dtype)
    zeros = math.ceil(share * array.shape[0])
    work = array if is_regular(array) else np.empty(array.shape, array.dtype.newbyteorder("="))
    fill_sparse(work, zeros, law, generator)
    if work is not array:
        array[...] = work


def orthogonal(array: np.ndarray, gain: float, generator: GeneratorLike) -> None:
    """``gain`` times a Haar-distributed matrix with orthonormal columns, or rows if there are fewer of them."""
    if array.ndim < 2:
        raise InvalidValueError(f"Only tensors with 2 or more dimensions are supported, got {_dimensions(array)}")
    scale = parameters.finite("gain", gain, array.dtype)
    in_place = array.flags.c_contiguous and is_regular(array) and not is_small(array.dtype)
    made_in = np.dtype("float32") if is_small(array.dtype) else array.dtype.newbyteorder("=")
    work = array if in_place else np.empty(array.shape, made_in)
    fill(work, parameters.normal(0.0, 1.0, work.dtype), generator)
    if array.size == 0:
        return
    matrix = work.reshape(array.shape[0], -1)
    haar(matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T, scale)
    if work is not array:
        array[...] = work


def _dimensions(array: np.ndarray) -> str:
    return f"{array.ndim}, shape {array.shape}"
