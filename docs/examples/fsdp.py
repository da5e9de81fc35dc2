"""A torch model under FSDP2 and tensor parallelism → initialized by its own code, with the values of one process.

torchrun --nproc-per-node 4 fsdp.py            # any number, on CPUs or GPUs: the digest is the same
"""

import hashlib
import os

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Replicate
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module

from numbainit.torch import check_ranks, keyed


class Block(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.up, self.down = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, x):
        return x + self.down(nn.functional.gelu(self.up(x)))


class Model(nn.Module):
    def __init__(self, vocabulary=1000, width=64, hidden=256, layers=2):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width, padding_idx=0)
        self.layers = nn.ModuleList(Block(width, hidden) for _ in range(layers))

    def init_weights(self):
        self.embed.reset_parameters()
        for layer in self.layers:
            nn.init.trunc_normal_(layer.up.weight, std=0.02)
            nn.init.orthogonal_(layer.down.weight)
            nn.init.zeros_(layer.up.bias)
            nn.init.zeros_(layer.down.bias)


def main(seed=7):
    world, kind = dist.get_world_size(), "cuda" if torch.cuda.is_available() else "cpu"
    tensor = 2 if world % 2 == 0 else 1
    mesh = init_device_mesh(kind, (world // tensor, tensor), mesh_dim_names=("data", "tensor"))
    with torch.device("meta"):
        model = Model()
    plan = {"layers.*.up": ColwiseParallel(), "layers.*.down": RowwiseParallel()}
    plan["embed"] = RowwiseParallel(input_layouts=Replicate())
    model = parallelize_module(model, mesh["tensor"], plan)
    for layer in (*model.layers, model):
        fully_shard(layer, mesh=mesh["data"])

    check_ranks(seed)  # once: ranks with different seeds would fill shards of different models
    model.to_empty(device=kind)
    with keyed(model, generator=seed, strict=True):
        model.init_weights()

    digest = hashlib.blake2b(digest_size=8)
    for name, parameter in model.named_parameters():
        value = parameter.detach()
        value = value.full_tensor() if isinstance(value, DTensor) else value
        digest.update(name.encode() + value.cpu().numpy().tobytes())
    if dist.get_rank() == 0:
        print(digest.hexdigest())


if __name__ == "__main__":
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    main()
    dist.destroy_process_group()
