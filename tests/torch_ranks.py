"""A function and a number of processes → what it returns on each rank of a group that talks by gloo.

Processes are forked by a server that has imported torch and numbainit: a tenth of the time of starting them anew.
"""

import logging
import multiprocessing
import os
import tempfile
import traceback
import warnings

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        *("torch.distributed.tensor", "torch.distributed.fsdp", "torch.distributed.tensor.parallel", "torch._dynamo"),
        *("numbainit.torch", "numbainit.targets.cpu.launch", "numba.core.target_extension", "scipy.linalg"),
    ]
)


def run(world, function, *arguments, timeout=300):
    """``function(*arguments)`` on as many ranks; the results in their order. A failure of one is raised here."""
    with tempfile.TemporaryDirectory() as folder:
        pipes = [_CONTEXT.Pipe(duplex=False) for _ in range(world)]
        ranks = [
            _CONTEXT.Process(target=_rank, args=(os.path.join(folder, "store"), world, at, out, function, arguments))
            for at, (_, out) in enumerate(pipes)
        ]
        for rank, (_, out) in zip(ranks, pipes, strict=True):
            rank.start()
            out.close()
        try:
            found = [_received(pipe, at, timeout) for at, (pipe, _) in enumerate(pipes)]
        finally:
            for rank in ranks:
                rank.terminate()
                rank.join()
    failures = [text for _, text in found if text]
    assert not failures, "\n".join(failures)
    return [result for result, _ in found]


def _received(pipe, at, timeout):
    try:
        return pipe.recv() if pipe.poll(timeout) else (None, f"rank {at} said nothing for {timeout} seconds")
    except EOFError:
        return None, f"rank {at} is gone"


def _rank(store, world, at, out, function, arguments):
    import torch
    import torch.distributed as dist

    warnings.simplefilter("error")
    logging.getLogger("torch.distributed.tensor._redistribute").setLevel(logging.ERROR)  # it has advice on speed
    torch.set_num_threads(1)
    try:
        dist.init_process_group("gloo", store=dist.FileStore(store, world), rank=at, world_size=world)
        result = function(*arguments), ""
        dist.barrier()  # nobody leaves while others still talk to it
    except BaseException:
        result = None, f"rank {at} of {world}:\n{traceback.format_exc()}"
    out.send(result)
    out.close()
