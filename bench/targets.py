"""The claims about speed → a Markdown table that says what was measured and which of them hold, on this machine.

    python bench/targets.py [--size 2^26] [--rounds 5] [--only WORD] [--json]

What is wanted depends on the instructions that Numba compiles for: with AVX-512, or with less (bench/README.md says
how to have it compile for AVX2). Each ratio is taken in one process, in turns, best of the rounds. About ten minutes at
full size; needs torch.
"""

import argparse
import functools
import json
import operator
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import numpy as np
from test_small import LAWS, shape_of
from test_start import CALLS

from numbainit.measure import peers
from numbainit.measure import run as bench
from numbainit.measure.instructions import compiled_for
from numbainit.measure.peers import OURS
from numbainit.measure.timing import Row, best_of, measure

F32, F64 = np.dtype("float32"), np.dtype("float64")
NAN = float("nan")  # nothing is wanted
#: law, dtype → the share of a plain fill that is wanted with AVX-512, and multiples of torch's speed with and without
FILLS = {
    ("uniform", F32): (0.8, 13, 10),
    ("normal", F32): (0.55, 12, 7),
    ("trunc_normal", F32): (0.4, 115, 80),
    ("trunc_normal_0.02", F32): (0.55, 20, 13),
    ("uniform", F64): (0.8, 10, 6.5),
    ("normal", F64): (0.38, 22, 13),
}
#: law, side → how many times torch's speed is wanted, likewise
STRUCTURES = {
    ("sparse", 4096): (25, 20),
    ("orthogonal", 1024): (3, 3),
    ("orthogonal", 4096): (3, 2.5),
    ("gpt2", 0): (11, 8),
}
#: law → how many times the first call of a trivial parallel kernel its own may take, with an empty cache
FIRST_CALLS = {"uniform": 1.6, "normal": 1.6, "trunc_normal": 2, "sparse": 2.3, "orthogonal": 3}
SCALED = {
    "uniform": ("xavier_uniform", "kaiming_uniform"),
    "normal": ("xavier_normal", "kaiming_normal"),
}
WARM, IMPORT = 0.25, 0.1  # seconds
MEMORY = 16.0  # MiB


@dataclass
class Claim:
    """``measured`` beside ``wanted``, with the sign between them, and what is worth knowing."""

    what: str
    sign: str
    wanted: float
    measured: float
    detail: str = ""

    @property
    def holds(self) -> bool:
        return (operator.ge if self.sign == ">=" else operator.le)(self.measured, self.wanted)


# ---- speeds ----


def _measured(law: str, dtype: np.dtype, size: int, rounds: int) -> Iterator[Row]:
    libraries = [peers.library(name) for name in (OURS, "torch")]
    for case in bench.cases([law], [dtype], size):
        yield measure(case, libraries, rounds)


def _has_avx512() -> bool:
    return "AVX-512" in compiled_for()["instructions"]


def fills(size: int, rounds: int) -> Iterator[Claim]:
    wide = _has_avx512()
    for (law, dtype), (share, *ratios) in FILLS.items():
        (row,) = _measured(law, dtype, size, rounds)
        facts = row.as_json()
        fill, torch = facts["fill"], facts["peers"]["torch"]
        speed = f"{facts['gb_per_second']:.1f} GB/s"
        what = f"{law} {dtype.name}"
        share = share if wide else NAN
        yield Claim(f"{what} / fill", ">=", share, facts["share_of_fill"], f"{speed} / {fill['gb_per_second']:.1f}")
        ratio = ratios[0 if wide else 1]
        yield Claim(f"{what} / torch", ">=", ratio, torch["ratio"], f"{speed} / {torch['gb_per_second']:.2f}")


def scaled(size: int, rounds: int) -> Iterator[Claim]:
    (case,) = bench.cases(["kaiming_normal"], [F32], size)
    array = np.full(case.shapes[0], 0.5, F32)
    for base, laws in SCALED.items():
        calls = {law: peers.library(OURS).call(law, array) for law in (base, *laws)}
        seconds = best_of({law: call for law, call in calls.items() if call}, rounds)
        for law in laws:
            yield Claim(f"time of {law} / {base}", "<=", 1.03, seconds[law] / seconds[base])


def structures(size: int, rounds: int) -> Iterator[Claim]:
    which = 0 if _has_avx512() else 1
    for law in ("sparse", "orthogonal", "gpt2"):
        for row in _measured(law, F32, size, rounds):
            facts = row.as_json()
            torch = facts["peers"]["torch"]
            side = 0 if facts["arrays"] > 1 else facts["shapes"][0][0]
            name = f"{law} {side} x {side}" if side else f"{law}, {facts['arrays']} parameters"
            detail = f"{facts['seconds']:.4f} s / {torch['seconds']:.4f} s"
            wanted = STRUCTURES.get((law, side), (NAN, NAN))[which]
            yield Claim(f"{name} / torch", ">=", wanted, torch["ratio"], detail)


def small(size: int, rounds: int) -> Iterator[Claim]:
    """Each initializer at each size; a row a size, that of the initializer which does worst."""
    for elements in (16, 256, 1024, 4096):
        ratios = {law: _small_ratio(law, elements, rounds) for law in LAWS}
        worst = min(ratios, key=lambda law: ratios[law])
        what = f"torch's time / ours for a call on {elements} elements, worst of {len(LAWS)} initializers"
        order = sorted(ratios, key=lambda law: ratios[law])
        detail = f"{worst}; then {', '.join(f'{law} {ratios[law]:.2g}' for law in order[1:4])}"
        yield Claim(what, ">=", {1024: 1.5, 4096: 2}.get(elements, 1), ratios[worst], detail)
    normal = _small_ratio("normal", 16, rounds)
    yield Claim("torch's time / ours for normal_ on 16 elements", ">=", 1 / 0.55, normal)


