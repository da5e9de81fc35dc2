"""Code that is recorded → a recipe whose values are those of ``build`` and ``keyed`` for the same code."""

import copy
import math
import time

import numpy as np
import pytest

import numbainit as init
import torch_models
from numbainit.recipes import Change, Fill, Formula, Recipe

pytestmark = pytest.mark.full
torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'numbainit[torch]'")

from numbainit.torch import build, keyed, record  # noqa: E402
from numbainit.torch.names import named_tensors  # noqa: E402

nn = torch.nn


def tensors(model):
    return {one.name: one.tensor.detach() for one in named_tensors(model)}


def equal(one, other):
    return one.shape == other.shape and torch.equal(torch.nan_to_num(one, 7.0), torch.nan_to_num(other, 7.0))


def near(one, other, weight):
    """Formulas: but for the last bits of torch's functions, which an angle of up to 1,500 makes more of."""
    if not any(isinstance(step, Formula) for step in weight.steps):
        return equal(one, other)
    angle = 1500 if any("sin(" in step.text for step in weight.steps if isinstance(step, Formula)) else 1
    eps = torch.finfo(one.dtype).eps if one.is_floating_point() else 0
    return torch.allclose(one.double(), other.double(), rtol=4 * eps, atol=angle * eps)


def check(recipe, model, computed=()):
    """All tensors of a model but those that are computed are what the recipe makes."""
    want = tensors(model)
    assert list(recipe) == list(want)
    assert set(recipe.names("computed")) == set(computed), str(recipe)
    assert Recipe.from_json(recipe.to_json()) == recipe
    left = recipe.names("computed", "untouched")
    got = {name: torch.full_like(tensor, 3) for name, tensor in want.items()}
    recipe.apply(got, 0, ignore=left)
    for name, tensor in want.items():
        assert tensor.dtype == getattr(torch, recipe[name].dtype)
        if name not in left:
            assert near(got[name], tensor, recipe[name]), f"{name}: {recipe[name].label}"


def check_built(make, computed=()):
    recipe = record(make)
    check(recipe, build(make, 0), computed)
    return recipe


def check_keyed(model, code, computed=()):
    before = {name: tensor.clone() for name, tensor in tensors(model).items()}
    recipe = record(model, code)
    assert all(torch.equal(tensor, before[name]) for name, tensor in tensors(model).items())
    with keyed(model, 0):
        code(model)
    check(recipe, model, computed)
    return recipe


@pytest.mark.parametrize("name", torch_models.MODELS)
@pytest.mark.filterwarnings("ignore")
def test_models(name):
    make, code = torch_models.MODELS[name]
    computed = [tensor for tensor, weight in record(make).items() if weight.computed]
    recipe = check_built(make, computed)
    assert all(one.endswith(".relative_position_index") for one in computed)
    assert recipe.names("untouched") == ()
    if code:
        model = make()
        again = record(model, code)
        check_keyed(model, code, again.names("computed"))
        assert set(again.names("computed")) <= set(computed)
        both = record(make, code)
        assert both.names("untouched") == ()


def parameter(*shape, **options):
    return nn.Parameter(torch.empty(*shape, **options))


