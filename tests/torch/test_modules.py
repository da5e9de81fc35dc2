"""``numbainit.torch`` → torch modules: what ``numbainit init`` writes for the same names, and whole modules refused."""

import copy
import json
import warnings

import numpy as np
import pytest

import numbainit as init
from numbainit import Initializer
from numbainit.command import cli
from numbainit.recipes import Recipe, Rules
from numbainit.recipes.default import default
from numbainit.recipes.default import initializer as law

pytestmark = pytest.mark.full
torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'numbainit[torch]'")

from numbainit.torch import initialize, initializer  # noqa: E402

nn = torch.nn


class Transformer(nn.Module):
    """Small, with all that is awkward: tied embeddings, a mask, norms, packed projections, a convolution."""

    def __init__(self, tied=True):
        super().__init__()
        self.embedding = nn.Embedding(50, 16)
        self.stem = nn.Sequential(nn.Conv1d(16, 16, 3, bias=False), nn.BatchNorm1d(16))
        self.block = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True)
        self.head = nn.Linear(16, 50, bias=False)
        if tied:
            self.head.weight = self.embedding.weight
        self.register_buffer("mask", torch.full((4, 4), 5.0))


def array(tensor):
    return tensor.detach().numpy()


def values(module):
    return {name: array(tensor).copy() for name, tensor in module.state_dict().items()}


# ---- initialize ----


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        ([], None),
        (["--init", "xavier_uniform", "--gain", "2"], law("xavier_uniform", gain=2.0)),
        (["--init", "kaiming_normal", "--mode", "fan_out"], law("kaiming_normal", mode="fan_out")),
        (["--init", "trunc_normal", "--std", "0.5"], default(law("trunc_normal", std=0.5))),
    ],
    ids=["default", "xavier_uniform", "kaiming_normal", "trunc_normal"],
)
def test_equal_to_the_file_of_the_command_line(tmp_path, options, chosen):
    safetensors = pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")
    model = Transformer()
    names = {"torch.float32": "F32", "torch.int64": "I64"}
    tensors = dict(model.named_parameters()) | {name: t for name, t in model.named_buffers() if name != "mask"}
    shapes = {name: {"dtype": names[str(t.dtype)], "shape": list(t.shape)} for name, t in tensors.items()}
    header, output = tmp_path / "shapes.json", tmp_path / "model.safetensors"
    header.write_text(json.dumps(shapes))
    assert cli.main(["init", str(header), "-o", str(output), "--seed", "5", "--json", *options]) == 0
    assert initialize(model, chosen, generator=5) is model
    written = safetensors.load_file(output)
    assert set(written) == set(tensors)
    fused = "block.self_attn.in_proj_weight"  # a file does not tell that it is three
    for name, tensor in tensors.items():
        if name != fused or "--std" in options or not options:
            np.testing.assert_array_equal(array(tensor), written[name], err_msg=name)
    assert (array(model.mask) == 5).all()


def test_each_parameter_has_the_generator_of_its_name():
    model = initialize(Transformer(tied=False), generator=init.Generator(3, draws=7))
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1:
            want = init.normal(parameter.shape, std=0.02, generator=init.Generator(3).fold_in(name))
            np.testing.assert_array_equal(array(parameter), want)
    assert (array(model.block.norm1.weight) == 1).all()
    assert (array(model.block.self_attn.in_proj_bias) == 0).all()


def test_tied_parameters_are_filled_once_under_their_first_name():
    model = initialize(Transformer(), generator=3)
    assert model.head.weight is model.embedding.weight
    want = init.normal((50, 16), std=0.02, generator=init.Generator(3).fold_in("embedding.weight"))
    np.testing.assert_array_equal(array(model.head.weight), want)


