"""What must be settled before a framework is imported, as Keras reads its backend once; what test processes share."""

import importlib.util
import os
import sys

installed = [name for name in ("jax", "torch", "tensorflow") if importlib.util.find_spec(name)]
os.environ.setdefault("KERAS_BACKEND", installed[0] if installed else "numpy")


def pytest_sessionfinish(session):
    """A process of ``pytest -n`` reports how many p-values it has spent."""
    budget = sys.modules.get("budget")
    if budget and hasattr(session.config, "workeroutput"):
        session.config.workeroutput["spent"] = budget.spent()


def pytest_testnodedown(node):
    """The shares of :mod:`budget` are cut for the p-values of all processes together."""
    import budget

    budget.spend(getattr(node, "workeroutput", {}).get("spent", 0))
