"""Every small float and complex dtype → the values of the wide law: rounded once, inside their bounds, or in pairs.

That the bits are those of the reference is tested in ``test_stream.py``; here it is what users are promised, against
the package's own float32 and the casts of ml_dtypes.
"""

import math
import subprocess
import sys

import ml_dtypes
import numpy as np
import pytest

import budget
import numbainit as init
from cases import full_only, thinned
from numbainit.maths.formats import SMALL

INF = math.inf
SIZE = 40_007  # all threads, and no whole number of blocks
every = pytest.mark.parametrize("name", thinned(SMALL, ["bfloat16"]))
both = pytest.mark.parametrize("dtype", thinned(["complex64", "complex128"], ["complex64"]))


def bits(array):
    return np.ascontiguousarray(array).view(f"u{array.itemsize}")


def part(dtype):
    return np.dtype(f"f{np.dtype(dtype).itemsize // 2}")


# ---- small floats are the float32 value, rounded once ----

EXACT = {  # laws whose bounds every small dtype holds
    "normal_": [(0, 0.02), (1, 0.5), (-0.25, 1e-3)],
    "trunc_normal_": [(0, 1, -2, 2), (0, 1, 2, 3), (0, 0.02, -2, 2), (0.1, 0.3, -0.5, 0.25), (0, 1e-4, -1, 1)],
}


@every
@pytest.mark.parametrize(("law", "arguments"), [(law, given) for law, all_of in EXACT.items() for given in all_of])
def test_values_are_those_of_float32_rounded(law, arguments, name):
    wide = getattr(init, law)(np.empty(SIZE, "f4"), *arguments, generator=1)
    array = getattr(init, law)(np.empty(SIZE, name), *arguments, generator=1)
    assert np.array_equal(bits(array), bits(wide.astype(name)))


@every
@pytest.mark.parametrize("bounds", [(-1, 1), (0, 1), (0.5, 2), (-0.25, -0.125)])
def test_uniforms_are_those_of_float32_rounded_but_never_b(bounds, name):
    wide = init.uniform_(np.empty(SIZE, "f4"), *bounds, generator=1)
    array = init.uniform_(np.empty(SIZE, name), *bounds, generator=1)
    rounded = np.minimum(wide, np.float32(SMALL[name].below(bounds[1]))).astype(name)
    assert np.array_equal(bits(array), bits(rounded))
    assert bounds[0] <= float(array.min()) < float(array.max()) < bounds[1]


@every
def test_scaled_and_sparse_ones_too(name):
    for law, arguments in [
        *[("xavier_normal_", ()), ("kaiming_normal_", ()), ("sparse_", (0.3, 0.1))],
        *[("xavier_uniform_", ()), ("kaiming_uniform_", (math.sqrt(5),)), ("orthogonal_", (0.5,))],
    ]:
        wide = getattr(init, law)(np.empty((60, 50), "f4"), *arguments, generator=1)
        array = getattr(init, law)(np.empty((60, 50), name), *arguments, generator=1)
        if "uniform" in law:  # which leave the bound itself out
            largest = abs(array.astype("f4")).max()
            wide = wide.clip(-largest, largest)
        assert np.array_equal(bits(array), bits(wide.astype(name)))
        if law == "sparse_":
            assert (bits(array)[wide == 0] == 0).all()


@every
def test_constants(name):
    dtype = np.dtype(name)
    for law, value in [("ones_", 1), ("zeros_", 0)]:
        assert (getattr(init, law)(np.empty(3, dtype)).astype("f4") == value).all()
    assert np.array_equal(init.eye_(np.empty((2, 3), dtype)).astype("f4"), np.eye(2, 3))
    assert np.array_equal(init.dirac_(np.empty((1, 1, 3), dtype)).astype("f4"), [[[0, 1, 0]]])
    assert float(init.constant_(np.empty(1, dtype), 0.3)[0]) == SMALL[name].round(0.3)
    assert np.isnan(init.constant_(np.empty(1, dtype), math.nan).astype("f4")).all()


def test_a_constant_is_rounded_once():
    """1 + 2^-8 + 2^-40 lies above a tie of bfloat16, at which float32 would put it."""
    assert float(init.constant_(np.empty(1, "bfloat16"), 1 + 2.0**-8 + 2.0**-40)[0]) == 1 + 2.0**-7


def test_infinite_constants():
    for name, form in SMALL.items():
        array = np.zeros(2, name)
        if form.has_infinity:
            assert np.isinf(init.constant_(array, -INF).astype("f4")).all()
        else:
            with pytest.raises(init.InvalidValueError, match=f"val must be finite in {name}, got inf"):
                init.constant_(array, INF)
            assert not array.any()


# ---- bounds hold after the rounding ----