def _small_ratio(law: str, elements: int, rounds: int) -> float:
    arrays = {name: np.full(shape_of(law, elements), 0.5, F32) for name in (OURS, "torch")}
    calls = {name: peers.library(name).call(law, array) for name, array in arrays.items()}
    seconds = best_of({name: call for name, call in calls.items() if call}, rounds)
    return seconds["torch"] / seconds[OURS]


def two_threads(size: int, rounds: int) -> Iterator[Claim]:
    if peers.most_threads() < 2:
        return
    fill = peers.library(OURS).call("normal", np.full(size, 0.5, F32))

    def call(count: int) -> None:
        with peers.threads(count):
            fill()

    seconds = best_of({str(count): functools.partial(call, count) for count in (1, 2)}, rounds)
    yield Claim("normal float32, two threads / one", ">=", 1.7, seconds["1"] / seconds["2"])


# ---- memory and starts, in fresh processes ----

PEAK = """
import numpy as np, numbainit as init
def fill(array):
    {call}
def peak():  # not getrusage: it counts the process that started this one
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 2**10
fill(np.full((512, 512), 0.5, "{dtype}"))
array = np.full(({rows}, {columns}), 0.5, "{dtype}")
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")  # the peak is now what is in use
before = peak()
fill(array)
print(peak() - before)
"""
TRIVIAL = """
import numba, numpy as np
import time
@numba.njit(parallel=True)
def trivial(array):
    for i in numba.prange(array.size):
        array[i] = 1
array = np.full(1 << 20, 0.5, "float32")
start = time.process_time()
trivial(array)
print(time.process_time() - start)
"""
START = """
import numba, numpy as np
import time
start = time.process_time()
import numbainit as init
imported = time.process_time()
array = np.full(({side}, {side}), 0.5, "float32")
called = time.process_time()
{call}
print(imported - start, time.process_time() - called)
"""


def _python(program: str, cache: str | None = None) -> list[float]:
    environment = os.environ | ({"NUMBA_CACHE_DIR": cache} if cache else {})
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return [float(word) for word in done.stdout.split()]


def memory(size: int, rounds: int) -> Iterator[Claim]:
    if sys.platform != "linux":
        return
    rows, columns = bench.cases(["kaiming_normal"], [F32], size)[0].shapes[0]
    for dtype in ("float32", "float64"):
        found = {}
        for law in CALLS:
            if law != "orthogonal":
                program = PEAK.format(call=CALLS[law], dtype=dtype, rows=rows, columns=columns)
                _python(program)  # so that nothing is compiled in the process that counts
                (found[law],) = _python(program)
        worst = max(found, key=lambda law: found[law])
        what = f"MiB above the array at the peak, {dtype}, worst of {len(found)} laws"
        yield Claim(what, "<=", MEMORY, found[worst], worst)


def starts(size: int, rounds: int) -> Iterator[Claim]:
    """Seconds of CPU, which other users of a machine disturb least; each in processes of its own."""
    trivial, cold, warm, imports = [], {law: [] for law in CALLS}, {law: [] for law in CALLS}, []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as cache:
            trivial += _python(TRIVIAL, cache)
        for law, call in CALLS.items():
            program = START.format(call=call, side=1024)
            with tempfile.TemporaryDirectory() as cache:
                cold[law].append(_python(program, cache)[1])
                imported, called = _python(program, cache)
            warm[law].append(called)
            imports.append(imported)
    for law, seconds in cold.items():
        what, detail = (
            f"first {law}, empty cache / a trivial parallel kernel",
            f"{min(seconds):.2f} s / {min(trivial):.2f}",
        )
        yield Claim(what, "<=", FIRST_CALLS.get(law, 3), min(seconds) / min(trivial), detail)
    worst = max(warm, key=lambda law: min(warm[law]))
    yield Claim(f"seconds of the first call, warm cache, worst of {len(warm)}", "<=", WARM, min(warm[worst]), worst)
    yield Claim("seconds of import numbainit after import numba", "<=", IMPORT, min(imports))


# ---- all of it ----

QUESTIONS: dict[str, Callable[[int, int], Iterator[Claim]]] = {
    question.__name__: question for question in (fills, scaled, structures, small, two_threads, memory, starts)
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", default="2^26", help="elements of large arrays (default: 2^26)")
    parser.add_argument("--rounds", type=int, default=5, help="of which the best counts (default: 5)")
    parser.add_argument("--only", choices=QUESTIONS, action="append", help="may be given more than once")
    parser.add_argument("--json", action="store_true", help="print JSON objects, one a line")
    arguments = parser.parse_args()
    size = bench.whole_number("size", arguments.size)
    machine = peers.machine(("torch",))
    print(json.dumps(machine) if arguments.json else _heading(machine), flush=True)
    with peers.threads():
        for question in arguments.only or QUESTIONS:
            for claim in QUESTIONS[question](size, arguments.rounds):
                print(
                    json.dumps(asdict(claim) | {"holds": claim.holds}) if arguments.json else _line(claim), flush=True
                )


def _heading(machine: dict) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    columns = "| claim | wanted | measured | | |\n|---|---|---|---|---|"
    return f"{machine['cpu']}, {machine['cores']} cores, Python {machine['python']}, {versions}\n\n{columns}"


def _line(claim: Claim) -> str:
    wanted = "-" if claim.wanted != claim.wanted else f"{claim.sign} {claim.wanted:g}"
    verdict = "-" if claim.wanted != claim.wanted else "holds" if claim.holds else "MISSED"
    return f"| {claim.what} | {wanted} | {claim.measured:.3g} | {verdict} | {claim.detail} |"


if __name__ == "__main__":
    main()
