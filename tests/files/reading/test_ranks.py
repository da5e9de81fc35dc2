"""Boxes in the files of ranks → the whole tensors, against files that were written by hand and by numbainit init."""

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from numbainit.command.cli import main
from numbainit.errors import InvalidValueError
from numbainit.files.headers import Parameter
from numbainit.files.reading import ranks
from numbainit.files.reading.shapes import read_parameters
from numbainit.files.reading.source import open_stored
from numbainit.files.reading.stored import Stored, slices
from numbainit.files.sharded import SHARDING_INFO

WHOLE = np.arange(7 * 3, dtype="float32").reshape(7, 3)


def written(folder, parts):
    """A file for each list of (first index, box)."""
    for at, (start, box) in enumerate(parts):
        note = {SHARDING_INFO: json.dumps({"w": {"saved_offsets": start}})}
        save_file({"w": np.ascontiguousarray(box)}, folder / f"shard-{at:05d}.safetensors", note)
    return folder


@pytest.mark.parametrize("cuts", [[0, 7], [0, 3, 7], [0, 1, 2, 3, 4, 5, 6, 7]])
@pytest.mark.parametrize("counts", [[21], [1] * 21, [5, 5, 5, 5, 1], [20, 1], []])
def test_rows_follow_each_other(tmp_path, cuts, counts):
    parts = [([a, 0], WHOLE[a:b]) for a, b in itertools.pairwise(cuts)]
    tensor = open_stored(written(tmp_path, parts[::-1])).tensors["w"]  # whatever the order of the files
    assert tensor.shape == WHOLE.shape
    pieces = list(tensor.pieces(iter(counts)))
    assert [piece.size for piece in pieces] == counts
    np.testing.assert_array_equal(np.concatenate([np.empty(0), *pieces]), WHOLE.ravel()[: sum(counts)])


# ---- boxes, cut along any axes ----


@st.composite
def tiled(draw):
    """A shape, and boxes that tile it: cut in two at random, again and again, along any axis."""
    shape = tuple(draw(st.lists(st.integers(1, 6), min_size=1, max_size=4)))
    boxes = [((0,) * len(shape), shape)]
    for _ in range(draw(st.integers(0, 6))):
        start, size = boxes.pop(draw(st.integers(0, len(boxes) - 1)))
        axis = draw(st.integers(0, len(shape) - 1))
        at = draw(st.integers(0, size[axis]))  # 0: a rank that has nothing
        low, high = ((*size[:axis], part, *size[axis + 1 :]) for part in (at, size[axis] - at))
        boxes += [(start, low), ((*start[:axis], start[axis] + at, *start[axis + 1 :]), high)]
    return shape, draw(st.permutations(boxes))


def stored(array):
    return Stored("w", array.shape, array.dtype, lambda counts: slices(array.reshape(-1), counts), "a file")


def parts_of(whole, boxes):
    """What ranks have written."""
    cut = [tuple(slice(at, at + length) for at, length in zip(*box, strict=True)) for box in boxes]
    return [(start, stored(whole[part].copy())) for (start, _), part in zip(boxes, cut, strict=True)]


@pytest.mark.full
@settings(max_examples=300, deadline=None, derandomize=True)
@given(tiled(), st.integers(1, 40), st.integers(1, 40))
def test_boxes_make_the_whole(found, at_a_time, piece):
    shape, boxes = found
    whole = np.arange(math.prod(shape), dtype="int32").reshape(shape)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranks, "_BOX", at_a_time)
        tensor = ranks.joined(parts_of(whole, boxes))
        assert (tensor.shape, tensor.dtype) == (shape, whole.dtype)
        counts = [min(piece, whole.size - first) for first in range(0, whole.size, piece)]
        pieces = list(tensor.pieces(iter(counts)))
    assert [one.size for one in pieces] == counts
    np.testing.assert_array_equal(np.concatenate(pieces), whole.ravel())


