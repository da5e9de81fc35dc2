"""Signals by layer against mean field theory, and a torch network of the same weights."""

import math

import numpy as np
import pytest

import numbainit as init
from cases import thinned
from numbainit.generator import Generator
from numbainit.propagation import propagate, rate
from numbainit.weights.gains import expectation

WIDE = {"widths": [1024] * 7, "batch": 64}


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


def test_results_compare_by_their_figures_and_print_as_one_line():
    found, again = (propagate([16] * 4, "normal", "linear", std=std, generator=7) for std in (1.0, 1.0))
    overflowing = [propagate([16] * 5, "normal", "linear", std=1e30) for _ in range(2)]
    assert found == again
    assert np.isnan(overflowing[0].forward.std).any()
    assert overflowing[0] == overflowing[1]
    assert found != propagate([16] * 4, "normal", "linear", std=1.0, generator=8)
    assert repr(found) == f"<Propagation of {found.label}: {found.verdict}>"


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


def test_json_holds_no_infinities():
    facts = propagate([64] * 51, "normal", "linear", std=10.0).as_dict()
    assert [row["layer"] for row in facts["forward"]] == list(range(1, 51))
    assert set(facts["forward"][0]) == {"layer", "std", "mean", "dead", "overflow"}
    assert facts["forward"][-1]["std"] is None
    assert propagate([8, 8], backward=False).as_dict()["backward"] == []


def test_a_seed_decides_all():
    first, second, other = (propagate([32] * 4, generator=seed) for seed in (1, 1, 2))
    assert first.as_dict() == second.as_dict() != other.as_dict()


def test_inputs_of_ones_own():
    inputs = np.random.default_rng(0).standard_normal((32, 6)) * 100
    assert propagate([6, 6], "xavier_normal", "linear", batch=inputs).forward.std[0] > 10


def test_widths_of_one_are_measured():
    found = propagate([1] * 4, "normal", "linear", std=2.0).forward
    assert found.std.shape == (3,)
    assert np.isfinite(found.std).all()
