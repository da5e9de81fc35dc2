"""Widths, an initializer and a nonlinearity → how large a signal is, layer by layer, forward and backward.

Layer l computes x_l = f(W_l x_{l-1}), with biases of 0, from inputs that are N(0, 1); gradients start as N(0, 1) at the
last layer. Weights are those of ``Generator(seed).fold_in("layers.<l>.weight")``, made again on the way back, so that a
deep network needs the memory of one layer. Numbers only: :mod:`numbainit.pictures` draws them.

Glorot, Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010; He et al., "Delving
deep into rectifiers", 2015.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from numbainit.generator import GeneratorLike
from numbainit.initializers import Initializer
from numbainit.propagation.asked import inputs, network
from numbainit.propagation.flows import flow, moments
from numbainit.propagation.layers import forward
from numbainit.propagation.result import Propagation


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
    dtype : {"float32", "float64", "float16", "bfloat16"}, or short: "f32", ...
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
    signal = inputs(net, batch)
    layers = range(1, len(net.widths))
    with np.errstate(all="ignore"):
        rows, slopes = [], []
        for layer in layers:
            signal, back, dead = forward(net, layer, signal)
            rows.append((*moments(signal), dead))
            slopes += [back] * backward  # which hold the slopes of all layers
        seen = flow(layers, rows)
        if not backward:
            return Propagation(seen, None, net.label)
        signal = net.signal("gradient", len(signal), net.widths[-1])
        rows = []
        for back, row in zip(reversed(slopes), reversed(seen.dead), strict=True):
            rows.append((*moments(signal), row))
            signal = back(signal)
    return Propagation(seen, flow(layers, rows[::-1]), net.label)
