"""The same call on other threads, strides, byte orders, sizes and CPUs → the same bits.

An element is a function of key, draw and its index in the logical C order. Whatever else changes here must not show.
"""

import hashlib
import json
import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import llvmlite.binding as llvm
import numba
import numpy as np
import pytest

import numbainit as init
import reference
from cases import LIGHT_PARAMETERS, is_light, thinned
from numbainit.targets.cpu.launch import PARALLEL_FROM

NORMAL, UNIFORM = ("normal", (0.5, 2.0)), ("uniform", (-1.0, 1.0))
CENTRE, TAIL, NARROW = [("trunc_normal", bounds) for bounds in ((0, 1, -1, 1.5), (0, 1, 2, 100), (0, 1, -0.5, 0.5))]
LAWS = [
    *[(law, parameters, dtype) for law, parameters in (UNIFORM, NORMAL, CENTRE, TAIL) for dtype in ("f4", "f8")],
    *[("bits", (), dtype) for dtype in reference.INTEGER_DTYPES],
    *[("normal", (0.5, 2.0), "float8_e5m2"), ("normal", (1 - 2j, 2.0), "complex64")],
    ("trunc_normal", (0, 1, -1, 1.5), "bfloat16"),
]
LIGHT_LAWS = [case for case in LAWS if case[2] not in ("int32", "int64", "float8_e5m2")]
LARGE = PARALLEL_FROM + 3 * 4096 + 5  # a size that all threads work on, and no multiple of anything


def filled(case, array, seed=17):
    law, parameters, _ = case
    getattr(init, law + "_")(array, *parameters, generator=seed)
    return array


def as_bytes(array):
    """The bytes of the logical C order, native."""
    return np.ascontiguousarray(array, array.dtype.newbyteorder("=")).tobytes()


# ---- threads and sizes ----


@pytest.mark.parametrize("case", thinned(reference.CASES, is_light), ids=reference.case_name)
def test_one_thread_gives_what_all_threads_give(case, one_thread):
    alone = filled(case, np.empty(LARGE, case[2]))
    numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)
    assert as_bytes(filled(case, np.empty(LARGE, case[2]))) == as_bytes(alone)


@pytest.mark.parametrize("case", thinned(LAWS, LIGHT_LAWS), ids=reference.case_name)
def test_a_short_array_is_the_head_of_a_longer_one(case):
    longest = filled(case, np.empty(LARGE, case[2]))
    near = [PARALLEL_FROM + off for off in (-4097, -4096, -5, -1, 0, 1, 2, 3, 4095, 4096, 4097)]
    for size in [0, 1, 2, 3, 4, 5, 1000, 4095, 4096, 4097, 8191, 8193, *near]:
        assert as_bytes(filled(case, np.empty(size, case[2]))) == as_bytes(longest[:size])


@pytest.mark.parametrize("case", thinned(LAWS, LIGHT_LAWS), ids=reference.case_name)
def test_shape_does_not_matter(case):
    flat = filled(case, np.empty(2 * 3 * 5 * 7, case[2]))
    for shape in [(210,), (2, 105), (105, 2), (2, 3, 5, 7), (1, 210, 1), (7, 1, 30)]:
        assert as_bytes(filled(case, np.empty(shape, case[2]))) == as_bytes(flat)


# ---- strides, memory order, alignment, byte order ----


def field(shape, dtype, pad):
    """A field of a structured array: its strides are those of the whole record."""
    return np.zeros(shape, [("pad", pad), ("x", dtype)])


