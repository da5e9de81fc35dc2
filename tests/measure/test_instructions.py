"""What Numba compiles for → its instruction set in words."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import numbainit
from numbainit.measure.instructions import instructions, isa


@pytest.mark.parametrize(
    ("features", "found", "name"),
    [
        ("", (), "baseline"),
        ("+sse4.2,+popcnt", ("SSE4.2",), "baseline"),
        ("+avx,-avx2", ("AVX",), "baseline"),
        ("+avx2,+fma,+bmi2,+avx,+sse4.2,+popcnt", ("AVX2", "AVX", "FMA", "SSE4.2"), "avx2"),
        ("+avx512f,+avx512vl,+avx2,+fma", ("AVX-512", "AVX2", "FMA"), "avx512"),
        ("+avx512f,+avx2,-avx512f", ("AVX2",), "avx2"),  # the last word counts, as for LLVM
        ("+neon,+fullfp16", ("NEON",), "neon"),
        ("+sve2,+sve,+neon", ("SVE2", "SVE", "NEON"), "sve2"),
        ("-avx512f,+avx512fp16", (), "baseline"),  # no name is taken for the beginning of another
    ],
)
def test_features_in_words(features, found, name):
    assert instructions(features) == found
    assert isa(found) == name


def compiled_for(**settings):
    """What a process with these variables says, and whether it made a compiler."""
    code = """
import json, sys
from numbainit.measure import instructions
before = "numba" in sys.modules
found = instructions.compiled_for()
print(json.dumps([found, before, "numbainit.targets.cpu.loops" in sys.modules]))
"""
    known = {key: value for key, value in os.environ.items() if not key.startswith("NUMBA_CPU")}
    environment = known | {"PYTHONPATH": str(Path(numbainit.__file__).parents[1])} | settings
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, env=environment, check=True, capture_output=True, text=True, timeout=120)
    found, *imported = json.loads(done.stdout)
    assert imported == [False, False]
    return found


def test_it_is_this_processor_by_default():
    from llvmlite import binding

    found = compiled_for()
    assert found["cpu"] == binding.get_host_cpu_name()
    assert ("AVX2" in found["instructions"]) == bool(binding.get_host_cpu_features().get("avx2"))


def test_it_is_what_the_variables_of_numba_say():
    haswell = compiled_for(NUMBA_CPU_NAME="haswell", NUMBA_CPU_FEATURES="+avx2,+fma")
    assert haswell == {"cpu": "haswell", "isa": "avx2", "instructions": ["AVX2", "FMA"]}
    assert compiled_for(NUMBA_CPU_NAME="generic") == {"cpu": "generic", "isa": "baseline", "instructions": []}


@pytest.mark.full
def test_a_processor_without_its_features_has_those_of_this_one():
    """Numba adds them to the name."""
    assert compiled_for(NUMBA_CPU_NAME="haswell")["instructions"] == compiled_for()["instructions"]
