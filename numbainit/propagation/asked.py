"""What a user asks for → the network, and the inputs, with all that was asked checked."""

import itertools
import math
import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from numbainit.errors import InvalidTypeError, InvalidValueError, shown
from numbainit.generator import GeneratorLike, as_generator
from numbainit.initializers import Initializer
from numbainit.memory.dtypes import SHORT, dtype_named, is_small
from numbainit.propagation.layers import PADDINGS
from numbainit.propagation.networks import Network
from numbainit.recipes.default import initializer
from numbainit.weights.fans import NONLINEARITIES, calculate_gain
from numbainit.weights.gains import exact_gain
from numbainit.weights.nonlinearities import nonlinearity as named
from numbainit.weights.numbers import integer, is_text, real

_MOST = 1 << 40  # of a width, a side, a batch
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
    sizes = tuple(count("a width", width) for width in widths)
    if len(sizes) < 2 or min(sizes) < 1:
        raise InvalidValueError(
            f"widths are those of the input and of at least one layer, all >= 1, got {shown(sizes)}"
        )
    if norm and min(sizes[:-1]) == 1:
        raise InvalidValueError("a norm over a width of 1 leaves nothing but 0: leave out the norm, or widen the layer")
    kernel, size = count("kernel", kernel), count("size", size)
    if kernel and (kernel < 1 or kernel % 2 == 0):
        raise InvalidValueError(f"a kernel is odd, so that images keep their size, got {kernel}: try {abs(kernel) | 1}")
    if kernel > size:
        raise InvalidValueError(f"the kernel, {kernel}, must fit into the image, of size {size}: enlarge the size")
    if not is_text(padding) or padding not in PADDINGS:
        raise InvalidValueError(f"padding is one of {', '.join(PADDINGS)}, got {shown(padding)}")
    if not is_text(dtype) or SHORT.get(dtype, dtype) not in DTYPES:
        raise InvalidValueError(f"dtype is one of {', '.join(DTYPES)}, got {shown(dtype)}")
    found, chosen = named(nonlinearity, param), _initializer(init, arguments)
    factor = _factor(init, gain, found.name, param)
    form, root = dtype_named(dtype), as_generator(generator)
    return Network(sizes, chosen, factor, found, kernel, size, padding, bool(skip), bool(norm), form, root)


def count(name: str, value: Any) -> int:
    """A whole number that can be said; what memory has room for is asked later."""
    number = integer(name, value)
    if abs(number) > _MOST:
        raise InvalidValueError(f"{name} is at most 2^40, got {shown(number)}: take a smaller one")
    return number


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
        factor = real("gain", gain)
        if not math.isfinite(factor):
            raise InvalidValueError(f"gain must be finite, got {factor}: leave it out, or take a number")
        return factor
    if gain not in ("torch", "exact"):
        raise InvalidValueError(f"gain is a number, 'torch' or 'exact', got {shown(gain)}")
    return calculate_gain(name, param) if gain == "torch" else exact_gain(name, param)


def inputs(net: Network, batch: "int | np.ndarray") -> np.ndarray:
    """A batch, drawn or the user's own, if the memory is enough for it and for the layers."""
    if isinstance(batch, (int, np.integer)):
        number = count("batch", batch)
        if number < 2:
            raise InvalidValueError(f"batch is at least 2 inputs, got {number}")
        _check_memory(net, number)
        return net.signal("input", number, net.widths[0])
    array = _array(batch)
    wanted = (net.widths[0], *(net.size,) * (2 * bool(net.kernel)))
    if array.shape[1:] != wanted or not len(array):
        raise InvalidValueError(f"batch has shape {array.shape}, wanted (n, {', '.join(map(str, wanted))})")
    _check_memory(net, len(array))
    with np.errstate(over="ignore", invalid="ignore"):
        found = net.rounded(array.astype(net.compute))
    if not np.isfinite(found).all():
        raise InvalidValueError(f"batch holds NaN or infinities in {net.dtype.name}: clean the inputs, or scale them")
    return found


def _array(batch: Any) -> np.ndarray:
    try:
        array = np.asarray(batch)
    except ValueError as error:
        raise InvalidValueError(f"batch is no array ({error}): pass rows of equal lengths") from None
    except Exception:  # of what only looks like an array
        raise InvalidTypeError(f"batch is a number of inputs, or an array of them, got {shown(batch)}") from None
    if array.dtype.kind not in "biuf" and not is_small(array.dtype):
        raise InvalidTypeError(f"batch is a number of inputs, or an array of real numbers, got {array.dtype}")
    return array


def _check_memory(net: Network, batch: int) -> None:
    """Raise if layers need more than the machine has; where that cannot be asked, arrays find out."""
    images = net.size**2 if net.kernel else 1
    taps = net.kernel**2 if net.kernel else 1
    weights = max(first * second for first, second in itertools.pairwise(net.widths)) * taps
    need = (2 * weights + batch * images * max(net.widths) * max(taps, 3)) * net.compute.itemsize
    have = _memory()
    if need > have:
        raise InvalidValueError(
            f"layers of up to {max(net.widths):,} for {batch:,} inputs need {need / 2**30:,.0f} GiB, and this machine "
            f"has {have / 2**30:,.0f}: take smaller widths, images or batches"
        )


def _memory() -> float:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows
        return math.inf
