"""A torch module → its tensors filled, each from a generator of its name.

:mod:`numbainit.torch.modules` fills by rules, :mod:`numbainit.torch.context` by the model's own initialization code;
:mod:`numbainit.torch.hooks` measures what its signals are like then.
"""

from numbainit.errors import MissingExtraError

try:
    import torch as _torch  # noqa: F401
except ImportError as error:
    raise MissingExtraError(f'numbainit.torch needs torch ({error}): pip install "numbainit[torch]"') from error

from numbainit.torch.context import build, keyed
from numbainit.torch.flat import FlatShard, flat_shards
from numbainit.torch.hooks import propagation
from numbainit.torch.modules import initialize, initializer
from numbainit.torch.ranks import check_ranks
from numbainit.torch.recorder import record
from numbainit.torch.report import Entry, Report

__all__ = [
    "Entry",
    "FlatShard",
    "Report",
    "build",
    "check_ranks",
    "flat_shards",
    "initialize",
    "initializer",
    "keyed",
    "propagation",
    "record",
]