def test_statistics_are_reset_and_other_buffers_kept():
    model = Transformer()
    norm = model.stem[1]
    norm(torch.randn(8, 16) * 3 + 1)
    assert norm.num_batches_tracked == 1
    initialize(model, generator=0)
    assert norm.num_batches_tracked == 0
    assert (array(norm.running_mean) == 0).all()
    assert (array(norm.running_var) == 1).all()
    assert (array(model.mask) == 5).all()


def test_generators():
    def weight(generator=None):
        return array(initialize(nn.Linear(4, 4), generator=generator).weight).copy()

    assert (weight(3) == weight(init.Generator(3))).all()
    assert (weight([3, 4]) == weight(np.random.SeedSequence([3, 4]))).all()
    assert (weight(np.random.default_rng(1)) == weight(np.random.default_rng(1))).all()
    init.manual_seed(5)
    first, second = weight(), weight()
    assert (first != second).any()
    init.manual_seed(5)
    assert (weight() == first).all()


def test_memory_of_any_kind():
    """Strides, views, gradients, float64, no axes, no elements."""
    module = nn.Module()
    module.transposed = nn.Parameter(torch.zeros(5, 4).T)
    module.strided = nn.Parameter(torch.zeros(8, 10)[::2, 1::3])
    module.wide = nn.Parameter(torch.zeros(3, 4, dtype=torch.float64), requires_grad=False)
    module.scalar = nn.Parameter(torch.tensor(3.0))
    module.empty = nn.Parameter(torch.zeros(0, 4))
    initialize(module, law("kaiming_normal"), generator=2)
    for name in ("transposed", "strided", "wide"):
        parameter = getattr(module, name)
        kind = str(parameter.dtype).removeprefix("torch.")
        generator = init.Generator(2).fold_in(name)
        want = init.kaiming_normal(parameter.shape, dtype=kind, generator=generator)
        np.testing.assert_array_equal(array(parameter), want)
    assert module.scalar == 1
    assert module.transposed.requires_grad
    assert module.transposed.is_leaf
    assert not module.wide.requires_grad


def test_a_saved_graph_sees_the_change():
    layer = nn.Linear(3, 3)
    loss = layer(layer(torch.ones(2, 3))).sum()
    initialize(layer, generator=0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_training_goes_on_afterwards():
    model = initialize(nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1)), law("xavier_normal"), generator=0)
    before = values(model)
    model(torch.ones(2, 4)).sum().backward()
    torch.optim.SGD(model.parameters(), 0.1).step()
    assert (values(model)["0.weight"] != before["0.weight"]).any()


def test_rules_of_your_own():
    rules = Rules(
        [
            {"match": "*", "kind": "Linear", "rank": 2, "initializer": law("orthogonal", gain=2.0)},
            {"match": "*", "initializer": "constant", "val": "seven"},
        ],
        {"seven": {}},
    )
    layer = initialize(nn.Linear(4, 3), rules, generator=0, variables={"seven": 7})
    np.testing.assert_allclose(array(layer.weight @ layer.weight.T), 4 * np.eye(3), atol=1e-5)
    assert layer.bias.tolist() == [7, 7, 7]
    again = initialize(nn.Linear(4, 3), rules.recipe(nn.Linear(4, 3), {"seven": 7}), generator=0)
    np.testing.assert_array_equal(array(again.weight), array(layer.weight))


def test_rules_by_name():
    model = initialize(Transformer(), "default", generator=5)
    np.testing.assert_array_equal(
        values(model)["stem.0.weight"], values(initialize(Transformer(), generator=5))["stem.0.weight"]
    )


def test_norms_are_known_by_their_kind():
    model = initialize(nn.Sequential(nn.LayerNorm((4, 6)), nn.Linear(4, 6), nn.PReLU()), generator=0)
    assert (array(model[0].weight) == 1).all()
    assert array(model[1].weight).std() < 0.1
    assert array(model[2].weight).tolist() == [0.25]


# ---- initializer ----


