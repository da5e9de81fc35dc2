"""How fast can a law be on a GPU at most? From its instructions an element, counted in machine code, without a card.

``PYTHONPATH=tests python -m emulator.bound`` from a clone. A multiprocessor issues one instruction for 128 threads a
clock, whatever it is, and memory takes so many bytes a second: no fill is faster than the slower of the two. Real fills
may well be slower than both.
"""

import numpy as np

from emulator import gpu
from numbainit.memory.dtypes import small_dtype
from numbainit.targets.cuda import kernels
from numbainit.weights import laws

INSTRUCTIONS = 132 * 128 * 1.755e9  # of threads, a second: an H100 SXM's multiprocessors at its boost clock
MEMORY = 3.0e12  # bytes a second that a plain fill writes there
TURNS = 1.34  # attempts for a counter of a normal truncated at two sigma, as threads that do not wait need them
#: law → a function from a dtype to it, and the share of a plain fill's bandwidth that is wanted in float32
LAWS = {
    "bits": (lambda dtype: laws.BITS, None),
    "uniform": (lambda dtype: laws.uniform(0.0, 1.0, dtype), 0.9),
    "normal": (lambda dtype: laws.normal(0.0, 1.0, dtype), 0.75),
    "trunc_normal": (lambda dtype: laws.trunc_normal(0.0, 1.0, -2.0, 2.0, dtype), 0.5),
}
DTYPES = {"float32": 4, "float64": 8, "bfloat16": 2, "float8_e4m3fn": 1}


def instructions(law, dtype):
    """Of an element."""
    dtype = np.dtype(f"u{dtype.itemsize}") if law == "bits" else dtype
    known, numbers = kernels.of_law(law, dtype, (9, 0)), LAWS[law][0](dtype).numbers or (0.0,)
    where, first, stream = (gpu.BASE, 100, 97), 0, (1, 2, 3)  # any: their types are what is compiled
    fewest, most = gpu.compiled(known.contiguous, (where, first, *stream, numbers)).turns
    return (most + (TURNS - 1) * fewest if law == "trunc_normal" else most) / (4 * known.counters)


def main():
    print("| law | dtype | instructions an element | elements/s | of a plain fill | wanted | elements/s of float32's |")
    print("|---|---|---|---|---|---|---|")
    for law, (_, wanted) in LAWS.items():
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
