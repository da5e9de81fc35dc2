"""The claims about speed → a Markdown table that says what was measured and which of them hold, on this machine.

    python bench/targets.py [--size 2^26] [--rounds 5] [--only WORD] [--json]

Each ratio is taken in one process, in turns, best of the rounds. About ten minutes at full size; needs torch.
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
from test_start import CALLS, SIDES

from numbainit.measure import peers
from numbainit.measure import run as bench
from numbainit.measure.peers import OURS
from numbainit.measure.timing import Row, best_of, measure

F32, F64 = np.dtype("float32"), np.dtype("float64")
AVX2 = {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx2,+fma,+bmi2,+avx,+sse4.2,+popcnt"}
#: law, dtype → the share of a plain fill that is wanted, and how many times torch's speed
FILLS = {
    ("uniform", F32): (0.65, 10),
    ("normal", F32): (0.42, 8),
    ("trunc_normal", F32): (0.25, 60),
    ("trunc_normal_0.02", F32): (0.35, 6),
    ("uniform", F64): (0.5, 8),
    ("normal", F64): (0.25, 10),
}
SCALED = {
    "uniform": ("xavier_uniform", "kaiming_uniform"),
    "normal": ("xavier_normal", "kaiming_normal"),
}
COLD, WARM, IMPORT = 3.0, 0.4, 0.1  # seconds
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


def fills(size: int, rounds: int) -> Iterator[Claim]:
    for (law, dtype), (share, ratio) in FILLS.items():
        (row,) = _measured(law, dtype, size, rounds)
        facts = row.as_json()
        fill, torch = facts["fill"], facts["peers"]["torch"]
        speed = f"{facts['gb_per_second']:.1f} GB/s"
        what = f"{law} {dtype.name}"
        yield Claim(f"{what} / fill", ">=", share, facts["share_of_fill"], f"{speed} / {fill['gb_per_second']:.1f}")
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
    wanted = {("sparse", 4096): 20, ("orthogonal", 4096): 2.5, ("orthogonal", 1024): 1.5, ("gpt2", 0): 6}
    for law in ("sparse", "orthogonal", "gpt2"):
        for row in _measured(law, F32, size, rounds):
            facts = row.as_json()
            torch = facts["peers"]["torch"]
            side = 0 if facts["arrays"] > 1 else facts["shapes"][0][0]
            name = f"{law} {side} x {side}" if side else f"{law}, {facts['arrays']} parameters"
            detail = f"{facts['seconds']:.4f} s / {torch['seconds']:.4f} s"
            yield Claim(f"{name} / torch", ">=", wanted.get((law, side), float("nan")), torch["ratio"], detail)


def small(size: int, rounds: int) -> Iterator[Claim]:
    """Each initializer at each size; a row a size, that of the initializer which does worst."""
    for elements in (16, 256, 1024, 4096):
        ratios = {law: _small_ratio(law, elements, rounds) for law in LAWS}
        worst = min(ratios, key=lambda law: ratios[law])
        what = f"torch's time / ours for a call on {elements} elements, worst of {len(LAWS)} initializers"
        order = sorted(ratios, key=lambda law: ratios[law])
        detail = f"{worst}; then {', '.join(f'{law} {ratios[law]:.2g}' for law in order[1:4])}"
        yield Claim(what, ">=", 1 if elements < 1024 else 2, ratios[worst], detail)


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


def avx2(size: int, rounds: int) -> Iterator[Claim]:
    words = ["--laws", "normal", "--dtype", "f32", "--peers", "torch", "--json"]
    command = [sys.executable, "-m", "numbainit", "bench", *words, "--size", str(size), "--rounds", str(rounds)]
    done = subprocess.run(command, env=os.environ | AVX2, check=True, stdout=subprocess.PIPE, text=True)
    (row,) = json.loads(done.stdout)["rows"]
    yield Claim("normal float32 compiled for AVX2 / torch", ">=", 4, row["peers"]["torch"]["ratio"])


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
START = """
import numba, numpy as np
import time
start = time.perf_counter()
import numbainit as init
imported = time.perf_counter()
array = np.full(({side}, {side}), 0.5, "float32")
{call}
print(imported - start, time.perf_counter() - start)
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
    cold, warm, imports = {}, {}, []
    for law, call in CALLS.items():
        for kind, side in SIDES.items():
            program = START.format(call=call, side=side)
            with tempfile.TemporaryDirectory() as cache:
                cold[f"{law}, {kind}"] = _python(program, cache)[1]
                runs = [_python(program, cache) for _ in range(rounds)]
            warm[f"{law}, {kind}"] = min(run[1] for run in runs)
            imports += [run[0] for run in runs]
    for name, found, wanted in (("empty", cold, COLD), ("warm", warm, WARM)):
        worst = max(found, key=lambda law: found[law])
        what = (
            f"seconds of import numbainit and the first call, {name} cache, after import numba, worst of {len(found)}"
        )
        yield Claim(what, "<=", wanted, found[worst], worst)
    yield Claim("seconds of import numbainit after import numba", "<=", IMPORT, min(imports))


# ---- all of it ----

QUESTIONS: dict[str, Callable[[int, int], Iterator[Claim]]] = {
    question.__name__: question for question in (fills, scaled, structures, small, two_threads, avx2, memory, starts)
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", default="2^26", help="elements of large arrays (default: 2^26)")
    parser.add_argument("--rounds", type=int, default=5, help="of which the best counts (default: 5)")
    parser.add_argument("--only", choices=QUESTIONS, action="append", help="may be given more than once")
    parser.add_argument("--json", action="store_true", help="print JSON objects, one a line")
    arguments = parser.parse_args()
    size = bench._count("size", arguments.size)
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
