"""A key, a draw and an index → one value of stream v1, in plain Python: slow, obvious, no code of numbainit.

Every law of the package is compared with this file, bit for bit. It therefore imports nothing of it: constants are
typed in again, words are Python ints, and each rounding is done on exact fractions by :func:`round_to`. A float32 is
held as the Python float of the same value, so that only the last line of a law needs NumPy. Functions give one
element; :func:`elements` gives a list of them.
"""

import bisect
import hashlib
import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import ml_dtypes  # noqa: F401  (teaches NumPy the names of the small dtypes)
import numpy as np

VALUES, LOW_WORDS, SPARSE_MASK, ACCEPTANCE = 0, 1, 2, 3  # purposes


# ---- words ----


def philox4x32(counter, key, rounds=10):
    """Salmon et al., SC 2011: four counter words and two key words → four words."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(rounds):
        product0, product1 = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (
            product1 >> 32 ^ c1 ^ k0,
            product1 % 2**32,
            product0 >> 32 ^ c3 ^ k1,
            product0 % 2**32,
        )
        k0, k1 = (k0 + 0x9E3779B9) % 2**32, (k1 + 0xBB67AE85) % 2**32
    return c0, c1, c2, c3


def known_answers():
    """The lines of data/philox4x32.txt: rounds, counter, key, output."""
    lines = (Path(__file__).parent / "data" / "philox4x32.txt").read_text().splitlines()
    numbers = [line.split() for line in lines if line and not line.startswith("#")]
    rows = [(int(rounds), [int(digits, 16) for digits in rest]) for rounds, *rest in numbers]
    return [(rounds, tuple(row[:4]), tuple(row[4:6]), tuple(row[6:])) for rounds, row in rows]


@lru_cache(maxsize=1 << 16)  # the four elements of a block share their words
def block_words(key, draw, block, purpose, attempt):
    return philox4x32((block % 2**32, block >> 32, draw, attempt << 8 | purpose), key)


def word(key, draw, index, purpose=VALUES, attempt=0):
    """The word of element ``index``."""
    return block_words(key, draw, index // 4, purpose, attempt)[index % 4]


def words(key, draw, index, width, attempt=0):
    """The words from which a law of ``width`` bits makes element ``index``: (word,) or (high, low)."""
    high = word(key, draw, index, VALUES, attempt)
    return (high,) if width == 32 else (high, word(key, draw, index, LOW_WORDS, attempt))


# ---- keys ----


def key_of_seed(seed):
    return tuple(int(w) for w in np.random.SeedSequence(seed).generate_state(2, np.uint32))


def fold_in(key, data):
    """The key of a substream: ``data`` is a str or an int."""
    message = b"s" + data.encode("utf-8") if isinstance(data, str) else b"i" + data.to_bytes(8, "little")
    key_bytes = key[0].to_bytes(4, "little") + key[1].to_bytes(4, "little")
    digest = hashlib.blake2b(message, digest_size=8, key=key_bytes, person=b"numbainit.v1").digest()
    return int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:], "little")


# ---- one correctly rounded operation ----

# width: (bits of precision, exponent of the smallest subnormal, exponent of the first power of two that overflows)
FORMATS = {32: (24, -149, 128), 64: (53, -1074, 1024)}


def round_to(value, width):
    """An exact rational → the nearest float of ``width`` bits (ties to even), as a Python float. Zero becomes +0."""
    precision, smallest, overflow = FORMATS[width]
    numerator, denominator = abs(value.numerator), value.denominator
    if numerator == 0:
        return 0.0
    exponent = numerator.bit_length() - denominator.bit_length()  # floor(log2 |value|), or one more
    if numerator * 2 ** max(-exponent, 0) < denominator * 2 ** max(exponent, 0):
        exponent -= 1
    unit = max(exponent - precision + 1, smallest)  # the result is a multiple of 2^unit
    scaled = numerator * 2 ** max(-unit, 0)
    divisor = denominator * 2 ** max(unit, 0)
    count, rest = divmod(scaled, divisor)
    if 2 * rest > divisor or (2 * rest == divisor and count % 2 == 1):
        count += 1
    magnitude = math.inf if count.bit_length() + unit > overflow else math.ldexp(count, unit)
    return -magnitude if value < 0 else magnitude


def fma(a, b, c, width):
    """``a * b + c`` rounded once. All arguments are finite."""
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    if exact == 0:  # IEEE 754, 6.3: minus zero only as the sum of two of them
        negative_product = math.copysign(1, a) * math.copysign(1, b) < 0
        both_zero = a == 0 or b == 0
        return -0.0 if both_zero and negative_product and math.copysign(1, c) < 0 else 0.0
    return round_to(exact, width)


def mul(a, b, width):
    """``a * b`` rounded once."""
    exact = Fraction(a) * Fraction(b)
    return round_to(exact, width) if exact else math.copysign(1, a) * math.copysign(1, b) * 0.0


def sqrt(a, width):
    """The square root, correctly rounded: through an integer root that is far longer than the result."""
    exact = Fraction(a)
    if exact == 0:
        return a
    shift = 240  # an even power of two: the root then has more than 53 bits for every a >= 2^-120
    root_square = exact * 2**shift
    assert root_square.denominator == 1
    assert root_square >= 2**120
    root = math.isqrt(root_square.numerator)
    sticky = 0 if root * root == root_square.numerator else 1  # what is cut off can only break a tie
    return round_to(Fraction(2 * root + sticky, 2 ** (shift // 2 + 1)), width)


def polynomial(x, coefficients, width):
    """Horner's rule from the highest degree down, one fma a step."""
    result = coefficients[-1]
    for coefficient in reversed(coefficients[:-1]):
        result = fma(result, x, coefficient, width)
    return result


