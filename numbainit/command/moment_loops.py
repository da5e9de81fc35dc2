"""Elements → for each run of them the sum of their distances from its first, and of the squares of these.

A loop over lanes adds in an order that is written out, and is a loop over vectors all the same. All runs of an array
are one call, which holds no lock. ``lanes`` are sums of one run, side by side: memory that is written over.
"""

import numpy as np
from numba.extending import register_jitable

from numbainit.maths.scalar import INLINE
from numbainit.targets.cache import kernel

RUN = np.uint64(1 << 16)  # elements
LANES = np.uint64(256)  # what a vector of any width likes, and few enough for the fastest cache

inline = register_jitable(**INLINE)


@inline
def _add(values, origin, lanes):
    """At most as many elements as there are lanes."""
    for lane in range(np.uint64(values.size)):
        distance = np.float64(values[lane]) - origin
        lanes[0, lane] += distance
        lanes[1, lane] += distance * distance


@inline
def _total(lanes, sums):
    """Of all lanes, which are 0 afterwards."""
    for lane in range(LANES):
        sums[0] += lanes[0, lane]
        sums[1] += lanes[1, lane]
    lanes[:] = 0.0


@kernel("moments_of_floats")
def of_floats(values, lanes, sums):
    """Of float32 and float64."""
    lanes[:] = 0.0
    for row in range(np.uint64(sums.shape[0])):
        run = values[row * RUN : (row + np.uint64(1)) * RUN]
        origin = np.float64(run[0])
        for at in range(np.uint64(0), np.uint64(run.size), LANES):
            _add(run[at : at + LANES], origin, lanes)
        _total(lanes, sums[row])


@kernel("moments_of_bfloats")
def of_bfloats(codes, lanes, sums, bits):
    """Of bfloat16: the upper half of a float32. ``bits`` is memory for as many words as there are lanes."""
    floats = bits.view(np.float32)
    lanes[:] = 0.0
    for row in range(np.uint64(sums.shape[0])):
        run = codes[row * RUN : (row + np.uint64(1)) * RUN]
        bits[0] = np.uint32(run[0]) << np.uint32(16)
        origin = np.float64(floats[0])
        for at in range(np.uint64(0), np.uint64(run.size), LANES):
            part = run[at : at + LANES]
            for lane in range(np.uint64(part.size)):
                bits[lane] = np.uint32(part[lane]) << np.uint32(16)
            _add(floats[: part.size], origin, lanes)
        _total(lanes, sums[row])


@kernel("moments_of_codes")
def of_codes(codes, lanes, sums, values, made):
    """Of other small dtypes: ``values`` says what each code stands for, and ``made`` is memory for these."""
    lanes[:] = 0.0
    for row in range(np.uint64(sums.shape[0])):
        run = codes[row * RUN : (row + np.uint64(1)) * RUN]
        origin = values[run[0]]
        for at in range(np.uint64(0), np.uint64(run.size), LANES):
            part = run[at : at + LANES]
            for lane in range(np.uint64(part.size)):
                made[lane] = values[part[lane]]
            _add(made[: part.size], origin, lanes)
        _total(lanes, sums[row])
