"""``keyed`` around initialization code → what numbainit's public functions give for the same names."""

import copy
import math
import threading

import numpy as np
import pytest

import numbainit as init

pytestmark = pytest.mark.full
torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'numbainit[torch]'")

from torch.nn.init import orthogonal_, sparse_, trunc_normal_  # noqa: E402  - names that are imported earlier

from numbainit.torch import build, keyed, record  # noqa: E402

nn = torch.nn
SHAPE = (6, 8)


def generator(name="w", seed=0):
    return init.Generator(seed).fold_in(name)


def module(shape=SHAPE, dtype=torch.float32, tensor=None):
    made = nn.Module()
    made.w = nn.Parameter(torch.full(shape, 7.0, dtype=dtype) if tensor is None else tensor)
    return made


def initialized(code, made=None, **options):
    """A module after ``code(w)`` in a context, and its report."""
    made = module() if made is None else made
    with keyed(made, 0, **options) as context, torch.no_grad():
        code(made.w)
    return made, context.report


def weight(code, made=None):
    return initialized(code, made)[0].w.detach()


def equal(tensor, want):
    np.testing.assert_array_equal(tensor.detach().numpy(), want)


NORMAL = init.normal(SHAPE, generator=init.Generator(0).fold_in("w"))

# ---- fills of named tensors ----

FILLS = {
    "normal_": (lambda w: w.normal_(0.5, 2.0), ("normal", {"mean": 0.5, "std": 2.0})),
    "uniform_": (lambda w: w.uniform_(-1, 3), ("uniform", {"a": -1, "b": 3})),
    "nn.init.normal_": (lambda w: nn.init.normal_(w, std=0.02), ("normal", {"std": 0.02})),
    "nn.init.xavier_normal_": (lambda w: nn.init.xavier_normal_(w), ("xavier_normal", {})),
    "nn.init.kaiming_uniform_": (lambda w: nn.init.kaiming_uniform_(w, a=5**0.5), ("kaiming_uniform", {"a": 5**0.5})),
    "trunc_normal_": (lambda w: trunc_normal_(w, std=0.5, a=-1, b=1), ("trunc_normal", {"std": 0.5, "a": -1, "b": 1})),
    "far trunc_normal_": (lambda w: trunc_normal_(w, a=3, b=4), ("trunc_normal", {"a": 3, "b": 4})),
    "orthogonal_": (lambda w: orthogonal_(w, gain=2), ("orthogonal", {"gain": 2})),
    "sparse_": (lambda w: sparse_(w, 0.5), ("sparse", {"sparsity": 0.5})),
    "eye_": (lambda w: nn.init.eye_(w), ("eye", {})),
    "constant_": (lambda w: nn.init.constant_(w, 0.3), ("constant", {"val": 0.3})),
    ".data": (lambda w: w.data.normal_(), ("normal", {})),
    ".detach()": (lambda w: w.detach().normal_(), ("normal", {})),
    "a torch.Generator": (lambda w: w.normal_(generator=torch.Generator().manual_seed(3)), ("normal", {})),
    "randn copied": (lambda w: w.copy_(torch.randn(SHAPE)), ("normal", {})),
    "rand copied": (lambda w: w.copy_(torch.rand(SHAPE)), ("uniform", {})),
    "a temporary filled and copied": (lambda w: w.copy_(nn.init.normal_(torch.empty(SHAPE))), ("normal", {})),
    "orthogonal_ copied": (lambda w: w.copy_(orthogonal_(torch.empty(SHAPE))), ("orthogonal", {})),
    "normal(mean, std, size)": (lambda w: w.copy_(torch.normal(1.0, 2.0, SHAPE)), ("normal", {"mean": 1, "std": 2})),
    "a list of rows": (lambda w: [w.__setitem__(row, torch.randn(8)) for row in range(6)], ("normal", {})),
    ".data = randn": (lambda w: setattr(w, "data", torch.randn(SHAPE)), ("normal", {})),
    "twice": (lambda w: w.normal_().normal_(), ("normal", {})),
    "another law before": (lambda w: w.uniform_().zero_().normal_(), ("normal", {})),
}


@pytest.mark.parametrize("case", FILLS)
def test_values_are_those_of_the_name(case):
    code, (name, arguments) = FILLS[case]
    made, _ = initialized(code)
    source = {} if name in ("eye", "constant") else {"generator": generator()}
    equal(made.w, getattr(init, name)(SHAPE, **arguments, **source))


