"""Modules that compute their weight from other tensors → the weight has the values asked for, or they are refused."""

import copy

import numpy as np
import pytest

import numbainit as init
from numbainit import Initializer

pytestmark = pytest.mark.full
torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'numbainit[torch]'")

from torch.nn.utils import parametrizations, parametrize  # noqa: E402

from numbainit.torch import initialize, initializer, keyed  # noqa: E402

nn = torch.nn
KAIMING = Initializer("kaiming_normal", mode="fan_out")


def array(tensor):
    return tensor.detach().numpy()


def old_norm(module, **options):
    with pytest.warns(FutureWarning, match="deprecated"):
        return nn.utils.weight_norm(module, **options)


def new_norm(module, **options):
    return parametrizations.weight_norm(module, **options)


LAYERS = {
    "linear": lambda: nn.Linear(8, 6),
    "convolution": lambda: nn.Conv2d(8, 6, 3, groups=2),
    "transposed": lambda: nn.ConvTranspose1d(8, 6, 3),
}


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("dim", [0, 1, None])
@pytest.mark.parametrize("norm", [new_norm, old_norm])
def test_weight_norm_gives_the_weight_that_there_is_without(norm, dim, layer):
    module, plain = nn.Sequential(norm(LAYERS[layer](), dim=dim)), nn.Sequential(LAYERS[layer]())
    initialize(module, KAIMING, generator=3)
    initialize(plain, KAIMING, generator=3)
    np.testing.assert_allclose(array(module[0].weight), array(plain[0].weight), rtol=1e-6)
    values = {name: array(one) for name, one in module.named_parameters()}
    direction = next(one for name, one in values.items() if name.endswith(("original1", "weight_v")))
    np.testing.assert_array_equal(direction, array(plain[0].weight))
    x = torch.randn(2, 8, *[5] * (plain[0].weight.ndim - 2))
    torch.testing.assert_close(module(x), plain(x))
    assert all(parameter.is_leaf and parameter.requires_grad for parameter in module.parameters())


@pytest.mark.parametrize("dim", [0, 1, None])
@pytest.mark.parametrize("norm", [new_norm, old_norm])
def test_weights_of_zeros_under_weight_norm(norm, dim):
    padded = nn.Embedding(5, 3, padding_idx=1)
    zeros, tall, dirac = nn.Linear(3, 4), nn.Linear(2, 5), nn.Conv1d(2, 5, 3)
    for layer, name in ((padded, "normal"), (zeros, "zeros"), (tall, "eye"), (dirac, "dirac")):
        normed = initialize(norm(copy.deepcopy(layer), dim=dim), Initializer(name), generator=3)
        plain = initialize(layer, Initializer(name), generator=3)
        np.testing.assert_allclose(array(normed.weight), array(plain.weight), rtol=1e-6, atol=0)
        assert all(torch.isfinite(one).all() for one in normed.parameters())


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("norm", [parametrizations.spectral_norm, nn.utils.spectral_norm])
def test_spectral_norm_divides_the_weight_that_there_is_without(norm, layer):
    module, plain = norm(LAYERS[layer]()).eval(), LAYERS[layer]()
    initialize(module, KAIMING, generator=3)
    initialize(plain, KAIMING, generator=3)
    weight = array(plain.weight).astype("float64")
    rows = weight if layer != "transposed" else weight.swapaxes(0, 1)
    largest = np.linalg.svd(rows.reshape(len(rows), -1), compute_uv=False)[0]
    np.testing.assert_allclose(array(module.weight), weight / largest, rtol=2e-4)
    again = {name: array(one).copy() for name, one in module.state_dict().items()}
    initialize(module, KAIMING, generator=3)
    for name, one in module.state_dict().items():
        np.testing.assert_array_equal(array(one), again[name], err_msg=name)


def test_padding_and_gates_under_a_norm():
    module = new_norm(nn.LSTM(5, 8), name="weight_hh_l0")
    initialize(module, Initializer("orthogonal"), generator=0)
    parts = array(module.weight_hh_l0).astype("float64").reshape(4, 8, 8)
    np.testing.assert_allclose(parts @ parts.transpose(0, 2, 1), np.broadcast_to(np.eye(8), parts.shape), atol=1e-5)


