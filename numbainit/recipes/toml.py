"""TOML → what it holds, by the standard library, and back, as these tables want it: a row a line, or a paragraph.

Writers from elsewhere spread nested tables over sections of their own, which nobody would write by hand.
"""

import json
import math
import re
import tomllib
from collections.abc import Mapping
from typing import Any

from numbainit.errors import InvalidTypeError, InvalidValueError, shown

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_LONG = re.compile(r"\"{3}.*?\"{3}|'{3}.*?'{3}", re.DOTALL)  # texts of several lines
_PRINTED = re.compile(r"[\n\t\x20-\x7e]*[\n\t\x20-\x26\x28-\x7e]")  # no apostrophe at the end


def checked_text(text: object, form: str) -> None:
    """Raise for what is no text, such as a path or bytes."""
    if not issubclass(type(text), str):
        raise InvalidTypeError(f"wanted {form} as a text, got {shown(text)}: read the file, or use recipes.load(path)")


def read(text: str) -> dict[str, Any]:
    """What a TOML text holds.

    Examples
    --------
    >>> from numbainit.recipes import toml
    >>> toml.read('format = "x"')
    {'format': 'x'}
    """
    checked_text(text, "TOML")
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidValueError(f"this is no TOML: {error}") from None


def lines_of_tables(text: str, name: str) -> list[int]:
    """The lines, from 1, where ``[[name]]`` stands."""
    head = re.compile(rf"\s*\[\[\s*{name}\s*\]\]")
    text = _LONG.sub(lambda found: "\n" * found[0].count("\n"), text)
    return [number for number, line in enumerate(text.splitlines(), 1) if head.match(line)]


def written(tree: Mapping[str, Any]) -> str:
    """The text of a tree: tables and lists of tables as sections, all that is deeper on the line of its key.

    Examples
    --------
    >>> from numbainit.recipes import toml
    >>> print(toml.written({"n": 1, "sizes": {"a b": [1, 2]}, "rules": [{"then": [{"mul": 0.5}]}]}), end="")
    n = 1
    <BLANKLINE>
    [sizes]
    "a b" = [1, 2]
    <BLANKLINE>
    [[rules]]
    then = [{ mul = 0.5 }]
    """
    plain = {key: value for key, value in tree.items() if not _is_section(value)}
    sections = [_lines(plain)] if plain else []
    for key, value in tree.items():
        if isinstance(value, Mapping):
            sections.append([f"[{_key(key)}]", *_lines(value)])
        elif _is_section(value):
            sections += [[f"[[{_key(key)}]]", *_lines(row)] for row in value]
    return "\n\n".join("\n".join(section) for section in sections) + "\n"


def _is_section(value: Any) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, list) and bool(value) and isinstance(value[0], Mapping))


def _lines(table: Mapping[str, Any]) -> list[str]:
    return [f"{_key(key)} = {_value(value)}" for key, value in table.items()]


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _text(key)


def _text(text: str) -> str:
    if "\n" in text and _PRINTED.fullmatch(text) and "'''" not in text:
        return f"'''\n{text}'''"
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        inner = ", ".join(_lines(value))
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else str(value)
    return str(int(value))