VIEWS = {
    "rows": lambda w: w[2:4],
    "one row": lambda w: w[3],
    "columns": lambda w: w[:, 1:5],
    "steps": lambda w: w[1::2, ::3],
    "transposed": lambda w: w.T,
    "a slice of the transposed": lambda w: w.T[1:3, ::2],
    "flat": lambda w: w.reshape(-1),
    "a flat range": lambda w: w.reshape(-1)[5:29],
    "flat steps": lambda w: w.reshape(-1)[5:29:3],
    "a diagonal": lambda w: w.diagonal(),
    "three axes": lambda w: w.reshape(2, 3, 8)[:, 1:, 2:6],
    "three axes in another order": lambda w: w.reshape(6, 2, 4).transpose(0, 2)[1:, 0],
    "windows that do not divide": lambda w: w.reshape(-1)[1:46].reshape(9, 5)[:, 1:4],
    "one element": lambda w: w[4, 5],
    "nothing": lambda w: w[2:2],
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_a_view_is_that_part_of_the_whole(view):
    made = weight(lambda w: view(w).normal_())
    equal(view(made), view(torch.from_numpy(NORMAL)))
    rest = torch.ones(SHAPE)
    view(rest).zero_()
    assert (made[rest == 1] == 7).all()


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_what_is_copied_into_a_view_is_that_part_too(view):
    made = weight(lambda w: view(w).copy_(torch.randn(view(w).shape)))
    equal(view(made), view(torch.from_numpy(NORMAL)))


MEMORY = {
    "transposed": lambda: torch.zeros(8, 6).T,
    "a slice of something larger": lambda: torch.zeros(12, 10)[1::2, 1:9],
    "every second element": lambda: torch.zeros(6, 16)[:, ::2],
}


@pytest.mark.parametrize("make", MEMORY.values(), ids=MEMORY)
@pytest.mark.parametrize("view", ["rows", "columns", "transposed", "a slice of the transposed", "a diagonal"])
def test_strides_do_not_matter(make, view):
    made = module(tensor=make())
    equal(weight(lambda w: w.normal_(), made), NORMAL)
    made = module(tensor=make())
    equal(VIEWS[view](weight(lambda w: VIEWS[view](w).normal_(), made)), VIEWS[view](torch.from_numpy(NORMAL)))


def test_channels_last():
    whole = init.normal((4, 3, 5, 2), generator=generator())
    made = module(tensor=torch.zeros(4, 3, 5, 2).to(memory_format=torch.channels_last))
    equal(weight(lambda w: w.normal_(), made), whole)
    made = module(tensor=torch.zeros(4, 3, 5, 2).to(memory_format=torch.channels_last))
    flat = weight(lambda w: w.permute(0, 2, 3, 1).reshape(-1)[7:50].normal_(), made).permute(0, 2, 3, 1).reshape(-1)
    equal(flat[7:50], whole.transpose(0, 2, 3, 1).ravel()[7:50])
    layer = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)  # it draws a temporary and copies it
    with keyed(layer, 0):
        layer.reset_parameters()
    equal(layer.weight, init.kaiming_uniform((4, 3, 3, 3), a=5**0.5, generator=generator("weight")))


def test_complex_tensors_and_their_parts():
    whole = init.normal((4, 5), dtype="complex64", generator=generator())
    equal(weight(lambda w: w.normal_(), module((4, 5), torch.complex64)), whole)
    for code in (lambda w: torch.view_as_real(w).normal_(), lambda w: (w.real.normal_(), w.imag.normal_())):
        parts = weight(code, module((4, 5), torch.complex64))
        np.testing.assert_allclose(parts.numpy(), whole * math.sqrt(2), rtol=1e-6)


def test_fused_and_per_gate_fills():
    """Gates that are filled one by one are those of the whole; matrices of their own differ from each other."""
    equal(weight(lambda w: [nn.init.normal_(gate) for gate in w.chunk(3)]), NORMAL)
    made = weight(lambda w: [orthogonal_(gate) for gate in w.split(2)])
    for gate in made.split(2):
        np.testing.assert_allclose((gate @ gate.T).numpy(), np.eye(2), atol=1e-5)
    assert (made[:2] - made[2:4]).abs().max() > 0.1


