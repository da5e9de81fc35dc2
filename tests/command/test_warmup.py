"""``numbainit warmup`` → kernels on the disk, which later processes find whatever memory they fill."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import numbainit
from numbainit.command import cli, warmup

FILLS = """
import hashlib
import numpy as np, numbainit as init
found = hashlib.sha256()
for side in (3, 300):
    matrix = np.zeros((side, side), "f4")
    for array in (matrix, matrix[::-1, ::2], matrix.T):
        init.normal_(array, generator=1)
        found.update(array.tobytes())
    init.kaiming_normal_(matrix, generator=1, block=init.Block((999, 999), (5, 7)))
    init.sparse_(matrix, 0.5, generator=1)
    found.update(matrix.tobytes())
print(found.hexdigest())
"""
LAWS = ("--law", "normal,sparse")


def python(words, cache, **environment):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    kept |= {"NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(Path(numbainit.__file__).parents[1]), **environment}
    done = subprocess.run([sys.executable, *words], env=kept, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def kept(folder):
    return {path.relative_to(folder): path.stat().st_mtime_ns for path in folder.rglob("*.nb?")}


@pytest.fixture(scope="module")
def warm(tmp_path_factory):
    """A folder in which the kernels of two laws were compiled, and what was said about it."""
    folder = tmp_path_factory.mktemp("cache")
    return folder, python(["-m", "numbainit", "warmup", *LAWS], folder)


@pytest.mark.full
def test_it_says_what_is_ready_and_where(warm):
    folder, said = warm
    assert said.startswith("normal, sparse of float32 are ready after ")
    assert str(folder) in said


@pytest.mark.full
def test_later_processes_compile_nothing(warm, tmp_path):
    """Nor where the folder was copied to another place, as a container may do when it starts."""
    folder, _ = warm
    before = kept(folder)
    digest = python(["-c", FILLS], folder)
    assert kept(folder) == before
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    assert python(["-c", FILLS], copy) == digest
    assert kept(copy).keys() == before.keys()


@pytest.mark.full
@pytest.mark.parametrize("processor", ["generic", "x86-64-v3"])
def test_an_image_for_many_processors(processor, tmp_path, warm):
    """Compiled for a family instead of this machine: the same bits, and found again under the same name."""
    from llvmlite import binding

    if not binding.get_default_triple().startswith("x86_64"):
        pytest.skip("names a family of x86 processors")
    if processor == "x86-64-v3" and not binding.get_host_cpu_features().get("avx2"):
        pytest.skip("this machine has no AVX2")
    settings = {"NUMBA_CPU_NAME": processor, "NUMBA_CPU_FEATURES": ""}
    said = python(["-m", "numbainit", "warmup", *LAWS], tmp_path, **settings)
    assert f"for {processor} " in said
    before = kept(tmp_path)
    assert python(["-c", FILLS], tmp_path, **settings) == python(["-c", FILLS], warm[0])
    assert kept(tmp_path) == before


@pytest.mark.full
def test_no_folder_can_be_written(tmp_path):
    code = "from numbainit.command import warmup; warmup._folder = lambda: None; import numbainit.command.cli as c; "
    done = subprocess.run(
        [sys.executable, "-c", code + "raise SystemExit(c.main(['warmup', '--law', 'uniform']))"],
        env=os.environ | {"PYTHONPATH": str(Path(numbainit.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 1
    assert "set NUMBA_CACHE_DIR" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--law", "norml"], "did you mean 'normal'?"),
        (["--law", ""], "it takes some of uniform"),
        (["--dtype", "int8"], "dtype must be one of float32"),
        (["--dtype", "f32,"], "dtype must be one of float32"),
        (["f32"], "unrecognized arguments"),
        (["--law", "uniform", "--dtype", "complex64"], "no complex array has a law of uniform"),
    ],
)
def test_refusals(words, said, capsys):
    assert cli.main(["warmup", *words]) == 2
    assert said in capsys.readouterr().err


def test_laws_that_a_dtype_has():
    """Complex arrays have no uniform and no truncated law; every dtype has a block of each other kind of memory."""
    real = warmup.calls(list(warmup._LAWS), [np.dtype("float32")])
    parts = warmup.calls(list(warmup._LAWS), [np.dtype("complex64")])
    assert {call.func.__name__ for call in parts} < {call.func.__name__ for call in real}
    for call in [*real, *parts]:
        call()
    assert len(real) > len(parts)
