"""``python -m bench.quality``: words, laws and keys → a report with each p-value, the date and the versions.

p-values are uniform if the generator is perfect: of a hundred, one lies below 0.01. The last line says how many there
are, how many lie at either end, and which is the smallest, times their number (Bonferroni).
"""

import argparse
import datetime
import math
import platform
import re
from collections.abc import Iterator
from pathlib import Path

import numba
import numpy as np
import scipy

import numbainit
from bench.quality import batteries, keys, laws, words


def main() -> None:
    ours = ",".join(name for name in words.SOURCES if name != words.CONTROL)
    parser = argparse.ArgumentParser(prog="python -m bench.quality", description=__doc__)
    parser.add_argument(
        "--parts", type=_some(["laws", "keys", "words"]), default="laws,keys,words", help="default: all"
    )
    parser.add_argument("--log2-values", type=int, default=30, metavar="K", help="2^K values of a law (default: 30)")
    parser.add_argument("--log2-keys", type=int, default=22, metavar="K", help="2^K keys of a kind (default: 22)")
    parser.add_argument("--laws", default="", metavar="TEXT", help="only laws that have it in their names")
    parser.add_argument("--sources", type=_some(words.SOURCES), default=ours, help="default: all but the control")
    parser.add_argument(
        "--batteries", type=_some(batteries.BATTERIES), help="default: those of quick, smallcrush that are installed"
    )
    parser.add_argument("--seconds", type=float, default=600, help="of one program of a battery (default: 600)")
    parser.add_argument("--seed", type=int, default=20261126)
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="where the report goes, too")
    parser.add_argument(
        "--join", type=Path, nargs="+", metavar="REPORT", help="make one report of several, and no test"
    )
    arguments = parser.parse_args()
    if arguments.batteries is None:
        arguments.batteries = [name for name in ("quick", "smallcrush") if batteries.is_installed(name)]
    elif missing := [name for name in arguments.batteries if not batteries.is_installed(name)]:
        parser.error(f"{missing[0]} is not installed: Debian has dieharder, and TestU01 as libtestu01-0 (non-free)")
    lines: list[str] = []

    def say(line: str) -> None:
        print(line, flush=True)
        lines.append(line)
        if arguments.output:
            arguments.output.write_text("\n".join(lines) + "\n", encoding="utf-8")

    for line in _heads(arguments):
        say(line)
    found = []
    for what, p in _joined(arguments.join) if arguments.join else _tests(arguments):
        found.append((p, what))
        say(f"{'-' if math.isnan(p) else format(p, '.6g'):>11}  {what}")
    say(_summary([one for one in found if not math.isnan(one[0])]))


def _some(known):
    """An argparse type: names with commas between, each of them known."""

    def names(text: str) -> list[str]:
        if unknown := [name for name in text.split(",") if name not in known]:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(known)}")
        return text.split(",")

    return names


def _heads(arguments: argparse.Namespace) -> Iterator[str]:
    if arguments.join:
        heads = [tuple(path.read_text(encoding="utf-8").splitlines()[:2]) for path in arguments.join]
        yield from dict.fromkeys(line for head in heads for line in head)
        return
    yield f"numbainit {numbainit.__version__}, {datetime.date.today().isoformat()}, seed {arguments.seed}"
    versions = {"numba": numba, "numpy": np, "scipy": scipy}
    yield ", ".join(
        [f"Python {platform.python_version()}", *(f"{name} {module.__version__}" for name, module in versions.items())]
    )


def _joined(reports: list[Path]) -> Iterator[tuple[str, float]]:
    for path in reports:
        for line in path.read_text(encoding="utf-8").splitlines():
            if match := re.fullmatch(r" *(-|[\d.e+-]+)  (.+)", line):
                yield match[2], math.nan if match[1] == "-" else float(match[1])


def _tests(arguments: argparse.Namespace) -> Iterator[tuple[str, float]]:
    """(what was tested, p), as soon as each is known."""
    if "keys" in arguments.parts:
        for kind in keys.KINDS:
            for what, p in keys.run(kind, 1 << arguments.log2_keys):
                yield f"2^{arguments.log2_keys} keys by {kind}: {what}", p
    if "laws" in arguments.parts:
        for law in laws.LAWS:
            if arguments.laws in str(law):
                for what, p in laws.run(law, 1 << arguments.log2_values, arguments.seed):
                    yield f"2^{arguments.log2_values} of {law}: {what}", p
    if "words" in arguments.parts:
        for source in arguments.sources:
            for battery in arguments.batteries:
                for what, p in batteries.run(battery, words.SOURCES[source](arguments.seed), arguments.seconds):
                    yield f"words {source}: {what}", p


def _summary(found: list[tuple[float, str]]) -> str:
    if not found:
        return "nothing was tested"
    smallest, what = min(found)
    largest, of = max(one for one in found if one[0] < 1)  # counts that can but agree give 1

    def count(limit: float) -> str:
        low, high = sum(p <= limit for p, _ in found), sum(1 - limit <= p < 1 for p, _ in found)
        return f"{low} up to {limit} and {high} from {1 - limit} on ({len(found) * limit:.1f} of each expected)"

    return (
        f"{len(found)} p-values: {count(0.01)}, {count(0.001)}; the smallest, {smallest:.3g} ({what}), "
        f"times their number: {min(1.0, smallest * len(found)):.2g}; the largest but 1, 1 - {1 - largest:.3g} ({of})"
    )


if __name__ == "__main__":
    main()
