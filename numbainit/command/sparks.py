"""Numbers → a line of blocks, whose heights are their logarithms: a picture for terminals without matplotlib."""

import math
import sys
from collections.abc import Sequence

_BLOCKS, _ASCII = "▁▂▃▄▅▆▇█", "_.-~=+*#"
_LEAST = 2.0  # decades between the lowest and the highest block, so that small wiggles look small


def sparkline(values: Sequence[float | None], most: int = 64) -> str:
    """One character a value, or for each of ``most`` groups: ``!`` for what is not finite, a blank for 0.

    Examples
    --------
    >>> from numbainit.command.sparks import sparkline
    >>> line = sparkline([1.0, 10.0, 100.0, None])
    >>> len(line), line[-1]
    (4, '!')
    """
    count = min(len(values), most)
    picked = [values[round(at * (len(values) - 1) / max(count - 1, 1))] for at in range(count)]
    logs = [math.log10(v) for v in picked if v is not None and math.isfinite(v) and v > 0]
    low, high = (min(logs), max(logs)) if logs else (0.0, 0.0)
    middle, reach = (low + high) / 2, max(high - low, _LEAST)
    return "".join(_block(value, middle - reach / 2, reach) for value in picked)


def _block(value: float | None, low: float, reach: float) -> str:
    if value is None or not math.isfinite(value):
        return "!"
    if value <= 0:
        return " "
    blocks = _BLOCKS if _can_print(_BLOCKS) else _ASCII
    return blocks[min(int((math.log10(value) - low) / reach * len(blocks)), len(blocks) - 1)]


def _can_print(text: str) -> bool:
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except UnicodeEncodeError:
        return False
    return True
