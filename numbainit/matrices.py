"""A checked array → a matrix with a structure: orthogonal, sparse, identity, Dirac.

These need more than one pass over independent elements, so each does its own work on top of the fills.
"""

import math
from typing import Any

import numpy as np

from numbainit.errors import InvalidTypeError, InvalidValueError
from numbainit.fill import Array, fill, fill_sparse
from numbainit.generator import GeneratorLike
from numbainit.memory.arrays import is_regular
from numbainit.memory.device import DeviceArray
from numbainit.memory.dtypes import is_small
from numbainit.targets.cpu.orthogonal import haar
from numbainit.targets.cuda import orthogonal as device_matrices
from numbainit.weights import laws as parameters
from numbainit.weights.blocks import Block, whole_shape
from numbainit.weights.layouts import LayoutLike, axes_by_kind


def eye(array: Array, block: Block | None) -> None:
    """Ones on the diagonal of a matrix, which may be rectangular; zeros elsewhere."""
    if array.ndim != 2:
        raise InvalidValueError(f"Only tensors with 2 dimensions are supported, got {_dimensions(array)}")
    row = column = 0  # where the diagonal begins
    if block is not None:
        whole_shape(array.shape, block)
        row, column = (max(begin - block.start[axis], 0) for axis, begin in enumerate(reversed(block.start)))
    rows, columns = array.shape
    count = min(rows - row, columns - column)
    if isinstance(array, DeviceArray):
        device_matrices.eye(array, row, column, count)
        return
    array.fill(0)
    if count > 0:
        elements = array.ravel() if array.flags.c_contiguous else array.flat
        begin, step = row * columns + column, columns + 1
        elements[begin : begin + (count - 1) * step + 1 : step] = _one(array)


def dirac(array: Array, groups: int, block: Block | None, layout: LayoutLike) -> None:
    """A kernel that passes its input channels on: ones at the centre, group by group."""
    if array.ndim not in (3, 4, 5):
        raise InvalidValueError(f"Only tensors with 3, 4, or 5 dimensions are supported, got {_dimensions(array)}")
    if isinstance(groups, (bool, np.bool_)) or not isinstance(groups, (int, np.integer)):
        raise InvalidTypeError(f"groups must be an int, got {type(groups).__name__} {groups!r}")
    groups = int(groups)
    if groups < 1:
        raise InvalidValueError(f"groups must be at least 1, got {groups}")
    experts, *kinds = axes_by_kind(layout, array.ndim)
    if experts or [len(axes) for axes in kinds[:2]] != [1, 1]:
        raise InvalidValueError(f"dirac_ takes a layout with one O and one I and no E, got {layout!r}")
    order = sum(kinds, ())
    whole = [whole_shape(array.shape, block)[axis] for axis in order]
    if whole[0] % groups:
        raise InvalidValueError(f"dim 0 must be divisible by groups, got shape {array.shape} and groups={groups}")
    start = [block.start[axis] for axis in order] if block else [0] * array.ndim
    if isinstance(array, DeviceArray):
        device_matrices.dirac(array.transpose(order), whole, start, groups)
        return
    array.fill(0)
    outputs = start[0] + np.arange(array.shape[order[0]])
    channels = outputs % max(whole[0] // groups, 1) - start[1]
    centre = tuple(size // 2 - begin for size, begin in zip(whole[2:], start[2:], strict=True))
    kernel = array.transpose(order)
    passed = (channels >= 0) & (channels < kernel.shape[1])
    if all(0 <= place < size for place, size in zip(centre, kernel.shape[2:], strict=True)):
        kernel[(outputs[passed] - start[0], channels[passed], *centre)] = _one(array)


def sparse(array: Array, sparsity: float, std: float, generator: GeneratorLike, block: Block | None = None) -> None:
    """``ceil(sparsity * rows)`` zeros in every column, the rest N(0, std^2)."""
    if array.ndim != 2:
        raise InvalidValueError(f"Only tensors with 2 dimensions are supported, got {_dimensions(array)}")
    share = parameters.real("sparsity", sparsity)
    if not 0.0 <= share <= 1.0:
        raise InvalidValueError(f"sparsity is the share of zeros in each column, in [0, 1], got {share}")
    law = parameters.normal(0.0, std, array.dtype)
    rows, _ = whole_shape(array.shape, block)
    fill_sparse(array, math.ceil(share * rows), law, generator, block)


def orthogonal(array: Array, gain: float, generator: GeneratorLike, layout: LayoutLike) -> None:
    """``gain`` times Haar-distributed orthonormal columns, or rows if there are fewer, for each expert alone."""
    if array.ndim < 2:
        raise InvalidValueError(f"Only tensors with 2 or more dimensions are supported, got {_dimensions(array)}")
    scale = parameters.finite("gain", gain, array.dtype)
    experts, outputs, *others = axes_by_kind(layout, array.ndim)
    weights = array.transpose(sum(others, experts + outputs))
    stack = [math.prod(array.shape[axis] for axis in axes) for axes in (experts, outputs)]
    if isinstance(weights, DeviceArray):
        device_matrices.orthogonal(weights, stack[0], stack[1], scale, generator)
        return
    in_place = weights.flags.c_contiguous and is_regular(weights) and not is_small(array.dtype)
    made_in = np.dtype("float32") if is_small(array.dtype) else array.dtype.newbyteorder("=")
    work = weights if in_place else np.empty(weights.shape, made_in)
    fill(work, parameters.normal(0.0, 1.0, work.dtype), generator)
    if array.size == 0:
        return
    for expert in work.reshape(*stack, -1):
        haar(expert if expert.shape[0] >= expert.shape[1] else expert.T, scale)
    if work is not weights:
        weights[...] = work


def _one(array: np.ndarray) -> Any:
    """1, to be assigned: ml_dtypes' own assignment takes no notice of the byte order."""
    return 1 if array.dtype.isnative else np.ones(1, array.dtype.newbyteorder("="))


def _dimensions(array: Array) -> str:
    return f"{array.ndim}, shape {array.shape}"
