"""Initialization code on distributed parameters → what it gives on plain ones; and what is refused instead of lost."""

import itertools
import types
import warnings

import pytest

pytestmark = pytest.mark.full
torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'numbainit[torch]'")

import torch.distributed as dist  # noqa: E402
from torch import nn  # noqa: E402
from torch.distributed.device_mesh import init_device_mesh  # noqa: E402
from torch.distributed.fsdp import FullyShardedDataParallel  # noqa: E402
from torch.distributed.tensor import DTensor, Partial, Replicate, Shard, distribute_tensor  # noqa: E402
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel  # noqa: E402

import numbainit as init  # noqa: E402
import torch_layouts  # noqa: E402
import torch_models  # noqa: E402
import torch_ranks  # noqa: E402
from numbainit.recipes import Change, Fill, Formula, Recipe, Weight  # noqa: E402
from numbainit.torch import check_ranks, flat_shards, initialize, keyed  # noqa: E402

SEED = 5


class Toy(nn.Module):
    """A matrix, a vector and some experts: no size is even."""

    def __init__(self, dtype=torch.float32):
        super().__init__()
        self.w = nn.Parameter(torch.zeros(5, 6, dtype=dtype))
        self.v = nn.Parameter(torch.zeros(7, dtype=dtype))
        self.e = nn.Parameter(torch.zeros(3, 4, 5, dtype=dtype))


def spread(model, placement):
    """The parameters of a model as distributed ones; a vector has but one axis to cut."""
    mesh = init_device_mesh("cpu", (dist.get_world_size(),))
    for name, parameter in list(model.named_parameters()):
        cut = Shard(0) if isinstance(placement, Shard) and placement.dim >= parameter.ndim else placement
        made = distribute_tensor(parameter.data, mesh, [cut], src_data_rank=None)
        setattr(model, name, nn.Parameter(made))
    return model


def full(tensor):
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


# ---- code ----


def whole(m):
    nn.init.xavier_normal_(m.e)
    nn.init.sparse_(m.w, 0.4)
    nn.init.constant_(m.v, 3)


def rejecting(m):
    m.w.normal_()
    if m.w.std() > 0:
        m.w.normal_()


def temporaries(m):
    m.w.copy_(torch.rand_like(m.w).exp_().mul_(3))
    m.v.copy_(torch.empty_like(m.v).uniform_(-1, 1).exp())
    m.w[2:].copy_(torch.randn_like(m.w[2:]))


def chains(m):
    nn.init.uniform_(m.w, -1, 1)
    m.w.mul_(1.7).add_(0.3)
    m.v.uniform_().pow_(3)


def parts(m):
    nn.init.normal_(m.w)
    nn.init.zeros_(m.w[3])
    m.w[:, 2].fill_(7)
    nn.init.uniform_(m.w[1:3, ::2])
    m.w.data[-1].mul_(4)
    m.w.T[1:3].add_(1)


def pieces(m):
    for piece in m.w.chunk(3, 1):
        nn.init.trunc_normal_(piece)
    first, rest = m.e.split([1, 2])
    nn.init.ones_(first)
    nn.init.normal_(rest)
    for one in m.v.unbind():
        one.fill_(2)


def reading(m):
    nn.init.normal_(m.w)
    m.w.add_(m.w[2].abs().max())
    nn.init.normal_(m.w[0])
    largest = m.w[1].abs().max()
    nn.init.normal_(m.w[4])
    m.v.fill_(0)
    m.v.add_(largest)


def matrices(m):
    nn.init.orthogonal_(m.w)
    for expert in range(3):
        nn.init.orthogonal_(m.e[expert])
    nn.init.sparse_(m.e[1], 0.5)


def others(m):
    m.w.exponential_()
    m.v.bernoulli_(0.5)
    m.e.log_normal_()


def masks(m):
    nn.init.normal_(m.w)
    m.w.masked_fill_(m.w.abs() > 1, 0.0)


CODE = [whole, rejecting, temporaries, chains, parts, pieces, reading, matrices, others, masks]


@torch.no_grad()
def differences():
    """Code, dtype, placement and names where distributed parameters get other values than plain ones."""
    found = []
    for dtype in (torch.float32, torch.bfloat16):
        for placement in (Shard(0), Shard(1), Replicate()):
            for code in CODE:
                plain, cut = Toy(dtype), spread(Toy(dtype), placement)
                with keyed(plain, SEED) as want:
                    code(plain)
                with keyed(cut, SEED) as context:
                    code(cut)
                names = [
                    name for name, one in plain.named_parameters() if not torch.equal(one, full(getattr(cut, name)))
                ]
                names += [name for name, entry in want.report.items() if entry.status != context.report[name].status]
    return found


def test_code_on_distributed_parameters():
    assert torch_ranks.run(2, differences) == [[], []]


# ---- what would be lost ----


