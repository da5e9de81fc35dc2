"""Files that ranks have written, each with rows of the tensors → whole tensors, and nothing of them in memory.

Torch's distributed checkpoints say in the metadata of a file where its tensors lie in the whole ones.
"""

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from numbainit.errors import InvalidValueError, shown
from numbainit.files.sharded import SHARDING_INFO, WORLD

Start = tuple[int, ...]


def starts(metadata: Mapping[str, str], source: str) -> dict[str, Start]:
    """The first index of each tensor of a file along each axis of the whole one; empty if it is no rank's."""
    if SHARDING_INFO not in metadata:
        return {}
    try:
        facts = json.loads(metadata[SHARDING_INFO])
        return {str(name): tuple(map(int, one["saved_offsets"])) for name, one in facts.items()}
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise InvalidValueError(f"{source}: {SHARDING_INFO} cannot be read: {error!r}: save it again") from None


def joined(parts: Sequence[tuple[Start, Any]]) -> Any:
    """A tensor whose rows lie in several files, as one of :class:`numbainit.files.stored.Stored`.

    Raises
    ------
    InvalidValueError
        Rows that are missing or there twice, or parts that were cut along another axis.
    """
    parts = sorted(parts, key=lambda pair: (pair[0], pair[1].size))
    first = parts[0][1]
    row = 0
    for start, one in parts:
        if any(start[1:]) or len(start) != len(one.shape) or one.shape[1:] != first.shape[1:]:
            raise InvalidValueError(
                f"{shown(first.name)} is cut along another axis than the first ({one.file}): audit it in one file"
            )
        if start and start[0] != row:
            what = "are missing before" if start[0] > row else "are in other files too, beside"
            raise InvalidValueError(f"rows of {shown(first.name)} {what} {one.file}: fetch the files of all ranks")
        row += one.shape[0] if one.shape else 0
    if len(parts) == 1:
        return first
    return replace(first, shape=(row, *first.shape[1:]), pieces=_Rows(tuple(one for _, one in parts)))


@dataclass(frozen=True)
class _Rows:
    """Parts that follow each other."""

    parts: tuple[Any, ...]

    def __call__(self, counts: Iterable[int]) -> Iterator[np.ndarray]:
        asked: list[list[int]] = [[] for _ in self.parts]
        plan: list[list[int]] = []  # of each piece, the parts that it lies in
        at, left = 0, self.parts[0].size
        for count in counts:
            places = []
            while count:
                while not left:
                    at, left = at + 1, self.parts[at + 1].size
                take = min(count, left)
                asked[at].append(take)
                places.append(at)
                count, left = count - take, left - take
            plan.append(places)
        pieces = [iter(part.pieces(sizes)) for part, sizes in zip(self.parts, asked, strict=True)]
        for places in plan:
            found = [next(pieces[place]) for place in places]
            yield found[0] if len(found) == 1 else np.concatenate(found or [np.empty(0, self.parts[0].dtype)])


def check_all_there(files: Sequence[Mapping[str, str]], source: str) -> None:
    """Raise if the metadata of files, which are all there are, speak of more ranks."""
    for metadata in files:
        if metadata.get(WORLD, str(len(files))) != str(len(files)):
            raise InvalidValueError(
                f"{source} holds {len(files)} files, and the model is cut over {shown(metadata[WORLD])} ranks: fetch "
                "the files of all ranks"
            )


def is_alone(metadata: Mapping[str, str], source: str, others: Iterable[Mapping[str, str]]) -> bool:
    """Whether a file holds whole tensors, as far as it and the files beside it say."""
    here = starts(metadata, source)
    if WORLD in metadata:
        return metadata[WORLD] == "1"
    return not any(itertools.chain(*here.values())) and not (here and any(SHARDING_INFO in one for one in others))
