"""Initializers beyond torch, in torch's layers → what papers promise of a network; the laws of models' own code."""

import math

import numpy as np
import pytest

import budget
import numbainit as init

pytestmark = pytest.mark.full
torch = pytest.importorskip("torch", reason="torch is not installed")


def filled(parameter, name, *arguments, **keywords):
    """A parameter in place, without its gradient."""
    assert getattr(init, name)(parameter, *arguments, **keywords) is parameter
    return parameter


def two_samples(mine, theirs, what):
    from scipy import stats

    budget.check(stats.ks_2samp(np.ravel(mine), np.ravel(theirs)).pvalue, what)


@pytest.mark.parametrize("upscale", [2, 3])
def test_icnr_before_a_pixel_shuffle(upscale):
    """Before training the layer enlarges by nearest neighbours: no checkerboard."""
    layer = torch.nn.Conv2d(5, 4 * upscale**2, 3, padding=1, bias=False)
    filled(layer.weight, "icnr_", upscale, generator=1)
    x = torch.randn(2, 5, 6, 7, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        y = torch.nn.PixelShuffle(upscale)(layer(x))
        one = torch.nn.functional.conv2d(x, layer.weight[:: upscale**2], padding=1)
        want = torch.nn.functional.interpolate(one, scale_factor=upscale, mode="nearest")
    assert torch.allclose(y, want, atol=1e-6)


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize(("rank", "mode"), [(1, "linear"), (2, "bilinear"), (3, "trilinear")])
def test_a_bilinear_transposed_convolution_interpolates(rank, mode, groups, factor):
    """As torch does, away from the borders."""
    size, pad = 2 * factor - factor % 2, math.ceil((factor - 1) / 2)
    kind = (torch.nn.ConvTranspose1d, torch.nn.ConvTranspose2d, torch.nn.ConvTranspose3d)[rank - 1]
    layer = kind(3, 3, size, factor, pad, groups=groups, bias=False, dtype=torch.float64)
    filled(layer.weight, "bilinear_", layout=init.Layout(transposed=True, groups=groups))
    x = torch.randn(1, 3, *(5,) * rank, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with torch.no_grad():
        y, want = layer(x), torch.nn.functional.interpolate(x, scale_factor=factor, mode=mode, align_corners=False)
    inner = (..., *[slice(factor, -factor)] * rank)
    assert y.shape == want.shape
    assert torch.allclose(y[inner], want[inner], atol=1e-12)


@pytest.mark.parametrize("name", ["delta_orthogonal_", "convolution_orthogonal_"])
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("groups", [1, 2])
def test_deep_linear_networks_keep_norms(name, rank, groups):
    """Ten convolutions with periodic padding: all singular values are 1, so norms and angles come through."""
    kind = (torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d)[rank - 1]
    x = torch.randn(2, 6, *(5, 4, 3)[:rank], generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = x
    with torch.no_grad():
        for depth in range(10):
            layer = kind(6, 6, 3, padding=1, padding_mode="circular", groups=groups, bias=False, dtype=torch.float64)
            filled(layer.weight, name, generator=depth, layout=init.Layout(groups=groups))
            y = layer(y)
    gram, want = (z.flatten(1) @ z.flatten(1).T for z in (y, x))
    assert torch.allclose(gram, want, rtol=1e-10)
    assert not torch.allclose(y, x, atol=0.1)


def test_the_forget_gate_of_an_lstm():
    """A step without input: the cell keeps its share sigmoid(b_f), and nothing enters, since tanh(b_g) is 0."""
    lstm = torch.nn.LSTM(2, 3)
    for name, parameter in lstm.named_parameters():
        init.zeros_(parameter) if "weight" in name or "bias_hh" in name else filled(parameter, "forget_bias_", 1.5)
    cell = torch.tensor([[[0.3, -0.2, 0.9]]])
    with torch.no_grad():
        _, (_, after) = lstm(torch.zeros(1, 1, 2), (torch.zeros(1, 1, 3), cell))
    assert torch.allclose(after, cell * torch.sigmoid(torch.tensor(1.5)), rtol=1e-6)


def test_each_gate_of_an_lstm_is_orthogonal():
    lstm = torch.nn.LSTM(8, 8)
    filled(lstm.weight_hh_l0, "orthogonal_", generator=0, layout=init.Layout(splits=4))
    for gate in lstm.weight_hh_l0.detach().chunk(4):
        assert torch.allclose(gate @ gate.T, torch.eye(8), atol=1e-5)


def test_time_steps_and_decays_are_those_of_mamba():
    """The lines of mamba_ssm's Mamba and Mamba2, by torch."""
    size, seeded = 20000, torch.Generator().manual_seed(1)
    dt_min, dt_max, dt_init_floor = 0.001, 0.1, 0.003
    uniform = torch.rand(size, generator=seeded, dtype=torch.float64)
    dt = torch.exp(uniform * (math.log(dt_max) - math.log(dt_min)) + math.log(dt_min)).clamp(min=dt_init_floor)
    inv_dt = dt + torch.log(-torch.expm1(-dt))
    mine = init.time_step_bias(size, dt_min, dt_max, dt_init_floor, dtype="f8", generator=2)
    assert math.isclose(mine.min(), inv_dt.min(), rel_tol=1e-12), "the floor"
    two_samples(mine[mine > mine.min()], inv_dt[inv_dt > inv_dt.min()], "time_step_bias_ and Mamba's dt_bias")
    budget.z_scores(
        ((mine == mine.min()).sum() - (inv_dt == inv_dt.min()).sum().item()) / math.sqrt(2 * size * 0.2386 * 0.7614),
        "the share of time steps at the floor",
    )
    steps = torch.nn.functional.softplus(torch.from_numpy(mine))
    assert steps.min() > dt_init_floor * (1 - 1e-12)
    assert steps.max() < dt_max
    a_log = torch.log(torch.empty(size, dtype=torch.float64).uniform_(1, 16, generator=seeded))
    two_samples(init.log_of_uniform(size, 1, 16, dtype="f8", generator=3), a_log, "log_of_uniform_ and Mamba-2's A_log")
    state = torch.log(torch.arange(1, 17, dtype=torch.float32)).repeat(8, 1)
    assert torch.allclose(filled(torch.empty(8, 16), "log_arange_"), state, rtol=1.2e-7)


def test_layers_of_a_siren():
    """The lines of the authors' SineLayer.init_weights."""
    for is_first, omega_0 in ((True, 30), (False, 30), (False, 5)):
        linear = torch.nn.Linear(64, 300)
        bound = 1 / 64 if is_first else np.sqrt(6 / 64) / omega_0
        with torch.no_grad():
            linear.weight.uniform_(-bound, bound, generator=torch.Generator().manual_seed(0))
        mine = init.sine((300, 64), "first" if is_first else "hidden", omega_0, generator=1)
        two_samples(mine, linear.weight.detach().numpy(), f"sine_, first={is_first}, omega={omega_0}")
        assert abs(mine).max() <= bound
