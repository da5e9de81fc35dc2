"""A C compiler and this machine → how fast each step of a law can be here, from a plain store to normals, as a table.

    python bench/ladder.py [--march haswell] [--json FILE]

ladder.c holds the steps, in vectors written by hand. Each is compared with numbainit's bits, then timed on one core in
L1 and on all threads to memory. Of the fastest of a law and a dtype ``numbainit bench --ladder FILE`` shows shares: the
best that is known, which is no law of nature. A few seconds.
"""

import argparse
import contextlib
import ctypes
import datetime
import json
import math
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import numbainit as init
from numbainit.measure import peers
from numbainit.measure import run as bench

SOURCE = Path(__file__).with_suffix(".c")
FLAGS = ("-O3", "-std=gnu11", "-ffp-contract=off", "-fno-math-errno", "-Wno-psabi", "-shared", "-fPIC")
IN_L1 = 1 << 14  # bytes
CHUNK = 1 << 11  # values, of which runs are multiples
ROUNDS = 10  # of Philox
KNOWN = (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)  # of counter 0 and key 0, by Random123
#: vector instructions that a core begins in a cycle, where a maker's cores agree on it
PORTS = {("Intel", "avx512"): 2, ("Intel", "avx2"): 3, ("AMD", "avx2"): 4}


class _Stream(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in ("k0", "k1", "draw", "first")]


class _Numbers(ctypes.Structure):
    _fields_ = [(name, ctypes.c_double) for name in ("low", "width", "smallest", "largest")]


@dataclass(frozen=True)
class Rung:
    """A law made in one way; ``instructions`` are those of vectors, a word in a round."""

    number: int
    law: str
    dtype: np.dtype
    how: str
    instructions: float


class Ladder:
    """The compiled rungs."""

    def __init__(self, file: Path) -> None:
        self._library = ctypes.CDLL(str(file))
        for name in ("isa", "law_of", "dtype_of", "how_of"):
            getattr(self._library, name).restype = ctypes.c_char_p
        for name in ("instructions_of", "run", "additions"):
            getattr(self._library, name).restype = ctypes.c_double
        run_takes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, _Stream, _Numbers, ctypes.c_int]
        self._library.run.argtypes, self._library.additions.argtypes = run_takes, [ctypes.c_uint64]
        self.isa = self._library.isa().decode()
        self.rungs = [self._rung(number) for number in range(self._library.rungs())]

    def _rung(self, number: int) -> Rung:
        law, dtype, how = (getattr(self._library, name)(number).decode() for name in ("law_of", "dtype_of", "how_of"))
        return Rung(number, law, np.dtype(dtype), how, self._library.instructions_of(number))

    def run(self, rung: Rung, out: np.ndarray, stream=(0, 0, 0), first=0, law=(0.0, 1.0), times=1) -> float:
        """Fill ``out`` from a counter on, some times; the seconds of all. ``law`` is (a, b) or (mean, std)."""
        low, width = law
        smallest, largest = low, 0.0
        if rung.law == "uniform":
            width, largest = width - low, float(np.nextafter(rung.dtype.type(width), rung.dtype.type(-np.inf)))
        numbers = _Numbers(low, width, smallest, largest)
        return self._library.run(rung.number, out.ctypes.data, out.size, _Stream(*stream, first), numbers, times)

    def cycle(self) -> float:
        """The seconds of a cycle now: of an addition that waits for the one before."""
        count = 500
        return self._library.additions(count) / (16 * count)


def compiler() -> list[str] | None:
    """The command of the C compiler: ``$CC``, else what is found."""
    if os.environ.get("CC"):
        return os.environ["CC"].split()
    return next(([name] for name in ("cc", "gcc", "clang") if shutil.which(name)), None)


@contextlib.contextmanager
def compiled(command: list[str], march: str) -> Iterator[Ladder]:
    """The ladder for an instruction set, as long as its library's folder exists."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "ladder.so"
        words = [*command, *FLAGS, f"-march={march}", str(SOURCE), "-o", str(file), "-lm"]
        if subprocess.run(words).returncode:
            raise SystemExit(f"{command[0]} could not compile ladder.c for -march={march}")
        yield Ladder(file)


def aligned(nbytes: int, dtype: np.dtype) -> np.ndarray:
    """Memory that begins at a multiple of 64 bytes, touched."""
    memory = np.zeros(nbytes + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + nbytes].view(dtype)


# ---- bits ----


def check(ladder: Ladder) -> list[str]:
    """What differs: rungs whose words are not the known answer, or whose values are not numbainit's."""
    return [f"{rung.law} {rung.dtype}, {rung.how}" for rung in ladder.rungs if not _right(ladder, rung)]


