"""``import numbainit`` → all that is public, and nothing heavy."""

import importlib.metadata
import json
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest

import numbainit as init
from numbainit import errors

HEAVY = [
    "numba",
    "llvmlite",
    "scipy",
    "torch",
    "jax",
    "jaxlib",
    "ml_dtypes",
    "flax",
    "keras",
    "rich",
    "safetensors",
    "cupy",
    "dask",
    "pandas",
    "matplotlib",
]
TORCH_NAMES = [
    *("calculate_gain", "uniform_", "normal_", "trunc_normal_", "constant_", "ones_", "zeros_", "eye_", "dirac_"),
    *("xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_", "orthogonal_", "sparse_"),
    *("uniform", "normal", "constant", "eye", "dirac", "xavier_uniform", "xavier_normal", "kaiming_uniform"),
    *("kaiming_normal", "orthogonal", "sparse", "_calculate_fan_in_and_fan_out", "_calculate_correct_fan"),
]


def python(code):
    """What the code prints as JSON, in a process that has imported nothing."""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=120)
    return json.loads(done.stdout)


def test_what_fills_need_not_is_imported_when_it_is_asked_for():
    code = """
import json, sys, numbainit
late = tuple("numbainit." + name for name in ("auditing", "files", "propagation", "recipes", "weights.gains"))
before = [name for name in sys.modules if name.startswith(late)]
print(json.dumps([before, numbainit.audit.__module__, numbainit.propagate.__module__, numbainit.exact_gain.__module__]))
"""
    modules = ["numbainit.auditing.audit", "numbainit.propagation.run", "numbainit.weights.gains"]
    assert python(code) == [[], *modules]
    with pytest.raises(AttributeError, match="module 'numbainit' has no attribute 'nothing'"):
        _ = init.nothing


def test_all_is_what_is_public():
    public = {
        name for name in dir(init) if not name.startswith("_") and not isinstance(getattr(init, name), types.ModuleType)
    }
    helpers = {"_calculate_fan_in_and_fan_out", "_calculate_correct_fan"}  # private in torch, and imported by others
    assert set(init.__all__) == public | helpers
    assert len(init.__all__) == len(set(init.__all__))
    modules = [one for name in dir(init) if isinstance(one := getattr(init, name), types.ModuleType)]
    assert {one.__name__.partition(".")[0] for one in modules} == {"numbainit"}


def test_all_is_sorted():
    assert init.__all__ == sorted(init.__all__)


@pytest.mark.parametrize("name", TORCH_NAMES)
def test_every_name_of_torch_is_here(name):
    assert name in init.__all__
    assert callable(getattr(init, name))


@pytest.mark.parametrize("name", [name for name in init.__all__ if name != "default_generator"])
def test_public_names_are_documented(name):
    assert getattr(init, name).__doc__.strip()


def test_nothing_heavy_is_imported():
    code = f"import json, sys, numbainit; print(json.dumps([m for m in {HEAVY} if m in sys.modules]))"
    assert python(code) == []


def test_nothing_heavy_is_imported_by_what_needs_no_fill():
    code = f"""
import json, sys
import numpy as np
import numbainit as init
init.Generator(0).fold_in("w").spawn(2)
init.manual_seed(0)
init.calculate_gain("relu")
for function in (init.zeros_, init.ones_, init.eye_):
    function(np.empty((3, 3)))
init.dirac((3, 3, 3))
init.normal((0, 3))
for wrong in ([1.0], np.zeros(3, "i4")):
    try:
        init.normal_(wrong)
    except TypeError:
        pass
print(json.dumps([m for m in {HEAVY} if m in sys.modules]))
"""
    assert python(code) == []


def test_a_fill_imports_no_framework():
    code = f"""
import json, sys
import numpy as np
import numbainit as init
init.normal_(np.empty(3))
print(json.dumps([m for m in {HEAVY} if m in sys.modules]))
"""
    assert set(python(code)) <= {"numba", "llvmlite", "scipy"}  # Numba imports SciPy where it finds it


@pytest.mark.parametrize(
    ("adapter", "library", "needs"),
    [
        ("dask", "dask", "dask"),
        ("jax", "jax", "JAX"),
        ("keras", "keras", "Keras 3 and the backend"),
        ("torch", "torch", "torch"),
    ],
)
def test_an_adapter_names_the_extra_that_is_missing(adapter, library, needs):
    code = f"import sys; sys.modules[{library!r}] = None\nimport numbainit\nimport numbainit.{adapter}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert f"MissingExtraError: numbainit.{adapter} needs {needs}" in done.stderr
    assert f'pip install "numbainit[{adapter}]"' in done.stderr


def test_one_file_imports_the_cuda_target_of_numba():
    """What stands behind it may change, and one file then."""
    imported = re.compile(r"^\s*(?:from|import) (?:numba\.)?cuda\b|^\s*from numba import .*\bcuda\b", re.MULTILINE)
    package = Path(init.__file__).parent
    assert [path.name for path in package.rglob("*.py") if imported.search(path.read_text("utf-8"))] == ["driver.py"]


def test_importing_changes_nothing_global():
    code = """
import json, os, random, signal, sys, warnings
import numpy as np
before = (dict(os.environ), list(warnings.filters), np.geterr(), random.getstate(), str(np.random.get_state()),
          signal.getsignal(signal.SIGINT))
import numbainit as init
init.normal_(np.empty(100_000, "f4"))
init.normal_(np.empty(100_000, "f4"), generator=np.random.default_rng(0))
after = (dict(os.environ), list(warnings.filters), np.geterr(), random.getstate(), str(np.random.get_state()),
         signal.getsignal(signal.SIGINT))
print(json.dumps([old == new for old, new in zip(before, after)]))
"""
    environment, filters, *rest = python(code)
    assert environment
    assert all(rest)
    assert filters in (True, False)  # Numba adds filters of its own


def test_typed():
    assert (Path(init.__file__).parent / "py.typed").is_file()


def test_version():
    assert re.fullmatch(r"\d+\.\d+\.\d+(\w+)?", init.__version__)
    try:
        installed = importlib.metadata.version("numbainit")
    except importlib.metadata.PackageNotFoundError:  # run from a checkout
        return
    assert installed == init.__version__


def test_errors_are_ours_and_the_builtin_ones():
    assert issubclass(errors.InvalidValueError, ValueError)
    assert issubclass(errors.InvalidTypeError, TypeError)
    assert issubclass(errors.OutputError, OSError)
    for name in ("InvalidValueError", "InvalidTypeError", "OutputError"):
        assert issubclass(getattr(init, name), init.NumbaInitError)
    assert issubclass(init.NumbaInitError, Exception)
    assert not issubclass(init.NumbaInitError, (ValueError, TypeError, OSError))
