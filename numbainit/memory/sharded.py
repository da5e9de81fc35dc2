"""An array of which only a part lies here → that part, as boxes with their blocks, each an array by itself.

A DTensor of torch says of what shape the whole is, how its mesh cuts it, and where in the mesh this rank is. What it
asks of a fill (shape, fans, draw) is asked of the whole; what is written is the local shard.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from numbainit.errors import InvalidTypeError, InvalidValueError
from numbainit.memory.device import DeviceArray
from numbainit.memory.libraries import library_of, torch_of
from numbainit.weights.blocks import Block, c_strides
from numbainit.weights.placements import Cut, Shard, shard_of

_PUT_TOGETHER = "call .redistribute() or .full_tensor() first, or fill the parameter before it is distributed"


@dataclass(frozen=True, slots=True)
class ShardedArray:
    """The whole as the family asks for it, and the shard that lies here. ``memory`` is an ndarray or a DeviceArray."""

    memory: Any
    shard: Shard

    @property
    def shape(self) -> tuple[int, ...]:
        return self.shard.whole

    @property
    def dtype(self) -> np.dtype:
        dtype: np.dtype = self.memory.dtype
        return dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def view(self, dtype: str) -> "ShardedArray":
        """The same memory as elements of another dtype of the same size."""
        return dataclasses.replace(self, memory=self.memory.view(dtype))


def boxes_of(array: Any, block: Block | None) -> Sequence[tuple[Any, Block | None]]:
    """What to fill instead of an array that was checked, each with its block: itself, unless it is in boxes."""
    if type(array) is ShardedArray:
        if block is not None and block.flat is not None:
            return _boxes_of_ranges(array, block.shape, block.flat[0])
        # of an array without axes NumPy gives a copy by an empty index
        return [(array.memory[index] if index else array.memory, box) for index, box in array.shard.blocks(block)]
    if block is None or block.flat is None:
        return [(array, block)]
    return [(_unraveled(array, at, shape), box) for at, shape, box in block.as_boxes()]


def _boxes_of_ranges(array: ShardedArray, shape: tuple[int, ...], begin: int) -> list[tuple[Any, Block | None]]:
    """Of a flat range that is itself distributed."""
    found: list[tuple[Any, Block | None]] = []
    for box in array.shard.boxes:
        first = begin + box.start[0]
        found += boxes_of(array.memory[box.slices], Block(shape, flat=(first, first + box.shape[0])))
    return found


def _unraveled(array: Any, at: int, shape: tuple[int, ...]) -> Any:
    """Elements of a one-dimensional array from one on, in C order of a shape."""
    (step,) = array.strides
    size, strides = math.prod(shape), tuple(step * one for one in c_strides(shape))
    if isinstance(array, DeviceArray):
        return array.view_at(at * step, shape, strides)
    return array[at : at + size].reshape(shape)


def shard_of_dtensor(tensor: Any, caller: str) -> Shard:
    """What of a DTensor lies on this rank."""
    coordinate, shape = tensor.device_mesh.get_coordinate(), tuple(tensor.shape)
    local = tuple(_local(tensor).shape)
    if coordinate is None:  # this rank is not in the mesh
        return Shard(shape, local, ())
    sizes = tuple(tensor.device_mesh.shape)
    cuts = [
        _cut(placement, size, place, caller, tensor)
        for placement, size, place in zip(tensor.placements, sizes, coordinate, strict=True)
    ]
    shard = shard_of(shape, [cut for cut in cuts if cut is not None])
    if shard.shape != local and not (math.prod(shard.shape) == math.prod(local) == 0):
        raise InvalidValueError(
            f"{caller} got a DTensor of shape {shape} whose local shard has shape {local}, where its placements "
            f"{tensor.placements} on a mesh of {sizes} say {shard.shape}: make it with distribute_tensor, or give "
            "from_local its shape"
        )
    return shard


def _cut(placement: Any, pieces: int, piece: int, caller: str, tensor: Any) -> Cut | None:
    """What a placement does; None where all ranks along an axis of the mesh hold the same."""
    kind = type(placement).__name__
    if kind == "Replicate":
        return None
    if kind == "Shard":
        return Cut(placement.dim, pieces, piece)
    if kind == "_StridedShard":
        return Cut(placement.dim, pieces, piece, int(placement.split_factor))
    why = "holds summands, of which no values can be filled" if "Partial" in kind else "is none of Shard and Replicate"
    raise InvalidTypeError(
        f"{caller} got a DTensor with placements {tuple(tensor.placements)}: {placement} {why}; {_PUT_TOGETHER}"
    )


def is_dtensor(tensor: Any) -> bool:
    """Whether an object is a distributed tensor of torch."""
    return type(tensor).__name__ == "DTensor" and library_of(tensor) == "torch"


def on_ranks(tensor: Any, caller: str, described: Callable[[Any, str], Any]) -> ShardedArray | None:
    """A DTensor with the memory of its local shard, as ``described`` finds it; None for anything else."""
    if not is_dtensor(tensor):
        return None
    shard = shard_of_dtensor(tensor, caller)
    memory = described(_local(tensor), caller)
    if memory.shape != shard.shape:  # without elements
        memory = np.empty(shard.shape, memory.dtype)
    return ShardedArray(memory, shard)


def pieces_here(tensor: Any, array: ShardedArray) -> Iterator[tuple[Any, tuple[tuple[int, int], ...]]]:
    """The tensors of this rank that a DTensor is made of, each with the ends of its axes in the whole."""
    local = _local(tensor)
    for box in array.shard.boxes:
        yield local[box.slices], tuple((start, start + size) for start, size in zip(box.start, box.shape, strict=True))


def _local(tensor: Any) -> Any:
    """The local shard of a DTensor, outside of any graph."""
    with torch_of(tensor).no_grad():
        return tensor.to_local()
