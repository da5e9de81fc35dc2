"""Senseless numbers → an error before a byte is touched; numbers at the edge of sense → values inside the bounds.

The laws themselves are tested elsewhere; here it is which parameters are refused, with what words, and that the ones
that are accepted neither leave their interval nor hang, however extreme.
"""

import fractions
import math
import subprocess
import sys

import numpy as np
import pytest

import numbainit as init
from cases import call
from numbainit.maths import formats

NAN, INF = math.nan, math.inf
F4, F8 = np.dtype("f4"), np.dtype("f8")
MAX4, MAX8 = float(np.finfo("f4").max), float(np.finfo("f8").max)
TINY8 = 5e-324

# ---- refused ----

NO_NUMBERS = ["1", b"1", None, [0.5], (0.5,), np.array([0.5]), 1j, np.complex64(1), object(), "NaN", 10**400]
NUMBERS = {  # name: the arguments that are real numbers, besides those that are needed
    "uniform_": ("a", "b"),
    "normal_": ("mean", "std"),
    "trunc_normal_": ("mean", "std", "a", "b"),
    "constant_": ("val",),
    "xavier_uniform_": ("gain",),
    "xavier_normal_": ("gain",),
    "orthogonal_": ("gain",),
    "sparse_": ("sparsity", "std"),
}
EACH_NUMBER = [(name, argument) for name, arguments in NUMBERS.items() for argument in arguments]


def refused(error, name, arguments, *fragments, dtype="f4", shape=(4, 6)):
    """The call must raise ``error`` with these fragments, and leave the array and the generator alone."""
    generator = init.Generator(1)
    array = np.full(shape, 7, dtype)
    with pytest.raises(error) as caught:
        call(name, array, generator, **arguments)
    assert isinstance(caught.value, init.NumbaInitError)
    for fragment in fragments:
        assert fragment in str(caught.value), str(caught.value)
    assert (array == 7).all()
    assert generator.draws == 0


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("uniform_", {"a": 2}),
        ("normal_", {"std": -1}),
        ("trunc_normal_", {"std": -1}),
        ("xavier_uniform_", {"gain": -1}),
        ("xavier_normal_", {"gain": -1}),
        ("kaiming_uniform_", {"mode": "x"}),
        ("kaiming_normal_", {"mode": "x"}),
        ("orthogonal_", {"gain": NAN}),
        ("sparse_", {"sparsity": 2}),
        ("sparse_", {"sparsity": 0.5, "std": -1}),
    ],
)
def test_a_refused_call_takes_no_bits_from_a_numpy_generator(name, arguments):
    """The caller's stream must go on as if the call had not been made."""
    source = np.random.default_rng(1)
    before = source.bit_generator.state
    with pytest.raises(init.InvalidValueError):
        getattr(init, name)(np.zeros((4, 6)), **arguments, generator=source)
    assert source.bit_generator.state == before


@pytest.mark.parametrize("thing", NO_NUMBERS, ids=lambda thing: f"{type(thing).__name__}-{str(thing)[:12]}")
@pytest.mark.parametrize(("name", "argument"), EACH_NUMBER)
def test_what_is_no_real_number(name, argument, thing):
    wanted = f"{argument} must be a real number, got {type(thing).__name__}"
    refused(init.InvalidTypeError, name, {argument: thing}, wanted)


@pytest.mark.parametrize("value", [NAN, -NAN, np.float32("nan"), np.array(NAN), np.ma.masked])
@pytest.mark.parametrize(("name", "argument"), [case for case in EACH_NUMBER if case[1] != "val"])
@pytest.mark.filterwarnings("ignore:Warning. converting a masked element to nan:UserWarning")
def test_nan(name, argument, value):
    refused(init.InvalidValueError, name, {argument: value}, argument, "nan")


@pytest.mark.parametrize("value", [INF, -INF])
@pytest.mark.parametrize(
    ("name", "argument"), [case for case in EACH_NUMBER if case != ("constant_", "val") and case[0] != "trunc_normal_"]
)
def test_infinity(name, argument, value):
    refused(init.InvalidValueError, name, {argument: value}, argument, f"got {value}")


