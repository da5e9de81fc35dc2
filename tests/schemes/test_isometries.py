"""Orthogonal matrices by expert, split and group, at a kernel's centre, and as convolutions → norms are kept.

Haar's law itself is tested in statistics/test_haar.py.
"""

import itertools
import math

import numpy as np
import pytest

import numbainit as init
from numbainit.memory.device import DeviceArray
from numbainit.schemes import isometries

TOLERANCE = {"f4": 2e-6, "f8": 1e-14, "c8": 2e-6, "c16": 1e-14, "bfloat16": 0.02}
DTYPES = ["f4", "f8", "c8", "c16"]


def assert_orthonormal(matrices, gain=1.0, tolerance=1e-6):
    """(..., rows, columns), of which the fewer are orthonormal times the gain."""
    adjoint = matrices.conj().swapaxes(-1, -2)
    products = adjoint @ matrices if matrices.shape[-2] >= matrices.shape[-1] else matrices @ adjoint
    np.testing.assert_allclose(
        products, np.broadcast_to(gain**2 * np.eye(products.shape[-1]), products.shape), atol=tolerance
    )


def one_draw(fill, array, *arguments, **keywords):
    generator = init.Generator(3)
    assert fill(array, *arguments, generator=generator, **keywords) is array
    assert generator.draws == 1
    return array


def assert_different(matrices):
    """Each is of normals of its own."""
    for one, other in itertools.combinations([matrix for matrix in matrices if matrix.size > 1], 2):
        assert one.shape != other.shape or not np.isclose(one, other).any()
        assert abs(one.ravel()[0] - other.ravel()[0]) > 1e-6


# ---- which matrices ----

