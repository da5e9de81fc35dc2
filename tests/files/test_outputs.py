"""Outputs: what a name stands for, and which names are refused, with nothing created."""

import errno
import os
import re
import socket
from pathlib import Path

import pytest

from numbainit.errors import OutputError
from numbainit.files.outputs import Kind, check_folder, check_output


@pytest.mark.parametrize(
    ("name", "form"),
    [("m", "safetensors"), ("m.safetensors", "safetensors"), ("m.bin", "safetensors"), ("m.npy", "npy"),
     ("m.NPZ", "npz"), ("m.zarr", "zarr"), ("v1.5", "safetensors")],
)  # fmt: skip
def test_the_suffix_says_the_format(tmp_path, name, form):
    found = check_output(tmp_path / name)
    assert (found.path, found.kind, found.format) == (tmp_path / name, Kind.FILE, form)
    assert not found.path.exists()


def test_outputs_that_are_refused(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "old.zarr").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path / "pool")
    (tmp_path / "pool").symlink_to(tmp_path / "loop")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
    cases = {
        "": "an empty name; name a file",
        f"{tmp_path}/folder": "this is a folder; name a file in it, such as",
        f"{tmp_path}/new/": "this is a folder",
        f"{tmp_path}/none/m.safetensors": f"there is no folder {tmp_path}/none; make it first",
        f"{tmp_path}/file/m.safetensors": f"{tmp_path}/file is a file, not a folder",
        f"{tmp_path}/loop": os.strerror(errno.ELOOP),  # in the language of the environment
        f"{tmp_path}/socket": "this is a socket or a disk",
        f"{tmp_path}/old.zarr": "it is there already",
        f"{tmp_path}/m.pt": "would be taken for torch's pickles",
        f"{tmp_path}/m.gguf": "would be taken for GGUF",
        f"{tmp_path}/s.json": "would be taken for JSON",
        f"{tmp_path}/{'n' * 300}": os.strerror(errno.ENAMETOOLONG),
        f"{tmp_path}/nu\0ll": "a name holds no null byte",
        "/dev/fd/999": os.strerror(errno.EBADF),
    }
    before = sorted(tmp_path.rglob("*"))
    for output, fragment in cases.items():
        with pytest.raises(OutputError) as caught:
            check_output(output)
        assert str(caught.value).startswith(f"output {output}: ")
        assert fragment in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_folders_of_shards_that_are_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for output, fragment in {
        "": "name a folder",
        "-": "name a folder",
        f"{tmp_path}/file": "name a folder",
        f"{tmp_path}/none/d": "there is no folder",
        f"{tmp_path}/loop": os.strerror(errno.ELOOP),
        f"{tmp_path}/nu\0ll": "a name holds no null byte",
        "/dev/null": "name a folder",
    }.items():
        with pytest.raises(OutputError, match=re.escape(fragment)):
            check_folder(output)
    assert check_folder(tmp_path / "new").kind is Kind.FOLDER
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(("denied", "fragment"), [("", "cannot be written"), ("file", "write-protected")])
def test_outputs_without_permission(tmp_path, monkeypatch, denied, fragment):
    """The question to the system is replaced, since it refuses root nothing."""
    (tmp_path / "file").write_bytes(b"old")
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path / denied)
    with pytest.raises(OutputError, match=fragment):
        check_output(tmp_path / "file")
    if not denied:
        with pytest.raises(OutputError, match=fragment):
            check_folder(tmp_path / "new")


def test_what_is_written_into(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name in (tmp_path / "pipe", "/dev/null", "/dev/full"):
        found = check_output(name)
        assert (found.kind, found.descriptor) == (Kind.STREAM, None)


def test_links_are_followed(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert check_output(tmp_path / "link").path == tmp_path / "real"


@pytest.mark.parametrize("name", ["model.safetensors", "model.zarr", "w.npz", "model.pt"])
def test_shards_are_no_file(tmp_path, name):
    with pytest.raises(OutputError, match=f"taken for a file; name it {name.partition('.')[0]}"):
        check_folder(tmp_path / name)
    (tmp_path / name).mkdir()
    assert check_folder(tmp_path / name).path == tmp_path / name  # somebody wants it so
