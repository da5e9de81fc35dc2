"""A folder → what torch's distributed checkpoints load from it, on one of several processes."""

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint import HuggingFaceStorageReader
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Replicate, Shard, zeros

DTYPES = {"F32": torch.float32, "BF16": torch.bfloat16}


def loaded(folder, shapes):
    """The values of all tensors by name, float32, after each process has loaded its share of the last axis."""
    mesh = init_device_mesh("cpu", (dist.get_world_size(),))
    state = {
        name: zeros(
            entry["shape"],
            dtype=DTYPES[entry["dtype"]],
            device_mesh=mesh,
            placements=[Shard(len(entry["shape"]) - 1) if entry["shape"] else Replicate()],
        )
        for name, entry in shapes.items()
    }
    dcp.load(state, storage_reader=HuggingFaceStorageReader(folder))
    return {name: tensor.full_tensor().float().numpy() for name, tensor in state.items()}
