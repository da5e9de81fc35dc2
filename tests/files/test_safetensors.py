"""The writer: files that the safetensors package opens, and outputs that are whole or untouched."""

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import load_file

import numbainit
from numbainit.errors import InvalidValueError, OutputError
from numbainit.files.headers import Parameter, read_parameters
from numbainit.files.safetensors import check_output, create

MIXED = [
    Parameter("flag", (3,), "BOOL"),
    Parameter("half", (5,), "F16"),
    Parameter("weight", (2, 3), "F32"),
    Parameter("double", (3, 1), "F64"),
    Parameter("scalar", (), "F32"),
    Parameter("count", (), "I64"),
    Parameter("empty", (0, 4), "F32"),
    Parameter("ünï.cödé", (1,), "U8"),
]


def contents(folder):
    """All files of a folder, with their bytes."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def write(path, parameters=MIXED, metadata=None):
    """Fill every array with a ramp; return what was put in."""
    expected = {}
    with create(path, parameters, metadata) as tensors:
        for name, array in tensors.items():
            array[...] = np.arange(array.size).reshape(array.shape)
            expected[name] = array.copy()
    return expected


def same(found, expected):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_safetensors_reads_what_is_written(tmp_path):
    expected = write(tmp_path / "m.safetensors")
    same(load_file(tmp_path / "m.safetensors"), expected)
    assert list(contents(tmp_path)) == ["m.safetensors"]


_PARAMETERS = st.lists(
    st.builds(
        Parameter,
        st.text(st.characters(exclude_categories=["Cs"]), max_size=12).filter(lambda name: name != "__metadata__"),
        st.lists(st.integers(0, 4), max_size=4).map(tuple),
        st.sampled_from(["F64", "F32", "F16", "I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL"]),
    ),
    unique_by=lambda parameter: parameter.name,
    max_size=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    _PARAMETERS,
    st.none() | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.text("aé", max_size=9)),
)
def test_any_parameters_come_back(tmp_path, parameters, metadata):
    path = tmp_path / "m.safetensors"
    expected = write(path, parameters, metadata)
    same(load_file(path), expected)
    with safe_open(path, framework="numpy") as file:
        assert (file.metadata() or {}) == (metadata or {})


def test_arrays_are_aligned_views_of_the_file_in_its_order(tmp_path):
    with create(tmp_path / "m.safetensors", MIXED) as tensors:
        assert len(tensors) == len(MIXED)
        assert list(tensors) == ["double", "count", "weight", "scalar", "empty", "half", "flag", "ünï.cödé"]
        for array in tensors.values():
            assert array.flags.carray  # contiguous, aligned, writable: what fills without a copy
        tensors["weight"][...] = 7
        assert (tensors["weight"] == 7).all()
    assert (load_file(tmp_path / "m.safetensors")["weight"] == 7).all()
    found = read_parameters(tmp_path / "m.safetensors")
    assert {parameter.name for parameter in found} == {parameter.name for parameter in MIXED}


def test_the_header_is_padded_to_eight_bytes(tmp_path):
    for length in range(9):
        path = tmp_path / f"{length}.safetensors"
        write(path, [Parameter("x" * length, (1,), "F64")])
        assert int.from_bytes(path.read_bytes()[:8], "little") % 8 == 0
        assert "x" * length in load_file(path)


def test_metadata(tmp_path):
    write(tmp_path / "m.safetensors", MIXED[:2], {"format": "pt", "seed": "7"})
    with safe_open(tmp_path / "m.safetensors", framework="numpy") as file:
        assert file.metadata() == {"format": "pt", "seed": "7"}


def test_equal_input_gives_equal_files(tmp_path):
    write(tmp_path / "a", MIXED, {"seed": "7"})
    write(tmp_path / "b", MIXED, {"seed": "7"})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "m.safetensors"
    path.write_bytes(b"old")
    with create(path, MIXED) as tensors:
        assert path.read_bytes() == b"old"
        temporary = [name for name in contents(tmp_path) if name.startswith(".m.safetensors.")]
        assert len(temporary) == 1
        assert temporary[0].endswith(".tmp")
        tensors["count"][...] = 3
    assert load_file(path)["count"] == 3
    assert list(contents(tmp_path)) == ["m.safetensors"]


@pytest.mark.parametrize(
    "error", [ValueError("x"), KeyboardInterrupt(), SystemExit(143), OSError(5, "other"), GeneratorExit()]
)
def test_an_error_inside_leaves_everything_as_it_was(tmp_path, error):
    path = tmp_path / "m.safetensors"
    path.write_bytes(b"old")
    kept = []
    with pytest.raises(type(error)) as caught, create(path, MIXED) as tensors:  # noqa: PT012
        kept.append(tensors["weight"])  # even while a view is held
        raise error
    assert caught.value is error  # not taken for an error of the output
    assert contents(tmp_path) == {"m.safetensors": b"old"}


def test_new_files_honour_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        write(tmp_path / "m.safetensors")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "m.safetensors").stat().st_mode) == 0o640


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    link = tmp_path / "link.safetensors"
    link.symlink_to(tmp_path / "real" / "m.safetensors")
    expected = write(link)
    assert link.is_symlink()
    same(load_file(tmp_path / "real" / "m.safetensors"), expected)


@pytest.mark.parametrize("name", ["n" * 255, "ü" * 127])
def test_the_longest_names(tmp_path, name):
    write(tmp_path / name)
    assert list(contents(tmp_path)) == [name]


def test_file_then_name_reach_the_disk_in_that_order(tmp_path, monkeypatch):
    calls = []
    for name in ("fsync", "replace"):
        function = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, name=name, function=function: (calls.append(name), function(*a))[1])
    write(tmp_path / "m.safetensors")
    assert calls == ["fsync", "replace", "fsync"]


# ---- failures ----


def _failing(code):
    def fail(*arguments, **options):
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.parametrize(
    ("function", "code", "fragment"),
    [
        ("posix_fallocate", errno.ENOSPC, "No space left on device"),
        ("posix_fallocate", errno.EFBIG, "File too large"),
        ("open", errno.EROFS, "Read-only file system"),
        ("fsync", errno.EIO, "Input/output error"),
        ("replace", errno.EXDEV, "cross-device"),
    ],
)
def test_failures_of_the_system(tmp_path, monkeypatch, function, code, fragment):
    path = tmp_path / "m.safetensors"
    path.write_bytes(b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, function, _failing(code))
        with pytest.raises(OutputError) as caught:
            write(path, [Parameter("w", (1000, 250), "F32")])
    message = str(caught.value)
    assert fragment in message
    assert str(path) in message
    assert "1,000," in message  # what was wanted
    assert "bytes are wanted and" in message
    assert caught.value.__cause__.errno == code
    assert contents(tmp_path) == {"m.safetensors": b"old"}


@pytest.mark.parametrize("code", [errno.EOPNOTSUPP, errno.EINVAL])
def test_file_systems_that_cannot_reserve_space(tmp_path, monkeypatch, code):
    monkeypatch.setattr(os, "posix_fallocate", _failing(code))
    expected = write(tmp_path / "m")
    same(load_file(tmp_path / "m"), expected)


def test_systems_that_cannot_reserve_space(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "posix_fallocate")
    expected = write(tmp_path / "m")
    same(load_file(tmp_path / "m"), expected)


def test_a_file_system_that_cannot_sync_folders(tmp_path, monkeypatch):
    fsync = os.fsync

    def files_only(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "no folders")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", files_only)
    expected = write(tmp_path / "m")
    same(load_file(tmp_path / "m"), expected)


def test_a_real_limit_on_the_size_of_files(tmp_path):
    """The system's own refusal, in a process of its own, is an error and no signal."""
    script = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))\n"
        "from numbainit.files.safetensors import create; from numbainit.files.headers import Parameter\n"
        "with create(sys.argv[1], [Parameter('w', (1 << 20,), 'F32')]) as tensors:\n"
        "    print('inside')\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(numbainit.__file__).parents[1])}
    command = [sys.executable, "-c", script, str(tmp_path / "m.safetensors")]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 1
    assert "OutputError" in ended.stderr
    assert "inside" not in ended.stdout
    assert contents(tmp_path) == {}