def refusals():
    """The messages of what is refused."""
    found = []

    @torch.no_grad()
    def refused(code, *arguments):
        try:
            code(*arguments)
        except init.NumbaInitError as error:
            found.append(str(error))
        else:
            found.append(f"{code.__name__} passed")

    def view_across(m):
        with keyed(m, SEED):
            m.w.view(3, 10).normal_()

    def constant_in_a_view_across(m):
        with keyed(m, SEED):
            m.w.view(3, 10).zero_()

    def assigned(m):
        with keyed(m, SEED):
            m.w.data = torch.zeros(5, 6)

    def sorted_part(m):
        with keyed(m, SEED):
            m.w[:, 2:4].cumsum_(0)

    def part_afterwards(m):
        with keyed(m, SEED):
            part = m.w[:, 2:4]
        part.zero_()

    def partial(m):
        mesh = init_device_mesh("cpu", (dist.get_world_size(),))
        m.w = nn.Parameter(DTensor.from_local(torch.ones(5, 6), mesh, [Partial()]))
        with keyed(m, SEED):
            pass

    for code in (view_across, constant_in_a_view_across, assigned, sorted_part, part_afterwards, partial):
        refused(code, spread(Toy(), Shard(1)))
    refused(check_ranks, dist.get_rank() // 2)
    check_ranks(SEED)
    return found


def test_what_would_be_lost_is_refused():
    wanted = [
        "torch has gathered a copy of 'w'",
        "torch has gathered a copy of 'w'",
        "torch ignores .data = on a DTensor",
        "cumsum cannot write to a part of a sharded tensor",
        "a part of a sharded tensor is written inside of the context",
        "holds summands",
    ]
    for found in torch_ranks.run(3, refusals):
        for text, want in zip(found, wanted, strict=False):
            assert want in text
        assert "ranks 0, 1: key" in found[-1]
        assert "ranks 2: key" in found[-1]


# ---- flat parameters ----


def flat_parameters():
    """Names whose ranges differ from those of the whole, sizes of all, and what is refused."""
    warnings.simplefilter("ignore")  # FSDP1 has moved on
    want, wrong, counts, texts = {}, [], [], []
    for name, parameter in torch_layouts.Titan().named_parameters():
        want[name] = init.normal(tuple(parameter.shape), generator=init.Generator(SEED).fold_in(name)).ravel()
    for original in (False, True):
        model = torch_layouts.Titan()
        for name, layer in model.layers.items():
            model.layers[name] = FullyShardedDataParallel(
                layer, device_id=torch.device("cpu"), use_orig_params=original
            )
        model = FullyShardedDataParallel(model, device_id=torch.device("cpu"), use_orig_params=original)
        for name, tensor, block in flat_shards(model):
            init.normal_(tensor, generator=init.Generator(SEED).fold_in(name), block=block)
            counts.append((original, name, block.flat[1] - block.flat[0]))
        if dist.get_world_size() > 1:
            for refused in (lambda model=model: initialize(model), lambda model=model: keyed(model).__enter__()):
                try:
                    refused()
                except init.InvalidValueError as error:
                    texts.append(str(error))
        with FullyShardedDataParallel.summon_full_params(model):
            for name, parameter in model.named_parameters():
                name = name.replace("_fsdp_wrapped_module.", "")
                if not torch.equal(parameter.detach().flatten(), torch.from_numpy(want[name])):
                    wrong.append(name)
            with keyed(model, SEED):
                model.init_weights()
            sample = full(model.output.weight.detach()).clone()
    plain = torch_layouts.Titan()
    with keyed(plain, SEED):
        plain.init_weights()
    return wrong, counts, texts, torch.equal(sample, plain.output.weight)


@pytest.mark.parametrize("world", [1, 3])
def test_flat_parameters_of_fsdp(world):
    found = torch_ranks.run(world, flat_parameters)
    sizes = {name: one.numel() for name, one in torch_layouts.Titan().named_parameters()}
    for original in (False, True):
        held = dict.fromkeys(sizes, 0)
        for _, counts, _, _ in found:
            for kind, name, count in counts:
                held[name] += count if kind == original else 0
        assert held == sizes
    for wrong, _, texts, is_same in found:
        assert wrong == []
        assert is_same
        assert world == 1 or len(texts) == 4
        assert all("flat parameters" in text for text in texts)


def test_a_partition_of_zero_is_refused():
    """As DeepSpeed leaves parameters: the attributes that it gives them, and no elements."""
    model = nn.Linear(4, 3)
    model.weight.data, model.weight.ds_shape = torch.empty(0), torch.Size((3, 4))
    for call in (initialize, lambda module: keyed(module).__enter__()):
        with pytest.raises(init.InvalidValueError, match="'weight' is partitioned by DeepSpeed, and 0 of 12"):
            call(model)


# ---- modules by rules, models of transformers ----


def by_rules():
    plain, cut = Toy(), spread(Toy(), Shard(0))
    kaiming = init.Initializer("kaiming_normal", mode="fan_out")
    initialize(plain, kaiming, generator=SEED)
    initialize(cut, kaiming, generator=SEED)
    return [name for name, one in plain.named_parameters() if not torch.equal(one, full(getattr(cut, name).detach()))]


NORMAL, ROW = Fill(init.Initializer("normal")), ((2, 3), (0, 6))
STEPS = {
    "padding": (NORMAL, Fill(init.Initializer("zeros"), ROW)),
    "changed": (NORMAL, Change("mul", 0.3), Change("add", 1.0, ROW)),
    "formula": (NORMAL, Formula("x * arange(6)")),
    "table": (Formula("1 / 10000 ** (arange(0, 12, 2) / 12)"),),
    "gates": tuple(Fill(init.Initializer("orthogonal"), ((n, n + 2), (0, 6))) for n in (0, 2)),
}


def by_recipe():
    found = []
    for (name, steps), dtype in itertools.product(STEPS.items(), (torch.float32, torch.bfloat16)):
        recipe = Recipe({"w": Weight((5, 6), "float32", steps)})
        for placement in (Shard(0), Shard(1), Replicate()):
            plain, cut = Toy(dtype), spread(Toy(dtype), placement)
            recipe.apply({"w": plain.w}, SEED)
            recipe.apply({"w": cut.w}, SEED)
            found += [] if torch.equal(plain.w, full(cut.w.detach())) else [(name, str(dtype), str(placement))]
    return found


def padded():
    plain, cut = nn.Embedding(5, 6, padding_idx=3), nn.Embedding(5, 6, padding_idx=3)
    initialize(plain, generator=SEED)
    initialize(spread(cut, Shard(0)), generator=SEED)
    return torch.equal(plain.weight, full(cut.weight.detach())) and not plain.weight[3].any()


def test_recipes_fill_shards():
    assert torch_ranks.run(2, by_recipe) == [[], []]
    assert torch_ranks.run(2, padded) == [True, True]


def test_initialize_fills_shards():
    assert torch_ranks.run(2, by_rules) == [[], []]


PLAN = {
    **{f"model.layers.*.self_attn.{name}_proj": ColwiseParallel() for name in "qkv"},
    **{f"model.layers.*.mlp.{name}_proj": ColwiseParallel() for name in ("gate", "up")},
    **{f"model.layers.*.{name}": RowwiseParallel() for name in ("self_attn.o_proj", "mlp.down_proj")},
}


def llama(names):
    """For each layout the names of a Llama of transformers that differ, and its loss beside that of one process."""
    library = torch_models.installed("transformers")
    sizes = {"hidden_size": 24, "intermediate_size": 40, "vocab_size": 51, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 4, "attention_bias": True, "pad_token_id": 0}
    config = library.LlamaConfig(**sizes, **heads)
    tokens = torch.arange(1, 25).reshape(2, 12)
    plain = library.LlamaForCausalLM(config)
    with keyed(plain, SEED):
        plain.init_weights()
    want, loss = dict(plain.named_parameters()), plain(tokens, labels=tokens).loss.item()
    found = {}
    warnings.simplefilter("ignore")  # FSDP2 has advice on views
    for name in names:
        with torch.device("meta"):
            model = library.LlamaForCausalLM(config)
        layers, world = list(model.model.layers), dist.get_world_size()
        model = torch_layouts.LAYOUTS[name](model, world, plan=PLAN, layers=layers).to_empty(device="cpu")
        model.model.rotary_emb = plain.model.rotary_emb  # not a parameter, and garbage after to_empty
        with keyed(model, SEED):
            model.init_weights()
        differ = [name for name, one in model.named_parameters() if not torch.equal(full(one.detach()), want[name])]
        found[name] = differ, full(model(tokens, labels=tokens).loss.detach()).item() / loss
    return found


def test_a_llama_of_transformers():
    torch_models.installed("transformers")
    for found in torch_ranks.run(4, llama, list(torch_layouts.LAYOUTS)):
        for name, (differ, ratio) in found.items():
            assert differ == [], name
            assert ratio == pytest.approx(1, rel=1e-5), name


# ---- stages of a pipeline ----


def test_a_stage_of_a_pipeline_has_global_names():
    """Each stage numbers its layers from 0; ``names`` says which they are."""
    model = torch_layouts.Titan(layers=4)
    with keyed(model, SEED):
        model.init_weights()
    for first in (0, 2):
        stage = types.SimpleNamespace(layers={str(n): torch_layouts.Block(first + n, 12, 4, 20) for n in range(2)})
        module = nn.ModuleDict({"layers": nn.ModuleDict(stage.layers)})

        def globally(name, first=first):
            layers, number, rest = name.split(".", 2)
            return f"{layers}.{first + int(number)}.{rest}"

        with keyed(module, SEED, names=globally):
            for layer in stage.layers.values():
                layer.init_weights()
        want = dict(model.named_parameters())
        assert all(torch.equal(one, want[globally(name)]) for name, one in module.named_parameters())


def test_one_rank_has_a_seed_that_makes_sense():
    check_ranks(7)
    with pytest.raises(init.InvalidTypeError, match="got str 'x'"):
        check_ranks("x")
