"""``build`` around constructors → the values of ``keyed`` for the same code, under names that are known at the end."""

import copy

import numpy as np
import pytest

import numbainit as init
import torch_models
from fuzz import odd

pytestmark = pytest.mark.full
torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'numbainit[torch]'")

from numbainit.torch import build  # noqa: E402

nn = torch.nn


def generator(name, seed=0):
    return init.Generator(seed).fold_in(name)


def equal(tensor, want):
    np.testing.assert_array_equal(tensor.detach().numpy(), want)


def built(constructor, **options):
    reports = []
    return build(constructor, 0, report=reports.append, **options), reports[0]


def test_each_parameter_has_the_generator_of_its_name():
    made, report = built(
        lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Embedding(5, 2, padding_idx=1))
    )
    equal(made[0].weight, init.kaiming_uniform((4, 3, 3, 3), a=5**0.5, generator=generator("0.weight")))
    equal(made[0].bias, init.uniform(4, -(27**-0.5), 27**-0.5, generator=generator("0.bias")))
    want = init.normal((5, 2), generator=generator("2.weight"))
    want[1] = 0
    equal(made[2].weight, want)
    assert report.names("drawn") == ("0.weight", "0.bias", "2.weight")
    assert report["1.running_var"].status == "constant"
    assert not report["1.running_var"].is_parameter


class Odd(nn.Module):
    """What constructors do."""

    def __init__(self):
        super().__init__()
        self.scaled = nn.Parameter(torch.randn(4, 3) * 0.5)
        self.late = nn.Parameter(nn.init.normal_(torch.empty(4, 3), std=2.0))
        self.first = nn.Linear(3, 4)
        self.copy = copy.deepcopy(self.first)
        self.low = nn.Linear(3, 4).bfloat16()
        self.register_buffer("position", torch.arange(4).float().log1p())
        self.register_buffer("noise", torch.rand(4))
        self.empty = nn.Parameter(torch.empty(2))
        self.loaded = nn.Parameter(torch.from_numpy(np.full(3, 0.5)))
        self.slices = nn.Parameter(torch.empty(6, 3))
        for part in self.slices.chunk(3):
            nn.init.xavier_normal_(part)
        self.replaced = nn.Linear(3, 4)
        self.replaced.weight = nn.Parameter(torch.rand(4, 3))
        self.tied = nn.Linear(3, 4, bias=False)
        self.tied.weight = self.first.weight
        with torch.no_grad():
            self.first.bias.copy_(torch.rand(4).exp())


def test_what_constructors_do():
    made, report = built(Odd)
    equal(made.scaled, init.normal((4, 3), generator=generator("scaled")) * np.float32(0.5))
    equal(made.late, init.normal((4, 3), std=2.0, generator=generator("late")))
    equal(made.first.weight, init.kaiming_uniform((4, 3), a=5**0.5, generator=generator("first.weight")))
    equal(made.first.bias, torch.from_numpy(init.uniform(4, generator=generator("first.bias"))).exp())
    assert torch.equal(made.copy.weight, made.first.weight)
    half = torch.from_numpy(init.kaiming_uniform((4, 3), a=5**0.5, generator=generator("low.weight")))
    assert torch.equal(made.low.weight, half.bfloat16())
    equal(made.noise, init.uniform(4, generator=generator("noise")))
    equal(made.slices, init.normal((6, 3), std=(2 / 5) ** 0.5, generator=generator("slices")))
    equal(made.replaced.weight, init.uniform((4, 3), generator=generator("replaced.weight")))
    assert made.tied.weight is made.first.weight
    assert "tied.weight" not in report
    assert report.names("untouched") == ("empty",)
    assert report["position"].status == "copied"
    assert report["loaded"].status == "not keyed"
    assert made.loaded.tolist() == [0.5] * 3


def test_torchs_seed_has_no_say_and_is_as_before():
    values = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        state = torch.get_rng_state()
        values.append(build(Odd, 0).state_dict())
        assert torch.equal(torch.get_rng_state(), state)
    for name in set(values[0]) - {"empty"}:
        assert torch.equal(values[0][name], values[1][name]), name
    other = build(Odd, 1).state_dict()
    assert (other["scaled"] != values[0]["scaled"]).all()


