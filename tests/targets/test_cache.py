"""Machine code on disk: found again by the next process, never stale after an edit, and dispensable.

Numba looks at the file of a kernel only, and the maths stands in others (numba#1833); and it refuses to start where it
can write no cache (numba#4908). Each test works on a copy of the package, in processes of its own.
"""

import compileall
import importlib.util
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import types
import zipfile
from pathlib import Path

import pytest
from numba.core import config
from numba.core.caching import FunctionCache

import numbainit
from cases import thinned
from numbainit.targets import cache, kept

CODE = """
import json
import numpy as np, numbainit as init
array = init.uniform_(np.empty(8, "f4"), generator=0)
from numbainit.targets.cpu import loops as cpu
from numbainit.targets.cpu.vectors import functions as cpu_laws
hit = cpu_laws.compiled("uniform", "float32").cache_hits
stats = cpu.fill.stats
hits, misses = sum(stats.cache_hits.values()), sum(stats.cache_misses.values())
print(json.dumps([init.__file__, array.tolist(), hits + hit, misses + 1 - hit]))
"""


@pytest.fixture
def package(tmp_path):
    """A copy of the package, without machine code."""
    copy = tmp_path / "code" / "numbainit"
    shutil.copytree(Path(numbainit.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def fill(package, **environment):
    """A fill in a new process: ``(values, cache hits, cache misses)``."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    kept |= {"PYTHONPATH": str(package.parent), "PYTHONWARNINGS": "error", **environment}
    done = subprocess.run(
        [sys.executable, "-c", CODE], cwd=package.parent, env=kept, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    file, *rest = json.loads(done.stdout)
    assert Path(file).parent == package, "not the copy was imported"
    return rest


def machine_code(folder):
    """name: (size, time of change) of the files of Numba's cache."""
    files = [path for path in folder.rglob("*") if path.suffix in (".nbi", ".nbc")]
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


def edit(path, pattern, new):
    text = path.read_text(encoding="utf-8")
    assert len(re.findall(pattern, text)) == 1
    path.write_text(re.sub(pattern, new, text), encoding="utf-8")


@pytest.mark.full
def test_the_next_process_finds_what_the_first_compiled(package, tmp_path):
    cache = str(tmp_path / "cache")
    values, hits, misses = fill(package, NUMBA_CACHE_DIR=cache)
    assert values == numbainit.uniform(8, generator=0).tolist()
    assert (hits, misses) == (0, 2)
    assert fill(package, NUMBA_CACHE_DIR=cache) == [values, 2, 0]


@pytest.mark.full
def test_hits_and_edits(package, tmp_path):
    cache = tmp_path / "cache"
    values, hits, misses = fill(package, NUMBA_CACHE_DIR=str(cache))
    assert (hits, misses) == (0, 2)
    first = machine_code(cache)
    assert len([name for name in first if name.endswith(".nbc")]) == 2, "the law, and the driver that calls it"
    assert not machine_code(package), "with a folder of the user's, nothing is written beside the code"

    assert fill(package, NUMBA_CACHE_DIR=str(cache)) == [values, 2, 0]
    assert machine_code(cache) == first, "a hit writes nothing"

    edit(package / "maths" / "laws.py", r"(?<=float32\(int32\(word >> 8\)\) \* 2\.0\*\*-)24", "25")
    halved, hits, misses = fill(package, NUMBA_CACHE_DIR=str(cache))
    assert (hits, misses) == (0, 2)
    assert halved == [value / 2 for value in values]
    assert machine_code(cache).items() > first.items(), "the old code stays, for whoever still runs the old sources"

    edit(package / "maths" / "laws.py", r"(?<=float32\(int32\(word >> 8\)\) \* 2\.0\*\*-)25", "24")
    assert fill(package, NUMBA_CACHE_DIR=str(cache)) == [values, 2, 0]


@pytest.mark.parametrize(
    "path",
    ["maths/philox.py", "maths/values.py", "maths/elementary.py", "targets/cpu/vectors/words.py", "weights/laws.py"],
)
def test_every_source_counts(package, path):
    """Without compiling: the digest that is part of each kernel's name changes with any file that it is built from."""

    def digest():
        spec = importlib.util.spec_from_file_location("copied_cache", package / "targets" / "cache.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.sources_digest()

    before = digest()
    assert digest() == before
    with open(package / path, "a", encoding="utf-8") as file:
        file.write("# an edit\n")
    assert digest() != before


@pytest.mark.full
def test_beside_the_code(package):
    """Without a folder of the user's, machine code goes beside the compiled Python."""
    values, _, misses = fill(package)
    assert misses == 2
    cpu = package / "targets" / "cpu"  # the loop, and the law that it calls
    assert {Path(name).parent for name in machine_code(package)} == {
        cpu / "__pycache__",
        cpu / "vectors" / "__pycache__",
    }
    assert fill(package) == [values, 2, 0]


@pytest.mark.full
def test_no_folder_can_be_written(package, tmp_path):
    """Every place for a cache is a regular file: compiled anew in each process, and the values are the same."""
    for folder in ("targets/cpu", "targets/cpu/vectors", "maths"):
        (package / folder / "__pycache__").write_text("")
    blocked = tmp_path / "blocked"
    blocked.write_text("")
    places = {name: str(blocked) for name in ("NUMBA_CACHE_DIR", "HOME", "XDG_CACHE_HOME")}
    values, hits, _ = fill(package, **places, PYTHONDONTWRITEBYTECODE="1")
    assert hits == 0
    assert values == numbainit.uniform(8, generator=0).tolist()
    assert not machine_code(tmp_path)


@pytest.mark.full
def test_the_folder_vanishes_after_the_import(package, tmp_path):
    """A full or lost disk while the code is saved must not lose the fill."""
    cache = tmp_path / "cache"
    code = """
import shutil, sys
import numpy as np, numbainit as init
from numbainit.targets.cpu import loops as cpu
shutil.rmtree(sys.argv[1])
open(sys.argv[1], "w").close()
print(init.uniform_(np.empty(8, "f4"), generator=0).tolist())
"""
    environment = {**os.environ, "PYTHONPATH": str(package.parent), "NUMBA_CACHE_DIR": str(cache)}
    done = subprocess.run(
        [sys.executable, "-c", code, str(cache)],
        cwd=package.parent,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == numbainit.uniform(8, generator=0).tolist()


# ---- a cache that is spoilt ----


def spoil(path, kind):
    data = bytearray(path.read_bytes())
    if kind == "empty":
        data = b""
    elif kind == "cut":
        data = data[: len(data) // 2]
    elif kind == "altered":
        data[-len(data) // 3] ^= 0x40
    elif kind == "other code":  # a pickle that Numba's own cache would run
        data = pickle.dumps(Bomb())
    elif kind == "another's":
        data = next(other for other in path.parents[1].rglob(f"*{path.suffix}") if other != path).read_bytes()
    path.write_bytes(data)


class Bomb:
    def __reduce__(self):
        return os._exit, (77,)


@pytest.mark.full
@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
@pytest.mark.parametrize("kind", ["empty", "cut", "altered", "other code", "another's"])
def test_what_was_altered_is_not_run_and_is_replaced(package, tmp_path, suffix, kind):
    """The next process compiles anew, quietly (warnings are errors there), and the one after it finds that."""
    cache = tmp_path / "cache"
    values, _, _ = fill(package, NUMBA_CACHE_DIR=str(cache))
    for path in [path for path in cache.rglob("*") if path.suffix == suffix]:
        spoil(path, kind)
    again, _, misses = fill(package, NUMBA_CACHE_DIR=str(cache))
    assert again == values
    assert misses >= 1
    assert fill(package, NUMBA_CACHE_DIR=str(cache)) == [values, 2, 0]


def test_only_what_was_sealed_is_unsealed():
    data = os.urandom(1000)
    sealed = kept.seal(data)
    assert kept.unseal(sealed) == data
    for place in (0, 31, 32, 500, len(sealed) - 1):
        spoilt = bytearray(sealed)
        spoilt[place] ^= 1
        with pytest.raises(ValueError, match="not what was written"):
            kept.unseal(bytes(spoilt))
    for short in (b"", sealed[:31], sealed[:-1]):
        with pytest.raises(ValueError, match="not what was written"):
            kept.unseal(short)


# ---- packages that are no folder of sources ----


@pytest.mark.full
@pytest.mark.parametrize("name", ["library.zip", "program.pyz"])
def test_imported_from_an_archive(package, tmp_path, name):
    archive = tmp_path / name
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(package.rglob("*")):
            file.write(path, path.relative_to(package.parent))
    places = {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": str(archive)}
    wanted = [numbainit.uniform(8, generator=0).tolist(), 148, True]
    assert run(ARCHIVED, cwd=tmp_path, **places) == wanted
    first = machine_code(tmp_path / "cache")
    assert first
    assert run(ARCHIVED, cwd=tmp_path, **places) == wanted
    assert machine_code(tmp_path / "cache") == first


@pytest.mark.full
def test_imported_from_compiled_files_alone(package, tmp_path):
    compileall.compile_dir(package, quiet=1, legacy=True)
    for path in package.rglob("*.py"):
        path.unlink()
    found = run(ARCHIVED, cwd=tmp_path, PYTHONPATH=str(package.parent), NUMBA_CACHE_DIR=str(tmp_path / "cache"))
    assert found == [numbainit.uniform(8, generator=0).tolist(), 148, True]


@pytest.mark.full
@pytest.mark.parametrize("frozen", [True, False])
def test_imported_by_a_program_without_files(package, tmp_path, frozen):
    """As a frozen program does it: an importer of its own, and names of files that are not there.

    If it says that it is frozen, its kernels are kept, and found from another current folder, also a clone's.
    """
    cache, folders = tmp_path / "cache", (tmp_path, package.parent)
    said = f"import sys; sys.frozen = {frozen}\n"
    for folder in folders:
        found = run(said + FROZEN + FILLS, cwd=folder, PACKAGE=str(package), XDG_CACHE_HOME=str(cache))
        assert found == [numbainit.uniform(8, generator=0).tolist(), frozen]
    names = [Path(name).name for name in machine_code(cache)]
    assert len(names) == len(set(names)), "what was kept once is found"
    assert bool(names) == frozen
    assert not machine_code(package)


def without_a_file(file):
    def function():
        pass

    function.__code__ = function.__code__.replace(co_filename=file)
    return function


def test_the_folder_of_what_no_file_stands_behind(tmp_path, monkeypatch):
    """The same from each current folder, whether the program says that it is frozen or not."""
    function = without_a_file("numbainit/targets/cpu/loops.py")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    for chosen, folder in (("", tmp_path / "user" / "numba"), (str(tmp_path / "chosen"), tmp_path / "chosen")):
        monkeypatch.setattr(config, "CACHE_DIR", chosen)
        for here in (tmp_path, Path(numbainit.__file__).parents[1]):  # where a file of that name lies
            monkeypatch.chdir(here)
            monkeypatch.setattr(sys, "frozen", here != tmp_path, raising=False)
            assert kept.checked(FunctionCache)(function).cache_path == str(folder / __name__)


def test_a_frozen_program_writes_beside_no_source(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))
    here = without_a_file(__file__)
    assert kept.checked(FunctionCache)(here).cache_path != str(tmp_path / __name__)
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert kept.checked(FunctionCache)(here).cache_path == str(tmp_path / __name__)


def test_a_frozen_program_that_can_write_no_folder(tmp_path, monkeypatch):
    """It does without, and says nothing."""
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path / "file"))
    dispatcher = types.SimpleNamespace(_cache=None)
    cache.keep(dispatcher, FunctionCache, without_a_file("nowhere.py"))
    assert dispatcher._cache is None
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


FILLS = """
import json
import numpy as np, numbainit as init
from numbainit.targets.cache import sources_digest
array = init.uniform_(np.empty(8, "f4"), generator=0)
init.normal_(np.empty(100_000, "f4"))
found = [array.tolist(), bool(sources_digest())]
print(json.dumps(found))
"""
ARCHIVED = FILLS.replace(
    "print",
    """
from numbainit.files.headers import parse_header
from numbainit.recipes.models import builtin_header
found.insert(1, len(parse_header(builtin_header("gpt2"), "gpt2")))
print""",
)
FROZEN = """
import importlib.abc, importlib.util, os, sys
from pathlib import Path
root = Path(os.environ["PACKAGE"])

class Importer(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    def find_spec(self, name, path, target=None):
        if name.split(".")[0] != "numbainit":
            return None
        file = root.parent.joinpath(*name.split("."))
        self.is_a = getattr(self, "is_a", {})
        self.is_a[name] = file / "__init__.py" if file.is_dir() else file.with_suffix(".py")
        spec = importlib.util.spec_from_loader(name, self, is_package=file.is_dir())
        spec.origin, spec.has_location = f"/nowhere/{name.replace('.', '/')}.py", True
        return spec
    def get_source(self, name):
        return None
    def is_package(self, name):
        return self.is_a[name].name == "__init__.py"
    def get_code(self, name):
        return compile(self.is_a[name].read_text(), f"{name.replace('.', '/')}.py", "exec")

sys.meta_path.insert(0, Importer())
"""


def run(code, cwd, **environment):
    wanted = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA_", "PYTHON"))}
    wanted |= {"PYTHONWARNINGS": "error", **environment}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, env=wanted, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# ---- no compiler ----


_REFUSED = [("NUMBA_THREADING_LAYER", "nonsense", 1), ("NUMBA_NUM_THREADS", "0", 0), ("NUMBA_NUM_THREADS", "-1", 0)]


@pytest.mark.parametrize("setting", thinned(_REFUSED, _REFUSED[:1]))
def test_what_numba_refuses_is_an_error_before_anything_is_drawn(setting):
    """Small fills need no threads, and so no layer."""
    code = """
import json
import numpy as np, numbainit as init
g, said = init.Generator(0), []
def attempt(fill, *shape):
    array = np.full(shape, 7.0, "f4")
    try:
        fill(array)
    except init.CompilerError as error:
        said.append(str(error))
        assert (array == 7).all()
attempt(lambda array: init.normal_(array, generator=g), 8)
attempt(lambda array: init.normal_(array, generator=g), 1000, 1000)
attempt(lambda array: init.sparse_(array, 0.3, generator=g), 1000, 1000)
print(json.dumps([g.draws, said]))
"""
    variable, value, draws = setting
    found, said = run(code, cwd=Path(numbainit.__file__).parents[1], **{variable: value})
    assert found == draws
    assert len(said) == 3 - draws
    assert all("Numba cannot start its threads: " in one and len(one) < 250 for one in said)


def test_without_a_compiler_nothing_is_drawn():
    """``NUMBA_DISABLE_JIT=1``, which people set to debug or to measure the coverage of their own functions."""
    code = """
import json
import numpy as np, numbainit as init
g, said = init.Generator(0), []
for size in (8, 100_000):
    array = np.full(size, 7.0, "f4")
    try:
        init.normal_(array, generator=g)
    except init.CompilerError as error:
        said.append(str(error))
    assert (array == 7).all()
try:
    import numbainit.elements
except init.CompilerError as error:
    said.append(str(error))
init.zeros_(array)
print(json.dumps([g.draws, said]))
"""
    draws, said = run(code, cwd=Path(numbainit.__file__).parents[1], NUMBA_DISABLE_JIT="1")
    assert draws == 0
    assert len(said) == 3
    assert all("NUMBA_DISABLE_JIT is set" in one and len(one) < 120 for one in said)


# ---- a GPU ----


GPU_KEYS = """
import hashlib, json
import ml_dtypes, numpy as np
from numba.cuda.serialize import dumps
from numbainit.targets.cuda import kernels

def key(kernel):
    inside = tuple(cell.cell_contents for cell in kernel.py_func.__closure__)
    return [kernel.py_func.__qualname__, hashlib.sha256(dumps(inside)).hexdigest()]

found = [key(kernels.of_mask(itemsize)) for itemsize in (1, 2, 4, 8, 16)]
for law in ("uniform", "normal", "complex_normal", "trunc_normal", "tail"):
    for dtype in ("float32", "float64", "bfloat16", "float16", "float8_e4m3fn", "float8_e5m2fnuz"):
        for capability in ((7, 5), (9, 0)):
            found += map(key, kernels.of_law(law, np.dtype(dtype), capability)[:3])
            found += map(key, kernels.of_writing("copy", np.dtype(dtype), capability)[:2])
for dtype in ("u4", "u8"):
    found += map(key, kernels.of_law("bits", np.dtype(dtype), (9, 0))[:3])
for dtype in ("u1", "u2", "u4", "u8"):
    found += map(key, kernels.of_writing("constant", np.dtype(dtype), (9, 0))[:2])
print(json.dumps(found))
"""


@pytest.mark.full
def test_kernels_of_a_gpu_have_the_same_keys_in_each_process(tmp_path):
    """Numba finds a kernel on disk by a hash of all that its function refers to."""
    if importlib.util.find_spec("numba_cuda") is None:
        pytest.skip("numba-cuda is not installed")
    found = []
    for seed in ("1", "2"):
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "PYTHONHASHSEED": seed}
        environment["PYTHONPATH"] = str(Path(numbainit.__file__).parents[1])
        command = [sys.executable, "-c", GPU_KEYS]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        found.append(json.loads(done.stdout))
    assert len(found[0]) > 200
    assert found[0] == found[1]
