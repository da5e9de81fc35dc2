"""Rows of names and texts → fewer rows: those that differ by numbers alone are one.

``layers.0.weight`` to ``layers.31.weight`` are ``layers.{0..31}.weight`` where shape and text are equal too, but for
numbers in the text. A number that is not the same everywhere is shown as a function of n, the number in braces, where
a simple one gives it to six digits, and as a range otherwise. A row stands for all combinations of its braces.

Anybody may have written the names: time and text are linear in their length.
"""

import itertools
import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from numbainit.errors import printable

_DIGITS = re.compile(r"(?<![0-9])(0|[1-9][0-9]{0,17})(?![0-9])")  # h.00 is another name than h.0
_NUMBER = re.compile(r"(?<!\w)(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)(?!\w)")
_MOST_NUMBERS = 8  # in a name that is folded: each is looked at with all others
_WIDEST = 160  # characters that a column is padded to: one long name makes no other row long
_FUNCTIONS: tuple[tuple[str, Callable[[int], float]], ...] = (
    ("/ sqrt(2 * {})", lambda x: 1 / math.sqrt(2 * x)),
    ("/ sqrt({})", lambda x: 1 / math.sqrt(x)),
    ("/ {}", lambda x: 1 / x),
    ("* sqrt(2 * {})", lambda x: math.sqrt(2 * x)),
    ("* sqrt({})", lambda x: math.sqrt(x)),
    ("* {}", lambda x: x),
)


def folded(rows: Iterable[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Rows of a name, a shape and a text, folded, in the order of their first ones.

    Examples
    --------
    >>> from numbainit.recipes.folding import folded
    >>> folded((f"layers.{n}.weight", "[4, 4]", f"normal(std={0.02 / (n + 1)})") for n in range(12))
    [('layers.{0..11}.weight', '[4, 4]', 'normal(std=0.02 / (n + 1))')]
    """
    kinds: dict[Any, list[Member]] = {}
    known: dict[str, tuple[tuple[str, ...], list[str]]] = {}  # there are fewer texts than names
    for name, shape, text in rows:
        if text not in known:
            known[text] = _cut(_NUMBER, text)
        template, in_text = known[text]
        pieces, in_name = _cut(_DIGITS, name, _MOST_NUMBERS + 1)
        if len(in_name) > _MOST_NUMBERS:
            pieces, in_name = (name,), []
        kinds.setdefault((pieces, shape, template), []).append((tuple(map(int, in_name)), in_text))
    found = []
    for (pieces, shape, template), members in kinds.items():
        for places, inner in _merged(members):
            name = printable(_filled(pieces, [_written(place) for place in places]))
            found.append((name, shape, _filled(template, _values(places, inner))))
    return found


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows as lines, in columns.

    Examples
    --------
    >>> from numbainit.recipes.folding import columns
    >>> columns([("w", "[4, 4]", "normal(std=0.02)"), ("bias", "[4]", "zeros()")])
    ['w     [4, 4]  normal(std=0.02)', 'bias  [4]     zeros()']
    """
    rows = [[*map(printable, row)] for row in rows]
    widths = [min(max(map(len, column)), _WIDEST) for column in zip(*rows, strict=True)]
    return ["  ".join([*map(str.ljust, row[:-1], widths), row[-1]]).rstrip() for row in rows]


Member = tuple[tuple[int, ...], list[str]]  # the numbers of a name, and those of its text
Row = tuple[tuple[Any, ...], list[Member]]  # for each number of the names the sorted ones that there are


def _cut(numbers: re.Pattern[str], text: str, most: int = 0) -> tuple[tuple[str, ...], list[str]]:
    """What stands around the numbers of a text, and these, or so many of them."""
    pieces = numbers.split(text, most)
    return tuple(pieces[::2]), pieces[1::2]


def _filled(pieces: Sequence[str], texts: Sequence[str]) -> str:
    return "".join(piece + text for piece, text in zip(pieces, [*texts, ""], strict=True))


def _merged(members: Iterable[Member]) -> list[Row]:
    """Rows whose names are all combinations of some sets of numbers."""
    rows: list[Row] = [(member[0], [member]) for member in members]
    for axis in reversed(range(len(rows[0][0]))):
        joined: dict[Any, list[Row]] = {}
        for row in rows:
            joined.setdefault(row[0][:axis] + row[0][axis + 1 :], []).append(row)
        rows = [
            (
                (*others[:axis], tuple(sorted({places[axis] for places, _ in some})), *others[axis:]),
                [member for _, inner in some for member in inner],
            )
            for others, some in joined.items()
        ]
    return rows


def _written(place: Sequence[int]) -> str:
    first, last = place[0], place[-1]
    if first == last:
        return str(first)
    steps = {high - low for low, high in itertools.pairwise(place)}
    if len(place) > 2 and len(steps) == 1:
        step = steps.pop()
        return f"{{{first}..{last}}}" if step == 1 else f"{{{first}..{last} by {step}}}"
    return f"{{{','.join(map(str, place))}}}"


def _values(places: Sequence[Sequence[int]], members: Sequence[tuple[tuple[int, ...], list[str]]]) -> list[str]:
    """What stands in a row for each number of its text."""
    varying = [axis for axis, place in enumerate(places) if len(place) > 1]
    found = []
    for column in zip(*(numbers for _, numbers in members), strict=True):
        if len(set(column)) == 1:
            found.append(_short(column[0]))
            continue
        fit = _fit([own[varying[0]] for own, _ in members], [*map(float, column)]) if len(varying) == 1 else None
        ordered = sorted(set(column), key=float)
        found.append(fit or f"{_short(ordered[0])}..{_short(ordered[-1])}")
    return found


def _fit(counts: Sequence[int], values: Sequence[float]) -> str | None:
    """A number times a function of n that gives all of some values, the number with the fewest digits."""
    fits: list[tuple[str, str]] = []
    for x, start in (("n", 0), ("n + 1", 1)):
        if min(counts) + start < 1 or len(counts) < 3:
            continue
        for text, function in _FUNCTIONS:
            factors = [value / function(count + start) for count, value in zip(counts, values, strict=True)]
            mean = sum(factors) / len(factors)
            if mean and max(abs(one / mean - 1) for one in factors) < 1e-6:
                inner = f"({x})" if start and "({})" not in text else x
                fits.append((f"{mean:.6g}", text.format(inner)))
    factor, rest = min(fits, key=lambda fit: len(fit[0]), default=("", ""))
    return f"{factor} {rest}" if fits else None


def _short(number: str) -> str:
    return f"{float(number):.6g}" if "." in number or "e" in number else number