def test_parametrizations():
    made, _ = built(lambda: nn.utils.parametrizations.weight_norm(nn.Linear(8, 6)))
    inner = made.parametrizations.weight
    direction = init.kaiming_uniform((6, 8), a=5**0.5, generator=generator("parametrizations.weight.original1"))
    equal(inner.original1, direction)
    np.testing.assert_allclose(inner.original0.detach(), np.linalg.norm(direction, axis=1, keepdims=True), rtol=1e-6)
    np.testing.assert_allclose(made.weight.detach(), direction, rtol=1e-5)
    made, _ = built(lambda: nn.utils.parametrizations.spectral_norm(nn.Linear(8, 6), n_power_iterations=50))
    equal(
        made.parametrizations.weight.original,
        init.kaiming_uniform((6, 8), a=5**0.5, generator=generator("parametrizations.weight.original")),
    )
    made.eval()
    assert abs(torch.linalg.matrix_norm(made.weight, 2) - 1) < 1e-3
    made, _ = built(lambda: nn.utils.parametrizations.orthogonal(nn.Linear(8, 8)))
    np.testing.assert_allclose((made.weight @ made.weight.T).detach(), np.eye(8), atol=1e-5)


def test_layers_that_are_cloned_are_equal_and_reset_ones_are_not():
    layer = lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)  # noqa: E731
    made, _ = built(lambda: nn.TransformerEncoder(layer(), 2))
    assert torch.equal(made.layers[0].linear1.weight, made.layers[1].linear1.weight)
    made, _ = built(lambda: nn.Transformer(8, 2, 2, 1, 16, batch_first=True))
    first, second = (layer.linear1.weight for layer in made.encoder.layers)
    assert (first != second).all()
    equal(second, init.xavier_uniform((16, 8), generator=generator("encoder.layers.1.linear1.weight")))


def test_a_clone_that_is_initialized_is_not_lost():
    def make():
        made = nn.ModuleList([nn.Linear(3, 4)])
        made.append(copy.deepcopy(made[0]))
        made[1].reset_parameters()
        return made

    made, report = built(make)
    assert report.names("drawn") == tuple(report)
    assert (made[0].weight != made[1].weight).all()
    equal(made[1].bias, init.uniform(4, -(3**-0.5), 3**-0.5, generator=generator("1.bias")))


def test_what_code_decided_by_before_it_had_a_name_is_said():
    class Rejecting(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.randn(20))
            self.v = nn.Parameter(torch.randn(20))
            with torch.no_grad():
                while bool((self.w.abs() > 1).any()):
                    self.w.normal_(std=0.7)

    made, report = built(Rejecting)
    assert made.w.abs().max() <= 1
    assert report["w"].status == "not keyed"
    assert "decided" in report["w"].how
    equal(made.v, init.normal(20, generator=generator("v")))
    with pytest.raises(init.InvalidValueError, match="not keyed: 'w'"):
        build(Rejecting, 0, strict=True)


def test_from_pretrained_keeps_what_it_loads_and_draws_what_is_missing(tmp_path):
    transformers = torch_models.installed("transformers")
    config = transformers.BertConfig(**torch_models.SMALL, num_labels=3)
    base = transformers.BertModel(config)
    base.save_pretrained(tmp_path)
    values = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        made, report = built(lambda: transformers.BertForSequenceClassification.from_pretrained(tmp_path, num_labels=3))
        values.append(made.classifier.weight)
    for name, tensor in base.state_dict().items():
        assert torch.equal(made.bert.state_dict()[name], tensor), name
    equal(made.classifier.weight, init.normal((3, 32), std=0.02, generator=generator("classifier.weight")))
    assert torch.equal(*values)
    assert (made.classifier.bias == 0).all()
    assert report.names("drawn") == ("classifier.weight",)


def test_bad_input():
    with pytest.raises(init.InvalidTypeError, match="build takes what constructs a module"):
        build(nn.Linear(3, 2))  # callable, but it wants an input
    with pytest.raises(init.InvalidTypeError, match="build takes what constructs a module, got 3"):
        build(3)
    with pytest.raises(init.InvalidTypeError, match=r"build takes a torch\.nn\.Module, got int"):
        build(lambda: 3)
    with pytest.raises(init.InvalidValueError, match="nothing to name"):
        build(nn.ReLU)
    with pytest.raises(init.InvalidValueError, match="left weight, bias on the meta device"):
        build(lambda: nn.Linear(3, 2, device="meta"))
    with pytest.raises(ZeroDivisionError):
        build(lambda: 1 / 0)
    with pytest.raises(init.InvalidTypeError, match="report is called with the Report, got 3"):
        build(lambda: pytest.fail("nothing is built"), report=3)
    with pytest.raises(init.InvalidTypeError, match="a glob is a text, got 1"):
        build(lambda: pytest.fail("nothing is built"), ignore=[1])
    with pytest.raises(init.InvalidTypeError, match="got <Raising>: pass lambda: MyModel"):
        build(odd.Raising())
    with pytest.raises(init.InvalidValueError, match="untouched: 'empty'"):
        build(Odd, strict=True, ignore=["loaded"])
