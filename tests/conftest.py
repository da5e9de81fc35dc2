"""What must be settled before a framework is imported: Keras reads its backend once."""

import importlib.util
import os

installed = [name for name in ("jax", "torch", "tensorflow") if importlib.util.find_spec(name)]
os.environ.setdefault("KERAS_BACKEND", installed[0] if installed else "numpy")