VIEWS = {  # name: dtype → (owner of the memory, view that is filled)
    "fortran": lambda t: (base := np.zeros((37, 29), t, order="F"), base),
    "fortran-large": lambda t: (base := np.zeros((191, 257), t, order="F"), base),
    "transposed": lambda t: (base := np.zeros((3, 7, 11), t), base.transpose(2, 0, 1)),
    "transposed-large": lambda t: (base := np.zeros((31, 37, 41), t), base.transpose(1, 2, 0)),
    "negative": lambda t: (base := np.zeros((37, 29), t), base[::-1, ::-2]),
    "negative-1d": lambda t: (base := np.zeros(101, t), base[::-1]),
    "negative-large": lambda t: (base := np.zeros(2 * LARGE, t), base[::-2]),
    "odd-steps": lambda t: (base := np.zeros((40, 50), t), base[3::5, 1::3]),
    "inner-slice": lambda t: (base := np.zeros((40, 50), t), base[5:-5, 7:-3]),
    "inner-slice-large": lambda t: (base := np.zeros((300, 200), t), base[5:-5, 7:-3]),
    "column": lambda t: (base := np.zeros((40, 50), t), base[:, 7]),
    "0-d": lambda t: (base := np.zeros((), t), base),
    "0-d-view": lambda t: (base := np.zeros((4, 5), t), base[2, 3, ...]),
    "unit-axes": lambda t: (base := np.zeros((30, 4, 6), t), base[::-3, None, 1:2, None, ::-1]),
    "six-axes": lambda t: (base := np.zeros((2, 3, 4, 3, 2, 5), t), base.transpose(5, 0, 4, 1, 3, 2)[:, ::-1]),
    "no-elements": lambda t: (base := np.zeros((4, 5), t), base[2:2, ::-1]),
    "field": lambda t: (base := field((13, 5), t, "u1"), base["x"]),  # strides are no multiple of the itemsize
    "field-large": lambda t: (base := field(2**16 + 4103, t, "u1"), base["x"]),
    "field-aligned": lambda t: (base := field((13, 5), t, "V8"), base["x"]),
    "misaligned": lambda t: (base := np.zeros(np.dtype(t).itemsize * 99 + 1, "u1"), base[1:].view(t)),
    "swapped": lambda t: (base := np.zeros((13, 5), np.dtype(t).newbyteorder()), base),
    "swapped-strided": lambda t: (base := np.zeros((26, 7), np.dtype(t).newbyteorder()), base[::-2, 1::2]),
}


FEW_LAWS = [LAWS[0], LAWS[5], *LAWS[-4:]]  # kernels differ by law and width; their strided loops do not
FEWEST_LAWS = [LAWS[0]]


@pytest.mark.parametrize("view", [name for name in VIEWS if "large" not in name])
@pytest.mark.parametrize("case", thinned(LAWS, [*LAWS[:2], *LAWS[-2:]]), ids=reference.case_name)
def test_memory_layout_does_not_matter(view, case):
    assert_layout_does_not_matter(view, case)


@pytest.mark.parametrize("view", [name for name in VIEWS if "large" in name])
@pytest.mark.parametrize("case", thinned(FEW_LAWS, FEWEST_LAWS), ids=reference.case_name)
def test_memory_layout_does_not_matter_to_all_threads(view, case):
    assert_layout_does_not_matter(view, case)


def assert_layout_does_not_matter(view, case):
    _, array = VIEWS[view](case[2])
    expected = filled(case, np.empty(array.shape, case[2]))
    assert as_bytes(filled(case, array)) == as_bytes(expected)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("case", thinned(FEW_LAWS, FEWEST_LAWS), ids=reference.case_name)
def test_only_the_view_is_written(view, case):
    owner, array = VIEWS[view](case[2])
    memory = owner.reshape(-1, order="A").view("u1")
    memory[:] = 0xA5
    filled(case, array)
    array[...] = 0
    untouched, blank = memory == 0xA5, VIEWS[view](case[2])
    blank[0].reshape(-1, order="A").view("u1")[:] = 0xA5
    blank[1][...] = 0
    assert np.array_equal(untouched, blank[0].reshape(-1, order="A").view("u1") == 0xA5)


@pytest.mark.parametrize("dtype", thinned([*reference.FLOAT_DTYPES, "bfloat16", "complex64"], ["float32"]))
@pytest.mark.parametrize(
    "view", ["fortran", "fortran-large", "negative", "odd-steps", "inner-slice", "field", "swapped"]
)
def test_memory_layout_does_not_matter_to_sparse(view, dtype):
    _, array = VIEWS[view](dtype)
    expected = init.sparse_(np.empty(array.shape, dtype), 0.3, generator=5)
    assert as_bytes(init.sparse_(array, 0.3, generator=5)) == as_bytes(expected)


