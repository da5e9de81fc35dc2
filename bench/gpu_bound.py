"""How fast can a law be on a GPU at most? From its instructions an element, counted in machine code, without a card.

``python bench/gpu_bound.py`` from a clone. A multiprocessor issues one instruction for 128 threads a clock, whatever it
is, and memory takes so many bytes a second: no fill is faster than the slower of the two. Real fills may well be slower
than both.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import numpy as np
import pytest

import numbainit as init
from emulator import gpu
from numbainit.memory.dtypes import small_dtype

INSTRUCTIONS = 132 * 128 * 1.755e9  # of threads, a second: an H100 SXM's multiprocessors at its boost clock
MEMORY = 3.0e12  # bytes a second that a plain fill writes there
TURNS = 1.34  # attempts for a block of a normal truncated at two sigma, as threads that do not wait need them
#: law → the call, its parameters, and the share of a plain fill's bandwidth that is wanted in float32
LAWS = {
    "bits": (init.bits_, (), None),
    "uniform": (init.uniform_, (), 0.9),
    "normal": (init.normal_, (), 0.75),
    "trunc_normal": (init.trunc_normal_, (), 0.5),
}
DTYPES = {"float32": 4, "float64": 8, "bfloat16": 2, "float8_e4m3fn": 1}


def instructions(law, dtype):
    """Of an element."""
    fill, parameters, _ = LAWS[law]
    dtype = np.dtype(f"u{dtype.itemsize}") if law == "bits" else dtype
    with pytest.MonkeyPatch.context() as monkeypatch:
        launches = gpu.Launches(monkeypatch)
        fill(gpu.Array((100,), dtype), *parameters, generator=0)
        ((kernel, _, arguments),) = launches.calls
        fewest, most = gpu.compiled(kernel, arguments).turns
        from numbainit.targets.cuda import fills as cuda

        counters = cuda.kernels(law, dtype, (9, 0)).counters
    return (most + (TURNS - 1) * fewest if law == "trunc_normal" else most) / (4 * counters)


def main():
    print("| law | dtype | instructions an element | elements/s | of a plain fill | wanted | elements/s of float32's |")
    print("|---|---|---|---|---|---|---|")
    for law, (_, _, wanted) in LAWS.items():
        float32 = None
        for name, itemsize in DTYPES.items():
            if law == "bits" and itemsize < 4:
                continue
            dtype = np.dtype(name) if itemsize >= 4 else small_dtype(name)
            each = instructions(law, dtype)
            speed = min(INSTRUCTIONS / each, MEMORY / itemsize)
            float32 = float32 or speed
            share, asked = speed * itemsize / MEMORY, f"{wanted}" if wanted and name == "float32" else ""
            print(f"| {law} | {name} | {each:.2f} | {speed:.3g} | {share:.2f} | {asked} | {speed / float32:.2f} |")


if __name__ == "__main__":
    main()