def test_small_floats_and_apply():
    module, plain = new_norm(nn.Linear(8, 6, dtype=torch.bfloat16)), nn.Linear(8, 6, dtype=torch.bfloat16)
    initialize(module, KAIMING, generator=0)
    initialize(plain, KAIMING, generator=0)
    torch.testing.assert_close(module.weight, plain.weight, rtol=1e-2, atol=0)
    model = nn.Sequential(new_norm(nn.Linear(8, 6)), nn.ReLU())
    model.apply(initializer("normal", std=3.0, generator=0))
    want = init.normal((6, 8), std=3.0, generator=init.Generator(0).spawn(1)[0].fold_in("weight"))
    np.testing.assert_allclose(array(model[0].weight), want, rtol=1e-6)


class Doubled(nn.Module):
    def forward(self, weight):
        return 2 * weight


def doubled():
    module = nn.Linear(4, 4)
    parametrize.register_parametrization(module, "weight", Doubled())
    return module


def twice():
    return parametrizations.spectral_norm(new_norm(nn.Linear(4, 4)))


@pytest.mark.parametrize(
    ("make", "label"),
    [
        (lambda: parametrizations.orthogonal(nn.Linear(4, 4)), "Orthogonal"),
        (doubled, "Doubled"),
        (twice, "WeightNorm, Sp"),
    ],
)
def test_others_are_refused_before_anything_is_written(make, label):
    module = nn.Sequential(nn.Linear(4, 4), make())
    before = {name: array(one).copy() for name, one in module.state_dict().items()}
    with pytest.raises(init.InvalidValueError, match=rf"'1\.weight' is computed by {label}.*before it is parametrized"):
        initialize(module, generator=0)
    for name, one in module.state_dict().items():
        np.testing.assert_array_equal(array(one), before[name])


# ---- one tensor ----


@pytest.mark.parametrize("make", [lambda: new_norm(nn.Linear(4, 3)), lambda: old_norm(nn.Linear(4, 3)), doubled])
def test_a_fill_of_what_is_computed_is_refused(make):
    module = make()
    before = {name: one.clone() for name, one in module.state_dict().items()}
    for fill in (init.uniform_, init.xavier_normal_, init.zeros_, init.orthogonal_):
        with pytest.raises(init.InvalidValueError, match=r"computed from others .*original1 or weight_v.*initialize"):
            fill(module.weight)
        with pytest.raises(init.InvalidValueError, match="computed from others"):
            fill(module.weight[:2])
    assert all(torch.equal(one, before[name]) for name, one in module.state_dict().items())
    init.normal_(module.weight.detach(), generator=0)


def test_parts_of_a_parameter_are_no_such_thing():
    weight = nn.Parameter(torch.zeros(6, 4))
    parts = [*weight.chunk(2), weight[1:3], weight.T, weight.view(-1)[3:], weight.data]
    for part in parts:
        init.ones_(part)
    assert (weight == 1).all()
    with torch.no_grad():
        init.ones_(weight * 2)


def test_keyed_says_lost_where_the_functions_refuse():
    module = new_norm(nn.Linear(4, 3))
    with keyed(module, 0) as context:
        nn.init.uniform_(module.weight)
    assert context.report.names("lost") == ("parametrizations.weight.original0", "parametrizations.weight.original1")


@pytest.mark.parametrize("fill", [init.xavier_uniform_, init.orthogonal_, Initializer("normal")])
def test_a_module_is_no_tensor(fill):
    with pytest.raises(
        init.InvalidTypeError, match=r"got torch\.Linear: pass layer\.weight; all parameters .*initialize"
    ):
        fill(nn.Linear(3, 2))
    with pytest.raises(init.InvalidTypeError, match=r"pass layer\.in_proj_weight"):
        fill(nn.MultiheadAttention(4, 2))
    with pytest.raises(init.InvalidTypeError, match="it has no tensors of its own; all parameters"):
        fill(nn.Sequential(nn.Linear(3, 2)))
