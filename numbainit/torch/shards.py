"""What a context does with distributed tensors: an operation on one → operations on what of it lies on this rank.

A DTensor turns most operations into the same ones on its local shard, and the mode sees those: the shard of a named
tensor is a region that knows its place in the whole. Two kinds are taken before. Random fills: torch's would go by the
seeds of ranks. And views that cut an axis which the mesh cuts: torch gathers a copy from all ranks, so that what is
written to it is lost (``weight[padding_idx].zero_()``); here they are a :class:`Part`, and writes go where the elements
lie.
"""

import operator
from collections.abc import Iterator
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from numbainit.errors import InvalidTypeError, InvalidValueError
from numbainit.initializers import Initializer
from numbainit.memory.sharded import is_dtensor, shard_of_dtensor
from numbainit.torch import sampling
from numbainit.torch.fills import OF_MATRICES, Source
from numbainit.torch.fills import fill as fill_of_source
from numbainit.torch.histories import flat, replaced
from numbainit.torch.locations import Location, View, axes_of, locate, view_of
from numbainit.torch.operations import Facts, facts_of, written_by
from numbainit.weights.blocks import c_strides
from numbainit.weights.placements import Box, Shard

_ATEN = torch.ops.aten
#: views that may cut an axis → where the argument stands that names it
_CUTS = {
    _ATEN.select.int: 1,
    _ATEN.slice.Tensor: 1,
    _ATEN.unbind.int: 1,
    _ATEN.split.Tensor: 2,
    _ATEN.split_with_sizes.default: 2,
}
_SIMPLE = ("fill", "zero", "copy")


def local_of(tensor: torch.Tensor) -> torch.Tensor:
    """What of a tensor lies on this rank: all of it, unless it is distributed."""
    if not is_dtensor(tensor):
        return tensor
    with torch.no_grad():
        local: torch.Tensor = tensor.to_local()  # type: ignore[attr-defined]
    return local


def shard_of(tensor: torch.Tensor) -> Shard | None:
    """Where that lies in the whole; None for a tensor that is not distributed."""
    return shard_of_dtensor(tensor, "keyed") if is_dtensor(tensor) else None


def is_distributed(tensor: torch.Tensor) -> bool:
    return isinstance(tensor, Part) or is_dtensor(tensor)


def has_distributed(types: Any) -> bool:
    """Whether some are those of distributed tensors."""
    return any(kind.__name__ == "DTensor" or kind is Part for kind in types)


def lost(name: str) -> InvalidValueError:
    """The error of a write to a copy."""
    return InvalidValueError(
        f"torch has gathered a copy of {name!r}, which is sharded, where code means a view of it: what is written "
        "there would be lost; fill the parameter itself, or a slice of it"
    )


class Part(torch.Tensor):
    """A view of a distributed tensor along axes that are cut, without memory. Who reads it gets what torch gathers.

    ``shadow`` is the same view of a tensor that has the shape of the whole and no memory, ``steps`` what led to it.
    """

    base: torch.Tensor
    shadow: torch.Tensor
    steps: tuple[Any, ...]

    @staticmethod
    def __new__(cls, base: torch.Tensor, shadow: torch.Tensor, steps: tuple[Any, ...]) -> "Part":
        made: Part = torch.Tensor._make_wrapper_subclass(
            cls, shadow.shape, strides=shadow.stride(), dtype=base.dtype, device=base.device
        )
        made.base, made.shadow, made.steps = base, shadow, steps
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        if any(isinstance(one, Part) for one in written_by(facts_of(func), args, kwargs or {})):
            raise InvalidValueError("a part of a sharded tensor is written inside of the context that it was made in")
        args, kwargs = replaced((args, kwargs or {}), Part, gathered)
        return func(*args, **kwargs)


def gathered(part: Part) -> Any:
    """The values of a part, from all ranks."""
    found: Any = part.base
    for func, args, kwargs, at in part.steps:
        made = func(found, *args, **kwargs)
        found = made if at is None else made[at]
    return found


def fill(mode: Any, tensor: torch.Tensor, found: Initializer) -> torch.Tensor:
    """Fill what of a distributed tensor, or of a part of one, lies here."""
    same = mode.views.get(tensor) if found.name in OF_MATRICES else None
    if isinstance(tensor, Part) or same is not None:
        _fill_part(mode, tensor if same is None else same, found)
        return tensor
    local = local_of(tensor)
    cell, view = mode.cells.of(local), view_of(local)
    if not cell.regions and cell.shard is None and not cell.gathered:
        shard = shard_of(tensor)
        assert shard is not None
        cell.shard = shard, view
    mode.fill(local, found, lambda: _refuse(found))
    return tensor