@pytest.mark.parametrize(
    ("name", "argument"), [case for case in EACH_NUMBER if case[0] != "trunc_normal_" and case[1] != "sparsity"]
)
def test_more_than_the_dtype_holds(name, argument):
    """Infinite after the conversion is as infinite as before it; float64 takes the same numbers."""
    arguments = {"a": -1e39, "b": 0.0} if argument == "a" else {argument: 1e39}
    refused(init.InvalidValueError, name, arguments, argument, "float32", "1e+39")
    array = call(name, np.empty((4, 6)), **arguments)
    assert np.isfinite(array).all()


@pytest.mark.parametrize("value", [-1, -0.5, -1e-300, -TINY8, np.float32(-2)])
@pytest.mark.parametrize(
    ("name", "argument"),
    [
        ("normal_", "std"),
        ("trunc_normal_", "std"),
        ("sparse_", "std"),
        ("xavier_uniform_", "gain"),
        ("xavier_normal_", "gain"),
    ],
)
def test_negative_standard_deviations(name, argument, value):
    refused(init.InvalidValueError, name, {argument: value}, f"{argument} must be >= 0", f"got {float(value)}")


@pytest.mark.parametrize(
    ("name", "arguments", "fragments"),
    [
        ("uniform_", {"a": 1, "b": 0}, ["a <= b", "a=1.0", "b=0.0", "swap"]),
        ("uniform_", {"a": 1.5}, ["a <= b", "a=1.5", "b=1.0"]),
        ("uniform_", {"a": 1e-12, "b": -1e-12}, ["a <= b"]),
        ("uniform_", {"a": -3e38, "b": 3e38}, ["b - a", "float32", "6e+38"]),
        ("uniform_", {"a": 1 + 1e-12, "b": 1 + 2e-12}, ["no float32 lies in [1.000000000001, ", "wider"]),
        ("uniform_", {"a": 1e-60, "b": 2e-60}, ["no float32 lies in"]),
        ("trunc_normal_", {"a": 1, "b": 0}, ["a <= b", "a=1.0", "b=0.0", "swap"]),
        ("trunc_normal_", {"a": 3}, ["a <= b", "b=2.0"]),
        ("trunc_normal_", {"a": INF, "b": -INF}, ["a <= b"]),
        ("trunc_normal_", {"a": INF, "b": INF}, ["finite", "inf"]),
        ("trunc_normal_", {"a": -INF, "b": -INF}, ["finite", "-inf"]),
        ("trunc_normal_", {"a": 1e39, "b": INF}, ["no float32 lies in [1e+39, inf]"]),
        ("trunc_normal_", {"a": -INF, "b": -1e39}, ["no float32 lies in"]),
        ("trunc_normal_", {"a": 1e39, "b": 1e39}, ["float32"]),
        ("trunc_normal_", {"a": 1 + 1e-12, "b": 1 + 2e-12}, ["no float32 lies in"]),
        ("trunc_normal_", {"mean": 3, "std": 0}, ["std = 0", "3.0", "[-2.0, 2.0]"]),
        ("trunc_normal_", {"mean": 0, "std": 0, "a": 1, "b": 1}, ["std = 0"]),
        ("trunc_normal_", {"mean": INF}, ["mean must be finite", "inf"]),
        ("trunc_normal_", {"std": INF}, ["std must be finite", "inf"]),
        ("trunc_normal_", {"mean": 1e39}, ["mean must be finite in float32"]),
        ("sparse_", {"sparsity": -0.1}, ["sparsity", "[0, 1]", "-0.1"]),
        ("sparse_", {"sparsity": 1.1}, ["sparsity", "[0, 1]", "1.1"]),
        ("sparse_", {"sparsity": math.nextafter(1, 2)}, ["sparsity"]),
        ("sparse_", {"sparsity": -TINY8}, ["sparsity"]),
        ("sparse_", {"sparsity": 50}, ["sparsity", "50"]),
    ],
)  # fmt: skip
def test_numbers_that_do_not_go_together(name, arguments, fragments):
    refused(init.InvalidValueError, name, arguments, *fragments)


