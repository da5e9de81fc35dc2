"""Fills from many Python threads, in forked and spawned processes, inside of loops → the same bits, nobody is killed.

GNU OpenMP kills a forked child at its first parallel region, and the workqueue layer aborts when two launches meet:
each case runs in a process of its own, from whose death the others are safe.
"""

import contextlib
import multiprocessing
import os
import threading
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numba
import numpy as np
import pytest
from test_determinism import CENTRE, LARGE, NORMAL, TAIL, UNIFORM, digest, output_of, python

import numbainit as init
from cases import thinned
from numbainit.targets.cpu import launch

# ---- Python threads ----


def concurrent_failures(rounds=10):
    """Fill from many Python threads at once; how often a digest was not that of a quiet fill."""
    cases = [(*law, dtype) for law in (UNIFORM, NORMAL, CENTRE, TAIL) for dtype in ("f4", "f8")]
    expected = {case: digest(case, np.empty(LARGE, case[2])) for case in cases}
    digests_seen, start = [], threading.Barrier(len(cases))

    def work(case):
        start.wait()
        digests_seen.extend((case, digest(case, np.empty(LARGE, case[2]))) for _ in range(rounds))

    threads = [threading.Thread(target=work, args=(case,)) for case in cases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(digests_seen) == rounds * len(cases)
    return sum(seen != expected[case] for case, seen in digests_seen)


def test_concurrent_fills_from_python_threads():
    assert concurrent_failures() == 0


@pytest.mark.full
def test_concurrent_fills_on_the_workqueue_layer():
    """The layer of last resort aborts the process when two threads launch at once."""
    code = f"""
    import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
    import numba, test_launch
    print(test_launch.concurrent_failures(), numba.threading_layer())
    """
    assert output_of(python(code, NUMBA_THREADING_LAYER="workqueue")) == "0 workqueue\n"


def test_a_limit_is_that_of_this_python_thread_until_it_ends():
    numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)
    before, inside, elsewhere = launch.threads(), [], []
    with contextlib.suppress(KeyError), launch.limited(1):
        inside += [launch.threads(), launch.how_to_run(1 << 30)[0] is launch.kernels().loops.TASKS.serial]
        thread = threading.Thread(target=lambda: elsewhere.append(launch.threads()))
        thread.start()
        thread.join()
        raise KeyError
    assert (inside, launch.threads(), elsewhere) == ([1, True], before, [numba.config.NUMBA_NUM_THREADS])


MEETING = """
import hashlib, threading
import numba, numpy as np, numbainit as init

def digest(size):
    return hashlib.sha256(init.normal_(np.empty(size, "f4"), generator=3).tobytes()).hexdigest()

@numba.njit(parallel=True, nogil=True)
def others(array):
    for i in numba.prange(array.size):
        array[i] = i
"""


@pytest.mark.full
@pytest.mark.parametrize("layer", ["workqueue", "default"])
def test_fills_beside_parallel_code_of_somebody_else(layer):
    """A user's own kernel on another thread, which no lock of ours knows of."""
    code = (
        MEETING
        + """
large = 1 << 20
alone, stop, memory = digest(large), threading.Event(), np.empty(1 << 16)
others(memory)
def work():
    while not stop.is_set():
        others(memory)
thread = threading.Thread(target=work)
thread.start()
found = {digest(large) for _ in range(30)} | {digest(40_000)}
stop.set()
thread.join()
print(found == {alone, digest(40_000)})
"""
    )
    settings = {} if layer == "default" else {"NUMBA_THREADING_LAYER": layer}
    assert output_of(python(code, **settings)) == "True\n"


