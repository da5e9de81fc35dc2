"""The code that asks → values for whom nobody has claimed them yet, of a generator named after that code.

What never reaches a named tensor (a choice by chance, a number that decides a loop) keeps them, so they must depend on
neither torch's seed nor on what other code draws: ``fold_in("module//function")``, a draw for each fill.
"""

import os
import sys
from collections.abc import Callable
from typing import Any

import torch

from numbainit.generator import Generator
from numbainit.torch.fills import Source
from numbainit.torch.locations import WHOLE

_TORCH = os.path.dirname(torch.__file__) + os.sep
#: code between the one that asks and here
_INNER = (
    os.path.dirname(__file__) + os.sep,
    *(_TORCH + inner for inner in (f"nn{os.sep}init.py", "utils", "_dynamo", "_ops.py", "_tensor.py", "overrides.py")),
)


class Stopgaps:
    """Generators of pieces of code. ``names`` are those of modules, by identity; others have their class's."""

    def __init__(self, root: Generator, names: dict[int, str]) -> None:
        self._root, self._names = root, names
        self._draws: dict[str, int] = {}

    def source(self) -> Source:
        """For the next fill of the code that asks."""
        asking = self._asking()
        draw = self._draws[asking] = self._draws.get(asking, -1) + 1
        return Source(self._root.fold_in(asking).key, draw, WHOLE)

    def by_torch(self, call: Callable[[], Any]) -> Any:
        """What torch's own generator gives from such a seed; it is then as before."""
        source = self.source()
        with kept_generators():
            torch.manual_seed(source.key[0] ^ source.draw)
            return call()

    def _asking(self) -> str:
        frame = sys._getframe(1)
        while frame.f_back is not None and frame.f_code.co_filename.startswith(_INNER):
            frame = frame.f_back
        function, seen = frame.f_code.co_qualname, frame
        while seen is not None:
            owner = seen.f_locals.get("self")
            if isinstance(owner, torch.nn.Module):
                return f"{self._names.get(id(owner), type(owner).__name__)}//{function}"
            seen = seen.f_back  # type: ignore[assignment]
        return f"//{function}"


def kept_generators() -> Any:
    """A context after which torch's generators are as before; those of GPUs only where there are any."""
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []
    return torch.random.fork_rng(devices)
