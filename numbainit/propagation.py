"""Widths, an initializer and a nonlinearity → how large a signal is, layer by layer, forward and backward.

Layer l computes x_l = f(W_l x_{l-1}), with biases of 0, from inputs that are N(0, 1); gradients start as N(0, 1) at the
last layer. Weights are those of ``Generator(seed).fold_in("layers.<l>.weight")``, made again on the way back, so that a
deep network needs the memory of one layer. Numbers only: :mod:`numbainit.pictures` draws them.

Glorot, Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010; He et al., "Delving
deep into rectifiers", 2015.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from numbainit.errors import InvalidTypeError, InvalidValueError, shown
from numbainit.generator import Generator, GeneratorLike, as_generator
from numbainit.init import normal_
from numbainit.initializers import Initializer
from numbainit.memory.dtypes import small_dtype
from numbainit.recipes.default import initializer
from numbainit.targets.cpu.launch import limited
from numbainit.weights.fans import NONLINEARITIES, calculate_gain
from numbainit.weights.gains import exact_gain
from numbainit.weights.nonlinearities import Nonlinearity
from numbainit.weights.nonlinearities import nonlinearity as named
from numbainit.weights.numbers import integer, is_text, real

DTYPES = ("float32", "float64", "float16", "bfloat16")
PADDINGS = {"circular": "wrap", "zeros": "constant"}
_EPSILON = 1e-5  # of the norm, torch's
_STEADY, _DRIFT, _EXPLODES = 1.6, 10.0, 1000.0  # largest by smallest std, then last by first

Step = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Flow:
    """Figures of a signal, one for each layer, in the order of ``layer``; of all elements of a batch.

    Attributes
    ----------
    layer : array of ints
    std, mean : arrays of float64
        Infinite or NaN where the signal is.
    dead : array of float64
        The share of units whose slope (of modules: whose output) is 0 for the whole batch; NaN where it is not known.
    overflow : array of float64
        The share of elements that are infinite or NaN.
    """

    layer: np.ndarray
    std: np.ndarray
    mean: np.ndarray
    dead: np.ndarray
    overflow: np.ndarray

    def as_list(self) -> list[dict[str, Any]]:
        """One dict a layer; what is not finite is None, as JSON wants it."""
        columns = ("std", "mean", "dead", "overflow")
        rows = zip(self.layer, *(getattr(self, column) for column in columns), strict=True)
        return [
            {"layer": int(layer)} | {key: finite_or_none(value) for key, value in zip(columns, values, strict=True)}
            for layer, *values in rows
        ]


@dataclass(frozen=True)
class Propagation:
    """What became of a signal.

    Attributes
    ----------
    forward : Flow
        Of activations, from layer 1 to the last.
    backward : Flow or None
        Of the gradient with respect to these activations; it runs from the last layer to the first.
    label : str
        What was measured, in words.
    names : tuple of str
        Of the layers, where they have some.
    """

    forward: Flow
    backward: Flow | None
    label: str
    names: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """One line: ``forward steady within 3 %; backward vanishes by 0.7 a layer``."""
        words = [f"forward {verdict(self.forward)}"]
        if self.backward is not None:
            words.append(f"backward {verdict(self.backward, reverse=True)}")
        return "; ".join(words)

    def as_dict(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        flows = {"forward": self.forward, "backward": self.backward}
        lists = {key: [] if flow is None else flow.as_list() for key, flow in flows.items()}
        for rows in lists.values() if self.names else ():
            for row, name in zip(rows, self.names, strict=True):
                row["name"] = name
        return {"label": self.label, "verdict": self.verdict, **lists}


def finite_or_none(value: float) -> float | None:
    """What JSON has a number for."""
    return float(value) if math.isfinite(value) else None


# ---- what the figures say ----


def rate(flow: Flow, *, reverse: bool = False) -> float:
    """The factor of the std from layer to layer, as far as it is finite and not 0.

    Examples
    --------
    >>> from numbainit.propagation import propagate, rate
    >>> flow = propagate([64] * 9, "normal", "linear", gain=1 / 0.02, generator=0).forward
    >>> 7.5 < rate(flow) < 8.5  # sqrt(64)
    True
    """
    stds = flow.std[::-1] if reverse else flow.std
    known = stds[: _first(~(np.isfinite(stds) & (stds > 0)))]
    if len(known) < 2:
        return math.inf if not np.isfinite(stds).all() else math.nan
    return math.exp(math.log(known[-1] / known[0]) / (len(known) - 1))


def verdict(flow: Flow, *, reverse: bool = False) -> str:
    """One line on a flow, which is read from the last layer to the first if ``reverse``.

    Examples
    --------
    >>> from numbainit.propagation import propagate, verdict
    >>> verdict(propagate([256] * 101, "normal", "linear", gain=1 / 0.02, generator=0).forward)
    'explodes by 16.0 a layer, inf at layer 32'
    """
    layers, stds, dead = (a[::-1] if reverse else a for a in (flow.layer, flow.std, flow.dead))
    factor = rate(flow, reverse=reverse)
    by = f"by {factor:#.3g} a layer" if math.isfinite(factor) else "at once"
    lost, gone = _first(~np.isfinite(stds)), _first(stds == 0)
    if lost is not None and (gone is None or lost < gone):
        what = "inf" if math.isinf(stds[lost]) else "NaN"
        return f"explodes {by}, {what} at layer {layers[lost]}" if lost else f"is {what} from layer {layers[0]} on"
    if gone is not None:
        return f"vanishes {by}, 0 at layer {layers[gone]}" if gone else f"is 0 from layer {layers[0]} on"
    worst = 100 * np.nanmax(dead, initial=0.0)
    note = f", up to {worst:.0f} % of the units dead" if worst >= 10 and not reverse else ""
    return _words(stds, by) + note


def _words(stds: np.ndarray, by: str) -> str:
    low, high, total, count = stds.min(), stds.max(), stds[-1] / stds[0], len(stds)
    if high / low < _STEADY:
        return f"steady within {math.ceil(100 * (math.sqrt(high / low) - 1))} %"
    if 1 / _DRIFT < total < _DRIFT:
        return f"drifts between {low:.2g} and {high:.2g} over {count} layers"
    if 1 / _EXPLODES < total < _EXPLODES:
        return f"{'grows' if total > 1 else 'shrinks'} {by}, to {total:.2g} times over {count} layers"
    return f"{'explodes' if total > 1 else 'vanishes'} {by}, to {total:.1e} times over {count} layers"


def _first(truths: np.ndarray) -> int | None:
    return int(truths.argmax()) if truths.any() else None


# ---- measuring ----


@dataclass(frozen=True)
class Network:
    """What is measured, checked: see :func:`propagate`."""

    widths: tuple[int, ...]
    initializer: Initializer
    factor: float
    nonlinearity: Nonlinearity
    kernel: int
    size: int
    padding: str
    skip: bool
    norm: bool
    dtype: np.dtype
    root: Generator

    @property
    def compute(self) -> np.dtype:
        """The dtype of sums: small floats are rounded after each operation."""
        return self.dtype if self.dtype.itemsize >= 4 else np.dtype("float32")

    def rounded(self, array: np.ndarray) -> np.ndarray:
        return array if self.dtype == self.compute else array.astype(self.dtype).astype(self.compute)

    def shape(self, layer: int) -> tuple[int, ...]:
        """Of the weight of a layer, counted from 1."""
        return (self.widths[layer], self.widths[layer - 1], *(self.kernel,) * (2 * bool(self.kernel)))

    def weight(self, layer: int) -> np.ndarray:
        array = _empty(self.shape(layer), self.compute)
        with limited(1):  # products come next, whose threads would wait for those of a fill to go to sleep
            self.initializer(array, self.root.fold_in(f"layers.{layer}.weight"))
        return self.rounded(array * self.compute.type(self.factor))

    def signal(self, name: str, batch: int, width: int) -> np.ndarray:
        array = _empty((batch, width, *(self.size,) * (2 * bool(self.kernel))), self.compute)
        return self.rounded(normal_(array, generator=self.root.fold_in(name)))

    @property
    def label(self) -> str:
        """One line for a title."""
        name, layers = self.initializer.name, len(self.widths) - 1
        shown = {key: value for key, value in self.initializer.arguments.items() if key in ("mode", "std", "a", "b")}
        shown = self.initializer.given | ({} if name.startswith("xavier") else shown)
        hidden = ("nonlinearity", "layout", *["a"] * name.startswith("kaiming"))
        given = ", ".join(f"{key}={value}" for key, value in shown.items() if key not in hidden)
        same = len(set(self.widths)) == 1
        width = f"of {self.widths[0]}" if same else "of " + "-".join(map(str, self.widths[:6])) + "…" * (layers > 5)
        parts = [f"{layers} {f'{self.kernel}x{self.kernel} convolutions' if self.kernel else 'layers'} {width}"]
        parts += [
            (f"{name}({given})" if given else name) + (f" x {self.factor:.4g}" if self.factor != 1 else ""),
            self.nonlinearity.name,
        ]
        parts += ["skip"] * self.skip + ["norm"] * self.norm + [self.dtype.name] * (self.dtype.name != "float32")
        return " · ".join(parts)


def propagate(
    widths: Iterable[int],
    init: str | Initializer = "kaiming_normal",
    nonlinearity: str = "relu",
    *,
    gain: "float | str | None" = None,
    param: float | None = None,
    kernel: int = 0,
    size: int = 8,
    padding: str = "circular",
    skip: bool = False,
    norm: bool = False,
    backward: bool = True,
    dtype: str = "float32",
    batch: "int | np.ndarray" = 256,
    generator: GeneratorLike = 0,
    **arguments: Any,
) -> Propagation:
    """Send a batch through a network that was just initialised, and gradients back.

    Parameters
    ----------
    widths : iterable of ints
        Of the input, and of each layer: ``[784, 512, 256]`` has two layers.
    init : str or Initializer
        Fills each weight (out, in). A name has the arguments of ``numbainit init``: std is 0.02 for ``normal``.
    nonlinearity : str
        After each layer: relu, tanh, gelu, ...
    gain : float or str, optional
        A factor of all weights: a number; "torch", :func:`numbainit.calculate_gain` of the nonlinearity; or "exact",
        :func:`numbainit.exact_gain`. By default torch's for kaiming by name (exact, where torch has none), else 1.
    param : float, optional
        The slope of leaky_relu, the alpha of elu.
    kernel, size, padding : int, int, {"circular", "zeros"}
        Convolutions of kernel x kernel (odd) over images of size x size; 0: linear layers.
    skip, norm : bool
        x_l = x_{l-1} + f(W_l x_{l-1}) where widths are equal; each layer sees its input after a layer norm.
    backward : bool
        Measure gradients too.
    dtype : {"float32", "float64", "float16", "bfloat16"}
        Of weights, activations and gradients; small floats are rounded after each operation, sums are float32.
    batch : int or array
        How many inputs of N(0, 1), or inputs of your own: (n, width), for convolutions (n, channels, size, size).
    generator : Generator, int, sequence of ints, SeedSequence, numpy.random.Generator
        Of weights, inputs and gradients.
    **arguments
        Of an initializer by name: ``mode="fan_out"``, ``std=1.0``, ...

    Returns
    -------
    Propagation
        With arrays of std, mean, dead units and overflow by layer, and a verdict.

    Raises
    ------
    InvalidValueError, InvalidTypeError
        Before anything is measured.

    Examples
    --------
    >>> import numbainit as init
    >>> found = init.propagate([256] * 51, "kaiming_normal", "relu", generator=0)
    >>> found.forward.std.shape, bool(0.3 < found.forward.std[-1] < 3)
    ((50,), True)
    """
    net = network(
        widths, init, nonlinearity, gain=gain, param=param, kernel=kernel, size=size, padding=padding, skip=skip,
        norm=norm, dtype=dtype, generator=generator, arguments=arguments,
    )  # fmt: skip
    signal = _inputs(net, batch)
    layers = range(1, len(net.widths))
    with np.errstate(all="ignore"):
        rows, slopes = [], []
        for layer in layers:
            signal, back, dead = _forward(net, layer, signal)
            rows.append((*moments(signal), dead))
            slopes.append(back)
        forward = flow(layers, rows)
        if not backward:
            return Propagation(forward, None, net.label)
        signal = net.signal("gradient", len(signal), net.widths[-1])
        rows = []
        for back, row in zip(reversed(slopes), reversed(forward.dead), strict=True):
            rows.append((*moments(signal), row))
            signal = back(signal)
    return Propagation(forward, flow(layers, rows[::-1]), net.label)


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
        raise InvalidValueError(
            f"widths are those of the input and of at least one layer, all >= 1, got {shown(sizes)}"
        )
    if norm and min(sizes[:-1]) == 1:
        raise InvalidValueError("a norm over a width of 1 leaves nothing but 0: leave out the norm, or widen the layer")
    kernel, size = integer("kernel", kernel), integer("size", size)
    if kernel and (kernel < 1 or kernel % 2 == 0):
        raise InvalidValueError(f"a kernel is odd, so that images keep their size, got {shown(kernel)}: try 3")
    if kernel > size:
        raise InvalidValueError(
            f"the kernel, {shown(kernel)}, must fit into the image, of size {shown(size)}: enlarge the size"
        )
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


def _empty(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    try:
        return np.empty(shape, dtype)
    except ValueError as error:
        raise InvalidValueError(f"a layer or a signal of shape {shown(shape)} cannot be: {error}") from None


def _inputs(net: Network, batch: "int | np.ndarray") -> np.ndarray:
    if isinstance(batch, (int, np.integer)):
        if batch < 2:
            raise InvalidValueError(f"batch is at least 2 inputs, got {shown(batch)}")
        return net.signal("input", int(batch), net.widths[0])
    try:
        array = np.asarray(batch)
        finite = np.isfinite(array.astype(np.float64)).all()
    except Exception:
        raise InvalidTypeError(f"batch is a number of inputs, or an array of them, got {shown(batch)}") from None
    wanted = (net.widths[0], *(net.size,) * (2 * bool(net.kernel)))
    if array.shape[1:] != wanted or not len(array):
        raise InvalidValueError(f"batch has shape {array.shape}, wanted (n, {', '.join(map(str, wanted))})")
    if not finite:
        raise InvalidValueError("batch holds NaN or infinities: clean the inputs, whatever the weights are")
    return net.rounded(array.astype(net.compute))


def _forward(net: Network, layer: int, signal: np.ndarray) -> tuple[np.ndarray, Step, float]:
    """The output of a layer, what takes a gradient back through it, and the share of its units that are dead."""
    seen, unnorm = _norm(net, signal) if net.norm else (signal, None)
    before = net.rounded(_linear(net, seen, net.weight(layer)))
    after, slope = net.rounded(net.nonlinearity.value(before)), net.nonlinearity.slope(before)
    joined = net.skip and after.shape == signal.shape
    units = (slope == 0).all(axis=tuple(axis for axis in range(slope.ndim) if axis != 1))

    def back(gradient: np.ndarray) -> np.ndarray:
        inner = net.rounded(_transposed(net, net.rounded(gradient * slope), net.weight(layer)))
        inner = inner if unnorm is None else net.rounded(unnorm(inner))
        return net.rounded(gradient + inner) if joined else inner

    return net.rounded(signal + after) if joined else after, back, float(units.mean())


def _norm(net: Network, signal: np.ndarray) -> tuple[np.ndarray, Step]:
    axes = tuple(range(1, signal.ndim))
    away = signal - signal.mean(axis=axes, keepdims=True)
    scale = 1.0 / np.sqrt(np.square(away).mean(axis=axes, keepdims=True) + net.compute.type(_EPSILON))
    normal = away * scale

    def back(gradient: np.ndarray) -> np.ndarray:
        along = (gradient * normal).mean(axis=axes, keepdims=True)
        return scale * (gradient - gradient.mean(axis=axes, keepdims=True) - normal * along)

    return net.rounded(normal), back


def _linear(net: Network, signal: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """``signal @ weight.T``, or a convolution that keeps the size."""
    if not net.kernel:
        return signal @ weight.T
    edge = net.kernel // 2
    padded = np.pad(signal, ((0, 0), (0, 0), (edge, edge), (edge, edge)), mode=PADDINGS[net.padding])  # type: ignore[call-overload]
    windows = np.lib.stride_tricks.sliding_window_view(padded, (net.kernel, net.kernel), axis=(2, 3))
    return np.ascontiguousarray(np.tensordot(windows, weight, axes=((1, 4, 5), (1, 2, 3))).transpose(0, 3, 1, 2))


def _transposed(net: Network, gradient: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The same with the transposed weight: a convolution with the kernel turned round."""
    return _linear(net, gradient, np.flip(weight, axis=tuple(range(2, weight.ndim))).swapaxes(0, 1))


