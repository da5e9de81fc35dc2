"""Parts of parameters → the first bytes of a safetensors file, and the order of its tensors.

Format: https://github.com/huggingface/safetensors (8 bytes of little-endian length, a JSON header, the tensors).
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from numbainit.errors import InvalidValueError
from numbainit.files import dtypes
from numbainit.files.headers import LARGEST_FILE, LARGEST_HEADER, LENGTH, METADATA, named
from numbainit.files.pieces import Part


class Layout(NamedTuple):
    """What a file holds: its first bytes, then these parts without a gap; and its size."""

    head: bytes
    parts: list[Part]
    size: int

    def starts(self) -> dict[str, int]:
        """Where the bytes of each part begin in the file."""
        starts, at = {}, len(self.head)
        for part in self.parts:
            starts[part.name] = at
            at += part.nbytes
        return starts


def layout(parts: Iterable[Part], metadata: Mapping[str, str]) -> Layout:
    """The layout of a safetensors file.

    Wide dtypes come first, as in the format's own writer: then every tensor is aligned without a gap, and the format
    allows none.

    Raises
    ------
    InvalidValueError
        Two parts of one name, a header longer than the format allows, a file of 2^63 bytes.
    """
    header: dict[str, Any] = {METADATA: dict(metadata)} if metadata else {}
    ordered = sorted(parts, key=lambda part: -dtypes.itemsize(part.of.dtype))
    end = 0
    for part in ordered:
        if part.name in header or part.name == METADATA:
            raise InvalidValueError(f"the name {named(part.name)} is taken; wanted unique names: rename the parameter")
        start, end = end, end + part.nbytes
        header[part.name] = {"dtype": part.of.dtype, "shape": part.shape, "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % LENGTH)
    if len(text) > LARGEST_HEADER:
        raise InvalidValueError(
            f"the header takes {len(text):,} bytes; the format allows {LARGEST_HEADER:,}: split the model"
        )
    if LENGTH + len(text) + end >= LARGEST_FILE:
        raise InvalidValueError(
            f"the parameters take {end:,} bytes together; wanted fewer than 2^63: correct the shapes"
        )
    head = len(text).to_bytes(LENGTH, "little") + text
    return Layout(head, ordered, len(head) + end)