# ---- small formats: all their numbers are listed ----

# dtype: (bits of the exponent, of the mantissa, bias, how many of the highest codes are no finite numbers)
SMALL = {
    "float16": (5, 10, 15, 2**10),
    "bfloat16": (8, 7, 127, 2**7),
    "float8_e3m4": (3, 4, 3, 2**4),
    "float8_e4m3": (4, 3, 7, 2**3),
    "float8_e4m3b11fnuz": (4, 3, 11, 0),
    "float8_e4m3fn": (4, 3, 7, 1),
    "float8_e4m3fnuz": (4, 3, 8, 0),
    "float8_e5m2": (5, 2, 15, 2**2),
    "float8_e5m2fnuz": (5, 2, 16, 0),
}


@lru_cache
def magnitudes(name):
    """The finite numbers that are not negative, in order: the index of each is its code."""
    exponent, mantissa, bias, specials = SMALL[name]
    numbers = []
    for code in range(2 ** (exponent + mantissa) - specials):
        e, m = divmod(code, 2**mantissa)
        numbers.append(math.ldexp(m + (2**mantissa if e else 0), max(e, 1) - bias - mantissa))
    return numbers


def small_code(x, name):
    """The code of the number nearest to a finite x, ties to the even code."""
    numbers = magnitudes(name)
    code = bisect.bisect_left(numbers, abs(x))
    if code == len(numbers):  # as if there were one more
        numbers = [*numbers, 2 * numbers[-1] - numbers[-2]]
    if code and numbers[code] != abs(x):
        below, above = abs(Fraction(x)) - Fraction(numbers[code - 1]), Fraction(numbers[code]) - abs(Fraction(x))
        code -= below < above or (below == above and code % 2 == 1)
    assert code < len(magnitudes(name)), f"{x} overflows {name}"
    negative = math.copysign(1, x) < 0 and not (code == 0 and name.endswith("fnuz"))
    return code + negative * 2 ** sum(SMALL[name][:2])


def small_value(x, name):
    """x rounded; what overflows is infinite, a tie if the code of the largest is odd."""
    numbers = magnitudes(name)
    end = Fraction(numbers[-1]) + Fraction(numbers[-1] - numbers[-2]) / 2
    if abs(Fraction(x)) > end or (abs(Fraction(x)) == end and len(numbers) % 2 == 0):
        return math.copysign(math.inf, x)
    return math.copysign(numbers[small_code(abs(x), name)], x)