def test_a_gain_that_overflows_the_law_names_the_gain():
    refused(init.InvalidValueError, "xavier_uniform_", {"gain": 3e38}, "gain", "float32", shape=(1, 1))


@pytest.mark.parametrize("name", ["kaiming_uniform_", "kaiming_normal_"])
@pytest.mark.parametrize(
    ("error", "arguments", "fragments"),
    [
        (init.InvalidValueError, {"mode": "fan_avg"}, ["Mode fan_avg not supported", "['fan_in', 'fan_out']"]),
        (init.InvalidValueError, {"mode": "fanin"}, ["did you mean 'fan_in'?"]),
        (init.InvalidValueError, {"mode": "FAN-OUT"}, ["did you mean 'fan_out'?"]),
        (init.InvalidValueError, {"mode": ""}, ["please use one of ['fan_in', 'fan_out']"]),
        (init.InvalidTypeError, {"mode": None}, ["mode must be a str", "fan_in", "None"]),
        (init.InvalidTypeError, {"mode": 1}, ["mode must be a str", "fan_in", "int 1"]),
        (init.InvalidTypeError, {"mode": b"fan_in"}, ["mode must be a str", "bytes"]),
        (init.InvalidValueError, {"nonlinearity": "rellu"}, ["Unsupported nonlinearity rellu", "did you mean 'relu'?"]),
        (init.InvalidValueError, {"nonlinearity": "ReLU"}, ["Unsupported nonlinearity ReLU", "did you mean 'relu'?"]),
        (init.InvalidValueError, {"nonlinearity": "leakyrelu"}, ["did you mean 'leaky_relu'?"]),
        (init.InvalidValueError, {"nonlinearity": "zzz"}, ["Unsupported nonlinearity zzz", "relu", "tanh"]),
        (init.InvalidValueError, {"nonlinearity": None}, ["Unsupported nonlinearity None"]),
        (init.InvalidValueError, {"nonlinearity": ["relu"]}, ["Unsupported nonlinearity"]),
        (init.InvalidValueError, {"a": "0.1"}, ["negative_slope 0.1 not a valid number"]),
        (init.InvalidValueError, {"a": True}, ["negative_slope True not a valid number"]),
        (init.InvalidValueError, {"a": [0.1]}, ["negative_slope [0.1] not a valid number"]),
        (init.InvalidValueError, {"a": NAN}, ["nan"]),
    ],
)
def test_kaiming_arguments(name, error, arguments, fragments):
    refused(error, name, arguments, *fragments)


@pytest.mark.parametrize("name", ["xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_"])
@pytest.mark.parametrize("shape", [(), (3,)])
def test_fans_need_two_dimensions(name, shape):
    text = "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions"
    refused(init.InvalidValueError, name, {}, text, f"{shape}", shape=shape)


def test_a_refused_law_is_not_remembered():
    """Results are cached by equality, in which 0 is False and -0.0 is 0.0: no answer may depend on who asked before."""
    for a, b in [(0, 1), (0.0, 1.0), (False, True), (-0.0, 1.0)]:
        assert (
            init.uniform_(np.empty(5), a, b, generator=0).tolist() == init.uniform_(np.empty(5), generator=0).tolist()
        )
    assert math.copysign(1, init.uniform_(np.empty(1), -0.0, -0.0)[0]) == 1
    assert math.copysign(1, init.normal_(np.empty(1), 0.0, 0.0)[0]) == 1


# ---- accepted ----


