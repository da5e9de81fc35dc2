"""Layouts and shapes → fans: what users asked for elsewhere, torch, JAX, and weights filled with these widths."""

import itertools
import math
import pickle

import numpy as np
import pytest
from scipy import stats

import numbainit as init

FANS = [
    # torch's own: (out, in, *receptive field)
    ("OI", {}, (20, 30), (30, 20)),
    ("OI", {}, (20, 30, 3, 5), (450, 300)),
    ("oihw", {}, (20, 30, 3, 5), (450, 300)),
    # channels last, JAX and Keras
    ("IO", {}, (30, 20), (30, 20)),
    ("HWIO", {}, (3, 5, 30, 20), (450, 300)),
    ("DHWIO", {}, (2, 3, 5, 30, 20), (900, 600)),
    # pytorch#23854: a depthwise convolution has 9 outputs for an input, not 36
    ("OI", {"groups": 4}, (4, 1, 3, 3), (9, 9)),
    ("HWIO", {"groups": 8}, (3, 3, 4, 16), (36, 18)),
    # transposed convolutions, whose weight is (in, out / groups, *receptive field)
    ("IO", {"transposed": True}, (16, 32, 3, 3), (144, 288)),
    ("IO", {"transposed": True, "groups": 4}, (16, 8, 3, 3), (36, 72)),
    (None, {"transposed": True}, (16, 32, 3, 3), (144, 288)),
    (None, {"transposed": True, "groups": 4}, (16, 8, 3, 3), (36, 72)),
    (None, {}, (20, 30), (30, 20)),
    # Keras stores a transposed convolution (h, w, out, in)
    ("HWOI", {"transposed": True}, (3, 3, 32, 16), (144, 288)),
    # pytorch#166378: query, key and value in one weight have the fans of each
    ("OI", {"splits": 3}, (2304, 768), (768, 768)),
    ("IO", {"splits": 3}, (768, 2304), (768, 768)),
    ("OI", {"splits": (5, 5)}, (10, 4), (4, 5)),
    # keras#22789: attention kernels have several axes of outputs or inputs and no receptive field
    ("IOO", {}, (512, 8, 64), (512, 512)),
    ("IIO", {}, (8, 64, 512), (512, 512)),
    # experts are weights of their own
    ("EIO", {}, (8, 512, 2048), (512, 2048)),
    ("EOI", {"splits": 2}, (8, 4096, 512), (512, 2048)),
    ("OI", {}, (0, 5), (5, 0)),
]


@pytest.mark.parametrize(("axes", "how", "shape", "fans"), FANS)
def test_fans(axes, how, shape, fans):
    layout = init.Layout(axes, **how)
    if isinstance(how.get("splits"), tuple):
        assert {(split.fan_in, split.fan_out) for split in layout.cut(shape)} == {fans}
    else:
        assert layout.fans(shape) == fans


def test_a_transposed_convolution_is_stored_as_torch_stores_it():
    """Unless the axes are named: it would otherwise change nothing without groups."""
    assert init.Layout(transposed=True) == init.Layout("IO", transposed=True) != init.Layout("OI", transposed=True)
    assert init.Layout.from_dict({"transposed": True}) == init.Layout(transposed=True)
    assert init.Layout.from_dict(init.Layout(transposed=True).to_dict()) == init.Layout(transposed=True)
    for fill in (init.xavier_normal, init.kaiming_uniform, init.lecun_truncated_normal, init.sine):
        named, unnamed = (fill((6, 4, 3), layout=one, generator=1) for one in ("IOX", init.Layout(transposed=True)))
        np.testing.assert_array_equal(named, unnamed)


@pytest.mark.full
@pytest.mark.parametrize(("axes", "shape"), [("OI", (6, 4)), ("OI", (6, 4, 3)), ("OI", (6, 4, 3, 2, 5))])
def test_the_default_is_torch(axes, shape):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    assert init.Layout(axes).fans(shape) == torch.nn.init._calculate_fan_in_and_fan_out(torch.empty(shape))


