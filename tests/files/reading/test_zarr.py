"""Zarr stores, by numbainit init and by others → their tensors: all of them, in few chunks at a time, or refused."""

import itertools
import json
import math
import shutil
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import numbainit as init
from numbainit.command.cli import main
from numbainit.errors import InvalidValueError, MissingExtraError
from numbainit.files.pieces import boxes
from numbainit.files.reading import zarr as reading
from numbainit.files.reading.shapes import read_parameters
from numbainit.files.reading.source import open_stored

SHAPES = {"h.0.w": [700, 3000], "h.0.bias": [700], "long": [2, 1_200_000], "empty": [0, 3], "scale": [], "n": [3]}


@pytest.mark.full
@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=3),
    st.integers(1, 50),
)
def test_boxes_end_where_chunks_do(axes, most):
    shape, chunks = zip(*axes, strict=True)
    array = np.arange(math.prod(shape)).reshape(shape)
    cut = list(boxes(shape, most, chunks))
    pieces = [array[tuple(slice(a, a + n) for a, n in zip(start, size, strict=True))] for size, start in cut]
    np.testing.assert_array_equal(np.concatenate([piece.ravel() for piece in pieces]), array.ravel())
    assert all(piece.size <= most for piece in pieces)
    for (size, start), (_, after) in itertools.pairwise(cut):
        axis = next(at for at, (one, other) in enumerate(zip(start, after, strict=True)) if one != other)
        if size[axis] >= chunks[axis]:
            assert after[axis] % chunks[axis] == 0


def test_what_is_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "zarr", None)
    (tmp_path / "a.zarr").mkdir()
    with pytest.raises(MissingExtraError, match=r'pip install "numbainit\[zarr\]"'):
        open_stored(tmp_path / "a.zarr")


full = pytest.mark.full


@pytest.fixture
def zarr():
    return pytest.importorskip("zarr", minversion="3", reason="zarr 3 is not installed")


@pytest.fixture
def made(zarr, tmp_path, capsys):
    """A store that numbainit init has written."""
    header = tmp_path / "shapes.json"
    dtypes = {name: "I64" if name == "n" else "F32" for name in SHAPES}
    header.write_text(json.dumps({name: {"dtype": dtypes[name], "shape": shape} for name, shape in SHAPES.items()}))
    path = tmp_path / "made.zarr"
    assert main(["init", str(header), "-o", str(path), "--seed", "7", "--json"]) == 0
    capsys.readouterr()
    return path


@full
def test_what_init_has_made_is_exact(made, capsys):
    assert main(["audit", str(made)]) == 0
    assert capsys.readouterr().out == "exact: all 6 tensors are, bit for bit, normal, seed 7\n"
    renamed = made.rename(made.with_name("without a suffix"))
    assert init.audit(renamed, expect="exact").ok
    assert init.audit(renamed, seed=8).verdict == "fits"


@full
@pytest.mark.parametrize(
    ("name", "chunk", "place"), [("h.0.w", "c/1/0", 11), ("long", "c/1/1", 9), ("long", "c/0/0", 0)]
)
def test_a_flipped_bit_is_found(made, name, chunk, place):
    path = made / name / chunk
    data = bytearray(path.read_bytes())
    data[4 * place] ^= 1
    path.write_bytes(data)
    tensor = open_stored(made).tensors[name]
    (whole,) = tensor.pieces([tensor.size])
    audit = init.audit(made)
    record = next(one for one in audit.tensors if one.name == name)
    right = init.normal(tensor.shape, std=0.02, generator=init.Generator(7).fold_in(name)).ravel()
    (number,) = np.flatnonzero(whole.view("u4") != right.view("u4"))
    assert (audit.verdict, record.verdict) == ("differs", "differs")
    assert record.text == f"1 of {tensor.size:,} elements differs, from element {number:,} on"
    assert [one.name for one in audit.tensors if one.verdict != "exact"] == [name]


@full
def test_shapes_of_a_store(made, tmp_path, capsys):
    wanted = sorted((name, tuple(shape)) for name, shape in SHAPES.items())
    found = read_parameters(made)
    assert sorted((one.name, one.shape) for one in found) == wanted
    assert {one.dtype for one in found} == {"F32", "I64"}
    again = tmp_path / "again.zarr"
    assert main(["init", str(made), "-o", str(again), "--seed", "7", "--dtype", "keep", "--json"]) == 0
    assert init.audit(again, baseline=made).verdict == "exact"