def test_a_padding_row_stays_zero():
    layer = nn.Embedding(5, 3, padding_idx=2)
    with keyed(layer, 0) as context:
        layer.reset_parameters()
    want = init.normal((5, 3), generator=generator("weight"))
    want[2] = 0
    equal(layer.weight, want)
    assert context.report["weight"].status == "drawn"


def test_memory_that_several_parameters_share():
    """A fused buffer: each parameter is filled as if it were alone."""
    made, flat = nn.Module(), torch.zeros(10)
    made.a, made.b = nn.Parameter(flat[:4].view(2, 2)), nn.Parameter(flat[4:])
    with keyed(made, 0):
        flat.normal_()
    equal(made.a, init.normal((2, 2), generator=generator("a")))
    equal(made.b, init.normal(6, generator=generator("b")))


# ---- temporaries ----


def test_operations_on_temporaries_are_made_again():
    """Mamba's: the inverse softplus of exp(U)."""

    def code(w):
        dt = torch.exp(torch.rand(SHAPE) * (math.log(0.1) - math.log(0.001)) + math.log(0.001)).clamp(min=1e-4)
        w.copy_(dt + torch.log(-torch.expm1(-dt)))

    u = torch.from_numpy(init.uniform(SHAPE, generator=generator()))
    dt = torch.exp(u * (math.log(0.1) - math.log(0.001)) + math.log(0.001)).clamp(min=1e-4)
    made, report = initialized(code)
    equal(made.w, dt + torch.log(-torch.expm1(-dt)))
    assert report["w"].status == "drawn"
    assert "uniform" in report["w"].how


def test_temporaries_written_in_part():
    def code(w):
        temporary = torch.zeros(SHAPE)
        temporary[2:4].normal_()
        temporary[3] *= 2
        w.copy_(temporary)

    want = np.zeros(SHAPE, "float32")
    want[2:4] = weight(code)[2:4]
    equal(weight(code), want)
    assert np.unique(want[2:4]).size == 16
    np.testing.assert_allclose(want[2:4].std(), 1.6, atol=0.8)


def test_rows_of_a_temporary_in_another_order():
    equal(weight(lambda w: w.copy_(torch.randn(SHAPE)[torch.arange(5, -1, -1)])), NORMAL[::-1])


def test_several_temporaries_are_independent():
    made = weight(lambda w: w.copy_(torch.randn(SHAPE) - torch.randn(SHAPE)))
    assert (made.abs() > 0.01).float().mean() > 0.9
    made = weight(lambda w: w.copy_(torch.cat([torch.randn(3, 8), torch.randn(3, 8)])))
    assert (made[:3] != made[3:]).all()
    made = weight(lambda w: [w[row].copy_(torch.randn(16)[:8]) for row in range(6)])
    assert np.unique(made.numpy()).size == 48


def test_one_temporary_in_two_tensors_is_equal_in_both():
    made = nn.Module()
    made.a, made.b = nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(3))
    with keyed(made, 0), torch.no_grad():
        temporary = torch.randn(3)
        made.a.copy_(temporary)
        made.b.copy_(temporary * 2)
    equal(made.a, init.normal(3, generator=generator("a")))
    assert torch.equal(made.b, made.a * 2)


@pytest.mark.parametrize(
    "code",
    [
        lambda w: w.exponential_(2.0),
        lambda w: w.log_normal_(),
        lambda w: w.cauchy_(),
        lambda w: w.geometric_(0.25),
        lambda w: w.bernoulli_(0.25),
        lambda w: w.random_(3, 9),
        lambda w: w.copy_(torch.randint(0, 5, SHAPE)),
        lambda w: w.copy_(torch.randperm(48).view(SHAPE)),
        lambda w: w.copy_(torch.bernoulli(torch.full(SHAPE, 0.25))),
        lambda w: w.copy_(torch.normal(torch.arange(48.0).view(SHAPE), 2.0)),
        lambda w: w.copy_(torch.rand_like(w) + torch.randn_like(w)),
        lambda w: w.copy_(torch.multinomial(torch.ones(48), 48).view(SHAPE)),
        lambda w: w.copy_(nn.functional.dropout(torch.ones(SHAPE))),
    ],
)
def test_torchs_seed_has_no_say(code):
    values = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        values.append(weight(code))
    assert torch.equal(*values)
    assert not (values[0] == 7).all()


