"""Operations on numbers and on lanes → the results of exact fractions, Python's integers and NumPy, bit for bit."""

import functools
import math
import operator
from fractions import Fraction

import numpy as np
import pytest

import reference
from maths.lanes import NUMBERS, every_lanes, mapped, same_bits, traced
from numbainit.maths import values
from numbainit.maths.values import (
    bits_of,
    boolean,
    float32,
    float64,
    float_of,
    fma,
    int32,
    int64,
    lane,
    lanes_as,
    mask_of,
    polynomial,
    row,
    select,
    shuffle,
    sqrt,
    uint8,
    uint16,
    uint32,
    uint64,
    wide_product,
)

KINDS = {32: np.float32, 64: np.float64}
COUNT = 2001  # no multiple of any number of lanes
widths = pytest.mark.parametrize("width", [32, 64])
integers = pytest.mark.parametrize("kind", ["uint32", "int32", "uint64", "int64"])
several_lanes = pytest.mark.parametrize("lanes", [2, 16])


@functools.cache
def numbers(width, seed, count=COUNT):
    """Random bits: floats of every magnitude, subnormal too, neither infinite nor NaN; some of ordinary size."""
    rng = np.random.default_rng(seed)
    kind = KINDS[width]
    found = np.frombuffer(rng.bytes(3 * count * kind().itemsize), kind)
    ordinary = rng.normal(size=count // 2).astype(kind)
    return np.concatenate([found[np.isfinite(found)][: count - ordinary.size], ordinary])


def all_floats(width, seed):
    """The same, and what is no ordinary number, each beside each other in some row of two such columns."""
    special = KINDS[width]([0.0, -0.0, 1.0, math.inf, -math.inf, math.nan])
    special = np.repeat(special, 6) if seed % 2 else np.tile(special, 6)
    return np.concatenate([special, numbers(width, seed)])


@functools.cache
def words(kind, seed):
    """Random bits, and the ends of the range, each beside each other in some row of two such columns."""
    bits = 8 * np.dtype(kind).itemsize
    ends = np.array([0, 1, 2**bits - 1, 2 ** (bits - 1), 2 ** (bits - 1) - 1], f"u{bits // 8}")
    ends = np.repeat(ends, 5) if seed % 2 else np.tile(ends, 5)
    rest = np.random.default_rng(seed).integers(0, 2**bits, COUNT, ends.dtype)
    return np.concatenate([ends, rest]).view(kind)


def wrapped(found, kind):
    """Python's integers, which may be of any length, as those of this kind."""
    bits = 8 * np.dtype(kind).itemsize
    return np.array([int(number) % 2**bits for number in found], f"u{bits // 8}").view(kind)


# ---- floats: each operation rounded once ----


@functools.cache
def cancelling(width):
    """Three columns, and the fma of each row: in half of them a product cancels but for the bits it would lose."""
    kind, (a, b, c) = KINDS[width], (numbers(width, seed).copy() for seed in (1, 2, 3))
    with np.errstate(all="ignore"):
        product = a * b
    half = COUNT // 2
    c[half:] = np.where(np.isfinite(product[half:]), -product[half:], c[half:])
    want = [reference.fma(float(x), float(y), float(z), width) for x, y, z in zip(a, b, c, strict=True)]
    assert np.count_nonzero(want[half:]) > 100, "no product was inexact: the second half tests nothing"
    return a, b, c, np.array(want, kind)


@widths
@every_lanes
def test_fma_is_rounded_once(width, lanes):
    a, b, c, want = cancelling(width)
    same_bits(mapped(fma, a, b, c, lanes=lanes), want)


@widths
@every_lanes
def test_sums_differences_and_products(width, lanes):
    a, b = all_floats(width, 5), all_floats(width, 4)
    with np.errstate(all="ignore"):
        want = a + b, a - b, a * b, a + KINDS[width](0.1), KINDS[width](0.1) - a, KINDS[width](-3) * a
    got = mapped(lambda a, b: (a + b, a - b, a * b, a + 0.1, 0.1 - a, -3 * a), a, b, lanes=lanes)
    for found, wanted in zip(got, want, strict=True):
        defined = ~np.isnan(wanted)  # which NaN comes out is no one's promise
        same_bits(found[defined], wanted[defined])
        assert np.isnan(found[~defined]).all()


@widths
@every_lanes
def test_a_sum_is_not_fused_with_a_product(width, lanes):
    """``a * b + c`` rounds twice wherever an fma would round once to another number."""
    a, b = numbers(width, 6), numbers(width, 7)
    with np.errstate(all="ignore"):
        c = -(a * b)
    finite = np.isfinite(c)
    assert finite.sum() > COUNT // 2
    sums, differences = mapped(lambda a, b, c: (a * b + c, c - (-a) * b), a[finite], b[finite], c[finite], lanes=lanes)
    assert not sums.any()
    assert not differences.any()


@widths
@every_lanes
def test_signs(width, lanes):
    a = all_floats(width, 8)
    a = a[~np.isnan(a)]
    same_bits(mapped(operator.neg, a, lanes=lanes), -a)


@widths
@every_lanes
def test_square_roots(width, lanes):
    a = np.abs(np.concatenate([numbers(width, 8), KINDS[width]([0.0, math.inf])]))
    same_bits(mapped(sqrt, a, lanes=lanes), np.sqrt(a))
    ordinary = a[(a >= 2.0**-100) & np.isfinite(a)][:500]
    want = np.array([reference.sqrt(float(x), width) for x in ordinary], KINDS[width])
    same_bits(mapped(sqrt, ordinary, lanes=lanes), want)


@widths
@every_lanes
def test_polynomials_by_horners_rule(width, lanes):
    kind = KINDS[width]
    coefficients = tuple(map(kind, (0.1, -2.5, 3e-3, 7.0, -1 / 3)))
    x = np.random.default_rng(9).normal(size=501).astype(kind)
    want = [reference.polynomial(float(one), tuple(map(float, coefficients)), width) for one in x]
    same_bits(mapped(lambda x: polynomial(x, coefficients), x, lanes=lanes), np.array(want, kind))


@widths
@every_lanes
def test_bits_and_back(width, lanes):
    a = all_floats(width, 10)
    bits = mapped(bits_of, a, lanes=lanes)
    same_bits(bits, a.view(f"i{width // 8}"))
    for integer in ("i", "u"):
        same_bits(mapped(float_of, a.view(f"{integer}{width // 8}"), lanes=lanes), a)


COMPARISONS = [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]


@widths
@every_lanes
def test_comparisons_of_floats(width, lanes):
    """Those with NaN are false: ``!=`` too, unlike Python's."""
    a, b = all_floats(width, 11), all_floats(width, 12)
    a[-50:] = b[-50:]
    ordered = ~(np.isnan(a) | np.isnan(b))
    got = mapped(lambda a, b: tuple(compare(a, b) for compare in COMPARISONS), a, b, lanes=lanes)
    for found, compare in zip(got, COMPARISONS, strict=True):
        same_bits(found, compare(a, b) & ordered)
    below, above = mapped(lambda a: (a < 0.5, a > 0.5), a, lanes=lanes)
    assert below.tolist() == (a < 0.5).tolist()
    assert above.tolist() == (a > 0.5).tolist()


# ---- integers ----


@integers
@every_lanes
def test_integers_wrap(kind, lanes):
    a, b = words(kind, 13), words(kind, 14)
    operations = operator.add, operator.sub, operator.mul, operator.and_, operator.or_, operator.xor
    got = mapped(lambda a, b: tuple(operation(a, b) for operation in operations), a, b, lanes=lanes)
    for found, operation in zip(got, operations, strict=True):
        same_bits(found, wrapped(map(operation, a.tolist(), b.tolist()), kind))
    negative, reverse, ones, top = mapped(lambda a: (-a, 5 - a, a & -1, a ^ (1 << (a.kind.bits - 1))), a, lanes=lanes)
    same_bits(negative, wrapped([-x for x in a.tolist()], kind))
    same_bits(reverse, wrapped([5 - x for x in a.tolist()], kind))
    same_bits(ones, a)
    same_bits(top, wrapped([x ^ 1 << (8 * a.itemsize - 1) for x in a.tolist()], kind))


@integers
@every_lanes
def test_shifts_keep_the_sign_of_signed_numbers(kind, lanes):
    a = words(kind, 15)
    places = [0, 1, 11, 8 * a.itemsize - 1]
    left = mapped(lambda a: tuple(a << place for place in places), a, lanes=lanes)
    right = mapped(lambda a: tuple(a >> place for place in places), a, lanes=lanes)
    for number, place in enumerate(places):
        same_bits(left[number], wrapped([x << place for x in a.tolist()], kind))
        same_bits(right[number], wrapped([x >> place for x in a.tolist()], kind))
    by = (a % 31).astype(kind)
    same_bits(mapped(operator.rshift, a, by, lanes=lanes), wrapped(map(operator.rshift, a.tolist(), by.tolist()), kind))


@integers
@every_lanes
def test_comparisons_of_integers(kind, lanes):
    """Signed and unsigned numbers differ from half of the range on."""
    a, b = words(kind, 17), words(kind, 18)
    got = mapped(lambda a, b: tuple(compare(a, b) for compare in COMPARISONS), a, b, lanes=lanes)
    for found, compare in zip(got, COMPARISONS, strict=True):
        same_bits(found, np.array([*map(compare, a.tolist(), b.tolist())]))


@every_lanes
def test_products_of_words(lanes):
    """Of the lower half; what lies above it does not count."""
    a = words("uint64", 19)
    for multiplier in (0xD2511F53, 2**32 - 1, 1):
        want = [x % 2**32 * multiplier for x in a.tolist()]
        same_bits(mapped(lambda a: wide_product(a, multiplier), a, lanes=lanes), np.array(want, "u8"))  # noqa: B023


# ---- conversions ----


@integers
@every_lanes
def test_integers_are_cut_and_extended(kind, lanes):
    a = words(kind, 20)
    to = (uint32, int32, uint64, int64) if lanes == NUMBERS else (uint8, uint16, uint32, int32, uint64, int64)
    for other in to:  # each by itself: results of a function of numbers have one type
        same_bits(mapped(lambda a: other(a), a, lanes=lanes), wrapped(a.tolist(), other.name))  # noqa: B023


@integers
@widths
@every_lanes
def test_integers_become_the_nearest_floats(kind, width, lanes):
    ties = [2**24 + 1, 2**24 + 3, 2**25 + 2, 2**25 + 6, 2**31 - 65, 2**31 - 64]
    if "64" in kind:
        ties += [2**53 + 1, 2**53 + 3, 2**40 + 2**16, 2**62 + 2**38 + 1]
    a = np.concatenate([words(kind, 21)[:300], np.array(ties, kind)])
    want = [reference.round_to(Fraction(x), width) for x in a.tolist()]
    same_bits(mapped(lambda a: {32: float32, 64: float64}[width](a), a, lanes=lanes), np.array(want, KINDS[width]))


@every_lanes
def test_floats_become_the_nearest_of_the_other_width(lanes):
    wide = np.concatenate([numbers(64, 22)[COUNT // 2 :], numbers(32, 23).astype("f8")])
    a = numbers(32, 24)
    middle = (a.astype("f8") + np.nextafter(a, np.float32(0)).astype("f8")) / 2  # ties, subnormal ones too
    wide = np.concatenate([wide, middle, np.nextafter(middle, 0), np.nextafter(middle, math.inf)])
    want = [math.copysign(abs(reference.round_to(Fraction(x), 32)), x) for x in wide.tolist()]
    same_bits(mapped(lambda a: float32(a), wide, lanes=lanes), np.array(want, "f4"))
    same_bits(mapped(lambda a: float64(a), a, lanes=lanes), a.astype("f8"))


@every_lanes
def test_what_has_the_kind_already_stays(lanes):
    for kind in (float32, float64, uint32, int64):
        a = words(kind.name.replace("float", "uint"), 25).view(kind.name)
        same_bits(mapped(lambda a: kind(a), a, lanes=lanes), a)  # noqa: B023


# ---- lanes ----


@widths
@every_lanes
def test_select(width, lanes):
    a, b = numbers(width, 26), numbers(width, 27)
    holds = a < b
    assert 0 < holds.sum() < COUNT
    both, left, right = mapped(
        lambda holds, a, b: (select(holds, a, b), select(holds, a, 0), select(holds, math.pi, b)),
        *(holds, a, b),
        lanes=lanes,
    )
    same_bits(both, np.where(holds, a, b))
    same_bits(left, np.where(holds, a, KINDS[width](0)))
    same_bits(right, np.where(holds, KINDS[width](math.pi), b))


@several_lanes
def test_one_number_stands_beside_all_lanes(lanes):
    """As an operand, as the condition of a select, and as what it chooses from."""
    a, b = numbers(32, 28), numbers(32, 29)

    def function(a, b):
        first = lane(b, 0)
        return a + first, first * a, fma(first, a, first), select(first > 0, a, b), select(a > first, first, a)

    got = mapped(function, a, b, lanes=lanes)
    first = np.repeat(b[::lanes], lanes)[:COUNT]
    with np.errstate(all="ignore"):
        want = [a + first, first * a, None, np.where(first > 0, a, b), np.where(a > first, first, a)]
    fused = [reference.fma(float(x), float(y), float(x), 32) for x, y in zip(first, a, strict=True)]
    want[2] = np.array(fused, "f4")
    for found, wanted in zip(got, want, strict=True):
        same_bits(found, wanted)


@several_lanes
def test_lanes_by_their_numbers(lanes):
    a, b = words("uint32", 30)[: 8 * lanes], words("uint32", 31)[: 8 * lanes]
    rng = np.random.default_rng(32)
    order = rng.permutation(2 * lanes)[:lanes].tolist()
    rows = np.concatenate([a.reshape(-1, lanes), b.reshape(-1, lanes)], axis=1)
    same_bits(mapped(lambda a, b: shuffle(a, b, order), a, b, lanes=lanes), rows[:, order].reshape(-1))
    twice = [*order, *order]
    same_bits(mapped(lambda a, b: shuffle(a, b, twice), a, b, lanes=lanes), rows[:, twice])
    for number in (0, lanes - 1):
        same_bits(mapped(lambda a: lane(a, number), a, lanes=lanes)[:, 0], a.reshape(-1, lanes)[:, number])  # noqa: B023


@pytest.mark.parametrize("lanes", [2, 8, 16, 64])
def test_conditions_as_the_bits_of_a_number(lanes):
    a, b = words("uint32", 33), words("uint32", 34)
    count = a.size // lanes
    got = mapped(lambda a, b: uint64(mask_of(a < b)), a[: count * lanes], b[: count * lanes], lanes=lanes)
    holds = (a < b)[: count * lanes].reshape(count, lanes)
    assert got[:, 0].tolist() == [sum(int(bit) << place for place, bit in enumerate(one)) for one in holds]
    assert traced(lambda a: mask_of(a < 1), uint32, lanes=lanes).kind.bits == lanes


@several_lanes
def test_a_register_as_lanes_of_another_kind(lanes):
    """As a little-endian memory holds them."""
    a = words("uint64", 35)[: 8 * lanes]
    same_bits(mapped(lambda a: lanes_as(a, uint32), a, lanes=lanes), a.view("u4").reshape(-1, 2 * lanes))
    same_bits(mapped(lambda a: lanes_as(lanes_as(a, uint32), uint64), a, lanes=lanes), a)


@several_lanes
def test_a_row_of_constants(lanes):
    a = words("uint32", 36)
    numbers = [7 * i + 1 for i in range(lanes)]
    want = a ^ np.resize(np.uint32(numbers), a.size)
    same_bits(mapped(lambda a: a ^ row(a.builder, uint32, numbers), a, lanes=lanes), want)


# ---- what is refused, while code is built ----


@pytest.mark.parametrize("name", ["add", "mul", "sub", "lt", "fma"])
@pytest.mark.parametrize(
    "names", [("float32", "float64"), ("uint32", "uint64"), ("int32", "uint32"), ("float32", "int32")], ids=" ".join
)
def test_kinds_do_not_mix(name, names):
    operation = (lambda a, b: fma(a, a, b)) if name == "fma" else getattr(operator, name)
    with pytest.raises(TypeError, match=r"with \w+: convert one of them"):
        traced(operation, *(getattr(values, kind) for kind in names))


def test_kinds_do_not_mix_in_a_select():
    with pytest.raises(TypeError, match="float32 with float64"):
        traced(lambda a, b: select(a < 0, a, b), float32, float64)


def test_conditions_do_not_branch():
    """What Python would do with an ``if``, ``and`` or ``min`` holds for no lane in particular."""
    for function in (lambda a: 1 if a > 0 else 0, lambda a: a > 0 and a < 1, lambda a: min(a, a + 1)):
        with pytest.raises(TypeError, match="write select"):
            traced(function, float32)


def test_floats_become_no_integers():
    for kind in (uint32, int32, int64):
        with pytest.raises(TypeError, match=f"float32 does not become {kind.name}: take its bits"):
            traced(lambda a: kind(a), float32)  # noqa: B023


def test_integers_beside_a_part():
    with pytest.raises(TypeError, match="cannot be interpreted as an integer"):
        traced(lambda a: a + 0.5, uint32)


@pytest.mark.parametrize("name", ["and_", "or_", "xor", "lshift", "rshift"])
def test_bits_of_floats_are_asked_for(name):
    with pytest.raises(TypeError, match="float64 knows no such operation"):
        traced(getattr(operator, name), float64, float64)


def test_lanes_that_do_not_fit():
    def halves(a):
        return a + shuffle(a, a, range(4))

    with pytest.raises(TypeError, match="4 lanes beside 8"):
        traced(halves, float32, lanes=8)
    with pytest.raises(TypeError, match="8 lanes beside 1"):
        traced(lambda a: a.wide(1), float32, lanes=8)


def test_values_are_no_keys():
    with pytest.raises(TypeError, match="unhashable"):
        traced(lambda a: {a: 1}, float32)


# ---- the counterparts ----


def test_the_counterpart_rounds_once():
    """What the cases above are compared with, where an fma and two roundings differ."""
    a = 1 + 2.0**-12
    assert reference.fma(a, a, -1.0, 32) == float(Fraction(a) ** 2 - 1)
    assert np.float32(a) * np.float32(a) - np.float32(1) != np.float32(reference.fma(a, a, -1.0, 32))


def test_every_operation_is_tested():
    """Names that the room offers; a new one wants a test here."""
    public = {name for name, what in vars(values).items() if callable(what) and what.__module__ == values.__name__}
    kinds = {name for name, what in vars(values).items() if isinstance(what, values.Kind) and not name.startswith("_")}
    assert boolean in [getattr(values, name) for name in kinds]
    tested = set(globals()) | {"Kind", "Value"}
    assert {name for name in public | kinds if not name.startswith("_")} <= tested
