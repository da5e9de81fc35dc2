"""An initializer, a tensor, its location in a named one and a generator → the tensor filled by numbainit.

Whatever the tensor is a part of, its elements get the words of their numbers there. An orthogonal or sparse matrix is
one as a whole: that which is a part of a named tensor has a generator of its own, made of where it begins.
"""

import functools
from typing import NamedTuple

import torch

from numbainit.generator import Generator
from numbainit.initializers import Initializer, parameters
from numbainit.memory.arrays import described
from numbainit.memory.libraries import written
from numbainit.memory.sharded import ShardedArray
from numbainit.torch.locations import Location
from numbainit.weights.blocks import Block

OF_MATRICES = ("orthogonal", "sparse")
_DTYPES = [dtype for dtype in vars(torch).values() if isinstance(dtype, torch.dtype)]
#: floats of less than 32 bits
SMALL = frozenset(dtype for dtype in _DTYPES if dtype.is_floating_point and dtype.itemsize < 4)


class Source(NamedTuple):
    """Where the values of a fill come from: the words of a key, a draw, and the location in what has that key."""

    key: tuple[int, int]
    draw: int
    location: Location


@functools.lru_cache(maxsize=256)
def initializer(name: str, *numbers: float) -> Initializer:
    """One of the family with its arguments, in their order; the same few are asked for again and again."""
    return Initializer(name, **dict(zip(parameters(name), numbers, strict=False)))


def fill(tensor: torch.Tensor, found: Initializer, source: Source) -> None:
    """Fill a tensor, which may be a part of the one whose generator it is."""
    location, generator = source.location, Generator.from_key(*source.key, draws=source.draw)
    tensor = tensor.detach() if tensor.requires_grad else tensor  # what is computed is filled here, and reported
    if location.whole:
        found(tensor, generator)
    elif location.shard is not None:
        found(ShardedArray(described(tensor, found.name), location.shard), generator)
        written(tensor)
    elif found.name in OF_MATRICES:
        found(tensor, Generator.from_key(*generator.fold_in(location.first).key, draws=source.draw))
    elif location.block is not None:
        part = tensor.permute(location.order)
        part = part[..., None] if part.ndim < len(location.block.shape) else part
        found(part, generator, block=location.block)
    else:
        _gather(tensor, found, location, generator)


def _gather(tensor: torch.Tensor, found: Initializer, location: Location, generator: Generator) -> None:
    """Draw all that the numbers span, and take these of it."""
    assert location.numbers is not None
    end = int(location.numbers.max()) + 1
    span = torch.empty(end - location.first, dtype=tensor.dtype, device=tensor.device)
    found(span, generator, block=Block((end,), (location.first,)))
    tensor.copy_(span[(location.numbers - location.first).to(tensor.device)])
