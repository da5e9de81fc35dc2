"""Arrays that were filled → their moments by law, and the table or JSON object that says what a run did."""

import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from numbainit import __version__
from numbainit.maths.stream import STREAM

_CHUNK = 1 << 13  # elements that are widened to float64 at a time: in cache, and too few for BLAS to start threads


@dataclass
class Moments:
    """Count, mean and standard deviation of all arrays added so far, in float64 whatever their dtype.

    Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979: chunk by
    chunk, so that no copy of an array is made and nothing cancels.

    Examples
    --------
    >>> import numpy as np
    >>> from numbainit.command.report import Moments
    >>> moments = Moments()
    >>> moments.add(np.array([1, 3], "float32"))
    >>> moments.add(np.array([2, 2], "float32"))
    >>> moments.count, moments.mean, moments.std ** 2
    (4, 2.0, 0.5000000000000001)
    """

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0  # the sum of the squared distances from the mean

    @property
    def std(self) -> float:
        """The standard deviation of the population; NaN for no elements."""
        return (self.squares / self.count) ** 0.5 if self.count else float("nan")

    def add(self, array: np.ndarray) -> None:
        """Take an array's elements in."""
        flat = array.reshape(-1)
        for start in range(0, flat.size, _CHUNK):
            chunk = flat[start : start + _CHUNK].astype(np.float64)
            mean = float(np.add.reduce(chunk)) / chunk.size
            with np.errstate(invalid="ignore"):  # a constant may be infinite
                chunk -= mean
            self._merge(chunk.size, mean, float(np.dot(chunk, chunk)))

    def _merge(self, count: int, mean: float, squares: float) -> None:
        total = self.count + count
        distance = mean - self.mean
        self.squares += squares + distance * distance * self.count * count / total
        self.mean += distance * count / total
        self.count = total


@dataclass
class Result:
    """What a run wrote, and how long it took."""

    path: Path
    seed: int
    dtype: str
    init: str
    parameters: int = 0
    elements: int = 0
    bytes: int = 0
    compile_seconds: float = 0.0
    fill_seconds: float = 0.0
    seconds: float = 0.0
    tensors: dict[str, int] = field(default_factory=dict)  # by law
    moments: dict[str, Moments] = field(default_factory=dict)

    @property
    def speed(self) -> float:
        """GB/s, from the creation of the file until it is on the disk under its name."""
        return self.bytes / self.seconds / 1e9 if self.seconds else 0.0

    def add(self, law: str, array: np.ndarray) -> None:
        """Count an array that was filled."""
        self.parameters += 1
        self.elements += array.size
        self.bytes += array.nbytes
        self.tensors[law] = self.tensors.get(law, 0) + 1
        self.moments.setdefault(law, Moments()).add(array)

    def as_json(self) -> dict[str, Any]:
        """The facts as ``--json`` prints them; a mean of nothing, or of infinities, is null."""
        facts = {
            "path": str(self.path),
            "version": __version__,
            "stream": STREAM,
            "seed": self.seed,
            "init": self.init,
            "dtype": self.dtype,
            "parameters": self.parameters,
            "elements": self.elements,
            "bytes": self.bytes,
            "compile_seconds": self.compile_seconds,
            "fill_seconds": self.fill_seconds,
            "seconds": self.seconds,
            "gb_per_second": self.speed,
        }
        return facts | {"laws": [self._law_as_json(label) for label in self.tensors]}

    def _law_as_json(self, label: str) -> dict[str, Any]:
        found = self.moments[label]
        known = found.count > 0 and math.isfinite(found.mean)
        mean, std = (found.mean, found.std) if known else (None, None)
        return {"law": label, "tensors": self.tensors[label], "elements": found.count, "mean": mean, "std": std}


def print_table(result: Result) -> None:
    """Print the facts, and a row for each law, on the standard output."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    facts = Table.grid(padding=(0, 2))
    facts.add_row("parameters", f"{result.parameters:,}")
    facts.add_row("elements", f"{result.elements:,}")
    facts.add_row("bytes", f"{result.bytes:,}")
    facts.add_row("seconds", f"{result.seconds:.2f} (of these {result.fill_seconds:.2f} filling the arrays)")
    facts.add_row("compiling", f"{result.compile_seconds:.2f} s before that")
    facts.add_row("GB/s", f"{result.speed:.2f}")
    facts.add_row("seed", str(result.seed))
    laws = Table("law")
    for heading in ("tensors", "elements", "mean", "std"):
        laws.add_column(heading, justify="right")
    for row in result.as_json()["laws"]:
        numbers = ("-" if row[key] is None else f"{row[key]:.6g}" for key in ("mean", "std"))
        laws.add_row(Text(row["law"]), f"{row['tensors']:,}", f"{row['elements']:,}", *numbers)
    console = Console(highlight=False, markup=False, emoji=False)
    console.print(facts)
    console.print(laws)
    console.print(f"wrote {os.fsencode(result.path).decode(errors='replace')}", soft_wrap=True)
