"""Distributed tensors of torch → on every rank the part of what one process makes, bit for bit.

Whole numbers and groups that do not communicate are for all meshes; ranks that are processes, for what torch does.
"""

import itertools
import warnings

import pytest

pytestmark = pytest.mark.full
torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'numbainit[torch]'")

import hypothesis  # noqa: E402
import hypothesis.strategies as st  # noqa: E402
import numpy as np  # noqa: E402
import torch.distributed as dist  # noqa: E402
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh  # noqa: E402
from torch.distributed.tensor import (  # noqa: E402
    DTensor,
    Partial,
    Replicate,
    Shard,
    distribute_tensor,
    empty,
)
from torch.distributed.tensor.placement_types import _StridedShard  # noqa: E402
from torch.testing._internal.distributed.fake_pg import FakeStore  # noqa: E402

import numbainit as init  # noqa: E402
import torch_layouts  # noqa: E402
import torch_ranks  # noqa: E402
from cases import NAMES, call, shape_for  # noqa: E402
from numbainit.memory.sharded import shard_of_dtensor  # noqa: E402
from numbainit.torch import keyed  # noqa: E402
from numbainit.torch.locations import locate_shard, view_of  # noqa: E402

SEED = 5


# ---- every rank of a mesh, from one process ----


@pytest.fixture
def one_of():
    """A function that makes this process a rank of a world that does not exist."""

    def become(rank, world):
        if dist.is_initialized():
            dist.destroy_process_group()
        dist.init_process_group("fake", store=FakeStore(), rank=rank, world_size=world)

    yield become
    if dist.is_initialized():
        dist.destroy_process_group()


def placements_of(draw, shape, mesh):
    kinds = [Replicate(), *map(Shard, range(len(shape)))]
    kinds += [_StridedShard(axis, split_factor=factor) for axis in range(len(shape)) for factor in (2, 3)]
    return [draw(st.sampled_from(kinds)) for _ in mesh]


@st.composite
def layouts(draw):
    """``(shape, mesh, placements)``, uneven for the most part."""
    shape = tuple(draw(st.lists(st.integers(1, 9), min_size=1, max_size=3)))
    mesh = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=2)))
    return shape, mesh, placements_of(draw, shape, mesh)