NASTY = [
    *[(0.1, 0.3), (0.997, 1.0), (1 / 3, 2 / 3), (-0.7, -0.1), (-0.013, 0.2), (0.9, 1.1), (-1.03, 1.03), (0, 0.6)],
    *[(-0.3, 1e-9), (-1e-9, 0.6)],
]


@every
@pytest.mark.parametrize("bounds", NASTY)
def test_no_value_leaves_its_bounds(bounds, name):
    """Either no number of the dtype lies within, and that is said, or all values do, zero with its sign aside."""
    a, b = bounds
    middle = (a + b) / 2
    for law, arguments in [
        ("uniform_", bounds),
        *[("trunc_normal_", (mean, std, *bounds)) for mean in (middle, a, b, 3 * b) for std in (1e-5, 0.05, 1.0, 9.0)],
    ]:
        array, last = np.zeros(SIZE, name), SMALL[name].round_down(b)
        if law == "uniform_" and last == b:
            last = SMALL[name].below(b)
        if SMALL[name].round_up(a) > last:
            with pytest.raises(init.InvalidValueError, match=f"no {name} lies in"):
                getattr(init, law)(array, *arguments, generator=2)
            continue
        getattr(init, law)(array, *arguments, generator=2)
        values = array.astype("f8")
        assert a <= values.min() <= values.max() <= b
        assert law != "uniform_" or values.max() < b


@pytest.mark.parametrize(
    ("law", "name", "values"),
    thinned(
        [
            ((0.9971, 1e-5, 0.997, 1.0), "bfloat16", {1.0}),
            ((0.9, 1e-6, 0.0, 0.93), "float8_e4m3fn", {0.875}),
            ((5.0, 1e-6, 4.9, 6.0), "float8_e5m2", {5.0, 6.0}),
            ((0.0, 1.0, 448.0, INF), "float8_e4m3fn", {448.0}),
            ((0.0, 1.0, 60000.0, INF), "float16", {60000.0}),
            ((0.0, 1e-30, 1e-3, 1.0), "float8_e4m3fn", {2.0**-9}),
            ((0.0, 1e-9, -1e-6, 0.4), "float8_e3m4", {0.0}),
            ((0.0, 1000.0, -INF, INF), "float8_e5m2fnuz", None),
        ],
        lambda case: case[1] == "bfloat16",
        several=True,
    ),
)
def test_truncation_ends_where_the_law_is_tiny_against_a_cell(law, name, values):
    array = init.trunc_normal_(np.empty(SIZE, name), *law, generator=0).astype("f8")
    assert np.isfinite(array).all()
    assert law[2] <= array.min() <= array.max() <= law[3]
    assert values is None or set(array.tolist()) <= values


def test_the_ends_of_a_truncated_law_weigh_what_their_cells_weigh():
    """Bounds that bfloat16 holds: the numbers at the ends have half a cell, those between a whole one."""
    a, b, step = 1.0, 1.0 + 2.0**-4, 2.0**-7
    array = init.trunc_normal_(np.empty(2**18, "bfloat16"), 1.0, 50.0, a, b, generator=0).astype("f8")
    counts = np.bincount(np.round((array - a) / step).astype(int), minlength=9)
    weights = np.array([0.5, *[1.0] * 7, 0.5]) / 8
    budget.chi_square(counts, counts.sum() * weights, "cells of bfloat16")


# ---- refused ----


@pytest.mark.parametrize(
    ("law", "name", "arguments", "fragments"),
    [
        ("normal_", "float16", (0, 1e4), ["reach 66700", "largest float16 is 65504", "trunc_normal_"]),
        ("normal_", "float16", (6.5e4, 100), ["reach", "float16"]),
        ("normal_", "float8_e3m4", (0, 2.4), ["largest float8_e3m4 is 15.5"]),
        ("normal_", "bfloat16", (0, 1e38), ["largest bfloat16"]),
        ("normal_", "float16", (7e4, 1), ["mean must be finite in float16", "70000"]),
        ("uniform_", "float8_e4m3fn", (0, 449), ["b must be finite in float8_e4m3fn", "449"]),
        ("uniform_", "float16", (1.0001, 1.0002), ["no float16 lies in [1.0001, 1.0002)", "wider dtype"]),
        ("trunc_normal_", "bfloat16", (0, 1, 1.001, 1.002), ["no bfloat16 lies in [1.001, 1.002]"]),
        ("trunc_normal_", "float8_e5m2", (0, 1, 60000, INF), ["no float8_e5m2 lies in [60000.0, inf]"]),
        ("constant_", "float16", (65520,), ["val must be finite in float16"]),
        ("sparse_", "float8_e3m4", (0.5, 3), ["largest float8_e3m4"]),
        ("orthogonal_", "float8_e3m4", (16,), ["gain must be finite in float8_e3m4"]),
        ("uniform_", "complex64", (), ["real arrays, got complex64", "view('float32')", "disk"]),
        ("trunc_normal_", "complex128", (), ["real arrays, got complex128", "view('float64')"]),
        ("bits_", "float16", (), ["uint32, int32, uint64, int64"]),
        ("bits_", "complex64", (), ["uint32, int32, uint64, int64"]),
        ("ones_", "float8_e8m0fnu", (), ["no zero and no sign"]),
        ("normal_", "float8_e8m0fnu", (), ["no zero and no sign"]),
    ],
)
def test_refusals(law, name, arguments, fragments):
    array, generator = np.ones((4, 6), name), init.Generator(0)
    before = array.tobytes()
    keywords = {} if law in ("constant_", "ones_") else {"generator": generator}
    with pytest.raises((init.InvalidValueError, init.InvalidTypeError)) as caught:
        getattr(init, law)(array, *arguments, **keywords)
    for fragment in fragments:
        assert fragment in str(caught.value), str(caught.value)
    assert array.tobytes() == before
    assert generator.draws == 0