def test_sparse_on_one_thread(one_thread):
    alone = init.sparse_(np.empty((211, 307), np.float32), 0.3, generator=5)
    numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)
    assert as_bytes(init.sparse_(np.empty((211, 307), np.float32), 0.3, generator=5)) == as_bytes(alone)


# ---- float32 against float64 ----
#
# The float32 law sees 32 of the 53 bits of the radius word, 32 of the 55 bits of the angle word and 24 of the 53 bits
# of a uniform. Bounds for the difference follow; ULP is 2^-23, twice the largest relative error of one rounding.

ULP = 2.0**-23
SLACK = 1.001  # for products of the small terms, and for float64's own roundings
AGREEING = 2**16


def both(law, parameters, n=AGREEING, seed=31):
    return [filled((law, parameters, None), np.empty(n, dtype), seed).astype("f8") for dtype in ("f4", "f8")]


@pytest.mark.parametrize("parameters", reference.PARAMETERS["uniform"], ids=str)
def test_uniform_float32_agrees_with_float64(parameters):
    """u differs by less than 2^-24; a and b - a, rounded to float32, by half an ulp; so does the result.

    The clip moves a value by no more than the gap between a or b and the nearest float32 inside.
    """
    a, b = parameters
    narrow, wide = both("uniform", parameters)
    bound = (b - a) * (2.0**-24 + ULP / 2) + ULP * 1.5 * max(abs(a), abs(b))
    assert np.abs(narrow - wide).max() <= bound * SLACK


def normal_bound(z, r):
    """How far a float32 standard normal may lie from the float64 one, z, that has the radius r.

    With u = exp(-r^2 / 2), the radius words differ by less than 2^-32, so r^2 by less than 2 ln(1 + 2^-32 / u). The
    angles differ by less than 2 pi 2^-32. The float32 functions are off by less than 4.5 ulp (test_elementary.py).
    """
    radius_square = r * r
    change = 2 * np.log1p(2.0**-32 * np.exp(radius_square / 2))
    with np.errstate(invalid="ignore"):
        radial = change / (r + np.sqrt(np.maximum(radius_square - change, 0)))
    return SLACK * (radial + r * 2 * np.pi * 2.0**-32 + 4.5 * ULP * (np.abs(z) + radial + r * 2.0**-29))


def affine_bound(z, dz, mean, std):
    """Of z std + mean, with mean, std and the result rounded to float32 (or too small for its normal numbers)."""
    x = np.abs(mean) + std * (np.abs(z) + dz)
    return SLACK * (std * dz + ULP / 2 * (std * np.abs(z) + abs(mean) + x) + 2.0**-148 * (1 + np.abs(z)))


def radii(z):
    """The radius of each element, from the pairs of one Box-Muller."""
    return np.repeat(np.hypot(z[::2], z[1::2]), 2)


@pytest.mark.parametrize("parameters", reference.PARAMETERS["normal"], ids=str)
def test_normal_float32_agrees_with_float64(parameters):
    mean, std = parameters
    narrow, wide = both("normal", parameters)
    z = both("normal", (0.0, 1.0))[1]
    assert np.all(np.abs(narrow - wide) <= affine_bound(z, normal_bound(z, radii(z)), mean, std))


def test_normal_agreement_is_tight_enough_to_mean_something():
    z = both("normal", (0.0, 1.0))[1]
    bound = normal_bound(z, radii(z))
    assert np.median(bound) < 2e-6
    assert np.quantile(bound, 0.999) < 1e-4


