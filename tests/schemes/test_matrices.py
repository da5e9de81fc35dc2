"""Matrices with a structure, and the shapes that they are made in; their laws are tested elsewhere."""

import inspect
import math
from functools import partial

import ml_dtypes  # noqa: F401  (teaches NumPy the names of the small dtypes)
import numpy as np
import pytest

import numbainit as init
from cases import thinned

F4, F8 = np.dtype("f4"), np.dtype("f8")


def untouched(error, match, function, array, *arguments):
    """The call raises ``error``, and leaves the array and the generator alone."""
    generator, before = init.Generator(0), array.tobytes()
    keywords = {"generator": generator} if "generator" in inspect.signature(function).parameters else {}
    with pytest.raises(error, match=match) as caught:
        function(array, *arguments, **keywords)
    assert isinstance(caught.value, init.NumbaInitError)
    assert array.tobytes() == before
    assert generator.draws == 0


# ---- eye ----


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["f4", "f8", ">f4"])
@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (2, 5), (5, 2), (0, 3), (3, 0), (0, 0), (1, 100)])
def test_eye(shape, dtype, order):
    array = np.full(shape, np.nan, dtype, order)
    assert init.eye_(array) is array
    assert np.array_equal(array, np.eye(*shape))


@pytest.mark.parametrize("shape", [(), (4,), (2, 2, 2), (0, 0, 0)])
def test_eye_needs_two_dimensions(shape):
    untouched(
        init.InvalidValueError, r"^Only tensors with 2 dimensions are supported.*got \d", init.eye_, np.ones(shape)
    )


# ---- dirac ----