class Odd(nn.Module):
    def __init__(self):
        super().__init__()
        self.scaled = nn.Parameter(torch.randn(4, 3) * 0.5 + 1)
        self.divided = nn.Parameter(torch.randn(4, 3) / 3)
        self.ones = nn.Parameter(1e-6 * torch.ones(4))
        self.late = nn.Parameter(nn.init.normal_(torch.empty(4, 3), std=2.0))
        self.first = nn.Linear(3, 4)
        self.copy = copy.deepcopy(self.first)
        self.low = nn.Linear(3, 4).bfloat16()
        self.twice = nn.Parameter(torch.rand(4, 3) + torch.rand(4, 3))
        self.power = nn.Parameter(torch.rand(4).exp())
        self.register_buffer("position", torch.arange(4))
        self.register_buffer("mask", torch.ones(3, dtype=torch.bool))
        self.register_buffer("count", torch.tensor(3))
        self.register_buffer("literal", torch.tensor([1.0, 2.0]))
        self.scalar = nn.Parameter(torch.tensor(2.5))
        self.empty = nn.Parameter(torch.empty(2))
        self.none = nn.Parameter(torch.randn(0, 3))
        self.tied = nn.Linear(3, 4, bias=False)
        self.tied.weight = self.first.weight
        self.padded = nn.Embedding(5, 3, padding_idx=2)
        self.slices = parameter(6, 3)
        for part in self.slices.chunk(3):
            nn.init.xavier_normal_(part)
        self.gates = parameter(6, 2)
        for part in self.gates.chunk(3):
            nn.init.orthogonal_(part)
        self.thin = nn.Parameter(torch.zeros(8, 6))
        nn.init.sparse_(self.thin[2:6, 3:], 0.5)
        with torch.no_grad():
            self.first.bias.copy_(torch.randn(4))
            self.slices[0].copy_(torch.rand(3))
        temporary = torch.randn(4)
        self.one, self.other = nn.Parameter(temporary.clone()), nn.Parameter(temporary.clone())


def test_what_constructors_do():
    recipe = check_built(Odd, ("twice", "slices"))
    assert recipe["scaled"].steps == (Fill(init.Initializer("normal")), Change("mul", 0.5), Change("add", 1.0))
    assert recipe["ones"].label == f"constant(val={float(np.float32(1e-6))!r})"
    assert recipe["copy.weight"].steps[0].of == "first.weight"
    assert recipe["padded.weight"].label == "normal(); [2:3, 0:3] zeros()"
    assert recipe["power"].label == "uniform(); exp(x)"
    assert recipe["position"].label == "arange(4)"
    assert recipe["literal"].label == "array(1, 2)"
    assert recipe["other"].steps[0].of == "one"
    assert recipe["empty"].status == "untouched"
    assert recipe["low.weight"].dtype == "bfloat16"
    assert recipe.ties == {"tied.weight": "first.weight"}
    assert not recipe["mask"].is_parameter


def test_a_module_is_filled_and_what_is_computed_refused():
    recipe = record(lambda: nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)))
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    recipe.apply(model, generator=5)
    want = build(lambda: nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)), 5)
    assert all(torch.equal(tensor, tensors(want)[name]) for name, tensor in tensors(model).items())
    odd = Odd()
    before = tensors(odd)["first.weight"].clone()
    with pytest.raises(init.InvalidValueError, match="'twice' cannot be made from the recipe"):
        record(Odd).apply(odd)
    assert torch.equal(odd.first.weight, before)
    state = {"tied.weight": torch.empty(4, 3), "first.weight": torch.empty(4, 3)}
    record(Odd).apply(state)
    assert torch.equal(*state.values())


def _fill_parts(model):
    with torch.no_grad():
        w = model.weight
        w.normal_()
        w[1:3].uniform_()
        w[:, 2].zero_()
        w[3].copy_(torch.rand(6, dtype=w.dtype))