def truncated_bound(how, parameters, wide, seed):
    """The same for truncated normals, of elements whose proposals were decided alike in both widths."""
    mean, std, a, b = parameters
    if how.kind == "constant":
        return np.full(wide.size, ULP * abs(how.base))
    if how.kind == "normal":
        z = both("normal", (0.0, 1.0), wide.size, seed)[1]
        r, key = radii(z), reference.key_of_seed(seed)
        moved = np.flatnonzero(z * std + mean != wide)  # not the first attempt, or the last bit of the affine step
        for i in moved[np.abs(z[moved] * std + mean - wide[moved]) > 1e-12 * (std + abs(mean))]:
            _, attempt = reference.trunc_normal_attempts(key, 0, int(i), *parameters, dtype="f8")
            pair = [reference.standard_normal(key, 0, int(j), 64, attempt) for j in (i - i % 2, i - i % 2 + 1)]
            z[i], r[i] = pair[i % 2], np.hypot(*pair)
        return affine_bound(z, normal_bound(z, r), mean, std)
    # x = base + x1 raw. Tightened to float32, a bound moves by half an ulp, and so does base; x1 = b - a by an ulp, and
    # x1 = std / (2 lam) by that half over 2 (lam^2 + 1), which is at least 4.
    bounds = sum(abs(bound) for bound in (a, b) if np.isfinite(bound))
    raw = np.abs((wide - how.base) / how.x1)
    logarithm = 2 * np.log1p(2.0**-32 * np.exp(raw / 2)) + 2 * ULP * raw
    change = logarithm if how.kind == "exponential" else 2.0**-24
    return SLACK * (abs(how.x1) * change + ULP * bounds * (1.5 + raw / 8) + ULP / 2 * np.abs(wide))


def other_decisions(how, parameters):
    """The share of elements that may be decided otherwise in float32: where a comparison is within rounding.

    ``shift`` is how far mean and bounds move when they are rounded, in standard deviations, and what the float32
    functions are off by. A normal proposal crosses one of two edges (density below 0.4). A uniform one is compared with
    a line that moves by less than 2 z shift at z, where -2 ln v has a density below 1/2; an exponential one by
    2 (r/2 - 1)^2 shift / lam^3, of which 2 shift / lam^3 is the mean, or it crosses the far bound, where its density
    is lam exp(-lam span). Fewer than three attempts an element are made on average.
    """
    mean, std, a, b = parameters
    if how.kind == "constant":
        return 0.0
    edges = [abs(edge) for edge in (a, b) if np.isfinite(edge)]
    shift = ULP * (8 + (abs(mean) + max(edges, default=0.0)) / std)
    if how.kind == "normal":
        return 3 * 0.8 * shift
    if how.kind == "uniform":
        return 3 * max(abs(edge - mean) for edge in (a, b)) / std * shift
    lam, span = -1 / how.t0, (b - a) / std
    return 3 * shift * (lam**-3 + (lam * np.exp(-lam * span) if np.isfinite(span) else 0))


def same_kind(parameters):
    """Whether both widths draw alike. Not so within a float32 ulp of where one kind of proposal takes over."""
    narrow, wide = (reference.proposals(*parameters, width) for width in (32, 64))
    return narrow.kind == wide.kind


def test_the_widths_draw_alike_but_at_the_switch():
    others = [parameters for parameters in reference.PARAMETERS["trunc_normal"] if not same_kind(parameters)]
    assert others == [(0.0, 1.0, -1.2533141373155001, 1.2533141373155001)]  # b - a is sqrt(2 pi) to the last bit


@pytest.mark.parametrize(
    "parameters",
    thinned([p for p in reference.PARAMETERS["trunc_normal"] if same_kind(p)], LIGHT_PARAMETERS["trunc_normal"]),
    ids=str,
)
def test_trunc_normal_float32_agrees_with_float64(parameters):
    """An element may differ only where a proposal or its acceptance lies within rounding of an edge.

    The seed is fixed, so three elements above the expected number are no flicker but an allowance for chance.
    """
    seed, how = 31, reference.proposals(*parameters, 64)
    n = 2**11 if how.kind == "normal" else AGREEING  # the reference looks for the attempts of rejected normals
    narrow, wide = both("trunc_normal", parameters, n, seed)
    bound = truncated_bound(how, parameters, wide, seed)
    assert np.count_nonzero(~(np.abs(narrow - wide) <= bound)) <= 3 + n * other_decisions(how, parameters)


