"""Two sizes of the suite, what must be settled before a framework is imported, and what test processes share.

The light suite is README's command: every room, each law's bits and distribution, from an empty cache in two minutes.
What is marked ``full`` runs with ``--full`` only: more dtypes, sizes and layouts, other libraries, kernels of a GPU.
"""

import gc
import importlib.machinery
import importlib.util
import os
import re
import sys
from pathlib import Path

import pytest


class Finder(importlib.machinery.PathFinder):
    """What Python finds on its path, but for tests/torch, a folder that is no library where torch is not installed."""

    @classmethod
    def find_spec(cls, fullname, path=None, target=None):
        spec = super().find_spec(fullname, path, target)
        return None if fullname == "torch" and spec is not None and spec.origin is None else spec


sys.meta_path[sys.meta_path.index(importlib.machinery.PathFinder)] = Finder
installed = [name for name in ("jax", "torch", "tensorflow") if importlib.util.find_spec(name)]
os.environ.setdefault("KERAS_BACKEND", installed[0] if installed else "numpy")
# Processes that tests start import the package that is tested, and find its compiled kernels: not another copy that
# lies in the current folder, where Python would look first.
found = importlib.util.find_spec("numbainit")
if found is None:
    raise pytest.UsageError('numbainit is not installed here: pip install -e ".[test]", or run python -m pytest')
package = str(Path(found.origin).parents[1])
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
os.environ["PYTHONSAFEPATH"] = "1"
sys.path.append(str(Path(__file__).parents[1]))  # processes that are forked or spawned import tests.* by this path


def pytest_addoption(parser):
    parser.addoption("--full", action="store_true", help="run all tests: what is marked 'full' too")


def pytest_report_header(config):
    return "suite: full" if config.getoption("full") else "suite: light (--full runs all)"


def pytest_ignore_collect(collection_path, config):
    """A module whose ``pytestmark`` begins with ``full`` is not even imported without: frameworks take seconds."""
    if config.getoption("full") or collection_path.suffix != ".py":
        return None
    marked = re.search(r"^pytestmark = \[?\s*pytest\.mark\.full\b", collection_path.read_text("utf-8"), re.MULTILINE)
    return True if marked else None


def pytest_collection_finish(session):
    """Thousands of collected tests are not looked at again by each collection of garbage."""
    if "hypothesis" in sys.modules:
        _begin_hypothesis()
    gc.freeze()


def _begin_hypothesis():
    """At its first example it asks the collector of garbage who holds its random source: nobody, after freezing."""
    import hypothesis

    hypothesis.given(hypothesis.strategies.none())(lambda nothing: None)()


def pytest_collection_modifyitems(config, items):
    if config.getoption("full"):
        return
    left_out = [item for item in items if item.get_closest_marker("full")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if not item.get_closest_marker("full")]


@pytest.fixture
def one_thread():
    """Numba's loops run on the calling thread alone."""
    import numba

    before = numba.get_num_threads()
    numba.set_num_threads(1)
    yield
    numba.set_num_threads(before)


def pytest_sessionfinish(session):
    """A process of ``pytest -n`` reports how many p-values it has spent."""
    budget = sys.modules.get("budget")
    if budget and hasattr(session.config, "workeroutput"):
        session.config.workeroutput["spent"] = budget.spent()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """The shares of :mod:`budget` are cut for the p-values of all processes together."""
    import budget

    budget.spend(getattr(node, "workeroutput", {}).get("spent", 0))