def moments(signal: np.ndarray) -> tuple[float, float, float]:
    """Std and mean, in float64, and the share of elements that are not finite, of a batch."""
    finite = np.isfinite(signal)
    overflow = 1.0 - float(finite.mean())
    if overflow:
        what = math.inf if np.isinf(signal).any() else math.nan
        return what, what if math.isnan(what) else math.nan, overflow
    largest = float(np.abs(signal).max())
    if not largest:
        return 0.0, 0.0, 0.0
    scaled = signal.astype(np.float64) / largest  # squares of large float64 would overflow
    return float(scaled.std()) * largest, float(scaled.mean()) * largest, 0.0


def flow(layers: Sequence[int], rows: Sequence[tuple[float, float, float, float]]) -> Flow:
    """Rows of std, mean, overflow and dead → arrays."""
    std, mean, overflow, dead = np.array(rows, dtype=np.float64).reshape(-1, 4).T
    return Flow(np.asarray(layers), std, mean, dead, overflow)


# ---- more than one ----


def grid(
    inits: Sequence[str | Initializer], nonlinearities: Sequence[str], widths: Sequence[int], **keywords: Any
) -> list[list[Propagation]]:
    """Each initializer (rows) with each nonlinearity (columns): ``keywords`` are those of :func:`propagate`."""
    return [[propagate(widths, init, name, **keywords) for name in nonlinearities] for init in inits]


def sweep(over: str, values: Iterable[int], *, layers: int, width: int, **keywords: Any) -> list[Propagation]:
    """One network for each width, or each depth, with all else as :func:`propagate` takes it.

    Examples
    --------
    >>> from numbainit.propagation import sweep
    >>> [len(found.forward.std) for found in sweep("depth", [2, 5], layers=0, width=16)]
    [2, 5]
    """
    if over not in ("width", "depth"):
        raise InvalidValueError(f"a sweep goes over 'width' or 'depth', got {shown(over)}")
    return list(_swept(over, values, layers, width, keywords))


def _swept(over: str, values: Iterable[int], layers: int, width: int, keywords: dict) -> Iterator[Propagation]:
    for value in values:
        number = integer(f"a {over}", value)
        if number < 1:
            raise InvalidValueError(f"a {over} is at least 1, got {number}")
        shape = [number] * (layers + 1) if over == "width" else [width] * (number + 1)
        yield replace(propagate(shape, **keywords), names=())