@every
def test_the_widest_normal_that_is_accepted_stays_finite(name):
    std = SMALL[name].largest / 6.68
    array = init.normal_(np.empty(2**20, name), 0, std, generator=3).astype("f4")
    assert np.isfinite(array).all()


# ---- new arrays ----


@pytest.mark.parametrize("name", thinned([*SMALL, "complex64", "complex128"], ["bfloat16", "complex64"]))
def test_new_arrays_by_the_name_of_a_dtype(name):
    for spelling in (name, np.dtype(name), np.dtype(name).type):
        array = init.normal((3, 4), dtype=spelling, generator=1)
        assert array.dtype == np.dtype(name)
        assert np.array_equal(array, init.normal_(np.empty((3, 4), name), generator=1))


NOT_THERE = """
import sys
import numbainit as init
assert init.normal(3, dtype="float16").dtype == "float16" and "ml_dtypes" not in sys.modules
sys.modules["ml_dtypes"] = None  # as if it were not installed
try:
    init.normal(3, dtype="bfloat16")
except init.MissingExtraError as error:
    print(error)
"""


@pytest.mark.full
def test_a_missing_package_is_named_with_its_extra():
    done = subprocess.run([sys.executable, "-c", NOT_THERE], check=True, capture_output=True, text=True, timeout=120)
    assert 'pip install "numbainit[dtypes]"' in done.stdout
    assert "'bfloat16'" in done.stdout


@pytest.mark.full
@pytest.mark.parametrize("name", ["bfloat16", *full_only("float8_e4m3fn")])
def test_names_work_in_a_process_that_has_not_imported_ml_dtypes(name):
    code = f"import numbainit as init; print(init.normal(3, dtype={name!r}, generator=0).dtype)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == name
    assert np.dtype(getattr(ml_dtypes, name)).name == name


# ---- complex ----


@both
@pytest.mark.parametrize("std", [1.0, 0.02])
def test_a_complex_element_is_a_pair_of_real_ones(std, dtype):
    array = init.normal_(np.empty((101, 97), dtype), std=std, generator=4)
    pairs = init.normal_(np.empty((101, 97, 2), part(dtype)), std=std * math.sqrt(0.5), generator=4)
    assert np.array_equal(array.view(part(dtype)).reshape(pairs.shape), pairs)


@both
def test_each_part_has_its_own_mean(dtype):
    array = init.normal_(np.empty(SIZE, dtype), 3 - 2j, 0.5, generator=4)
    for parts, mean, first in [(array.real, 3, 0), (array.imag, -2, 1)]:
        shifted = init.normal_(np.empty(2 * SIZE, part(dtype)), mean, math.sqrt(0.125), generator=4)
        assert np.array_equal(parts, shifted[first::2])
    assert np.array_equal(
        init.normal_(np.empty(9, dtype), np.complex64(1j), generator=1),
        init.normal_(np.empty(9, dtype), 1j, generator=1),
    )


@both
@pytest.mark.parametrize("law", ["xavier_normal_", "xavier_uniform_", "kaiming_normal_", "kaiming_uniform_"])
def test_scaled_laws_have_the_variance_of_real_ones(law, dtype):
    """E |z|^2 as of a real array of this shape; half of it in each part, and the parts do not depend on each other."""
    shape = (300, 400)
    array = getattr(init, law)(np.empty(shape, dtype), generator=5)
    fan = 700 / 2 if "xavier" in law else 400
    gain = 1.0 if "xavier" in law else init.calculate_gain("leaky_relu", 0)
    z = array.astype("c16").ravel() * math.sqrt(2 * fan) / gain  # each part of variance 1
    fourth = 3.0 if "normal" in law else 9 / 5
    n = z.size
    moments = [z.real.mean(), z.imag.mean(), (z.real * z.imag).mean()]
    spread = [((parts**2).mean() - 1) / math.sqrt(fourth - 1) for parts in (z.real, z.imag)]
    budget.z_scores(np.array([*moments, *spread]) * math.sqrt(n), f"{law} {dtype}")