@lru_cache
def small_numbers_within(a, b, name):
    """All numbers x of the dtype with a <= x <= b, in order."""
    return sorted({x for m in magnitudes(name) for x in (m, -m) if a <= x <= b})


# ---- log, sine, cosine ----


def _numbers(text):
    return [float.fromhex(digits) for digits in text.split()]


# lowest degree first
LOG = {
    32: _numbers(
        "0x1p1 0x1.00002p0 0x1.554238p-1 0x1.01f70ep-1 0x1.67415ep-2 0x1.5ea91ap-1 -0x1.330302p0 0x1.fc0326p1 "
        "-0x1.3eb5eep2 0x1.bfc51cp1"
    ),
    64: _numbers(
        "0x1p1 0x1.fffffffffff74p-1 0x1.555555556131ep-1 0x1.fffffff49c115p-2 0x1.99999c66166ep-2 "
        "0x1.5554eb3f63e26p-2 0x1.249cabd575affp-2 0x1.fe92e308298e3p-3 0x1.d968df4460f28p-3 0x1.d2e4d2e954d9dp-4 "
        "0x1.a14a58414f6b9p-1 -0x1.b8b016d21d4fap1 0x1.032b7865c37f2p4 -0x1.bc8e0838f6d31p5 0x1.2d754c3c9f20cp7 "
        "-0x1.39a38630be296p8 0x1.eebd0d8760505p8 -0x1.1dafde7c42859p9 0x1.c9e0de4710eabp8 -0x1.c83b66aec2811p7 "
        "0x1.afa9feccf3e1dp5"
    ),
}
SIN = {
    32: _numbers("0x1.921fb6p0 -0x1.4abbecp-1 0x1.466b2p-4 -0x1.2f5992p-8"),
    64: _numbers(
        "0x1.921fb54442d18p0 -0x1.4abbce625be09p-1 0x1.466bc67754fffp-4 -0x1.32d2ccdfe9424p-8 0x1.50782d5f14825p-13 "
        "-0x1.e2fe76fdffd29p-19 0x1.e357ef99eaea7p-25"
    ),
}
COS = {
    32: _numbers("0x1p0 -0x1.3bd3ccp0 0x1.03c1b8p-2 -0x1.55b7cep-6 0x1.d684aap-11"),
    64: _numbers(
        "0x1p0 -0x1.3bd3cc9be45dep0 0x1.03c1f081b5a67p-2 -0x1.55d3c7e3c325bp-6 0x1.e1f5067b90b37p-11 "
        "-0x1.a6d1e7294bff9p-16 0x1.f9c89ca1d4f4ap-22 -0x1.b167302e2337bp-28"
    ),
}
TWO_LN2 = {32: float.fromhex("0x1.62e43p0"), 64: float.fromhex("0x1.62e42fefa39efp0")}


def _signed(number, bits):
    """The low ``bits`` bits of ``number``, read as a two's complement integer."""
    number %= 2**bits
    return number - 2**bits if number >= 2 ** (bits - 1) else number


def minus_two_log(word_tuple):
    """(word,) → -2 ln((word + 1) 2^-32) in float32; (high, low) → the same of their upper 53 bits in float64."""
    if len(word_tuple) == 1:
        width, y = 32, round_to(Fraction(_signed(word_tuple[0] + 1, 32), 2**32), 32)
    else:
        width, (high, low) = 64, word_tuple
        y = round_to(Fraction(_signed(high, 32), 2**32) + Fraction((low >> 11) + 1, 2**53), 64)
    e, g = 0, -y
    if y > 0:
        mantissa, exponent = math.frexp(y)  # y = mantissa 2^exponent, mantissa in [1/2, 1)
        e, g = -exponent, 1 - mantissa
    return fma(float(e), TWO_LN2[width], mul(g, polynomial(g, LOG[width], width), width), width)


def cos_sin(word_tuple):
    """(word,) or (high, low) → cosine and sine of that part of a turn."""
    width, high = 32 * len(word_tuple), word_tuple[0]
    if width == 32:
        y = round_to(Fraction(_signed(high << 2, 32), 2**32), 32)
    else:
        low = word_tuple[1]
        left, right = _signed(high << 2 | low >> 30, 32), (low << 2) % 2**32 >> 11
        y = round_to(Fraction(left, 2**32) + Fraction(right, 2**53), 64)
    square = mul(y, y, width)
    s = mul(y, polynomial(square, SIN[width], width), width)
    c = polynomial(square, COS[width], width)
    quarter = (high + 2**29) % 2**32 >> 30
    return [(c, s), (-s, c), (-c, -s), (s, -c)][quarter]


