"""What ``bench/ladder.py`` measured → the limit of a law on this machine, beside which a speed stands.

A law is hardly faster than a plain fill of its memory, nor than the fastest known code for it on each thread. The
ladder knows the second for a few laws: C in vectors written by hand, in L1.
"""

import json
from pathlib import Path
from typing import Any

from numbainit.errors import InvalidValueError

_STANDARD = ("uniform", "normal")


def read(path: str) -> dict[str, Any]:
    """The ladder in a file.

    Raises
    ------
    InvalidValueError
        No such file, or one that the ladder did not write.
    """
    make = f"python bench/ladder.py --json {path} makes it"
    try:
        ladder: dict[str, Any] = json.loads(Path(path).read_text("utf-8"))
        for rung in ladder["rungs"]:
            float(rung["gb_per_second"]), rung["law"], rung["dtype"]
        ladder["isa"], ladder["machine"]["cpu"]
    except OSError as error:
        raise InvalidValueError(f"got --ladder {path}, which cannot be read ({error.strerror}): {make}") from error
    except (ValueError, TypeError, LookupError) as error:
        raise InvalidValueError(f"got --ladder {path}, which is no ladder: {make}") from error
    return ladder


def limit(ladder: dict[str, Any], law: str, dtype: str, fill: float, threads: int) -> float | None:
    """GB/s that a law can have on threads at most, None where the ladder does not know the law.

    Xavier's and Kaiming's laws run the kernels of the laws that they scale.

    Examples
    --------
    >>> from numbainit.measure.limit import limit
    >>> ladder = {"rungs": [{"law": "normal", "dtype": "float32", "gb_per_second": speed} for speed in (5.0, 6.0)]}
    >>> limit(ladder, "kaiming_normal", "float32", fill=30.0, threads=2)
    12.0
    >>> limit(ladder, "normal", "float32", fill=8.0, threads=2)
    8.0
    """
    base = law.rpartition("_")[2] if law.startswith(("xavier_", "kaiming_")) else law
    wanted = (base, dtype)
    rates = [rung["gb_per_second"] for rung in ladder["rungs"] if (rung["law"], rung["dtype"]) == wanted]
    return min(fill, threads * max(rates)) if base in _STANDARD and rates else None


def differences(ladder: dict[str, Any], machine: dict[str, Any]) -> list[str]:
    """What makes the ladder another machine's than that of a table, in words."""
    pairs = {
        "processor": (ladder["machine"]["cpu"], machine["cpu"]),
        "instruction set": (ladder["isa"], machine["compiled_for"]["isa"]),
    }
    return [
        f"the ladder is of another {what}: {theirs}, not {ours}"
        for what, (theirs, ours) in pairs.items()
        if theirs != ours
    ]