CODES = {
    "parts": (_fill_parts, ()),
    "transposed": (lambda m: nn.init.normal_(m.weight.T), ()),
    "flat": (lambda m: m.weight.data.view(-1)[:7].normal_(), ("weight",)),
    "steps": (lambda m: m.weight.data[::2].normal_(), ("weight",)),
    "diagonal": (lambda m: m.weight.data.diagonal().zero_(), ("weight",)),
    "twice": (lambda m: (m.reset_parameters(), m.reset_parameters()), ()),
    "seen": (lambda m: (nn.init.normal_(m.weight), m.weight.mean(), nn.init.normal_(m.weight)), ()),
    "scaled": (lambda m: nn.init.normal_(m.weight).data.mul_(0.3).sub_(1).div_(7), ()),
    "alpha": (lambda m: nn.init.normal_(m.weight).data.add_(1, alpha=2), ()),
    "clamped": (lambda m: nn.init.normal_(m.weight).data.clamp_(-1, 1), ()),
    "rounded": (lambda m: m.weight.data.copy_(torch.randn(5, 6).half()), ("weight",)),
    "double": (lambda m: m.weight.data.copy_(torch.randn(5, 6).double()), ("weight",)),
    "drawn double": (lambda m: m.weight.data.copy_(torch.randn(5, 6, dtype=torch.float64)), ("weight",)),
    "turned": (lambda m: m.weight.data.copy_(torch.randn(6, 5).T), ("weight",)),
    "broadcast": (lambda m: m.weight.data.copy_(torch.rand(6)), ("weight",)),
    "constants": (lambda m: (m.weight.data.fill_(-0.0), m.bias.data.fill_(math.inf)), ()),
    "nan": (lambda m: m.bias.data.fill_(torch.tensor(math.nan)), ()),
    "row": (lambda m: m.weight.data.copy_(torch.full((6,), 0.1)), ()),
    "masked": (lambda m: nn.init.normal_(m.weight).data.masked_fill_(m.weight > 1, 0), ("weight",)),
    "eye": (lambda m: nn.init.eye_(m.weight), ()),
    "eye copied": (lambda m: m.weight.data.copy_(torch.eye(5, 6, dtype=m.weight.dtype) * 2), ()),
    "eye in a part": (lambda m: m.weight.data[:2, :2].copy_(torch.eye(2)), ("weight",)),
    "matrix": (lambda m: nn.init.orthogonal_(m.weight, gain=2), ()),
    "matrix transposed": (lambda m: nn.init.orthogonal_(m.weight.T), ("weight",)),
    "data": (lambda m: setattr(m.weight, "data", torch.randn(5, 6)), ()),
    "replaced": (lambda m: setattr(m, "weight", nn.Parameter(torch.randn(5, 6) * 2)), ()),
    "late copy": (lambda m: setattr(m, "weight", nn.Parameter(m.weight.clone())), ("weight",)),
    "copied": (lambda m: (nn.init.normal_(m.weight), m.bias.data.copy_(m.weight[:, 0])), ("bias",)),
    "kaiming": (lambda m: nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu"), ()),
    "truncated": (lambda m: nn.init.trunc_normal_(m.weight, std=0.02), ()),
}


SINGLE = ("drawn double", "double", "rounded", "data", "replaced", "matrix")  # of float32 alone
CASES = [
    (name, dtype)
    for name in CODES
    for dtype in (torch.float32, torch.bfloat16, torch.float64)
    if dtype == torch.float32 or name not in SINGLE
]


@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_what_initialization_code_does(name, dtype):
    code, computed = CODES[name]
    check_keyed(nn.Linear(6, 5, dtype=dtype), code, computed)


def _made(*names):
    """A function of a module and parameters → what constructs a module that has them."""

    def decorate(function):
        def make():
            made = nn.Module()
            with torch.no_grad():
                for name, tensor in zip(names, function(), strict=True):
                    setattr(made, name, nn.Parameter(tensor))
            return made

        return make

    return decorate


@_made("a", "b")
def slices_of_one():
    whole = torch.randn(4, 4)
    return whole[:2], whole[2:]


@_made("a", "b")
def memory_with_two_names():
    whole = torch.randn(4, 4)
    return whole, whole


@_made("a", "b")
def a_temporary_used_again():
    temporary = torch.empty(4).normal_()
    first = temporary.clone()
    return first, temporary.uniform_()


@_made("a", "b", "c", "d", "e", "f")
def changes():
    return (
        (1 - torch.rand(4)) * torch.full((4,), 3.0) / 7,
        -torch.rand(4),
        torch.rand(4).neg_().sub_(0.1),
        torch.rand(4).mul_(torch.full((4,), 0.3)),
        torch.randn(4, 4) * torch.tensor(0.3, dtype=torch.float64),
        torch.normal(2.0, 3.0, (4,)),
    )


@_made("a", "b", "c")
def one_after_another():
    first = torch.randn(4)
    second = first.clone()
    return first.normal_(), second, second * 2


@_made("a", "b", "c")
def orders():
    return torch.randn(3, 4).T, torch.randn(12).view(3, 4)[1:], torch.empty(3, 4, 5).normal_().permute(2, 0, 1)


@_made("a", "b", "c", "d")
def equal_values():
    return (
        torch.full((4,), 0.1).log(),
        torch.ones(4).expand(3, 4).clone(),
        torch.ones(2, 3) * torch.ones(3),
        -torch.zeros(2),
    )


@_made("a", "b")
def what_has_owners():
    temporary = torch.randn(4)
    return temporary.exp(), temporary.clone()


@_made("a", "b", "c", "d", "e")
def not_sayable():
    changed = torch.randn(4, 3)
    changed[1] = torch.randn(3)
    return (
        torch.cat([torch.randn(2), torch.zeros(2)]),
        torch.stack([torch.randn(2), torch.randn(2)]),
        torch.randn(3, 4).T.contiguous(),
        changed,
        torch.rand(4) * torch.full((4,), 0.3, dtype=torch.float64),
    )


@_made("rotary", "wide", "decay", "slopes", "sinusoid", "padded", "a_log", "heads", "even", "steps")
def tables():
    """What models compute instead of drawing."""
    positions, frequencies = torch.arange(20.0), torch.exp(torch.arange(0, 8, 2) * -(math.log(100.0) / 8))
    angles = positions[:, None] * frequencies[None, :]
    padded = torch.cat([angles.sin(), angles.cos()], dim=1).view(20, -1)
    padded[3, :] = 0
    return (
        1.0 / (10000 ** (torch.arange(0, 16, 2, dtype=torch.int64).float() / 16)),
        (10000 ** -(torch.arange(0, 16, 2, dtype=torch.float64) / 16)).to(torch.float32),
        (1 - torch.exp(torch.linspace(math.log(1 / 32), math.log(1 / 512), 6))).log(),
        torch.pow(2.0, -torch.arange(1, 5) * 2.0).view(1, 4, 1, 1),
        torch.stack([angles.sin(), angles.cos()], dim=-1),
        padded.float(),
        torch.log(torch.arange(1, 5, dtype=torch.float32)[None, :].expand(6, -1).contiguous()).reshape(2, 3, 4),
        torch.rsqrt(torch.arange(1, 5).float()).clamp(min=0.55, max=0.9).sqrt().abs(),
        torch.arange(6).repeat_interleave(1).float() + torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]),
        torch.linspace(0, 1, 7) ** 2 / 3 - 1,
    )


