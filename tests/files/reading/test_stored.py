"""Pieces → the same elements, however they are cut; what holds no numbers is refused, with its name."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numbainit.errors import InvalidTypeError, InvalidValueError
from numbainit.files.reading import numpy_files
from numbainit.files.reading.shapes import read_parameters
from numbainit.files.reading.source import open_stored
from numbainit.files.reading.stored import regrouped

SIZES = st.lists(st.integers(0, 7), max_size=8)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(SIZES, SIZES)
def test_pieces_of_other_sizes(given_sizes, wanted):
    flat = np.arange(sum(given_sizes), dtype="i2")
    arrays = np.split(flat, np.cumsum(given_sizes)[:-1]) if given_sizes else []
    ends = np.minimum(np.cumsum([0, *wanted]), flat.size)
    counts = np.diff(ends).tolist()
    found = list(regrouped(arrays, iter(counts), np.dtype("i2")))
    assert [piece.size for piece in found] == counts
    assert {piece.dtype for piece in found} <= {np.dtype("i2")}
    assert np.concatenate([*found, flat[:0]]).tolist() == flat[: ends[-1]].tolist()


@pytest.mark.parametrize("shape", [(7, 5), (3, 4, 5), (1, 1), (0, 3), (6,), ()])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["f4", ">i2", "?"])
def test_arrays_of_numpy_in_any_order(tmp_path, monkeypatch, shape, order, dtype):
    monkeypatch.setattr(numpy_files, "_BOX", 6)
    values = np.random.default_rng(0).integers(0, 2, shape).astype(dtype)
    np.save(tmp_path / "w.npy", np.asarray(values, order=order))
    np.savez(tmp_path / "w.npz", w=np.asarray(values, order=order))
    np.savez_compressed(tmp_path / "z.npz", w=np.asarray(values, order=order))
    for name in ("w.npy", "w.npz", "z.npz"):
        tensor = open_stored(tmp_path / name).tensors["w"]
        counts = [1] * min(values.size, 4) + [max(values.size - 4, 0)]
        found = np.concatenate(list(tensor.pieces(iter(counts))))
        np.testing.assert_array_equal(found, values.ravel())
        assert (tensor.shape, tensor.dtype, tensor.nbytes) == (values.shape, values.dtype, values.nbytes)


def test_a_damaged_member_is_told(tmp_path):
    path = tmp_path / "w.npz"
    np.savez(path, w=np.zeros(1000))
    data = bytearray(path.read_bytes())
    data[400] ^= 1
    path.write_bytes(data)
    with pytest.raises(InvalidValueError, match=r"w\.npz is damaged: .*fetch or save it again"):
        list(open_stored(path).tensors["w"].pieces([1000]))


@pytest.mark.parametrize("dtype", ["F4", "F6_E2M3", "F8_E8M0"])
def test_dtypes_whose_values_nobody_reads(tmp_path, dtype):
    """They can be made in another dtype, or are scales; an audit has nothing to look at."""
    header = {"w": {"dtype": dtype, "shape": [8], "data_offsets": [0, {"F4": 4, "F6_E2M3": 6}.get(dtype, 8)]}}
    text = json.dumps(header).encode()
    path = tmp_path / "m.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(header["w"]["data_offsets"][1]))
    with pytest.raises(InvalidTypeError, match=rf"'w' holds {dtype}: an audit looks at .*leave it out"):
        open_stored(path)
    if dtype == "F8_E8M0":
        with pytest.raises(InvalidValueError, match="powers of two"):
            read_parameters(path)
    else:
        assert [(one.dtype, one.size) for one in read_parameters(path)] == [(dtype, 8)]


@pytest.mark.full
@pytest.mark.parametrize("name", ["float4_e2m1fn_x2", "float8_e8m0fnu"])
def test_dtypes_of_torch_that_numpy_has_not(name):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    tensor = torch.zeros(4, dtype=torch.uint8).view(getattr(torch, name))
    with pytest.raises(InvalidTypeError, match=rf"'a.w' holds {name}: an audit looks at"):
        open_stored({"a": {"w": tensor}})


@pytest.mark.full
def test_a_file_under_a_name_of_torch_is_what_its_bytes_say(tmp_path):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from safetensors.numpy import save_file

    save_file({"w": np.ones(3, "f4")}, tmp_path / "a.bin")
    torch.save({"w": torch.ones(3), "step": 4}, tmp_path / "b.bin")
    torch.save(torch.ones(3), tmp_path / "c.pt")
    assert [list(open_stored(tmp_path / name).tensors) for name in ("a.bin", "b.bin", "c.pt")] == [
        ["w"],
        ["w"],
        ["tensor"],
    ]
    torch.save({"step": 4}, tmp_path / "d.pt")
    with pytest.raises(InvalidValueError, match=r"d\.pt holds no arrays"):
        open_stored(tmp_path / "d.pt")
