"""Parts of parameters → a safetensors file, written from its first byte to its last.

``safetensors.serialize_file`` wants every tensor in memory at once. Here the header comes first, then the tensors,
piece by piece as they are made: so a model of any size can be written, also into a pipe.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np

from numbainit.files.filling import Write
from numbainit.files.layout import Layout, layout
from numbainit.files.pieces import Part, Piece


class Safetensors:
    """The format, for these parts: its ``order`` of them, its ``size``, and how it is written.

    Examples
    --------
    >>> import io
    >>> from numbainit.files.headers import Parameter
    >>> from numbainit.files.pieces import whole
    >>> from numbainit.files.safetensors import Safetensors
    >>> found = Safetensors([whole(Parameter("b", (3,), "BF16")), whole(Parameter("w", (2, 3), "F32"))], {})
    >>> [part.name for part in found.order], found.size
    (['w', 'b'], 158)
    """

    def __init__(self, parts: Iterable[Part], metadata: Mapping[str, str]) -> None:
        self.layout: Layout = layout(parts, metadata)
        self.order, self.size = self.layout.parts, self.layout.size

    @contextmanager
    def writing(self, file: BinaryIO) -> Iterator[Write]:
        """What takes the pieces, in order."""
        file.write(self.layout.head)

        def write(piece: Piece, array: np.ndarray, found: Any) -> None:
            file.write(bytes_of(array))

        yield write


def bytes_of(array: np.ndarray) -> memoryview:
    """The memory of a contiguous array; of a dtype without a buffer, too."""
    return array.reshape(-1).view(np.uint8).data