@full
@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "c8", "i8", "u1", "?", ">f4"])
def test_stores_of_others(zarr, tmp_path, version, dtype):
    """Compressed, in groups of groups, with chunks of any shape, in pieces of any size."""
    values = np.random.default_rng(0).integers(0, 2, (37, 53)).astype(dtype)
    group = zarr.open_group(str(tmp_path / "a.zarr"), mode="w", zarr_format=version)
    for chunks in ((37, 53), (10, 7), (40, 1), (1, 53)):
        group.create_array(f"inner/{chunks[0]}", shape=values.shape, dtype=values.dtype, chunks=chunks)[:] = values
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "_READ", 100)
        patch.setattr(reading, "_MOST", 1000)
        found = open_stored(tmp_path / "a.zarr").tensors
        assert sorted(found) == ["inner/1", "inner/10", "inner/37", "inner/40"]
        for tensor in found.values():
            pieces = list(tensor.pieces([1, 60, 1000, values.size - 1061]))
            np.testing.assert_array_equal(np.concatenate(pieces), values.ravel())
            assert pieces[0].dtype.name == values.dtype.name
    if dtype != "?":
        zarr.create_array(str(tmp_path / "alone.zarr"), shape=(5,), dtype=values.dtype, zarr_format=version)
        assert read_parameters(tmp_path / "alone.zarr")[0].name == "alone"


@full
def test_what_dask_has_written(zarr, tmp_path):
    dask = pytest.importorskip("numbainit.dask", reason="dask is not installed")
    lazy = dask.kaiming_normal((300, 200), chunks=(100, 80), generator=init.Generator(7).fold_in("w"))
    lazy.to_zarr(str(tmp_path / "w.zarr"))
    law = init.Initializer("kaiming_normal")
    assert init.audit(tmp_path / "w.zarr", law, seed=7).verdict == "exact"


@full
def test_a_lost_chunk_and_a_short_one(made):
    chunk = made / "h.0.w" / "c" / "1" / "0"
    data = chunk.read_bytes()
    chunk.unlink()  # then its values are zeros, says the format
    assert init.audit(made).verdict == "differs"
    chunk.write_bytes(data[:-4])
    with pytest.raises(InvalidValueError, match=r"is no zarr store that can be read .*fetch or write it again"):
        init.audit(made)


@full
@pytest.mark.parametrize("text", ["", "{", "[]", '{"zarr_format": 9}', '{"zarr_format": 3, "node_type": "array"}'])
@pytest.mark.parametrize("where", [".", "h.0.w"])
def test_metadata_that_cannot_be_read(made, where, text):
    (made / where / "zarr.json").write_text(text)
    for read in (open_stored, read_parameters):
        with pytest.raises(InvalidValueError, match=r"made\.zarr is no zarr store that can be read") as error:
            read(made)
        assert len(str(error.value)) <= 500


@full
def test_what_is_no_store(zarr, tmp_path):
    (tmp_path / "a.zarr").mkdir()
    with pytest.raises(InvalidValueError, match="is no zarr store"):
        open_stored(tmp_path / "a.zarr")
    zarr.open_group(str(tmp_path / "b.zarr"), mode="w")
    with pytest.raises(InvalidValueError, match="holds no arrays"):
        open_stored(tmp_path / "b.zarr")
    with pytest.raises(InvalidValueError, match="names no parameter"):
        read_parameters(tmp_path / "b.zarr")


@full
@pytest.mark.parametrize("chunks", [(1024, 1024), (64, 1 << 14)])
def test_memory_does_not_grow_with_an_array(zarr, tmp_path, chunks):
    """An array of 1 GiB whose chunks are not there, in a process of its own."""
    shape = (1 << 14, 1 << 14)
    zarr.create_array(str(tmp_path / "w.zarr"), shape=shape, chunks=chunks, dtype="f4", compressors=None)
    code = f"""
import resource, numbainit as init, numpy as np, zarr
from numbainit.files.reading.source import open_stored
tensor = open_stored({str(tmp_path / "w.zarr")!r}).tensors["w"]
next(tensor.pieces([10]))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert not any(piece.any() for piece in tensor.pieces([1 << 18] * (1 << 10)))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=500, check=True)
    assert int(done.stdout) < 100  # MiB
    shutil.rmtree(tmp_path / "w.zarr")
