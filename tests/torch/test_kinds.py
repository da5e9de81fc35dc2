"""Modules whose tensors are more than a name and a shape → laws with the right fans, gates, rows of zeros."""

import math

import numpy as np
import pytest

import numbainit as init
import torch_models
from numbainit import Initializer

pytestmark = pytest.mark.full
torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'numbainit[torch]'")

from numbainit.torch import initialize, initializer  # noqa: E402

nn = torch.nn
XAVIER, ORTHOGONAL = Initializer("xavier_uniform"), Initializer("orthogonal")


def array(tensor):
    return tensor.detach().numpy()


def check_orthogonal(parts):
    parts = parts.astype("float64")
    want = np.broadcast_to(np.eye(parts.shape[1]), parts.shape)
    np.testing.assert_allclose(parts @ parts.swapaxes(1, 2), want, atol=1e-5)


def uniform(name, shape, fan_in, fan_out):
    """Glorot's law with these fans, of the generator of a name."""
    bound = math.sqrt(6 / (fan_in + fan_out))
    return init.uniform(shape, -bound, bound, generator=init.Generator(0).fold_in(name))


@pytest.mark.parametrize(
    ("make", "fan_in", "fan_out"),
    [
        (lambda: nn.Conv1d(8, 12, 5), 8 * 5, 12 * 5),
        (lambda: nn.Conv2d(8, 12, (3, 5), groups=4), 2 * 15, 3 * 15),
        (lambda: nn.Conv3d(6, 6, 3, groups=6), 27, 27),
        (lambda: nn.ConvTranspose1d(8, 12, 5), 8 * 5, 12 * 5),
        (lambda: nn.ConvTranspose2d(8, 12, 3, groups=4), 2 * 9, 3 * 9),
        (lambda: nn.ConvTranspose3d(4, 2, 3), 4 * 27, 2 * 27),
        (lambda: nn.Bilinear(3, 4, 5), 3 * 4, 5 * 4),
        (lambda: nn.Linear(3, 4), 3, 4),
    ],
)
def test_convolutions(make, fan_in, fan_out):
    module = initialize(make(), XAVIER, generator=0)
    want = uniform("weight", tuple(module.weight.shape), fan_in, fan_out)
    np.testing.assert_allclose(array(module.weight), want, rtol=3e-7)
    assert not array(module.bias).any()


def test_a_layout_of_the_caller_stays():
    """Whoever says which axis is what means it."""
    module = nn.ConvTranspose2d(8, 12, 3)
    initialize(module, Initializer("xavier_uniform", layout="OI"), generator=0)
    np.testing.assert_allclose(array(module.weight), uniform("weight", (8, 12, 3, 3), 12 * 9, 8 * 9), rtol=3e-7)


def test_convolutions_of_transformers_have_inputs_first():
    torch_models.installed("transformers")
    from transformers.pytorch_utils import Conv1D

    module = initialize(Conv1D(12, 8), XAVIER, generator=0)
    np.testing.assert_allclose(array(module.weight), uniform("weight", (8, 12), 8, 12), rtol=3e-7)
    initialize(module, Initializer("kaiming_normal"), generator=0)
    want = init.normal((8, 12), std=math.sqrt(2 / 8), generator=init.Generator(0).fold_in("weight"))
    np.testing.assert_allclose(array(module.weight), want, rtol=3e-7)


@pytest.mark.parametrize("kind", [nn.Embedding, nn.EmbeddingBag])
@pytest.mark.parametrize("padding", [0, 3, -1])
def test_padding_rows_stay_zero(kind, padding):
    model = nn.Sequential(kind(6, 4, padding_idx=padding), kind(6, 4))
    initialize(model, Initializer("normal", std=0.5), generator=0)
    want = init.normal((6, 4), std=0.5, generator=init.Generator(0).fold_in("0.weight"))
    assert not array(model[0].weight)[padding].any()
    rest = np.arange(6) != padding % 6
    np.testing.assert_array_equal(array(model[0].weight)[rest], want[rest])
    assert array(model[1].weight).all()


@pytest.mark.parametrize(
    ("make", "gates"),
    [
        (lambda: nn.LSTM(5, 8, 2, bidirectional=True), 4),
        (lambda: nn.LSTM(5, 8, proj_size=3), 4),
        (lambda: nn.GRU(5, 8), 3),
        (lambda: nn.RNN(5, 8), 1),
        (lambda: nn.LSTMCell(5, 8), 4),
        (lambda: nn.GRUCell(5, 8), 3),
        (lambda: nn.RNNCell(5, 8), 1),
    ],
)
def test_gates(make, gates):
    module = initialize(make(), XAVIER, generator=0)
    for name, parameter in module.named_parameters():
        if name.startswith("bias"):
            assert not array(parameter).any()
            continue
        rows = parameter.shape[0] // (1 if name.startswith("weight_hr") else gates)
        want = uniform(name, tuple(parameter.shape), parameter.shape[1], rows)
        np.testing.assert_allclose(array(parameter), want, rtol=3e-7, err_msg=name)
    initialize(module, ORTHOGONAL, generator=0)
    for name, parameter in module.named_parameters():
        if name.startswith("weight_hh") and parameter.shape[1] == 8:
            parts = array(parameter).astype("float64").reshape(gates, 8, 8)
            np.testing.assert_allclose(
                parts @ parts.transpose(0, 2, 1), np.broadcast_to(np.eye(8), parts.shape), atol=1e-5
            )
            assert gates == 1 or (parts[0] != parts[1]).any()


def test_attention_fused_and_separate():
    model = nn.ModuleList(
        [nn.MultiheadAttention(12, 3), nn.MultiheadAttention(12, 3, kdim=8, vdim=4, add_bias_kv=True)]
    )
    initialize(model, XAVIER, generator=0)
    fused, apart = model
    np.testing.assert_allclose(array(fused.in_proj_weight), uniform("0.in_proj_weight", (36, 12), 12, 12), rtol=3e-7)
    for name, columns in (("q_proj_weight", 12), ("k_proj_weight", 8), ("v_proj_weight", 4)):
        want = uniform(f"1.{name}", (12, columns), columns, 12)
        np.testing.assert_allclose(array(getattr(apart, name)), want, rtol=3e-7)
    assert not array(fused.in_proj_bias).any()
    assert not array(apart.bias_k).any()
    initialize(model, ORTHOGONAL, generator=0)
    check_orthogonal(array(fused.in_proj_weight).reshape(3, 12, 12))


def test_one_layer_is_understood_too():
    module = initializer("xavier_uniform", generator=0)(nn.ConvTranspose2d(8, 12, 3))
    bound = math.sqrt(6 / (20 * 9))
    assert 0.9 * bound < array(module.weight).max() < bound


def test_subclasses_are_what_they_inherit_from():
    class Mine(nn.ConvTranspose2d):
        pass

    module = initialize(Mine(8, 12, 3), XAVIER, generator=0)
    np.testing.assert_allclose(array(module.weight), uniform("weight", (8, 12, 3, 3), 8 * 9, 12 * 9), rtol=3e-7)
