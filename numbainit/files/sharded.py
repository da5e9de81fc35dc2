"""A model → the files of a sharded checkpoint: which there are, and what each holds, before any is made.

Two ways to cut. By size, as transformers and huggingface_hub do: whole tensors, in order, until a file is full. By
rank, as torch's distributed checkpoints do: of each tensor the rows that torch.chunk gives a rank, with a note of where
they belong. Which file holds what depends on the model alone, so each can be made by another process, anywhere.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from numbainit.errors import InvalidValueError
from numbainit.files.headers import METADATA, Parameter, named
from numbainit.files.pieces import Part, whole

INDEX = "model.safetensors.index.json"
ALONE = "model.safetensors"
SHARDING_INFO = "DCP_SHARDING_INFO"  # of torch: where the tensors of a file lie in the whole ones
WORLD = "world"  # how many ranks' files make the whole
MOST_FILES = 99_999  # that five digits count


@dataclass(frozen=True)
class Shard:
    """A file: its name, its parts, and what its metadata say beside those of the model."""

    file: str
    parts: list[Part]
    metadata: dict[str, str] = field(default_factory=dict)


def by_size(parameters: Iterable[Parameter], limit: int) -> list[Shard]:
    """Whole tensors in files of at most ``limit`` bytes; one that is larger has a file of its own.

    Examples
    --------
    >>> from numbainit.files.headers import Parameter
    >>> from numbainit.files.sharded import by_size
    >>> model = [Parameter(name, (2, 3), "F32") for name in "abc"]
    >>> [(shard.file, [part.name for part in shard.parts]) for shard in by_size(model, 50)]
    [('model-00001-of-00002.safetensors', ['a', 'b']), ('model-00002-of-00002.safetensors', ['c'])]
    >>> [shard.file for shard in by_size(model, 100)]
    ['model.safetensors']
    """
    files: list[list[Part]] = []
    current: list[Part] = []
    held = 0
    for part in map(whole, _unique(parameters)):
        if part.nbytes > limit:
            files.append([part])
            continue
        if held + part.nbytes > limit:
            files.append(current)
            current, held = [], 0
        current.append(part)
        held += part.nbytes
    files += [current] if current else []
    if len(files) == 1:
        return [Shard(ALONE, files[0])]
    count = _checked_count(len(files))
    return [Shard(f"model-{at:05d}-of-{count:05d}.safetensors", parts) for at, parts in enumerate(files, 1)]


def by_rank(parameters: Iterable[Parameter], rank: int, world: int) -> Shard:
    """The file of one of ``world`` ranks; ``torch.distributed.checkpoint`` loads them all on any other number.

    Of each tensor a rank has the rows that ``torch.chunk`` gives it: the last ranks fewer, or none. What has no rows is
    rank 0's.

    Examples
    --------
    >>> from numbainit.files.headers import Parameter
    >>> from numbainit.files.sharded import by_rank
    >>> [[part.shape for part in by_rank([Parameter("w", (5, 3), "F32")], rank, 4).parts] for rank in range(4)]
    [[(2, 3)], [(2, 3)], [(1, 3)], []]
    """
    parts = [part for part in (_rows(one, rank, world) for one in _unique(parameters)) if part is not None]
    offsets = {part.name: {"saved_offsets": list(part.start)} for part in parts}
    placed = {SHARDING_INFO: json.dumps(offsets)} if parts else {}
    return Shard(names_by_rank(world)[rank], parts, placed | {WORLD: str(world)})


def names_by_rank(world: int) -> list[str]:
    """The files of all ranks."""
    return [f"shard-{at:05d}-model-00001-of-00001.safetensors" for at in range(1, _checked_count(world) + 1)]


def _unique(parameters: Iterable[Parameter]) -> Iterable[Parameter]:
    known: set[str] = {METADATA}
    for parameter in parameters:
        if parameter.name in known:
            raise InvalidValueError(
                f"the name {named(parameter.name)} is taken; wanted unique names: rename the parameter"
            )
        known.add(parameter.name)
        yield parameter


def _rows(parameter: Parameter, rank: int, world: int) -> Part | None:
    """The rows of a rank; None if it has none."""
    if not parameter.shape or not parameter.shape[0]:
        return whole(parameter) if rank == 0 else None
    rows, *inner = parameter.shape
    step = -(-rows // world)
    first = rank * step
    if first >= rows:
        return None
    return whole(parameter).cut((min(step, rows - first), *inner), (first, *(0,) * len(inner)))


def _checked_count(count: int) -> int:
    if not 1 <= count <= MOST_FILES:
        raise InvalidValueError(f"wanted from 1 to {MOST_FILES:,} files, got {count:,}: choose larger shards")
    return count


def index(shards: Sequence[Shard]) -> bytes:
    """The index of files that were cut by size, as huggingface_hub writes it.

    Examples
    --------
    >>> from numbainit.files.headers import Parameter
    >>> from numbainit.files.sharded import by_size, index
    >>> print(index(by_size([Parameter(name, (2, 3), "F32") for name in "ab"], 30)).decode())
    {
      "metadata": {
        "total_parameters": 12,
        "total_size": 48
      },
      "weight_map": {
        "a": "model-00001-of-00002.safetensors",
        "b": "model-00002-of-00002.safetensors"
      }
    }
    <BLANKLINE>
    """
    parts = [part for shard in shards for part in shard.parts]
    facts = {
        "metadata": {
            "total_parameters": sum(part.size for part in parts),
            "total_size": sum(part.nbytes for part in parts),
        },
        "weight_map": {part.name: shard.file for shard in shards for part in shard.parts},
    }
    return (json.dumps(facts, indent=2, sort_keys=True) + "\n").encode()
