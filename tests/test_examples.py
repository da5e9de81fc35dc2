"""The scripts of docs/examples, run as a user runs them → the values of one process."""

import hashlib
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import numbainit as init

EXAMPLES = Path(__file__).parent.parent / "docs" / "examples"


def started(name, *arguments, launcher=(sys.executable,), folder=None, **environment):
    command = [*launcher, str(EXAMPLES / name), *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=folder, env={**os.environ, "OMP_NUM_THREADS": "1", **environment}, **pipes)


def finished(*processes):
    """The lines that processes have printed, all together."""
    lines = []
    for process in processes:
        out, problems = process.communicate(timeout=240)
        assert process.returncode == 0, problems
        lines += out.splitlines()
    return lines


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def weight(shape, seed=0):
    return init.kaiming_normal(shape, generator=init.Generator(seed).fold_in("w"))


def installed(*packages):
    for package in packages:
        pytest.importorskip(package, reason=f"the example needs {package}")


@pytest.mark.full
def test_ranks_write_one_file(tmp_path):
    shape = 50, 7, 3
    finished(started("ranks.py", "w.npy", "--world", 3, "--shape", *shape, folder=tmp_path))
    np.testing.assert_array_equal(np.load(tmp_path / "w.npy"), weight(shape))
    with open(tmp_path / "w.npy", "r+b") as file:
        file.seek(-200 * 4, os.SEEK_END)
        file.write(bytes(200 * 4))  # what the last rank had written is lost
    finished(started("ranks.py", "w.npy", "--world", 3, "--rank", 2, "--shape", *shape, folder=tmp_path))
    np.testing.assert_array_equal(np.load(tmp_path / "w.npy"), weight(shape))


@pytest.mark.full
@pytest.mark.parametrize("world", [1, 3])
def test_ranks_of_mpi(tmp_path, world):
    installed("mpi4py")
    launcher = shutil.which("mpiexec", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if launcher is None:
        pytest.skip("there is no mpiexec: pip install mpi4py mpich")
    finished(started("mpi.py", "w.bin", 50, 21, launcher=[launcher, "-n", str(world), sys.executable], folder=tmp_path))
    np.testing.assert_array_equal(np.fromfile(tmp_path / "w.bin", "float32").reshape(50, 21), weight((50, 21)))


@pytest.mark.full
def test_tasks_of_ray():
    installed("ray")
    assert finished(started("ray_shards.py", 50, 21))[-1] == "equal: True"


@pytest.mark.full
def test_fsdp_and_tensor_parallelism():
    installed("torch")
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", f"--master-port={free_port()}"]
    process = started("fsdp.py", launcher=launcher)
    spec = importlib.util.spec_from_file_location("fsdp", EXAMPLES / "fsdp.py")
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    model, digest = example.Model(), hashlib.blake2b(digest_size=8)
    with example.keyed(model, generator=7):
        model.init_weights()
    for name, parameter in model.named_parameters():
        digest.update(name.encode() + parameter.detach().numpy().tobytes())
    assert finished(process)[-1] == digest.hexdigest()


@pytest.mark.full
def test_a_model_of_flax_in_one_process_and_in_two():
    installed("jax", "flax")
    address, sizes = f"127.0.0.1:{free_port()}", (48, 64)
    two = finished(*(started("jax_model.py", address, 2, rank, *sizes) for rank in range(2)))
    one = finished(started("jax_model.py", f"127.0.0.1:{free_port()}", 1, 0, *sizes))
    assert sorted(set(two)) == sorted(set(one))
    whole = {"up.kernel": (48, 64), "down.kernel": (64, 48)}
    seen = 0
    for name, *start, digest in map(str.split, one):
        if name in whole:
            generator, start = init.Generator(7).fold_in(name), list(map(int, start))
            value = init.kaiming_normal(whole[name], nonlinearity="relu", layout="IO", generator=generator)
            over = (4, 2) if name == "up.kernel" else (2, 4)
            ends = [begin + size // parts for begin, size, parts in zip(start, value.shape, over, strict=True)]
            part = np.ascontiguousarray(value[start[0] : ends[0], start[1] : ends[1]])
            assert hashlib.blake2b(part.tobytes(), digest_size=8).hexdigest() == digest
            seen += 1
    assert seen == 16


def test_every_example_is_run_here():
    text = Path(__file__).read_text("utf-8")
    assert [path.name for path in EXAMPLES.glob("*.py") if f'"{path.name}"' not in text] == []


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_examples_say_what_they_do(path):
    head = path.read_text("utf-8").split('"""')[1]
    assert "→" in head.splitlines()[0]
    assert path.name in head
