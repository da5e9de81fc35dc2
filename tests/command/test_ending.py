"""The end of a process by a signal: what it had begun goes, and others wait for nothing that takes long."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import numbainit

fcntl = pytest.importorskip("fcntl", reason="this system has no locks, by which an open file is seen")

CLOSING = """
import fcntl, os, sys
from numbainit.command import ending
ending._LARGE, size = 4096, int(sys.argv[2])
ending._Process.is_ending = sys.argv[3] != "running"
def refuse(*arguments, **keywords):
    raise FileNotFoundError("/bin/sh")
if sys.argv[3] == "without a shell":
    ending.subprocess.Popen = refuse
descriptor = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
os.truncate(descriptor, size)
fcntl.flock(descriptor, fcntl.LOCK_EX)
ending.close(descriptor)
try:
    os.fstat(descriptor)
except OSError:
    print("closed", flush=True)
sys.stdin.read()
os._exit(0)
"""


@pytest.mark.parametrize(
    ("size", "state", "held"),
    [(4096, "ending", True), (4095, "ending", False), (4096, "running", False), (4096, "without a shell", False)],
)
def test_a_large_file_that_is_given_up_is_held_until_the_process_has_ended(tmp_path, size, state, held):
    """The system takes its time to forget a file, and takes it where it is closed last."""
    path = tmp_path / "file"
    environment = os.environ | {"PYTHONPATH": str(Path(numbainit.__file__).parents[1])}
    command = [sys.executable, "-c", CLOSING, path, str(size), state]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"closed\n"
        with path.open("rb") as file:
            if held:
                with pytest.raises(BlockingIOError):
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            else:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                fcntl.flock(file, fcntl.LOCK_UN)
            assert process.communicate(timeout=60) == (b"", None)  # nobody else has its output open
            fcntl.flock(file, fcntl.LOCK_EX)
