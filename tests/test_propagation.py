"""Signals by layer against mean field theory, adjoints, and a torch network of the same weights."""

import math

import numpy as np
import pytest

import numbainit as init
from cases import thinned
from numbainit import errors
from numbainit.generator import Generator
from numbainit.propagation import Flow, _linear, _norm, _transposed, grid, network, propagate, rate, sweep, verdict
from numbainit.weights.gains import expectation

WIDE = {"widths": [1024] * 7, "batch": 64}


def plain(**keywords):
    """A network with nothing else."""
    usual = {
        "gain": None, "param": None, "kernel": 0, "size": 8, "padding": "circular", "skip": False, "norm": False,
        "dtype": "float64", "generator": 0, "arguments": {},
    }  # fmt: skip
    return network([5, 7], "normal", "tanh", **(usual | keywords))


# ---- against theory ----


@pytest.mark.parametrize(("name", "f"), [("tanh", math.tanh), ("linear", lambda z: z), ("sine", math.sin)])
@pytest.mark.parametrize("gain", [0.7, 1.0, 1.5])
def test_wide_layers_follow_mean_field_theory(name, f, gain):
    """q' = g^2 E f^2: Poole et al., "Exponential expressivity in deep neural networks through chaos", 2016."""
    found = propagate(**WIDE, init="xavier_normal", nonlinearity=name, gain=gain).forward
    square = 1.0
    for std in found.std:
        scale = gain * math.sqrt(square)
        square = expectation(lambda z, scale=scale: f(scale * z) ** 2)
        assert std == pytest.approx(math.sqrt(square), rel=0.05)  # odd functions have no mean


@pytest.mark.parametrize("init_name", thinned(["kaiming_normal", "kaiming_uniform", "orthogonal"], ["kaiming_normal"]))
def test_kaiming_keeps_the_mean_square_of_relu(init_name):
    gain = "torch" if init_name == "orthogonal" else None
    found = propagate(**WIDE, init=init_name, gain=gain)
    for flow in (found.forward, found.backward):
        np.testing.assert_allclose(np.square(flow.std) + np.square(flow.mean), 1.0, rtol=0.2)


def test_unscaled_normals_explode_by_the_root_of_the_width():
    found = propagate([256] * 41, "normal", "linear", std=1.0)
    assert found.verdict.startswith("forward explodes by 16.0 a layer, inf at layer 32; backward explodes by 16.")
    assert rate(found.forward) == pytest.approx(16, rel=0.01)
    assert np.isinf(found.forward.std[31])
    assert 0 < found.forward.overflow[31] < 1
    assert np.isnan(found.forward.std[-1])


def test_fan_in_is_flat_forward_and_fan_out_backward():
    widths = [784, 512, 256, 128, 64]
    by_in = propagate(widths, "kaiming_normal", "linear", mode="fan_in")
    by_out = propagate(widths, "kaiming_normal", "linear", mode="fan_out")
    np.testing.assert_allclose(by_in.forward.std, 1.0, atol=0.15)
    np.testing.assert_allclose(by_out.backward.std, 1.0, atol=0.15)
    expected = np.sqrt(np.cumprod(np.divide(widths[:-1], widths[1:])))
    np.testing.assert_allclose(by_out.forward.std, expected, rtol=0.15)


def test_an_exact_gain_is_a_fixed_point_of_the_preactivations():
    for name in ("gelu", "silu", "mish", "softplus"):
        gain = init.exact_gain(name)
        inputs = np.random.default_rng(0).standard_normal((64, 1024)) / gain
        found = propagate([1024, 1024], "xavier_normal", name, gain="exact", batch=inputs).forward
        assert (found.std[0] ** 2 + found.mean[0] ** 2) * gain**2 == pytest.approx(1, rel=0.05)


def test_skips_double_the_variance_of_linear_layers():
    found = propagate([512] * 6, "xavier_normal", "linear", skip=True, batch=64)
    np.testing.assert_allclose(found.forward.std, np.sqrt(2.0) ** np.arange(1, 6), rtol=0.1)
    np.testing.assert_allclose(found.backward.std[::-1], np.sqrt(2.0) ** np.arange(5), rtol=0.1)


def test_a_norm_makes_every_layer_alike():
    found = propagate([256] * 21, "normal", "relu", std=5.0, norm=True)
    assert found.forward.std.max() / found.forward.std.min() < 1.1