# ---- standard laws ----


def standard_uniform(word_tuple):
    """[0, 1), as a Python float."""
    if len(word_tuple) == 1:
        return float(Fraction(word_tuple[0] >> 8, 2**24))
    high, low = word_tuple
    return float(Fraction((high << 32 | low) >> 11, 2**53))


def standard_normal(key, draw, index, width, attempt=0):
    """Box and Muller: the words of elements 2i and 2i + 1 make both normals."""
    even = index - index % 2
    radius = sqrt(minus_two_log(words(key, draw, even, width, attempt)), width)
    pair = cos_sin(words(key, draw, even + 1, width, attempt))
    return mul(radius, pair[index % 2], width)


# ---- laws of the package ----


def _width(dtype):
    return {"float64": 64, "complex128": 64}.get(np.dtype(dtype).name, 32)


def _as(dtype, value):
    dtype = np.dtype(dtype)
    if dtype.name in SMALL:
        return np.array(small_code(value, dtype.name), f"u{dtype.itemsize}").view(dtype)[()]
    return dtype.type(value)


def _float(number, width):
    """A parameter → the float of that width nearest to it."""
    return number if math.isinf(number) else math.copysign(abs(round_to(Fraction(number), width)), number)


def _neighbour(x, direction, width):
    """The next float of that width above (+1) or below (-1) x."""
    kind = np.float32 if width == 32 else np.float64
    with np.errstate(all="ignore"):  # the neighbour of the largest finite float is infinite, and of zero subnormal
        return float(np.nextafter(kind(x), kind(direction * math.inf)))


def _smallest_at_least(bound, width):
    """The smallest finite float of that width which is >= bound."""
    if bound == -math.inf:
        return -_largest_finite(width)
    x = _float(bound, width)
    return _neighbour(x, +1, width) if x < bound else x


def _largest_at_most(bound, width):
    return -_smallest_at_least(-bound, width)


def _largest_finite(width):
    precision, _, overflow = FORMATS[width]
    return float((2**precision - 1) * Fraction(2) ** (overflow - precision))


def bits(key, draw, index, dtype="uint32"):
    dtype = np.dtype(dtype)
    unsigned = word(key, draw, index)
    if dtype.itemsize == 8:
        unsigned = unsigned << 32 | word(key, draw, index, LOW_WORDS)
    return dtype.type(unsigned if dtype.kind == "u" else _signed(unsigned, 8 * dtype.itemsize))


def uniform(key, draw, index, a=0.0, b=1.0, dtype="float32"):
    width = _width(dtype)
    if a == b:
        return _as(dtype, _float(a, width))
    if np.dtype(dtype).name in SMALL:
        lowest, *_, highest = small_numbers_within(a, math.nextafter(b, -math.inf), np.dtype(dtype).name) * 2
    else:
        lowest = _smallest_at_least(a, width)
        highest = _largest_at_most(b, width)
        if highest == b:
            highest = _neighbour(b, -1, width)
    assert a <= lowest <= highest < b
    u = standard_uniform(words(key, draw, index, width))
    x = fma(u, _float(b - a, width), _float(a, width), width)
    return _as(dtype, min(max(x, lowest), highest))


def normal(key, draw, index, mean=0.0, std=1.0, dtype="float32"):
    width = _width(dtype)
    if np.dtype(dtype).kind == "c":  # two elements of a real stream, each with half the variance
        part, real, imag = std * math.sqrt(0.5), complex(mean).real, complex(mean).imag
        kind = f"float{width}"
        pair = normal(key, draw, 2 * index, real, part, kind), normal(key, draw, 2 * index + 1, imag, part, kind)
        return _as(dtype, complex(*map(float, pair)))
    z = standard_normal(key, draw, index, width)
    return _as(dtype, fma(z, _float(std, width), _float(mean, width), width))


