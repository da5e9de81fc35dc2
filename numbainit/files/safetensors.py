"""Parts of parameters → a safetensors file, written from its first byte to its last.

``safetensors.serialize_file`` wants every tensor in memory at once. Here the header comes first, then the tensors,
piece by piece as they are made: so a model of any size can be written, also into a pipe.
"""

from collections.abc import Iterable, Mapping

from numbainit.files.dense import Dense
from numbainit.files.layout import layout
from numbainit.files.pieces import Part


class Safetensors(Dense):
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
        super().__init__(layout(parts, metadata))
