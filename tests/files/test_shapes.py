"""SHAPES on the disk: files and folders of every kind that is read, and what each can be refused for."""

import io
import json
import os
import threading
import zipfile

import numpy as np
import pytest
from safetensors.numpy import save_file

from numbainit.errors import InvalidValueError
from numbainit.files.headers import Parameter
from numbainit.files.shapes import is_text, read_parameters


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
    with pytest.raises(InvalidValueError, match="is a folder without"):
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


def test_a_folder_with_one_file(sharded):
    (sharded / "model.safetensors.index.json").unlink()
    with pytest.raises(InvalidValueError, match=r"holds 2 safetensors files and no index \('model-00001.*name one"):
        read_parameters(sharded)
    (sharded / SECOND).unlink()
    assert {parameter.name for parameter in read_parameters(sharded)} == {"a", "b"}


def test_a_folder_with_two_indices(sharded):
    _write_index(sharded, {"a": FIRST}, "other.safetensors.index.json")
    with pytest.raises(InvalidValueError, match="holds 2 indices"):
        read_parameters(sharded)


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
        ({}, "names no parameter"),
    ],
)
def test_wrong_indices(sharded, weight_map, match):
    _write_index(sharded, weight_map)
    with pytest.raises(InvalidValueError, match=match):
        read_parameters(sharded)


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


def test_what_is_text(tmp_path, model):
    (tmp_path / "s.json").write_text("{}")
    np.save(tmp_path / "w.npy", np.zeros(2))
    assert is_text(tmp_path / "s.json")
    assert not any(map(is_text, [model, tmp_path / "w.npy", tmp_path, tmp_path / "none"]))


@pytest.mark.parametrize("name", ["none.json", "none.safetensors"])
def test_a_file_that_is_not_there(tmp_path, name):
    with pytest.raises(InvalidValueError, match=rf"{name} cannot be read: No such file"):
        read_parameters(tmp_path / name)


def test_a_file_too_large_for_a_header(tmp_path):
    path = tmp_path / "large.json"
    with path.open("wb") as file:
        file.truncate(100_000_001)  # sparse: no disk is used
    with pytest.raises(InvalidValueError, match="larger than the 100,000,000 bytes"):
        read_parameters(path)
