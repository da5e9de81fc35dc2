"""Arrays and how they are made → all of them made: several small ones of the host's memory at once, on threads."""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from numbainit.generator import Generator
from numbainit.memory.libraries import torch_of
from numbainit.recipes.filling import make
from numbainit.recipes.steps import Weight
from numbainit.recipes.tensors import Held
from numbainit.targets.cpu import launch, runs
from numbainit.targets.cpu.runs import RUN

_WORTH_A_THREAD = 1 << 20  # bytes of a run; with fewer, threads wait for each other's Python


class Job(NamedTuple):
    """A tensor to be made, under the name that its generator has; ``nbytes`` are those that any thread may fill."""

    name: str
    weight: Weight
    held: Held
    nbytes: int


def job(name: str, weight: Weight, held: Held) -> Job:
    """That of a tensor; with more bytes than threads take, where the calling thread should fill it.

    It fills what lies on a GPU, whose streams belong to threads, and what is shared out over ranks.
    """
    array = held.array
    if type(array) is np.ndarray:
        return Job(name, weight, held, array.nbytes)
    size = held.tensor.size * held.tensor.numpy_dtype.itemsize
    return Job(name, weight, held, size if held.put is not None or _is_for_any_thread(array) else RUN + 1)


def make_all(jobs: Sequence[Job], root: Generator, others: Mapping[str, Weight]) -> None:
    """Make all of them, no two of which share memory; libraries take new arrays on the calling thread."""

    def work(run: list[Job], own: Any) -> list[Any]:
        with contextlib.nullcontext() if own is None else launch.limited(1):
            return [_made(job, root, others) for job in run]

    def take(run: list[Job], found: list[Any]) -> None:
        for job, array in zip(run, found, strict=True):
            if job.held.put is not None:
                job.held.put(array)

    at_once: list[list[Job]] = []
    here: list[list[Job]] = []
    for run in runs.grouped(jobs, lambda job: job.nbytes):
        (at_once if sum(job.nbytes for job in run) >= _WORTH_A_THREAD else here).append(run)
    threads = runs.threads()
    runs.do(at_once, lambda run: run[0].nbytes > RUN, work, take, runs.spare(object, threads), threads)
    for run in here:
        take(run, work(run, None))


def _made(job: Job, root: Generator, others: Mapping[str, Weight]) -> Any:
    tensor, array, put = job.held
    if put is not None:
        array = np.empty(tensor.shape, tensor.numpy_dtype)
    make(job.weight, job.name, array, root, None, others)
    return array


def _is_for_any_thread(array: Any) -> bool:
    torch = torch_of(array)
    return isinstance(array, np.ndarray) or (
        torch is not None
        and type(array) in (torch.Tensor, torch.nn.Parameter)
        and array.device.type == "cpu"
        and not torch.is_inference_mode_enabled()  # which belongs to threads
    )