def dispatched(mode: Any, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """An operation with a distributed tensor among its arguments."""
    found = sampling.initializer_of(func, args, kwargs)
    if found is not None:
        if not isinstance(args[0], Part):
            mode.note_generator(args[0], kwargs.get("generator"))
        return fill(mode, args[0], found)
    if func in sampling.COMPOSED:
        with mode:
            return sampling.COMPOSED[func](*args, **kwargs)
    facts = facts_of(func)
    if facts.views:
        return _view(mode, func, args, kwargs)
    if any(isinstance(one, Part) for one in written_by(facts, args, kwargs)):
        return _write_part(mode, func, facts, args, kwargs)
    if next(flat((args, kwargs), Part), None) is not None:
        seen = _shown if facts.valueless else lambda part: _read(mode, part)
        args, kwargs = replaced((args, kwargs), Part, seen)
        with mode:
            return func(*args, **kwargs)
    return NotImplemented  # by torch, with the mode on


# ---- views ----


def _view(mode: Any, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    tensor, *rest = args
    if isinstance(tensor, Part):
        return _parts(tensor, func, rest, kwargs)
    cell = mode.cells.get(local_of(tensor))
    if cell is None or not cell.regions:
        return func(*args, **kwargs)
    part = mode.views.get(tensor)
    part = Part(tensor, torch.empty(tensor.shape, device="meta"), ()) if part is None else part
    if func in _CUTS and _axis(func, args, kwargs) in _cut_axes(tensor):
        return _parts(part, func, rest, kwargs)
    made = func(*args, **kwargs)
    same = _parts(part, func, rest, kwargs)
    for one, of in zip(flat(made, torch.Tensor), flat(same, Part), strict=True):
        if local_of(one).untyped_storage()._cdata == local_of(tensor).untyped_storage()._cdata:
            mode.views[one] = of
        else:
            mode.cells.of(local_of(one)).gathered = cell.regions[0].name
    return made


def _parts(part: Part, func: Any, rest: Any, kwargs: dict[str, Any]) -> Any:
    shadows = func(part.shadow, *rest, **kwargs)
    if isinstance(shadows, torch.Tensor):
        return Part(part.base, shadows, (*part.steps, (func, rest, kwargs, None)))
    steps = [(*part.steps, (func, rest, kwargs, at)) for at in range(len(shadows))]
    return [Part(part.base, shadow, one) for shadow, one in zip(shadows, steps, strict=True)]


def _axis(func: Any, args: Any, kwargs: dict[str, Any]) -> int:
    at = _CUTS[func]
    axis: int = args[at] if len(args) > at else kwargs.get("dim", 0)
    return axis % args[0].ndim


def _cut_axes(tensor: Any) -> set[int]:
    return {placement.dim for placement in tensor.placements if hasattr(placement, "dim")}


# ---- parts ----


def _fill_part(mode: Any, part: Any, found: Initializer) -> None:
    local = local_of(part.base)
    region = mode.cells.of(local).region_of(view_of(local))
    draw = region.next_draw()  # the same on all ranks, whether they hold some of it or not
    if found.name not in OF_MATRICES:
        for _, piece in _pieces(part):
            mode.fill(piece, found, lambda: _refuse(found))
        return
    region.gets("drawn", found.label)
    pieces = list(_pieces(part))
    if pieces:  # a matrix is one as a whole
        matrix = torch.empty(part.shape, dtype=part.dtype, device=local.device)
        fill_of_source(matrix, found, Source(region.key, draw, _location(part)))
        for index, piece in pieces:
            piece.copy_(matrix[index])


def _location(part: Part) -> Location:
    """Where a part lies in the whole."""
    shape = tuple(part.base.shape)
    found = locate(View(part.base.dtype, shape, c_strides(shape), 0), view_of(part.shadow)._replace(dtype=part.dtype))
    assert found is not None
    return found


def _write_part(mode: Any, func: Any, facts: Facts, args: Any, kwargs: dict[str, Any]) -> Any:
    part = args[0]
    simple = facts.name in _SIMPLE or torch.Tag.pointwise in func.tags
    if not simple or facts.writes != (0,):
        raise InvalidTypeError(f"{facts.name} cannot write to a part of a sharded tensor: call it on the whole of it")
    rest, kwargs = replaced((tuple(args[1:]), kwargs), torch.Tensor, lambda one: _whole(mode, one))
    mode.part = _location(part), part.shape, False
    try:
        with mode:
            for index, local in _pieces(part):

                def cut(one: torch.Tensor, index: Any = index) -> torch.Tensor:
                    return one if one.ndim == 0 else one.expand(part.shape)[index]

                func(local, *replaced(rest, torch.Tensor, cut), **replaced(kwargs, torch.Tensor, cut))
    finally:
        mode.part = None
    return part


def _read(mode: Any, part: Part) -> Any:
    """The values of a part, for somebody who looks at them."""
    local = local_of(part.base)
    mode.accounts.read([local])
    found = gathered(part)
    mode.cells.of(local_of(found)).becomes("copied", mode.cells.of(local).region_of(view_of(local)).name)
    return found


def _shown(part: Part) -> Any:
    """What has the shape of a part, for somebody who looks at no more: the same everywhere, of a single element."""
    from torch.distributed.tensor import DTensor, Replicate

    base: Any = part.base
    one = torch.empty((1,) * part.ndim, dtype=part.dtype, device=local_of(base).device).expand(part.shape)
    return DTensor.from_local(one, base.device_mesh, [Replicate()] * base.device_mesh.ndim, run_check=False)


def _whole(mode: Any, tensor: Any) -> Any:
    """All of a tensor that is written to a part, on every rank."""
    tensor = _read(mode, tensor) if isinstance(tensor, Part) else tensor
    return tensor.full_tensor() if is_dtensor(tensor) else tensor


def _pieces(part: Part) -> Iterator[tuple[tuple[slice, ...], torch.Tensor]]:
    """What of a part lies here: as an index of the part, and as a view of the local shard."""
    shard, local, view = shard_of(part.base), local_of(part.base), view_of(part.shadow)
    assert shard is not None
    axes = axes_of(shard.whole, view.offset, view.shape, view.strides)
    if axes is None or len({axis for axis, _ in axes if axis >= 0}) < sum(axis >= 0 for axis, _ in axes):
        raise InvalidTypeError("a view of a sharded tensor that is no box cannot be filled: fill the whole parameter")
    first = [
        view.offset // one % size if size else 0 for one, size in zip(c_strides(shard.whole), shard.whole, strict=True)
    ]
    for box in shard.boxes if view.size else ():
        found = _met(box, first, axes, view.shape)
        if found is not None:
            index, begin = found
            strides = [by * local.stride(axis) if axis >= 0 else 1 for axis, by in axes]
            offset = local.storage_offset() + sum(map(operator.mul, begin, local.stride()))
            yield index, torch.as_strided(local, [one.stop - one.start for one in index], strides, int(offset))


def _met(box: Box, first: list[int], axes: list[tuple[int, int]], sizes: Any) -> Any:
    """The index in a view of what of it lies in a box, and where that begins in the shard."""
    index = [slice(0, 1)] * len(axes)
    begin = [one - start + place for one, start, place in zip(first, box.start, box.place, strict=True)]
    walked = {axis: (at, by) for at, (axis, by) in enumerate(axes) if axis >= 0}
    for axis, (one, start, size) in enumerate(zip(first, box.start, box.shape, strict=True)):
        if axis not in walked:
            if not start <= one < start + size:
                return None
            continue
        at, by = walked[axis]
        low, high = max(0, -((one - start) // by)), min(sizes[at], -((one - start - size) // by))
        if low >= high:
            return None
        index[at] = slice(low, high)
        begin[axis] += low * by
    return tuple(index), begin


def _refuse(found: Initializer) -> Any:
    raise InvalidTypeError(
        f"numbainit cannot fill this sharded tensor by {found.label}: see the dtypes of {found.name}_"
    )


# ---- what would not happen ----


class NoAssignedData(TorchFunctionMode):
    """``parameter.data = x`` changes nothing where the parameter is distributed: an error instead."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func == _SET_DATA and is_dtensor(args[0]):
            raise InvalidTypeError("torch ignores .data = on a DTensor: call tensor.copy_(values)")
        return func(*args, **(kwargs or {}))


_SET_DATA = torch.Tensor.data.__set__  # type: ignore[attr-defined]
