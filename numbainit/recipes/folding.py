"""Rows of names and texts → fewer rows: those that differ by numbers alone are one.

``layers.0.weight`` to ``layers.31.weight`` are ``layers.{0..31}.weight`` where shape and text are equal too, but for
numbers in the text. A number that is not the same everywhere is shown as a function of n, the number in braces, where
a simple one gives it to six digits, and as a range otherwise. A row stands for all combinations of its braces.
"""

import itertools
import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

_DIGITS = re.compile(r"\d+")
_NUMBER = re.compile(r"(?<!\w)-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?!\w)")
_MOST_LISTED = 6
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
    kinds: dict[tuple[str, str, str], list[tuple[tuple[int, ...], list[str]]]] = {}
    known: dict[str, tuple[str, list[str]]] = {}  # there are fewer texts than names
    for name, shape, text in rows:
        if text not in known:
            known[text] = _NUMBER.sub("#", text), _NUMBER.findall(text)
        template, found_numbers = known[text]
        key = _DIGITS.sub("#", name), shape, template
        kinds.setdefault(key, []).append((tuple(map(int, _DIGITS.findall(name))), found_numbers))
    found = []
    for (pattern, shape, template), members in kinds.items():
        for places, inner in _merged(members):
            ordered = [sorted(place) for place in places]
            name = _filled(pattern, [_written(place) for place in ordered])
            found.append((name, shape, _filled(template, _values(ordered, inner))))
    return found


def aligned(rows: Sequence[tuple[str, str, str]]) -> str:
    """The rows as text, in columns."""
    widths = [max((len(row[at]) for row in rows), default=0) for at in (0, 1)]
    return "\n".join(f"{name:{widths[0]}}  {shape:{widths[1]}}  {text}".rstrip() for name, shape, text in rows)


Row = tuple[list[set[int]], list[tuple[tuple[int, ...], list[str]]]]


def _merged(members: Iterable[tuple[tuple[int, ...], list[str]]]) -> list[Row]:
    """Rows whose names are all combinations of some sets of numbers."""
    rows: list[Row] = [([{number} for number in places], [(places, numbers)]) for places, numbers in members]
    for axis in reversed(range(len(rows[0][0]))):
        joined: dict[Any, Row] = {}
        for places, inner in rows:
            others = tuple(frozenset(place) for at, place in enumerate(places) if at != axis)
            if others in joined:
                joined[others][0][axis].update(places[axis])
                joined[others][1].extend(inner)
            else:
                joined[others] = places, list(inner)
        rows = list(joined.values())
    return rows


def _filled(pattern: str, texts: Sequence[str]) -> str:
    pieces = pattern.split("#")
    return "".join(piece + text for piece, text in zip(pieces, [*texts, ""], strict=True))


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
