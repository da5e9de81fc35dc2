"""Headers: what is read, and every way in which one can be wrong."""

import contextlib
import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cases import thinned
from numbainit.errors import InvalidValueError
from numbainit.files import dtypes
from numbainit.files.headers import LONGEST_NAME, MOST_PARAMETERS, Parameter, parse_header


def entry(shape, dtype="F32"):
    return {"dtype": dtype, "shape": shape}


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
    ({"a": entry([1] * 65)}, ["'a'", "65 axes", "at most 64"]),
    ({"a": entry([2**31, 2**31])}, ["'a'", "2^63"]),
    ({"a": entry([0, 2**62, 2**62])}, ["'a'", "2^63"]),  # empty, and still no array that NumPy makes
    ({"a": entry([2], "F33")}, ["'a'", "'F33'", "did you mean 'F3", "BOOL"]),
    ({"a": entry([2], "float32")}, ["'a'", "'float32'", "did you mean 'F32'"]),
    ({"a": entry([2], "F8_E8M0")}, ["'a'", "F8_E8M0", "powers of two", "take the parameter out"]),
    ({"a": entry([2], "C128")}, ["'a'", "'C128'", "not known"]),
    ({"a": entry([2], 32)}, ["'a'", "32"]),
    ({"a": entry([2], ["F32"])}, ["'a'", "['F32']"]),
    ({"a" * LONGEST_NAME: entry([2], "F33")}, ["'aaa", "4,096 characters", "F33"]),
    ({"a" * 10**6: entry([2])}, ["'aaa", "1,000,000 characters", "too long", "at most 4,096 characters", "rename"]),
    ({"ä" * (LONGEST_NAME + 1): entry([2])}, ["'äää", "4,097 characters", "too long"]),
    ({"a": entry([1] * 10**6)}, ["'a'", "1,000,000 axes"]),
    ({"a": entry(["1" * 10**6])}, ["'a'", "whole numbers"]),
    ({"a": "x" * 10**6}, ["'a'", "an object such as"]),
    (b'{"\\ud800": {"dtype": "F32", "shape": [2]}}', ["Unicode", "rename"]),
]  # fmt: skip


def test_a_parameter_may_be_called_like_a_field():
    header = json.dumps({name: entry([2]) for name in ("data_offsets", "dtype", "shape")}).encode()
    assert [one.name for one in parse_header(header, "it")] == ["data_offsets", "dtype", "shape"]


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


def test_every_dtype_of_the_format_is_known_by_name():
    """Those of safetensors 0.8: filled, made in another dtype, or refused with the reason."""
    for name in [
        "F64",
        "F32",
        "F16",
        "BF16",
        "C64",
        "I64",
        "I32",
        "I16",
        "I8",
        "U64",
        "U32",
        "U16",
        "U8",
        "BOOL",
        "F8_E4M3",
        "F8_E5M2",
        "F8_E4M3FNUZ",
        "F8_E5M2FNUZ",
    ]:
        found = parse_header(json.dumps({"a": entry([2], name)}).encode(), "it")[0].cast(None)
        assert found.nbytes == 2 * found.numpy_dtype.itemsize == 2 * dtypes.itemsize(name)
    for name in ("F4", "F6_E2M3", "F6_E3M2"):
        (packed,) = parse_header(json.dumps({"a": entry([2], name)}).encode(), "it")
        assert packed.cast("BF16").dtype == "BF16"
        with pytest.raises(InvalidValueError, match=rf"'a': dtype {name} .* share bytes"):
            packed.cast(None)
    with pytest.raises(InvalidValueError, match="without sign or zero"):
        parse_header(json.dumps({"a": entry([2], "F8_E8M0")}).encode(), "it")


def test_complex_parameters_stay_complex():
    assert Parameter("a", (2,), "C64").cast("BF16").dtype == "C64"


# A header of 100 MB, made in the process that reads it: what that costs is printed.
COSTLY = """
import resource, sys, time
import numbainit
from numbainit.errors import InvalidValueError
from numbainit.files.headers import parse_header
size = 99_000_000
kind = sys.argv[1]
if kind == "parameters":
    text = b",".join(b'"%d":{"dtype":"F32","shape":[1]}' % i for i in range(size // 38))
elif kind == "numbers":
    text = b'"a":{"dtype":"F32","shape":[' + b"10001," * (size // 6) + b"1]}"
elif kind == "lists":
    text = b'"a":[' + b"[]," * (size // 3) + b"1]"
elif kind == "name":
    text = b'"' + b"a" * size + b'":{"dtype":"F32","shape":[1]}'
elif kind == "metadata":
    text = b'"__metadata__":{"a":"' + b"a" * size + b'"},"a":{"dtype":"F32","shape":[1]}'
text = b"{" + text + b"}"
before, begin = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
try:
    print(len(parse_header(text, "it")))
except InvalidValueError as error:
    assert len(str(error)) < 500
    print(error)
print(time.perf_counter() - begin, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


@pytest.mark.full
@pytest.mark.parametrize(
    ("kind", "fragment"),
    thinned(
        [
            ("parameters", "wanted at most 2,000,000, which 250,000 parameters take"),
            ("numbers", "wanted at most"),
            ("lists", "wanted at most"),
            ("name", "has a name that is too long; wanted at most 4,096 characters"),
            ("metadata", "1"),
        ],
        lambda case: case[0] == "name",
        several=True,
    ),
)
def test_a_costly_header_is_refused_or_cheap(kind, fragment):
    ended = subprocess.run([sys.executable, "-c", COSTLY, kind], capture_output=True, text=True, timeout=120)
    said, cost = ended.stdout.splitlines()
    megabytes = float(cost.split()[1])
    assert fragment in said
    assert megabytes < 600


@pytest.mark.full
def test_as_many_parameters_as_are_allowed():
    text = b",".join(
        b'"layers.%d.weight":{"dtype":"F32","shape":[4096,4096],"data_offsets":[0,1]}' % i for i in range(5)
    )
    assert len(parse_header(b"{" + text + b"}", "it")) == 5
    text = b",".join(b'"%d":{"dtype":"F32","shape":[]}' % i for i in range(MOST_PARAMETERS + 1))
    with pytest.raises(InvalidValueError, match=r"names 250,001 parameters; wanted at most 250,000"):
        parse_header(b"{" + text + b"}", "it")


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


def test_names_are_bounded_together():
    header = {f"{n:0{LONGEST_NAME}}": entry([1]) for n in range(32_000_000 // LONGEST_NAME + 1)}
    with pytest.raises(InvalidValueError, match=r"it has names of together 32,002,048 .*wanted at most 32,000,000: "):
        parse_header(json.dumps(header).encode(), "it")


def test_files_with_long_names_are_refused(tmp_path):
    pytest.importorskip("safetensors", reason="safetensors is not installed")
    from safetensors.numpy import save_file

    from numbainit.files.reading.source import open_stored

    for length in (LONGEST_NAME, LONGEST_NAME + 1):
        save_file({"a" * length: np.zeros(1, "f4")}, tmp_path / f"{length}.safetensors")
    assert len(open_stored(tmp_path / f"{LONGEST_NAME}.safetensors").tensors) == 1
    with pytest.raises(InvalidValueError, match=r"4097.safetensors: parameter 'aaa.*too long; wanted at most 4,096"):
        open_stored(tmp_path / f"{LONGEST_NAME + 1}.safetensors")
