"""What torch's distributed checkpoints load from a folder, or write into one, on one of several processes."""

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from safetensors.torch import load_file
from torch.distributed.checkpoint import HuggingFaceStorageReader, HuggingFaceStorageWriter
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Replicate, Shard, distribute_tensor, zeros

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


def saved(folder, path, mesh, placements):
    """The tensors of a safetensors file, cut over a mesh: each process writes its shards into the folder."""
    mesh = init_device_mesh("cpu", mesh)
    state = {
        name: distribute_tensor(tensor, mesh, [_fitting(one, tensor.dim()) for one in placements])
        for name, tensor in load_file(path).items()
    }
    dcp.save(state, storage_writer=HuggingFaceStorageWriter(folder, save_distributed=True))
    return {name: list(tensor.to_local().shape) for name, tensor in state.items()}


def _fitting(placement, axes):
    return placement if not isinstance(placement, Shard) or placement.dim < axes else Replicate()