@pytest.mark.full
@both
def test_a_complex_sparse_matrix_has_the_mask_of_a_real_one(dtype):
    for shape in [(40, 30), (12, 5000), (5, 3)]:
        array = init.sparse_(np.empty(shape, dtype), 0.3, 0.5, generator=6)
        zero = init.sparse_(np.empty(shape, "f4"), 0.3, 0.5, generator=6) == 0
        dense = init.normal_(np.empty(shape, dtype), 0, 0.5, generator=6)
        assert np.array_equal(array, np.where(zero, 0, dense))
        assert np.array_equal(init.sparse_(np.empty(shape, dtype, order="F"), 0.3, 0.5, generator=6), array)


@both
def test_complex_constants(dtype):
    assert (init.constant_(np.empty(3, dtype), 1 - 2j) == 1 - 2j).all()
    assert (init.constant_(np.empty(3, dtype), 0.5) == 0.5).all()
    assert (init.ones_(np.empty(3, dtype)) == 1).all()
    assert np.array_equal(init.eye_(np.empty((2, 3), dtype)), np.eye(2, 3))
    with pytest.raises(init.InvalidTypeError, match="val must be a real number, got complex"):
        init.constant_(np.empty(3, "f4"), 1j)
    if dtype == "complex64":
        with pytest.raises(init.InvalidValueError, match="val must be finite in float32"):
            init.constant_(np.empty(3, dtype), 1e39j)


@both
@pytest.mark.parametrize("mean", ["1j", None, [1j], np.array([1j])])
def test_means_that_are_no_complex_number(mean, dtype):
    with pytest.raises(init.InvalidTypeError, match="mean must be"):
        init.normal_(np.empty(3, dtype), mean)


@both
@pytest.mark.parametrize("mean", [complex(math.nan, 0), complex(0, math.inf)])
def test_means_that_are_not_finite(mean, dtype):
    with pytest.raises(init.InvalidValueError, match="mean"):
        init.normal_(np.empty(3, dtype), mean)


# ---- unitary matrices ----


@both
@pytest.mark.parametrize("shape", [(1, 1), (4, 4), (3, 7), (7, 3), (130, 129), (300, 140), (20, 2, 3)], ids=str)
@pytest.mark.parametrize("gain", [1, -0.5])
def test_rows_or_columns_are_unitary(shape, gain, dtype):
    array = init.orthogonal_(np.empty(shape, dtype), gain, generator=7)
    matrix = array.reshape(shape[0], -1).astype("c16") / gain
    product = matrix @ matrix.conj().T if matrix.shape[0] <= matrix.shape[1] else matrix.conj().T @ matrix
    tolerance = np.finfo(part(dtype)).eps * 6 * math.sqrt(max(matrix.shape))
    assert np.abs(product - np.eye(len(product))).max() <= tolerance
    assert np.array_equal(init.orthogonal_(np.empty(shape, dtype, order="F"), gain, generator=7), array)


@pytest.mark.full
@pytest.mark.parametrize("n", thinned([1, 2, 3], [2]))
def test_unitary_matrices_are_haars(n):
    """What a rotation from either side leaves alone: |entry|^2 is Beta(1, n - 1), phases are uniform, and so is det's.

    A factorisation without the phases of the diagonal of R fails in the trace: E tr U = 0 and E |tr U|^2 = 1.
    """
    generator, sample = init.Generator(8).fold_in(n), np.empty((20_000, n, n), "c16")
    for matrix in sample:
        init.orthogonal_(matrix, generator=generator)
    for i, j in {(0, 0), (n - 1, 0), (0, n - 1), (n - 1, n - 1)}:
        entry = sample[:, i, j]
        budget.ks(np.angle(entry) / (2 * np.pi) + 0.5, f"phase of entry {i, j} of U({n})")
        if n > 1:
            budget.ks(1 - (1 - np.abs(entry) ** 2) ** (n - 1), f"entry {i, j} of U({n})")
    budget.ks(np.angle(np.linalg.det(sample)) / (2 * np.pi) + 0.5, f"determinant of U({n})")
    trace = np.trace(sample, axis1=1, axis2=2)
    spread = math.sqrt(len(trace) / 2)
    budget.z_scores(np.array([trace.real.mean(), trace.imag.mean()]) * 2 * spread, f"trace of U({n})")
    if n > 1:  # E |tr|^4 is 2
        budget.z_scores([(np.abs(trace) ** 2 - 1).mean() * math.sqrt(len(trace))], f"squared trace of U({n})")