@_made("dt", "low", "scaled", "centred", "twice", "logit", "norm", "of_a", "shifted")
def functions_of_random_values():
    dt = torch.exp(torch.rand(40) * (math.log(0.1) - math.log(1e-3)) + math.log(1e-3)).clamp(min=1e-4)
    first = nn.Parameter(torch.randn(4, 5))
    uniform = torch.rand(40) * 0.98 + 0.01
    return (
        dt + torch.log(-torch.expm1(-dt)),
        torch.rand(40).add(1).log().bfloat16(),
        torch.randn(4, 5) * torch.arange(1, 6),
        torch.rand(40).sub_(0.5).tanh_().mul_(2),
        torch.rand(40) ** 2 + 1,
        torch.log(uniform) - torch.log1p(-uniform),
        first,
        first.norm(dim=1, keepdim=True),
        2 - torch.rand(40).cos(),
    )


def buffers():
    made = nn.Linear(3, 2)
    made.register_buffer("mask", torch.tril(torch.ones(6, 6, dtype=torch.bool)).view(1, 1, 6, 6))
    made.register_buffer("upper", torch.triu(torch.full((5, 5), -math.inf), diagonal=1))
    made.register_buffer("ids", torch.arange(16).expand((1, -1)))
    made.register_buffer("offset", torch.arange(16, dtype=torch.int32) * 2 + 1)
    made.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1))
    made.register_buffer("pairs", torch.stack(torch.meshgrid(torch.arange(3), torch.arange(4), indexing="ij"), dim=-1))
    return made


def positional_encoding():
    """As tutorials have it."""
    made = nn.Module()
    position, pe = torch.arange(50).unsqueeze(1), torch.zeros(50, 1, 16)
    frequency = torch.exp(torch.arange(0, 16, 2) * (-math.log(10000.0) / 16))
    pe[:, 0, 0::2] = torch.sin(position * frequency)
    pe[:, 0, 1::2] = torch.cos(position * frequency)
    made.register_buffer("pe", pe)
    made.tiled = nn.Parameter(torch.arange(6.0).view(2, 3).repeat(4, 2, 1))
    made.rows = nn.Parameter(torch.log(torch.arange(1, 4).float()).repeat(5, 1))
    return made


