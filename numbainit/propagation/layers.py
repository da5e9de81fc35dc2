"""A signal and a layer → what comes out, and what takes a gradient back through it."""

from collections.abc import Callable

import numpy as np

from numbainit.propagation.networks import Network

PADDINGS = {"circular": "wrap", "zeros": "constant"}
_EPSILON = 1e-5  # of the norm, torch's

Step = Callable[[np.ndarray], np.ndarray]


def forward(net: Network, layer: int, signal: np.ndarray) -> tuple[np.ndarray, Step, float]:
    """The output of a layer, what takes a gradient back through it, and the share of its units that are dead."""
    seen, unnorm = norm(net, signal) if net.norm else (signal, None)
    before = net.rounded(linear(net, seen, net.weight(layer)))
    after, slope = net.rounded(net.nonlinearity.value(before)), net.nonlinearity.slope(before)
    joined = net.skip and after.shape == signal.shape
    units = (slope == 0).all(axis=tuple(axis for axis in range(slope.ndim) if axis != 1))

    def back(gradient: np.ndarray) -> np.ndarray:
        inner = net.rounded(transposed(net, net.rounded(gradient * slope), net.weight(layer)))
        inner = inner if unnorm is None else net.rounded(unnorm(inner))
        return net.rounded(gradient + inner) if joined else inner

    return net.rounded(signal + after) if joined else after, back, float(units.mean())


def norm(net: Network, signal: np.ndarray) -> tuple[np.ndarray, Step]:
    axes = tuple(range(1, signal.ndim))
    away = signal - signal.mean(axis=axes, keepdims=True)
    scale = 1.0 / np.sqrt(np.square(away).mean(axis=axes, keepdims=True) + net.compute.type(_EPSILON))
    normal = away * scale

    def back(gradient: np.ndarray) -> np.ndarray:
        along = (gradient * normal).mean(axis=axes, keepdims=True)
        return scale * (gradient - gradient.mean(axis=axes, keepdims=True) - normal * along)

    return net.rounded(normal), back


def linear(net: Network, signal: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """``signal @ weight.T``, or a convolution that keeps the size."""
    if not net.kernel:
        return signal @ weight.T
    edge = net.kernel // 2
    padded = np.pad(signal, ((0, 0), (0, 0), (edge, edge), (edge, edge)), mode=PADDINGS[net.padding])  # type: ignore[call-overload]
    windows = np.lib.stride_tricks.sliding_window_view(padded, (net.kernel, net.kernel), axis=(2, 3))
    return np.ascontiguousarray(np.tensordot(windows, weight, axes=((1, 4, 5), (1, 2, 3))).transpose(0, 3, 1, 2))


def transposed(net: Network, gradient: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The same with the transposed weight: a convolution with the kernel turned round."""
    return linear(net, gradient, np.flip(weight, axis=tuple(range(2, weight.ndim))).swapaxes(0, 1))