@pytest.mark.parametrize("sparsity", [0.0, 0.3, 1.0])
def test_sparse_float32_agrees_with_float64(sparsity):
    narrow, wide = (init.sparse_(np.empty((64, 96), dtype), sparsity, 1.0, generator=3) for dtype in ("f4", "f8"))
    assert np.array_equal(narrow == 0, wide == 0)
    assert np.allclose(narrow, wide, rtol=1e-5, atol=1e-6)


# ---- other CPUs ----


def digests(size=PARALLEL_FROM + 5):
    """One digest for every law and dtype, on all threads; and some with strides."""
    result = {reference.case_name(case): digest(case, np.empty(size, case[2])) for case in reference.CASES}
    for dtype in ("f4", "f8"):
        case = (*CENTRE, dtype)
        result["strided " + reference.case_name(case)] = digest(case, np.empty((60, 30), dtype)[::-1, ::2])
    for dtype in reference.FLOAT_DTYPES:
        matrix = init.sparse_(np.empty((431, 101), dtype), 0.3, generator=5)
        result["sparse " + dtype] = hashlib.sha256(as_bytes(matrix)).hexdigest()
    return result


def digest(case, array, seed=17):
    return hashlib.sha256(as_bytes(filled(case, array, seed))).hexdigest()


def python(code, **settings):
    """Start another interpreter that sees this package and these tests."""
    paths = [str(Path(__file__).parent), str(Path(init.__file__).parents[1])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **settings}
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def output_of(process, timeout=300):
    try:
        out, err = process.communicate(timeout=timeout)
    finally:
        process.kill()
    assert process.returncode == 0, err
    return out


AVX2 = "avx2 fma bmi bmi2 lzcnt f16c movbe avx sse4.2 popcnt"
AVX512 = "avx512f avx512dq avx512bw avx512vl avx512cd"
ZEN4 = f"{AVX2} {AVX512} avx512bf16 avx512vnni avx512vbmi avx512vbmi2 avx512ifma avx512bitalg avx512vpopcntdq sse4a"
#: name of a processor: what a machine must have to run its code (all may be used), and so many threads
CPUS = {
    "generic": ("", 3),
    "x86-64-v2": ("sse4.2 popcnt", 2),
    "haswell": (AVX2, 5),
    "skylake-avx512": (f"{AVX2} {AVX512}", 2),
    "znver4": (ZEN4, 3),
}
HERE = {name for name, has in llvm.get_host_cpu_features().items() if has}
CPUS = {name: (wanted.split(), threads) for name, (wanted, threads) in CPUS.items() if HERE.issuperset(wanted.split())}


@pytest.fixture(scope="module")
def digests_by_cpu(tmp_path_factory):
    """The digests of all CPU settings, two side by side, each with its own cache of kernels."""
    code = """
    import json, numba, test_determinism
    print(json.dumps({"cpu": numba.config.CPU_NAME, **test_determinism.digests()}))
    """

    caches = tmp_path_factory.mktemp("caches")  # once, here: two threads that ask first both make pytest's own folder

    def digests_on(name):
        features, threads = CPUS[name]
        settings = {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": ",".join("+" + feature for feature in features)}
        settings |= {"NUMBA_NUM_THREADS": str(threads), "NUMBA_CACHE_DIR": str(caches / name)}
        return json.loads(output_of(python(code, **settings)))

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(CPUS, pool.map(digests_on, CPUS), strict=True))


@pytest.fixture(scope="module")
def native_digests():
    return digests()


@pytest.mark.full  # compiles everything again for each
@pytest.mark.parametrize("cpu", CPUS)
def test_cpu_does_not_matter(cpu, digests_by_cpu, native_digests):
    other = digests_by_cpu[cpu]
    assert other.pop("cpu") == cpu  # the setting was heard
    assert other.keys() == native_digests.keys()
    assert {name for name in native_digests if other[name] != native_digests[name]} == set()