LAWS = {
    "exponential": (lambda w: w.exponential_(2.0), ("expon", (0, 0.5))),
    "log-normal": (lambda w: w.log_normal_(0.5, 0.25), ("lognorm", (0.25, 0, math.exp(0.5)))),
    "cauchy": (lambda w: w.cauchy_(1.0, 2.0), ("cauchy", (1.0, 2.0))),
    "normal of tensors": (lambda w: w.copy_(torch.normal(torch.ones(w.shape), 2.0)), ("norm", (1.0, 2.0))),
}


@pytest.mark.parametrize("case", LAWS)
def test_laws_that_are_composed(case):
    from scipy import stats

    code, (law, arguments) = LAWS[case]
    made = weight(code, module((100, 200)))
    assert stats.kstest(made.numpy().ravel(), law, arguments).pvalue > 1e-6


def test_whole_numbers():
    made = weight(lambda w: w.copy_(torch.randint(2, 5, w.shape)), module((100, 200)))
    numbers, counts = np.unique(made.numpy(), return_counts=True)
    assert numbers.tolist() == [2, 3, 4]
    assert abs(counts - 20000 / 3).max() < 5 * math.sqrt(20000 * 2 / 9)
    made = weight(lambda w: w.copy_(torch.randperm(48).view(SHAPE)))
    assert sorted(made.view(-1).tolist()) == list(range(48))
    made = weight(lambda w: w.geometric_(0.25), module((100, 200)))
    assert abs(made.mean() - 4) < 5 * math.sqrt(12 / 20000)
    made = weight(lambda w: w.bernoulli_(0.25), module((100, 200)))
    assert abs(made.mean() - 0.25) < 5 * math.sqrt(0.1875 / 20000)


# ---- draws ----


def test_a_loop_that_rejects_ends_and_keeps_its_law():
    def code(w):
        w.normal_()
        while bool((w.abs() > 1).any()):
            bad = w.abs() > 1
            w[bad] = torch.randn(int(bad.sum()))

    made, report = initialized(code)
    assert made.w.abs().max() <= 1
    assert np.unique(made.w.detach().numpy()).size == 48
    kept = abs(NORMAL) <= 1
    equal(made.w[torch.from_numpy(kept)], NORMAL[kept])
    assert report["w"].status == "drawn"
    assert torch.equal(weight(code), made.w)


def test_a_loop_that_rejects_values_of_a_temporary():
    def code(w):
        temporary = torch.randn(SHAPE)
        while bool((temporary.abs() > 1).any()):
            temporary = torch.where(temporary.abs() > 1, torch.randn(SHAPE), temporary)
        w.copy_(temporary)

    made = weight(code)
    assert made.abs().max() <= 1
    torch.manual_seed(12)
    assert torch.equal(weight(code), made)


def test_what_was_read_is_drawn_anew():
    def code(w):
        w.normal_()
        first.append(w.clone())
        w.normal_()

    first = []
    made = weight(code)
    equal(first[0], NORMAL)
    equal(made, init.normal(SHAPE, generator=init.Generator.from_key(*generator().key, draws=1)))


def test_initializing_twice_gives_the_same_values():
    layer = nn.LSTM(3, 4, 2)
    with keyed(layer, 0):
        layer.reset_parameters()
    once = copy.deepcopy(layer.state_dict())
    with keyed(layer, 0):
        layer.reset_parameters()
        layer.reset_parameters()
    assert all(torch.equal(tensor, once[name]) for name, tensor in layer.state_dict().items())


def test_neither_order_nor_others_matter():
    a, b = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)), nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    with keyed(a, 0):
        for layer in a:
            layer.reset_parameters()
    with keyed(b, 0):
        torch.rand(3)
        b[1].reset_parameters()
        nn.Linear(5, 5)
        b[0].reset_parameters()
    assert all(torch.equal(tensor, b.state_dict()[name]) for name, tensor in a.state_dict().items())


# ---- small floats ----