def test_apply():
    model = Transformer()
    assert model.apply(initializer("xavier_uniform", gain=0.5, generator=4)) is model
    order = []
    model.apply(lambda module: order.append(module) if [*module.parameters(recurse=False)] else None)
    children = init.Generator(4).spawn(len(order))
    last = {
        id(module.weight): (module, child)
        for module, child in zip(order, children, strict=True)
        if hasattr(module, "weight")
    }
    for module, child in last.values():
        if module.weight.ndim > 1:
            want = init.xavier_uniform(module.weight.shape, 0.5, generator=child.fold_in("weight"))
            np.testing.assert_array_equal(array(module.weight), want)
    assert (array(model.block.linear1.bias) == 0).all()
    assert (array(model.block.norm1.weight) == 1).all()
    assert (array(model.mask) == 5).all()


def test_one_layer_and_later_calls():
    fill = initializer("normal", std=1.0, generator=4)
    first, second = nn.Linear(3, 2), nn.Linear(3, 2)
    assert fill(first) is first
    fill(nn.ReLU())
    fill(second)
    for layer, child in zip((first, second), init.Generator(4).spawn(2), strict=True):
        np.testing.assert_array_equal(array(layer.weight), init.normal((2, 3), generator=child.fold_in("weight")))


# ---- what is refused, before anything is written ----


def expanded():
    module = nn.Linear(3, 2)
    module.shared = nn.Parameter(torch.zeros(1, 5).expand(4, 5))
    return module


def with_meta():
    return nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2, device="meta"))


def everything(text):
    return Rules([{"match": "*", "initializer": law(text)}])


REFUSED = [
    (with_meta, {}, init.InvalidValueError, r"'1\.weight': .* torch's meta device.*to_empty\(device="),
    (lambda: nn.Sequential(nn.Linear(3, 2), nn.LazyLinear(3)), {}, init.InvalidValueError, "no shape yet: run the"),
    (expanded, {}, init.InvalidValueError, "'shared': .* share memory"),
    (
        lambda: nn.Linear(3, 2),
        {"rules": Rules([{"match": "*.gamma", "initializer": "ones"}])},
        init.InvalidValueError,
        r"no rule takes 2 parameters: weight \[2, 3\]; bias \[2\]",
    ),
    (lambda: nn.Linear(3, 2), {"rules": Recipe({})}, init.InvalidValueError, "the recipe has no 'weight'"),
    (
        lambda: nn.Linear(3, 2),
        {"rules": "normal"},
        init.InvalidValueError,
        "no rules are named 'normal'",
    ),
    (
        lambda: nn.Linear(3, 2),
        {"rules": 3},
        init.InvalidTypeError,
        "rules must be a numbainit.Initializer, numbainit.recipes.Rules or the name of some, or a Recipe, got 3",
    ),
    (lambda: nn.Linear(3, 2), {"rules": law("kaiming_normal", mode="x")}, init.InvalidValueError, "Mode x not supp"),
    (lambda: nn.Linear(3, 2), {"rules": everything("xavier_normal")}, init.InvalidValueError, "fewer than 2 dimens"),
    (lambda: nn.Sequential(nn.ReLU()), {}, init.InvalidValueError, "there is nothing to fill"),
    (lambda: nn.Linear(3, 2), {"generator": torch.Generator()}, init.InvalidTypeError, "got torch._C.Generator"),
    (lambda: nn.Linear(3, 2), {"generator": "a"}, init.InvalidTypeError, "got str 'a'"),
    (lambda: nn.Linear(3, 2), {"generator": -1}, init.InvalidValueError, "non-negative"),
    (lambda: nn.Linear(3, 2), {"rules": "gpt2-hf", "variables": [1]}, init.InvalidTypeError, "variables are a mapping"),
]


@pytest.mark.parametrize(("make", "keywords", "error", "message"), REFUSED)
def test_senseless_calls(make, keywords, error, message):
    module = make()
    plain = [tensor for tensor in module.parameters() if not nn.parameter.is_lazy(tensor) and not tensor.is_meta]
    before = [copy.deepcopy(tensor.detach()) for tensor in plain]
    with pytest.raises(error, match=message):
        initialize(module, **keywords)
    for tensor, old in zip(plain, before, strict=True):
        assert torch.equal(tensor, old)


