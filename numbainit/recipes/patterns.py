"""A glob or a regular expression → which names it takes, the whole name each time.

In a glob ``*`` stands for any characters, dots too, ``?`` for one, ``[ab]`` for one of some, ``[!ab]`` for any other
one; a leading ``*.`` stands for nothing, too, so that ``*.wte.weight`` takes ``wte.weight``. Where a number is asked
for, ``{}`` is one. The slashes of TensorFlow's names count as dots.

To look for a glob takes at most the product of its length and that of the name, unless a ``{}`` stands beside what
may be a digit: between two stars the first fit is the right one, and is never looked for again. Regular expressions are
Python's, and may take for ever.
"""

import functools
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from numbainit.errors import InvalidTypeError, InvalidValueError, shown
from numbainit.weights.numbers import is_text

_NUMBER = "{}"
_DIGIT, _SOME_DIGITS = r"\d", r"\d+?"
_DIGITS = re.compile(r"\d+")
_SPECIAL = re.compile(r"\*+|\?|\[!?\]?[^\]]*\]|\{\}")


class Pattern:
    """What takes names; equal, by its text, to another one of the same kind.

    Examples
    --------
    >>> from numbainit.recipes.patterns import Pattern
    >>> Pattern("*.wte.weight").takes("wte.weight"), Pattern("*.h.?.bias").takes("h.12.bias")
    (True, False)
    >>> Pattern("layer{}.{}.*").numbers("layer3.12.bias")
    (3, 12)
    """

    def __init__(self, text: Any, *, is_regex: bool = False) -> None:
        kind = "regex" if is_regex else "glob"
        if not is_text(text) or not text:
            raise InvalidTypeError(f"a {kind} is a text, got {shown(text)}")
        self.text, self._is_regex = text, is_regex
        text = text if is_regex else dotted(text)
        self._prefix, self.suffix = ("", "") if is_regex else _ends(text)
        try:
            self._matches = re.compile(text if is_regex else _translated(text), re.DOTALL).fullmatch
        except re.error as error:
            raise InvalidValueError(f"{text!r} is no {kind}: {error}") from None

    def __repr__(self) -> str:
        return f"Pattern({self.text!r})"

    @property
    def is_blind(self) -> bool:
        """Whether all numbers in names are the same to it."""
        return not self._is_regex and not re.search(r"[\d?[{]", self.text)

    @property
    def is_exact(self) -> bool:
        """Whether it takes one name alone."""
        return not self._is_regex and not _SPECIAL.search(self.text)

    @property
    def has_number(self) -> bool:
        return _NUMBER in self.text

    def takes(self, name: str) -> bool:
        """Whether it fits the whole name."""
        ends = name.endswith(self.suffix) and name.startswith(self._prefix)  # much quicker, and mostly no
        return ends and self._matches(name) is not None

    def numbers(self, name: str) -> tuple[int, ...] | None:
        """The numbers of a name that stand where the glob has ``{}``; None for a name that does not fit."""
        found = self._counts.fullmatch(name) if self.takes(name) else None
        return None if found is None else tuple(map(int, found.groups()))

    @functools.cached_property
    def _counts(self) -> re.Pattern[str]:
        return re.compile(_counting(dotted(self.text)), re.DOTALL)


def ignored(names: Any) -> Callable[[str], bool]:
    """What is passed as ``ignore=`` → whether a name is among it.

    Examples
    --------
    >>> from numbainit.recipes.patterns import ignored
    >>> passes = ignored(["*.running_mean", "head.bias"])
    >>> passes("bn.running_mean"), passes("running_mean"), passes("bias")
    (True, True, False)
    """
    if isinstance(names, (str, bytes)) or not issubclass(type(names), Iterable):
        raise InvalidTypeError(f"ignore holds names or patterns, got {shown(names)}: pass ({shown(names)},)")
    patterns = [Pattern(name) for name in names]
    return lambda name: any(pattern.takes(dotted(name)) for pattern in patterns)


def dotted(name: str) -> str:
    """A name with dots for the slashes of TensorFlow."""
    return name.replace("/", ".")


