"""Two results of ``numbainit bench --json``, or of ladder.py → how many times as fast the second is, row by row.

    python bench/compare.py A.json B.json

Two runs differ by some per cent on the same machine, and more where others use it.
"""

import argparse
import json
from pathlib import Path
from typing import Any

Speeds = dict[tuple[str, ...], float]


def speeds(result: dict[str, Any]) -> Speeds:
    """GB/s of each row, with the plain fill and the peers beside it, and of each rung of a ladder."""
    found: Speeds = {}
    for row in result.get("rows", ()):
        where = (
            row["case"],
            row["law"],
            row["dtype"],
            " ".join("x".join(map(str, shape)) for shape in row["shapes"][:1]),
        )
        found[*where, "numbainit"] = row["gb_per_second"]
        found[*where, "fill"] = row["fill"]["gb_per_second"]
        found |= {(*where, name): peer["gb_per_second"] for name, peer in row["peers"].items()}
    ladder = result if "rungs" in result else result.get("ladder", {})
    for rung in ladder.get("rungs", ()):
        found["ladder", rung["law"], rung["dtype"], rung["how"], "one core"] = rung["gb_per_second"]
        found["ladder", rung["law"], rung["dtype"], rung["how"], "memory"] = rung["memory_gb_per_second"]
    return found


def ratios(a: Speeds, b: Speeds) -> Speeds:
    """b / a, of the rows that both have."""
    return {row: b[row] / speed for row, speed in a.items() if row in b}


def where(result: dict[str, Any]) -> str:
    """The processor, what it ran and when."""
    machine = result["machine"]
    isa = result["isa"] if "rungs" in result else machine["compiled_for"]["isa"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return f"{result['date']}, {machine['cpu']}, {isa}, {versions}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("a", metavar="A.json")
    parser.add_argument("b", metavar="B.json")
    arguments = parser.parse_args()
    results = [json.loads(Path(name).read_text("utf-8")) for name in (arguments.a, arguments.b)]
    a, b = map(speeds, results)
    print(f"A: {where(results[0])}\nB: {where(results[1])}\n\n| | A, GB/s | B, GB/s | B / A |\n|---|---|---|---|")
    for row, ratio in ratios(a, b).items():
        print(f"| {', '.join(dict.fromkeys(row))} | {a[row]:.2f} | {b[row]:.2f} | {ratio:.2f} |")
    alone = {name: len(mine.keys() - others.keys()) for name, mine, others in (("A", a, b), ("B", b, a))}
    for name, count in alone.items():
        if count:
            print(f"\n{count} rows of {name} alone")


if __name__ == "__main__":
    main()
