"""Writing: files that other packages open, and outputs that are whole or untouched."""

import errno
import importlib.util
import os
import stat
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import load_file

import numbainit
from cases import thinned
from numbainit.errors import InvalidValueError, MissingExtraError, OutputError
from numbainit.files import failures, temporaries, writing
from numbainit.files.headers import Parameter
from numbainit.files.outputs import check_output
from numbainit.files.pieces import whole
from numbainit.files.reading.shapes import read_parameters
from numbainit.targets.cpu.runs import RUN

MIXED = [
    Parameter("flag", (3,), "BOOL"),
    Parameter("half", (5,), "F16"),
    Parameter("weight", (2, 3), "F32"),
    Parameter("double", (3, 1), "F64"),
    Parameter("scalar", (), "F32"),
    Parameter("count", (), "I64"),
    Parameter("empty", (0, 4), "F32"),
    Parameter("complex", (2,), "C64"),
    Parameter("large", (3, RUN // 4 + 5), "F32"),
    Parameter("ünï.cödé", (1,), "U8"),
]
SMALL = [parameter for parameter in MIXED if parameter.name != "large"]


def contents(folder):
    """All files of a folder, with their bytes."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def ramp(parameter):
    """What every array is filled with."""
    return np.arange(parameter.size).reshape(parameter.shape).astype(parameter.numpy_dtype)


def write(path, parameters=SMALL, metadata=None, fill=None, see=lambda piece, found: None):
    """Fill every array with its ramp, piece by piece; return what was put in."""
    expected = {parameter.name: ramp(parameter) for parameter in parameters}

    def filled(piece, array):
        box = tuple(slice(at, at + size) for at, size in zip(piece.box.start, piece.box.shape, strict=True))
        array[...] = expected[piece.part.name][box]

    output = check_output(path)
    form = writing.prepared(output, map(whole, parameters), metadata or {})
    writing.write(output, form, fill or filled, see)
    return expected


def same(found, expected):
    assert set(found) == set(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


# ---- safetensors ----


def test_safetensors_reads_what_is_written(tmp_path):
    expected = write(tmp_path / "m.safetensors", MIXED)
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


def test_the_order_of_the_file_aligns_every_tensor(tmp_path):
    """Wide dtypes come first, and what is equally wide keeps its order."""
    form = writing.prepared(check_output(tmp_path / "m"), map(whole, SMALL), {})
    assert [part.name for part in form.order] == [
        *("double", "count", "complex", "weight", "scalar", "empty", "half", "flag", "ünï.cödé")
    ]
    write(tmp_path / "m.safetensors")
    found = read_parameters(tmp_path / "m.safetensors")
    assert {parameter.name for parameter in found} == {parameter.name for parameter in SMALL}


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
        writing.prepared(check_output(tmp_path / "m"), map(whole, parameters), metadata)
    assert fragment in str(caught.value)
    assert contents(tmp_path) == {}


# ---- NumPy's files, and zarr ----


def test_numpy_reads_what_is_written(tmp_path):
    expected = write(tmp_path / "m.npz", MIXED)
    with np.load(tmp_path / "m.npz") as file:
        same(dict(file), expected)
    with zipfile.ZipFile(tmp_path / "m.npz") as archive:
        assert archive.testzip() is None
        assert {member.compress_type for member in archive.infolist()} == {zipfile.ZIP_STORED}
    for parameter in MIXED:
        expected = write(tmp_path / "w.npy", [parameter])
        same({parameter.name: np.load(tmp_path / "w.npy")}, expected)
    assert set(contents(tmp_path)) == {"m.npz", "w.npy"}
    assert sorted(read_parameters(tmp_path / "m.npz"), key=str) == sorted(MIXED, key=str)


@pytest.mark.full
def test_zarr_reads_what_is_written(tmp_path):
    zarr = pytest.importorskip("zarr", minversion="3", reason="zarr 3 is not installed")
    expected = write(tmp_path / "m.zarr", MIXED, {"seed": "7"})
    group = zarr.open_group(tmp_path / "m.zarr", mode="r")
    same({name: group[name][...] for name in group.array_keys()}, expected)
    assert group.attrs["seed"] == "7"
    assert group["large"].chunks == (1, RUN // 4)
    assert [path.name for path in tmp_path.iterdir()] == ["m.zarr"]


def test_without_zarr(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(MissingExtraError, match=r"numbainit\[zarr\]"):
        write(tmp_path / "m.zarr")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("dtype", ["BF16", "F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ"])
def test_dtypes_that_safetensors_has_and_others_have_not(tmp_path, dtype):
    pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")
    parameter = Parameter("w", (3,), dtype)
    expected = write(tmp_path / "m.safetensors", [parameter])
    assert (tmp_path / "m.safetensors").read_bytes().endswith(expected["w"].tobytes())
    zarr = ["m.zarr"] if importlib.util.find_spec("zarr") else []
    for name in ["m.npy", "m.npz", *zarr]:
        with pytest.raises(InvalidValueError, match=r"'w'.*\.safetensors file"):
            write(tmp_path / name, [parameter])
    assert list(contents(tmp_path)) == ["m.safetensors"]


@pytest.mark.parametrize(
    ("suffix", "name"),
    [
        ("npz", "a\0b"),
        ("npz", "n" * 70_000),
        *(("zarr", name) for name in ("", ".", "..", "a/b", "__a", "zarr.json", "n" * 256)),
    ],
)
def test_names_that_a_format_does_not_have(tmp_path, suffix, name):
    if suffix == "zarr":
        pytest.importorskip("zarr", minversion="3", reason="zarr 3 is not installed")
    with pytest.raises(InvalidValueError):
        write(tmp_path / f"m.{suffix}", [Parameter(name, (2,), "F32")])
    assert list(tmp_path.iterdir()) == []


def test_an_npy_of_several(tmp_path):
    with pytest.raises(InvalidValueError, match="one array, got 9"):
        write(tmp_path / "m.npy")


# ---- what is there before and after ----


@pytest.mark.parametrize("suffix", ["safetensors", "npy", "npz"])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_an_error_inside_leaves_everything_as_it_was(tmp_path, suffix, error):
    path = tmp_path / f"m.{suffix}"
    path.write_bytes(b"old")
    raised = error("broken")

    def fill(piece, array):
        if piece.first:
            raise raised

    with pytest.raises(error) as caught:
        write(path, [MIXED[8]], fill=fill)
    assert caught.value is raised  # not taken for an error of the output
    assert contents(tmp_path) == {path.name: b"old"}


def test_an_error_inside_leaves_no_folder(tmp_path):
    pytest.importorskip("zarr", minversion="3", reason="zarr 3 is not installed")

    def fill(piece, array):
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        write(tmp_path / "m.zarr", fill=fill)
    assert list(tmp_path.iterdir()) == []


def test_new_files_honour_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        write(tmp_path / "m.safetensors")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "m.safetensors").stat().st_mode) == 0o640


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    link = tmp_path / "link.npz"
    link.symlink_to(tmp_path / "real" / "m.npz")
    expected = write(link)
    assert link.is_symlink()
    with np.load(tmp_path / "real" / "m.npz") as file:
        same(dict(file), expected)


def test_file_then_name_reach_the_disk_in_that_order(tmp_path, monkeypatch):
    calls = []
    for name in ("fsync", "replace"):
        function = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, name=name, function=function: (calls.append(name), function(*a))[1])
    write(tmp_path / "m.safetensors")
    assert calls == ["fsync", "replace", "fsync"]


@pytest.mark.parametrize("suffix", ["safetensors", "npz"])
def test_the_disk_begins_while_the_rest_is_filled(tmp_path, monkeypatch, suffix):
    """As soon as so many bytes wait, and on the file that will take the name."""
    begun = []

    def begin(descriptor):
        begun.append((os.fstat(descriptor).st_ino, (tmp_path / f"m.{suffix}").exists()))
        real(descriptor)

    real = temporaries.begin_to_sync
    monkeypatch.setattr(temporaries, "begin_to_sync", begin)
    monkeypatch.setattr(writing, "_BEGIN_TO_SYNC", RUN)
    expected = write(tmp_path / f"m.{suffix}", MIXED)
    assert begun == [((tmp_path / f"m.{suffix}").stat().st_ino, False)] * (expected["large"].nbytes // RUN)


# ---- what is written into ----


def test_a_pipe_gets_the_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    got = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    write(tmp_path / "pipe", MIXED)
    reader.join()
    write(tmp_path / "m", MIXED)
    assert got == [(tmp_path / "m").read_bytes()]
    assert (tmp_path / "pipe").is_fifo()


def test_a_descriptor_gets_the_file_from_where_it_stands(tmp_path):
    with (tmp_path / "m").open("wb", buffering=0) as file:
        file.write(b"before")
        write(f"/dev/fd/{file.fileno()}")
        file.write(b"after")
    write(tmp_path / "n")
    assert (tmp_path / "m").read_bytes() == b"before" + (tmp_path / "n").read_bytes() + b"after"


def test_a_reader_that_leaves(tmp_path):
    ours, theirs = os.pipe()
    os.close(ours)
    with pytest.raises(OutputError, match="who was reading it has gone"):
        write(f"/dev/fd/{theirs}", MIXED)
    os.close(theirs)


def test_a_full_device():
    with pytest.raises(OutputError, match=r"/dev/full: the disk is full; make room"):
        write("/dev/full")


# ---- failures ----


def _failing(code):
    def fail(*arguments, **options):
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.parametrize(
    ("function", "code", "fragment"),
    [
        ("open", errno.EROFS, os.strerror(errno.EROFS)),
        ("fsync", errno.EIO, os.strerror(errno.EIO)),
        ("fsync", errno.ENOSPC, "the disk is full; 1,000,"),
        ("fsync", errno.EDQUOT, "the quota of this user or folder is used up"),
        ("fsync", errno.EFBIG, "the file system takes no file of this size"),
        ("replace", errno.EXDEV, os.strerror(errno.EXDEV)),
    ],
)
@pytest.mark.parametrize("suffix", ["safetensors", "npz"])
def test_failures_of_the_system(tmp_path, monkeypatch, function, code, fragment, suffix):
    path = tmp_path / f"m.{suffix}"
    path.write_bytes(b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, function, _failing(code))
        with pytest.raises(OutputError) as caught:
            write(path, [Parameter("w", (1000, 250), "F32")])
    message = str(caught.value)
    assert fragment in message
    assert str(path) in message
    assert "bytes are wanted and" in message
    assert caught.value.__cause__.errno == code
    assert contents(tmp_path) == {path.name: b"old"}


def test_the_first_failure_in_the_order_of_the_file_is_told(tmp_path, monkeypatch):
    """Runs are written as they are filled, and a later one may fail before an earlier one."""
    failed = threading.Event()
    real = os.pwritev

    def fail(descriptor, memory, at):
        if at < 2 * RUN:
            return real(descriptor, memory, at)
        failed.set()
        raise OSError(errno.EIO, "the later")

    def fill(piece, array):
        if piece.part.name == "large" and piece.first == 0:
            assert failed.wait(20)
            raise ValueError("the earlier")

    monkeypatch.setattr(os, "pwritev", fail)
    with pytest.raises(ValueError, match="the earlier"):
        write(tmp_path / "m", MIXED, fill=fill)
    with pytest.raises(OutputError, match="the later"):
        write(tmp_path / "m", MIXED)
    assert contents(tmp_path) == {}


def test_a_disk_without_inodes(tmp_path, monkeypatch):
    monkeypatch.setattr(failures, "_without_inodes", lambda folder: True)
    monkeypatch.setattr(os, "fsync", _failing(errno.ENOSPC))
    with pytest.raises(OutputError, match="the file system holds as many files as it can"):
        write(tmp_path / "m")


def test_a_file_system_that_cannot_sync_folders(tmp_path, monkeypatch):
    fsync = os.fsync

    def files_only(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "no folders")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", files_only)
    write(tmp_path / "m")
    assert len(load_file(tmp_path / "m")) == len(SMALL)


LIMITED = """
import sys
from numbainit.files import failures, writing
from numbainit.files.headers import Parameter
from numbainit.files.outputs import check_output
from numbainit.files.pieces import whole
{before}
output = check_output(sys.argv[1])
form = writing.prepared(output, [whole(Parameter("w", (1 << 20, 3), "F32"))], {{}})
{after}
writing.write(output, form, lambda piece, array: array.fill(1), lambda piece, found: None)
"""
LIMIT = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))"


@pytest.mark.full
@pytest.mark.parametrize("suffix", thinned(["safetensors", "npy", "npz"], ["safetensors"]))
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_real_limit_on_the_size_of_files(tmp_path, suffix, when):
    """Known before a byte is written, or met while writing: the system's refusal is an error and no signal."""
    script = LIMITED.format(**({"before": "", "after": ""} | {when: LIMIT}))
    ended = _python(script, tmp_path / f"m.{suffix}")
    assert ended.returncode == 1
    assert "OutputError: output" in ended.stderr.splitlines()[-1]
    assert "may not write files of more than 1,048,576 bytes (RLIMIT_FSIZE)" in ended.stderr
    assert "ulimit -f" in ended.stderr
    assert contents(tmp_path) == {}


@pytest.mark.full
@pytest.mark.parametrize("suffix", thinned(["safetensors", "npy", "npz"], ["safetensors"]))
@pytest.mark.parametrize("known", [True, False])
def test_a_real_disk_that_is_full(tmp_path, suffix, known):
    """A small disk in memory, which this process alone sees: found full before a byte is written, or while writing."""
    script = LIMITED.format(before="" if known else "failures.free = lambda folder: None", after="")
    disk = tmp_path / "disk"
    disk.mkdir()
    command = 'mount -t tmpfs -o size=6m none "$0" && "$1" -c "$2" "$3"; code=$?; ls -A "$0"; exit $code'
    words = ["unshare", "--mount", "--map-root-user", "sh", "-c", command, disk, sys.executable, script]
    ended = subprocess.run([*words, disk / f"m.{suffix}"], capture_output=True, text=True, timeout=120)
    if "OutputError" not in ended.stderr:
        pytest.skip(f"no disk can be mounted in a namespace here: {ended.stderr.strip()[-80:]}")
    assert "the disk is full; 12,58" in ended.stderr.splitlines()[-1]
    assert ended.stdout == ""  # no debris


def _python(script, *words):
    environment = os.environ | {"PYTHONPATH": str(Path(numbainit.__file__).parents[1])}
    command = [sys.executable, "-c", script, *map(str, words)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


def test_a_parent_that_vanishes_does_not_hide_the_first_error(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()

    def fill(piece, array):
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
        raise RuntimeError("the first")

    with pytest.raises(RuntimeError, match="the first"):
        write(folder / "m", MIXED[2:3], fill=fill)
    assert not folder.exists()
