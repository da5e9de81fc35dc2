"""A law's name and its arguments → an array filled: what the adapters of JAX and Keras share.

Both name the axes of a weight last: (*receptive field, in, out). So where torch's layout is the default elsewhere, it
is theirs here.
"""

import contextlib
from typing import Any

import numpy as np

from numbainit import init
from numbainit.generator import GeneratorLike
from numbainit.weights.blocks import Block

DRAW_NOTHING = ("constant", "ones", "zeros", "eye", "dirac")


def channels_last(ndim: int) -> str:
    """The layout of JAX and Keras: the last two axes are inputs and outputs, those before the receptive field.

    Examples
    --------
    >>> from numbainit.adapters import channels_last
    >>> channels_last(2), channels_last(4)
    ('IO', 'XXIO')
    """
    return "X" * (ndim - 2) + "IO"


def plain(value: Any) -> Any:
    """A scalar of any array library as Python's own, which has a hash and can be written as JSON."""
    if isinstance(value, np.generic) or getattr(value, "shape", None) == ():
        with contextlib.suppress(NotImplementedError):  # a JAX key has axes and no number
            return value.item()
    return value


def fill(
    array: np.ndarray, law: str, arguments: dict[str, Any], generator: GeneratorLike, block: Block | None = None
) -> np.ndarray:
    """Call the in-place function ``law_``; a ``layout`` of None among the arguments means channels last."""
    keywords = dict(arguments)
    if keywords.get("layout", 0) is None:
        keywords["layout"] = channels_last(array.ndim)
    if block is not None:
        keywords["block"] = block
    if law not in DRAW_NOTHING:
        keywords["generator"] = generator
    return getattr(init, law + "_")(array, **keywords)
