"""What the system says when a file cannot be written → one error that names the limit and the remedy."""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from numbainit.errors import OutputError

try:
    import resource
except ImportError:  # no such limits on this system
    resource = None  # type: ignore[assignment]


def free(folder: Path) -> int | None:
    """The bytes that are free where a folder lies, if the system says so."""
    with contextlib.suppress(OSError):
        return shutil.disk_usage(folder).free
    return None


def largest_file() -> int | None:
    """The bytes that a file of this process may have: ``ulimit -f``."""
    if resource is None:
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    return None if soft == resource.RLIM_INFINITY else soft


def check_room(output: Path, size: int, *, together: int | None = None) -> None:
    """Refuse what cannot fit before anything is written; a quota shows itself only later.

    ``size`` is that of the largest file, ``together`` that of all of them.
    """
    limit = largest_file()
    if limit is not None and size > limit:
        raise failure(OSError(errno.EFBIG, ""), output, size)
    have = free(output if output.is_dir() else output.parent)
    if have is not None and (together or size) > have:
        raise failure(OSError(errno.ENOSPC, ""), output, together or size)


def failure(error: OSError, output: Path, size: int | None) -> OutputError:
    """The error for a user: which output, what it needs if that is known, what there is, what to do."""
    have = None if size is None else free(output if output.is_dir() else output.parent)
    there = "" if have is None else f" and {have:,} are free there"
    numbers = "" if size is None else f"{size:,} bytes are wanted{there}: "
    limit = largest_file()
    reason, remedy = error.strerror or str(error), "choose another output"
    if error.errno == errno.ENOSPC:
        reason, remedy = "the disk is full", "make room or choose another output"
        if _without_inodes(output.parent):
            reason, remedy = "the file system holds as many files as it can", "remove some or choose another output"
    elif error.errno == getattr(errno, "EDQUOT", None):
        reason, remedy = "the quota of this user or folder is used up", "ask for more or choose another output"
    elif error.errno == errno.EFBIG and limit is not None and (size is None or size > limit):
        reason = f"this process may not write files of more than {limit:,} bytes (RLIMIT_FSIZE)"
        remedy = "raise it with ulimit -f, or ask for smaller files by --shard-size"
    elif error.errno == errno.EFBIG:
        reason, remedy = "the file system takes no file of this size", "ask for smaller ones by --shard-size"
    elif error.errno == errno.EPIPE:
        return OutputError(f"output {output}: who was reading it has gone before the end")
    return OutputError(f"output {output}: {reason}; {numbers}{remedy}")


def _without_inodes(folder: Path) -> bool:
    with contextlib.suppress(OSError, AttributeError):
        found = os.statvfs(folder)
        return found.f_files > 0 and found.f_favail == 0
    return False


@contextlib.contextmanager
def named(output: Path, size: int | None) -> Iterator[None]:
    """Errors of the system while an output is written become errors for a user."""
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        raise failure(error, output, size) from error
