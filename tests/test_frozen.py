"""A program frozen by PyInstaller: the bits of an ordinary one, built-in rules, and kernels that the next run finds."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import numbainit
from numbainit import _pyinstaller, recipes

pytestmark = pytest.mark.full
PROGRAM = """
import json, multiprocessing, sys
import numpy as np, numbainit
from numbainit import recipes

def work(seed):
    return numbainit.normal(3, generator=seed).tolist()

if __name__ == "__main__":
    multiprocessing.freeze_support()
    array = numbainit.trunc_normal_(np.empty(100_000, "f4"), generator=7)
    weights = {"transformer.wte.weight": np.empty((10, 4), "f4")}
    recipes.load("gpt2-hf").recipe(weights).apply(weights, generator=7)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        spawned = pool.apply(work, (7,))
    print(json.dumps([sys.frozen, float(array.sum()), weights["transformer.wte.weight"].tolist(), spawned]))
"""
LEFT_OUT = ("cupy", "dask", "jax", "matplotlib", "pandas", "pytest", "sparse", "torch")  # what SciPy looks for


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The program, by PyInstaller and the hook of this package, which an installation finds by itself."""
    pytest.importorskip("PyInstaller", reason="PyInstaller is not installed")
    folder = tmp_path_factory.mktemp("frozen")
    (folder / "program.py").write_text(PROGRAM)
    words = ["--paths", Path(numbainit.__file__).parents[1], "--additional-hooks-dir", *_pyinstaller.hook_dirs()]
    words += [word for name in LEFT_OUT for word in ("--exclude-module", name)]
    command = [sys.executable, "-m", "PyInstaller", "--log-level", "ERROR", *words, "program.py"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    return folder / "dist" / "program" / "program"


def run(program, folder, **places):
    wanted = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    done = subprocess.run([program], cwd=folder, env=wanted | places, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def kernels(folder):
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*.nb?")}


def test_the_bits_and_the_kernels(program, tmp_path):
    weights = {"transformer.wte.weight": np.empty((10, 4), "f4")}
    recipes.load("gpt2-hf").recipe(weights).apply(weights, generator=7)
    total = float(numbainit.trunc_normal_(np.empty(100_000, "f4"), generator=7).sum())
    filled, spawned = weights["transformer.wte.weight"].tolist(), numbainit.normal(3, generator=7).tolist()
    wanted = [True, total, filled, spawned]
    cache, other = tmp_path / "cache", tmp_path / "other"
    other.mkdir()
    assert run(program, tmp_path, NUMBA_CACHE_DIR=str(cache)) == wanted
    first = kernels(cache)
    assert first
    assert run(program, other, NUMBA_CACHE_DIR=str(cache)) == wanted
    assert kernels(cache) == first
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert run(program, other, HOME=str(blocked), XDG_CACHE_HOME=str(blocked)) == wanted
    assert kernels(tmp_path) == first
    assert not kernels(program.parent)
