"""The figures of a signal by layer → the factor from layer to layer, and a line that says what it does."""

import math

import numpy as np

from numbainit.propagation.flows import Flow

_STEADY, _DRIFT, _EXPLODES = 1.6, 10.0, 1000.0  # largest by smallest std, then last by first


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
