"""Rows in the files of ranks → the whole tensors, against files that were written by hand and by numbainit init."""

import itertools
import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from numbainit.command.cli import main
from numbainit.errors import InvalidValueError
from numbainit.files.sharded import SHARDING_INFO
from numbainit.files.stored import open_stored

WHOLE = np.arange(7 * 3, dtype="float32").reshape(7, 3)


def written(folder, parts):
    """A file for each list of (first row, rows)."""
    for at, (start, rows) in enumerate(parts):
        note = {SHARDING_INFO: json.dumps({"w": {"saved_offsets": start}})}
        save_file({"w": np.ascontiguousarray(rows)}, folder / f"shard-{at:05d}.safetensors", note)
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


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ([([1, 0], WHOLE[1:])], "missing before"),
        ([([0, 0], WHOLE[:2]), ([4, 0], WHOLE[4:])], "missing before"),
        ([([0, 0], WHOLE[:3]), ([2, 0], WHOLE[2:])], "other files too"),
        ([([0, 0], WHOLE[:, :2]), ([0, 2], WHOLE[:, 2:])], "another axis"),
        ([([0], WHOLE)], "another axis"),
        ([("x", WHOLE)], "cannot be read"),
    ],
)
def test_what_is_no_whole_tensor(tmp_path, parts, words):
    with pytest.raises(InvalidValueError, match=words):
        open_stored(written(tmp_path, parts))


def test_the_file_of_one_rank_is_refused(tmp_path):
    folder = written(tmp_path, [([0, 0], WHOLE[:3]), ([3, 0], WHOLE[3:])])
    for file in folder.iterdir():
        with pytest.raises(InvalidValueError, match="rows of one rank: audit the folder"):
            open_stored(file)


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
    files = sorted(folder.glob("*.safetensors"))
    for file in files:  # whichever is missing, also where it holds no rows or the last
        if world > 1:
            file.rename(tmp_path / file.name)
            assert main(["audit", str(folder)]) == 2
            assert f"{world - 1} files, and the model is cut over '{world}' ranks" in capsys.readouterr().err
            assert main(["audit", str(tmp_path / file.name)]) == 2
            assert "holds" in capsys.readouterr().err
            (tmp_path / file.name).rename(file)
    last = max(path for path in folder.glob("*.safetensors") if "w" in load_file(path))
    data = bytearray(last.read_bytes())
    data[data.rindex(load_file(last)["w"].tobytes())] ^= 1
    last.write_bytes(data)
    assert main(["audit", str(folder)]) == 1