CHAINS = {
    "an inverse error function": lambda w: w.uniform_(-0.9, 0.9).erfinv_().mul_(0.3).add_(0.1).clamp_(-0.5, 0.5),
    "a scaled normal": lambda w: w.normal_(std=0.02).div_(3**0.5),
    "with a row of zeros": lambda w: (w.normal_(), w[3].zero_(), w.mul_(0.3)),
    "a temporary": lambda w: w.copy_(torch.rand(w.shape, dtype=w.dtype).exp().sub_(1)),
    "a temporary, then scaled": lambda w: w.copy_(torch.randn(w.shape, dtype=w.dtype)).mul_(0.3),
    "added": lambda w: w.zero_().add_(torch.randn(w.shape, dtype=w.dtype) * 0.3),
}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
def test_a_chain_on_small_floats_is_rounded_once(chain, dtype):
    wide = weight(chain, module((30, 40)))
    assert torch.equal(weight(chain, module((30, 40), dtype)), wide.to(dtype))


def test_small_floats_that_share_memory():
    made, flat = nn.Module(), torch.zeros(300, dtype=torch.bfloat16)
    made.a, made.b = nn.Parameter(flat[:100]), nn.Parameter(flat[100:])
    with keyed(made, 0), torch.no_grad():
        made.a.normal_()
        made.b.normal_()
        made.a.mul_(0.5)
    equal(made.a.float(), torch.from_numpy(init.normal(100, generator=generator("a"))).bfloat16().float() / 2)
    equal(made.b.float(), torch.from_numpy(init.normal(200, generator=generator("b"))).bfloat16().float())


def test_elements_of_small_floats_are_replaced():
    def code(w):
        w.zero_()
        w[torch.tensor([1, 3])] = torch.randn(2, 8, dtype=w.dtype)

    wide = weight(code)
    assert (wide[[1, 3]] != 0).all()
    assert torch.equal(weight(code, module(dtype=torch.bfloat16)), wide.bfloat16())


def test_float8():
    made = weight(lambda w: w.normal_(std=0.02), module((30, 40), torch.float8_e4m3fn))
    want = torch.from_numpy(init.normal((30, 40), std=0.02, generator=generator())).to(torch.float8_e4m3fn)
    assert torch.equal(made.view(torch.uint8), want.view(torch.uint8))


def test_float64():
    made = weight(lambda w: w.normal_(), module(dtype=torch.float64))
    equal(made, init.normal(SHAPE, dtype="float64", generator=generator()))


# ---- parametrizations ----


def test_a_fill_of_a_computed_weight_is_lost():
    layer = nn.utils.parametrizations.weight_norm(nn.Linear(8, 6))
    with keyed(layer, 0) as context:
        nn.init.normal_(layer.weight)
        nn.init.zeros_(layer.bias)
    names = ("parametrizations.weight.original0", "parametrizations.weight.original1")
    assert context.report.names("lost") == names
    assert "normal()" in context.report[names[0]].how


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
def test_the_old_weight_norm():
    layer = nn.utils.weight_norm(nn.Linear(8, 6))
    with keyed(layer, 0) as context:
        layer.weight.data.normal_()
    assert context.report.names("lost") == ("weight_g", "weight_v")


def test_a_copy_that_is_filled_is_lost():
    made, report = initialized(lambda w: w[[1, 2]].normal_())
    assert report["w"].status == "lost"
    assert (made.w == 7).all()


def test_assigning_a_computed_weight_is_not_lost():
    layer = nn.utils.parametrizations.weight_norm(nn.Linear(8, 6))
    with keyed(layer, 0) as context, torch.no_grad():
        layer.weight = torch.empty_like(layer.weight).normal_()
    assert context.report.names("lost") == ()
    assert context.report["parametrizations.weight.original1"].status == "drawn"
    equal(
        layer.parametrizations.weight.original1,
        init.normal((6, 8), generator=generator("parametrizations.weight.original1")),
    )
    np.testing.assert_allclose(layer.weight.detach(), layer.parametrizations.weight.original1.detach(), rtol=1e-5)


# ---- models of all kinds ----


def test_tied_tensors_have_their_first_name():
    made = nn.Sequential(nn.Embedding(4, 3), nn.Linear(3, 4, bias=False))
    made[1].weight = made[0].weight
    with keyed(made, 0) as context:
        made[1].weight.data.normal_()
    equal(made[0].weight, init.normal((4, 3), generator=generator("0.weight")))
    assert list(context.report) == ["0.weight"]


