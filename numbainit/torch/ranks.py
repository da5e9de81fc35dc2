"""A generator on each rank → an error if they are not the same: the one thing that ranks have to agree on."""

from typing import Any

import torch

from numbainit.errors import InvalidValueError
from numbainit.generator import GeneratorLike, as_generator


def check_ranks(generator: GeneratorLike, group: Any = None) -> None:
    """Raise, on every rank, unless all ranks of a group have the same key and have taken as many draws.

    Nothing is communicated to fill a shard, so ranks whose seeds differ fill shards of different wholes, and nothing
    tells. This asks them, once: the only communication in this package.

    Parameters
    ----------
    generator : Generator, int, sequence of ints, SeedSequence
        What is passed to :func:`initialize`, :class:`keyed` or a fill.
    group : torch.distributed.ProcessGroup, optional
        None: all ranks. Without a group that is initialized there is one rank, and nothing to compare.

    Raises
    ------
    InvalidValueError
        They differ; the message says which ranks have what.

    Examples
    --------
    >>> from numbainit.torch import check_ranks
    >>> check_ranks(7)
    """
    distributed, mine = torch.distributed, as_generator(generator)
    if not distributed.is_available() or not distributed.is_initialized():
        return
    here = mine.key, mine.draws
    found: list[Any] = [None] * distributed.get_world_size(group)
    distributed.all_gather_object(found, here, group)
    ranks: dict[Any, list[int]] = {}
    for rank, one in enumerate(found):
        ranks.setdefault(one, []).append(rank)
    if len(ranks) > 1:
        text = "; ".join(
            f"ranks {', '.join(map(str, at))}: key 0x{key[0]:08x} 0x{key[1]:08x}, draw {draws}"
            for (key, draws), at in ranks.items()
        )
        raise InvalidValueError(
            f"ranks have different generators ({text}): give all the same seed, and let none draw by itself"
        )
