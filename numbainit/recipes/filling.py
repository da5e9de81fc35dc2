"""A weight, its name and an array → the array filled, step by step.

Fills go straight into the array, whatever its memory, where no number changes them afterwards.
"""

from typing import Any

import numpy as np

from numbainit.errors import InvalidTypeError, InvalidValueError
from numbainit.generator import Generator
from numbainit.memory.arrays import described, writable
from numbainit.memory.dtypes import Fillable
from numbainit.recipes.steps import CHANGES, Change, Fill, Part, Weight
from numbainit.weights.blocks import Block

MATRICES = ("orthogonal", "sparse")  # which are one as a whole


def checked_shape(name: str, array: Any) -> tuple[int, ...]:
    """The shape of an array that can be written to."""
    try:
        found = described(array, "apply")
        writable(found, "apply", Fillable((found.dtype,), small=False))
    except (InvalidTypeError, InvalidValueError) as error:
        raise type(error)(f"{name!r}: {error}") from None
    return tuple(found.shape)


def make(weight: Weight, name: str, array: Any, root: Generator) -> None:
    """Fill the array of a name: all steps, in float32 where small floats are to be rounded once."""
    array = array.detach() if hasattr(array, "detach") else array  # parts of a leaf are in no graph
    dtype = described(array, "apply").dtype
    changed = any(isinstance(step, Change) for step in weight.steps)
    small = dtype.kind not in "biu" and dtype.itemsize < 4
    if not changed and not (small and len(weight.steps) > 1):
        for step in weight.steps:
            assert isinstance(step, Fill)
            _fill(step, weight.shape, name, array, root, dtype)
        return
    wide = np.empty(weight.shape, np.float32 if small else dtype)
    if not weight.is_whole:
        _copy(array, wide)
    for step in weight.steps:
        if isinstance(step, Fill):
            _fill(step, weight.shape, name, wide, root, wide.dtype)
        else:
            part = wide[_index(step.part)]
            CHANGES[step.name](part, wide.dtype.type(step.number), out=part)
    _copy(wide, array)


def _copy(source: Any, target: Any) -> None:
    if hasattr(source, "copy_"):
        source = source.float() if source.element_size() < 4 else source
        target[...] = source.cpu().numpy()
    elif hasattr(target, "copy_"):
        import torch

        target.copy_(torch.from_numpy(source))
    else:
        target[...] = source


def _fill(step: Fill, shape: tuple[int, ...], name: str, array: Any, root: Generator, dtype: np.dtype) -> None:
    part = array if step.part is None else array[_index(step.part)]
    found = step.initializer
    if dtype.kind in "biu" and not found.draws:
        part[...] = {"zeros": 0, "ones": 1}.get(found.name, found.arguments.get("val", 0))
        return
    key = root.fold_in(step.of or name)
    if step.part is None:
        found(part, Generator.from_key(*key.key, draws=step.draw))
        return
    starts = [start for start, _ in step.part]
    if found.name in MATRICES:  # one of its own, made of the number of its first element
        key = key.fold_in(int(np.ravel_multi_index(starts, shape)))
        found(part, Generator.from_key(*key.key, draws=step.draw))
    else:
        found(part, Generator.from_key(*key.key, draws=step.draw), block=Block(shape, starts))


def _index(part: Part | None) -> Any:
    return ... if part is None else tuple(slice(*ends) for ends in part)
