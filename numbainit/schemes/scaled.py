"""A weight, its fans and a rule → the weight filled: each split by a law around zero whose width follows from its fans.

A rule (Glorot's, He's, or the variance scaling of JAX and Keras, of which others are cases) gives each split a standard
deviation. Laws and splits are remembered, since the same few weights are asked for again and again.
"""

import functools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from numbainit.errors import InvalidValueError, NumbaInitError, shown, warn_user
from numbainit.fill import fill, fill_splits, run
from numbainit.generator import GeneratorLike
from numbainit.memory.arrays import Array, view_at
from numbainit.memory.sharded import boxes_of
from numbainit.targets.choose import choose
from numbainit.targets.target import Filling
from numbainit.weights import laws
from numbainit.weights.blocks import Block, whole_block, whole_shape
from numbainit.weights.fans import calculate_gain, checked_mode
from numbainit.weights.laws import Law
from numbainit.weights.layouts import LayoutLike, Split, as_layout, axes_by_kind, splits_of
from numbainit.weights.numbers import integer, one_of, real

ByWidth = Callable[[float, np.dtype], Law]  # a standard deviation → a law around zero
Splits = tuple[tuple[Split, Law], ...]


def fill_xavier(
    array: Array, gain: float, law: ByWidth, generator: GeneratorLike, block: Block | None, layout: LayoutLike
) -> None:
    shape = array.shape if block is None else whole_shape(array.shape, block)
    if type(gain) is not float and type(gain) is not int:  # what is remembered must not change
        gain = real("gain", gain)
    _fill_scaled(array, _xavier(law, array.dtype, layout, shape, gain), generator, block)


def fill_kaiming(
    array: Array,
    rule: tuple[float, str, str],
    law: ByWidth,
    generator: GeneratorLike,
    block: Block | None,
    layout: LayoutLike,
) -> None:
    shape = array.shape if block is None else whole_shape(array.shape, block)
    if 0 in shape:
        warn_user("Initializing zero-element tensors is a no-op", UserWarning)
        fill(array, law(0.0, array.dtype), generator, block)
    else:
        _fill_scaled(array, _kaiming(law, array.dtype, layout, shape, *rule), generator, block)


def fill_variance_scaling(
    array: Array,
    rule: tuple[float, str, str],
    generator: GeneratorLike,
    block: Block | None,
    layout: LayoutLike,
) -> None:
    """``rule`` is a scale, a mode and a distribution."""
    shape = array.shape if block is None else whole_shape(array.shape, block)
    _fill_scaled(array, variance_scaling(array.dtype, layout, shape, *rule), generator, block)


def fill_sine(
    array: Array, layer: str, omega: float, generator: GeneratorLike, block: Block | None, layout: LayoutLike
) -> None:
    shape = array.shape if block is None else whole_shape(array.shape, block)
    _fill_scaled(array, _sine(array.dtype, layout, shape, layer, omega), generator, block)


