"""SHAPES on the disk: files and folders of every kind that is read, and what each can be refused for."""

import io
import json
import os
import threading
import zipfile

import numpy as np
import pytest
from safetensors.numpy import save_file

from numbainit.command.cli import main
from numbainit.errors import InvalidValueError
from numbainit.files.headers import Parameter
from numbainit.files.reading.shapes import read_parameters
from numbainit.files.reading.source import open_stored


def entry(shape, dtype="F32"):
    return {"dtype": dtype, "shape": shape}


def raw(header, data=b""):
    """The bytes of a .safetensors file."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


@pytest.fixture
def model(tmp_path):
    """A small real .safetensors file."""
    path = tmp_path / "model.safetensors"
    arrays = {"b": np.ones((2, 3), "float32"), "a": np.zeros(5, "float32"), "n": np.array(1)}
    save_file(arrays, path, metadata={"format": "np"})
    return path


def test_the_header_of_a_safetensors_file(model):
    found = read_parameters(model)
    assert sorted(found, key=lambda parameter: parameter.name) == [
        Parameter("a", (5,), "F32"),
        Parameter("b", (2, 3), "F32"),
        Parameter("n", (), "I64"),
    ]


def test_a_safetensors_file_under_another_name(model):
    other = model.rename(model.with_name("model.bin"))
    assert len(read_parameters(other)) == 3
    assert len(read_parameters(str(other))) == 3


def test_dtypes_that_numpy_does_not_have(tmp_path):
    path = tmp_path / "bf16.safetensors"
    path.write_bytes(raw({"a": entry([3], "BF16") | {"data_offsets": [0, 6]}}, bytes(6)))
    assert read_parameters(path) == [Parameter("a", (3,), "BF16")]


def test_every_truncation_of_a_safetensors_file_is_refused(model):
    whole = model.read_bytes()
    for length in range(len(whole)):
        model.write_bytes(whole[:length])
        with pytest.raises(InvalidValueError, match=r"not a whole safetensors file .*fetch or save it again"):
            read_parameters(model)


@pytest.mark.parametrize(
    "content",
    [
        b"\xff" * 64,
        b"garbage, garbage, garbage",
        raw(b"\xff\xfe{}"),
        raw(b"{not json"),
        raw({"a": entry([2]) | {"data_offsets": [0, 8]}}),
        raw({"a": entry([3]) | {"data_offsets": [0, 8]}}, bytes(8)),
        raw({"a": entry([-2]) | {"data_offsets": [0, 8]}}, bytes(8)),
        raw({"a": entry([2], "F33") | {"data_offsets": [0, 8]}}, bytes(8)),
        raw({"a": {"dtype": "F32", "data_offsets": [0, 8]}}, bytes(8)),
        raw({"a": entry([2**62, 4]) | {"data_offsets": [0, 8]}}, bytes(8)),
    ],
)
def test_garbage_in_a_safetensors_file(tmp_path, content):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    with pytest.raises(InvalidValueError, match=r"bad\.safetensors is not a whole safetensors file"):
        read_parameters(path)


def test_a_safetensors_file_without_tensors(tmp_path):
    path = tmp_path / "empty.safetensors"
    path.write_bytes(raw({}))
    with pytest.raises(InvalidValueError, match="names no parameter"):
        read_parameters(path)


def test_a_dtype_that_only_safetensors_knows(tmp_path):
    path = tmp_path / "scales.safetensors"
    path.write_bytes(raw({"a": entry([8], "F8_E8M0") | {"data_offsets": [0, 8]}}, bytes(8)))
    with pytest.raises(InvalidValueError, match=r"scales\.safetensors.*'a' has dtype F8_E8M0: powers"):
        read_parameters(path)


def test_a_header_from_a_pipe(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=lambda: path.write_bytes(json.dumps({"a": entry([2])}).encode()))
    writer.start()
    assert read_parameters(path) == [Parameter("a", (2,), "F32")]
    writer.join()


@pytest.mark.parametrize("name", ["folder", "folder.safetensors"])
def test_a_folder_without_a_model(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(InvalidValueError, match=r"is a folder that holds no checkpoint; wanted a \.safetensors"):
        read_parameters(tmp_path / name)


# ---- sharded checkpoints ----

FIRST, SECOND = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"


@pytest.fixture
def sharded(tmp_path):
    """A small checkpoint of two files, in a folder of its own."""
    folder = tmp_path / "sharded"
    folder.mkdir()
    save_file({"b": np.ones((2, 3), "f4"), "a": np.ones(4, "f4")}, folder / FIRST)
    save_file({"c": np.ones((5, 1), "f2"), "stray": np.ones(1, "f4")}, folder / SECOND)
    _write_index(folder, {"a": FIRST, "b": FIRST, "c": SECOND})
    return folder


def _write_index(folder, weight_map, name="model.safetensors.index.json"):
    (folder / name).write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": weight_map}))


@pytest.mark.parametrize("name", ["", "model.safetensors.index.json"])
def test_a_sharded_checkpoint_by_its_folder_or_its_index(sharded, name):
    found = read_parameters(sharded / name)
    assert sorted(found, key=lambda parameter: parameter.name) == [
        Parameter("a", (4,), "F32"),
        Parameter("b", (2, 3), "F32"),
        Parameter("c", (5, 1), "F16"),  # and no stray, which the index does not name
    ]


def test_a_folder_without_an_index_is_all_its_files(sharded):
    (sharded / "model.safetensors.index.json").unlink()
    assert {parameter.name for parameter in read_parameters(sharded)} == {"a", "b", "c", "stray"}
    (sharded / SECOND).unlink()
    assert {parameter.name for parameter in read_parameters(sharded)} == {"a", "b"}
    (sharded / FIRST).rename(sharded / "one.safetensors")
    (sharded / "two.safetensors").write_bytes((sharded / "one.safetensors").read_bytes())
    with pytest.raises(InvalidValueError, match=r"'.' lies in 'one\.safetensors' and in 'two.*name one of the files"):
        read_parameters(sharded)


def test_a_folder_with_two_indices(sharded):
    _write_index(sharded, {"a": FIRST}, "other.safetensors.index.json")
    for read in (read_parameters, open_stored):
        with pytest.raises(InvalidValueError, match=r"holds 2 indices \('model.*name one of them"):
            read(sharded)


@pytest.mark.parametrize(
    ("weight_map", "match"),
    [
        ({"a": FIRST, "b": "gone.safetensors"}, "names 1 of 2 files that are not there .*'gone.safetensors'"),
        ({"a": FIRST, "z": SECOND}, "names tensors that its files do not hold .*'z'"),
        ({"a": "../" + FIRST}, r"names '\.\./model-00001.*wanted files beside it"),
        ({"a": "/etc/passwd"}, "wanted files beside it"),
        ({"a": ".."}, "wanted files beside it"),
        ({"a": 3}, "weight_map"),
        ([FIRST], "weight_map"),
        ({"a": "\x1b[31m" * 100}, "names 1 of 1 files that are not there"),
        ({"\n" * 1000: FIRST}, "names tensors that its files do not hold"),
        ({}, "names no parameter"),
    ],
)
def test_wrong_indices(sharded, weight_map, match):
    _write_index(sharded, weight_map)
    for read in (read_parameters, open_stored):
        with pytest.raises(InvalidValueError, match=match) as error:
            read(sharded)
        assert len(str(error.value)) <= 500
        assert str(error.value).isprintable()


def test_a_tensor_in_two_files_is_that_of_the_one_that_the_index_names(sharded):
    save_file({"a": np.full(4, 2, "f4"), "c": np.ones((5, 1), "f2")}, sharded / SECOND)
    (values,) = open_stored(sharded).tensors["a"].pieces([4])
    assert (values == 1).all()
    _write_index(sharded, {"a": SECOND, "b": FIRST, "c": SECOND})
    (values,) = open_stored(sharded).tensors["a"].pieces([4])
    assert (values == 2).all()
    assert sorted(one.name for one in read_parameters(sharded)) == ["a", "b", "c"]


KEPT = {"a.w": ("BF16", (5, 3)), "b": ("F16", (7,)), "c.w": ("F32", (4, 6)), "n": ("I64", (2,))}


@pytest.fixture
def every(tmp_path):
    """The same tensors as everything that is read."""
    import ml_dtypes

    dtypes = {"BF16": ml_dtypes.bfloat16, "F16": "f2", "F32": "f4", "I64": "i8"}
    arrays = {name: np.ones(shape, dtypes[dtype]) for name, (dtype, shape) in KEPT.items()}
    save_file(arrays, tmp_path / "m.safetensors")
    folder = tmp_path / "folder"
    folder.mkdir()
    names = list(arrays)
    files_of = {name: f"{n % 2}.safetensors" for n, name in enumerate(names)}
    for file in set(files_of.values()):
        save_file({name: arrays[name] for name in names if files_of[name] == file}, folder / file)
    _write_index(folder, files_of)
    known = {name: array for name, array in arrays.items() if array.dtype.name != "bfloat16"}
    np.savez(tmp_path / "m.npz", **known)
    np.save(tmp_path / "c.w.npy", arrays["c.w"])
    header = {name: entry(list(shape), dtype) for name, (dtype, shape) in KEPT.items()}
    (tmp_path / "m.json").write_text(json.dumps(header))
    return tmp_path


@pytest.mark.parametrize(
    ("source", "names"),
    [
        *((name, [*KEPT]) for name in ("m.safetensors", "folder", "folder/model.safetensors.index.json", "m.json")),
        ("m.npz", ["b", "c.w", "n"]),
        ("c.w.npy", ["c.w"]),
        pytest.param("m.zarr", ["b", "c.w", "n"], marks=pytest.mark.full),
        pytest.param("m.pt", [*KEPT], marks=pytest.mark.full),
    ],
)
def test_init_keeps_the_dtypes_of_what_is_read(every, capsys, source, names):
    if source == "m.zarr":
        pytest.importorskip("zarr", minversion="3", reason="zarr 3 is not installed")
        assert main(["init", str(every / "m.npz"), "-o", str(every / source), "--dtype", "keep", "--json"]) == 0
    if source == "m.pt":
        torch = pytest.importorskip("torch", reason="torch is not installed")
        dtypes = {"BF16": torch.bfloat16, "F16": torch.float16, "F32": torch.float32, "I64": torch.int64}
        torch.save(
            {name: torch.ones(shape, dtype=dtypes[dtype]) for name, (dtype, shape) in KEPT.items()}, every / source
        )
    out = every / "out.safetensors"
    assert main(["plan", str(every / source)]) == 0
    assert main(["init", str(every / source), "-o", str(out), "--dtype", "keep", "--seed", "7", "--json"]) == 0
    found = {one.name: (one.dtype, one.shape) for one in read_parameters(out)}
    assert found == {name: KEPT[name] for name in names}
    capsys.readouterr()
    assert main(["audit", str(out)]) == 0
    assert capsys.readouterr().out.startswith(f"exact: all {len(names)} tensors")
    assert main(["init", str(every / source), "-o", str(out), "--dtype", "f64", "--json"]) == 0
    assert {one.dtype for one in read_parameters(out)} == {"F64"} | {"I64"} & {KEPT[name][0] for name in names}


# ---- NumPy's files ----


def test_an_npz_and_an_npy(tmp_path):
    arrays = {"a.b": np.zeros((2, 3), "f2"), "c": np.zeros((), "c8"), "n": np.asfortranarray(np.zeros((3, 4), ">i4"))}
    np.savez(tmp_path / "m.npz", **arrays)
    expected = [Parameter("a.b", (2, 3), "F16"), Parameter("c", (), "C64"), Parameter("n", (3, 4), "I32")]
    assert read_parameters(tmp_path / "m.npz") == expected
    np.savez_compressed(tmp_path / "m.npz", **arrays)
    assert read_parameters(tmp_path / "m.npz") == expected
    np.save(tmp_path / "weight.npy", arrays["a.b"])
    assert read_parameters(tmp_path / "weight.npy") == [Parameter("weight", (2, 3), "F16")]


@pytest.mark.parametrize(
    ("array", "match"),
    [
        (np.zeros(2, "V2"), "bfloat16 and float8"),
        (np.zeros(2, "c16"), "complex128"),
        (np.zeros(2, "U3"), "<U3"),
        (np.array([{}], object), "object"),
        (np.zeros(2, [("a", "f4")]), "has no name in safetensors"),
    ],
)
def test_arrays_that_are_no_parameters(tmp_path, array, match):
    np.savez(tmp_path / "m.npz", w=array)
    with pytest.raises(InvalidValueError, match=rf"'w': .*{match}"):
        read_parameters(tmp_path / "m.npz")


def test_archives_that_are_not_numpys(tmp_path):
    path = tmp_path / "m.npz"
    for content in (b"", b"PK", b"garbage"):
        path.write_bytes(content)
        with pytest.raises(InvalidValueError, match=r"not a whole \.npz file"):
            read_parameters(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("text.txt", "no array")
    with pytest.raises(InvalidValueError, match=r"'text\.txt' is no array"):
        read_parameters(path)
    whole = io.BytesIO()
    np.savez(whole, w=np.zeros(50))
    for length in range(0, len(whole.getvalue()), 7):
        path.write_bytes(whole.getvalue()[:length])
        with pytest.raises(InvalidValueError):
            read_parameters(path)


@pytest.mark.parametrize("name", ["none.json", "none.safetensors"])
def test_a_file_that_is_not_there(tmp_path, name):
    with pytest.raises(InvalidValueError, match=rf"there is no file .*{name}; wanted .* or a JSON header"):
        read_parameters(tmp_path / name)


def test_a_file_too_large_for_a_header(tmp_path):
    path = tmp_path / "large.json"
    with path.open("wb") as file:
        file.truncate(100_000_001)  # sparse: no disk is used
    with pytest.raises(InvalidValueError, match="larger than the 100,000,000 bytes"):
        read_parameters(path)
