"""Headers: what is read, and every way in which one can be wrong."""

import contextlib
import json
import os
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from numbainit.errors import InvalidValueError
from numbainit.files.headers import Parameter, parse_header, read_parameters


def entry(shape, dtype="F32"):
    return {"dtype": dtype, "shape": shape}


def raw(header, data=b""):
    """The bytes of a .safetensors file."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def test_a_header_keeps_its_order_and_may_carry_offsets_and_metadata():
    header = {
        "__metadata__": {"format": "pt"},
        "z": entry([2, 3]) | {"data_offsets": [0, 24]},
        "a.b": entry([], "I64"),
        "ä": entry([0], "BF16"),
    }
    expected = [Parameter("z", (2, 3), "F32"), Parameter("a.b", (), "I64"), Parameter("ä", (0,), "BF16")]
    assert parse_header(json.dumps(header).encode(), "it") == expected
    assert parse_header(b"\xef\xbb\xbf" + json.dumps(header, ensure_ascii=False).encode(), "it") == expected


@pytest.mark.parametrize(
    ("parameter", "size", "nbytes"),
    [
        (Parameter("a", (), "F64"), 1, 8),
        (Parameter("a", (3, 5), "F16"), 15, 30),
        (Parameter("a", (3, 0), "I64"), 0, 0),
        (Parameter("a", (3,), "BOOL"), 3, 3),
    ],
)
def test_sizes(parameter, size, nbytes):
    assert (parameter.size, parameter.nbytes) == (size, nbytes)


@pytest.mark.parametrize(
    ("dtype", "cast"),
    [("F16", "F64"), ("BF16", "F64"), ("F8_E4M3", "F64"), ("F8_E5M2FNUZ", "F64"), ("F32", "F64"), ("F64", "F64"),
     ("I64", "I64"), ("U8", "U8"), ("BOOL", "BOOL")],
)  # fmt: skip
def test_casts_touch_floats_only(dtype, cast):
    assert Parameter("a", (2,), dtype).cast("F64").dtype == cast


WRONG = [
    (b"", ["JSON"]),
    (b"\x00\x01garbage", ["JSON"]),
    (b"\xff\xfe{}", ["UTF-8", "byte 0"]),
    (b'{"a": ', ["JSON"]),
    (b"[" * 100_000, ["JSON"]),
    (b'{"a": {"dtype": "F32", "shape": [' + b"9" * 5000 + b"]}}", ["JSON"]),
    (b"[1, 2]", ["JSON list", "object"]),
    (b"3", ["JSON int"]),
    (b"{}", ["no parameter"]),
    (b'{"__metadata__": {"format": "pt"}}', ["no parameter"]),
    (b'{"a": {"dtype": "F32", "shape": [2]}, "a": {"dtype": "F32", "shape": [3]}}', ["'a'", "twice", "remove one"]),
    (b'{"a": {"dtype": "F32", "dtype": "F64", "shape": [3]}}', ["'dtype'", "twice"]),
    ({"a": [2, 3]}, ["'a'", "[2, 3]", "object"]),
    ({"a": None}, ["'a'", "null", "object"]),
    ({"a": {"dtype": "F32"}}, ["'a'", "no shape", "got 'dtype'"]),
    ({"a": {"shape": [3]}}, ["'a'", "no dtype"]),
    ({"a": {}}, ["'a'", "got nothing"]),
    ({"a": entry([2, -3])}, ["'a'", "[2, -3]", "-3", ">= 0"]),
    ({"a": entry([2.5])}, ["'a'", "2.5", "whole numbers"]),
    ({"a": entry([2.0])}, ["'a'", "2.0", "whole numbers"]),
    ({"a": entry([True])}, ["'a'", "true", "whole numbers"]),
    ({"a": entry(["3"])}, ["'a'", '"3"', "whole numbers"]),
    ({"a": entry([None])}, ["'a'", "null", "whole numbers"]),
    ({"a": entry(3)}, ["'a'", "a list of sizes"]),
    ({"a": entry("3")}, ["'a'", "a list of sizes"]),
    ({"a": entry([1] * 65)}, ["'a'", "64 axes", "got 65"]),
    ({"a": entry([2**31, 2**31])}, ["'a'", "2^63"]),
    ({"a": entry([0, 2**62, 2**62])}, ["'a'", "2^63"]),  # empty, and still no array that NumPy makes
    ({"a": entry([2], "F33")}, ["'a'", '"F33"', "did you mean 'F3", "BOOL"]),
    ({"a": entry([2], "float32")}, ["'a'", '"float32"', "did you mean 'F32'"]),
    ({"a": entry([2], "C64")}, ["'a'", '"C64"']),
    ({"a": entry([2], 32)}, ["'a'", "32"]),
    ({"a": entry([2], ["F32"])}, ["'a'", '["F32"]']),
    (b'{"\\ud800": {"dtype": "F32", "shape": [2]}}', ["Unicode", "rename"]),
]  # fmt: skip


@pytest.mark.parametrize(("header", "fragments"), WRONG)
def test_wrong_headers(header, fragments):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    with pytest.raises(InvalidValueError) as caught:
        parse_header(text, "shapes.json")
    message = str(caught.value)
    assert message.startswith("shapes.json")
    for fragment in fragments:
        assert fragment in message
    assert len(message) < 500


def _parsed_or_refused(text):
    with contextlib.suppress(InvalidValueError):
        assert parse_header(text, "it")


@given(st.binary(max_size=60))
def test_any_bytes_are_parsed_or_refused(text):
    _parsed_or_refused(text)


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.just("F32"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["dtype", "shape", "a"]), inner),
    max_leaves=8,
)


@given(_ANYTHING)
def test_any_json_is_parsed_or_refused(value):
    _parsed_or_refused(json.dumps(value).encode())
    _parsed_or_refused(json.dumps({"a": value}).encode())
    _parsed_or_refused(json.dumps({"a": {"dtype": "F32", "shape": value}}).encode())


# ---- files ----


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
    with pytest.raises(InvalidValueError, match=r"scales\.safetensors.*'a' has dtype \"F8_E8M0\""):
        read_parameters(path)


def test_a_header_from_a_pipe(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=lambda: path.write_bytes(json.dumps({"a": entry([2])}).encode()))
    writer.start()
    assert read_parameters(path) == [Parameter("a", (2,), "F32")]
    writer.join()


@pytest.mark.parametrize("name", ["folder", "folder.safetensors"])
def test_a_folder(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(InvalidValueError, match="is a folder"):
        read_parameters(tmp_path / name)


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
