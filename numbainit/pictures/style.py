"""A path and a theme → an empty figure in the style of all pictures, and the file.

Colours are Okabe and Ito's, which the colour-blind tell apart; lines differ in dashes and marks too. Nothing global of
matplotlib is changed, and no window opened. matplotlib comes with the extra ``plot`` and is imported late.
"""

import contextlib
import importlib
import importlib.util
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numbainit.errors import InvalidValueError, MissingExtraError

FORMATS = (".png", ".svg", ".pdf")
WIDTH = 8.8  # inches: at 100 dots an inch as wide as a README
_DPI = 160
_HEAD, _LINE = 0.4, 0.205  # inches of a title, and of each further line
_NOTE, _NOTE_LINE = 0.22, 0.165  # the same of the note below it
_SVG = {"svg.hashsalt": "numbainit", "svg.fonttype": "path"}  # the same picture is the same file
_FONT = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.labelsize": 9.5,
    "legend.fontsize": 9,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
}


@dataclass(frozen=True)
class Theme:
    """The colours of a page."""

    page: str
    ink: str
    faint: str
    blue: str
    orange: str
    green: str
    red: str
    diverging: tuple[str, str, str]  # too small, right, too large


LIGHT = Theme(
    "#ffffff", "#1f2328", "#8c959f", "#0072b2", "#d55e00", "#009e73", "#b3003c", ("#0072b2", "#f6f8fa", "#d55e00")
)
DARK = Theme(
    "#0d1117", "#e6edf3", "#6e7681", "#56b4e9", "#e69f00", "#2fc79a", "#ff6b8b", ("#3a9bdc", "#161b22", "#e69f00")
)


def check(path: str | os.PathLike[str], option: str = "--plot", extra: str = "plot") -> Path:
    """The path of a picture, if it can be drawn there.

    Raises
    ------
    InvalidValueError
        Another suffix than .png, .svg or .pdf, or no folder.
    MissingExtraError
        matplotlib is not installed.

    Examples
    --------
    >>> from numbainit.pictures.style import check
    >>> check("a.gif")
    Traceback (most recent call last):
        ...
    numbainit.errors.InvalidValueError: got --plot a.gif; wanted a name that ends in .png, .svg or .pdf
    """
    file = Path(path)
    if file.suffix.lower() not in FORMATS:
        raise InvalidValueError(f"got {option} {path}; wanted a name that ends in .png, .svg or .pdf")
    if not file.parent.is_dir():
        raise InvalidValueError(f"got {option} {path}, but there is no folder {file.parent}: make it first")
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingExtraError(f'{option} needs matplotlib: pip install "numbainit[{extra}]"')
    return file


@contextlib.contextmanager
def picture(
    path: str | os.PathLike[str], height: float, title: str, note: str = "", *, dark: bool = False
) -> Iterator[tuple[Any, Theme]]:
    """A figure with a title, to draw on; it is saved when all is drawn.

    The title says in words what is seen; ``note``, below it, what was done. Errors are those of :func:`check`.
    """
    file = check(path, "a picture's path")
    matplotlib: Any = importlib.import_module("matplotlib")
    module: Any = importlib.import_module("matplotlib.figure")  # no window, no global state
    theme = DARK if dark else LIGHT
    with matplotlib.rc_context({**_FONT, **_SVG, **_colours(theme)}):
        figure = module.Figure(figsize=(WIDTH, height), layout="constrained")
        head = _HEAD + _LINE * title.count("\n")  # inches
        below = _NOTE + _NOTE_LINE * note.count("\n") if note else 0
        figure.get_layout_engine().set(rect=(0.005, 0.01, 0.99, 1 - (head + below) / height))
        figure.text(0.012, 1 - 0.12 / height, title, fontsize=12, fontweight="bold", va="top", color=theme.ink)
        if note:
            figure.text(0.012, 1 - head / height, note, fontsize=9, va="top", color=theme.faint)
        yield figure, theme
        date = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(file.suffix.lower())
        figure.savefig(file, dpi=_DPI, metadata=date)


def _colours(theme: Theme) -> dict[str, Any]:
    ink = ("axes.edgecolor", "axes.labelcolor", "text.color", "xtick.color", "ytick.color", "axes.titlecolor")
    pages = ("figure.facecolor", "axes.facecolor", "savefig.facecolor", "legend.facecolor")
    lines = {"axes.grid": True, "grid.alpha": 0.25, "grid.color": theme.faint, "legend.frameon": False}
    shape = {"axes.spines.top": False, "axes.spines.right": False, "lines.linewidth": 1.8, "lines.markersize": 4}
    return dict.fromkeys(ink, theme.ink) | dict.fromkeys(pages, theme.page) | lines | shape