@dataclass(frozen=True)
class Proposals:
    """How a truncated normal is drawn. x = raw * x1 + base; accepted iff -2 ln v >= (raw t1 + t0) (raw q1 + q0)."""

    kind: str  # "constant", "normal", "uniform" or "exponential"
    lowest: float
    highest: float
    x1: float = 0.0
    base: float = 0.0
    t1: float = 0.0
    t0: float = 0.0
    q1: float = 0.0
    q0: float = 0.0


def _tightened(a, b, lowest, highest, width):
    """The open ends of what rounds into [lowest, highest], if that is narrower than [a, b]; never infinite."""
    if width == 64:
        return lowest, highest
    step_down = lowest - _neighbour(lowest, -1, 32)
    step_up = _neighbour(highest, +1, 32) - highest
    if math.isinf(step_down):
        step_down = _neighbour(lowest, +1, 32) - lowest
    if math.isinf(step_up):
        step_up = highest - _neighbour(highest, -1, 32)
    return max(a, _neighbour(lowest - step_down / 2, +1, 64)), min(b, _neighbour(highest + step_up / 2, -1, 64))


def _ordered(x):
    """The number of a float32 among all, in order."""
    bits = int(np.float32(x).view(np.int32))
    return bits if bits >= 0 else -(bits + 2**31)


def _first_float32(low, high, holds):
    """The first float32 in [low, high] for which ``holds`` is true, as it is from there on."""
    low, high = _ordered(low), _ordered(high)
    at = lambda k: float(np.int32(k if k >= 0 else -k - 2**31).view(np.float32))  # noqa: E731
    return at(bisect.bisect_left(range(low, high), True, key=lambda k: holds(at(k))) + low)


def _rounded_within(a, b, small):
    """The first and the last float32 in [a, b] that a small dtype rounds to a number in [a, b]."""
    first, *_, last = small_numbers_within(a, b, small) * 2
    low = _first_float32(_smallest_at_least(a, 32), first, lambda x: small_value(x, small) >= first)
    high = -_first_float32(-_largest_at_most(b, 32), -last, lambda x: small_value(-x, small) <= last)
    return low, high


@lru_cache
def proposals(mean, std, a, b, width, small=None):
    """Robert (1995) with bounds at [a, b]: everything here is ordinary float64 arithmetic."""
    lowest, highest = (
        _rounded_within(a, b, small) if small else (_smallest_at_least(a, width), _largest_at_most(b, width))
    )
    if a == b:
        return Proposals("constant", lowest, highest, base=_float(a, width))
    if std == 0:
        assert a <= mean <= b
        return Proposals("constant", lowest, highest, base=_float(mean, width))
    assert lowest <= highest
    a, b = _tightened(a, b, lowest, highest, width)
    alpha, beta = (a - mean) / std, (b - mean) / std
    span = (b - a) / std
    if alpha < 0 < beta and span >= 2.5066282746310002:
        return Proposals("normal", lowest, highest)
    base, sign = a, 1.0
    if beta <= 0:
        alpha, beta, base, sign = -beta, -alpha, b, -1.0
    if alpha < 0:
        return Proposals("uniform", lowest, highest, b - a, base, span, alpha, span, alpha)
    lam = (alpha + math.sqrt(alpha * alpha + 4)) / 2
    if lam * span <= 1:
        s = max(1.0, 2 * alpha)
        return Proposals("uniform", lowest, highest, sign * (b - a), base, span * s, 0.0, span / s, 2 * alpha / s)
    slope = 1 / (2 * lam)
    return Proposals("exponential", lowest, highest, sign * std / (2 * lam), base, slope, -1 / lam, slope, -1 / lam)


