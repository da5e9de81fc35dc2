"""A weight, a gain and a generator → orthogonal matrices in it: as a whole, at a kernel's centre, or as convolutions.

Here is which axes make the matrices, whatever their memory: one for each expert, each split and each group, all from
one draw. A target then makes them Haar's.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from numbainit.errors import InvalidTypeError, InvalidValueError, shown
from numbainit.fill import run
from numbainit.generator import GeneratorLike, Stream
from numbainit.memory.arrays import Array, split_axis, view_at
from numbainit.memory.device import DeviceArray
from numbainit.memory.sharded import ShardedArray
from numbainit.targets.choose import choose
from numbainit.targets.target import Filling
from numbainit.weights import laws
from numbainit.weights.blocks import Block
from numbainit.weights.layouts import LayoutLike, as_layout, axes_by_kind

Fillings: TypeAlias = Callable[[Any, float], list[Filling]]  # of an array, and what its matrices are multiplied by


class Stack(NamedTuple):
    """``times`` matrices (outputs, the rest) of equal sizes: a view of a weight, with axes in this order."""

    weights: Array
    times: int
    outputs: int

    @property
    def inputs(self) -> int:
        """How many columns, the receptive field counted."""
        return int(self.weights.size // max(self.times * self.outputs, 1))


def orthogonal(array: Array, gain: float, generator: GeneratorLike, layout: LayoutLike) -> None:
    """``gain`` times Haar-distributed orthonormal columns, or rows if there are fewer, of each matrix alone."""
    check_orthogonal(array.shape, layout)
    _fill(array, "orthogonal_", gain, generator, lambda whole, scale: _haar(_stacks(whole, layout), scale))


def check_orthogonal(shape: Sequence[int], layout: LayoutLike) -> None:
    """Raise for a shape that has no matrices (outputs, the rest)."""
    if len(shape) < 2:
        raise InvalidValueError(
            f"Only tensors with 2 or more dimensions are supported, got {len(shape)}, shape {tuple(shape)}"
        )
    known = as_layout(layout)
    known.cut(tuple(shape))
    cut = _grouped(layout, len(shape))
    if known.groups > 1 and len(cut) != 1:
        raise InvalidValueError(
            f"the groups of {shown(known)} cut one axis of {'inputs' if known.transposed else 'outputs'}, and it names "
            f"{len(cut)}: merge them, or reshape the weight"
        )


def _grouped(layout: LayoutLike, ndim: int) -> tuple[int, ...]:
    """The axes that groups cut."""
    return axes_by_kind(layout, ndim)[2 if as_layout(layout).transposed else 1]


def _stacks(array: Array, layout: LayoutLike) -> list[Stack]:
    """The matrices of a weight: for each split of a size of its own, of all experts, groups and equal splits."""
    known = as_layout(layout)
    if isinstance(known.splits, int):
        axis = (_grouped(layout, array.ndim) if known.groups > 1 else axes_by_kind(layout, array.ndim)[1])[0]
        return [_stack(array, layout, axis, max(known.groups, known.splits))]
    whole = (0,) * array.ndim
    parts = [array[split.slices(whole, array.shape)] for split in known.cut(array.shape)]
    return [_stack(part, layout, 0, 1) for part in parts]


def _stack(array: Array, layout: LayoutLike, axis: int, parts: int) -> Stack:
    """The matrices of a weight, an axis of which is ``parts`` equal ones."""
    experts, outputs, inputs, receptive = axes_by_kind(layout, array.ndim)
    count = math.prod(array.shape[one] for one in experts) * parts
    rows = math.prod(array.shape[one] for one in outputs) // (parts if axis in outputs else 1)
    order = experts + outputs + inputs + receptive
    if parts > 1 and array.size:  # the parts are one more axis, behind the experts
        array = split_axis(array, axis, parts)
        moved = [one + (one >= axis) for one in order]
        order = (*moved[: len(experts)], axis, *moved[len(experts) :])
    return Stack(array.transpose(order), count, rows)


def _fill(array: Any, caller: str, gain: object, generator: GeneratorLike, fillings: Fillings) -> None:
    """Make the matrices of an array; of one that is shared out the whole, since all elements depend on each other."""
    scale = laws.finite("gain", gain, array.dtype)
    if type(array) is not ShardedArray:
        run(fillings(array, scale), generator)
        return
    if isinstance(array.memory, DeviceArray):
        raise InvalidTypeError(
            f"{caller} fills sharded tensors on the CPU only, got one on a GPU: fill a whole tensor, and call "
            "torch.distributed.tensor.distribute_tensor"
        )
    whole = np.empty(array.shape, array.dtype)
    run(fillings(whole, scale), generator)
    for box in array.shard.boxes:
        cut = tuple(slice(begin, begin + size) for begin, size in zip(box.start, box.shape, strict=True))
        array.memory[box.slices] = whole[cut]


def _haar(stacks: Sequence[Stack], scale: float) -> list[Filling]:
    """What fills the stacks, each from normals of its own."""
    fillings, first = [], 0
    for stack in stacks:
        target = choose(stack.weights)
        fillings.append(target.filling_orthogonal(stack.weights, stack.times, stack.outputs, scale, first))
        first += stack.weights.size
    return fillings


# ---- convolutions ----


def check_kernel(shape: Sequence[int], layout: LayoutLike) -> None:
    """Raise for a shape of a kernel that cannot keep the norm of its input."""
    if len(shape) not in (3, 4, 5):
        raise InvalidValueError(
            f"Only tensors with 3, 4, or 5 dimensions are supported, got {len(shape)}, shape {tuple(shape)}"
        )
    check_orthogonal(shape, layout)
    known = as_layout(layout)
    for split in known.cut(tuple(shape)):
        if split.fan_in > split.fan_out and 0 not in shape:
            _, _, _, receptive = axes_by_kind(layout, len(shape))
            field = math.prod(shape[axis] for axis in receptive)
            raise InvalidValueError(
                "a convolution keeps the norm of its input if it has at least as many outputs as inputs, got "
                f"{split.fan_out // field} and {split.fan_in // field} of shape {tuple(shape)}, layout {shown(known)}: "
                "check the layout, or use orthogonal_"
            )


def delta_orthogonal(array: Array, gain: float, generator: GeneratorLike, layout: LayoutLike) -> None:
    """Orthogonal matrices at the centre of the receptive field, zeros elsewhere."""
    check_kernel(array.shape, layout)
    _fill(array, "delta_orthogonal_", gain, generator, lambda whole, scale: _at_centre(whole, scale, layout))


def _at_centre(array: Array, scale: float, layout: LayoutLike) -> list[Filling]:
    target, (_, _, _, receptive) = choose(array), axes_by_kind(layout, array.ndim)
    fillings: list[Filling] = [lambda stream: target.constant(array, 0.0)]
    if array.size:
        centre = [(size - 1) // 2 if axis in receptive else 0 for axis, size in enumerate(array.shape)]
        shape = [1 if axis in receptive else size for axis, size in enumerate(array.shape)]
        fillings += _haar(_stacks(view_at(array, centre, shape, array.strides), layout), scale)
    return fillings


def convolution_orthogonal(array: Array, gain: float, generator: GeneratorLike, layout: LayoutLike) -> None:
    """Kernels whose convolution keeps the norm of its input."""
    check_kernel(array.shape, layout)
    _fill(array, "convolution_orthogonal_", gain, generator, lambda whole, scale: _convolutions(whole, scale, layout))


def _convolutions(array: Array, scale: float, layout: LayoutLike) -> list[Filling]:
    stacks = _stacks(array, layout) if array.size else []
    _, _, _, receptive = axes_by_kind(layout, array.ndim)
    sizes = [array.shape[axis] for axis in receptive]
    writings = [choose(stack.weights).writing(stack.weights) for stack in stacks]
    made_in = np.dtype("complex128" if array.dtype.kind == "c" else "float64")

    def make(stream: Stream) -> None:
        first = 0
        for stack, write in zip(stacks, writings, strict=True):
            channels, kernels = stack.inputs // math.prod(sizes), []
            for _ in range(stack.times):
                orthonormal, projections, first = _factors(stack.outputs, sizes, made_in, first, stream)
                kernels.append(scale * _paraunitary(orthonormal[:channels], projections, sizes))
            values = np.moveaxis(np.array(kernels), -1, 1)  # (kernel, *sizes, in, out) → (kernel, out, *sizes, in)
            values = np.moveaxis(values, -1, 2)
            write((), values.reshape(stack.weights.shape))

    return [make]


def _factors(
    size: int, sizes: Sequence[int], dtype: np.dtype, first: int, stream: Stream
) -> tuple[np.ndarray, list[np.ndarray], int]:
    """An orthogonal matrix, projections onto random subspaces, and the number of the first word that is left.

    Each matrix is Haar's; a projection keeps each of its columns with probability 1/2, by the highest bit of a word
    beyond those of the normals.
    """
    matrices = np.empty((1 + sum(length - 1 for length in sizes), size, size), dtype)
    target, count = choose(matrices), len(matrices)
    target.filling_orthogonal(matrices, count, size, 1.0, first)(stream)
    parts = 2 if dtype.kind == "c" else 1
    begin = -(-(first + matrices.size) * parts // 4) * 4  # words of another counter than those of any normal
    words = np.empty((count - 1, size), np.uint32)
    numbers = Block((begin + words.size,), (begin,))
    target.filling(words.reshape(-1), laws.BITS, numbers)(stream)
    kept = [matrix[:, word >= 1 << 31] for matrix, word in zip(matrices[1:], words, strict=True)]
    left = -(-(begin + words.size) // parts)
    return matrices[0], [basis @ basis.conj().T for basis in kept], left


def _paraunitary(rows: np.ndarray, projections: Sequence[np.ndarray], sizes: Sequence[int]) -> np.ndarray:
    """``rows`` times the product of ``P + (I - P) z`` over all axes, z the shift along one: a kernel (*sizes, in, out).

    Each factor is unitary for every z on the unit circle, because P and I - P are orthogonal projections.
    """
    kernel, left = rows.reshape(*(1 for _ in sizes), *rows.shape), list(projections)
    for turn in range(max(sizes, default=1) - 1):
        for axis, size in enumerate(sizes):
            if turn < size - 1:
                here = kernel @ left.pop(0)
                shifted = kernel - here
                pad = [(0, 0)] * kernel.ndim
                kernel = np.pad(here, [*pad[:axis], (0, 1), *pad[axis + 1 :]])
                kernel += np.pad(shifted, [*pad[:axis], (1, 0), *pad[axis + 1 :]])
    return kernel