def test_lazy_modules():
    made = nn.Sequential(nn.LazyLinear(4), nn.LazyConv1d(2, 1))
    with keyed(made, 0) as context:
        made[0](torch.zeros(2, 3))
    equal(made[0].weight, init.kaiming_uniform((4, 3), a=5**0.5, generator=generator("0.weight")))
    assert context.report["1.weight"].how == "it has no shape yet"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_wrapped_modules_have_the_names_of_what_they_wrap():
    from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper

    made = nn.DataParallel(nn.Sequential(torch.compile(nn.Linear(3, 2)), checkpoint_wrapper(nn.Linear(2, 2))))
    with keyed(made, 0) as context:
        for parameter in made.parameters():
            nn.init.normal_(parameter)
    assert list(context.report) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    for name, parameter in zip(context.report, made.parameters(), strict=True):
        equal(parameter, init.normal(tuple(parameter.shape), generator=generator(name)))


def test_a_module_that_is_called_module_keeps_its_name():
    made = nn.Module()
    made.module = nn.Linear(2, 2)
    with keyed(made, 0) as context:
        made.module.reset_parameters()
    assert list(context.report) == ["module.weight", "module.bias"]


def test_replaced_parameters_and_buffers():
    made = module()
    made.register_buffer("b", torch.zeros(3))
    with keyed(made, 0) as context:
        made.w = nn.Parameter(torch.randn(SHAPE))
        made.b = torch.rand(3) + 1
        made.c = nn.Parameter(torch.empty(5))
        nn.init.normal_(made.c)
    equal(made.w, NORMAL)
    equal(made.b, init.uniform(3, generator=generator("b")) + np.float32(1))
    equal(made.c, init.normal(5, generator=generator("c")))
    assert context.report.names("drawn") == ("w", "c", "b")


def test_to_empty_inside():
    made = nn.Linear(3, 4, device="meta")
    with keyed(made, 0) as context:
        made.to_empty(device="cpu")
        made.weight.data.normal_()
    equal(made.weight, init.normal((4, 3), generator=generator("weight")))
    assert context.report["bias"].status == "untouched"


def test_names_and_aliases():
    made = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    with keyed(made, 0, names=lambda name: f"stage2.{name}", aliases={"stage2.1.weight": "stage0.embedding"}):
        for parameter in made.parameters():
            parameter.data.normal_()
    equal(made[0].bias, init.normal(3, generator=generator("stage2.0.bias")))
    equal(made[1].weight, init.normal((3, 3), generator=generator("stage0.embedding")))
    with keyed(made, 0, names={"0.weight": "x"}):
        made[0].weight.data.normal_()
    equal(made[0].weight, init.normal((3, 3), generator=generator("x")))
    made[1].weight = made[0].weight  # the second name of a tensor is one, too
    with keyed(made, 0, names={"1.weight": "x"}, aliases={"1.bias": "y", "x": "z"}):
        made[0].weight.data.normal_()
    equal(made[0].weight, init.normal((3, 3), generator=generator("0.weight")))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"names": {"0.weigth": "x"}}, "names has '0.weigth', and no tensor .* did you mean '0.weight'"),
        ({"aliases": {"1.weight": "x", "head": "y"}}, "aliases has 'head', and no tensor of this model is named so"),
        ({"names": {"0.bias": "a.bias"}, "aliases": {"0.bias": "x"}}, "aliases has '0.bias', .* did you mean 'a.bias'"),
    ],
)
def test_names_and_aliases_of_no_tensor_are_refused(options, message):
    made = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    before = made[0].weight.detach().clone()
    with pytest.raises(init.InvalidValueError, match=message), keyed(made, 0, **options):
        made[0].reset_parameters()
    equal(made[0].weight, before)
    with pytest.raises(init.InvalidValueError, match=message):
        build(lambda: nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3)), 0, **options)
    with pytest.raises(init.InvalidValueError, match=message):
        record(lambda: nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3)), **options)


# ---- reports and strictness ----


def outside(w):
    w.copy_(torch.from_numpy(np.random.default_rng(0).normal(size=SHAPE)))