def _right(ladder: Ladder, rung: Rung) -> bool:
    out = aligned(IN_L1, rung.dtype)
    if rung.law == "fill":
        ladder.run(rung, out, law=(0.5, 0.0))
        return bool((out == 0.5).all())
    known = True
    if rung.law == "words":
        ladder.run(rung, out)
        known = tuple(out[:4]) == KNOWN
    key, draw, law = (0xA4093822, 0x299F31D0), 3, {"uniform": (-1.0, 3.0), "normal": (1.0, 2.0)}.get(rung.law, ())
    wanted = np.empty(2 * out.size, rung.dtype)
    fill = getattr(init, "bits_" if rung.law == "words" else rung.law + "_")
    fill(wanted, *law, generator=init.Generator.from_key(*key, draws=draw))
    ladder.run(rung, out, (*key, draw), out.size // 4, law or (0.0, 1.0))
    return known and out.tobytes() == wanted[out.size :].tobytes()


# ---- speeds ----


def in_l1(ladder: Ladder, rounds: int) -> list[dict[str, float]]:
    """Cycles, nanoseconds and GB/s of a value of each rung, on one core, in turns."""
    memory = [aligned(IN_L1, rung.dtype) for rung in ladder.rungs]
    found: list[list[tuple[float, float]]] = [[] for _ in ladder.rungs]
    for _ in range(rounds):
        for rung, out, samples in zip(ladder.rungs, memory, found, strict=True):
            before = ladder.cycle()
            seconds = ladder.run(rung, out, times=20) / (20 * out.size)
            samples.append((seconds, seconds / min(before, ladder.cycle())))
    return [_of_a_core(rung, samples) for rung, samples in zip(ladder.rungs, found, strict=True)]


def _of_a_core(rung: Rung, samples: list[tuple[float, float]]) -> dict[str, float]:
    """The best time, and the median of cycles: a clock that changes within a round makes their best too good."""
    seconds = min(seconds for seconds, _ in samples)
    cycles = statistics.median(cycles for _, cycles in samples)
    return {"cycles": cycles, "ns": 1e9 * seconds, "gb_per_second": 1e-9 * rung.dtype.itemsize / seconds}


def to_memory(ladder: Ladder, size: int, threads: int, rounds: int) -> list[float]:
    """GB/s of each rung into ``4 size`` bytes, on threads that share them."""
    memory = aligned(4 * size, np.dtype(np.uint8))
    best = [math.inf for _ in ladder.rungs]
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(rounds):
            for place, rung in enumerate(ladder.rungs):
                best[place] = min(best[place], _shared(pool, ladder, rung, memory.view(rung.dtype), threads))
    return [1e-9 * memory.nbytes / seconds for seconds in best]


def _shared(pool: ThreadPoolExecutor, ladder: Ladder, rung: Rung, out: np.ndarray, threads: int) -> float:
    chunks = out.size // CHUNK
    edges = [CHUNK * (chunks * part // threads) for part in range(threads + 1)]

    def run(begin: int, end: int) -> None:
        ladder.run(rung, out[begin:end], first=begin // 4)

    start = time.perf_counter()
    list(pool.map(run, edges[:-1], edges[1:]))
    return time.perf_counter() - start


def measure(ladder: Ladder, size: int, rounds: int) -> dict[str, Any]:
    """All of it, as ``--json`` writes it."""
    threads = peers.most_threads()
    core = in_l1(ladder, 10 * rounds)
    memory = to_memory(ladder, size, threads, rounds)
    cpu = peers.machine()["cpu"]
    rows = []
    for rung, found, speed in zip(ladder.rungs, core, memory, strict=True):
        names = {"law": rung.law, "dtype": rung.dtype.name, "how": rung.how}
        bound = _bound(rung, ladder.isa, cpu)
        rows.append(names | found | {"memory_gb_per_second": speed, "bound_cycles": bound})
    ghz = 1e-9 / min(ladder.cycle() for _ in range(1000))
    return {"isa": ladder.isa, "ghz": ghz, "threads": threads, "size": size, "rungs": rows}


def _bound(rung: Rung, isa: str, cpu: str) -> float | None:
    """The cycles a word at least, if every port begins a vector instruction in each: None where that is not known."""
    ports = next((ports for (maker, known), ports in PORTS.items() if maker in cpu and known == isa), None)
    return rung.instructions * ROUNDS / ports if ports and rung.law == "words" else None


# ---- what is shown ----


def _print(facts: dict[str, Any]) -> None:
    machine = facts["machine"]
    compiled = f"{facts['compiler']}, -march={facts['march']}: {facts['isa']}"
    print(f"{machine['cpu']}, {facts['ghz']:.2f} GHz, {compiled}\n")
    print(f"| law | how | cycles | by ports | ns | GB/s in L1, one core | GB/s to memory, {facts['threads']} threads |")
    print("|---|---|---|---|---|---|---|")
    for row in facts["rungs"]:
        bound = "-" if row["bound_cycles"] is None else f"{row['bound_cycles']:.2f}"
        numbers = f"{row['cycles']:.2f} | {bound} | {row['ns']:.3f} | {row['gb_per_second']:.1f}"
        print(f"| {row['law']} {row['dtype']} | {row['how']} | {numbers} | {row['memory_gb_per_second']:.1f} |")
    print("\na value each; by ports: the rounds of its words alone, if no port ever waits")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--march",
        default="native",
        help="as the compiler calls it, such as haswell; one that this machine has (default: native)",
    )
    parser.add_argument("--json", metavar="FILE", help="also write what was measured, for numbainit bench --ladder")
    parser.add_argument("--size", default="2^26", help="float32 values in memory (default: 2^26)")
    parser.add_argument("--rounds", type=int, default=5, help="of which the best counts (default: 5)")
    arguments = parser.parse_args()
    command = compiler()
    if command is None:
        print("no C compiler found: set CC")
        return
    version = subprocess.run([*command, "--version"], check=True, stdout=subprocess.PIPE, text=True).stdout
    with compiled(command, arguments.march) as ladder:
        if wrong := check(ladder):
            raise SystemExit(f"bits differ from numbainit's: {'; '.join(wrong)}")
        found = measure(ladder, bench.whole_number("size", arguments.size), arguments.rounds)
    date = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    facts = {
        "date": date,
        "machine": peers.machine(),
        "compiler": version.partition("\n")[0],
        "march": arguments.march,
    } | found
    _print(facts)
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