@_made("a", "b", "c", "d", "e")
def tables_that_no_formula_says():
    half, thirds = torch.zeros(6, 4), torch.zeros(6, 4)
    half[:, 0::2] = torch.arange(6.0)[:, None]
    thirds[:, 0::3] = torch.ones(6, 2)
    thirds[:, 1::3] = torch.arange(6.0)[:, None]
    return (
        half,
        thirds,
        torch.arange(4.0).roll(1),
        torch.arange(12.0).view(3, 4).T.contiguous(),
        torch.tensor([*range(100)], dtype=torch.float32) * 2,
    )


def small_tables():
    """Rounded after each operation: a formula would be too good."""
    made = nn.Module()
    made.table = nn.Parameter(torch.arange(1, 9, dtype=torch.bfloat16).log().exp())
    made.wide = nn.Parameter(torch.arange(1, 9, dtype=torch.float32).log().bfloat16())
    return made


def dirac():
    made = nn.Conv1d(3, 3, 3)
    nn.init.dirac_(made.weight)
    return made


def gates():
    made = nn.GRU(3, 2)
    for part in made.weight_hh_l0.chunk(3):
        nn.init.orthogonal_(part)
    made.bias_hh_l0.data[2:4].fill_(1)
    return made


@pytest.mark.parametrize(
    ("make", "computed"),
    [
        (slices_of_one, ()),
        (memory_with_two_names, ()),
        (a_temporary_used_again, ()),
        (changes, ()),
        (one_after_another, ()),
        (orders, ()),
        (equal_values, ()),
        (what_has_owners, ()),
        (not_sayable, ("a", "b", "c", "d", "e")),
        (tables, ()),
        (functions_of_random_values, ()),
        (buffers, ()),
        (positional_encoding, ()),
        (tables_that_no_formula_says, ("a", "b", "c", "d", "e")),
        (small_tables, ("table",)),
        (dirac, ()),
        (gates, ()),
        (lambda: nn.Linear(3, 4).half(), ()),
        (lambda: nn.Linear(3, 4).half().float(), ("weight", "bias")),
        (lambda: nn.Embedding(50, 3, padding_idx=0).bfloat16(), ()),
        (lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 3), ()),
        (lambda: nn.utils.parametrizations.weight_norm(nn.Linear(8, 6)), ()),
    ],
)
def test_ways_to_make_a_parameter(make, computed):
    check_built(make, computed)


def test_formulas_are_short_and_steps_are_cut_where_they_can():
    found = record(functions_of_random_values)
    log = math.log(0.1) - math.log(1e-3), math.log(1e-3)
    start = f"uniform(); mul({log[0]!r}); add({log[1]!r}); exp(x); max(x, 0.0001); "
    assert found["dt"].label == start + "x + log(-expm1(-x))"
    assert found["logit"].label == "uniform(); mul(0.98); add(0.01); log(x) - log1p(-x)"
    assert found["of_a"].label == "reshape(norm(x, 1), 4, 1) of norm"
    assert found["scaled"].label == "normal(); x * arange(1, 6)"
    found = record(tables)
    assert found["rotary"].label == "1 / 10000 ** (arange(0, 16, 2) / 16)"
    assert found["wide"].label == "10000 ** -(arange(0, 16, 2) / 16) in float64"
    assert found["a_log"].label == "log(arange(1, 5))"
    assert found["padded"].label.endswith("; [3:4, 0:8] zeros()")
    assert found.names("constant") == tuple(found)
    found = record(buffers)
    assert found["mask"].label == "tril(full(True, 6, 6))"
    assert found["mean"].label == "reshape(array(0.485, 0.456, 0.406), 3, 1, 1)"
    assert found["ids"].label == "arange(16)"


def test_inside_of_a_keyed_context():
    model = nn.Linear(3, 2)
    with keyed(model, 0) as context:
        recipe = record(lambda: nn.Linear(3, 2))
        model.reset_parameters()
    check(recipe, model)
    assert context.report.names("drawn") == ("weight", "bias")


