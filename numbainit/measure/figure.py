"""Libraries → throughput against size and against threads, measured and drawn, with a plain fill as the ceiling.

matplotlib comes with the extra ``bench`` and is imported when a figure is asked for.
"""

import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from numbainit.measure import peers
from numbainit.measure.peers import OURS, Library
from numbainit.measure.timing import best_of
from numbainit.pictures import style

_SMALLEST = 1 << 8  # elements
_LAWS = ("uniform", "normal", "trunc_normal")
_PEER_LAW = "normal"  # the law that peers are drawn with, and below this
_PEERS_UP_TO = 1 << 24  # elements: they take long for more
_CEILING = "plain fill"
_DTYPE = np.dtype("float32")


def check(path: str) -> Path:
    """The path of the figure, if it can be drawn there."""
    return style.check(path, "--figure", "bench")


# ---- measuring ----


def measure_curves(libraries: Sequence[Library], largest: int, threads: int, rounds: int) -> dict[str, Any]:
    """GB/s by curve, at sizes up to ``largest`` and at 1 to ``threads`` threads; None where there is no value."""
    sizes = [1 << power for power in range(_SMALLEST.bit_length() - 1, largest.bit_length(), 2)] or [largest]
    counts = sorted({1 << power for power in range(threads.bit_length())} | {threads})
    own = [library for library in libraries if library.name == OURS]
    array = np.full(largest, 0.5, _DTYPE)
    return {
        "sizes": {"x": sizes, **_curves(sizes, lambda size: _speeds(libraries, array[:size], rounds))},
        "threads": {"x": counts, **_curves(counts, lambda count: _speeds_on(count, own, array, rounds))},
    }


def _curves(places: Sequence[int], speeds: Callable[[int], dict[str, float]]) -> dict[str, Any]:
    found = [speeds(place) for place in places]
    names = dict.fromkeys(name for point in found for name in point)
    return {"gb_per_second": {name: [point.get(name) for point in found] for name in names}}


def _speeds_on(count: int, libraries: Sequence[Library], array: np.ndarray, rounds: int) -> dict[str, float]:
    with peers.threads(count):
        return _speeds(libraries, array, rounds)


def _speeds(libraries: Sequence[Library], array: np.ndarray, rounds: int) -> dict[str, float]:
    calls = peers.plain_fills(array)
    fills = tuple(calls)
    for library in libraries:
        if library.name != OURS and array.size > _PEERS_UP_TO:
            continue
        for law in _LAWS if library.name == OURS else (_PEER_LAW,):
            call = library.call(law, array)
            if call is not None:
                calls[f"{library.name} {law}"] = call
    seconds = best_of(calls, rounds)
    speeds = {name: array.nbytes / seconds[name] / 1e9 for name in calls}
    return {_CEILING: max(speeds.pop(name) for name in fills)} | speeds


# ---- drawing ----


def draw(curves: dict[str, Any], path: Path, facts: Sequence[str]) -> None:
    """Two panels beside each other, in one file; above them lines on where the curves come from."""
    note = "\n".join(textwrap.fill(line, 120) for line in facts)
    with style.picture(path, 5.4, "Throughput against size and threads", note) as (figure, theme):
        left, right = figure.subplots(1, 2, width_ratios=(2, 1), sharey=True)
        for axes, name, label in ((left, "sizes", "elements (float32)"), (right, "threads", "threads")):
            _panel(axes, curves[name], label, theme)
        left.set_ylabel("GB/s")
        right.set_xticks(curves["threads"]["x"], labels=[str(count) for count in curves["threads"]["x"]])
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4)


def _panel(axes: Any, curves: dict[str, Any], label: str, theme: style.Theme) -> None:
    for name, speeds in curves["gb_per_second"].items():
        style = {"color": theme.ink, "linestyle": "--"} if name == _CEILING else {"marker": "."}
        if name != _CEILING and not name.startswith(OURS):
            style = {"linestyle": ":", "marker": "."}
        axes.plot(curves["x"], [float("nan") if speed is None else speed for speed in speeds], label=name, **style)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xlabel(label)
