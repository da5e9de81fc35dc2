"""Elements → sums of their distances from an origin, and of their squares, in lanes side by side.

A loop over lanes adds in an order that is written out, and is a loop over vectors all the same. Runs are whole.
"""

import numpy as np

from numbainit.targets.cache import kernel


@kernel("moments_of_floats")
def of_floats(values, origin, lanes):
    """Of float32 and float64."""
    width = np.uint64(lanes.shape[1])
    for at in range(np.uint64(0), np.uint64(values.size), width):
        run = values[at : at + width]
        for lane in range(width):
            distance = np.float64(run[lane]) - origin
            lanes[0, lane] += distance
            lanes[1, lane] += distance * distance


@kernel("moments_of_bfloats")
def of_bfloats(codes, origin, lanes, bits):
    """Of bfloat16: the upper half of a float32. ``bits`` is memory for as many words as there are lanes."""
    width, floats = np.uint64(lanes.shape[1]), bits.view(np.float32)
    for at in range(np.uint64(0), np.uint64(codes.size), width):
        run = codes[at : at + width]
        for lane in range(width):
            bits[lane] = np.uint32(run[lane]) << np.uint32(16)
        for lane in range(width):
            distance = np.float64(floats[lane]) - origin
            lanes[0, lane] += distance
            lanes[1, lane] += distance * distance


@kernel("moments_of_codes")
def of_codes(codes, origin, lanes, values):
    """Of other small dtypes: ``values`` says what each code stands for."""
    width = np.uint64(lanes.shape[1])
    for at in range(np.uint64(0), np.uint64(codes.size), width):
        run = codes[at : at + width]
        for lane in range(width):
            distance = values[run[lane]] - origin
            lanes[0, lane] += distance
            lanes[1, lane] += distance * distance
