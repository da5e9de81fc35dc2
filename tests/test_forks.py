"""The default generator in forked and other processes → no child repeats its parent or a sibling, but on purpose.

Each case runs in a process of its own, so that the number of its forks is known.
"""

import importlib.util
import json
import os
import subprocess
import sys

import pytest

import numbainit as init

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")

PREAMBLE = """
import warnings; warnings.simplefilter("ignore", DeprecationWarning)  # of Python 3.12: fork with threads around
import json, os
import numbainit as init

def child(work):
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        os.write(write, json.dumps(work()).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        text = pipe.read()
    assert os.waitpid(pid, 0)[1] == 0
    return json.loads(text)

def value():
    return init.uniform(1, dtype="float64").item()
"""


def python(code):
    command = [sys.executable, "-c", PREAMBLE + code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_an_unseeded_child_takes_fresh_entropy():
    code = "print(json.dumps([value(), *[child(value) for _ in range(3)], value()]))"
    first, second = python(code), python(code)
    assert len({*first, *second}) == 10


@pytest.mark.full
def test_a_child_of_a_process_that_has_not_drawn():
    assert len(set(python("print(json.dumps([child(value), child(value), value()]))"))) == 3


@pytest.mark.full
def test_children_of_a_seeded_process_differ_and_are_the_same_in_each_run():
    code = """
init.manual_seed(7)
before = value()
children = [child(value) for _ in range(3)]
print(json.dumps([before, value(), *children]))
"""
    first = python(code)
    assert len(set(first)) == 5
    assert python(code) == first
    root = init.Generator(7)
    assert first[:2] == [init.uniform(1, dtype="float64", generator=root).item() for _ in range(2)]
    named = [root.fold_in(f"fork {number}") for number in range(3)]
    assert first[2:] == [init.uniform(1, dtype="float64", generator=one).item() for one in named]


@pytest.mark.full
def test_forks_are_counted_from_the_seed_on():
    code = """
found = []
for _ in range(2):
    init.manual_seed(7)
    found.append([child(value), child(value)])
print(json.dumps(found))
"""
    first, second = python(code)
    assert first == second
    assert first[0] != first[1]


@pytest.mark.full
def test_grandchildren():
    code = """
init.manual_seed(7)
print(json.dumps([child(lambda: [value(), child(value), child(value)]), child(lambda: [value(), child(value)])]))
"""
    found = python(code)
    assert len({*found[0], *found[1]}) == 5
    assert python(code) == found


@pytest.mark.full
def test_a_child_that_seeds_itself():
    code = """
init.manual_seed(7)
def work():
    init.manual_seed(3)
    return value()
print(json.dumps(child(work)))
"""
    assert python(code) == init.uniform(1, dtype="float64", generator=3).item()


@pytest.mark.full
def test_a_generator_of_the_user_s_stays_what_it_is():
    """A copy, as of everything else: ``fold_in`` of the rank tells children apart."""
    code = """
g = init.Generator(7)
same = [child(lambda: init.uniform(1, dtype="float64", generator=g).item()) for _ in range(2)]
told = [child(lambda: init.uniform(1, dtype="float64", generator=g.fold_in(rank)).item()) for rank in range(2)]
print(json.dumps([same, told]))
"""
    same, told = python(code)
    assert same[0] == same[1] == init.uniform(1, dtype="float64", generator=7).item()
    assert told[0] != told[1]


@pytest.mark.full
def test_forks_while_other_threads_hold_the_lock():
    """A child must not inherit a lock from a thread that it has not."""
    code = """
import threading
g, stop = init.Generator(0), threading.Event()
def work():
    while not stop.is_set():
        g.spawn(1); init.default_generator.spawn(1)
threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads: thread.start()
keys = [child(lambda: [g.spawn(1)[0].key, init.default_generator.spawn(1)[0].key]) for _ in range(40)]
stop.set()
for thread in threads: thread.join()
print(json.dumps(len({tuple(default) for _, default in keys})))
"""
    assert python(code) == 40


POOLS = """
from multiprocessing import get_context
def key(_):
    return init.default_generator.key
def keys(method):
    with get_context(method).Pool(3) as pool:
        return sorted(set(pool.map(key, range(60), 1)))
"""


@pytest.mark.full
def test_workers_of_a_forked_pool():
    code = POOLS + "init.manual_seed(7); print(json.dumps([init.default_generator.key, *keys('fork')]))"
    possible = {init.Generator(7).fold_in(f"fork {number}").key for number in range(3)}
    for found in (python(code), python(code)):  # a fast worker may do what was another's
        parent, *workers = map(tuple, found)
        assert parent == init.Generator(7).key
        assert workers
        assert possible.issuperset(workers)


LOADER = """
import torch
from torch.utils.data import DataLoader, Dataset

class Values(Dataset):
    def __len__(self):
        return 8
    def __getitem__(self, index):
        return torch.tensor(init.uniform(1, dtype="float64").item(), dtype=torch.float64)

def epochs(method="fork", **options):
    loader = DataLoader(Values(), num_workers=4, multiprocessing_context=method, **options)
    return [[value.item() for value in loader] for _ in range(2)]
"""


@pytest.mark.full
@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")
class TestDataLoader:
    """Each item is drawn by one of four workers, which are forked anew for each epoch."""

    def test_seeded_by_us(self):
        code = LOADER + "init.manual_seed(7); print(json.dumps(epochs()))"
        found = python(code)
        assert len({*found[0], *found[1]}) == 16
        assert python(code) == found

    def test_seeded_by_torch_alone(self):
        """The seed that torch gives each worker is taken."""
        code = LOADER + "torch.manual_seed(3); print(json.dumps(epochs()))"
        found = python(code)
        assert len({*found[0], *found[1]}) == 16
        assert python(code) == found

    @pytest.mark.parametrize("seed", ["torch.manual_seed(3)", "init.manual_seed(7)"])
    def test_a_pool_inside_of_a_worker(self, seed):
        """torch's seed is the worker's: what it forks does not repeat the worker, or a sibling."""
        code = (
            LOADER
            + f"""
class Forking(Values):
    def __len__(self):
        return 4
    def __getitem__(self, index):
        return torch.tensor([value(), child(value), child(value), value()], dtype=torch.float64)

{seed}
loader = DataLoader(Forking(), num_workers=2, multiprocessing_context="fork")
print(json.dumps([value for _ in range(2) for batch in loader for value in batch.flatten().tolist()]))
"""
        )
        found = python(code)
        assert len(set(found)) == 32
        assert python(code) == found

    def test_not_seeded(self):
        code = LOADER + "print(json.dumps(epochs()))"
        first, second = python(code), python(code)
        assert len({value for epoch in (*first, *second) for value in epoch}) == 32
