"""``test_cuda.py``, the tests for a card, on a driver without one → they pass, by the path that a card would take.

From a public function by way of Numba, cuda.core and the bindings to the driver: compiled kernels, contexts, streams,
devices and arguments are real, and only ``driver.c`` at the end is not. See ``emulator/README.md``.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from emulator import gpu

TESTS = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.full,
    gpu.needed,
    pytest.mark.skipif(not shutil.which("cc"), reason="there is no C compiler to build a driver with"),
    pytest.mark.skipif(sys.platform != "linux", reason="the driver is a shared library for Linux"),
]


def test_the_tests_for_a_card_pass_without_one():
    path = str(TESTS / "targets" / "cuda" / "test_cuda.py")
    plugins = ["-p", "emulator.plugin", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", "-q", "--full", *plugins, path]
    environment = os.environ | {"PYTHONPATH": f"{TESTS.parent}{os.pathsep}{TESTS}"}
    done = subprocess.run(command, cwd=TESTS.parent, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) >= 70
