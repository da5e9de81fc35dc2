"""Parameters that other libraries keep as ranges of one buffer → the ranges that lie on this rank, by name.

FSDP1 (``FullyShardedDataParallel``) joins the parameters of a module to one that is flat, of which a rank has an equal
share: some parameters whole, some cut anywhere, some not at all. DeepSpeed's ZeRO-3 does so with each parameter alone.
"""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch

from numbainit.errors import InvalidValueError
from numbainit.torch.names import checked_module, named_modules, named_tensors
from numbainit.weights.blocks import Block


class FlatShard(NamedTuple):
    """What lies here of a parameter: its name in the model, the memory, and which range of its elements that is."""

    name: str
    tensor: torch.Tensor
    block: Block


def flat_shards(module: torch.nn.Module) -> Iterator[FlatShard]:
    """The ranges of parameters that lie on this rank, of a model that FSDP1 has cut.

    Parameters
    ----------
    module : torch.nn.Module
        With modules of ``FullyShardedDataParallel`` in it, nested or not, outside of ``summon_full_params``.

    Yields
    ------
    FlatShard
        ``(name, tensor, block)``: ``init.normal_(tensor, generator=root.fold_in(name), block=block)`` fills it. Padding
        between parameters and behind the last is left as it is.

    Examples
    --------
    >>> import torch
    >>> from numbainit.torch import flat_shards
    >>> list(flat_shards(torch.nn.Linear(2, 2)))  # nothing is cut
    []
    """
    for prefix, flat in _flat_parameters(checked_module(module, "flat_shards")):
        for name, shape, (offset, begin, end) in zip(flat._fqns, flat._shapes, _ranges(flat), strict=True):
            if begin < end:
                tensor = flat.detach()[offset : offset + end - begin]
                yield FlatShard(prefix + name, tensor, Block(tuple(shape), flat=(begin, end)))


def check_whole(module: torch.nn.Module, caller: str) -> None:
    """Raise if parameters have lost elements: to fill what is left would do nothing, or something else."""
    registered = {id(parameter) for parameter in module.parameters()}
    for prefix, flat in _flat_parameters(module):
        if id(flat) in registered or any(size < math.prod(shape) for size, shape in _held(flat)):
            raise InvalidValueError(
                f"{caller} got a model with flat parameters in its FSDP module {prefix.removesuffix('.')!r}: enter "
                "FullyShardedDataParallel.summon_full_params(model) first, or fill what "
                "numbainit.torch.flat_shards(model) gives"
            )
    for one in named_tensors(module):
        whole = getattr(one.tensor, "ds_shape", None)
        if whole is not None and one.tensor.numel() != math.prod(whole):
            raise InvalidValueError(
                f"{one.name!r} is partitioned by DeepSpeed, and {one.tensor.numel()} of {math.prod(whole)} elements "
                "are here: enter deepspeed.zero.GatheredParameters first, or fill parameter.ds_tensor with "
                "block=Block(parameter.ds_shape, flat=(begin, end))"
            )


def _flat_parameters(module: torch.nn.Module) -> Iterator[tuple[str, Any]]:
    """The flat parameters of FSDP1, each with the prefix that names in it have."""
    names = named_modules(module)
    for inner in module.modules():
        handle = getattr(inner, "_handle", None)
        flat = getattr(handle, "flat_param", None)
        if flat is not None and type(inner).__name__ == "FullyShardedDataParallel":
            name = names[id(inner)]
            yield f"{name}." if name else "", flat


def _held(flat: Any) -> Iterator[tuple[int, Any]]:
    """For each parameter how many elements its module shows now, and the shape that it has as a whole."""
    for (name, owner, _), shape in zip(flat._param_infos, flat._shapes, strict=True):
        yield getattr(owner, name).numel(), shape


def _ranges(flat: Any) -> Iterator[tuple[int, int, int]]:
    """For each parameter, where what lies here begins in the memory at hand, and its range of elements."""
    infos = getattr(flat, "_shard_param_infos", None)
    if infos is not None:
        for one in infos:
            if one.in_shard:  # the index of the last element, not of the one behind
                yield one.offset_in_shard, one.intra_param_start_idx, one.intra_param_end_idx + 1
            else:
                yield 0, 0, 0
        return
    offset = 0
    for size, padding in zip(flat._numels_with_padding, flat._is_padding_mask, strict=True):
        if not padding:
            yield offset, 0, size
        offset += size