STATUSES = {
    "drawn": (lambda w: w.normal_(), "normal()"),
    "constant": (lambda w: w.fill_(2), "constant(2)"),
    "zeros": (lambda w: w.zero_(), "zeros"),
    "in part": (lambda w: (w.normal_(), w[2].zero_()), "normal(); in part zeros"),
    "copied": (lambda w: w.copy_(torch.log(torch.arange(1, 9))), "log(arange(1, 9))"),
    "untouched": (lambda w: w.abs(), ""),
    "not keyed": (outside, "a tensor [6, 8] holds values that torch did not make here"),
}


@pytest.mark.parametrize("status", STATUSES)
def test_the_report_says_what_became_of_each_tensor(status):
    code, how = STATUSES[status]
    entry = initialized(code)[1]["w"]
    assert entry.status == {"zeros": "constant", "in part": "drawn"}.get(status, status)
    assert entry.how == how
    assert entry.is_parameter


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (lambda w: w.abs(), "untouched: 'w'"),
        (outside, r"not keyed: 'w' \(a tensor \[6, 8\] holds values"),
        (lambda w: w[[0, 1]].normal_(), r"lost: 'w' \(normal\(\) went to a tensor computed from it"),
        (lambda w: w.copy_(torch.multinomial(torch.ones(48), 48).view(SHAPE)), "not keyed: 'w'.*no multinomial"),
        (lambda w: w.normal_(generator=torch.Generator()), r"'w' \(normal\(\) \(a torch.Generator was passed"),
        (lambda w: w.copy_(torch.rand(SHAPE, generator=torch.Generator())), r"'w' .* \(a torch.Generator was passed"),
        (lambda w: trunc_normal_(w, 0, 1, -2, 2, torch.Generator()), r"'w' .* \(a torch.Generator was passed"),
    ],
)
def test_strict_refuses_with_the_names(code, message):
    with pytest.raises(init.InvalidValueError, match=message):
        initialized(code, strict=True)
    initialized(code, strict=True, ignore=["*"])


def test_a_report_is_a_mapping_that_prints():
    made = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    with keyed(made, 0) as context:
        made[0].reset_parameters()
    report = context.report
    assert list(report) == [name for name, _ in (*made.named_parameters(), *made.named_buffers())]
    assert repr(report) == "<Report of 7 tensors: 2 drawn, 5 untouched>"
    assert str(report).splitlines()[2].split() == ["1.weight", "untouched"]


def test_strict_lets_pass_what_is_well():
    initialized(lambda w: w.normal_(), strict=True)


# ---- what is as before ----


def test_torch_is_as_before_also_after_an_exception():
    functions = [trunc_normal_, orthogonal_, sparse_]
    before = [(one.__code__, one.__defaults__, one.__kwdefaults__) for one in functions]
    made = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 5))
    state = torch.get_rng_state()
    with pytest.raises(ZeroDivisionError) as caught, keyed(made, 0) as context:  # noqa: PT012 - the middle matters
        torch.manual_seed(5)
        trunc_normal_(made[0].weight)
        torch.multinomial(torch.ones(3), 1)
        _ = 1 / 0
    assert torch.equal(torch.get_rng_state(), state)
    assert [(one.__code__, one.__defaults__, one.__kwdefaults__) for one in functions] == before
    assert "had filled 1 of 4 tensors: 0.weight; see" in caught.value.__notes__[0]
    assert context.report.names("drawn") == ("0.weight",)
    torch.manual_seed(5)
    first = trunc_normal_(torch.empty(3, 4))
    torch.manual_seed(5)
    assert torch.equal(trunc_normal_(torch.empty(3, 4)), first)


def test_other_threads_have_torchs_functions():
    values = []

    def other():
        torch.manual_seed(5)
        values.append(trunc_normal_(torch.empty(3, 4)))

    other()
    with keyed(module(), 0):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert torch.equal(*values)


def test_contexts_of_two_models():
    a, b = module(), module()
    with keyed(a, 0), keyed(b, 1), torch.no_grad():
        trunc_normal_(b.w)
        b.w[2:].normal_()
    equal(b.w[2:], init.normal(SHAPE, generator=generator(seed=1))[2:])
    assert (a.w == 7).all()


