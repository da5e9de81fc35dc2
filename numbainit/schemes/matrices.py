"""A checked array → a matrix or kernel with a structure: identity, Dirac, bilinear, sparse, a bias by gates.

Here is what they mean, whatever their memory: where the ones of an identity lie, how many zeros a column has.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from numbainit.errors import InvalidTypeError, InvalidValueError, shown
from numbainit.fill import fill_constant, run
from numbainit.generator import GeneratorLike
from numbainit.memory.arrays import Array, diagonal, view_at
from numbainit.memory.sharded import boxes_of
from numbainit.targets.choose import choose
from numbainit.weights import laws
from numbainit.weights.blocks import Block, whole_block, whole_shape
from numbainit.weights.layouts import LayoutLike, as_layout, axes_by_kind
from numbainit.weights.numbers import integer, is_text, real

Tap: TypeAlias = tuple[tuple[int, ...], float]  # a place in the receptive field, and a value
Taps: TypeAlias = Callable[[Sequence[int]], Iterable[Tap]]

_CANDIDATES = str.maketrans("cj", "gg")  # other names of a gate
_MOST_ROWS = 1 << 32  # of a sparse matrix: a word times as many rows must fit in 64 bits


def eye(array: Array, value: complex, block: Block | None) -> None:
    """One value on the diagonal of a matrix, which may be rectangular; zeros elsewhere."""
    if len(whole_shape(array.shape, block)) != 2:
        raise InvalidValueError(f"Only tensors with 2 dimensions are supported, got {dimensions(array, block)}")
    for box, within in boxes_of(array, block):
        top, side = (0, 0) if within is None else within.start
        row, column = max(side - top, 0), max(top - side, 0)  # where the diagonal begins
        rows, columns = box.shape
        target, length = choose(box), min(rows - row, columns - column)
        target.constant(box, 0.0)
        if length > 0:
            target.constant(diagonal(box, row, column, length), value)


def dirac(array: Array, groups: int, block: Block | None, layout: LayoutLike) -> None:
    """A kernel that passes its input channels on: ones at the centre, group by group."""
    _pass_on(array, "dirac_", groups, block, layout, lambda sizes: [(tuple(size // 2 for size in sizes), 1.0)])


def bilinear(array: Array, groups: int, block: Block | None, layout: LayoutLike) -> None:
    """A transposed convolution that interpolates its input channels linearly: tents, group by group."""
    _pass_on(array, "bilinear_", groups, block, layout, _tents)


def _tents(sizes: Sequence[int]) -> Iterator[Tap]:
    """The product over the axes of ``1 - |x - centre| / factor``, ``factor = (size + 1) div 2``."""
    factors = [(size + 1) // 2 for size in sizes]
    centres = [factor - (1.0 if size % 2 else 0.5) for factor, size in zip(factors, sizes, strict=True)]
    for place in itertools.product(*map(range, sizes)):
        tents = (1.0 - abs(x - c) / factor for x, c, factor in zip(place, centres, factors, strict=True))
        yield place, math.prod(tents)


def _pass_on(array: Array, caller: str, groups: int, block: Block | None, layout: LayoutLike, taps: Taps) -> None:
    """Fill a convolution kernel with zeros, but for the diagonal of each group at each tap, which gets its value."""
    whole = whole_shape(array.shape, block)
    if len(whole) not in (3, 4, 5):
        raise InvalidValueError(
            f"Only tensors with 3, 4, or 5 dimensions are supported, got {dimensions(array, block)}"
        )
    count = integer("groups", groups)
    if count < 1:
        raise InvalidValueError(f"groups must be at least 1, got {shown(count)}")
    known = as_layout(layout)
    experts, outputs, inputs, receptive = axes_by_kind(known, len(whole))
    if experts or [len(outputs), len(inputs)] != [1, 1] or known.splits != 1:
        raise InvalidValueError(
            f"{caller} takes a layout with one O and one I and no E, without splits, got {shown(layout)}"
        )
    if known.groups != 1:
        if count not in (1, known.groups):
            raise InvalidValueError(f"{caller} got groups={shown(count)} and {known!r}: leave one of the two out")
        count = known.groups
    order = (inputs + outputs if known.transposed else outputs + inputs) + receptive  # groups cut the first
    shape = [whole[axis] for axis in order]
    if shape[0] % count:
        raise InvalidValueError(
            f"dim {order[0]} must be divisible by groups, got shape {whole} and groups={shown(count)}"
        )
    for box, within in boxes_of(array, block):
        first = whole_block(box.shape, within).start
        _write_taps(box.transpose(order), shape, [first[axis] for axis in order], count, taps)


def _write_taps(kernel: Array, shape: Sequence[int], start: Sequence[int], groups: int, taps: Taps) -> None:
    """The part of a kernel of this shape that begins at ``start``; first the axis that groups cut."""
    target = choose(kernel)
    target.constant(kernel, 0.0)
    passed = [one for one in _passed(shape, start, kernel.shape, groups) if one.length > 0] if kernel.size else []
    across, along = kernel.strides[:2]
    for place, value in taps(shape[2:]) if passed else ():
        spot = [x - begin for x, begin in zip(place, start[2:], strict=True)]
        if all(0 <= x < size for x, size in zip(spot, kernel.shape[2:], strict=True)):
            for one in passed:
                lengths, strides = (one.times, one.length), (one.apart * across if one.times > 1 else 0, across + along)
                diagonals = view_at(kernel, (one.row, one.column, *spot), lengths, strides)
                target.constant(diagonals, laws.constant(value, kernel.dtype))


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
        raise InvalidValueError(f"Only tensors with 2 dimensions are supported, got {dimensions(array, block)}")
    share = real("sparsity", sparsity)
    if not 0.0 <= share <= 1.0:
        raise InvalidValueError(f"sparsity is the share of zeros in each column, in [0, 1], got {share}")
    law = laws.normal(0.0, std, array.dtype)
    if whole[0] >= _MOST_ROWS:
        raise InvalidValueError(f"sparse_ counts rows in 32 bits: fewer than 2^32 fit, got {whole[0]}")
    zeros = math.ceil(share * whole[0])
    boxes = boxes_of(array, block)
    run([choose(box).filling_sparse(box, zeros, law, whole_block(box.shape, one)) for box, one in boxes], generator)


def forget_bias(array: Array, value: complex, gates: str, block: Block | None) -> None:
    """One value in the quarter of the last axis that is the forget gate's, zeros elsewhere."""
    if not is_text(gates):
        raise InvalidTypeError(f"gates must be a str such as 'ifgo', got {type(gates).__name__} {shown(gates)}")
    if sorted(gates.translate(_CANDIDATES)) != sorted("ifgo"):
        raise InvalidValueError(
            f"gates is the order of an LSTM's four: i, f, o, and g, c or j for the candidate, got {shown(gates)}"
        )
    whole = whole_shape(array.shape, block)
    if not whole or whole[-1] % 4:
        raise InvalidValueError(f"an LSTM's bias has four gates of equal sizes along its last axis, got shape {whole}")
    width = whole[-1] // 4
    fill_constant(array, 0.0, block)
    for box, within in boxes_of(array, block):
        first = gates.index("f") * width - whole_block(box.shape, within).start[-1]
        begin, end = (min(max(bound, 0), box.shape[-1]) for bound in (first, first + width))
        choose(box).constant(box[(*(slice(0, size) for size in box.shape[:-1]), slice(begin, end))], value)


def dimensions(array: Array, block: Block | None = None) -> str:
    """How many, for a message."""
    shape = array.shape if block is None else block.shape
    return f"{len(shape)}, shape {shape}"