def test_outputs_that_are_refused(tmp_path, monkeypatch):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"old")
    os.mkfifo(tmp_path / "pipe")
    cases = {
        "": "this is a folder",
        f"{tmp_path}/folder": "this is a folder; name a file in it, such as",
        f"{tmp_path}/new/": "this is a folder",
        f"{tmp_path}/none/m.safetensors": f"there is no folder {tmp_path}/none; make it first",
        f"{tmp_path}/file/m.safetensors": f"{tmp_path}/file is a file, not a folder",
        f"{tmp_path}/pipe": "this is a device, pipe or socket",
        "/dev/null": "this is a device, pipe or socket",
        f"{tmp_path}/{'n' * 300}": "File name too long",
        f"{tmp_path}/nu\0ll": "null byte",
    }
    before = sorted(tmp_path.rglob("*"))
    for output, fragment in cases.items():
        for refuse in (check_output, lambda path: write(path)):
            with pytest.raises(OutputError) as caught:
                refuse(output)
            assert str(caught.value).startswith(f"output {output}: ")
            assert fragment in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(("denied", "fragment"), [("", "cannot be written"), ("file", "write-protected")])
def test_outputs_without_permission(tmp_path, monkeypatch, denied, fragment):
    """The question to the system is replaced, since it refuses root nothing."""
    (tmp_path / "file").write_bytes(b"old")
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path / denied)
    with pytest.raises(OutputError, match=fragment):
        write(tmp_path / "file")
    assert contents(tmp_path) == {"file": b"old"}


@pytest.mark.parametrize(
    ("parameters", "metadata", "fragment"),
    [
        ([Parameter("a", (1,), "F32"), Parameter("a", (2,), "F64")], {}, "'a' is taken"),
        ([Parameter("__metadata__", (1,), "F32")], {}, "'__metadata__' is taken"),
        ([Parameter("__metadata__", (1,), "F32")], {"a": "b"}, "'__metadata__' is taken"),
        ([Parameter(name, (2**59,), "F64") for name in "ab"], {}, "fewer than 2^63"),
        ([Parameter("a", (1,), "F32")], {"a": "x" * 100_000_000}, "the format allows 100,000,000"),
    ],
)
def test_layouts_that_the_format_does_not_allow(tmp_path, parameters, metadata, fragment):
    with pytest.raises(InvalidValueError) as caught:
        write(tmp_path / "m", parameters, metadata)
    assert fragment in str(caught.value)
    assert contents(tmp_path) == {}


def test_a_parent_that_vanishes_does_not_hide_the_first_error(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(RuntimeError, match="the first"), create(folder / "m", MIXED):  # noqa: PT012
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
        raise RuntimeError("the first")
    assert not folder.exists()
