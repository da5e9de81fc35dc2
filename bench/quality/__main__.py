"""``python -m bench.quality``: words, laws and keys → a report with each p-value, the date and the versions.

p-values are uniform if the generator is perfect: of a hundred, one lies below 0.01. The last line says how many there
are, how many lie below 0.01 and 0.001, and which is the smallest, times their number (Bonferroni).
"""

import argparse
import datetime
import math
import platform
from collections.abc import Iterator
from pathlib import Path

import numba
import numpy as np
import scipy

import numbainit
from bench.quality import keys, laws, words


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.quality", description=__doc__)
    parser.add_argument("--parts", default="laws,keys,words", help="of laws, keys, words (default: all)")
    parser.add_argument("--log2-values", type=int, default=30, metavar="K", help="2^K values of a law (default: 30)")
    parser.add_argument("--log2-keys", type=int, default=22, metavar="K", help="2^K keys of a kind (default: 22)")
    parser.add_argument("--sources", help=f"of {', '.join(words.SOURCES)} (default: all)")
    parser.add_argument("--every", action="store_true", help="all of dieharder's tests: hours a source")
    parser.add_argument("--seconds", type=float, default=600, help="of one test of dieharder, at most (default: 600)")
    parser.add_argument("--seed", type=int, default=20261126)
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="where the report goes, too")
    arguments = parser.parse_args()
    lines: list[str] = []

    def say(line: str) -> None:
        print(line, flush=True)
        lines.append(line)
        if arguments.output:
            arguments.output.write_text("\n".join(lines) + "\n", encoding="utf-8")

    say(f"numbainit {numbainit.__version__}, {datetime.date.today().isoformat()}, seed {arguments.seed}")
    versions = {"numba": numba, "numpy": np, "scipy": scipy}
    said = ", ".join(f"{name} {module.__version__}" for name, module in versions.items())
    say(f"Python {platform.python_version()}, {said}")
    found = []
    for subject, what, p in _tests(arguments):
        found.append((p, f"{subject}: {what}"))
        say(f"{p:10.3g}  {subject}: {what}")
    say(_summary(found))


def _tests(arguments: argparse.Namespace) -> Iterator[tuple[str, str, float]]:
    parts = arguments.parts.split(",")
    if "keys" in parts:
        for kind in keys.KINDS:
            yield from ((f"keys by {kind}", *one) for one in keys.run(kind, 1 << arguments.log2_keys))
    if "laws" in parts:
        for law in laws.LAWS:
            yield from ((str(law), *one) for one in laws.run(law, 1 << arguments.log2_values, arguments.seed))
    if "words" in parts:
        for source in arguments.sources.split(",") if arguments.sources else words.SOURCES:
            found = words.run(source, arguments.seed, arguments.every, arguments.seconds)
            yield from ((f"words {source}", *one) for one in found)


def _summary(found: list[tuple[float, str]]) -> str:
    if not found:
        return "nothing was tested"
    smallest, what = min(found)
    below = [sum(p < limit for p, _ in found) for limit in (0.01, 0.001)]
    return (
        f"{len(found)} p-values: {below[0]} below 0.01 ({len(found) / 100:.1f} expected), {below[1]} below 0.001; "
        f"the smallest, {smallest:.3g} ({what}), times their number: {min(1.0, smallest * len(found)):.2g}; "
        f"the largest {max(p for p, _ in found if not math.isnan(p)):.6f}"
    )


if __name__ == "__main__":
    main()