@pytest.mark.parametrize(
    "two",
    [2, 2.0, np.float32(2), np.float64(2), np.int8(2), np.uint64(2), np.array(2), np.array(2.0), fractions.Fraction(2)],
    ids=lambda two: f"{type(two).__module__}.{type(two).__name__}",
)
def test_any_kind_of_number(two):
    want = init.normal_(np.empty(9, "f4"), 2, 2, generator=0)
    assert np.array_equal(init.normal_(np.empty(9, "f4"), two, two, generator=0), want)


@pytest.mark.parametrize("value", [0.0, -0.0, 0.1, -1e30, NAN, INF, -INF, TINY8])
@pytest.mark.parametrize("dtype", [F4, F8])
def test_constants(value, dtype):
    array = init.constant_(np.empty(3, dtype), value)
    assert array.tobytes() == (np.ones(3, dtype) * dtype.type(value)).tobytes()


@pytest.mark.parametrize("dtype", [F4, F8])
@pytest.mark.parametrize("a", [0.0, 0.1, -7.5, 1e-300, 1e30])
def test_equal_bounds_and_no_deviation(a, dtype):
    for name, arguments in [
        ("uniform_", (a, a)),
        ("normal_", (a, 0)),
        ("trunc_normal_", (0, 1, a, a)),
        ("trunc_normal_", (a, 0, -1e31, 1e31)),
    ]:
        generator = init.Generator(0)
        array = getattr(init, name)(np.empty(9, dtype), *arguments, generator=generator)
        assert array.tolist() == [float(dtype.type(a))] * 9
        assert generator.draws == 1


UNIFORMS = [(1, 2), (10, 11), (0.1, 0.3), (-1, 0), (-0.3, -0.1), (1e-3, 1.001e-3), (-2, 1e-20), (0, 3e-39)]


@pytest.mark.parametrize("bounds", UNIFORMS)
def test_uniform_never_reaches_b(bounds):
    """``a + u (b - a)`` does, on [1, 2) in float32 already among the first 2^22 values."""
    a, b = bounds
    array = init.uniform_(np.empty(2**22, "f4"), a, b, generator=3)
    assert a <= float(array.min()) <= float(array.max()) < b


ULPS = [(value, math.nextafter(value, INF)) for value in (1.0, -1.0, 0.1, 0.0, 1e300, -TINY8, TINY8, -MAX8)]
ULPS4 = [
    (float(value), float(np.nextafter(value, np.float32(INF))))
    for value in map(np.float32, (1.0, -2.0, 0.0, 1e-45, 1e-38))
]


@pytest.mark.parametrize(("dtype", "bounds"), [*[(F8, ulp) for ulp in ULPS], *[(F4, ulp) for ulp in ULPS4]])
def test_uniform_one_ulp_wide(dtype, bounds):
    """The only number of the dtype in [a, b) is a."""
    assert set(init.uniform_(np.empty(999, dtype), *bounds, generator=0).tolist()) == {bounds[0]}


@pytest.mark.parametrize("bounds", [(0.1, 0.1 + 1e-9), (1 - 1e-9, 1 + 1e-9), (-1e-46, 1e-46), (0, 1e-300)])
def test_uniform_between_neighbours_of_float32(bounds):
    array = init.uniform_(np.empty(999, "f4"), *bounds, generator=0).astype("f8") if holds_float32(*bounds) else None
    if array is None:
        refused(init.InvalidValueError, "uniform_", dict(zip("ab", bounds, strict=True)), "no float32")
    else:
        assert bounds[0] <= array.min() <= array.max() < bounds[1]


def holds_float32(a, b):
    nearest = float(np.float32(a))
    return (nearest if nearest >= a else float(np.nextafter(np.float32(a), np.float32(INF)))) < b


@pytest.mark.parametrize("dtype", [F4, F8])
def test_uniform_over_the_widest_interval(dtype):
    largest = float(np.finfo(dtype).max)
    for a, b in [(0, largest), (-largest, 0), (-largest / 2, largest / 2)]:
        array = init.uniform_(np.empty(9999, dtype), a, b, generator=0)
        assert a <= array.min() < array.max() < b
        assert abs((array / 2**20).mean(dtype="f8") - (a / 2 + b / 2) / 2**20) < largest / 2**20 / 50


