"""Variance scaling and its cases, SIREN, ICNR → the laws of their papers and libraries, with the fans of a layout.

The laws themselves are tested elsewhere: here a fill is that of ``normal_``, ``trunc_normal_`` or ``uniform_`` with
widths that are worked out by hand.
"""

import math

import numpy as np
import pytest

import numbainit as init
from cases import check_refused, thinned

CORRECTION = 0.87962566103423978  # the standard deviation of N(0, 1) in [-2, 2]
#: a layout, the shape of a weight, fan_in and fan_out
WEIGHTS = [
    ("OI", (6, 10), 10, 6),
    ("IO", (6, 10), 6, 10),
    ("OI", (6, 5, 3, 2), 30, 36),
    ("HWIO", (3, 2, 5, 6), 30, 36),
    ("EIO", (4, 5, 6), 5, 6),
    (init.Layout(groups=3), (6, 5, 3), 15, 6),
    (init.Layout(transposed=True), (6, 5, 3), 18, 15),
    (init.Layout(transposed=True, groups=2), (6, 5, 3), 9, 15),
    (init.Layout(splits=3), (6, 5), 5, 2),
]
MODES = {
    "fan_in": lambda fan_in, fan_out: fan_in,
    "fan_out": lambda fan_in, fan_out: fan_out,
    "fan_avg": lambda fan_in, fan_out: (fan_in + fan_out) / 2,
    "fan_geo_avg": lambda fan_in, fan_out: math.sqrt(fan_in * fan_out),
}
every_weight = pytest.mark.parametrize(("layout", "shape", "fan_in", "fan_out"), WEIGHTS, ids=str)


def by_hand(array, std, distribution):
    """Of that standard deviation, after truncation."""
    if distribution == "truncated_normal":
        before = std / CORRECTION
        return init.trunc_normal_(array, 0, before, -2 * before, 2 * before, generator=4)
    if distribution == "uniform":
        return init.uniform_(array, -math.sqrt(3) * std, math.sqrt(3) * std, generator=4)
    return init.normal_(array, 0, std, generator=4)