def exactly(name: str) -> str:
    """The glob that takes one name alone.

    Examples
    --------
    >>> from numbainit.recipes.patterns import exactly
    >>> exactly("h.0.w"), exactly("a*[b]{}")
    ('h.0.w', 'a[*][[]b][{]}')
    """
    return re.sub(r"[*?[{]", r"[\g<0>]", dotted(name))


class Names:
    """A name → which rows of a table take it. Names that differ by numbers are asked about once, where rows allow.

    Examples
    --------
    >>> from numbainit.recipes.patterns import Names, Pattern
    >>> Names([[Pattern("*.bias")], [Pattern("h.0.*")], [Pattern("*")]]).rows("h.1.bias")
    [0, 2]
    """

    def __init__(self, rows: Sequence[Sequence[Pattern]]) -> None:
        every = [(number, pattern) for number, patterns in enumerate(rows) for pattern in patterns]
        self._exact: dict[str, list[int]] = {}
        for number, pattern in every:
            if pattern.is_exact:
                self._exact.setdefault(dotted(pattern.text), []).append(number)
        pairs = [pair for pair in every if not pair[1].is_exact]
        self._blind = [pair for pair in pairs if pair[1].is_blind]
        self._seeing = [pair for pair in pairs if not pair[1].is_blind]
        self._ends = tuple({pattern.suffix for _, pattern in self._seeing})  # most names end otherwise
        self._known: dict[str, list[int]] = {}

    def rows(self, name: str) -> list[int]:
        """The rows that take a name, in order."""
        name = dotted(name)
        kind = _DIGITS.sub("0", name)
        blind = self._known.get(kind)
        if blind is None:
            blind = self._known[kind] = _taking(self._blind, name)
        seeing = self._exact.get(name, []) + (_taking(self._seeing, name) if name.endswith(self._ends) else [])
        return sorted({*blind, *seeing}) if seeing else blind


def _taking(pairs: Sequence[tuple[int, Pattern]], name: str) -> list[int]:
    return list(dict.fromkeys(number for number, pattern in pairs if pattern.takes(name)))


def _ends(glob: str) -> tuple[str, str]:
    """What a name must begin and end with."""
    specials = [*_SPECIAL.finditer(glob)]
    if not specials:
        return glob, glob
    suffix = glob[specials[-1].end() :]
    return glob[: specials[0].start()], suffix[1:] if glob == "*" + suffix and suffix.startswith(".") else suffix


def _translated(glob: str) -> str:
    """A regular expression that never looks twice, as that of :mod:`fnmatch`.

    What stands between two stars is found at its first place, with the shortest numbers: any other fit ends later, and
    leaves less to the rest.
    """
    begins = "(?:.*?[.])??" if glob.startswith("*.") else ""
    first, *rest = _between_stars(glob[2:] if begins else glob, _SOME_DIGITS)
    if not rest:
        return begins + first
    *middle, last = map(_after_a_star, rest)
    return f"(?>{begins}{first})" + "".join(f"(?>.*?{one})" for one in middle) + f".*{last}"


def _after_a_star(text: str) -> str:
    """The star takes all digits of a number but one: else they would be looked at again from each of them on."""
    return _DIGIT + text.removeprefix(_SOME_DIGITS) if text.startswith(_SOME_DIGITS) else text


def _counting(glob: str) -> str:
    """A regular expression whose groups are the numbers; stars take as much as they can, the first ones first."""
    begins = "(?:.*[.])?" if glob.startswith("*.") else ""
    return begins + ".*".join(_between_stars(glob[2:] if begins else glob, r"(\d+)"))


def _between_stars(glob: str, number: str) -> list[str]:
    """Regular expressions of what stands before the first star, between the stars, after the last."""
    found, at = [""], 0
    for special in _SPECIAL.finditer(glob):
        found[-1] += re.escape(glob[at : special.start()])
        at = special.end()
        if special[0].startswith("*"):
            found.append("")
        else:
            found[-1] += number if special[0] == _NUMBER else _special(special[0])
    found[-1] += re.escape(glob[at:])
    return found


def _special(text: str) -> str:
    if text == "?":
        return "."
    inner = text[1:-1].replace("\\", r"\\").replace("[", r"\[").replace("^", r"\^")
    return f"[^{inner[1:]}]" if inner.startswith("!") else f"[{inner}]"
