"""A key, a draw and an index → one value of the initializers beyond torch, in plain Python: no code of numbainit.

What scales by fans is a law of :mod:`reference`, with a width that is typed in again. What maps a law's values is
written here once more, over single Python floats: ``+ - * /`` are IEEE 754's double on every machine, and fdlibm's
constants are given by their bits, as Sun's source has them, instead of by decimals.
"""

import math

import numpy as np

import reference


def _double(high, low):
    return float(np.array([high << 32 | low], np.uint64).view(np.float64)[0])


LN2_HI, LN2_LO = _double(0x3FE62E42, 0xFEE00000), _double(0x3DEA39EF, 0x35793C76)
INVERSE_LN2 = _double(0x3FF71547, 0x652B82FE)
P = [
    *(_double(0x3FC55555, 0x5555553E), _double(0xBF66C16C, 0x16BEBD93), _double(0x3F11566A, 0xAF25DE2C)),
    *(_double(0xBEBBBD41, 0xC5D26BF1), _double(0x3E663769, 0x72BEA4D0)),
]
LG = [
    *(_double(0x3FE55555, 0x55555593), _double(0x3FD99999, 0x9997FA04), _double(0x3FD24924, 0x94229359)),
    *(_double(0x3FCC71C5, 0x1D8E78AF), _double(0x3FC74664, 0x96CB03DE), _double(0x3FC39A09, 0xD078C69F)),
    _double(0x3FC2F112, 0xDF3E5244),
]


def exp(x):
    n = round(x * INVERSE_LN2)
    hi, lo = x - n * LN2_HI, n * LN2_LO
    r = hi - lo
    t = r * r
    c = r - t * (P[0] + t * (P[1] + t * (P[2] + t * (P[3] + t * P[4]))))
    return math.ldexp(1.0 - ((lo - (r * c) / (2.0 - c)) - hi), n)


def log(x):
    m, n = math.frexp(x)
    if m < _double(0x3FE6A09E, 0x667F3BCD):
        m, n = 2 * m, n - 1
    f = m - 1.0
    s = f / (2.0 + f)
    z, half = s * s, 0.5 * f * f
    r = z * (LG[0] + z * (LG[1] + z * (LG[2] + z * (LG[3] + z * (LG[4] + z * (LG[5] + z * LG[6]))))))
    return n * LN2_HI - ((half - (s * (half + r) + n * LN2_LO)) - f)


def inverse_softplus(t):
    if t > 0.25:
        return t + log(1.0 - exp(-t))
    series = 1.0
    for term in range(12, 1, -1):
        series = 1.0 - t / term * series
    return t + log(t * series)


def _rounded(value, dtype):
    """A float64 → the dtype, by way of float32 where that is not float64."""
    return value if np.dtype(dtype).itemsize == 8 else float(np.float32(value))


def _log_uniform(key, draw, index, a, b):
    u = float(reference.uniform(key, draw, index, log(a), log(b), "float64"))
    return min(max(exp(u), a), math.nextafter(b, -math.inf))


def log_uniform(key, draw, index, a=0.001, b=0.1, dtype="float32"):
    name, width = np.dtype(dtype).name, reference._width(dtype)
    if name in reference.SMALL:
        lowest, *_, highest = reference.small_numbers_within(a, math.nextafter(b, -math.inf), name) * 2
    else:
        lowest, highest = reference._smallest_at_least(a, width), reference._largest_at_most(b, width)
        highest = reference._neighbour(b, -1, width) if highest == b else highest
    value = min(max(_log_uniform(key, draw, index, a, b), lowest), highest)
    return reference._as(dtype, _rounded(value, dtype))


def log_of_uniform(key, draw, index, a=1.0, b=16.0, dtype="float32"):
    value = log(float(reference.uniform(key, draw, index, a, b, "float64")))
    return reference._as(dtype, _rounded(value, dtype))


def time_step_bias(key, draw, index, a=0.001, b=0.1, floor=0.0001, dtype="float32"):
    value = inverse_softplus(max(_log_uniform(key, draw, index, a, b), floor))
    return reference._as(dtype, _rounded(value, dtype))


def log_arange(key, draw, index, start=1.0, dtype="float32"):
    return reference._as(dtype, _rounded(log(start + index), dtype))


def randomized_hadamard(key, draw, index, size, dtype="float32"):
    row, column = divmod(index, size)
    sign = 1 - 2 * ((row & column).bit_count() + (reference.word(key, draw, column) >> 31) & 1)
    return reference._as(dtype, _rounded(sign / math.sqrt(size), dtype))


def scaled(variance, distribution):
    """A law of :mod:`reference` and its parameters."""
    std = math.sqrt(variance)
    if distribution == "truncated_normal":
        before = std / 0.87962566103423978
        return "trunc_normal", (0.0, before, -2 * before, 2 * before)
    return (
        ("normal", (0.0, std)) if distribution == "normal" else ("uniform", (-math.sqrt(3) * std, math.sqrt(3) * std))
    )


MAPS = {
    "log_uniform": log_uniform,
    "log_of_uniform": log_of_uniform,
    "time_step_bias": time_step_bias,
    "log_arange": log_arange,
}
DTYPES = ("float32", "float64", "bfloat16")
#: a map, its arguments, a dtype
MAP_CASES = [
    (name, arguments, dtype)
    for name, arguments in [
        ("log_uniform", {}),
        ("log_uniform", {"a": 0.5, "b": 2000.0}),
        ("log_of_uniform", {}),
        ("time_step_bias", {}),
        ("time_step_bias", {"a": 1e-6, "b": 20.0, "floor": 1e-4}),
        ("log_arange", {}),
        ("log_arange", {"start": 0.25}),
    ]
    for dtype in DTYPES
]
FANS = {"fan_in": 9 * 3, "fan_out": 9 * 5, "fan_avg": 9 * 4, "fan_geo_avg": 9 * math.sqrt(15)}  # of (5, 3, 3, 3)
#: scale, mode, distribution, dtype; complex where there is such a law
SCALED_CASES = [
    (scale, mode, distribution, dtype)
    for scale, mode in zip((1.0, 2.0, 0.5, 1.0), FANS, strict=True)
    for distribution in ("truncated_normal", "normal", "uniform")
    for dtype in DTYPES
]


def map_name(case):
    name, arguments, dtype = case
    return f"{name}({', '.join(f'{key}={value:g}' for key, value in arguments.items())})-{dtype}"


def map_elements(case, key, draw, indices):
    name, arguments, dtype = case
    return np.array([MAPS[name](key, draw, int(i), **arguments, dtype=dtype) for i in indices], dtype)


def scaled_name(case):
    scale, mode, distribution, dtype = case
    return f"variance_scaling({scale:g}, {mode}, {distribution})-{dtype}"


def scaled_elements(case, key, draw, indices):
    """Of a kernel (5, 3, 3, 3)."""
    scale, mode, distribution, dtype = case
    return reference.case_elements((*scaled(scale / FANS[mode], distribution), dtype), key, draw, indices)
