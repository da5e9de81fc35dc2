"""A language model small enough for tests → spread over ranks, as torchtitan and transformers do it.

Each layout is a function of a model and the ranks there are: it makes a mesh, and gives the model its plan.
"""

import math

import torch
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import Replicate, Shard
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module


class Norm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width))

    def reset_parameters(self):
        nn.init.ones_(self.weight)

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * self.weight


class Block(nn.Module):
    """Attention and a gated layer, with torchtitan's names and its law of depth."""

    def __init__(self, layer, width, heads, hidden):
        super().__init__()
        self.size, self.std = width // heads, 0.02 / math.sqrt(2 * (layer + 1))
        self.wq, self.wk, self.wv, self.wo = (nn.Linear(width, width, bias=False) for _ in range(4))
        self.w1, self.w2, self.w3 = nn.Linear(width, hidden), nn.Linear(hidden, width), nn.Linear(width, hidden)
        self.attention_norm, self.ffn_norm = Norm(width), Norm(width)

    def init_weights(self):
        for norm in (self.attention_norm, self.ffn_norm):
            norm.reset_parameters()
        for linear in (self.wq, self.wk, self.wv, self.w1):
            nn.init.trunc_normal_(linear.weight, mean=0.0, std=0.02)
        for linear in (self.wo, self.w2, self.w3):
            nn.init.trunc_normal_(linear.weight, mean=0.0, std=self.std)
        for linear in (self.w1, self.w2, self.w3):  # as torch.nn.Linear has it
            nn.init.uniform_(linear.bias, -1 / math.sqrt(linear.in_features), 1 / math.sqrt(linear.in_features))

    def forward(self, x):
        y = self.attention_norm(x)
        q, k, v = (w(y).unflatten(-1, (-1, self.size)).transpose(1, 2) for w in (self.wq, self.wk, self.wv))
        y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.wo(y.transpose(1, 2).flatten(2))
        y = self.ffn_norm(x)
        return x + self.w2(nn.functional.silu(self.w1(y)) * self.w3(y))


class Titan(nn.Module):
    """Sizes are such that four ranks get uneven shards, and of the norms empty ones where there are eight."""

    def __init__(self, vocabulary=29, width=12, heads=4, hidden=20, layers=2):
        super().__init__()
        self.tok_embeddings = nn.Embedding(vocabulary, width, padding_idx=3)
        self.layers = nn.ModuleDict({str(n): Block(n, width, heads, hidden) for n in range(layers)})
        self.norm, self.output = Norm(width), nn.Linear(width, vocabulary, bias=False)

    def init_weights(self):
        self.tok_embeddings.reset_parameters()  # a normal, and zeros in the row of the padding
        for layer in self.layers.values():
            layer.init_weights()
        self.norm.reset_parameters()
        nn.init.trunc_normal_(self.output.weight, std=0.1, a=-0.3, b=0.3)
        with torch.no_grad():
            self.output.weight[5:].mul_(0.5)

    def forward(self, tokens):
        x = self.tok_embeddings(tokens)
        for layer in self.layers.values():
            x = layer(x)
        return self.output(self.norm(x))


PLAN = {
    **{f"layers.*.{name}": ColwiseParallel() for name in ("wq", "wk", "wv", "w1", "w3")},
    **{f"layers.*.{name}": RowwiseParallel() for name in ("wo", "w2")},
}
TITAN_ENDS = {
    "tok_embeddings": RowwiseParallel(input_layouts=Replicate(), output_layouts=Replicate()),
    "output": ColwiseParallel(output_layouts=Replicate()),
}


def fsdp(model, world, mesh=None, layers=None, **_):
    mesh = mesh or init_device_mesh("cpu", (world,), mesh_dim_names=("dp",))
    for layer in layers or model.layers.values():
        fully_shard(layer, mesh=mesh)
    return fully_shard(model, mesh=mesh)


def hsdp(model, world, layers=None, **_):
    return fsdp(model, world, init_device_mesh("cpu", (2, world // 2), mesh_dim_names=("rep", "dp")), layers)


def tp(model, world, mesh=None, plan=None, **_):
    mesh = mesh or init_device_mesh("cpu", (world,), mesh_dim_names=("tp",))
    return parallelize_module(model, mesh, plan or {**PLAN, **TITAN_ENDS})


def both(model, world, plan=None, layers=None, **_):
    mesh = init_device_mesh("cpu", (world // 2, 2), mesh_dim_names=("dp", "tp"))
    return fsdp(tp(model, world, mesh["tp"], plan), world, mesh["dp"], layers)


LAYOUTS = {"FSDP2": fsdp, "HSDP": hsdp, "TP": tp, "FSDP2 + TP": both}


def is_cut(tensor):
    return any(isinstance(placement, Shard) for placement in tensor.placements)
