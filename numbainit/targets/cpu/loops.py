"""A task and some of its items → these done, by one thread or by all: the loops of the CPU.

A *law* (``vectors/``) fills contiguous memory, and is compiled once for each dtype. A *task* (``tasks.py``) knows where
memory lies and which piece of it an item is, and is compiled once for all dtypes. A loop knows neither: it calls a task
by its address, with addresses, so there is one to compile, whatever is filled. Loops neither check nor allocate: that
is done before they are called.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import prange

from numbainit.targets.cache import kernel
from numbainit.targets.cpu.memory import address_of, call_law, call_task, words_at

_NUMBERS = np.uint64(16)  # where they begin in a record


class Loops(NamedTuple):
    """The same loop twice: on the calling thread, and on all threads."""

    serial: Any
    parallel: Any


def _loop(way: str, parallel: bool) -> Any:
    """The loop (task, memory, numbers, given, first, items); see ``tasks.py`` for what is given."""

    @kernel(f"tasks_{way}", parallel=parallel)
    def run(task, memory, numbers, given, first, items):
        out, parameters, rest = address_of(memory), address_of(numbers), address_of(given)
        for item in prange(np.uint64(items)):
            call_task(task, out, parameters, rest, np.uint64(first) + np.uint64(item))

    return run


TASKS = Loops(_loop("serial", False), _loop("parallel", True))


@kernel("fill")
def fill(record, memory, k0, k1, draw):
    """Fill contiguous memory on the calling thread; ``record`` is where a law's address, itemsize and numbers are."""
    law, itemsize = words_at(np.uint64(record), 0, 2)
    size = np.uint64(memory.nbytes) // itemsize
    call_law(law, address_of(memory), size, 0, draw, k0, k1, np.uint64(record) + _NUMBERS)