def _propose(how, key, draw, index, mean, std, width, attempt):
    """Attempt number ``attempt`` at element ``index``: the value, and whether the law accepts it (bounds aside)."""
    if how.kind == "normal":
        z = standard_normal(key, draw, index, width, attempt)
        return fma(z, _float(std, width), _float(mean, width), width), True
    own = words(key, draw, index, width, attempt)
    raw = standard_uniform(own) if how.kind == "uniform" else minus_two_log(own)
    x = _float(fma(raw, how.x1, how.base, 64), width)
    t = fma(raw, _float(how.t1, width), _float(how.t0, width), width)
    q = fma(raw, _float(how.q1, width), _float(how.q0, width), width)
    v = word(key, draw, index, ACCEPTANCE, attempt)
    logarithm = minus_two_log((v,) if width == 32 else (v, 0xFFFFFFFF))
    return x, logarithm >= mul(t, q, width)


def trunc_normal_attempts(key, draw, index, mean=0.0, std=1.0, a=-2.0, b=2.0, dtype="float32"):
    """The value of element ``index`` and the number of its attempt."""
    width = _width(dtype)
    small = np.dtype(dtype).name if np.dtype(dtype).name in SMALL else None
    how = proposals(float(mean), float(std), float(a), float(b), width, small)
    if how.kind == "constant":
        return _as(dtype, how.base), 0
    attempt = 0
    while True:
        x, accepted = _propose(how, key, draw, index, mean, std, width, attempt)
        if accepted and how.lowest <= x <= how.highest:
            return _as(dtype, x), attempt
        attempt += 1


def trunc_normal(key, draw, index, mean=0.0, std=1.0, a=-2.0, b=2.0, dtype="float32"):
    return trunc_normal_attempts(key, draw, index, mean, std, a, b, dtype)[0]


def sparse_mask_column(key, draw, column, rows, cols, sparsity):
    """Which rows of a column are zero: selection sampling, Knuth 3.4.2, algorithm S."""
    left, zero = math.ceil(sparsity * rows), []
    for row in range(rows):
        w = word(key, draw, row * cols + column, SPARSE_MASK)
        zero.append(w * (rows - row) >> 32 < left)
        left -= zero[-1]
    assert left == 0
    return zero


def sparse(key, draw, rows, cols, sparsity, std=0.01, dtype="float32"):
    """The whole matrix: zeros where the mask says so, N(0, std^2) elsewhere."""
    masks = [sparse_mask_column(key, draw, column, rows, cols, sparsity) for column in range(cols)]
    matrix = np.zeros((rows, cols), dtype)
    for row in range(rows):
        for column in range(cols):
            if not masks[column][row]:
                matrix[row, column] = normal(key, draw, row * cols + column, 0.0, std, dtype)
    return matrix


# ---- what the tests compare ----

