"""What a user asks for → the network, and the inputs, with all that was asked checked."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from numbainit.errors import InvalidTypeError, InvalidValueError, shown
from numbainit.generator import GeneratorLike, as_generator
from numbainit.initializers import Initializer
from numbainit.memory.dtypes import small_dtype
from numbainit.propagation.layers import PADDINGS
from numbainit.propagation.networks import Network
from numbainit.recipes.default import initializer
from numbainit.weights.fans import NONLINEARITIES, calculate_gain
from numbainit.weights.gains import exact_gain
from numbainit.weights.nonlinearities import nonlinearity as named
from numbainit.weights.numbers import integer, is_text, real

DTYPES = ("float32", "float64", "float16", "bfloat16")


def network(
    widths: Iterable[int],
    init: str | Initializer,
    nonlinearity: str,
    *,
    gain: "float | str | None",
    param: float | None,
    kernel: int,
    size: int,
    padding: str,
    skip: bool,
    norm: bool,
    dtype: str,
    generator: GeneratorLike,
    arguments: Mapping[str, Any],
) -> Network:
    """The arguments of :func:`propagate`, checked."""
    if not issubclass(type(widths), Iterable) or getattr(widths, "ndim", 1) == 0:
        raise InvalidTypeError(f"widths is a list of widths, got {shown(widths)}: pass [256] * 101 for 100 layers")
    sizes = tuple(integer("a width", width) for width in widths)
    if len(sizes) < 2 or min(sizes) < 1:
        raise InvalidValueError(f"widths are those of the input and of at least one layer, all >= 1, got {list(sizes)}")
    if norm and min(sizes[:-1]) == 1:
        raise InvalidValueError("a norm over a width of 1 leaves nothing but 0: leave out the norm, or widen the layer")
    if kernel and (kernel < 1 or kernel % 2 == 0):
        raise InvalidValueError(f"a kernel is odd, so that images keep their size, got {kernel}: try {kernel + 1}")
    if kernel > size:
        raise InvalidValueError(f"the kernel, {kernel}, must fit into the image, of size {size}: enlarge the size")
    if not is_text(padding) or padding not in PADDINGS:
        raise InvalidValueError(f"padding is one of {', '.join(PADDINGS)}, got {shown(padding)}")
    if not is_text(dtype) or dtype not in DTYPES:
        raise InvalidValueError(f"dtype is one of {', '.join(DTYPES)}, got {shown(dtype)}")
    found, chosen = named(nonlinearity, param), _initializer(init, arguments)
    factor = _factor(init, gain, found.name, param)
    form = small_dtype(dtype) if dtype == "bfloat16" else np.dtype(dtype)
    root = as_generator(generator)
    return Network(sizes, chosen, factor, found, kernel, size, padding, bool(skip), bool(norm), form, root)


def _initializer(init: str | Initializer, arguments: Mapping[str, Any]) -> Initializer:
    """A name is scaled by :func:`_factor`: kaiming has no gain of its own here."""
    if isinstance(init, Initializer) and not arguments:
        return init
    if not is_text(init):
        got = f"{type(init).__name__} {shown(init)}" + (f" and {', '.join(arguments)}" if arguments else "")
        raise InvalidTypeError(f"init is a name with its arguments, or a numbainit.Initializer, got {got}")
    scaled = init.startswith("kaiming")
    if scaled and "a" in arguments:
        raise InvalidValueError("the slope of leaky_relu is param here, for the network and its weights: not a")
    return initializer(init, **arguments, **{"nonlinearity": "linear"} if scaled else {})


def _factor(init: str | Initializer, gain: "float | str | None", name: str, param: float | None) -> float:
    """What all weights are multiplied by."""
    if gain is None and isinstance(init, str) and init.startswith("kaiming"):
        gain = "torch" if name in NONLINEARITIES else "exact"
    if gain is None:
        return 1.0
    if not is_text(gain):
        return real("gain", gain)
    if gain not in ("torch", "exact"):
        raise InvalidValueError(f"gain is a number, 'torch' or 'exact', got {shown(gain)}")
    return calculate_gain(name, param) if gain == "torch" else exact_gain(name, param)


def inputs(net: Network, batch: "int | np.ndarray") -> np.ndarray:
    if isinstance(batch, (int, np.integer)):
        if batch < 2:
            raise InvalidValueError(f"batch is at least 2 inputs, got {batch}")
        return net.signal("input", int(batch), net.widths[0])
    array = np.asarray(batch)
    wanted = (net.widths[0], *(net.size,) * (2 * bool(net.kernel)))
    if array.shape[1:] != wanted or not len(array):
        raise InvalidValueError(f"batch has shape {array.shape}, wanted (n, {', '.join(map(str, wanted))})")
    if not np.isfinite(array.astype(np.float64)).all():
        raise InvalidValueError("batch holds NaN or infinities: clean the inputs, whatever the weights are")
    return net.rounded(array.astype(net.compute))
