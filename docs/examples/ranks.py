"""Processes → one .npy file, each writing the rows that are its own: rank → Block → offset in the file.

python ranks.py w.npy --world 4 --shape 4096 1024

Nobody holds the whole, and nobody talks to anybody. The same file comes from any number of processes, one after another
or at once, and a rank that has died is run again alone: ``--rank 2 --world 4``.
"""

import argparse
import math
import multiprocessing

import numpy as np

import numbainit as init


def rows_of(rank, world, rows):
    """[begin, end) of the rows of a rank: as equal as they can be."""
    return rank * rows // world, (rank + 1) * rows // world


def header(path, shape):
    """The file without values; how many bytes stand before them."""
    array = np.lib.format.open_memmap(path, mode="w+", dtype="float32", shape=shape)
    return array.offset


def write(path, rank, world, shape, seed):
    begin, end = rows_of(rank, world, shape[0])
    block = init.Block(shape, (begin,) + (0,) * (len(shape) - 1))
    offset = np.load(path, mmap_mode="r").offset + begin * math.prod(shape[1:]) * 4
    if begin < end:  # a map of this rank's bytes, and of no others
        part = np.memmap(path, "float32", "r+", offset, (end - begin, *shape[1:]))
        init.kaiming_normal_(part, generator=init.Generator(seed).fold_in("w"), block=block)
        part.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("path")
    parser.add_argument("--world", type=int, default=4)
    parser.add_argument("--rank", type=int, help="this one alone, into the file that is there")
    parser.add_argument("--shape", type=int, nargs="+", default=[4096, 1024])
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    shape = tuple(given.shape)
    if given.rank is not None:
        write(given.path, given.rank, given.world, shape, given.seed)
        return
    header(given.path, shape)
    with multiprocessing.get_context("spawn").Pool(given.world) as pool:
        pool.starmap(write, [(given.path, rank, given.world, shape, given.seed) for rank in range(given.world)])


if __name__ == "__main__":
    main()
