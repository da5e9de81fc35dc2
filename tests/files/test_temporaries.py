"""Temporaries: the living are left alone, the dead removed, and an output is the old one or the new one."""

import ctypes
import os
import stat
import subprocess
import sys

import pytest

from numbainit.files import temporaries
from numbainit.files.temporaries import remove_dead, replacing, replacing_folder


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def dead(output):
    """The temporary of a process that was killed."""
    script = (
        "import os, signal, sys; from pathlib import Path; from numbainit.files.temporaries import replacing\n"
        "with replacing(Path(sys.argv[1])) as file:\n"
        "    file.write(b'half'); file.flush(); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(output)], timeout=60)
    return [path for path in output.parent.iterdir() if path.name.endswith(".numbainit")]


def test_the_output_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "m"
    with replacing(path) as file:
        file.write(b"new")
        assert not path.exists()
        (name,) = contents(tmp_path)
        assert name.startswith(".m.")
    assert contents(tmp_path) == {"m": b"new"}


@pytest.mark.parametrize("name", ["m", "n" * 255, "ü" * 127])
def test_the_dead_are_removed_by_the_next_run(tmp_path, name):
    path = tmp_path / name
    assert len(dead(path)) == 1
    assert not path.exists()
    with replacing(path) as file:
        file.write(b"new")
    assert contents(tmp_path) == {name: b"new"}


def test_the_living_and_those_of_others_are_left_alone(tmp_path):
    path, other = tmp_path / "m", tmp_path / "mm"
    dead(other)
    lookalikes = [
        ".m.tmp",
        ".m.numbainit",
        ".m.0123456789abcde.numbainit",
        ".m.0123456789abcdeg.numbainit",
        "m.numbainit",
    ]
    for name in lookalikes:
        (tmp_path / name).write_bytes(b"theirs")
    with replacing(path) as file:
        file.write(b"first")
        before = contents(tmp_path).keys()
        remove_dead(path)
        assert contents(tmp_path).keys() == before
        with replacing(path) as second:  # another process that writes the same output
            second.write(b"second")
        assert path.read_bytes() == b"second"
    assert path.read_bytes() == b"first"
    left = contents(tmp_path).keys() - {"m", *lookalikes}
    assert len(left) == 1
    assert left.pop().startswith(".mm.")


def test_a_temporary_that_was_taken_for_a_dead_one_is_made_again(tmp_path, monkeypatch):
    """Between its creation and its lock another process may see it."""
    path, real, calls = tmp_path / "m", temporaries._lock, []

    def late(descriptor):
        calls.append(1)
        if len(calls) == 1:
            for other in tmp_path.iterdir():
                other.unlink()
        return real(descriptor)

    monkeypatch.setattr(temporaries, "_lock", late)
    with replacing(path) as file:
        file.write(b"new")
    assert contents(tmp_path) == {"m": b"new"}
    assert len(calls) == 2


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o755])
def test_mode_and_owner_of_what_is_replaced_stay(tmp_path, mode):
    path = tmp_path / "m"
    path.write_bytes(b"old")
    os.chmod(path, mode)
    if os.geteuid() == 0:
        os.chown(path, 12345, 54321)
    before = path.stat()
    with replacing(path) as file:
        (temporary,) = tmp_path.glob(".m.*")
        assert stat.S_IMODE(temporary.stat().st_mode) == mode  # from the first byte
        file.write(b"new")
    after = path.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert after.st_ino != before.st_ino


def test_an_owner_that_cannot_be_given_takes_no_rights(tmp_path, monkeypatch):
    path = tmp_path / "m"
    path.write_bytes(b"old")
    os.chmod(path, 0o4755)
    real = os.stat

    def of_another(target, *arguments, **options):
        found = real(target, *arguments, **options)
        return os.stat_result((*found[:4], 4321, *found[5:10])) if target == path else found

    def refused(*arguments):
        raise PermissionError(1, "not permitted")

    monkeypatch.setattr(os, "stat", of_another)
    monkeypatch.setattr(os, "fchown", refused)
    with replacing(path) as file:
        file.write(b"new")
    monkeypatch.undo()
    assert stat.S_IMODE(path.stat().st_mode) == 0o755


def test_other_hard_links_keep_the_old_content(tmp_path):
    path, other = tmp_path / "m", tmp_path / "other"
    other.write_bytes(b"old")
    os.link(other, path)
    with replacing(path) as file:
        file.write(b"new")
    assert contents(tmp_path) == {"m": b"new", "other": b"old"}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_error_leaves_what_was_there(tmp_path, error):
    path = tmp_path / "m"
    path.write_bytes(b"old")
    with pytest.raises(error), replacing(path) as file:  # noqa: PT012
        file.write(b"new")
        raise error
    assert contents(tmp_path) == {"m": b"old"}


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    """Nobody can tell the living from the dead there: all stay."""
    path = tmp_path / "m"
    dead(path)

    def no_locks(*arguments):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(temporaries.fcntl, "flock", no_locks)
    with replacing(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new"
    assert len(contents(tmp_path)) == 2


def test_the_disk_can_begin_before_the_end(tmp_path, monkeypatch):
    """It changes nothing that can be read, also where a system has no call for it."""
    with (tmp_path / "m").open("wb", buffering=0) as file:
        for system in (None, lambda: None):
            monkeypatch.setattr(temporaries, "_sync_file_range", system or temporaries._sync_file_range)
            file.write(b"some")
            temporaries.begin_to_sync(file.fileno())
    assert contents(tmp_path) == {"m": b"somesome"}


def test_a_system_without_the_call(monkeypatch):
    def missing(name):
        return object()

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert temporaries._sync_file_range.__wrapped__() is None


def test_folders_are_replaced_as_a_whole_and_removed_when_dead(tmp_path):
    path = tmp_path / "z"
    script = (
        "import os, signal, sys; from pathlib import Path; from numbainit.files.temporaries import replacing_folder\n"
        "with replacing_folder(Path(sys.argv[1])) as folder:\n"
        "    (folder / 'a').write_bytes(b'half'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(path)], timeout=60)
    assert [one.name[:3] for one in tmp_path.iterdir()] == [".z."]
    with replacing_folder(path) as folder:
        (folder / "a").write_bytes(b"whole")
        assert not path.exists()
    assert list(tmp_path.iterdir()) == [path]
    assert contents(path) == {"a": b"whole"}
    with pytest.raises(ValueError, match="broken"), replacing_folder(tmp_path / "y") as folder:  # noqa: PT012
        (folder / "a").write_bytes(b"half")
        raise ValueError("broken")
    assert list(tmp_path.iterdir()) == [path]