def test_small_floats_overflow_and_round():
    half = propagate([256] * 11, "normal", "linear", std=1.0, dtype="float16", backward=False).forward
    assert np.isfinite(half.std[:3]).all()
    assert np.isinf(half.std[3])  # 16^4 is 65536, more than the largest
    small = propagate([64] * 4, dtype="bfloat16").forward
    np.testing.assert_allclose(small.std, propagate([64] * 4).forward.std, rtol=0.02)


def test_dead_units():
    found = propagate([64] * 3, "zeros", "relu").forward
    assert found.dead.tolist() == [1.0, 1.0]
    assert propagate([64] * 3, "kaiming_normal", "tanh").forward.dead.tolist() == [0.0, 0.0]


# ---- against linear algebra ----


@pytest.mark.parametrize("keywords", [{}, {"kernel": 3}, {"kernel": 5, "padding": "zeros"}])
def test_what_takes_gradients_back_is_the_adjoint(keywords):
    net, random = plain(**keywords), np.random.default_rng(0)
    weight, images = net.weight(1), (8,) * (2 * bool(net.kernel))
    x, g = random.standard_normal((3, 5, *images)), random.standard_normal((3, 7, *images))
    there, back = _linear(net, x, weight), _transposed(net, g, weight)
    assert (there.shape, back.shape) == (g.shape, x.shape)
    assert (there * g).sum() == pytest.approx((x * back).sum(), rel=1e-12)


def test_the_gradient_of_the_norm_is_that_of_differences():
    net, random = plain(norm=True), np.random.default_rng(1)
    x, g = random.standard_normal((2, 5)), random.standard_normal((2, 5))
    back = _norm(net, x)[1](g)
    for place in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[place] = 1e-6
        slope = (g * (_norm(net, x + step)[0] - _norm(net, x - step)[0])).sum() / 2e-6
        assert back[place] == pytest.approx(slope, rel=1e-5, abs=1e-8)


@pytest.mark.full
@pytest.mark.parametrize("kernel", [0, 3])
@pytest.mark.parametrize("skip", [False, True])
def test_a_torch_network_of_the_same_weights_says_the_same(kernel, skip):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    widths, root, images = [16] * 5, Generator(3), (8,) * (2 * bool(kernel))
    found = propagate(widths, "kaiming_normal", "gelu", gain=1.0, kernel=kernel, skip=skip, norm=True, generator=3,
                      dtype="float64", batch=8)  # fmt: skip
    kaiming = init.Initializer("kaiming_normal", nonlinearity="linear")
    x = torch.from_numpy(init.normal((8, 16, *images), dtype="float64", generator=root.fold_in("input")))
    x.requires_grad_()
    outputs = []
    signal = x
    for layer in range(1, 5):
        weight = kaiming(np.empty((16, 16, *(kernel,) * (2 * bool(kernel)))), root.fold_in(f"layers.{layer}.weight"))
        seen = torch.nn.functional.layer_norm(signal, signal.shape[1:])
        if kernel:
            padded = torch.nn.functional.pad(seen, (1, 1, 1, 1), mode="circular")
            before = torch.nn.functional.conv2d(padded, torch.from_numpy(weight))
        else:
            before = torch.nn.functional.linear(seen, torch.from_numpy(weight))
        signal = torch.nn.functional.gelu(before) + (signal if skip else 0)
        signal.retain_grad()
        outputs.append(signal)
    gradient = init.normal(tuple(signal.shape), dtype="float64", generator=root.fold_in("gradient"))
    signal.backward(torch.from_numpy(gradient))
    np.testing.assert_allclose(
        found.forward.std, [float(one.detach().std(correction=0)) for one in outputs], rtol=1e-10
    )
    np.testing.assert_allclose(
        found.forward.mean, [float(one.detach().mean()) for one in outputs], rtol=1e-8, atol=1e-12
    )
    np.testing.assert_allclose(found.backward.std, [float(one.grad.std(correction=0)) for one in outputs], rtol=1e-10)


# ---- what is said ----


def flow(*stds):
    count = len(stds)
    return Flow(np.arange(1, count + 1), np.array(stds), np.zeros(count), np.zeros(count), np.zeros(count))