#: a layout, a shape, and how the weight falls into its matrices (outputs, the rest)
CUTS = {
    "experts": ("EOI", (3, 6, 4), list),
    "experts, in before out": ("EIO", (3, 4, 6), lambda w: [one.T for one in w]),
    "equal splits": (init.Layout(splits=3), (12, 5), lambda w: np.split(w, 3)),
    "splits": (init.Layout(splits=(6, 2, 4)), (12, 5), lambda w: np.split(w, [6, 8])),
    "splits along the last axis": (init.Layout("IO", splits=4), (5, 12), lambda w: [p.T for p in np.split(w, 4, 1)]),
    "splits of experts": (
        init.Layout("EIO", splits=(4, 8)),
        (2, 5, 12),
        lambda w: [part.T for one in w for part in np.split(one, [4], 1)],
    ),
    "groups": (init.Layout(groups=3), (12, 2, 3), lambda w: [part.reshape(4, 6) for part in np.split(w, 3)]),
    "depthwise": (init.Layout(groups=4), (4, 1, 3, 3), lambda w: list(w.reshape(4, 1, 9))),
    "groups, channels last": (
        init.Layout("HWIO", groups=2),
        (3, 1, 2, 8),
        lambda w: [part.transpose(3, 2, 0, 1).reshape(4, 6) for part in np.split(w, 2, 3)],
    ),
    "groups of a transposed convolution": (
        init.Layout(transposed=True, groups=3),
        (12, 2, 3),
        lambda w: [part.transpose(1, 0, 2).reshape(2, 12) for part in np.split(w, 3)],
    ),
    "a transposed convolution": (
        init.Layout(transposed=True),
        (5, 2, 3),
        lambda w: [w.transpose(1, 0, 2).reshape(2, 15)],
    ),
    "heads": ("IOO", (7, 2, 3), lambda w: [w.transpose(1, 2, 0).reshape(6, 7)]),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("cut", CUTS)
def test_orthogonal_matrices_of_a_layout(cut, dtype):
    layout, shape, matrices_of = CUTS[cut]
    whole = one_draw(init.orthogonal_, np.empty(shape, dtype), 1.5, layout=layout)
    matrices = matrices_of(whole)
    for matrix in matrices:
        assert_orthonormal(matrix, 1.5, 4 * TOLERANCE[dtype])
    assert_different(matrices)
    for array in (np.empty((*shape, 2), dtype)[..., 0], np.empty(shape[::-1], dtype).T, np.empty(shape, f">{dtype}")):
        np.testing.assert_allclose(one_draw(init.orthogonal_, array, 1.5, layout=layout), whole, atol=1e-5)


@pytest.mark.parametrize("cut", CUTS)
def test_matrices_on_a_gpu_lie_where_they_do_on_the_host(cut):
    layout, shape, _ = CUTS[cut]
    host = np.empty(shape, "f4")
    there = DeviceArray(host.ctypes.data, host.shape, host.strides, host.dtype, None, host)
    for mine, other in zip(isometries._stacks(host, layout), isometries._stacks(there, layout), strict=True):
        assert (mine.times, mine.outputs) == (other.times, other.outputs)
        assert mine.weights.ctypes.data == other.weights.pointer
        lies = zip(mine.weights.shape, mine.weights.strides, strict=True)
        assert mine.weights.shape == other.weights.shape
        steps = [(size, step) for size, step in lies if size > 1]
        assert steps == [one for one in zip(other.weights.shape, other.weights.strides, strict=True) if one[0] > 1]


@pytest.mark.full
def test_large_weights_in_any_memory():
    """Copied in pieces, from what is made in another order of axes."""
    want = init.orthogonal((3, 1_500_000), generator=1)
    for array, layout in ((np.empty((1_500_000, 3), "f4"), "IO"), (np.empty((1_500_000, 3), "f4").T, "OI")):
        made = init.orthogonal_(array, generator=1, layout=layout)
        np.testing.assert_allclose(made.T if layout == "IO" else made, want, atol=1e-6)


def test_small_floats_by_split():
    w = init.orthogonal((64, 32), dtype="bfloat16", layout=init.Layout(splits=2), generator=1).astype("f4")
    for part in np.split(w, 2):
        assert_orthonormal(part, 1, 0.02)


def test_a_fused_weight_is_not_one_matrix():
    """Which is what was made of it while splits were not looked at: its parts then have rows of no certain length."""
    fused = init.orthogonal((96, 96), layout=init.Layout(splits=3), generator=0)
    assert not np.allclose(fused @ fused.T, np.eye(96), atol=0.1)


def test_a_layout_that_cuts_nothing_changes_nothing():
    for layout in ("OI", init.Layout(groups=1), init.Layout(splits=1), init.Layout(splits=(6,))):
        got = init.orthogonal((6, 4), layout=layout, generator=5)
        assert got.tobytes() == init.orthogonal((6, 4), generator=5).tobytes()


@pytest.mark.parametrize(
    ("layout", "shape", "text"),
    [
        (init.Layout(groups=4), (6, 3), "4 groups do not divide the O axis"),
        (init.Layout(groups=4, transposed=True), (6, 3), "4 groups do not divide the I axis"),
        (init.Layout(splits=4), (6, 3), "4 equal splits do not divide the O axis"),
        (init.Layout(splits=(4, 4)), (6, 3), r"splits \(4, 4\) sum to 8"),
        (init.Layout("IOO", groups=2), (6, 2, 3), "cut one axis of outputs, and it names 2"),
        ("HWIO", (6, 3), "names 4 axes, the array has 2"),
    ],
)
def test_layouts_that_do_not_fit(layout, shape, text):
    generator, array = init.Generator(0), np.full(shape, 7.0)
    with pytest.raises(init.InvalidValueError, match=text):
        init.orthogonal_(array, generator=generator, layout=layout)
    with pytest.raises(init.InvalidValueError, match=text):
        init.Initializer("orthogonal").check(shape, array.dtype, layout=layout)
    assert (array == 7).all()
    assert generator.draws == 0


# ---- delta-orthogonal ----


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(6, 4, 3), (5, 5, 4), (8, 3, 3, 5), (4, 4, 2, 3, 1), (1, 1, 1)], ids=str)
def test_delta_orthogonal(shape, dtype):
    w = one_draw(init.delta_orthogonal_, np.full(shape, np.nan, dtype), 2.0)
    centre = (slice(None), slice(None), *((size - 1) // 2 for size in shape[2:]))
    assert_orthonormal(w[centre], 2.0, 4 * TOLERANCE[dtype])
    rest = w.copy()
    rest[centre] = 0
    assert not rest.any()


def test_delta_orthogonal_of_layouts():
    w = init.delta_orthogonal((3, 3, 4, 8), dtype="f8", layout=init.Layout("HWIO", groups=2), generator=0)
    for part in np.split(w[1, 1], 2, 1):
        assert_orthonormal(part)
    w = init.delta_orthogonal((2, 8, 4, 3), dtype="f8", layout="EOIX", generator=0)
    assert_orthonormal(w[..., 1])
    assert_different(w[..., 1])
    w = init.delta_orthogonal((10, 4, 3), dtype="f8", layout=init.Layout(splits=(6, 4)), generator=0)
    for part in np.split(w[..., 1], [6]):
        assert_orthonormal(part)


# ---- convolutions that keep norms ----


def frequencies(kernel, axes, extra=3):
    """The matrices of a convolution with a periodic signal, one for each frequency; channels come last, as they are."""
    sizes = [kernel.shape[axis] + extra for axis in axes]
    waves = np.fft.fftn(kernel, sizes, axes)
    others = [axis for axis in range(kernel.ndim) if axis not in axes]
    return waves.transpose(*axes, *others)


KERNELS = [
    (4, 4, 2),
    (5, 3, 3),
    (6, 2, 7),
    (1, 1, 4),
    (4, 4, 3, 3),
    (5, 2, 2, 4),
    (6, 6, 1, 1),
    (4, 3, 3, 1, 2),
    (3, 3, 2, 2, 2),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", KERNELS, ids=str)
def test_convolution_orthogonal(shape, dtype):
    w = one_draw(init.convolution_orthogonal_, np.full(shape, np.nan, dtype), 2.0)
    waves = frequencies(w.astype("c16"), range(2, len(shape)))
    assert_orthonormal(waves, 2.0, 20 * TOLERANCE[dtype])
    if shape[0] > 1:
        assert (abs(w).max(axis=(0, 1)) > 0).all(), "every place of the receptive field takes part"


def test_convolution_orthogonal_of_layouts():
    w = init.convolution_orthogonal((3, 3, 4, 8), dtype="f8", layout=init.Layout("HWIO", groups=2), generator=0)
    for part in np.split(frequencies(w, (0, 1)), 2, -1):
        assert_orthonormal(part)
    w = init.convolution_orthogonal((2, 8, 4, 3), dtype="f8", layout="EOIX", generator=0)
    for one in w:
        assert_orthonormal(frequencies(one, (2,)))
    assert_different(w)
    w = init.convolution_orthogonal((4, 6, 3), dtype="f8", layout=init.Layout(transposed=True), generator=0)
    assert_orthonormal(frequencies(w, (2,)))
    parts = np.split(init.convolution_orthogonal((9, 4, 3), layout=init.Layout(splits=(5, 4)), generator=0), [5])
    for part in parts:
        assert_orthonormal(frequencies(part, (2,)), 1, 1e-5)


def test_convolution_orthogonal_is_rounded_to_small_floats():
    wide = init.convolution_orthogonal((16, 8, 3), generator=2)
    narrow = init.convolution_orthogonal((16, 8, 3), dtype="bfloat16", generator=2)
    assert (narrow == wide.astype(narrow.dtype)).all()


def test_a_signal_keeps_its_norm():
    """A convolution written out: a periodic signal of two axes, place by place."""
    w = init.convolution_orthogonal((6, 4, 3, 2), 1.0, dtype="f8", generator=7)
    x = np.random.default_rng(0).normal(size=(4, 5, 6))
    y = np.zeros((6, 5, 6))
    for i, j in itertools.product(range(3), range(2)):
        y += np.einsum("oi,ihw->ohw", w[:, :, i, j], np.roll(x, (-i, -j), (1, 2)))
    assert math.isclose(np.linalg.norm(y), np.linalg.norm(x), rel_tol=1e-12)


@pytest.mark.parametrize("name", ["delta_orthogonal", "convolution_orthogonal"])
@pytest.mark.parametrize(
    ("shape", "keywords", "error", "text"),
    [
        ((4, 6, 3), {}, ValueError, r"at least as many outputs as inputs, got 4 and 6 of shape \(4, 6, 3\)"),
        ((3, 3, 8, 4), {"layout": "HWIO"}, ValueError, "got 4 and 8"),
        ((8, 3, 3), {"layout": init.Layout(groups=4)}, ValueError, "got 2 and 3"),
        ((8, 4, 3), {"layout": init.Layout(splits=(5, 3))}, ValueError, "got 3 and 4"),
        ((4, 4), {}, ValueError, "Only tensors with 3, 4, or 5 dimensions are supported, got 2"),
        ((1,) * 6, {}, ValueError, "Only tensors with 3, 4, or 5 dimensions are supported, got 6"),
        ((4, 4, 3), {"gain": math.inf}, ValueError, "gain must be finite"),
        ((4, 4, 3), {"gain": "1"}, TypeError, "gain must be a real number"),
    ],
)
def test_kernels_that_cannot_keep_norms(name, shape, keywords, error, text):
    generator, array = init.Generator(0), np.full(shape, 7, "f4")
    with pytest.raises(error, match=text) as caught:
        getattr(init, name + "_")(array, generator=generator, **keywords)
    assert isinstance(caught.value, init.NumbaInitError)
    assert generator.draws == 0
    assert (array == 7).all()
    if "gain" not in keywords:
        with pytest.raises(error, match=text):
            init.Initializer(name).check(shape, np.dtype("f4"), layout=keywords.get("layout"))