def test_lazy_modules():
    recipe = record(lambda: nn.Sequential(nn.LazyLinear(3), nn.Linear(3, 2)))
    assert recipe["0.weight"].label == "computed: it has no shape yet"
    assert recipe["1.weight"].status == "drawn"


def test_names_and_aliases_are_those_of_keyed():
    """A stage of a pipeline, whose layers count from its own first, and whose head is tied to another stage's."""

    def make():
        stage = nn.ModuleDict({"layers": nn.ModuleList(nn.Linear(4, 4) for _ in range(2)), "head": nn.Linear(4, 9)})
        stage.copy = copy.deepcopy(stage.layers[0])
        return stage

    def code(model):
        for module in (*model.layers, model["head"]):
            module.reset_parameters()

    names = {f"layers.{n}.{kind}": f"layers.{n + 6}.{kind}" for n in range(2) for kind in ("weight", "bias")}
    options = {"names": lambda name: names.get(name, name), "aliases": {"head.weight": "embedding.weight"}}
    recipe = record(make, **options)
    check(recipe, build(make, 0, **options))
    assert recipe["layers.1.weight"].steps[0].of == "layers.7.weight"
    assert recipe["copy.weight"].steps[0].of == "layers.6.weight"
    assert recipe["head.weight"].steps[0].of == "embedding.weight"
    model = make()
    both, alone = record(make, code, **options), record(model, code, **options)
    with keyed(model, 0, **options):
        code(model)
    assert both == recipe
    got = {name: torch.empty(weight.shape) for name, weight in alone.items() if weight.steps}
    alone.apply(got, 0)
    assert all(torch.equal(one, tensors(model)[name]) for name, one in got.items())
    with pytest.raises(init.InvalidValueError, match=r"names gives 'x' for 'weight' and for 'bias'"):
        record(lambda: nn.Linear(3, 2), names=lambda name: "x")


def test_both_a_constructor_and_code():
    def code(model):
        nn.init.normal_(model[0].weight, std=0.02)
        model[1].weight.data[1].zero_()
        model[1].bias.data.mul_(2)
        model[2].bias.data.copy_(model[2].weight[:, 0])

    def make():
        return nn.Sequential(*(nn.Linear(4, 4) for _ in range(4)))

    recipe = record(make, code)
    assert recipe.names("computed") == ("2.bias",)  # its source was drawn before
    model = build(make, 0)
    with keyed(model, 0):
        code(model)
    check(recipe, model, ("2.bias",))
    assert recipe["1.bias"].label == "uniform(a=-0.5, b=0.5); mul(2.0)"
    assert record(model, code)["1.bias"].label == "untouched; mul(2.0)"
    assert record(model, code)["1.bias"].status == "computed"


def test_what_a_formula_is_of_may_change_later():
    def make():
        return nn.utils.parametrizations.weight_norm(nn.Linear(8, 6))

    norm, direction = "parametrizations.weight.original0", "parametrizations.weight.original1"

    def refill(model):
        nn.init.normal_(model.get_parameter(direction))

    def renew(model, then=lambda model: None):
        refill(model)
        model.get_parameter(norm).data.copy_(model.get_parameter(direction).norm(dim=1, keepdim=True))
        then(model)

    assert record(make, refill).names("computed") == (norm,)  # that of the old direction
    recipe = check_keyed(make(), renew)
    assert recipe[norm].label == f"reshape(norm(x, 1), 6, 1) of {direction}"
    assert record(make, renew)[norm] == recipe[norm]
    check_keyed(make(), lambda model: renew(model, refill), (norm,))
    check_keyed(make(), lambda model: model.get_parameter(norm).data.copy_(model.bias[:, None]), (norm,))


