"""A weight, its name and an array → the array filled, step by step.

Fills go straight into the array, whatever its memory, where nothing changes them afterwards.
"""

import functools
import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from numbainit.errors import InvalidTypeError, InvalidValueError
from numbainit.generator import Generator
from numbainit.initializers import Initializer
from numbainit.memory.arrays import described, writable
from numbainit.memory.dtypes import Fillable, is_small, part_of
from numbainit.memory.sharded import ShardedArray, pieces_here
from numbainit.recipes import formulas
from numbainit.recipes.steps import CHANGES, Change, Fill, Formula, Part, Step, Weight
from numbainit.weights.blocks import Block

MATRICES = ("orthogonal", "sparse")  # which are one as a whole
_NONE: Mapping[str, Weight] = MappingProxyType({})


def writable_memory(array: Any) -> Any:
    """The memory to fill in place; raises for what is no such array."""
    found = described(array, "apply")
    return writable(found, "apply", _fillable(found.dtype))


@functools.lru_cache(maxsize=64)
def _fillable(dtype: np.dtype) -> Fillable:
    return Fillable((dtype,), small=False)


def check(steps: Iterable[Step], shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Raise what :func:`make` would for such a tensor; nothing of its size is made."""
    if 0 in shape:
        return
    for step in steps:
        if isinstance(step, Change):
            _check_change(step, dtype)
        if isinstance(step, Fill):
            _check_fill(step, shape, dtype)
        if isinstance(step, Formula) and step.of is None:
            inner = _shape(step, shape)
            formulas.check(step.text, inner, inner, dtype)


def check_formulas(weight: Weight, others: Mapping[str, Weight]) -> None:
    """Raise if a formula of another tensor has no value that fits."""
    for step in weight.steps:
        if isinstance(step, Formula) and step.of is not None:
            formulas.check(step.text, _shape(step, weight.shape), others[step.of].shape)


def _shape(step: Formula, shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape if step.part is None else tuple(stop - start for start, stop in step.part)


def _check_change(step: Change, dtype: np.dtype) -> None:
    if dtype.kind in "biu":
        raise InvalidTypeError(f"{step.name} changes floats, and the dtype is {dtype}")
    real = np.dtype("float32") if is_small(dtype) else part_of(dtype)
    with np.errstate(over="ignore", under="ignore"):
        number = float(real.type(step.number))
    if not math.isfinite(number):
        raise InvalidValueError(f"{step.name} must be finite in {real}, got {step.number!r}")
    if step.name == "div" and number == 0:
        raise InvalidValueError(f"div must not be 0 in {real}, got {step.number!r}")


def _check_fill(step: Fill, shape: tuple[int, ...], dtype: np.dtype) -> None:
    found = step.initializer
    if dtype.kind in "biu" and not found.draws:
        if np.array(_constant(found)).astype(dtype) != _constant(found):
            raise InvalidTypeError(f"{found.label} is no value of {dtype}")
    else:
        found.check(shape, dtype)


def can_be_cut(weight: Weight) -> bool:
    """Whether a piece of it is made at the cost of its own elements."""
    fills = [step.initializer for step in weight.steps if isinstance(step, Fill)]
    has_formula = any(isinstance(step, Formula) for step in weight.steps)
    return not has_formula and all(found.takes_block and found.name not in MATRICES for found in fills)


def make(
    weight: Weight,
    name: str,
    array: Any,
    root: Generator,
    piece: Part | None = None,
    others: Mapping[str, Weight] = _NONE,
) -> None:
    """Fill the array of a name: all steps, in float32 where small floats are to be rounded once.

    ``array`` is all of the tensor, or a piece, the first index along each axis and the one behind the last: its values
    are those of the whole. ``others`` are the weights of the recipe, which formulas may be of.
    """
    sole = weight.steps[0] if len(weight.steps) == 1 and piece is None else None
    is_plain = type(array) is np.ndarray and array.size > 0 and array.dtype.kind not in "biu"
    if is_plain and isinstance(sole, Fill) and sole.part is None:
        sole.initializer(array, _at(root.fold_in(sole.of or name), sole.draw))  # most arrays, and many small ones
        return
    array = array.detach() if hasattr(array, "detach") else array  # parts of a leaf are in no graph
    found = described(array, "apply")
    dtype, changed = found.dtype, not all(isinstance(step, Fill) for step in weight.steps)
    if type(found) is ShardedArray and (changed or len(weight.steps) > 1 or not weight.is_whole):
        for here, ends in pieces_here(array, found):
            make(weight, name, here, root, ends, others)
        return
    small = dtype.kind not in "biu" and dtype.itemsize < 4
    maker = _Maker(name, root, weight.shape, piece or tuple((0, size) for size in weight.shape))
    if not changed and not (small and len(weight.steps) > 1):
        for step in weight.steps:
            assert isinstance(step, Fill)
            maker.fill(step, array, dtype)
        return
    if any(isinstance(step, Formula) for step in weight.steps) and maker.sizes != weight.shape:
        whole = np.empty(weight.shape, np.float32 if small else dtype)
        make(weight, name, whole, root, None, others)
        _copy(whole[maker.index], array)
        return
    wide = np.empty(maker.sizes, np.float32 if small else dtype)
    if not weight.is_whole:
        _copy(array, wide)
    _make_steps(weight.steps, maker, wide, root, others)
    _copy(wide, array)


def _make_steps(
    steps: Iterable[Step], maker: "_Maker", wide: np.ndarray, root: Generator, others: Mapping[str, Weight]
) -> None:
    """All steps, one after the other, in memory that holds what comes between them."""
    for step in steps:
        if isinstance(step, Fill):
            maker.fill(step, wide, wide.dtype)
        elif (part := maker.part(step.part, wide)) is None:
            continue
        elif isinstance(step, Change):
            CHANGES[step.name](part, wide.dtype.type(step.number), out=part)
        else:
            _compute(step, part, root, others)


def _compute(step: Formula, part: np.ndarray, root: Generator, others: Mapping[str, Weight]) -> None:
    dtype, x = np.dtype(step.dtype or part.dtype), part
    if step.of is not None:
        x = np.empty(others[step.of].shape, dtype)
        make(others[step.of], step.of, x, root)
    part[...] = formulas.evaluate(step.text, dtype, x, max(x.size, part.size))


def _copy(source: Any, target: Any) -> None:
    if hasattr(source, "copy_"):
        source = source.float() if source.element_size() < 4 else source
        target[...] = source.cpu().numpy()
    elif hasattr(target, "copy_"):
        import torch

        target.copy_(torch.from_numpy(source))
    else:
        target[...] = source


class _Maker:
    """Fills and parts of the piece of a tensor that an array is."""

    def __init__(self, name: str, root: Generator, shape: tuple[int, ...], piece: Part) -> None:
        self._name, self._root, self._shape, self._piece = name, root, shape, piece
        self.sizes = tuple(stop - start for start, stop in piece)
        self.index = tuple(slice(*ends) for ends in piece)

    def part(self, part: Part | None, array: Any) -> Any:
        """What lies of a part in the array; None if nothing does."""
        if part is None:
            return array
        box = _common(part, self._piece)
        return None if box is None else array[_within(box, self._piece)]

    def fill(self, step: Fill, array: Any, dtype: np.dtype) -> None:
        found, whole = step.initializer, tuple((0, size) for size in self._shape)
        asked = whole if step.part is None else step.part
        box, part = _common(asked, self._piece), self.part(step.part, array)
        if part is None or box is None:
            return
        if dtype.kind in "biu" and not found.draws:
            part[...] = _constant(found)
            return
        key = self._root.fold_in(step.of or self._name)
        if not (found.takes_block and found.name not in MATRICES):
            self._fill_matrix(step, key, asked, box, part, dtype)
        elif box == whole:
            found(part, _at(key, step.draw))
        else:
            found(part, _at(key, step.draw), block=Block(self._shape, [start for start, _ in box]))

    def _fill_matrix(self, step: Fill, key: Generator, asked: Part, box: Part, part: Any, dtype: np.dtype) -> None:
        """One of its own, made as a whole, and of the number of its first element where it is a part."""
        if step.part is not None:
            key = key.fold_in(int(np.ravel_multi_index([start for start, _ in asked], self._shape)))
        generator = _at(key, step.draw)
        if box == asked:
            step.initializer(part, generator)
        else:
            sizes = [stop - start for start, stop in asked]
            whole = part.new_empty(sizes) if hasattr(part, "new_empty") else np.empty(sizes, dtype)
            made = step.initializer(whole, generator)
            part[...] = made[_within(box, asked)]


def _at(key: Generator, draw: int) -> Generator:
    """A generator that nobody has drawn from, at a draw."""
    return Generator.from_key(*key.key, draws=draw) if draw else key


def _common(first: Part, second: Part) -> Part | None:
    """What lies in both; None for nothing."""
    box = tuple((max(a, c), min(b, d)) for (a, b), (c, d) in zip(first, second, strict=True))
    return box if all(start < stop for start, stop in box) else None


def _within(box: Part, piece: Part) -> tuple[slice, ...]:
    """A box as an index of the array that is a piece."""
    return tuple(slice(a - start, b - start) for (a, b), (start, _) in zip(box, piece, strict=True))


def _constant(found: Initializer) -> Any:
    return {"zeros": 0, "ones": 1}.get(found.name, found.arguments.get("val", 0))