@pytest.mark.parametrize("module", [3, None, torch.zeros(3), nn.Linear], ids=str)
def test_what_is_no_module(module):
    for call in (initialize, initializer("normal", generator=0)):
        with pytest.raises(init.InvalidTypeError, match=r"must be a torch\.nn\.Module, got"):
            call(module)


def test_initializers_are_checked_when_they_are_made():
    with pytest.raises(init.InvalidValueError, match="did you mean 'normal'"):
        initializer("nrmal")
    with pytest.raises(init.InvalidValueError, match="option 'mode' does not apply"):
        initializer("normal", mode="fan_in")
    with pytest.raises(init.InvalidTypeError, match="got str"):
        initializer("normal", generator="x")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_modules_of_small_floats(dtype):
    """The values of the float32 module, rounded once."""
    small = initialize(nn.Linear(30, 20, dtype=dtype), generator=4)
    wide = initialize(nn.Linear(30, 20), generator=4)
    assert torch.equal(small.weight, wide.weight.to(dtype))


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_an_empty_parameter_is_left_alone():
    """A backward pass that holds it goes on."""
    module = nn.Linear(0, 3)
    result = (torch.zeros(2, 0, requires_grad=True) * module.weight[:2]).sum()
    initialize(module, generator=0)
    result.backward()


def test_a_scripted_module_is_refused():
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # of newer versions
        scripted = torch.jit.script(torch.nn.Sequential(torch.nn.Embedding(3, 2, padding_idx=0)))
    for module in (scripted, torch.nn.Sequential(scripted)):
        with pytest.raises(init.InvalidTypeError, match=r"before torch\.jit\.script"):
            initialize(module, generator=0)


def test_a_module_that_holds_itself():
    inner, outer = torch.nn.Linear(2, 2), torch.nn.Module()
    outer.inner, inner._modules["outer"] = inner, outer
    recipe = default().recipe(outer)
    assert (list(recipe), recipe.ties) == (["inner.weight", "inner.bias"], {})
    recipe.apply(outer, generator=3)
    g = init.Generator(3).fold_in("inner.weight")
    np.testing.assert_array_equal(inner.weight.detach().numpy(), init.normal((2, 2), std=0.02, generator=g))


def test_a_recipe_takes_no_variables():
    recipe = default().recipe(nn.Linear(2, 2))
    with pytest.raises(init.InvalidValueError, match="a recipe has numbers and no variables"):
        initialize(nn.Linear(2, 2), recipe, generator=0, variables={"layers": 3})


def test_a_refusal_names_the_parameter():
    module = nn.Sequential(nn.Linear(3, 4), nn.Conv2d(3, 4, 3))
    with pytest.raises(
        init.InvalidValueError, match=r"parameter '1\.weight', .* Only tensors with 2 .* shape \(4, 3, 3, 3\)"
    ):
        initialize(module, Initializer("eye"), generator=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float8_e5m2, torch.float64, torch.complex64])
def test_new_tensors_have_the_dtype_of_like(dtype):
    made = init.normal((3, 2), like=torch.empty(1, dtype=dtype), generator=0, std=0.5)
    assert (made.dtype, tuple(made.shape)) == (dtype, (3, 2))
    assert torch.equal(made, init.normal_(torch.empty(3, 2, dtype=dtype), std=0.5, generator=0))


def test_a_gain_that_is_a_tensor_is_read_at_each_call():
    gain = torch.tensor(1.0)
    first = init.xavier_normal((2, 2), gain, generator=0)
    gain.fill_(2.0)
    assert (init.xavier_normal((2, 2), gain, generator=0) == init.xavier_normal((2, 2), 2.0, generator=0)).all()
    assert (first == init.xavier_normal((2, 2), 1.0, generator=0)).all()