@pytest.mark.parametrize(
    ("stds", "words"),
    [
        ((1.0, 1.02, 0.99), "steady within 2 %"),
        ((1.0, 2.0, 3.0), "drifts between 1 and 3 over 3 layers"),
        ((1.0, 4.0, 16.0), "grows by 4.00 a layer, to 16 times over 3 layers"),
        ((1.0, 0.25, 0.0625), "shrinks by 0.250 a layer, to 0.062 times over 3 layers"),
        ((1.0, 100.0, 1e4), "explodes by 100. a layer, to 1.0e+04 times over 3 layers"),
        ((1.0, 0.01, 0.0), "vanishes by 0.0100 a layer, 0 at layer 3"),
        ((1.0, 16.0, math.inf, math.nan), "explodes by 16.0 a layer, inf at layer 3"),
        ((1.0, math.nan), "explodes at once, NaN at layer 2"),
        ((math.nan, math.nan), "is NaN from layer 1 on"),
        ((0.0, 0.0), "is 0 from layer 1 on"),
        ((1.0,), "steady within 0 %"),
    ],
)
def test_verdicts(stds, words):
    assert verdict(flow(*stds)) == words


def test_gradients_are_read_from_the_end():
    assert verdict(flow(0.0625, 0.25, 1.0), reverse=True).startswith("shrinks by 0.250 a layer")
    assert verdict(flow(math.inf, 4.0, 1.0), reverse=True) == "explodes by 4.00 a layer, inf at layer 1"


def test_json_holds_no_infinities():
    facts = propagate([64] * 51, "normal", "linear", std=10.0).as_dict()
    assert [row["layer"] for row in facts["forward"]] == list(range(1, 51))
    assert set(facts["forward"][0]) == {"layer", "std", "mean", "dead", "overflow"}
    assert facts["forward"][-1]["std"] is None
    assert propagate([8, 8], backward=False).as_dict()["backward"] == []


def test_a_seed_decides_all():
    first, second, other = (propagate([32] * 4, generator=seed) for seed in (1, 1, 2))
    assert first.as_dict() == second.as_dict() != other.as_dict()


def test_grids_and_sweeps():
    found = grid(["normal", "orthogonal"], ["linear", "relu"], [16] * 4, batch=8)
    assert [[one.label.split(" · ")[-1] for one in row] for row in found] == [["linear", "relu"]] * 2
    assert [one.label.split(" · ")[0] for one in sweep("width", [4, 8], layers=3, width=0)] == [
        "3 layers of 4",
        "3 layers of 8",
    ]


def test_inputs_of_ones_own():
    inputs = np.random.default_rng(0).standard_normal((32, 6)) * 100
    assert propagate([6, 6], "xavier_normal", "linear", batch=inputs).forward.std[0] > 10


@pytest.mark.parametrize(
    ("keywords", "error", "words"),
    [
        ({"widths": [8]}, errors.InvalidValueError, "at least one layer"),
        ({"widths": [8, 0]}, errors.InvalidValueError, "all >= 1"),
        ({"widths": [1, 1], "norm": True}, errors.InvalidValueError, "a norm over a width of 1"),
        ({"widths": ["a", 3]}, errors.InvalidTypeError, "width"),
        ({"nonlinearity": "rleu"}, errors.InvalidValueError, "did you mean 'relu'"),
        ({"init": "kaimin_normal"}, errors.InvalidValueError, "no initializer is named"),
        ({"init": 3}, errors.InvalidTypeError, "init is a name"),
        ({"init": "kaiming_normal", "a": 0.1}, errors.InvalidValueError, "the slope of leaky_relu is param"),
        ({"gain": "big"}, errors.InvalidValueError, "'torch' or 'exact'"),
        ({"kernel": 2}, errors.InvalidValueError, "a kernel is odd"),
        ({"kernel": 9}, errors.InvalidValueError, "must fit into the image"),
        ({"padding": "mirror"}, errors.InvalidValueError, "padding is one of"),
        ({"dtype": "float8"}, errors.InvalidValueError, "dtype is one of"),
        ({"batch": 1}, errors.InvalidValueError, "at least 2 inputs"),
        ({"batch": np.full((4, 8), np.nan)}, errors.InvalidValueError, "batch holds NaN"),
        ({"batch": np.ones((4, 9))}, errors.InvalidValueError, r"wanted \(n, 8\)"),
    ],
)
def test_what_is_refused(keywords, error, words):
    with pytest.raises(error, match=words):
        propagate(**{"widths": [8, 8], **keywords})


def test_widths_of_one_are_measured():
    found = propagate([1] * 4, "normal", "linear", std=2.0).forward
    assert found.std.shape == (3,)
    assert np.isfinite(found.std).all()
