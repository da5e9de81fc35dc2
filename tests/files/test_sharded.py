"""How a model is cut: as huggingface_hub and torch do, every element once, the same whoever makes a file."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from numbainit.errors import InvalidValueError
from numbainit.files.headers import Parameter
from numbainit.files.sharded import SHARDING_INFO, by_rank, by_size, index, names_by_rank

MODELS = st.lists(
    st.tuples(st.lists(st.integers(0, 9), max_size=3).map(tuple), st.sampled_from(["F64", "F32", "BF16"]))
).map(lambda entries: [Parameter(f"w{i}", shape, dtype) for i, (shape, dtype) in enumerate(entries)])


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(MODELS.filter(len), st.integers(1, 3000))
def test_files_by_size_hold_every_tensor_once(model, limit):
    shards = by_size(model, limit)
    assert sorted(part.name for shard in shards for part in shard.parts) == sorted(one.name for one in model)
    assert all(part.is_whole for shard in shards for part in shard.parts)
    for shard in shards:
        size = sum(part.nbytes for part in shard.parts)
        assert shard.parts
        assert size <= limit or len(shard.parts) == 1
    count = len(shards)
    names = [f"model-{at:05d}-of-{count:05d}.safetensors" for at in range(1, count + 1)]
    assert [shard.file for shard in shards] == (names if count > 1 else ["model.safetensors"])
    facts = json.loads(index(shards))
    assert facts["metadata"] == {
        "total_parameters": sum(one.size for one in model),
        "total_size": sum(one.nbytes for one in model),
    }
    assert facts["weight_map"] == {part.name: shard.file for shard in shards for part in shard.parts}


@pytest.mark.full
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(MODELS.filter(len), st.integers(1, 3000))
def test_files_by_size_are_those_of_huggingface_hub(model, limit):
    hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
    names = {one.name: one for one in model}
    split = hub.split_state_dict_into_shards_factory(
        names,
        get_storage_size=lambda one: one.nbytes,
        filename_pattern="model{suffix}.safetensors",
        max_shard_size=limit,
    )
    shards = by_size(model, limit)
    assert {shard.file: [part.name for part in shard.parts] for shard in shards} == split.filename_to_tensors
    if split.is_sharded:
        facts = json.loads(index(shards))
        assert facts["weight_map"] == split.tensor_to_filename
        assert facts["metadata"]["total_size"] == split.metadata["total_size"]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(MODELS, st.integers(1, 12))
def test_files_by_rank_hold_every_element_once(model, world):
    counts = {one.name: np.zeros(one.shape, int) for one in model}
    for rank in range(world):
        shard = by_rank(model, rank, world)
        assert shard.file == names_by_rank(world)[rank]
        offsets = json.loads(shard.metadata.get(SHARDING_INFO, "{}"))
        assert offsets == {part.name: {"saved_offsets": list(part.start)} for part in shard.parts}
        for part in shard.parts:
            box = tuple(slice(at, at + size) for at, size in zip(part.start, part.shape, strict=True))
            counts[part.name][box] += 1
    assert all((count == 1).all() for count in counts.values())
    empty = {one.name for one in model if not one.size}
    held = [part.name for rank in range(world) for part in by_rank(model, rank, world).parts]
    assert empty <= set(held)


@pytest.mark.full
@pytest.mark.parametrize("rows", [1, 3, 4, 7, 8, 9, 100])
@pytest.mark.parametrize("world", [1, 2, 3, 4, 8])
def test_rows_of_a_rank_are_those_of_torch_chunk(rows, world):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    chunks = [chunk.flatten().tolist() for chunk in torch.chunk(torch.arange(rows), world)]
    for rank in range(world):
        parts = by_rank([Parameter("w", (rows,), "F32")], rank, world).parts
        ours = [list(range(part.start[0], part.start[0] + part.shape[0])) for part in parts]
        assert ours == chunks[rank : rank + 1]


def test_names_that_are_taken():
    model = [Parameter("a", (1,), "F32")] * 2
    for cut in (
        lambda: by_size(model, 4),
        lambda: by_rank(model, 0, 2),
        lambda: by_size([Parameter("__metadata__", (), "F32")], 4),
    ):
        with pytest.raises(InvalidValueError, match="is taken; wanted unique names"):
            cut()


def test_too_many_files():
    with pytest.raises(InvalidValueError, match="wanted from 1 to 99,999 files, got 100,000"):
        names_by_rank(100_000)
