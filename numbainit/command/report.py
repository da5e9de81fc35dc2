"""What was filled, law by law → the table or JSON object that says what a run did."""

import json
import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from numbainit import __version__
from numbainit.command.moments import Moments
from numbainit.maths.stream import STREAM


@dataclass
class Result:
    """What a run wrote, and how long it took."""

    path: Path
    seed: int
    dtype: str
    init: str
    parameters: int = 0
    bytes: int = 0
    compile_seconds: float = 0.0
    fill_seconds: float = 0.0
    seconds: float = 0.0
    tensors: dict[str, int] = field(default_factory=dict)  # by law
    sizes: dict[str, int] = field(default_factory=dict)  # elements
    moments: dict[str, Moments] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)  # that were made, of a folder's
    kept: list[str] = field(default_factory=list)  # that were there and right
    wrong: dict[str, list[str]] = field(default_factory=dict)  # that were there, and which tensors were not right

    @property
    def elements(self) -> int:
        """How many were filled."""
        return sum(self.sizes.values())

    @property
    def speed(self) -> float:
        """GB/s, from the creation of the file until it is on the disk under its name."""
        return self.bytes / self.seconds / 1e9 if self.seconds else 0.0

    def add(self, law: str, size: int, nbytes: int, moments: Moments, *, ends: bool) -> None:
        """Count a piece that was filled; ``ends`` says that a tensor ends with it."""
        self.parameters += ends
        self.bytes += nbytes
        self.sizes[law] = self.sizes.get(law, 0) + size
        self.tensors[law] = self.tensors.get(law, 0) + ends
        self.moments.setdefault(law, Moments()).merge(moments)

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
        if self.files or self.kept:
            facts |= {"files": self.files, "kept": self.kept, "wrong": self.wrong}
        return facts | {"laws": [self._law_as_json(label) for label in self.tensors]}

    def _law_as_json(self, label: str) -> dict[str, Any]:
        found = self.moments[label]
        known = found.count > 0 and math.isfinite(found.mean)
        mean, std = (found.mean, found.std) if known else (None, None)
        return {"law": label, "tensors": self.tensors[label], "elements": self.sizes[label], "mean": mean, "std": std}


def show(result: Result, file: TextIO, *, as_json: bool) -> None:
    """Print the facts, and a row for each law."""
    if as_json:
        print(json.dumps(result.as_json()), file=file)
    else:
        _print_table(result, file)


def _print_table(result: Result, file: TextIO) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    facts = Table.grid(padding=(0, 2))
    facts.add_row("parameters", f"{result.parameters:,}")
    facts.add_row("elements", f"{result.elements:,}")
    facts.add_row("bytes", f"{result.bytes:,}")
    facts.add_row("seconds", f"{result.seconds:.2f} (threads filled for {result.fill_seconds:.2f})")
    facts.add_row("compiling", f"{result.compile_seconds:.2f} s before that")
    facts.add_row("GB/s", f"{result.speed:.2f}")
    facts.add_row("seed", str(result.seed))
    laws = Table("law")
    for heading in ("tensors", "elements", "mean", "std"):
        laws.add_column(heading, justify="right")
    for row in result.as_json()["laws"]:
        numbers = ("-" if row[key] is None else f"{row[key]:.6g}" for key in ("mean", "std"))
        laws.add_row(Text(row["law"]), f"{row['tensors']:,}", f"{row['elements']:,}", *numbers)
    console = Console(file=file, highlight=False, markup=False, emoji=False)
    console.print(facts)
    if result.tensors:
        console.print(laws)
    console.print(_sentence(result), soft_wrap=True)


def _sentence(result: Result) -> str:
    path = os.fsencode(result.path).decode(errors="replace")
    if not result.files and not result.kept:
        return f"wrote {'the standard output' if path == '-' else path}"
    wrong = "".join(f" ({file} was wrong in {len(names)} tensors)" for file, names in result.wrong.items())
    kept = f", kept {len(result.kept)} that were right" if result.kept else ""
    return f"wrote {len(result.files)} files{wrong}{kept} in {path}"