class Looking(nn.Module):
    """Numbers that code takes from tensors."""

    def __init__(self):
        super().__init__()
        rates = [one.item() for one in torch.linspace(0.5, 2, 4)]
        more = torch.linspace(0.5, 2, 4).tolist()
        assert rates == more
        assert torch.arange(4).numpy().tolist() == [0, 1, 2, 3]
        assert bool((torch.zeros(3) == 0).all())
        assert (3 - torch.arange(3) * 2).tolist() == [3, 1, -1]
        assert (-torch.ones(2, dtype=torch.int64) * 3).sum().item() == -6
        assert torch.arange(6)[torch.arange(6) > 3].shape == (2,)
        self.layers = nn.ModuleList(nn.Linear(3, 3, bias=False) for _ in rates)
        for std, layer in zip(rates, self.layers, strict=True):
            nn.init.normal_(layer.weight, std=std)


def test_code_may_look_at_what_does_not_depend_on_chance():
    recipe = check_built(Looking)
    assert "layers.{0,2,3}.weight  [3, 3]  normal(std=0.5 * (n + 1))" in str(recipe)  # 1 has the default


def test_what_is_made_on_the_cpu_explicitly():
    def make():
        made = nn.Linear(3, 2, device="cpu")
        made.weight.data.add_(torch.tensor(2.0))
        made.extra = nn.Parameter(torch.tensor([1.0, 2.0]))
        with torch.no_grad():
            made.extra.copy_(torch.rand(2))
        return made

    check_built(make)


def test_large_models_take_no_memory_and_less_than_a_second():
    def make():
        return nn.Sequential(*(nn.Linear(8192, 8192, bias=False) for _ in range(1000)))  # 268 GB

    record(lambda: nn.Linear(3, 2))
    start = time.perf_counter()
    recipe = record(make)
    assert time.perf_counter() - start < 10  # on a busy machine
    assert str(recipe).startswith("{0..999}.weight  [8192, 8192]  uniform(a=-0.011048")


def test_a_large_llama_is_a_table_of_some_rows():
    transformers = torch_models.installed("transformers")
    config = transformers.LlamaConfig(
        hidden_size=8192,
        num_hidden_layers=80,
        num_attention_heads=64,
        num_key_value_heads=8,
        intermediate_size=28672,
        vocab_size=128256,
    )
    recipe = record(lambda: transformers.LlamaForCausalLM(config))
    assert sum(math.prod(weight.shape) for weight in recipe.values() if weight.is_parameter) == 70_553_706_496
    rows = str(recipe).splitlines()
    assert len(rows) == 14
    assert rows[6].split() == ["model.layers.{0..79}.mlp.up_proj.weight", "[28672,", "8192]", "normal(std=0.02)"]
    assert all(weight.status != "computed" for weight in recipe.values() if weight.is_parameter)


def test_everything_is_as_before():
    state = torch.get_rng_state()
    function = nn.init.trunc_normal_.__code__
    record(lambda: nn.Linear(3, 2))
    with pytest.raises(ZeroDivisionError):
        record(lambda: 1 / 0)
    assert nn.init.trunc_normal_.__code__ is function
    assert torch.equal(state, torch.get_rng_state())
    assert torch.empty(1).device.type == "cpu"


def test_bad_input():
    with pytest.raises(init.InvalidTypeError, match="record takes a module or what constructs one, got 3"):
        record(3)
    with pytest.raises(init.InvalidTypeError, match="record of a module needs the code"):
        record(nn.Linear(3, 2))
    with pytest.raises(init.InvalidTypeError, match="init is called with the model"):
        record(nn.Linear(3, 2), init="init_weights")
    with pytest.raises(init.InvalidTypeError, match=r"record takes a torch\.nn\.Module, got int"):
        record(lambda: 3)
    with pytest.raises(init.InvalidValueError, match="nothing to name"):
        record(nn.ReLU)
    with pytest.raises(init.InvalidValueError, match=r"see values that a recording does not have \(random values"):
        record(lambda: nn.Linear(3, 2) if torch.rand(()).item() > 0.5 else nn.Linear(2, 3))
    for code in (lambda: build(lambda: nn.Linear(3, 2)), lambda: keyed(nn.Linear(3, 2)).__enter__()):
        with pytest.raises(init.InvalidValueError, match="record has no values for"):
            record(code)
    with pytest.raises(init.InvalidValueError, match="values from before"):
        record(nn.Linear(3, 2), lambda model: model.weight.data.fill_(model.bias.mean().item()))