def dirac(shape, groups):
    """As the documentation has it: one element at a time."""
    out, channels, *receptive = shape
    array = np.zeros(shape)
    for o in range(out):
        channel = o % (out // groups)
        if channel < channels:
            array[(o, channel, *(size // 2 for size in receptive))] = 1
    return array


@pytest.mark.parametrize("dtype", ["f4", "f8", ">f8"])
@pytest.mark.parametrize(
    ("shape", "groups"),
    [
        *[((4, 4, 3), 1), ((4, 4, 4), 1), ((3, 16, 5, 5), 1), ((3, 24, 5, 5), 3), ((6, 2, 3, 4, 5), 1), ((6, 2, 1), 3)],
        *[((6, 2, 3), 6), ((2, 6, 3), 2), ((8, 3, 3), 2), ((1, 1, 1, 1, 1), 1), ((300, 2, 3), 150), ((5, 5, 2, 3), 5)],
    ],
)
def test_dirac(shape, groups, dtype):
    for array in (np.full(shape, np.nan, dtype), np.full(shape, np.nan, dtype, "F"), np.full(shape, 7, dtype)[::-1]):
        assert init.dirac_(array, groups) is array
        assert np.array_equal(array, dirac(shape, groups))


@pytest.mark.parametrize("groups", [1, 2, 7, 10**9])
@pytest.mark.parametrize("shape", [(0, 3, 3), (4, 0, 3), (14, 3, 0), (0, 0, 0)])
def test_dirac_without_elements(shape, groups):
    array = np.empty(shape, "f4")
    if shape[0] % groups:
        untouched(init.InvalidValueError, "^dim 0 must be divisible by groups", init.dirac_, array, groups)
    else:
        assert init.dirac_(array, groups) is array


@pytest.mark.parametrize("shape", [(), (4,), (4, 4), (1,) * 6])
def test_dirac_needs_three_to_five_dimensions(shape):
    wanted = r"^Only tensors with 3, 4, or 5 dimensions are supported.*got \d"
    untouched(init.InvalidValueError, wanted, init.dirac_, np.ones(shape))


@pytest.mark.parametrize(
    ("error", "groups", "match"),
    [
        (init.InvalidValueError, 3, r"^dim 0 must be divisible by groups.*\(4, 2, 3\).*groups=3"),
        (init.InvalidValueError, 8, "^dim 0 must be divisible by groups"),
        (init.InvalidValueError, 0, "groups must be at least 1, got 0"),
        (init.InvalidValueError, -2, "groups must be at least 1, got -2"),
        (init.InvalidTypeError, 2.0, "groups must be an int, got float 2.0"),
        (init.InvalidTypeError, True, "groups must be an int, got bool"),
        (init.InvalidTypeError, np.True_, "groups must be an int, got bool"),
        (init.InvalidTypeError, "2", "groups must be an int, got str"),
        (init.InvalidTypeError, None, "groups must be an int, got NoneType"),
        (init.InvalidTypeError, [2], "groups must be an int, got list"),
    ],
)
def test_dirac_groups(error, groups, match):
    untouched(error, match, init.dirac_, np.ones((4, 2, 3)), groups)


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int16, np.uint64, np.intp])
def test_dirac_groups_of_numpy(kind):
    """Also where the outputs are more than the type of the groups can count."""
    assert np.array_equal(init.dirac_(np.empty((300, 2, 3)), kind(3)), dirac((300, 2, 3), 3))


def test_dirac_of_the_groups_of_a_layout():
    """They are those of the argument; a transposed convolution's cut its inputs."""
    want = init.dirac(shape := (12, 2, 3), 3)
    assert np.array_equal(init.dirac(shape, layout=init.Layout(groups=3)), want)
    assert np.array_equal(init.dirac(shape, 3, layout=init.Layout(groups=3)), want)
    assert np.array_equal(init.dirac(shape, layout=init.Layout(transposed=True, groups=3)), want)
    swapped = init.dirac((2, 12, 3), layout=init.Layout("OI", transposed=True, groups=3))
    assert np.array_equal(swapped, want.transpose(1, 0, 2))
    for layout, text in [
        (init.Layout(groups=2), "groups=3 and Layout.*leave one of the two out"),
        (init.Layout(splits=2), "without splits"),
        ("EIO", "no E"),
    ]:
        untouched(init.InvalidValueError, text, partial(init.dirac_, layout=layout), np.ones(shape), 3)


# ---- identity ----


@pytest.mark.parametrize("dtype", ["f4", "f8", ">f4", "c8"])
@pytest.mark.parametrize("shape", [(3, 3), (2, 5), (5, 2), (0, 3)])
@pytest.mark.parametrize("gain", [1.0, -2.5, 0.0])
def test_identity(shape, gain, dtype):
    assert np.array_equal(init.identity_(np.full(shape, np.nan, dtype), gain), gain * np.eye(*shape))


def test_identity_is_rounded_once():
    small = init.identity((2, 2), 0.1, dtype="float8_e4m3fn")
    assert float(small[0, 0]) == 0.1015625
    untouched(init.InvalidValueError, "^Only tensors with 2 dimensions", init.identity_, np.ones(4))
    untouched(init.InvalidValueError, "gain must be finite", init.identity_, np.ones((2, 2)), math.inf)


# ---- bilinear ----


def tent(size):
    """As pytorch-fcn's ``get_upsampling_weight`` and Caffe's BilinearFiller have it."""
    factor = (size + 1) // 2
    centre = factor - 1 if size % 2 == 1 else factor - 0.5
    return 1 - abs(np.arange(size) - centre) / factor


@pytest.mark.parametrize("dtype", ["f4", "f8", ">f8", "c8", "bfloat16"])
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("shape", [(2, 2, 4), (4, 2, 3, 3), (2, 3, 4, 5), (2, 1, 2, 3, 4), (6, 3, 1)])
def test_bilinear(shape, groups, dtype):
    field = math.prod(np.ix_(*map(tent, shape[2:])))
    want = (dirac((*shape[:2], *(1 for _ in shape[2:])), groups) * field).astype(dtype)
    for array in (np.full(shape, 7, dtype), np.full(shape, 7, dtype, "F"), np.full(shape, 7, dtype)[::-1]):
        assert init.bilinear_(array, groups) is array
        assert np.array_equal(array, want)
    swapped = init.bilinear_(
        np.full((*shape[2:], shape[1], shape[0]), 7, dtype), groups, layout="XYZ"[: len(shape) - 2] + "IO"
    )
    assert np.array_equal(swapped, np.moveaxis(want, (0, 1), (-1, -2)))


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_bilinear_interpolates(factor):
    """A ramp becomes a finer ramp, away from its ends."""
    size = 2 * factor - factor % 2
    kernel, ramp = init.bilinear((1, 1, size), dtype="f8")[0, 0], np.arange(8.0)
    spread = np.zeros(factor * 7 + 1)
    spread[::factor] = ramp
    fine = np.convolve(spread, kernel)[size : 6 * factor]
    np.testing.assert_allclose(np.diff(fine), 1 / factor, atol=1e-12)


def test_bilinear_refuses_what_dirac_does():
    untouched(init.InvalidValueError, "^Only tensors with 3, 4, or 5", init.bilinear_, np.ones((2, 2)))
    untouched(init.InvalidValueError, "^dim 0 must be divisible by groups", init.bilinear_, np.ones((3, 2, 2)), 2)


# ---- an LSTM's bias ----


@pytest.mark.parametrize("dtype", ["f4", ">f8", "c16", "float8_e5m2"])
@pytest.mark.parametrize(("gates", "quarter"), [("ifgo", 1), ("ifco", 1), ("ijfo", 2), ("iofc", 2), ("fiog", 0)])
def test_forget_bias(gates, quarter, dtype):
    for shape in ((8,), (3, 12), (2, 2, 4)):
        want = np.zeros((*shape[:-1], 4, shape[-1] // 4))
        want[..., quarter, :] = 1.5
        array = init.forget_bias_(np.full(shape, 7, dtype), 1.5, gates)
        assert np.array_equal(array.astype("c16"), want.reshape(shape))


def test_every_part_of_a_forget_bias():
    whole = init.forget_bias((2, 12))
    for begin in range(12):
        for end in range(begin, 13):
            part = init.forget_bias((1, end - begin), block=init.Block((2, 12), (1, begin)))
            assert np.array_equal(part, whole[1:, begin:end])


@pytest.mark.parametrize(
    ("error", "shape", "arguments", "text"),
    [
        (init.InvalidValueError, (6,), (), r"four gates of equal sizes along its last axis, got shape \(6,\)"),
        (init.InvalidValueError, (), (), "four gates"),
        (init.InvalidValueError, (4,), (1.0, "ifg"), "the order of an LSTM's four"),
        (init.InvalidValueError, (4,), (1.0, "ifcg"), "the order of an LSTM's four"),
        (init.InvalidTypeError, (4,), (1.0, 4), "gates must be a str such as 'ifgo', got int 4"),
        (init.InvalidTypeError, (4,), ("x",), "val must be a real number"),
    ],
)
def test_other_biases(error, shape, arguments, text):
    untouched(error, text, init.forget_bias_, np.ones(shape), *arguments)


# ---- sparse ----

# 0.07 * 100 is 7.000000000000001 and 0.29 * 100 is 28.999999999999996: torch counts with the same product
SPARSITIES = [0, 0.0, -0.0, 1e-300, 0.01, 0.1, 0.07, 0.29, 1 / 3, 0.5, 0.999999, 1, 1.0, True, np.float32(0.25)]


@pytest.mark.parametrize("dtype", thinned(["f4", "f8", ">f4"], ["f4", ">f4"]))
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (100, 30), (13, 517), (300, 200)])
@pytest.mark.parametrize("sparsity", SPARSITIES, ids=str)
def test_sparse_counts(sparsity, shape, dtype):
    zeros = math.ceil(float(sparsity) * shape[0])
    for order in "CF":
        array = init.sparse_(np.full(shape, np.nan, dtype, order), sparsity, generator=1)
        assert ((array == 0).sum(axis=0) == zeros).all()
        assert np.isfinite(array).all()


def test_sparse_keeps_the_values_of_normal():
    array = init.sparse_(np.empty((50, 40)), 0.4, 0.2, generator=9)
    dense = init.normal_(np.empty((50, 40)), 0, 0.2, generator=9)
    assert np.array_equal(array, np.where(array == 0, 0, dense))
    assert np.signbit(array[array == 0]).sum() == 0


def test_sparse_without_deviation():
    assert not init.sparse_(np.ones((5, 5)), 0.5, 0).any()


def test_sparse_masks_differ_by_column_and_draw():
    generator = init.Generator(0)
    first, second = (init.sparse_(np.empty((64, 64)), 0.5, generator=generator) == 0 for _ in range(2))
    assert generator.draws == 2
    assert (first != second).any()
    assert np.unique(first, axis=1).shape[1] == 64


@pytest.mark.parametrize("shape", [(), (4,), (2, 2, 2)])
def test_sparse_needs_two_dimensions(shape):
    wanted = r"^Only tensors with 2 dimensions are supported.*got \d"
    untouched(init.InvalidValueError, wanted, init.sparse_, np.ones(shape), 0.5)


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (0, 0)])
def test_sparse_without_elements(shape):
    generator, array = init.Generator(0), np.empty(shape)
    assert init.sparse_(array, 0.5, generator=generator) is array
    assert generator.draws == 1


