"""A checked array → a matrix with a structure: identity, Dirac, sparse, orthogonal.

Here is what they mean, whatever their memory: where the ones of an identity lie, how many zeros a column has, which
axes of a weight make the matrix that becomes orthogonal.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from numbainit.errors import InvalidTypeError, InvalidValueError, shown
from numbainit.fill import run
from numbainit.generator import GeneratorLike, as_generator
from numbainit.memory.arrays import Array, diagonal, view_at
from numbainit.memory.device import DeviceArray
from numbainit.memory.sharded import ShardedArray, boxes_of
from numbainit.targets.choose import choose
from numbainit.weights import laws
from numbainit.weights.blocks import Block, whole_block, whole_shape
from numbainit.weights.layouts import LayoutLike, axes_by_kind
from numbainit.weights.numbers import integer, real

_MOST_ROWS = 1 << 32  # of a sparse matrix: a word times as many rows must fit in 64 bits


def eye(array: Array, block: Block | None) -> None:
    """Ones on the diagonal of a matrix, which may be rectangular; zeros elsewhere."""
    if len(whole_shape(array.shape, block)) != 2:
        raise InvalidValueError(f"Only tensors with 2 dimensions are supported, got {_dimensions(array, block)}")
    for box, within in boxes_of(array, block):
        top, side = (0, 0) if within is None else within.start
        row, column = max(side - top, 0), max(top - side, 0)  # where the diagonal begins
        rows, columns = box.shape
        target, length = choose(box), min(rows - row, columns - column)
        target.constant(box, 0.0)
        if length > 0:
            target.constant(diagonal(box, row, column, length), 1.0)


def dirac(array: Array, groups: int, block: Block | None, layout: LayoutLike) -> None:
    """A kernel that passes its input channels on: ones at the centre, group by group."""
    whole = whole_shape(array.shape, block)
    if len(whole) not in (3, 4, 5):
        raise InvalidValueError(
            f"Only tensors with 3, 4, or 5 dimensions are supported, got {_dimensions(array, block)}"
        )
    count = integer("groups", groups)
    if count < 1:
        raise InvalidValueError(f"groups must be at least 1, got {shown(count)}")
    experts, *kinds = axes_by_kind(layout, len(whole))
    if experts or [len(axes) for axes in kinds[:2]] != [1, 1]:
        raise InvalidValueError(f"dirac_ takes a layout with one O and one I and no E, got {shown(layout)}")
    order = sum(kinds, ())
    shape = [whole[axis] for axis in order]
    if shape[0] % count:
        raise InvalidValueError(f"dim 0 must be divisible by groups, got shape {whole} and groups={count}")
    for box, within in boxes_of(array, block):
        first = (0,) * len(whole) if within is None else within.start
        _dirac(box.transpose(order), shape, [first[axis] for axis in order], count)


def _dirac(kernel: Array, shape: Sequence[int], start: Sequence[int], groups: int) -> None:
    """The part of a kernel of this shape that begins at ``start``; outputs first, then inputs."""
    target = choose(kernel)
    target.constant(kernel, 0.0)
    centre = [size // 2 - begin for size, begin in zip(shape[2:], start[2:], strict=True)]
    if kernel.size and all(0 <= place < size for place, size in zip(centre, kernel.shape[2:], strict=True)):
        across, along = kernel.strides[:2]
        for one in _passed(shape, start, kernel.shape, groups):
            lengths, strides = (one.times, one.length), (one.apart * across if one.times > 1 else 0, across + along)
            if one.length > 0:
                target.constant(view_at(kernel, (one.row, one.column, *centre), lengths, strides), 1.0)


class Diagonal(NamedTuple):
    """``length`` elements from row and column on, one of each row and column; ``times`` of them, ``apart`` rows."""

    row: int
    column: int
    length: int
    times: int
    apart: int


def _passed(shape: Sequence[int], start: Sequence[int], part: Sequence[int], groups: int) -> Iterator[Diagonal]:
    """Where in a part, at ``start`` of a kernel of this shape, outputs and channels lie that are passed on.

    It is a diagonal a group: the same in all groups that lie inside the part, of which it may cut the first and last.
    """
    outputs, channels = shape[:2]
    outputs //= groups
    begin, end = start[0], start[0] + part[0]
    first, last = (begin + outputs - 1) // outputs, end // outputs  # groups that are whole
    cut = {group for group in (begin // outputs, (end - 1) // outputs) if not first <= group < last}
    for group, times in (*((group, 1) for group in sorted(cut)), (first, last - first)):
        corner = group * outputs
        top = max(corner, begin, corner + start[1])
        bottom = min(corner + min(outputs, channels), end, corner + start[1] + part[1])
        if times > 0:
            yield Diagonal(top - begin, top - corner - start[1], bottom - top, times, outputs)


def sparse(array: Array, sparsity: float, std: float, generator: GeneratorLike, block: Block | None = None) -> None:
    """``ceil(sparsity * rows)`` zeros in every column, the rest N(0, std^2)."""
    whole = whole_shape(array.shape, block)
    if len(whole) != 2:
        raise InvalidValueError(f"Only tensors with 2 dimensions are supported, got {_dimensions(array, block)}")
    share = real("sparsity", sparsity)
    if not 0.0 <= share <= 1.0:
        raise InvalidValueError(f"sparsity is the share of zeros in each column, in [0, 1], got {share}")
    law = laws.normal(0.0, std, array.dtype)
    if whole[0] >= _MOST_ROWS:
        raise InvalidValueError(f"sparse_ counts rows in 32 bits: fewer than 2^32 fit, got {whole[0]}")
    zeros = math.ceil(share * whole[0])
    boxes = boxes_of(array, block)
    run([choose(box).filling_sparse(box, zeros, law, whole_block(box.shape, one)) for box, one in boxes], generator)


def orthogonal(array: Array, gain: float, generator: GeneratorLike, layout: LayoutLike) -> None:
    """``gain`` times Haar-distributed orthonormal columns, or rows if there are fewer, for each expert alone."""
    if array.ndim < 2:
        raise InvalidValueError(f"Only tensors with 2 or more dimensions are supported, got {_dimensions(array)}")
    scale = laws.finite("gain", gain, array.dtype)
    if type(array) is ShardedArray:
        _orthogonal_shard(array, scale, generator, layout)
        return
    experts, outputs, *others = axes_by_kind(layout, array.ndim)
    weights = array.transpose(sum(others, experts + outputs))
    count, rows = (math.prod(array.shape[axis] for axis in axes) for axes in (experts, outputs))
    filling = choose(array).filling_orthogonal(weights, count, rows, scale)
    filling(as_generator(generator).next_stream())


def _orthogonal_shard(array: ShardedArray, gain: float, generator: GeneratorLike, layout: LayoutLike) -> None:
    """All elements of an orthogonal matrix depend on each other: the whole is made here, and cut."""
    if isinstance(array.memory, DeviceArray):
        raise InvalidTypeError(
            "orthogonal_ fills sharded tensors on the CPU only, got one on a GPU: fill a whole tensor, and call "
            "torch.distributed.tensor.distribute_tensor"
        )
    whole = np.empty(array.shape, array.dtype)
    orthogonal(whole, gain, generator, layout)
    for box in array.shard.boxes:
        cut = tuple(slice(begin, begin + size) for begin, size in zip(box.start, box.shape, strict=True))
        array.memory[box.slices] = whole[cut]


def _dimensions(array: Array, block: Block | None = None) -> str:
    shape = array.shape if block is None else block.shape
    return f"{len(shape)}, shape {shape}"
