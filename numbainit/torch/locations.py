"""A view and the named tensor that it lies in → the numbers of its elements there, as a block where they form one.

Numbers are those of the named tensor in C order, whatever its strides: ``w[2:5]``, ``w.T[:, 1]`` and
``w.view(-1)[::3]`` hold the elements of ``w`` that they show. A view whose neighbours are a fixed number apart along
each axis is a block of *some* array, which need not have the shape of ``w``: a row of every second element is one of an
array of pairs. What is no block is drawn as the range that its numbers span, and gathered from it.
"""

import functools
import itertools
import math
import operator
from collections.abc import Sequence
from typing import NamedTuple

import torch

from numbainit.weights.blocks import Block, c_strides
from numbainit.weights.placements import Box, Shard


class View(NamedTuple):
    """Where the elements of a tensor lie in its storage; all numbers count elements."""

    dtype: torch.dtype
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def end(self) -> int:
        """Behind the last element."""
        if not self.size:
            return self.offset
        return self.offset + 1 + sum((size - 1) * step for size, step in zip(self.shape, self.strides, strict=True))

    def contains(self, other: "View") -> bool:
        """Whether the bytes of another view lie between those of this one."""
        mine, others = self.dtype.itemsize, other.dtype.itemsize
        return self.offset * mine <= other.offset * others and other.end * others <= self.end * mine

    def meets(self, other: "View") -> bool:
        """Whether these ranges of bytes have some in common."""
        mine, others = self.dtype.itemsize, other.dtype.itemsize
        return self.offset * mine < other.end * others and other.offset * others < self.end * mine

    def of_parts(self) -> "View":
        """The real and imaginary parts of complex elements, as one more axis."""
        doubled = tuple(2 * step for step in self.strides)
        return View(self.dtype.to_real(), (*self.shape, 2), (*doubled, 1), 2 * self.offset)


class Location(NamedTuple):
    """The axes of a view in some order, and the block that it then is; or without one, its numbers.

    ``first`` is the lowest number, ``whole`` whether the view is all of the named tensor, in its order. ``shard`` says
    that the view is all that lies on this rank of a tensor that is distributed.
    """

    first: int
    whole: bool
    order: tuple[int, ...] = ()
    block: Block | None = None
    numbers: torch.Tensor | None = None
    shard: Shard | None = None


WHOLE = Location(0, True)


def view_of(tensor: torch.Tensor) -> View:
    return View(tensor.dtype, tuple(tensor.shape), tensor.stride(), int(tensor.storage_offset()))


def locate(named: View, view: View) -> Location | None:
    """Where a view lies in a named tensor; None if its elements are not elements of that."""
    if view == named:
        return WHOLE
    if view.dtype.itemsize != named.dtype.itemsize or view.dtype.is_complex != named.dtype.is_complex:
        if not (named.dtype.is_complex and view.dtype == named.dtype.to_real()):
            return None
        named = named.of_parts()
    found = _block_location(named, view)
    if found is None:
        numbers = _numbers(named, view)
        return None if numbers is None else _gathered(numbers)
    return found


@functools.lru_cache(maxsize=1024)
def _block_location(named: View, view: View) -> Location | None:
    if view.size == 0:
        return Location(0, False, tuple(range(len(view.shape))), Block(view.shape, (0,) * len(view.shape)))
    found = _first_and_steps(named, view)
    if found is None:
        return None
    first, steps = found
    order = tuple(sorted(range(len(steps)), key=lambda axis: (view.shape[axis] > 1, -steps[axis])))
    block = _block(first, [view.shape[axis] for axis in order], [steps[axis] for axis in order])
    if block is None:
        return None
    return Location(first, view.shape == named.shape and steps == c_strides(named.shape), order, block)


