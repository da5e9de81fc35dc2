"""An audit → one page: the histogram of each law against its density, the std of each tensor against the expected."""

import math
import os
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from numbainit.auditing.pieces import as_float, counts
from numbainit.auditing.records import DIFFERS, EXACT, Audit, Record
from numbainit.files.reading.stored import Collection
from numbainit.pictures.style import Theme, picture

_PANELS = 4  # laws that are drawn: those of the most elements
_TENSORS = 64  # of a law that are looked at, and of each its first piece
_BINS = np.linspace(-4, 4, 81)
_NAMED = 5  # faults that are named in the picture


def draw(found: Audit, stored: Collection, path: str | os.PathLike[str], *, dark: bool = False) -> None:
    """Above, elements in units of their tensor's expected (or own) std; below, one mark a tensor."""
    groups = _groups(found)
    title = "\n".join(textwrap.wrap(found.line, 92, max_lines=2, placeholder=" …"))
    note = f"{Path(found.source).name or found.source}: {len(found.tensors)} tensors"
    with picture(path, 5.6 if groups else 3.6, title, note, dark=dark) as (figure, theme):
        grid = figure.add_gridspec(1 + bool(groups), max(len(groups), 1), height_ratios=[1, 1.35][-1 - bool(groups) :])
        for column, (label, records) in enumerate(groups):
            _histogram(figure.add_subplot(grid[0, column]), label, records, stored, theme)
        _strip(figure.add_subplot(grid[-1, :]), found, theme)


def _groups(found: Audit) -> list[tuple[str, list[Record]]]:
    """Drawn tensors by law, or by what they look like."""
    groups: dict[str, list[Record]] = {}
    for one in found.tensors:
        std = one.figures.get("std")
        if std and math.isfinite(std) and one.figures["elements"] > 64:
            groups.setdefault(one.law or ("no law known" if one.fresh is not True else "looks fresh"), []).append(one)
    size = {label: sum(one.figures["elements"] for one in records) for label, records in groups.items()}
    return sorted(groups.items(), key=lambda pair: -size[pair[0]])[:_PANELS]


def _histogram(axes: Any, label: str, records: Sequence[Record], stored: Collection, theme: Theme) -> None:
    total = np.zeros(len(_BINS) - 1)
    for one in records[:_TENSORS]:
        tensor = stored.tensors[one.name]
        head = as_float(next(tensor.pieces(counts(tensor.shape))))
        scale = one.figures.get("expected_std") or one.figures["std"]
        total += np.histogram(head[np.isfinite(head)] / scale, _BINS)[0]
    middle, width = (_BINS[1:] + _BINS[:-1]) / 2, _BINS[1] - _BINS[0]
    axes.fill_between(middle, total / max(total.sum(), 1) / width, step="mid", color=theme.blue, alpha=0.45, lw=0)
    axes.plot(middle, _density(label, middle), color=theme.orange, lw=1.6)
    axes.set_title(_short(label))
    axes.set_yticks([])
    axes.set_xlabel("value / std")
    axes.text(0.98, 0.95, f"{len(records)} tensors", transform=axes.transAxes, ha="right", va="top", fontsize=8)


def _density(label: str, z: np.ndarray) -> np.ndarray:
    if "uniform" in label and "normal" not in label:
        return np.where(np.abs(z) < math.sqrt(3), 1 / math.sqrt(12), 0.0)
    density = np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    if label.startswith("trunc_normal"):  # at two of its std, unless it says otherwise
        inner = 0.8796
        density = np.where(np.abs(z) < 2 / inner, np.exp(-0.5 * (z * inner) ** 2) * inner / (2.5066 * 0.9545), 0.0)
    return density


def _short(label: str, most: int = 30) -> str:
    return label if len(label) <= most else label[: most - 1] + "…"


def _strip(axes: Any, found: Audit, theme: Theme) -> None:
    """Tensors in the order of the checkpoint."""
    places = range(len(found.tensors))
    stds = [one.figures.get("std") or math.nan for one in found.tensors]
    wanted = [
        one.figures.get("expected_std") or (std if one.verdict == EXACT else math.nan)
        for one, std in zip(found.tensors, stds, strict=True)
    ]
    if any(map(math.isfinite, wanted)):
        axes.plot(places, wanted, "_", color=theme.orange, ms=7, mew=2, label="expected")
    good = [std if one.verdict != DIFFERS else math.nan for one, std in zip(found.tensors, stds, strict=True)]
    axes.plot(places, good, "o", color=theme.blue, ms=3.2, label="found")
    wrong = [place for place in places if found.tensors[place].verdict == DIFFERS]
    known = [std for std in (*stds, *wanted) if math.isfinite(std) and std > 0]
    floor = min(known, default=1.0)
    heights = [stds[place] if math.isfinite(stds[place]) and stds[place] > 0 else floor for place in wrong]
    if wrong:
        axes.plot(wrong, heights, "X", color=theme.red, ms=9, ls="none", label="wrong")
    for number, (place, height) in enumerate(zip(wrong[:_NAMED], heights, strict=False)):
        left = place < len(found.tensors) * 0.6
        text = f"{_short(found.tensors[place].name)}: {_short(found.tensors[place].text, 46)}"
        away = (9 if left else -9), (9 if number % 2 else -9)
        side = {"ha": "left" if left else "right", "va": "center"}
        axes.annotate(text, (place, height), away, textcoords="offset points", fontsize=8, color=theme.red, **side)
    axes.set_yscale("log")
    axes.xaxis.get_major_locator().set_params(integer=True)
    low, high = axes.get_ylim()
    axes.set_ylim(low / 1.6, high * 1.6)
    axes.set_xlabel("tensor, in the order of the checkpoint (constants have no mark)")
    axes.set_ylabel("standard deviation")
    axes.legend(loc="upper right", ncols=3)
