"""Sizes and numbers of threads → the speed of each, beside a plain fill: is there a cliff anywhere?

    python bench/sweep.py [--laws uniform,normal] [--largest 2^28] [--threads 1,2] [--json FILE]

Powers of two, three quarters of them, and both sides of what could be a step: a turn, a chunk, a page, L1, L2 and L3,
and where threads begin to share a fill. A size is a cliff where it takes more than 1.5 times as long, for each element,
as both of its neighbours; whether it stays one is asked twice more. Each size in turns with the plain fill, best of
several.
"""

import argparse
import datetime
import functools
import json
from pathlib import Path

import numpy as np

from numbainit.measure import peers
from numbainit.measure.run import whole_number
from numbainit.measure.timing import best_of
from numbainit.targets.cpu.launch import PARALLEL_FROM
from numbainit.targets.cpu.vectors.chunk import CHUNK

F32 = np.dtype("float32")
TURN = 64
CLIFF = 1.5


def caches() -> dict[str, int]:
    """The bytes of the caches of data, where the system says them."""
    found = {}
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        kind, level, size = ((index / name).read_text().strip() for name in ("type", "level", "size"))
        if kind != "Instruction" and size.endswith("K"):
            found[f"L{level}"] = 1024 * int(size[:-1])
    return found


def sizes(largest: int) -> list[int]:
    """Elements of float32, in order."""
    powers = [1 << power for power in range(10, largest.bit_length())]
    steps = [
        TURN,
        CHUNK,
        2 * CHUNK,
        PARALLEL_FROM,
        *(4096 // 4 * n for n in (1, 16)),
        *(n // 4 for n in caches().values()),
    ]
    around = [step + off for step in steps for off in (-1, 0, 1)]
    return sorted(size for size in {*powers, *(3 * power // 4 for power in powers), *around} if 0 < size <= largest)


def measured(law: str, array: np.ndarray, rounds: int) -> dict[str, float]:
    fills = peers.plain_fills(array)
    seconds = best_of({**fills, "law": peers.library(peers.OURS).call(law, array)}, rounds)
    fill = min(seconds[name] for name in fills)
    return {"ns": 1e9 * seconds["law"] / array.size, "share_of_fill": fill / seconds["law"]}


def swept(law: str, memory: np.ndarray, rounds: int) -> list[dict]:
    rows = []
    for size in sizes(memory.size):
        rows.append({"elements": size, **measured(law, memory[:size], rounds if size < 1 << 26 else 3)})
    for before, row, after in zip(rows, rows[1:], rows[2:], strict=False):
        near = max(before["ns"], after["ns"]) * CLIFF
        for _ in range(3):
            if row["ns"] <= near:
                break
            row.update(measured(law, memory[: row["elements"]], 4 * rounds))
        row["cliff"] = row["ns"] > near
    return rows


def line(row: dict) -> str:
    elements = row["elements"]
    name = f"2^{elements.bit_length() - 1}" if elements.bit_count() == 1 else str(elements)
    mark = " **cliff**" if row.get("cliff") else ""
    return f"| {name}{mark} | {row['ns']:.3f} | {4 / row['ns']:.1f} | {row['share_of_fill']:.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--laws", default="uniform,normal", help="separated by commas (default: uniform,normal)")
    parser.add_argument("--largest", default="2^28", type=functools.partial(whole_number, "largest"), help="elements")
    parser.add_argument("--threads", help="numbers separated by commas (default: 1, 2, 4, ... all)")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", metavar="FILE", help="write everything there")
    arguments = parser.parse_args()
    most = peers.most_threads()
    doubled = [1 << power for power in range(most.bit_length())]
    counts = [int(word) for word in arguments.threads.split(",")] if arguments.threads else sorted({*doubled, most})
    machine = peers.machine()
    print(f"{machine['cpu']}, {machine['compiled_for']['isa']}, caches {caches()}")
    memory, runs = np.full(arguments.largest, 0.5, F32), []
    for law in arguments.laws.split(","):
        for count in counts:
            with peers.threads(count):
                rows = swept(law, memory, arguments.rounds)
            runs.append({"law": law, "threads": count, "rows": rows})
            print(f"\n{law} float32, {count} thread{'s' * (count > 1)}\n| elements | ns a value | GB/s | of a fill |")
            print("|---|---|---|---|")
            for row in rows:
                if row["elements"].bit_count() == 1 or row.get("cliff"):
                    print(line(row), flush=True)
    found = [(run["law"], run["threads"], row) for run in runs for row in run["rows"]]
    cliffs = [(law, count, row["elements"]) for law, count, row in found if row.get("cliff")]
    print(f"\n{len(found)} points, {len(cliffs)} cliffs {cliffs or ''}")
    if arguments.json:
        date = datetime.datetime.now(datetime.UTC).date().isoformat()
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"date": date, "machine": machine, "caches": caches(), "runs": runs}, file, indent=1)


if __name__ == "__main__":
    main()