@hypothesis.given(layouts())
@hypothesis.settings(
    max_examples=60, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
def test_shards_are_those_of_torch(one_of, case):
    shape, sizes, placements = case
    numbers, whole = torch.arange(np.prod(shape)).reshape(shape), init.normal(shape, generator=SEED)
    for rank in range(np.prod(sizes)):
        one_of(rank, int(np.prod(sizes)))
        mesh = init_device_mesh("cpu", sizes)
        want = distribute_tensor(numbers, mesh, placements, src_data_rank=None)
        made = distribute_tensor(torch.zeros(shape), mesh, placements, src_data_rank=None)
        assert init.normal_(made, generator=SEED) is made
        np.testing.assert_array_equal(made.to_local().numpy(), whole.ravel()[want.to_local().numpy()])


@hypothesis.given(layouts(), st.data())
@hypothesis.settings(
    max_examples=80, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
def test_views_of_a_shard_lie_where_they_should(one_of, case, data):
    """Numbers of slices, steps and other orders of axes of a local shard, beside a shard that holds its numbers."""
    shape, sizes, placements = case
    world = int(np.prod(sizes))
    one_of(data.draw(st.integers(0, world - 1)), world)
    numbers = torch.arange(np.prod(shape)).reshape(shape)
    made = distribute_tensor(numbers, init_device_mesh("cpu", sizes), placements, src_data_rank=None)
    local = view = made.to_local()
    for axis in range(view.ndim):
        begin = data.draw(st.integers(0, view.shape[axis]))
        view = view[(slice(None),) * axis + (slice(begin, None, data.draw(st.integers(1, 2))),)]
    view = view.permute(data.draw(st.permutations(range(view.ndim))))
    found = locate_shard(shard_of_dtensor(made, "test"), view_of(local), view_of(view))
    if not view.numel() or found.shard:
        return
    if found.block is None:
        assert torch.equal(found.numbers, view)
    else:
        ordered = view.permute(found.order)
        ordered = ordered[..., None] if ordered.ndim < len(found.block.shape) else ordered
        for index in itertools.product(*map(range, ordered.shape)):
            number = np.ravel_multi_index(np.add(index, found.block.start), found.block.shape)
            assert number == ordered[index]


@pytest.mark.parametrize("fill", ["normal_", "uniform_", "ones_"])
def test_a_number_that_each_rank_holds_is_filled(one_of, fill):
    """A scale without axes, as distribute_module leaves it."""
    given = {} if fill == "ones_" else {"generator": SEED}
    want = getattr(init, fill)(torch.zeros(()), **given)
    for rank in range(2):
        one_of(rank, 2)
        mesh = init_device_mesh("cpu", (2,))
        made = distribute_tensor(torch.full((), -7.0), mesh, [Replicate()], src_data_rank=None)
        assert torch.equal(getattr(init, fill)(made, **given).to_local(), want)
        module = torch.nn.Module()
        module.scale = torch.nn.Parameter(
            distribute_tensor(torch.full((), -7.0), mesh, [Replicate()], src_data_rank=None)
        )
        with keyed(module, SEED, strict=True):
            getattr(torch.nn.init, fill)(module.scale)
        own = {} if fill == "ones_" else {"generator": init.Generator(SEED).fold_in("scale")}
        assert torch.equal(module.scale.to_local(), getattr(init, fill)(torch.zeros(()), **own))


def test_an_audit_of_shards_says_what_to_do(one_of):
    one_of(0, 2)
    model = torch.nn.Linear(4, 6)
    model.weight = torch.nn.Parameter(
        distribute_tensor(model.weight, init_device_mesh("cpu", (2,)), [Shard(0)], src_data_rank=None)
    )
    with pytest.raises(init.InvalidTypeError, match=r"'weight' is distributed over ranks: audit .*full_state_dict"):
        init.audit(model)


def test_a_rank_outside_of_the_mesh_has_nothing_to_fill(one_of):
    one_of(3, 4)
    mesh = DeviceMesh("cpu", [0, 1], _init_backend=False)
    made = distribute_tensor(torch.zeros(4, 6), mesh, [Shard(0)], src_data_rank=None)
    generator = init.Generator(0)
    init.normal_(made, generator=generator)
    assert generator.draws == 1


def test_a_tensor_that_is_a_part_of_a_larger_one(one_of):
    one_of(1, 2)
    made = distribute_tensor(torch.zeros(4, 6), init_device_mesh("cpu", (2,)), [Shard(1)], src_data_rank=None)
    init.kaiming_normal_(made, generator=SEED, block=init.Block((10, 6), (3, 0)))
    want = init.kaiming_normal((10, 6), generator=SEED)[3:7, 3:]
    np.testing.assert_array_equal(made.to_local().numpy(), want)


def test_a_matrix_of_2_to_the_38_elements_on_65536_ranks(one_of):
    """One rank of it: its shard has a million elements, whose neighbours nobody here has."""
    rank, side, cut = 40_000, 2**20, 2**10
    one_of(rank, 2**16)
    mesh = init_device_mesh("cpu", (2**8, 2**8))
    made = empty(side, side // 4, device_mesh=mesh, placements=[Shard(0), Shard(1)], dtype=torch.bfloat16)
    init.kaiming_uniform_(made, a=5**0.5, generator=SEED)
    row, column = rank // 256 * 4 * cut, rank % 256 * cut
    block = init.Block((side, side // 4), (row + 4095, column))
    last = init.kaiming_uniform((1, cut), a=5**0.5, dtype="bfloat16", generator=SEED, block=block)
    assert made.to_local().shape == (4 * cut, cut)
    np.testing.assert_array_equal(made.to_local()[-1].float().numpy(), last[0].astype("float32"))


REFUSED = [
    (lambda mesh: DTensor.from_local(torch.ones(4, 6), mesh, [Partial()]), init.InvalidTypeError, "holds summands"),
    (
        lambda mesh: DTensor.from_local(torch.ones(3, 6), mesh, [Shard(0)], shape=(8, 6), stride=(6, 1)),
        init.InvalidValueError,
        r"local shard has shape \(3, 6\), where its placements .* say \(4, 6\)",
    ),
    (
        lambda mesh: empty(4, 6, device_mesh=mesh, placements=[Shard(0)], dtype=torch.int64),
        init.InvalidTypeError,
        "int64",
    ),
]


@pytest.mark.parametrize(("make", "error", "text"), REFUSED)
def test_what_cannot_be_mapped_is_refused(one_of, make, error, text):
    one_of(0, 2)
    made, generator = make(init_device_mesh("cpu", (2,))), init.Generator(0)
    with pytest.raises(error, match=text):
        init.normal_(made, generator=generator)
    assert generator.draws == 0


@pytest.mark.parametrize("name", ["normal_", "kaiming_uniform_", "sparse_", "eye_"])
def test_a_flat_range_that_is_distributed(one_of, name):
    one_of(1, 2)
    made = distribute_tensor(torch.ones(9), init_device_mesh("cpu", (2,)), [Shard(0)], src_data_rank=None)
    call(name, made, SEED, block=init.Block((4, 4), flat=(3, 12)))
    want = call(name, np.empty((4, 4), "float32"), SEED).ravel()[8:12]
    np.testing.assert_array_equal(made.to_local().numpy(), want)


# ---- ranks that are processes ----


def full(tensor):
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def differing(made, want):
    """The names whose values differ, on any rank."""
    want = dict(want)
    return [name for name, tensor in made if not torch.equal(full(tensor.detach()), want[name].detach())]


def family(meshes):
    """The initializers whose shards are not those of the whole, over some meshes."""
    return [wrong for sizes in meshes for wrong in family_over(init_device_mesh("cpu", sizes))]


def family_over(mesh):
    one = [[Shard(0)], [Shard(1)], [Replicate()]]
    two = [
        [Shard(0), Shard(0)],
        [Shard(1), Shard(0)],
        [Replicate(), Shard(1)],
        [_StridedShard(0, split_factor=2), Shard(0)],
    ]
    wrong = []
    for name, placements in itertools.product(NAMES, one if mesh.ndim == 1 else two):
        shape = (8 if name == "icnr_" else 7, *shape_for(name)[1:])  # whose outputs a square divides
        dtype = torch.int32 if name == "bits_" else torch.float32
        whole = call(name, torch.empty(shape, dtype=dtype), SEED)
        made = distribute_tensor(torch.zeros(shape, dtype=dtype), mesh, placements, src_data_rank=None)
        made = made if name == "bits_" else torch.nn.Parameter(made)
        call(name, made, SEED)
        want = distribute_tensor(whole, mesh, placements, src_data_rank=None)
        if not (torch.equal(made.to_local(), want.to_local()) and torch.equal(full(made.detach()), whole)):
            wrong.append((name, placements))
    return wrong


@pytest.mark.parametrize("meshes", [[(2,)], [(4,), (2, 2)]], ids=str)
def test_the_whole_family(meshes):
    world = int(np.prod(meshes[0]))
    assert torch_ranks.run(world, family, meshes) == [[]] * world


def titan(layout, dtype=torch.float32):
    """A model without memory, spread over the ranks, then given some."""
    with torch.device("meta"):
        model = torch_layouts.Titan().to(dtype)
    return torch_layouts.LAYOUTS[layout](model, dist.get_world_size()).to_empty(device="cpu")


def losses(model, steps=3):
    """Those of some steps of training."""
    tokens = torch.arange(24).reshape(2, 12) % 29
    optimizer, found = torch.optim.SGD(model.parameters(), lr=0.5), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # FSDP2 has advice on views
        for _ in range(steps):
            loss = torch.nn.functional.cross_entropy(full(model(tokens)).flatten(0, 1), tokens.flatten() * 7 % 29)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            found.append(full(loss.detach()).item())
    return found


def trained(names):
    """For each layout what differs from one process: parameters by name, and losses."""
    want = torch_layouts.Titan()
    with keyed(want, generator=SEED):
        want.init_weights()
    found, parameters = {}, {name: one.detach().clone() for name, one in want.named_parameters()}
    expected = losses(want)
    for name in names:
        model = titan(name)
        for _ in range(2):  # the second time changes nothing
            with keyed(model, generator=SEED, strict=True):
                model.init_weights()
        found[name] = differing(model.named_parameters(), parameters.items()), losses(model)
    return expected, found


@pytest.mark.parametrize(
    ("world", "names"),
    [
        (1, ["FSDP2", "TP"]),
        (2, ["FSDP2", "TP", "FSDP2 + TP"]),
        (4, list(torch_layouts.LAYOUTS)),
        (8, ["HSDP", "FSDP2 + TP"]),
    ],
)
def test_a_model_and_its_training_on_every_layout(world, names):
    for expected, found in torch_ranks.run(world, trained, names):
        assert expected[0] > 3
        assert expected[-1] < expected[0] - 0.05
        for name, (differ, got) in found.items():
            assert differ == [], name
            np.testing.assert_allclose(got, expected, rtol=2e-6, err_msg=name)