@pytest.mark.filterwarnings("ignore:.*(nested tensors|Sparse|quantiz).*")
def test_tensors_without_plain_memory_pass():
    def code(w):
        sparse = torch.eye(6).to_sparse()
        dense = torch.sparse_coo_tensor([[0, 1], [1, 0]], [1.0, 2.0], (6, 6)).to_dense()
        nested = torch.nested.nested_tensor([torch.ones(2, 3), torch.ones(1, 3)], layout=torch.jagged)
        assert (nested * 2).size(0) == 2
        w.copy_(torch.sparse.mm(sparse, torch.ones(SHAPE)) + dense.sum())
        assert w.sum() == 48 * 4

    assert initialized(code)[1]["w"].status == "copied"


def test_conjugates_of_temporaries():
    normal = torch.from_numpy(init.normal(SHAPE, dtype="complex64", generator=generator()))
    equal(
        weight(lambda w: w.copy_(torch.randn(SHAPE, dtype=torch.complex64).conj().imag)),
        normal.conj().imag.resolve_neg(),
    )
    made = module(dtype=torch.complex64)
    equal(
        weight(lambda w: w.copy_(torch.randn(SHAPE, dtype=torch.complex64).conj() * 2), made),
        normal.conj().resolve_conj() * 2,
    )


def test_autograd_is_told():
    layer = nn.Linear(3, 3)
    loss = layer(layer(torch.ones(2, 3))).sum()
    with keyed(layer, 0):
        layer.reset_parameters()
    assert layer.weight.requires_grad
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


# ---- what is refused ----


def test_bad_input():
    with pytest.raises(init.InvalidTypeError, match=r"takes a torch\.nn\.Module, got Parameter"):
        keyed(module().w)
    with pytest.raises(init.InvalidValueError, match="nothing to name"):
        keyed(nn.ReLU())
    with pytest.raises(init.InvalidTypeError, match="a seed or generator"):
        keyed(module(), "a")
    with pytest.raises(init.InvalidTypeError, match="ignore holds names"):
        keyed(module(), 0, ignore="w")
    with pytest.raises(init.InvalidTypeError, match="names is a mapping"), keyed(module(), 0, names=3):
        pass
    with pytest.raises(init.InvalidTypeError, match="aliases is a mapping"), keyed(module(), 0, aliases="w"):
        pass
    with pytest.raises(init.InvalidTypeError, match="a str for each name, got 3"), keyed(module(), names={"w": 3}):
        pass
    two = nn.Linear(2, 2)
    with (
        pytest.raises(init.InvalidValueError, match="'x' for 'weight' and for 'bias'"),
        keyed(two, names=lambda _: "x"),
    ):
        pass


def test_nested_contexts_of_one_model_are_refused():
    made = nn.Sequential(module(), module())
    with keyed(made, 0), pytest.raises(init.InvalidValueError, match="'w' is keyed already"), keyed(made[0], 0):
        pass
    context = keyed(made, 0)
    with context, pytest.raises(init.InvalidValueError, match=r"'0\.w' is keyed already"), context:
        pass
    with keyed(made[0], 0):  # the refusal left nothing open
        made[0].w.data.normal_()
    equal(made[0].w, NORMAL)


def test_a_fill_on_the_meta_device_is_refused():
    made = nn.Linear(3, 4, device="meta")
    with pytest.raises(init.InvalidValueError, match=r"'weight' is on the meta device.*to_empty"), keyed(made, 0):
        made.reset_parameters()
    made = nn.LayerNorm(4, device="meta")
    with pytest.raises(init.InvalidValueError, match=r"'weight' is on the meta device.*to_empty"), keyed(made, 0):
        made.reset_parameters()


def test_what_numbainit_refuses_is_torchs_and_said():
    made, report = initialized(lambda w: w.normal_(std=6e4), module(dtype=torch.float16))
    assert report["w"].status == "not keyed"
    assert "reach" in report["w"].how
    assert torch.equal(made.w, weight(lambda w: w.normal_(std=6e4), module(dtype=torch.float16)))


def test_torchs_own_errors_stay():
    with pytest.raises(RuntimeError, match="std"):
        weight(lambda w: w.normal_(std=-1))
    with pytest.raises(ValueError, match="2 dimensions"):
        weight(lambda w: sparse_(w[0], 0.5))


def test_build_and_keyed_agree():
    made = build(lambda: nn.LSTM(3, 4, 2), 0)
    again = nn.LSTM(3, 4, 2)
    with keyed(again, 0):
        again.reset_parameters()
    assert all(torch.equal(tensor, made.state_dict()[name]) for name, tensor in again.state_dict().items())
