"""Ranks of MPI → one file of raw float32 values, by MPI-IO: rank → Block → offset in the file.

mpiexec -n 4 python mpi.py w.bin 4096 1024

MPI writes, and compares the seeds; values need no message.
"""

import math
import sys

import numpy as np
from mpi4py import MPI

import numbainit as init


def main(path, shape, seed=0):
    ranks = MPI.COMM_WORLD
    generator = init.Generator(seed).fold_in("w")
    if len(set(ranks.allgather((generator.key, generator.draws)))) > 1:
        raise SystemExit("ranks have different seeds")
    rank, world, rows = ranks.Get_rank(), ranks.Get_size(), shape[0]
    begin, end = rank * rows // world, (rank + 1) * rows // world
    part = np.empty((end - begin, *shape[1:]), "float32")
    if part.size:
        init.kaiming_normal_(part, generator=generator, block=init.Block(shape, (begin,) + (0,) * (len(shape) - 1)))
    file = MPI.File.Open(ranks, path, MPI.MODE_CREATE | MPI.MODE_WRONLY)
    file.Write_at_all(begin * math.prod(shape[1:]) * part.itemsize, part)
    file.Close()


if __name__ == "__main__":
    main(sys.argv[1], tuple(map(int, sys.argv[2:])))