@every_weight
@pytest.mark.parametrize("dtype", thinned(["f4", "f8"], ["f4"]))
@pytest.mark.parametrize("distribution", ["truncated_normal", "normal", "untruncated_normal", "uniform"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scale", thinned([1.0, 2, 0.1], [2]))
def test_variance_scaling(layout, shape, fan_in, fan_out, mode, distribution, scale, dtype):
    std = math.sqrt(scale / MODES[mode](fan_in, fan_out))
    got = init.variance_scaling_(np.empty(shape, dtype), scale, mode, distribution, generator=4, layout=layout)
    np.testing.assert_array_equal(got, by_hand(np.empty(shape, dtype), std, distribution))


@every_weight
@pytest.mark.parametrize(
    ("name", "scale", "mode", "distribution"),
    [
        ("lecun_uniform", 1, "fan_in", "uniform"),
        ("lecun_normal", 1, "fan_in", "normal"),
        ("lecun_truncated_normal", 1, "fan_in", "truncated_normal"),
        ("glorot_truncated_normal", 1, "fan_avg", "truncated_normal"),
        ("he_truncated_normal", 2, "fan_in", "truncated_normal"),
    ],
)
def test_its_cases(layout, shape, fan_in, fan_out, name, scale, mode, distribution):
    std = math.sqrt(scale / MODES[mode](fan_in, fan_out))
    got = getattr(init, name)(shape, generator=4, layout=layout)
    np.testing.assert_array_equal(got, by_hand(np.empty(shape, "f4"), std, distribution))


def test_torchs_laws_are_cases_too():
    """To the last bits of the width, which is worked out in another order."""
    shape = (7, 5, 3)
    for mine, torchs in [
        (("fan_avg", "uniform", 1), init.xavier_uniform(shape, generator=1)),
        (("fan_avg", "normal", 1), init.xavier_normal(shape, generator=1)),
        (("fan_out", "uniform", 2), init.kaiming_uniform(shape, mode="fan_out", generator=1)),
        (("fan_in", "normal", 2), init.kaiming_normal(shape, generator=1)),
    ]:
        mode, distribution, scale = mine
        got = init.variance_scaling(shape, scale, mode, distribution, generator=1)
        np.testing.assert_allclose(got, torchs, rtol=1e-6)


@pytest.mark.parametrize("distribution", ["truncated_normal", "uniform", "normal"])
def test_splits_of_sizes_of_their_own(distribution):
    """Each has the width of its fans, and all one draw."""
    layout = init.Layout(splits=(2, 6))
    got = init.variance_scaling((8, 5), 1, "fan_avg", distribution, generator=4, layout=layout)
    wide, narrow = (by_hand(np.empty((8, 5), "f4"), math.sqrt(2 / (5 + size)), distribution) for size in (2, 6))
    np.testing.assert_array_equal(got, np.concatenate([wide[:2], narrow[2:]]))


def test_complex_weights_have_half_of_the_variance_in_each_part():
    for distribution, law in (("normal", init.normal_), ("uniform", init.uniform_)):
        got = init.variance_scaling((40, 8), 1, "fan_in", distribution, dtype="c16", generator=4).view("f8")
        std = math.sqrt(1 / 8 / 2)
        bounds = (-math.sqrt(3) * std, math.sqrt(3) * std) if distribution == "uniform" else (0, std)
        np.testing.assert_allclose(got, law(np.empty((40, 16)), *bounds, generator=4), rtol=1e-14)


def test_no_scale_gives_zeros():
    for distribution in ("truncated_normal", "normal", "uniform"):
        assert not init.variance_scaling((3, 4), 0, distribution=distribution).any()


# ---- SIREN ----


@every_weight
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_sine(layout, shape, fan_in, fan_out, dtype):
    for layer, omega, bound in [
        ("first", 30, 1 / fan_in),
        ("first", 1, 1 / fan_in),
        ("hidden", 30, math.sqrt(6 / fan_in) / 30),
        ("hidden", 5, math.sqrt(6 / fan_in) / 5),
    ]:
        got = init.sine(shape, layer, omega, dtype=dtype, generator=2, layout=layout)
        want = init.uniform(shape, -bound, bound, dtype=dtype, generator=2)
        np.testing.assert_allclose(got, want, rtol=2 * np.finfo(dtype).eps, atol=bound * np.finfo(dtype).eps)
        assert abs(got).max() <= bound


def test_activations_of_a_siren_keep_their_law():
    """Its own claim: in every layer the input of the sine is nearly N(0, 1), and its output of variance 1/2."""
    width, x = 512, np.linspace(-1, 1, 257)[:, None].repeat(2, 1)
    x = np.sin(30 * (x @ init.sine((width, 2), "first", dtype="f8", generator=0).T))
    for layer in range(4):
        before = 30 * (x @ init.sine((width, width), dtype="f8", generator=layer + 1).T)
        assert 0.85 < before.std() < 1.15
        x = np.sin(before)
        assert abs(x.var() - 0.43) < 0.05  # of sin z, z ~ N(0, 1): (1 - e^-2) / 2


# ---- ICNR ----


def pixel_shuffle(x, r):
    """torch's: (C r^2, H, W) → (C, r H, r W)."""
    channels, height, width = x.shape
    x = x.reshape(channels // r**2, r, r, height, width)
    return x.transpose(0, 3, 1, 4, 2).reshape(channels // r**2, r * height, r * width)


def depth_to_space(x, r):
    """TensorFlow's, of channels last: (H, W, r^2 C) → (r H, r W, C)."""
    height, width, depth = x.shape
    x = x.reshape(height, width, r, r, depth // r**2)
    return x.transpose(0, 2, 1, 3, 4).reshape(r * height, r * width, depth // r**2)


@pytest.mark.parametrize("r", [1, 2, 3])
def test_icnr_makes_a_nearest_neighbour_enlargement(r):
    """A convolution of 1 x 1 is a product of matrices: after the shuffle each r x r square holds one value."""
    x = np.random.default_rng(0).normal(size=(5, 4, 6))
    w = init.icnr((3 * r**2, 5, 1, 1), r, dtype="f8", generator=1)[:, :, 0, 0]
    enlarged = pixel_shuffle(np.einsum("oi,ihw->ohw", w, x), r)
    small = np.einsum("oi,ihw->ohw", w[:: r**2], x)
    np.testing.assert_array_equal(enlarged, small.repeat(r, 1).repeat(r, 2))
    w = init.icnr((1, 1, 5, 3 * r**2), r, shuffle="depth_to_space", layout="HWIO", dtype="f8", generator=1)[0, 0]
    enlarged = depth_to_space(np.einsum("io,ihw->hwo", w, x), r)
    small = np.einsum("io,ihw->hwo", w[:, :3], x)
    np.testing.assert_array_equal(enlarged, small.repeat(r, 0).repeat(r, 1))


@pytest.mark.parametrize("shuffle", ["pixel_shuffle", "depth_to_space"])
@pytest.mark.parametrize(("mode", "distribution"), [("fan_in", "normal"), ("fan_out", "uniform")])
@pytest.mark.parametrize(("shape", "layout"), [((8, 3, 5), "OI"), ((12, 3, 2, 2), "OI"), ((2, 2, 3, 12), "HWIO")])
def test_icnr_repeats_variance_scaling_of_the_channels(shape, layout, mode, distribution, shuffle):
    axis = shape.index(max(shape))
    count = 2 ** (len(shape) - 2)
    channels = shape[axis] // count
    base = tuple(channels if one == axis else size for one, size in enumerate(shape))
    want = init.variance_scaling(base, 1, mode, distribution, generator=3, layout=layout)
    want = want.repeat(count, axis) if shuffle == "pixel_shuffle" else np.concatenate([want] * count, axis)
    got = init.icnr(shape, 2, 1, mode, distribution, shuffle, generator=3, layout=layout)
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("shuffle", ["pixel_shuffle", "depth_to_space"])
def test_icnr_takes_one_draw_also_in_parts(shuffle):
    whole = init.icnr((24, 3, 2), shuffle=shuffle, generator=init.Generator(1, draws=1))
    for begin in range(24):
        for end in range(begin, 25):
            generator, part = init.Generator(1, draws=1), np.empty((end - begin, 2, 2), "f4")
            init.icnr_(part, shuffle=shuffle, generator=generator, block=init.Block((24, 3, 2), (begin, 1, 0)))
            assert generator.draws == 2
            np.testing.assert_array_equal(part, whole[begin:end, 1:])


# ---- what is refused ----

WRONG = [
    (lambda g: init.variance_scaling((3,), generator=g), ValueError, "fewer than 2 dimensions"),
    (lambda g: init.variance_scaling((3, 4), -1, generator=g), ValueError, "scale must be >= 0"),
    (lambda g: init.variance_scaling((3, 4), mode="fan", generator=g), ValueError, r"Mode fan not supported.*fan_geo"),
    (lambda g: init.variance_scaling((3, 4), mode=3, generator=g), TypeError, "mode must be a str"),
    (lambda g: init.variance_scaling((3, 4), distribution="gauss", generator=g), ValueError, "must be one of .*'unif"),
    (lambda g: init.variance_scaling((3, 4), distribution=1, generator=g), TypeError, "distribution must be a str"),
    (lambda g: init.variance_scaling((3, 4), dtype="c8", generator=g), TypeError, "law on a disk is out of scope"),
    (lambda g: init.he_truncated_normal((3, 4), dtype="c8", generator=g), TypeError, "law on a disk"),
    (lambda g: init.kaiming_normal((3, 4), mode="fan_avg", generator=g), ValueError, "Mode fan_avg not supported"),
    (lambda g: init.sine((3, 4), "last", generator=g), ValueError, r"layer must be one of \['first', 'hidden'\]"),
    (lambda g: init.sine((3, 4), omega=0, generator=g), ValueError, "omega.*> 0, got 0.0"),
    (lambda g: init.sine((3, 4), omega=math.inf, generator=g), ValueError, "omega.*> 0, got inf"),
    (lambda g: init.icnr((4, 3), generator=g), ValueError, "takes a convolution's kernel with one axis of outputs"),
    (lambda g: init.icnr((6, 3, 2, 2), generator=g), ValueError, "got upscale=2 for 6 outputs"),
    (lambda g: init.icnr((4, 3, 2, 2), 0, generator=g), ValueError, "got upscale=0"),
    (lambda g: init.icnr((4, 3, 2, 2), 2.0, generator=g), TypeError, "upscale must be an int"),
    (lambda g: init.icnr((4, 3, 2, 2), shuffle="x", generator=g), ValueError, "shuffle must be one of"),
    (
        lambda g: init.icnr((8, 3, 2, 2), generator=g, layout=init.Layout("OIHW", splits=(2, 6))),
        ValueError,
        "without splits of unequal sizes",
    ),
]


@pytest.mark.parametrize(("call", "error", "text"), WRONG)
def test_senseless_calls(call, error, text):
    check_refused(call, error, text)