# ---- orthogonal ----

SHAPES = [
    (1, 1),
    (4, 4),
    (3, 7),
    (7, 3),
    (1, 9),
    (9, 1),
    (65, 65),
    (130, 64),
    (64, 200),
    (4, 2, 3),
    (2, 3, 2, 5),
    (20, 2, 3),
]


@pytest.mark.parametrize("gain", [1, 2.5, -3, 0, 1e-3])
@pytest.mark.parametrize("dtype", ["f4", "f8", ">f8"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_orthogonal(shape, dtype, gain):
    array = np.full(shape, np.nan, dtype)
    assert init.orthogonal_(array, gain, generator=0) is array
    matrix = array.reshape(shape[0], -1).astype("f8")
    product = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    tolerance = gain**2 * np.finfo(dtype).eps * 4 * math.sqrt(max(matrix.shape))
    assert np.abs(product - gain**2 * np.eye(len(product))).max() <= tolerance


@pytest.mark.parametrize("dtype", [F4, F8])
def test_orthogonal_in_any_memory(dtype):
    want = init.orthogonal_(np.empty((6, 4, 3), dtype), generator=0)
    for array in (
        np.empty((6, 4, 3), dtype, order="F"),
        np.empty((12, 8, 6), dtype)[::2, ::-2, 1::2],
        np.empty((3, 4, 6), dtype).T,
        np.empty((6, 4, 3), [("pad", "u1"), ("w", dtype)])["w"],
    ):
        assert np.array_equal(init.orthogonal_(array, generator=0), want)


def test_orthogonal_is_scaled_by_the_gain_alone():
    one = init.orthogonal_(np.empty((5, 8)), generator=0)
    assert np.array_equal(init.orthogonal_(np.empty((5, 8)), -4, generator=0), -4 * one)
    assert not np.array_equal(init.orthogonal_(np.empty((5, 8)), generator=1), one)


def test_orthogonal_of_one_number_is_a_sign():
    signs = [float(init.orthogonal_(np.empty((1, 1)), generator=seed)[0, 0]) for seed in range(20)]
    assert np.allclose(np.abs(signs), 1, rtol=1e-15)
    assert set(np.sign(signs)) == {-1.0, 1.0}


@pytest.mark.parametrize("shape", [(), (4,)])
def test_orthogonal_needs_two_dimensions(shape):
    wanted = r"^Only tensors with 2 or more dimensions are supported.*got \d"
    untouched(init.InvalidValueError, wanted, init.orthogonal_, np.ones(shape))


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (0, 0), (3, 4, 0), (0, 2**40), (2**40, 0)])
def test_orthogonal_without_elements(shape):
    generator, array = init.Generator(0), np.empty(shape)
    assert init.orthogonal_(array, generator=generator) is array
    assert generator.draws == 1


def test_sparse_counts_rows_in_32_bits():
    """The share of zeros is right up to the last row that fits, and there is none beyond."""
    top = init.sparse_(np.empty((2000, 8), "f4"), 0.25, generator=0, block=init.Block((2**32 - 1, 8), (0, 0)))
    assert abs((top == 0).mean() - 0.25) < 6 * (0.25 * 0.75 / top.size) ** 0.5  # a false alarm in 5e8
    generator = init.Generator(0)
    with pytest.raises(init.InvalidValueError, match=r"fewer than 2\^32 fit, got 4294967296"):
        init.sparse_(np.empty((2, 8), "f4"), 0.25, generator=generator, block=init.Block((2**32, 8), (0, 0)))
    assert generator.draws == 0


def test_dirac_of_a_block_of_the_largest_whole_there_can_be():
    """Where one diagonal passes, how far apart several would be is no stride that an array could have."""
    array = np.full((2, 2, 3), 7, "f4")
    init.dirac_(array, block=init.Block((2**59, 2, 3), (0, 0, 0)))
    assert array.tolist() == [[[0, 1, 0], [0, 0, 0]], [[0, 0, 0], [0, 1, 0]]]
