"""A small checkpoint, made by ``numbainit init``, and what changes it."""

import json

import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from numbainit.command import cli

SHAPES = {f"h.{n}.{name}": shape for n in range(3) for name, shape in (("w", [96, 64]), ("bias", [96]))}
SHAPES |= {"conv.weight": [32, 16, 3, 3], "norm.weight": [64], "norm.num_batches_tracked": []}


class Checkpoint:
    """A file, its arrays and its metadata."""

    def __init__(self, folder, *words):
        dtypes = {name: "I64" if "num" in name else "F32" for name in SHAPES}
        self.folder, self.path = folder, folder / "made.safetensors"
        header = folder / "shapes.json"
        header.write_text(json.dumps({name: {"dtype": dtypes[name], "shape": SHAPES[name]} for name in SHAPES}))
        assert cli.main(["init", str(header), "-o", str(self.path), "--seed", "7", "--json", *words]) == 0
        self.arrays = load_file(self.path)
        with safe_open(self.path, framework="numpy") as file:
            self.metadata = file.metadata()

    def changed(self, arrays=None, metadata=None, **meta):
        """The path of a copy in which some arrays, or words of the metadata, are others."""
        path = self.folder / "changed.safetensors"
        save_file({**self.arrays, **(arrays or {})}, path, {**self.metadata, **meta} if metadata is None else metadata)
        return path


@pytest.fixture
def made(tmp_path, capsys):
    checkpoint = Checkpoint(tmp_path)
    capsys.readouterr()
    return checkpoint


@pytest.fixture
def make(tmp_path, capsys):
    """Checkpoints by other options."""

    def other(*words):
        checkpoint = Checkpoint(tmp_path, *words)
        capsys.readouterr()
        return checkpoint

    return other