TRUNCATED = [  # mean, std, a, b
    (0, 1, -INF, INF), (0, 1, 0, INF), (0, 1, -INF, 0), (0, 1, 3, INF), (0, 1, -INF, -3), (0, 1, 40, INF),
    (0, 1, 8, 9), (0, 1, -40, -39), (0, 1, 1e-3, 1.001e-3), (0, 1, 2, 100), (0, 1e-3, -2, 2), (0, 1, -1e-9, 1e-9),
    (0, 1e-300, -1, 1), (0, 1e-300, 1, 2), (0, 1e-30, 1, 2), (1e30, 1e-30, -INF, 0.9e30), (1e30, 1e-30, 0, INF),
    (1e8, 1, 1e8 - 1, 1e8 + 1), (0, 1e8, 1, 1.0000001), (0.1, 1e-300, 0, 0.1), (0.1, 1e-300, 0.1, 1), (5, 1e-9, 0, 5),
    (0, 1, -1e300, 1e300), (0, 1, -1e300, -1), (0, 1, 1, 1e300), (0, MAX4, -INF, INF), (0, MAX4, -MAX4, MAX4),
    (0, MAX4, -1, 1), (MAX4, 1, -1, 1), (-MAX4, 1, -1, 1), (MAX4, 1, 0, INF), (0, 1, 1e30, INF), (0, 1, 1e30, 1.001e30),
    (0, 1, 0, 3e-45), (0, 1e-40, 0, 1e-40), (0, 1e-45, -1e-44, 1e-44), (0, 1, -1e-44, 1e-44), (1, 1, 0, 1),
    (1, 1, 1, 2), (1 + 2**-24 + 2**-40, 2**-30, 1 + 2**-25, 2), (0, 1, 1 - 2**-26, 1 + 2**-26), (1e-45, 1e-300, 0, INF),
]  # fmt: skip


@pytest.mark.parametrize("dtype", [F4, F8])
@pytest.mark.parametrize("law", TRUNCATED, ids=str)
def test_truncated_values_lie_inside_as_stored(law, dtype):
    *_, a, b = law
    array = init.trunc_normal_(np.empty(2**13, dtype), *law, generator=0)
    assert np.isfinite(array).all()
    assert a <= float(array.min()) <= float(array.max()) <= b


@pytest.mark.parametrize("scale", [1, 1e3, 1e-3, 1e30, 1e-30])
@pytest.mark.parametrize("mean", [0, 1, -1, 1e6])
def test_truncated_between_neighbours(scale, mean):
    """Both ends of an interval one ulp wide occur, about equally often, in either width and on either side."""
    for dtype, sign in [(F4, 1), (F4, -1), (F8, 1), (F8, -1)]:
        low = dtype.type(scale)
        high = np.nextafter(low, dtype.type(INF))
        a, b = sorted((sign * float(low), sign * float(high)))
        array = init.trunc_normal_(np.empty(2**12, dtype), mean * scale, scale, a, b, generator=0)
        assert abs(np.mean(array == a) - 0.5) < 0.06
        assert np.mean((array == a) | (array == b)) == 1


@pytest.mark.parametrize(
    ("law", "dtype"),
    [((0.1, 0, 0, 0.1), F4), ((0.1, 0, 0.1, 0.1 + 1e-12), F4), ((16777217, 0, 16777217, 16777218), F4)],
)
def test_no_deviation_stays_inside_or_is_refused(law, dtype):
    """float32(0.1) > 0.1: a value past b is no value of the law, as little as it is with a std of 1e-300."""
    *_, a, b = law
    try:
        array = init.trunc_normal_(np.empty(3, dtype), *law)
    except init.InvalidValueError:
        return
    assert a <= float(array[0]) <= b


