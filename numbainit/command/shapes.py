"""What was typed for shapes → parameters: a built-in model, or what lies on the disk."""

import argparse
import os

from numbainit.errors import InvalidValueError
from numbainit.files.headers import Parameter, parse_header
from numbainit.files.reading.shapes import read_parameters
from numbainit.recipes import models


def add_shapes(parser: argparse.ArgumentParser) -> None:
    """The argument."""
    parser.add_argument(
        "shapes",
        metavar="SHAPES",
        help=f"a built-in model ({', '.join(models.builtin_names())}), a .safetensors, .npz, .npy, .zarr or .pt file "
        "(only headers are read), a sharded checkpoint's index or folder, or a JSON header: "
        '{"name": {"dtype": "F32", "shape": [768, 2304]}, ...}',
    )


def read_shapes(shapes: str) -> list[Parameter]:
    """Built-in names come first: a file called gpt2 is ./gpt2."""
    if shapes in models.builtin_names():
        return parse_header(models.builtin_header(shapes), shapes)
    if os.path.lexists(shapes):
        return read_parameters(shapes)
    try:
        models.builtin_header(shapes)
    except InvalidValueError as error:
        raise InvalidValueError(f"no file and {error}") from None
    raise AssertionError("a built-in name appeared meanwhile")