@pytest.mark.full
@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(st.tuples(*[st.integers(0, 3)] * 2, *[st.integers(1, 3)] * 2), min_size=1, max_size=5), tiled())
def test_boxes_that_tile_are_told_from_those_that_do_not(few, found):
    """Against a count of the boxes that each element lies in."""
    _, boxes = found
    for some in ([((a, b), (c, d)) for a, b, c, d in few], boxes, boxes[1:], [*boxes, boxes[0]]):
        if not some:
            continue
        shape = tuple(max(ends) for ends in zip(*[np.add(*box) for box in some], strict=True))
        there = np.zeros(shape, int)
        for start, size in some:
            there[tuple(slice(at, at + length) for at, length in zip(start, size, strict=True))] += 1
        parts = [(start, stored(np.zeros(size))) for start, size in some]
        if (there == 1).all():
            assert ranks.joined(parts).shape == shape
            continue
        first = [int(index) for index in np.argwhere(there != 1)[0]]
        what = "is missing" if there[tuple(first)] == 0 else "is there several times"
        with pytest.raises(InvalidValueError) as error:
            ranks.joined(parts)
        assert f"what begins at {first} {what}: fetch" in str(error.value)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ([([1, 0], WHOLE[1:])], r"begins at \[0, 0\] is missing"),
        ([([0, 0], WHOLE[:2]), ([4, 0], WHOLE[4:])], r"begins at \[2, 0\] is missing"),
        ([([0, 0], WHOLE[:3]), ([2, 0], WHOLE[2:])], r"begins at \[2, 0\] is there several times"),
        ([([0, 0], WHOLE[:, :1]), ([0, 2], WHOLE[:, 2:])], r"begins at \[0, 1\] is missing"),
        ([([0], WHOLE)], "wanted boxes of one tensor"),
        ([([0, 0], WHOLE[:3]), ([3, 0], WHOLE[3:].astype("f8"))], "'w' is float64 .*wanted boxes of one tensor"),
        ([([0, 0], WHOLE[:3]), ([3, 0, 0], WHOLE[3:, :, None])], "wanted boxes of one tensor"),
        ([("x", WHOLE)], "cannot be read"),
        ([([-1, 0], WHOLE)], "offsets are whole numbers"),
        ([([0.0, 0], WHOLE)], "offsets are whole numbers"),
        ([([10**400, 0], WHOLE)], "is missing"),
        ([([1] * 12, np.zeros([1] * 12))], "cut along 12 axes; wanted at most 8"),
    ],
)
def test_what_is_no_whole_tensor(tmp_path, parts, words):
    for read in (open_stored, read_parameters):
        with pytest.raises(InvalidValueError, match=words) as error:
            read(written(tmp_path, parts))
        assert len(str(error.value)) <= 500


def test_shapes_and_an_audit_read_the_same_boxes(tmp_path):
    parts = [([0, 0], WHOLE[:4, :2]), ([4, 0], WHOLE[4:, :2]), ([0, 2], WHOLE[:, 2:])]
    assert read_parameters(written(tmp_path, parts)) == [Parameter("w", (7, 3), "F32")]
    (piece,) = open_stored(tmp_path).tensors["w"].pieces([21])
    np.testing.assert_array_equal(piece.reshape(7, 3), WHOLE)


@pytest.mark.full
@pytest.mark.parametrize(
    ("mesh", "cuts"), [((3,), ["1"]), ((2, 2), ["0", "1"]), ((2, 2), ["1", "1"]), ((2, 2), ["r", "0"]), ((4,), ["2"])]
)
def test_what_torch_writes_on_several_ranks(tmp_path, capsys, mesh, cuts):
    """Cut along any axes, unevenly, and copied: the audit makes the whole again, and compares bits."""
    pytest.importorskip("torch", reason="torch is not installed")
    import torch_checkpoints
    from torch.distributed.tensor import Replicate, Shard

    import torch_ranks

    shapes = {"w": [31, 45], "conv.w": [7, 5, 3, 3], "bias": [3], "scale": []}
    header, whole, folder = tmp_path / "shapes.json", tmp_path / "whole.safetensors", tmp_path / "folder"
    header.write_text(json.dumps({name: {"dtype": "F32", "shape": shape} for name, shape in shapes.items()}))
    assert main(["init", str(header), "-o", str(whole), "--seed", "7", "--json"]) == 0
    placements = [Replicate() if cut == "r" else Shard(int(cut)) for cut in cuts]
    arguments = str(folder), str(whole), mesh, placements
    locals_of = torch_ranks.run(math.prod(mesh), torch_checkpoints.saved, *arguments)
    assert any(one["conv.w"] != shapes["conv.w"] for one in locals_of)
    capsys.readouterr()
    words = ["audit", str(folder), "--init", "normal", "--seed", "7"]
    assert main([*words, "--expect", "exact"]) == 0
    assert "exact: all 4 tensors are, bit for bit, normal" in capsys.readouterr().out
    assert sorted((one.name, list(one.shape)) for one in read_parameters(folder)) == sorted(shapes.items())
    file = next(path for path in sorted(folder.iterdir()) if "conv.w" in load_file(path))
    data = bytearray(file.read_bytes())
    data[data.rindex(load_file(file)["conv.w"].tobytes())] ^= 1
    file.write_bytes(data)
    assert main(words) == 1
    assert "conv.w: 1 of 315 elements differs" in capsys.readouterr().out