@pytest.mark.full
@pytest.mark.parametrize("layer", ["workqueue", "default"])
def test_fills_inside_of_a_parallel_loop(layer):
    """Of a user's, by way of Python; each turn of the loop fills by itself."""
    code = (
        MEETING
        + """
rows = np.empty((6, 1 << 20), "f4")

def fill(i):
    init.normal_(rows[i], generator=i)

@numba.njit(parallel=True)
def loop(count):
    for i in numba.prange(count):
        with numba.objmode():
            fill(i)

loop(6)
print([np.array_equal(rows[i], init.normal(1 << 20, generator=i)) for i in range(6)])
"""
    )
    settings = {} if layer == "default" else {"NUMBA_THREADING_LAYER": layer}
    assert output_of(python(code, **settings)) == f"{[True] * 6}\n"


@pytest.mark.full
def test_where_no_thread_can_be_started():
    """The calling thread then does all shares."""
    code = (
        MEETING
        + """
from numbainit.targets.cpu import launch
alone = digest(1 << 20)
class None_(threading.Thread):
    def start(self):
        raise RuntimeError("can't start new thread")
launch.threading.Thread = None_
print(digest(1 << 20) == alone)
"""
    )
    assert output_of(python(code, NUMBA_THREADING_LAYER="workqueue")) == "True\n"


def test_a_shared_generator_gives_each_thread_another_draw():
    generator, rows = init.Generator(3), [None] * 8

    def work(i):
        rows[i] = init.uniform_(np.empty(LARGE, np.float32), generator=generator).tobytes()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(rows))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    again = init.Generator(3)
    assert generator.draws == 8
    assert set(rows) == {init.uniform_(np.empty(LARGE, np.float32), generator=again).tobytes() for _ in rows}


# ---- processes ----


PROCESSES = """
    import warnings; warnings.simplefilter("ignore", DeprecationWarning)  # of Python 3.12: fork with threads around
    import multiprocessing, os, numpy as np
    import test_determinism as t

    case, large, small = (*t.CENTRE, "f4"), t.LARGE, 100
    def both():
        strided = t.digest(case, np.empty((400, 300), "f4")[::-1, ::2])
        return t.digest(case, np.empty(large, "f4")), t.digest(case, np.empty(small, "f4")), strided
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
@pytest.mark.parametrize("layer", thinned(["default", "omp", "workqueue"], ["default"]))
def test_a_forked_child_fills_after_its_parent_did(layer):
    """GNU OpenMP kills such a child at its first parallel region."""
    code = (
        PROCESSES
        + """
    here = both()
    for _ in range(2):
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(write, repr(both()).encode())
            os._exit(0)
        os.close(write)
        there = b"".join(iter(lambda: os.read(read, 4096), b"")).decode()
        assert os.waitpid(child, 0)[1] == 0
        assert there == repr(here), there
        assert both() == here  # and the parent still does
    print("fine")
    """
    )
    settings = {} if layer == "default" else {"NUMBA_THREADING_LAYER": layer}
    process = python(code, **settings)
    try:
        assert output_of(process) == "fine\n"
    except AssertionError as error:
        if "No threading layer could be loaded" in str(error):
            pytest.skip(f"numba was built without {layer} here")
        raise


@pytest.mark.full
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
def test_a_forked_child_fills_after_other_code_started_the_threads():
    code = (
        PROCESSES
        + """
    import numba
    @numba.njit(parallel=True)
    def others(array):
        for i in numba.prange(array.size):
            array[i] = i
    others(np.empty(1000))
    child = os.fork()
    if not child:
        os._exit(0 if t.digest(case, np.empty(large, "f4")) else 1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print("fine" if code == 0 else code)
    """
    )
    assert output_of(python(code)) == "fine\n"


@pytest.mark.full
@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this platform has no fork")
def test_a_forked_pool():
    code = (
        PROCESSES
        + """
    here = both()
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.apply(both) == here
    print("fine")
    """
    )
    assert output_of(python(code)) == "fine\n"


@pytest.mark.full
def test_spawned_processes():
    """A function of the package, which a child can import whatever started the tests; a lost child is an error."""
    expected = init.normal(LARGE, generator=7)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(init.normal, LARGE, generator=7).result().tobytes() == expected.tobytes()
