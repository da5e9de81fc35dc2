"""A name or a path → the rules that it stands for: those built in, a file each, or one of your own."""

import os
from pathlib import Path

from numbainit.errors import InvalidTypeError, InvalidValueError, shown, suggestion
from numbainit.recipes.packaged import Packaged
from numbainit.recipes.table import Rules

_SUFFIXES = (".toml", ".json")
_BUILT_IN = Packaged("rules", ".toml")


def names() -> list[str]:
    """The rules that are built in, by the names of implementations, sorted.

    Examples
    --------
    >>> from numbainit import recipes
    >>> "gpt2-hf" in recipes.names()
    True
    """
    return _BUILT_IN.names()


def load(name: str | os.PathLike[str]) -> Rules:
    """Rules by their name, or of a TOML or JSON file, which is one that ends so.

    Raises
    ------
    InvalidValueError, InvalidTypeError
        No such name or file; what is wrong in it, with the number of the rule and its line.

    Examples
    --------
    >>> from numbainit import recipes
    >>> recipes.load("gpt2-hf")
    <Rules 'gpt2-hf', 6 rows>
    """
    text = text_of(name)
    if name in names():
        return Rules.from_toml(text)
    try:
        found = Rules.from_json(text) if os.fspath(name).endswith(".json") else Rules.from_toml(text)
    except (InvalidValueError, InvalidTypeError) as error:
        raise type(error)(f"{os.fspath(name)}: {error}") from None
    found.path = os.fspath(name)
    return found


def text_of(name: str | os.PathLike[str]) -> str:
    """The file of rules that are built in, by their name, or of a path; errors as of :func:`load`."""
    if not issubclass(type(name), (str, os.PathLike)):
        raise InvalidTypeError(f"load takes a name or a path, got {shown(name)}")
    if os.fspath(name).endswith(_SUFFIXES):
        return _read(Path(name))
    if name not in names():
        hint = suggestion(name, names())
        raise InvalidValueError(
            f"no rules are named {shown(name)}; {hint}Built in: {', '.join(names())}; a file of your own ends with "
            ".toml"
        )
    return _BUILT_IN.read(os.fspath(name)).decode()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidValueError(f"{path} is not UTF-8 text (byte {error.start})") from None
    except (OSError, ValueError) as error:
        raise InvalidValueError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
