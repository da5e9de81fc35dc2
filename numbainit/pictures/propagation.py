"""A propagation → its picture: std by layer, forward and backward; grids and sweeps of several."""

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from numbainit.pictures.style import Theme, picture
from numbainit.propagation import Flow, Propagation, rate

_STEADY = (0.5, 2.0)  # times the input's: drawn as a band
_REACH = 0.2  # of log10 of the rate a layer: where the colours of a grid end
_FEW = 40  # layers, up to which each has a mark


def draw(found: Propagation, path: str | os.PathLike[str], *, dark: bool = False) -> None:
    """One network: std by layer on a logarithmic axis, below it the share of dead units if there are any."""
    dead = np.nan_to_num(found.forward.dead)
    has_dead = bool(dead.max(initial=0.0) > 0.005)
    title = "\n".join(line[:1].upper() + line[1:] for line in found.verdict.split("; "))
    with picture(path, 4.4 + 0.9 * has_dead, title, found.label, dark=dark) as (figure, theme):
        rows = figure.subplots(1 + has_dead, 1, sharex=True, squeeze=False, height_ratios=[4, 1][: 1 + has_dead])[:, 0]
        _lines(rows[0], found, theme)
        if has_dead:
            layers = found.forward.layer
            rows[1].fill_between(layers, 100 * dead, step="mid", color=theme.faint, alpha=0.5)
            rows[1].set_ylabel("dead\nunits, %")
            rows[1].set_ylim(0, 100)
        _name_layers(rows[-1], found)


def _lines(axes: Any, found: Propagation, theme: Theme) -> None:
    axes.axhspan(*_STEADY, color=theme.green, alpha=0.13, lw=0, label="half to twice the input's")
    marks = {"marker": "o", "ms": 3.5} if len(found.forward.layer) <= _FEW else {}
    _line(axes, found.forward, "activations, forward →", theme.blue, theme, marks)
    if found.backward is not None:
        marks = {"marker": "s", "ms": 3.5} if marks else {}
        _line(axes, found.backward, "← gradients, backward", theme.orange, theme, {"ls": (0, (5, 2)), **marks})
    axes.set_yscale("log")
    _reach(axes)
    axes.set_ylabel("standard deviation")
    axes.legend(loc="best")


def _line(axes: Any, flow: Flow, label: str, colour: str, theme: Theme, style: dict[str, Any]) -> None:
    shown = np.where(np.isfinite(flow.std) & (flow.std > 0), flow.std, np.nan)
    axes.plot(flow.layer, shown, label=label, color=colour, **style)
    forward = label.endswith("→")
    for bad, word in ((~np.isfinite(flow.std), "inf"), (flow.std == 0, "0")):
        if bad.any() and not bad.all():
            places = np.flatnonzero(bad)
            first = places[0] if forward else places[-1]
            side = first - 1 if forward else first + 1
            side = min(max(side, 0), len(shown) - 1)
            text = (
                f"{word} from layer {flow.layer[first]} on"
                if forward
                else f"{word} from layer {flow.layer[first]} down"
            )
            axes.plot([flow.layer[side]], [shown[side]], marker="X", ms=11, color=theme.red, ls="none")
            axes.annotate(
                text,
                (flow.layer[side], shown[side]),
                xytext=(12, 0) if forward else (-12, -16),
                textcoords="offset points",
                ha="left" if forward else "right",
                va="center",
                color=theme.red,
                fontweight="bold",
            )


def _reach(axes: Any) -> None:
    """At least from a tenth to ten, so that small wiggles look small."""
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, 0.09), max(high, 11))


def _name_layers(axes: Any, found: Propagation) -> None:
    if found.names and len(found.names) <= 30:
        axes.set_xticks(found.forward.layer, labels=found.names, rotation=40, ha="right", rotation_mode="anchor")
        axes.grid(axis="x", visible=False)
    else:
        axes.set_xlabel("layer")
        axes.xaxis.get_major_locator().set_params(integer=True)


# ---- more than one ----


def draw_grid(
    rows: Sequence[Sequence[Propagation]],
    inits: Sequence[str],
    nonlinearities: Sequence[str],
    path: str | os.PathLike[str],
    note: str,
    *,
    dark: bool = False,
) -> None:
    """Initializer x nonlinearity: the factor a layer, forward and backward, as colour and number."""
    module = __import__("matplotlib.colors").colors
    backward = rows[0][0].backward is not None
    height = 1.75 + 0.42 * len(inits)
    title = "Factor of the standard deviation from layer to layer: blue shrinks, orange grows"
    with picture(path, height, title, note, dark=dark) as (figure, theme):
        colours = module.LinearSegmentedColormap.from_list("factor", theme.diverging)
        panels = figure.subplots(1, 1 + backward, squeeze=False, sharey=True)[0]
        for axes, name in zip(panels, ("forward", "backward"), strict=False):
            rates = np.array([[_rate(found, name) for found in row] for row in rows])
            logs = np.log10(np.clip(np.nan_to_num(rates, nan=1e-9, posinf=1e9), 1e-9, 1e9))
            axes.imshow(logs, cmap=colours, vmin=-_REACH, vmax=_REACH, aspect="auto")
            axes.set_title("activations, forward" if name == "forward" else "gradients, backward")
            axes.set_xticks(
                range(len(nonlinearities)), labels=nonlinearities, rotation=35, ha="right", rotation_mode="anchor"
            )
            axes.set_yticks(range(len(inits)), labels=inits)
            axes.grid(visible=False)
            axes.spines[:].set_visible(False)
            axes.tick_params(length=0)
            for (row, column), value in np.ndenumerate(rates):
                strong = abs(logs[row, column]) > 0.6 * _REACH
                ink = "#ffffff" if strong and theme.page == "#ffffff" else "#000000" if strong else theme.ink
                axes.text(column, row, _number(value), ha="center", va="center", color=ink, fontsize=8.5)


def _rate(found: Propagation, name: str) -> float:
    flow = found.forward if name == "forward" else found.backward
    assert flow is not None
    return rate(flow, reverse=name == "backward")


def _number(value: float) -> str:
    return "none" if not math.isfinite(value) else f"{value:.2f}" if value < 10 else f"{value:.3g}"


def draw_sweep(
    found: Sequence[Propagation],
    over: str,
    values: Sequence[int],
    path: str | os.PathLike[str],
    note: str,
    *,
    dark: bool = False,
) -> None:
    """The last layer's activations, and the first layer's gradients, against width or depth."""
    title = f"The signal after the last layer, by {over}"
    with picture(path, 4.2, title, note, dark=dark) as (figure, theme):
        axes = figure.subplots()
        axes.axhspan(*_STEADY, color=theme.green, alpha=0.13, lw=0, label="half to twice the input's")
        axes.plot(values, _ends(found, "forward", -1), "o-", color=theme.blue, label="activations of the last layer")
        if found[0].backward is not None:
            axes.plot(
                values,
                _ends(found, "backward", 0),
                "s",
                ls=(0, (5, 2)),
                color=theme.orange,
                label="gradients of the first layer",
            )
        axes.set_xscale("log", base=2)
        axes.set_xticks(values, labels=[str(value) for value in values])
        axes.minorticks_off()
        axes.set_yscale("log")
        _reach(axes)
        axes.set_xlabel(over)
        axes.set_ylabel("standard deviation")
        axes.legend(loc="best")


def _ends(found: Sequence[Propagation], name: str, at: int) -> list[float]:
    ends = [getattr(one, name).std[at] for one in found]
    return [end if math.isfinite(end) and end > 0 else math.nan for end in ends]