LAWS = {"uniform": uniform, "normal": normal, "trunc_normal": trunc_normal}
FLOAT_DTYPES, INTEGER_DTYPES = ("float32", "float64"), ("uint32", "int32", "uint64", "int64")
INF = math.inf
PARAMETERS = {
    "uniform": [
        *[
            (0.0, 1.0),
            (-1.0, 1.0),
            (1.0, 2.0),
            (0.1, 0.3),
            (10.0, 11.0),
            (-1e-3, 0.0),
            (-1e30, 1e30),
            (-0.0721, 0.0721),
        ],
        (1.0, 1.0 + 2.0**-21),  # four float32 values
        (3.0, 3.0),
    ],
    "normal": [(0.0, 1.0), (0.0, 0.02), (5.0, 2.5), (-1e6, 1e-3), (0.1, 0.0), (-0.3, 1e-30), (0.0, 1e30)],
    "trunc_normal": [
        *[(0.0, 1.0, -2.0, 2.0), (0.0, 0.02, -0.04, 0.04), (0.0, 1.0, -1.0, 3.0), (0.0, 1.0, -1e-4, 100.0)],
        (0.0, 1e-3, -2.0, 2.0),  # bounds that nothing reaches
        *[(0.0, 1.0, 8.0, 9.0), (0.0, 1.0, -40.0, -39.0), (0.0, 1.0, 2.0, 100.0)],  # tails
        *[(0.0, 1.0, 1e-3, 1.001e-3), (0.0, 1.0, 1.0, 1.0 + 2.0**-21), (0.0, 1.0, 2.0, 2.1), (0.0, 1.0, 0.0, 0.3)],
        *[(0.0, 1.0, -0.5, 0.5), (0.0, 1.0, -0.1, 2.3), (0.0, 1.0, -2.1, -2.0)],  # narrow
        *[(0.0, 1.0, -1.3, 1.3), (0.0, 1.0, -1.25, 1.25), (0.0, 1.0, -1.2533141373155001, 1.2533141373155001)],
        *[(0.0, 1.0, 2.0, 2.41), (0.0, 1.0, 2.0, 2.42), (0.0, 1.0, 0.25, 0.45)],  # where the kind of proposal changes
        *[(0.0, 1.0, 1.5, INF), (0.0, 1.0, -INF, -3.0), (0.0, 1.0, 0.0, INF), (0.0, 1.0, -INF, 0.0)],
        *[(0.0, 1.0, -INF, 1.0), (0.0, 1.0, -1.0, INF), (0.0, 1.0, -INF, INF), (1e4, 1e-2, -INF, 9999.95)],
        *[(5.0, 1.0, -1.0, 1.0), (-7.0, 2.0, 3.0, INF), (0.5, 0.25, 0.6, 0.7), (-3.0, 1.0, -0.5, 0.5)],  # mean outside
        *[(0.0, 1.0, 0.25, 0.25), (0.5, 0.0, -1.0, 1.0)],  # one value
    ],
}
CASES = [
    (law, parameters, dtype) for law, sets in PARAMETERS.items() for parameters in sets for dtype in FLOAT_DTYPES
] + [("bits", (), dtype) for dtype in INTEGER_DTYPES]
SMALL_CASES = [
    *[
        ("uniform", (-1.0, 1.0), "bfloat16"),
        ("uniform", (0.1, 0.3), "float16"),
        ("uniform", (0.0, 1.0), "float8_e4m3fn"),
    ],
    *[("uniform", (-0.3, 0.7), "float8_e5m2fnuz"), ("uniform", (0.1, 0.1), "bfloat16")],
    *[("normal", (0.0, 0.02), "bfloat16"), ("normal", (0.0, 1e-5), "float16"), ("normal", (0.0, 1.0), "float8_e3m4")],
    *[("normal", (0.0, 1.0), "float8_e4m3b11fnuz"), ("normal", (-1.0, 0.5), "float8_e5m2")],
    *[("trunc_normal", (0.0, 1.0, -2.0, 2.0), "bfloat16"), ("trunc_normal", (0.0, 1.0, 2.0, 3.0), "float16")],
    ("trunc_normal", (0.9971, 1e-5, 0.997, 1.0), "bfloat16"),  # all that rounds to 1
    ("trunc_normal", (0.0, 100.0, -INF, INF), "float8_e4m3fn"),  # bounded by the dtype alone
    *[
        ("trunc_normal", (0.0, 1.0, -0.51, 0.49), "float8_e4m3fnuz"),
        ("trunc_normal", (0.0, 1.0, -1.7, 3.3), "float8_e4m3"),
    ],
]
COMPLEX_CASES = [
    ("normal", (0.0, 1.0), "complex64"),
    *[("normal", (0.5 - 2j, 0.02), "complex64"), ("normal", (1j, 3.0), "complex128")],
]
CASES += SMALL_CASES + COMPLEX_CASES
SPARSE_CASES = [
    *[((13, 7), 0.1, 0.01), ((50, 11), 0.5, 2.0), ((9, 5), 0.0, 1.0), ((9, 5), 1.0, 1.0), ((1, 30), 0.3, 1.0)],
    *[((40, 1), 0.25, 1.0), ((7, 3), 1 / 7, 1.0), ((130, 35), 0.9, 0.01)],
]


def case_name(case):
    law, parameters, dtype = case
    return f"{law}({', '.join(f'{x:g}' for x in parameters)})-{dtype}"


def case_elements(case, key, draw, indices):
    """A case of :data:`CASES` at ``indices``."""
    law, parameters, dtype = case
    return elements(bits if law == "bits" else LAWS[law], key, draw, indices, *parameters, dtype=dtype)


def elements(law, key, draw, indices, *parameters, dtype):
    """``law`` at each of ``indices`` of the logical array, as an array."""
    return np.array([law(key, draw, int(i), *parameters, dtype=dtype) for i in indices], dtype)