# ---- one file of several ----


@pytest.mark.parametrize("axis", [0, 1])
def test_the_file_of_one_rank_is_refused(tmp_path, capsys, axis):
    second = [0, 0]
    second[axis] = 2
    folder = written(tmp_path, [([0, 0], WHOLE.take([0, 1], axis)), (second, np.delete(WHOLE, [0, 1], axis))])
    for file in sorted(folder.iterdir()):
        for command in (["audit", file], ["plan", file], ["init", file, "-o", tmp_path / "out.npz"]):
            assert main([str(word) for word in command]) == 2
            assert (
                "holds the part of one of several ranks, and not the model: name the folder" in capsys.readouterr().err
            )
    assert not (tmp_path / "out.npz").exists()
    alone = tmp_path / "alone"
    alone.mkdir()
    written(alone, [([0, 0], WHOLE)])
    assert read_parameters(alone / "shard-00000.safetensors") == [Parameter("w", (7, 3), "F32")]


def test_a_word_of_others_is_no_rank(tmp_path):
    save_file({"w": WHOLE}, tmp_path / "a.safetensors", {"world": "8"})
    assert (
        open_stored(tmp_path / "a.safetensors").tensors["w"].shape == open_stored(tmp_path).tensors["w"].shape == (7, 3)
    )


@pytest.mark.full
@pytest.mark.parametrize("world", [1, 3, 8])
@pytest.mark.parametrize("law", ["normal", "kaiming_uniform", "sparse"])
def test_an_audit_of_what_ranks_have_written(tmp_path, capsys, world, law):
    shapes = {"w": [30, 20], "bias": [5], "empty": [0, 4], "scale": []}
    header = tmp_path / "shapes.json"
    header.write_text(json.dumps({name: {"dtype": "F32", "shape": shape} for name, shape in shapes.items()}))
    folder = tmp_path / "ranks"
    words = ["--init", law, *(["--sparsity", "0.5"] if law == "sparse" else []), "--seed", "7", "--json"]
    assert main(["init", str(header), "-o", str(folder), "--world", str(world), *words]) == 0
    capsys.readouterr()
    assert main(["audit", str(folder)]) == 0
    assert capsys.readouterr().out == f"exact: all 4 tensors are, bit for bit, {law}, seed 7\n"
    assert sorted((one.name, list(one.shape)) for one in read_parameters(folder)) == sorted(shapes.items())
    files = sorted(folder.glob("*.safetensors"))
    for file in files:  # whichever is missing, also where it holds no rows or the last
        if world > 1:
            file.rename(tmp_path / file.name)
            for command in ("audit", "plan"):
                assert main([command, str(folder)]) == 2
                assert f"{world - 1} files, and the model is cut over '{world}' ranks" in capsys.readouterr().err
                assert main([command, str(tmp_path / file.name)]) == 2
                assert f"holds the part of one of {world} ranks" in capsys.readouterr().err
            (tmp_path / file.name).rename(file)
    last = max(path for path in folder.glob("*.safetensors") if "w" in load_file(path))
    data = bytearray(last.read_bytes())
    data[data.rindex(load_file(last)["w"].tobytes())] ^= 1
    last.write_bytes(data)
    assert main(["audit", str(folder)]) == 1


# ---- what others write ----


@pytest.mark.parametrize("note", ["[" * 10**5, "{", "[]", '{"w": {}}', '{"w": {"saved_offsets": [Infinity, 0]}}'])
def test_a_note_that_cannot_be_read(tmp_path, note):
    save_file({"w": WHOLE}, tmp_path / "shard.safetensors", {SHARDING_INFO: note})
    for source in (tmp_path, tmp_path / "shard.safetensors"):
        with pytest.raises(InvalidValueError, match="cannot be read"):
            open_stored(source)


def test_the_world_of_somebody_else_says_nothing(tmp_path):
    save_file({"w": WHOLE}, tmp_path / "model.safetensors", {"world": "hello"})
    for source in (tmp_path, tmp_path / "model.safetensors"):
        assert list(open_stored(source).tensors) == ["w"]
