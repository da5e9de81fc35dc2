"""How fast is ``numbainit init``'s file, beside a plain write of as many bytes? In turns, on the disk of a folder.

From a clone, with as many free processors as one wants to speak of:

    python bench/files.py /dev/shm /var/tmp             # folders: a disk in memory, a real one
    python bench/files.py /var/tmp --gigabytes 16       # more than the memory keeps back

A plain write is ``os.write`` of the same random 4 MiB again and again, then ``fsync``. Seconds of all processors are
shown for both: on a machine that is busy, or has few, they say what the clock cannot.
"""

import argparse
import os
import shutil
import statistics
import time
from pathlib import Path

from numbainit.command.filling import Filling
from numbainit.command.report import Result
from numbainit.files import writing
from numbainit.files.checkpoints import Checkpoint
from numbainit.files.headers import Parameter
from numbainit.files.outputs import check_output
from numbainit.files.pieces import whole
from numbainit.files.sharded import by_size
from numbainit.recipes import Tensor, default

SIDE = 4096
BUFFER = os.urandom(1 << 22)
ITEMSIZES = {"F32": 4, "BF16": 2}


def model(gigabytes, dtype):
    """Square matrices, and the norms between them."""
    count = max(1, int(gigabytes * 1e9) // (SIDE * SIDE * ITEMSIZES[dtype]))
    names = [(f"layers.{at}.weight", (SIDE, SIDE)) for at in range(count)]
    names += [(f"layers.{at}.norm.weight", (SIDE,)) for at in range(count)]
    return [Parameter(name, shape, dtype) for name, shape in names]


def filling(parameters, path):
    tensors = [Tensor(one.name, one.shape, one.numpy_dtype.name) for one in parameters]
    recipe = default.default(default.initializer("normal")).plan(tensors, {}).recipe
    return Filling(recipe, Result(path, 0, parameters[0].dtype, "normal"))


def one_file(parameters, folder):
    path = folder / "numbainit-bench.safetensors"
    fill, output = filling(parameters, path), check_output(path)
    writing.write(output, writing.prepared(output, map(whole, parameters), {}), fill.fill, fill.see)
    path.unlink()


def shards(parameters, folder):
    """Four files, with a digest of each tensor."""
    path = folder / "numbainit-bench"
    files = by_size(parameters, sum(one.nbytes for one in parameters) // 4)
    fill, found = filling(parameters, path), Checkpoint(path, files, {one.file for one in files}, {}, len(files) > 1)
    found.make(found.to_make(files, False)[0], fill.fill, fill.see, ())
    shutil.rmtree(path)


def plain(parameters, folder):
    path = folder / "numbainit-bench.plain"
    file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    for _ in range(sum(one.nbytes for one in parameters) // len(BUFFER)):
        os.write(file, BUFFER)
    os.fsync(file)
    os.close(file)
    path.unlink()


def timed(function, *arguments):
    """Seconds by the clock, and of all processors."""
    begin, busy = time.perf_counter(), time.process_time()
    function(*arguments)
    return time.perf_counter() - begin, time.process_time() - busy


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print("folder, dtype, what: GB/s at best (plain), median of the ratios; seconds of processors a GB (plain)")
    for folder in options.folders:
        for dtype in ITEMSIZES:
            parameters = model(options.gigabytes, dtype)
            size = sum(one.nbytes for one in parameters) / 1e9
            for what in (one_file, shards):
                what(parameters[:1], folder)  # what is compiled is so now
                rounds = [
                    (timed(what, parameters, folder), timed(plain, parameters, folder)) for _ in range(options.rounds)
                ]
                ours, theirs = ([pair[at] for pair in rounds] for at in (0, 1))
                best, other = (size / min(clock for clock, _ in found) for found in (ours, theirs))
                ratio = statistics.median(their[0] / our[0] for our, their in rounds)
                cost, their_cost = (min(busy for _, busy in found) / size for found in (ours, theirs))
                print(
                    f"{folder}, {dtype}, {what.__name__}: {best:.2f} ({other:.2f}), {ratio:.2f}; "
                    f"{cost:.2f} ({their_cost:.2f})",
                    flush=True,
                )


if __name__ == "__main__":
    main()
