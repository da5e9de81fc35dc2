"""What control groups and the environment say → how many threads; the files of containers are written as kernels do."""

import hashlib
import json
import os
import subprocess
import sys
import textwrap

import pytest

import numbainit as init
from numbainit.targets.cpu import quota


def written(folder, files):
    """The file that names the process's groups, and the folder where they are mounted."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder / "cgroup", folder / "sys"


CASES = {
    "nothing": ({}, None),
    "version 2, a container's root": ({"cgroup": "0::/\n", "sys/cpu.max": "200000 100000\n"}, 2),
    "version 2, no limit": ({"cgroup": "0::/\n", "sys/cpu.max": "max 100000\n"}, None),
    "version 2, one and a half": ({"cgroup": "0::/\n", "sys/cpu.max": "150000 100000\n"}, 2),
    "version 2, a tenth": ({"cgroup": "0::/\n", "sys/cpu.max": "10000 100000\n"}, 1),
    "version 2, a group above": (
        {
            "cgroup": "0::/jobs/one\n",
            "sys/jobs/one/cpu.max": "max 100000\n",
            "sys/jobs/cpu.max": "400000 100000\n",
            "sys/cpu.max": "max 100000\n",
        },
        4,
    ),
    "version 2, the least of all": (
        {"cgroup": "0::/a/b\n", "sys/a/b/cpu.max": "300000 100000\n", "sys/a/cpu.max": "500000 100000\n"},
        3,
    ),
    "version 2, the path of the host": ({"cgroup": "0::/docker/1f\n", "sys/cpu.max": "200000 100000\n"}, 2),
    "version 2, the old format": ({"cgroup": "0::/\n", "sys/cpu.max": "200000\n"}, None),
    "version 1": (
        {
            "cgroup": "4:memory:/\n3:cpu,cpuacct:/docker/1f\n",
            "sys/cpu,cpuacct/docker/1f/cpu.cfs_quota_us": "250000\n",
            "sys/cpu,cpuacct/docker/1f/cpu.cfs_period_us": "100000\n",
        },
        3,
    ),
    "version 1, no limit": (
        {
            "cgroup": "1:cpu:/\n",
            "sys/cpu/cpu.cfs_quota_us": "-1\n",
            "sys/cpu/cpu.cfs_period_us": "100000\n",
        },
        None,
    ),
    "version 1, a container's root": (
        {
            "cgroup": "2:cpuacct,cpu:/docker/1f\n",
            "sys/cpu/cpu.cfs_quota_us": "200000\n",
            "sys/cpu/cpu.cfs_period_us": "100000\n",
        },
        2,
    ),
    "both": (
        {
            "cgroup": "1:cpu:/\n0::/\n",
            "sys/cpu.max": "500000 100000\n",
            "sys/cpu/cpu.cfs_quota_us": "200000\n",
            "sys/cpu/cpu.cfs_period_us": "100000\n",
        },
        2,
    ),
    "no numbers": ({"cgroup": "0::/\n1:cpu:/\nnonsense\n", "sys/cpu.max": "a lot\n"}, None),
    "a period of nothing": ({"cgroup": "0::/\n", "sys/cpu.max": "100000 0\n"}, None),
    "a path that leads out": ({"cgroup": "0::/../..\n", "sys/cpu.max": "200000 100000\n"}, 2),
}


@pytest.mark.parametrize("name", CASES)
def test_quotas(name, tmp_path):
    files, expected = CASES[name]
    assert quota.quota(*written(tmp_path, files)) == expected


def test_files_that_cannot_be_read(tmp_path):
    groups, mount = written(tmp_path, {"cgroup": "0::/\n"})
    (mount / "cpu.max").mkdir(parents=True)
    assert quota.quota(groups, mount) is None
    groups.write_bytes(b"\xff\xfe0::/")
    assert quota.quota(groups, mount) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [("4", 4), ("4,2", 4), (" 3 ", 3), ("0", None), ("", None), ("-1", None), ("many", None), ("9" * 40, None)],
)
def test_what_openmp_is_told(text, expected):
    assert quota.wanted({"OMP_NUM_THREADS": text}) == expected


CODE = """
import hashlib, json, os, sys
import numpy as np, numbainit as init
from numbainit.targets.cpu import launch, quota
if len(sys.argv) > 1:
    quota.quota = lambda *paths: int(sys.argv[1])
array = init.normal_(np.empty(200_000, "f4"), generator=3)
import numba
before = numba.get_num_threads()
numba.set_num_threads(1)
print(json.dumps([hashlib.sha256(array.tobytes()).hexdigest(), before, fills, launch.threads()]))
""".replace("import numba\n", "fills = launch.threads()\nimport numba\n")


def threads(*words, **settings):
    kept = {name: value for name, value in os.environ.items() if name not in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS")}
    command = [sys.executable, "-c", textwrap.dedent(CODE), *words]
    done = subprocess.run(command, env=kept | settings, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    digest, of_numba, of_fills, after = json.loads(done.stdout)
    assert digest == hashlib.sha256(init.normal(200_000, generator=3).tobytes()).hexdigest()
    assert after == 1, "set_num_threads was not heard"
    return of_numba, of_fills


@pytest.mark.full  # a process for each
def test_fills_run_on_as_many_threads_as_may_run():
    """Numba's own setting is not touched; whoever names its variable has decided."""
    if (os.cpu_count() or 1) < 2:
        pytest.skip("this machine has one processor")
    everything, _ = threads("64")
    assert threads("1") == (everything, 1)
    assert threads("64", OMP_NUM_THREADS="1") == (everything, 1)
    assert threads("1", NUMBA_NUM_THREADS="2") == (2, 2)
