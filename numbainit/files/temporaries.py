"""An output's name → a file, or a folder, beside it that takes the name when it is whole and on the disk.

Who opens the output finds the old file or the new one, never a half, whenever this process ends. What a killed process
leaves is told by its name and by a lock, which the system takes back from the dead: the next run for the same output
removes it. Mode and owner of a file that is replaced stay; its other hard links keep the old content.
"""

import contextlib
import errno
import functools
import hashlib
import os
import re
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

try:
    import fcntl
except ImportError:  # without locks nobody can tell whose a temporary is, so it stays
    fcntl = None  # type: ignore[assignment]

UNSUPPORTED = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS, errno.ENOLCK)  # what a file system without a thing says
_SUFFIX = ".numbainit"
_LONGEST = 180  # bytes of an output's name that fit into a temporary's
BUFFER = 1 << 18  # bytes of small tensors that are written at once
_BEGIN = 2  # SYNC_FILE_RANGE_WRITE


class Closing:
    """What closes a file that was given up: the system takes its memory and its place on the disk back by then.

    That may take a third of a second for each GB, so a process that was told to end has another one do it.
    """

    close: Callable[[int], None] = staticmethod(os.close)


@contextlib.contextmanager
def closed(file: Any) -> Iterator[BinaryIO]:
    """A file that is closed on leaving; after an exception without what it still holds.

    That would be refused again, or wait for a reader that does not read.
    """
    try:
        yield file
        file.close()
    except BaseException:
        with contextlib.suppress(OSError):
            file.raw.close()
        raise


@contextlib.contextmanager
def replacing(output: Path) -> Iterator[BinaryIO]:
    """A new file to write; it takes the place of the output on leaving, unless by an exception, which removes it."""
    remove_dead(output)
    path, descriptor = _new_file(output)
    try:
        with closed(open(descriptor, "wb", buffering=BUFFER, closefd=False)) as file:
            yield file
        os.fsync(descriptor)
        if fcntl is None:  # Windows, which renames no open file
            os.close(descriptor)
        os.replace(path, output)  # while the lock is held: nobody takes it for one of the dead
        _sync_folder(output.parent)
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            Closing.close(descriptor)


@contextlib.contextmanager
def replacing_folder(output: Path) -> Iterator[Path]:
    """The same for a folder, which must not be there yet."""
    remove_dead(output)
    path = _name(output)
    path.mkdir()
    descriptor = os.open(path, os.O_RDONLY)
    try:
        _lock(descriptor)
        yield path
        for file in [*path.rglob("*"), path]:
            _sync(file)
        os.rename(path, output)
        _sync_folder(output.parent)
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(descriptor)


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """While no other process of this machine does the same for this folder; at once where there are no locks."""
    if fcntl is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def remove_dead(output: Path) -> None:
    """Remove what processes that were killed have left of this output."""
    if fcntl is None:
        return
    ours = re.compile(re.escape(_stem(output)) + r"\.[0-9a-f]{16}" + re.escape(_SUFFIX))
    with contextlib.suppress(OSError), os.scandir(output.parent) as entries:
        for path in [Path(entry.path) for entry in entries if ours.fullmatch(entry.name)]:
            with contextlib.suppress(OSError):
                _remove_if_dead(path)


def _remove_if_dead(path: Path) -> None:
    flags = os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(path, os.O_RDWR | flags)  # what NFS wants for a lock
    except IsADirectoryError:
        descriptor = os.open(path, os.O_RDONLY | flags)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # BlockingIOError: it lives
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            shutil.rmtree(path)
        else:
            path.unlink()
    finally:
        os.close(descriptor)


def _stem(output: Path) -> str:
    name = output.name
    if len(os.fsencode(name)) > _LONGEST:
        name = f"{name[:32]}-{hashlib.blake2b(os.fsencode(name), digest_size=8).hexdigest()}"
    return f".{name}"


def _name(output: Path) -> Path:
    return output.with_name(f"{_stem(output)}.{secrets.token_hex(8)}{_SUFFIX}")


def _new_file(output: Path) -> tuple[Path, int]:
    """A file that only this process writes, locked, with the mode and the owner of the one that it replaces."""
    while True:
        path, old = _name(output), _status(output)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        descriptor = os.open(path, flags, 0o666 if old is None else 0o600)
        try:
            if _lock(descriptor) and os.fstat(descriptor).st_nlink == 0:  # taken for one of the dead before its lock
                os.close(descriptor)
                continue
            if old is not None:
                _give(descriptor, old)
        except BaseException:
            os.close(descriptor)
            path.unlink(missing_ok=True)
            raise
        return path, descriptor


def _status(output: Path) -> os.stat_result | None:
    try:
        return os.stat(output)
    except FileNotFoundError:
        return None


def _give(descriptor: int, old: os.stat_result) -> None:
    """Mode and owner of the old file; where the owner may not be given, no right to act as the owner is either."""
    mode, now = stat.S_IMODE(old.st_mode), os.fstat(descriptor)
    if hasattr(os, "fchown") and (old.st_uid, old.st_gid) != (now.st_uid, now.st_gid):
        try:
            os.fchown(descriptor, old.st_uid, old.st_gid)
        except OSError:
            mode &= 0o777
            with contextlib.suppress(OSError):
                os.fchown(descriptor, -1, old.st_gid)
    if hasattr(os, "fchmod"):
        with contextlib.suppress(OSError):  # file systems without modes
            os.fchmod(descriptor, mode)


def _lock(descriptor: int) -> bool:
    """Hold the lock that the living have, for as long as the descriptor is open; false where there are no locks."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
        return False
    return True


def begin_to_sync(descriptor: int) -> None:
    """Let the disk begin with what of a file waits in memory; fsync says later whether all went well.

    Linux alone has a call for that, and Python none for it. Where it is missing, or not meant for a file system, the
    disk begins later.
    """
    if begin := _sync_file_range():
        begin(descriptor, 0, 0, _BEGIN)


@functools.cache
def _sync_file_range() -> Callable[..., int] | None:
    import ctypes

    try:
        found = ctypes.CDLL(None).sync_file_range
    except (AttributeError, OSError, TypeError):  # TypeError: Windows
        return None
    found.argtypes = ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint
    return found


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    """Puts the new name on the disk; some systems cannot, and need not."""
    if hasattr(os, "O_DIRECTORY"):
        _sync(folder)
