"""Every name of a processor that LLVM knows → laws compile for it: no unknown instruction, no type that it cannot cut.

Vectors wider than its registers are cut up by LLVM, a path of its own for each set of instructions, and a crash there
would end the user's process. That the bits are the same is the matter of ``test_determinism.py``, where they can run.
"""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

import numbainit

LIGHT = ["generic", "x86-64-v2", "haswell", "znver3"]
#: those of LLVM 20 but for second names of the same
NAMES = [
    *[
        "x86-64",
        "x86-64-v3",
        "x86-64-v4",
        "nocona",
        "core2",
        "penryn",
        "nehalem",
        "westmere",
        "sandybridge",
        "ivybridge",
    ],
    *[
        "broadwell",
        "skylake",
        "skylake-avx512",
        "cascadelake",
        "cooperlake",
        "cannonlake",
        "icelake-client",
        "tigerlake",
    ],
    *["icelake-server", "rocketlake", "sapphirerapids", "graniterapids", "alderlake", "meteorlake", "arrowlake"],
    *["lunarlake", "pantherlake", "bonnell", "silvermont", "goldmont", "goldmont-plus", "tremont", "gracemont"],
    *["sierraforest", "grandridge", "clearwaterforest", "knl", "k8", "k8-sse3", "amdfam10", "btver1", "btver2"],
    *["bdver1", "bdver2", "bdver3", "bdver4", "znver1", "znver2", "znver4", "znver5"],
]
PROGRAM = """
import json, os, sys
import numba
from numbainit.targets.cpu.vectors import functions

ended = {}
for name in sys.argv[1:]:
    if child := os.fork():
        ended[name] = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        continue
    numba.config.CPU_NAME, numba.config.CPU_FEATURES = name, ""  # read when Numba first compiles
    for law, element in ("trunc_normal", "float32"), ("uniform", "float16"):  # the first holds a normal law's code
        assert functions.compiled(law, element).address
    sys.stderr.flush()
    os._exit(0)
print(json.dumps(ended))
"""
forks = pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64") or not hasattr(os, "fork"),
    reason="names of x86 processors, each in a child process that is forked",
)


def compile_for(names, cache):
    """How the process of each ended, and what LLVM had to say."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("NUMBA_")}
    environment |= {"NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(Path(numbainit.__file__).parents[1])}
    command = [sys.executable, "-c", PROGRAM, *names]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


@pytest.mark.full
@forks
@pytest.mark.parametrize("names", [LIGHT, pytest.param(NAMES, marks=pytest.mark.full)], ids=["few", "all"])
def test_laws_compile_for_every_processor(names, tmp_path):
    ended, said = compile_for(names, tmp_path)
    assert ended == dict.fromkeys(names, 0), said
    assert not said, "a name that LLVM does not know is compiled as another"
    indices = [path.read_bytes() for path in tmp_path.rglob("*.nbi")]
    assert len(indices) == 2
    for name in names:
        assert all(name.encode() in index for index in indices), "compiled for another processor"


@pytest.mark.full
@forks
def test_a_name_that_is_none_is_told(tmp_path):
    """What the test above relies on."""
    ended, said = compile_for(["haswel"], tmp_path)
    assert ended["haswel"] != 0 or "not a recognized processor" in said