def _first_and_steps(named: View, view: View) -> tuple[int, tuple[int, ...]] | None:
    """The number of the first element, and how far apart in number neighbours along each axis are."""
    rest, numbers = view.offset - named.offset, c_strides(named.shape)
    if all(size == 1 or step == number for size, step, number in zip(named.shape, named.strides, numbers, strict=True)):
        return rest, view.strides
    axes = [axis for axis in zip(named.strides, named.shape, numbers, strict=True) if axis[1] > 1]
    axes.sort(reverse=True)
    first, lasts = 0, []
    for step, _, number in axes:
        index, rest = divmod(rest, step)
        first += index * number
        lasts.append(index)
    steps = []
    for size, stride in zip(view.shape, view.strides, strict=True):
        axis = next((at for at, (step, _, _) in enumerate(axes) if size > 1 and stride and stride % step == 0), None)
        if size > 1 and axis is None:
            return None
        steps.append(0 if axis is None else stride // axes[axis][0] * axes[axis][2])
        if axis is not None:
            lasts[axis] += (size - 1) * (stride // axes[axis][0])
    inside = not rest and all(last < size for last, (_, size, _) in zip(lasts, axes, strict=True))
    return (first, tuple(steps)) if inside else None


def _block(first: int, shape: Sequence[int], steps: Sequence[int]) -> Block | None:
    """The block whose elements have these numbers, axes of larger steps first; its last axis may be one more."""
    whole, start, above = [], [], 0
    for size, step in zip(shape, steps, strict=True):
        if size == 1:
            whole.append(1)
            start.append(0)
            continue
        if step < 1 or above % step:
            return None
        index, first = divmod(first, step)
        whole.append(above // step if above else index + size)
        start.append(index)
        above = step
        if index + size > whole[-1]:
            return None
    return Block(whole, start) if above == 1 else Block([*whole, above or first + 1], [*start, first])


def axes_of(
    shape: Sequence[int], first: int, sizes: Sequence[int], steps: Sequence[int]
) -> list[tuple[int, int]] | None:
    """For each axis of a view, the axis of an array of this shape that it walks along, and by how many elements.

    ``first`` and ``steps`` are numbers in that array. None if one walks along none, or across the end of one.
    """
    numbers, found = c_strides(tuple(shape)), []
    index = [first // one % length if length else 0 for one, length in zip(numbers, shape, strict=True)]
    for size, step in zip(sizes, steps, strict=True):
        along = [at for at, one in enumerate(numbers) if shape[at] > 1 and step > 0 and step % one == 0]
        if size == 1:
            found.append((-1, 0))
            continue
        if not along:
            return None
        axis = along[0]
        by = step // numbers[axis]
        index[axis] += by * (size - 1)
        if index[axis] >= shape[axis]:
            return None
        found.append((axis, by))
    return found


def locate_shard(shard: Shard, named: View, view: View) -> Location | None:
    """Where a view of a local shard, which is ``named``, lies in the tensor that is distributed."""
    if view.dtype != named.dtype and named.dtype.is_complex and view.dtype == named.dtype.to_real():
        return locate_shard(_of_parts(shard), named.of_parts(), view)
    if view == named:
        return Location(0, False, shard=shard)
    if view.dtype.itemsize != named.dtype.itemsize:
        return None
    if view.size == 0:
        return Location(0, False, tuple(range(len(view.shape))), Block(view.shape, (0,) * len(view.shape)))
    if len(shard.boxes) == 1:
        found = _block_in_box(shard.whole, shard.boxes[0], named, view)
        if found is not None:
            return found
    numbers = _numbers(named, view)
    return None if numbers is None else _gathered(_numbers_of(shard)[numbers])


def _block_in_box(whole: tuple[int, ...], box: Box, named: View, view: View) -> Location | None:
    regular = _first_and_steps(named, view)
    axes = regular and axes_of(box.shape, regular[0], view.shape, regular[1])
    if regular is None or axes is None:
        return None
    numbers, inner = c_strides(whole), c_strides(box.shape)
    index = [begin + regular[0] // one % size for begin, one, size in zip(box.start, inner, box.shape, strict=True)]
    first = sum(map(operator.mul, index, numbers))
    steps = [by * numbers[axis] for axis, by in axes]
    order = tuple(sorted(range(len(steps)), key=lambda axis: (view.shape[axis] > 1, -steps[axis])))
    block = _block(first, [view.shape[axis] for axis in order], [steps[axis] for axis in order])
    return None if block is None else Location(first, False, order, block)


def _numbers_of(shard: Shard) -> torch.Tensor:
    """The number of each element of a shard, in C order."""
    found = torch.empty(shard.shape, dtype=torch.int64)
    for box in shard.boxes:
        steps = c_strides(shard.whole)
        found[box.slices] = sum(map(operator.mul, box.start, steps)) + _offsets(box.shape, steps)
    return found.reshape(-1)


def _of_parts(shard: Shard) -> Shard:
    boxes = (Box((*box.start, 0), (*box.place, 0), (*box.shape, 2)) for box in shard.boxes)
    return Shard((*shard.whole, 2), (*shard.shape, 2), tuple(boxes))


def _offsets(shape: Sequence[int], steps: Sequence[int]) -> torch.Tensor:
    parts = [torch.arange(size) * step for size, step in zip(shape, steps, strict=True)]
    shapes = [[-1 if at == axis else 1 for at in range(len(parts))] for axis in range(len(parts))]
    return functools.reduce(operator.add, itertools.starmap(torch.reshape, zip(parts, shapes, strict=True)))


def _numbers(named: View, view: View) -> torch.Tensor | None:
    """The number of each element, found from where it lies in memory; None if one lies between those of the named."""
    rest = view.offset - named.offset + _offsets(view.shape, view.strides)
    number, strange = torch.zeros_like(rest), torch.zeros_like(rest, dtype=torch.bool)
    for step, size, one in sorted(zip(named.strides, named.shape, c_strides(named.shape), strict=True), reverse=True):
        if size > 1:
            number = number + rest // step * one
            strange = strange | (rest // step >= size)
            rest = rest % step
    return None if bool((strange | (rest != 0)).any()) else number


def _gathered(numbers: torch.Tensor) -> Location:
    return Location(int(numbers.min()), False, numbers=numbers)