@pytest.mark.full
@pytest.mark.parametrize(
    ("axes", "shape", "keywords"),
    [
        ("IO", (30, 20), {}),
        ("HWIO", (3, 5, 30, 20), {}),
        ("OIHW", (20, 30, 3, 5), {"in_axis": 1, "out_axis": 0}),
        ("IOO", (512, 8, 64), {"in_axis": 0, "out_axis": (1, 2)}),
        ("EIO", (4, 30, 20), {"batch_axis": 0}),
    ],
)
def test_jax_counts_the_same(axes, shape, keywords):
    """From the width of its uniform law: JAX does not show its fans."""
    jax = pytest.importorskip("jax", reason="jax is not installed")
    keywords = {"in_axis": -2, "out_axis": -1} | keywords
    key = jax.random.key(0)
    for mode, mine in zip(("fan_in", "fan_out"), init.Layout(axes).fans(shape), strict=True):
        initializer = jax.nn.initializers.variance_scaling(3.0, mode, "uniform", **keywords)
        width = float(abs(initializer(key, shape)).max())
        assert width <= 3 / math.sqrt(mine) < width * 1.05


SHAPES = {"OI": (40, 60), "IO": (60, 40), "HWIO": (3, 2, 60, 40), "EIO": (4, 30, 40)}


@pytest.mark.parametrize("axes", SHAPES)
def test_weights_have_these_widths(axes):
    """The same words, so exactly the standard law times the width that follows from the fans."""
    shape = SHAPES[axes]
    fan_in, fan_out = init.Layout(axes).fans(shape)
    how = {"dtype": "float64", "generator": 4}
    for made, std in (
        (init.xavier_normal(shape, layout=axes, **how), math.sqrt(2 / (fan_in + fan_out))),
        (init.kaiming_normal(shape, nonlinearity="linear", layout=axes, **how), 1 / math.sqrt(fan_in)),
        (init.kaiming_normal(shape, nonlinearity="linear", mode="fan_out", layout=axes, **how), 1 / math.sqrt(fan_out)),
    ):
        assert np.array_equal(made, init.normal(shape, 0.0, std, **how))
    for made, std in (
        (init.xavier_uniform(shape, layout=axes, **how), math.sqrt(2 / (fan_in + fan_out))),
        (init.kaiming_uniform(shape, nonlinearity="linear", layout=axes, **how), 1 / math.sqrt(fan_in)),
    ):
        bound = math.sqrt(3) * std
        assert np.array_equal(made, init.uniform(shape, -bound, bound, **how))


def test_fused_projections_of_unequal_sizes():
    """Grouped queries: each of query, key and value gets the width that it would have alone, from one draw."""
    sizes, width = (256, 64, 64), 256
    layout, generator = init.Layout(splits=sizes), init.Generator(5)
    fused = init.xavier_normal((384, width), layout=layout, dtype="float64", generator=generator)
    assert generator.draws == 1
    standard = init.normal((384, width), dtype="float64", generator=5)
    for begin, size in zip(itertools.accumulate((0, *sizes[:-1])), sizes, strict=True):
        rows = slice(begin, begin + size)
        expected = standard[rows] * math.sqrt(2 / (width + size))
        np.testing.assert_allclose(fused[rows], expected, rtol=1e-15)


@pytest.mark.parametrize("axis", [0, 1])
def test_a_shard_of_fused_projections(axis):
    layout = init.Layout("OI" if axis == 0 else "IO", splits=(50, 10, 20))
    shape = (80, 30) if axis == 0 else (30, 80)
    whole = init.xavier_uniform(shape, layout=layout, generator=5)
    for begin, end in ((0, 80), (0, 30), (45, 62), (50, 60), (70, 80)):
        cut = tuple(slice(begin, end) if other == axis else slice(3, 29) for other in range(2))
        start = [one.start for one in cut]
        part = init.xavier_uniform(whole[cut].shape, layout=layout, generator=5, block=init.Block(shape, start))
        assert np.array_equal(part, whole[cut])


def test_fused_projections_are_fused_evenly():
    """The request behind it: in_proj_weight has the law of three separate weights. One p-value at 1e-6."""
    fused = init.xavier_uniform((3 * 256, 256), layout=init.Layout(splits=3), generator=1).ravel()
    alone = init.xavier_uniform((256, 256), generator=2).ravel()
    assert stats.ks_2samp(fused, alone).pvalue > 1e-6


