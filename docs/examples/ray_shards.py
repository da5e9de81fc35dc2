"""Tasks of Ray → the shards of a parameter, each made by the worker that has it.

python ray_shards.py 4096 1024

A task that Ray runs again, somewhere else, gives the same values.
"""

import sys

import numpy as np
import ray

import numbainit as init


@ray.remote(max_retries=4)
def shard(rank, world, shape, seed):
    rows = shape[0]
    begin, end = rank * rows // world, (rank + 1) * rows // world
    block = init.Block(shape, (begin,) + (0,) * (len(shape) - 1))
    part = np.empty((end - begin, *shape[1:]), "float32")
    return init.kaiming_normal_(part, generator=init.Generator(seed).fold_in("w"), block=block)


def main(shape, world=4, seed=0):
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    parts = ray.get([shard.remote(rank, world, shape, seed) for rank in range(world)])
    whole = init.kaiming_normal(shape, generator=init.Generator(seed).fold_in("w"))
    print("equal:", bool((np.concatenate(parts) == whole).all()))
    ray.shutdown()


if __name__ == "__main__":
    main(tuple(map(int, sys.argv[1:])))
