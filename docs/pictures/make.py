"""The pages of docs/ → the pictures in them: each command of a page that ends in ``--plot``, for light and dark pages.

Run it from the root of a clone: ``python docs/pictures/make.py``, or with the name of a picture. ``audit`` is that of a
checkpoint with three faults, which is made here.
"""

import json
import re
import shlex
import sys
import tempfile
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from numbainit.command.cli import main

DOCS = Path(__file__).parents[1]


def commands() -> dict[str, list[str]]:
    """Of each picture."""
    text = "\n".join(page.read_text("utf-8") for page in sorted(DOCS.glob("*.md")))
    lines = re.findall(r"^\$ numbainit (.* --plot docs/pictures/(\S+)\.svg)$", text, re.MULTILINE)
    return {name: shlex.split(line) for line, name in lines}


def broken(folder: str) -> str:
    """A small GPT: one layer with the fans of a shard, one with NaN, one with a flipped bit."""
    path, shapes = f"{folder}/broken.safetensors", {}
    for layer in range(8):
        for name, shape in (
            ("attn.w", [256, 768]),
            ("up.w", [256, 1024]),
            ("down.w", [1024, 256]),
            ("down.bias", [256]),
        ):
            shapes[f"h.{layer}.{name}"] = {"dtype": "F32", "shape": shape}
    header = Path(folder, "shapes.json")
    header.write_text(json.dumps(shapes))
    main(["init", str(header), "-o", path, "--seed", "7", "--init", "xavier_normal", "--json"])
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    arrays = load_file(path)
    arrays["h.2.up.w"] *= np.float32(2)
    arrays["h.4.attn.w"][40:, 7] = np.nan
    arrays["h.6.down.w"].view("u4")[3, 5] ^= 1
    save_file(arrays, path, metadata)
    return path


def draw(name: str, words: list[str], wanted: int) -> None:
    """For both kinds of pages."""
    dark = [word.replace(f"{name}.svg", f"{name}-dark.svg") for word in words]
    if main(words) != wanted or main([*dark, "--dark"]) != wanted:
        sys.exit(f"{name}: failed")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        todo = {name: (words, 0) for name, words in commands().items()}
        todo["audit"] = (["audit", broken(folder), "--plot", "docs/pictures/audit.svg"], 1)
        for name, (words, wanted) in todo.items():
            if sys.argv[1:] in ([], [name]):
                draw(name, words, wanted)