@pytest.mark.parametrize("shape", [(5, 7, 3), (6, 3, 4)])
def test_orthogonal_by_layout(shape):
    """Each expert, and in each the outputs against all the rest, wherever these axes are."""
    weights = init.orthogonal(shape, layout="EOI", dtype="float64", generator=1)
    for expert in weights:
        gram = expert @ expert.T if shape[1] <= shape[2] else expert.T @ expert
        np.testing.assert_allclose(gram, np.eye(len(gram)), atol=1e-14)
    last = init.orthogonal((3, 3, 4, 20), layout="HWIO", dtype="float64", generator=1)
    matrix = last.reshape(36, 20)
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(20), atol=1e-14)


def test_dirac_by_layout():
    for groups in (1, 2):
        expected = init.dirac((8, 4, 3, 3), groups)
        assert np.array_equal(init.dirac((3, 3, 4, 8), groups, layout="HWIO").transpose(3, 2, 0, 1), expected)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: init.Layout("HW"), init.InvalidValueError, "needs an O"),
        (lambda: init.Layout("O1I"), init.InvalidValueError, "needs an O"),
        (lambda: init.Layout(3), init.InvalidTypeError, "str such as 'OI'"),
        (lambda: init.Layout("OIß"), init.InvalidValueError, "needs an O"),
        (lambda: init.Layout().fans((-3, 2)), init.InvalidValueError, "not negative"),
        (lambda: init.Layout().fans((3.5, 2)), init.InvalidTypeError, "are ints"),
        (lambda: init.Layout(groups=0), init.InvalidValueError, "at least 1"),
        (lambda: init.Layout(groups=1.5), init.InvalidTypeError, "groups.*int"),
        (lambda: init.Layout(splits=True), init.InvalidTypeError, "splits.*int"),
        (lambda: init.Layout(splits="3"), init.InvalidTypeError, "splits.*int"),
        (lambda: init.Layout(splits=()), init.InvalidValueError, "splits"),
        (lambda: init.Layout(splits=3, groups=3), init.InvalidValueError, "without groups"),
        (lambda: init.Layout("IOO", splits=3), init.InvalidValueError, "one axis of outputs"),
        (lambda: init.Layout(transposed=1), init.InvalidTypeError, "True or False"),
        (lambda: init.Layout("HWIO").fans((3, 4)), init.InvalidValueError, "names 4 axes, the array has 2"),
        (lambda: init.Layout("OI").fans((3,)), init.InvalidValueError, "fewer than 2 dimensions"),
        (lambda: init.Layout(groups=3).fans((4, 4)), init.InvalidValueError, "3 groups do not divide the O axis"),
        (lambda: init.Layout(splits=3).fans((4, 4)), init.InvalidValueError, "3 equal splits do not divide"),
        (lambda: init.Layout(splits=(1, 2)).cut((4, 4)), init.InvalidValueError, "sum to 3.*is 4"),
        (lambda: init.Layout(splits=(1, 3)).fans((4, 4)), init.InvalidValueError, "each split"),
        (lambda: init.dirac((3, 3, 3), layout="EIO"), init.InvalidValueError, "no E"),
    ],
)
def test_senseless_layouts(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(
    "name", ["xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_", "orthogonal_"]
)
@pytest.mark.parametrize("layout", ["HWIO", "OO", None, 5, ["O", "I"]], ids=str)
def test_senseless_layouts_touch_nothing(name, layout):
    array, draws = np.full((3, 5), 7, "float32"), init.default_generator.draws
    with pytest.raises((init.InvalidValueError, init.InvalidTypeError), match="layout"):
        getattr(init, name)(array, layout=layout)
    assert (array == 7).all()
    assert init.default_generator.draws == draws


def test_layouts_are_values():
    layout = init.Layout("hwio", splits=[3, 4])
    assert layout == init.Layout("HWIO", splits=(3, 4)) != init.Layout("HWIO", splits=7)
    assert len({layout, init.Layout("HWIO", splits=(3, 4))}) == 1
    for each in (layout, init.Layout(), init.Layout("IO", groups=2, transposed=True)):
        assert eval(repr(each), {"Layout": init.Layout}) == each


def test_layouts_do_not_change():
    layout = init.Layout(splits=np.array([2, 4]))
    with pytest.raises(AttributeError, match="make a new one"):
        layout.axes = "IO"
    assert pickle.loads(pickle.dumps(layout)) == layout == init.Layout(splits=(2, 4))
