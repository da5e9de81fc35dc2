"""What the environment and the container allow → how many threads may run at most.

Numba counts the processors that a process may run on. A container with a quota of two may run on all 64, though not for
long: its threads are stopped for most of each tenth of a second. The kernel says what the quota is in files: of control
groups, version 2 (``cpu.max``) or 1 (``cpu.cfs_quota_us``), of the process's group and all above it.
"""

import functools
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

_GROUPS, _MOUNT = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")


@functools.cache
def most_threads() -> int | None:
    """How many threads may run; None where nobody says. Who sets ``NUMBA_NUM_THREADS`` has decided."""
    if os.environ.get("NUMBA_NUM_THREADS"):
        return None
    said = [wanted(os.environ), quota(_GROUPS, _MOUNT)]
    return min((number for number in said if number is not None), default=None)


def wanted(environment: Mapping[str, str]) -> int | None:
    """The threads that OpenMP's variable asks for, on the outermost level: ``"4"``, or ``"4,2"``."""
    first = environment.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(first) if first.isascii() and first.isdigit() and 0 < len(first) < 10 and int(first) else None


def quota(groups: Path, mount: Path) -> int | None:
    """The processors that the process's control groups grant it, rounded up; None where they do not, or cannot be read.

    Inside of a container the paths of groups are those of the host, while the container's own group is mounted as the
    root: a group that is not there is looked for in those above it.
    """
    try:
        lines = groups.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return None
    shares: list[float] = []
    for line in lines:
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            shares += (share for folder in _above(mount, path) for share in _share_of_version_2(folder))
        elif "cpu" in controllers.split(","):
            for root in (mount / controllers, mount / "cpu"):
                shares += (share for folder in _above(root, path) for share in _share_of_version_1(folder))
    return max(1, math.ceil(min(shares) - 1e-6)) if shares else None


def _above(root: Path, path: str) -> Iterator[Path]:
    """The folder of a group, and of all groups that it lies in."""
    parts = [part for part in path.split("/") if part not in ("", "..")]
    for length in range(len(parts), -1, -1):
        yield root.joinpath(*parts[:length])


def _share_of_version_2(folder: Path) -> Iterator[float]:
    runs, period, *_ = *_words(folder / "cpu.max"), "", ""
    yield from _ratio(runs, period)


def _share_of_version_1(folder: Path) -> Iterator[float]:
    for runs in _words(folder / "cpu.cfs_quota_us"):
        for period in _words(folder / "cpu.cfs_period_us"):
            yield from _ratio(runs, period)


def _words(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        return []


def _ratio(runs: str, period: str) -> Iterator[float]:
    """Microseconds a period; "max" and -1 mean no limit."""
    if runs.isascii() and runs.isdigit() and period.isascii() and period.isdigit() and int(runs) and int(period):
        yield int(runs) / int(period)
