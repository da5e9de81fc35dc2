"""A part of an array → where its elements lie in the numbering of the whole, of which values and fans are a function.

A worker that holds a shard fills it as the part that it is: no other worker, and not the size of the shard, has a say.
"""

import math
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, SupportsIndex

from numbainit.errors import InvalidTypeError, InvalidValueError, shown
from numbainit.weights.numbers import wholes

_MOST_ELEMENTS = 1 << 62  # so that numbers of the parts of complex elements, and steps between them, fit in 64 bits


@dataclass(frozen=True, init=False, repr=False)
class Block:
    """The part at ``start`` of a logical array of ``shape``: pass it as ``block=`` with an array that is that part.

    Or with ``flat``, a range of its elements in C order, whose array has one axis: what is left of a parameter where
    several are one buffer, which workers share (flat parameters of FSDP1, partitions of ZeRO, distributed optimizers).

    Parameters
    ----------
    shape : sequence of ints
        Of the whole array.
    start : sequence of ints
        The index in the whole array of the part's first element.
    flat : (begin, end)
        Instead of ``start``: the numbers [begin, end) of elements of the whole array, counted in C order.

    Raises
    ------
    InvalidTypeError
        Not sequences of ints; both ``start`` and ``flat``, or none of them.
    InvalidValueError
        A negative number, more than 2^62 elements, not one start for each axis, or a range that ends before it begins
        or behind the whole.

    Examples
    --------
    >>> import numpy as np, numbainit as init
    >>> whole = init.kaiming_normal((1024, 512), generator=0)
    >>> shard = np.empty((256, 512), "float32")
    >>> init.kaiming_normal_(shard, generator=0, block=init.Block((1024, 512), (768, 0))) is shard
    True
    >>> bool((shard == whole[768:]).all())
    True
    >>> flat = np.empty(1000, "float32")
    >>> flat = init.kaiming_normal_(flat, generator=0, block=init.Block((1024, 512), flat=(700, 1700)))
    >>> bool((flat == whole.ravel()[700:1700]).all())
    True
    """

    shape: tuple[int, ...]
    start: tuple[int, ...]
    flat: tuple[int, int] | None = None

    def __init__(
        self,
        shape: Sequence[SupportsIndex],
        start: Sequence[SupportsIndex] | None = None,
        *,
        flat: tuple[SupportsIndex, SupportsIndex] | None = None,
    ) -> None:
        object.__setattr__(self, "shape", _naturals("shape", shape))
        if (start is None) == (flat is None):
            raise InvalidTypeError(
                f"a Block has a start or a flat range, got start {shown(start)} and flat {shown(flat)}"
            )
        if math.prod(self.shape) > _MOST_ELEMENTS:
            raise InvalidValueError(f"a Block lies in an array of at most 2^62 elements, got shape {shown(self.shape)}")
        object.__setattr__(self, "start", () if start is None else _naturals("start", start))
        object.__setattr__(self, "flat", None if flat is None else _range(flat, self.shape))
        if flat is None and len(self.start) != len(self.shape):
            raise InvalidValueError(
                f"a Block needs one start for each axis, got start {shown(self.start)} for shape {shown(self.shape)}"
            )
        if any(map(operator.gt, self.start, self.shape)):
            raise InvalidValueError(f"start {shown(self.start)} does not lie inside the whole, of shape {self.shape}")

    def __repr__(self) -> str:
        place = f"start={self.start}" if self.flat is None else f"flat={self.flat}"
        return f"Block(shape={self.shape}, {place})"

    def check(self, part: tuple[int, ...]) -> None:
        """Raise unless an array of shape ``part`` lies inside the whole."""
        if self.flat is not None:
            begin, end = self.flat
            if part != (end - begin,):
                raise InvalidValueError(
                    f"an array of shape {part} is not the flat range {self.flat} of the block, which has "
                    f"{end - begin} elements along one axis: pass array.reshape(-1) of a contiguous one"
                )
            return
        inside = len(part) == len(self.shape) and all(
            begin + length <= size for begin, length, size in zip(self.start, part, self.shape, strict=True)
        )
        if not inside:
            raise InvalidValueError(
                f"an array of shape {part} at start {self.start} does not lie inside the block's whole, of shape "
                f"{self.shape}: pass the shape of the whole and the index of the part's first element in it"
            )

    @property
    def strides(self) -> tuple[int, ...]:
        """How far apart neighbours along each axis of the whole are in its numbering."""
        return c_strides(self.shape)

    def first(self) -> int:
        """The number of the part's first element."""
        return sum(map(operator.mul, self.start, self.strides))

    def is_range(self, part: tuple[int, ...]) -> bool:
        """Whether the numbers of a part of this shape follow each other."""
        lengths = [axis for axis, length in enumerate(part) if length != 1]
        return not lengths or part[lengths[0] + 1 :] == self.shape[lengths[0] + 1 :]

    def of_parts(self) -> "Block":
        """The block of the real and imaginary parts of complex elements, which are one more axis."""
        return _unchecked((*self.shape, 2), (*self.start, 0))  # the limit was that of the elements

    def within(self, index: tuple[slice, ...]) -> "Block":
        """The block of a part of the part, taken by slices with a start."""
        return _unchecked(self.shape, tuple(begin + one.start for begin, one in zip(self.start, index, strict=True)))

    def as_range(self) -> "Block":
        """A flat range as what it is to laws that ask for numbers alone: a part of an array of one axis."""
        assert self.flat is not None
        return _unchecked((math.prod(self.shape),), self.flat[:1])

    def as_boxes(self) -> "Iterator[tuple[int, tuple[int, ...], Block]]":
        """A flat range as the boxes that it is made of: where each begins in the range, its shape, its block.

        Rows that are cut come by themselves, at most two for each axis.
        """
        assert self.flat is not None
        begin, end = at, _ = self.flat
        while at < end:
            start, rest = [], at
            for step in self.strides:
                index, rest = divmod(rest, step)
                start.append(index)
            axis = next(
                (axis for axis, step in enumerate(self.strides) if at % step == 0 and at + step <= end),
                len(self.shape),
            )
            shape = [1] * axis + list(self.shape[axis:])
            if axis < len(shape):
                shape[axis] = min((end - at) // self.strides[axis], self.shape[axis] - start[axis])
            yield at - begin, tuple(shape), _unchecked(self.shape, tuple(start))
            at += math.prod(shape)


def _unchecked(shape: tuple[int, ...], start: tuple[int, ...]) -> Block:
    """A block that follows from one that was checked."""
    block = object.__new__(Block)
    object.__setattr__(block, "shape", shape)
    object.__setattr__(block, "start", start)
    object.__setattr__(block, "flat", None)
    return block


def c_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """How far apart in number neighbours along each axis of an array of this shape are."""
    strides, step = [], 1
    for length in reversed(shape):
        strides.append(step)
        step *= length
    return tuple(reversed(strides))


def pieces(shape: tuple[int, ...], most: int) -> Iterator[tuple[slice, ...]]:
    """Indices of an array of this shape that cut it into pieces of at most so many elements: its halves, and theirs."""
    whole = tuple(slice(0, length) for length in shape)
    waiting = [whole]
    while waiting:
        index = waiting.pop()
        lengths = [one.stop - one.start for one in index]
        if math.prod(lengths) <= most:
            yield index
            continue
        axis = next(axis for axis, length in enumerate(lengths) if length > 1)
        begin, end = index[axis].start, index[axis].stop
        middle = begin + (end - begin) // 2
        halves = slice(begin, middle), slice(middle, end)
        waiting.extend((*index[:axis], half, *index[axis + 1 :]) for half in reversed(halves))


def merged_axes(array: Any, steps: Sequence[int]) -> list[tuple[int, int, int]]:
    """(length, stride, step) of each axis of a regular array, after axes that continue each other have become one.

    Strides count elements of memory, ``steps`` the numbers between neighbours. Numbers follow each other along the last
    of these axes, which may be one of a single element.
    """
    axes = [(1, 1, 1)]
    for length, stride, step in zip(array.shape, array.strides, steps, strict=True):
        one, (above, *strides) = stride // array.itemsize, axes[-1]
        if length == 1:
            continue
        if above == 1:
            axes[-1] = length, one, step
        elif strides == [length * one, length * step]:
            axes[-1] = above * length, one, step
        else:
            axes.append((length, one, step))
    return axes if axes[-1][2] == 1 else [*axes, (1, 1, 1)]


def whole_shape(part: tuple[int, ...], block: Block | None) -> tuple[int, ...]:
    """The shape of the whole array that a part of this shape belongs to: its own without a block."""
    if block is None:
        return part
    if not issubclass(type(block), Block):
        raise InvalidTypeError(
            f"block is a numbainit.Block(shape, start), or with flat=(begin, end), or None, got {shown(block)}"
        )
    block.check(part)
    return block.shape


def whole_block(part: tuple[int, ...], block: Block | None) -> Block:
    """The block that an array of this shape is: the whole of itself without one."""
    if block is None:
        return Block(part, [0] * len(part))
    whole_shape(part, block)
    return block


def _range(flat: tuple[SupportsIndex, SupportsIndex], shape: tuple[int, ...]) -> tuple[int, int]:
    try:
        begin, end = ends = wholes(flat)
    except (TypeError, ValueError):
        raise InvalidTypeError(f"the flat range of a Block is (begin, end), got {shown(flat)}") from None
    if not 0 <= begin <= end <= math.prod(shape):
        raise InvalidValueError(
            f"the flat range of a Block lies in the {math.prod(shape)} elements of shape {shown(shape)}, "
            f"got {shown(ends)}"
        )
    return begin, end


def _naturals(name: str, values: Sequence[SupportsIndex]) -> tuple[int, ...]:
    try:
        naturals = wholes(values)
    except TypeError:
        raise InvalidTypeError(f"the {name} of a Block is a sequence of ints, got {shown(values)}") from None
    if any(value < 0 for value in naturals):
        raise InvalidValueError(f"the {name} of a Block has no negative number, got {shown(naturals)}")
    return naturals