@pytest.mark.parametrize(
    ("law", "low", "high"),
    [
        ((-1.7e308, 1e308, 1.7e308, INF), 1.7e308, MAX8),  # a - mean overflows: 3.4 sigma, not infinitely many
        ((1.7e308, 1e308, -MAX8, -1.7e308), -MAX8, -1.7e308),
        ((-1e100, 1e-55, 0, 1), 1e-211, 1e-209),  # alpha^2 overflows: an exponential law of scale std / alpha = 1e-210
        ((1e100, 1e-55, -1, 0), -1e-209, -1e-211),
    ],
)
def test_truncated_values_spread_over_the_interval(law, low, high):
    array = init.trunc_normal_(np.empty(2**12), *law, generator=0)
    assert low <= np.sort(array)[array.size // 2] <= high
    assert np.unique(array).size > 1


HARD = {  # nearly every proposal could be rejected: bounds at the end of the dtype, not cut off there
    "float32-end": "np.empty(99, 'f4'), 0, 1e38, np.finfo('f4').max, np.inf",
    "float64-end": "np.empty(99), 0, 1e308, np.nextafter(np.finfo('f8').max, 0), np.inf",
    "float64-low-end": "np.empty(99), 0, 1e308, -np.inf, np.nextafter(-np.finfo('f8').max, 0)",
    "mean-at-the-end": "np.empty(99), -np.finfo('f8').max, 1e308, -np.inf, np.nextafter(-np.finfo('f8').max, 0)",
    "float32-mean-at-the-end": "np.empty(99, 'f4'), np.finfo('f4').max, 3e38, 3.4028233e38, np.inf",
    "far-beyond-float32": "np.empty(99, 'f4'), 0, 1e38, 3.4028233e38, 1e300",
    "one-sided-far": "np.empty(99), 0, 1, 1e300, np.inf",
    "denormal": "np.empty(99), 0, 5e-324, 5e-324, 1e-323",
    "denormal-far": "np.empty(99), -1e300, 5e-324, 5e-324, 1e-323",
    "nothing-but-zero": "np.empty(99, 'f4'), 0, 1, -1e-46, 1e-46",
}
ALL_AT_ONCE = """
import os, threading, time
import numpy as np, numbainit as init

for dtype in ("f4", "f8"):  # compile first
    init.trunc_normal_(np.empty(9, dtype), generator=0)
    init.trunc_normal_(np.empty(9, dtype), a=8, b=9, generator=0)
deadline = time.monotonic() + 10

def work(name, *arguments):
    init.trunc_normal_(*arguments, generator=0)
    os.write(1, name.encode() + b"\\n")

threads = [threading.Thread(target=work, args=case, daemon=True) for case in [CASES]]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(max(0, deadline - time.monotonic()))
os._exit(0)
"""


@pytest.fixture(scope="module")
def finished():
    """The names of the cases that came to an end; in another process, where a loop that never accepts can be killed."""
    cases = ", ".join(f"({name!r}, {arguments})" for name, arguments in HARD.items())
    code = ALL_AT_ONCE.replace("CASES", cases)
    return subprocess.run(
        [sys.executable, "-c", code], check=True, timeout=300, capture_output=True, text=True
    ).stdout.split()


@pytest.mark.parametrize("case", HARD)
def test_truncation_ends(case, finished):
    assert case in finished


@pytest.mark.parametrize("dtype", [F4, F8])
def test_rounding_up_and_down(dtype):
    form = formats.stored(dtype.name)
    largest, smallest = float(np.finfo(dtype).max), float(np.finfo(dtype).smallest_subnormal)
    cases = [
        (0.1, None),
        (largest, largest),
        (-largest, -largest),
        (smallest, smallest),
        (0.0, 0.0),
        (-INF, -largest),
    ]
    for value, up in cases:
        rounded = form.round_up(value)
        assert rounded >= value
        assert up is None or rounded == up
        assert form.round_down(-value) == -rounded
    assert formats.FLOAT32.round_up(1e-60) == float(np.float32(1e-45))
    assert form.round_up(INF) == INF
    assert formats.FLOAT32.round_up(0.1) > 0.1 > formats.FLOAT32.round_down(0.1)
