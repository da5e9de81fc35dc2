"""A flax nnx model and its shardings → a model whose parameters were made shard by shard, by each process its own.

JAX_NUM_CPU_DEVICES=8 python jax_model.py                              # one process
python jax_model.py 127.0.0.1:8476 2 0 & python jax_model.py 127.0.0.1:8476 2 1       # two, four devices each

No process holds a whole parameter: ``nnx.eval_shape`` knows shapes, ``jax.make_array_from_callback`` asks for shards.
"""

import hashlib
import os
import resource
import sys

if len(sys.argv) > 1:
    os.environ.setdefault("JAX_NUM_CPU_DEVICES", str(8 // int(sys.argv[2])))

import jax
import numpy as np
from flax import nnx
from jax.sharding import NamedSharding, PartitionSpec

import numbainit as init


class Model(nnx.Module):
    def __init__(self, width, hidden, rngs):
        self.up = nnx.Linear(width, hidden, rngs=rngs)
        self.down = nnx.Linear(hidden, width, rngs=rngs)
        self.scale = nnx.LayerNorm(width, rngs=rngs)


SPECS = {"up.kernel": PartitionSpec("data", "model"), "down.kernel": PartitionSpec("model", "data")}


def initializer_of(name):
    """Which parameter gets what: a table of your own, or :mod:`numbainit.recipes.rules`."""
    if name.endswith("kernel"):
        return init.Initializer("kaiming_normal", mode="fan_in", nonlinearity="relu", layout="IO")
    return init.Initializer("ones" if name.endswith("scale") else "zeros")


def initialized(shape, dtype, sharding, initializer, generator):
    """One parameter. ``index`` holds the slices of a shard; those without ends are of axes that are not cut."""

    def shard(index):
        start = [one.start or 0 for one in index]
        part = np.empty(sharding.shard_shape(shape), dtype)
        return initializer(part, init.Generator.from_key(*generator.key), block=init.Block(shape, start))

    return jax.make_array_from_callback(shape, sharding, shard)


def build(make, mesh, seed):
    graph, state = nnx.split(nnx.eval_shape(make))  # shapes alone
    root, parameters = init.Generator(seed), {}
    for path, variable in nnx.to_flat_state(state):
        name, value = ".".join(map(str, path)), variable.get_value()
        sharding = NamedSharding(mesh, SPECS.get(name, PartitionSpec()))
        made = initialized(value.shape, value.dtype, sharding, initializer_of(name), root.fold_in(name))
        parameters[path] = variable.replace(made)
    return nnx.merge(graph, nnx.from_flat_state(parameters))


def main(width=256, hidden=1024, seed=7):
    if len(sys.argv) > 1:
        jax.distributed.initialize(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
        width, hidden = (int(one) for one in sys.argv[4:6]) if len(sys.argv) > 4 else (width, hidden)
    mesh = jax.make_mesh((4, 2), ("data", "model"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    model = build(lambda: Model(width, hidden, nnx.Rngs(0)), mesh, seed)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for path, variable in nnx.to_flat_state(nnx.state(model)):
        for shard in variable.get_value().addressable_shards:
            where = [(one.start or 0) for one in shard.index]
            digest = hashlib.blake2b(np.asarray(shard.data).tobytes(), digest_size=8).hexdigest()
            print(".".join(map(str, path)), *where, digest)
    print(f"memory: {(after - before) >> 10} MiB", file=sys.stderr)


if __name__ == "__main__":
    main()