def fill_icnr(
    array: Array,
    upscale: int,
    rule: tuple[float, str, str],
    shuffle: str,
    generator: GeneratorLike,
    block: Block | None,
    layout: LayoutLike,
) -> None:
    """Sub-kernels that are all the same: each is filled for one draw, as one array of its own."""
    whole = whole_shape(array.shape, block)
    _, outputs, _, receptive = axes_by_kind(layout, len(whole))
    if len(outputs) != 1 or not receptive or not isinstance(as_layout(layout).splits, int):
        raise InvalidValueError(
            "icnr_ takes a convolution's kernel with one axis of outputs, without splits of unequal sizes, got shape "
            f"{whole}, layout {shown(layout)}"
        )
    (axis,), factor = outputs, integer("upscale", upscale)
    if factor < 1 or whole[axis] % factor ** len(receptive):
        raise InvalidValueError(
            f"icnr_ takes upscale ** {len(receptive)} sub-kernels, one for each axis that is enlarged, out of the "
            f"outputs: got upscale={shown(factor)} for {whole[axis]} outputs of shape {whole}, layout {shown(layout)}"
        )
    apart = one_of("shuffle", shuffle, ("pixel_shuffle", "depth_to_space")) == "pixel_shuffle"
    count = factor ** len(receptive)
    base = _with(whole, axis, whole[axis] // count)
    ((_, law),) = variance_scaling(array.dtype, layout, base, *rule)
    fillings: list[Filling] = []
    for box, within in boxes_of(array, block):
        fillings += _sub_kernels(box, whole_block(box.shape, within), base, axis, apart, law)
    run(fillings, generator)


def _sub_kernels(
    array: Array, part: Block, base: tuple[int, ...], axis: int, apart: bool, law: Law
) -> Iterator[Filling]:
    """What fills the sub-kernels of a part, each with the values of a kernel with the shape ``base``.

    Channel c of sub-kernel s is output ``c times + s`` where they are ``apart``, else ``s channels + c``.
    """
    channels = base[axis]
    times = part.shape[axis] // max(channels, 1)
    for number in range(times if array.size else 0):
        first, step = (number, times) if apart else (number * channels, 1)
        begin, end = (
            min(max(-((first - bound) // step), 0), channels)
            for bound in (part.start[axis], part.start[axis] + array.shape[axis])
        )
        if begin < end:
            index = _with((0,) * array.ndim, axis, first + begin * step - part.start[axis])
            strides = _with(array.strides, axis, array.strides[axis] * step)
            kernel = view_at(array, index, _with(array.shape, axis, end - begin), strides)
            yield choose(kernel).filling(kernel, law, Block(base, _with(part.start, axis, begin)))


def _with(numbers: tuple[int, ...], axis: int, number: int) -> tuple[int, ...]:
    """The same numbers, but for one axis."""
    return (*numbers[:axis], number, *numbers[axis + 1 :])


def _remembered(function: Callable[..., Splits]) -> Callable[..., Splits]:
    """A cache that steps aside for arguments that have no hash: what is wrong with them is the function's to say."""
    cached = functools.lru_cache(maxsize=512, typed=True)(function)

    def call(*arguments: Any) -> Splits:
        try:
            return cached(*arguments)
        except NumbaInitError:  # the function has said it
            raise
        except Exception:  # no hash, or one that raises what it likes
            pass
        return function(*arguments)

    return call


@_remembered
def _xavier(law: ByWidth, dtype: np.dtype, layout: LayoutLike, shape: tuple[int, ...], gain: float) -> Splits:
    """The splits of a weight, each with its law."""
    splits = splits_of(layout, shape)
    factor = laws.standard_deviation(gain, dtype, "gain")
    totals = [max(split.fan_in + split.fan_out, 1) for split in splits]  # no elements where both are 0
    pairs = zip(splits, totals, strict=True)
    return tuple((split, law(factor * math.sqrt(2.0 / total), dtype)) for split, total in pairs)


@_remembered
def _kaiming(
    law: ByWidth,
    dtype: np.dtype,
    layout: LayoutLike,
    shape: tuple[int, ...],
    slope: float,
    mode: str,
    nonlinearity: str,
) -> Splits:
    """The splits of a weight, each with its law."""
    name, splits = checked_mode(mode), splits_of(layout, shape)
    gain = calculate_gain(nonlinearity, slope)
    fans = [split.fan_in if name == "fan_in" else split.fan_out for split in splits]
    return tuple((split, law(gain / math.sqrt(fan), dtype)) for split, fan in zip(splits, fans, strict=True))


_WIDTHS: dict[str, ByWidth] = {
    "truncated_normal": laws.centred_trunc_normal,
    "normal": laws.centred_normal,
    "untruncated_normal": laws.centred_normal,  # as Keras calls it
    "uniform": laws.centred_uniform,
}
_FANS: dict[str, Callable[[Split], float]] = {
    "fan_in": lambda split: split.fan_in,
    "fan_out": lambda split: split.fan_out,
    "fan_avg": lambda split: (split.fan_in + split.fan_out) / 2.0,
    "fan_geo_avg": lambda split: math.sqrt(split.fan_in * split.fan_out),
}


def is_truncated(distribution: str) -> bool:
    """Whether a distribution of variance scaling is that which complex arrays have not."""
    return one_of("distribution", distribution, _WIDTHS) == "truncated_normal"


@_remembered
def variance_scaling(
    dtype: np.dtype, layout: LayoutLike, shape: tuple[int, ...], scale: float, mode: str, distribution: str
) -> Splits:
    """The splits of a weight, each with a law of variance ``scale / fan``."""
    law, fan = _WIDTHS[one_of("distribution", distribution, _WIDTHS)], _FANS[checked_mode(mode, tuple(_FANS))]
    factor = laws.standard_deviation(scale, dtype, "scale")
    return tuple(
        (split, law(math.sqrt(factor / max(fan(split), 1.0)), dtype)) for split in splits_of(layout, shape)
    )  # fans of 0: no elements


@_remembered
def _sine(dtype: np.dtype, layout: LayoutLike, shape: tuple[int, ...], layer: str, omega: float) -> Splits:
    """The splits of a weight of a SIREN, each with its law."""
    first, frequency = one_of("layer", layer, ("first", "hidden")) == "first", real("omega", omega)
    if not 0.0 < frequency < math.inf:
        raise InvalidValueError(f"omega, the frequency that a layer's sine is taken at, is > 0, got {frequency}")
    made = []
    for split in splits_of(layout, shape):
        fan = max(split.fan_in, 1)
        bound = 1.0 / fan if first else math.sqrt(6.0 / fan) / frequency
        made.append((split, laws.centred_uniform(bound / math.sqrt(3.0), dtype)))
    return tuple(made)


def _fill_scaled(array: Array, splits: Splits, generator: GeneratorLike, block: Block | None) -> None:
    """Each split with its law; there is but one, unless projections of unequal sizes are fused."""
    if len(splits) == 1:
        fill(array, splits[0][1], generator, block)
    else:
        fill_splits(array, splits, generator, block)
