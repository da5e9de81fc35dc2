"""What went wrong → an exception that users can catch as ours or as the builtin they expect.

::

    NumbaInitError
    ├── InvalidValueError   (ValueError)  an argument of the right type with a value that makes no sense
    ├── InvalidTypeError    (TypeError)   an argument, array or dtype of a kind that cannot be used
    ├── OutputError         (OSError)     a file that cannot be written
    ├── DeviceError         (RuntimeError) a GPU that is not there, or whose driver does not fit what is installed
    ├── CompilerError       (RuntimeError) Numba may not compile here
    └── MissingExtraError   (ImportError) a package or a file that an optional part needs is not installed

Messages say what was got, what is wanted and what to do. All but OutputError are raised before anything is written.
They stay short, and can be made of whatever a user passed: :func:`shown` is what stands in them for an object.
"""

import os
import reprlib
import sys
import warnings
from collections.abc import Iterable
from typing import Any

_PACKAGE = os.path.dirname(__file__) + os.sep
_LONGEST_MESSAGE, _LONGEST_OBJECT = 500, 100  # characters
_LONGEST_WORD = 64  # that something known is looked for: the time grows with the square
_MOST_BITS = 256  # of an int whose digits are shown


class NumbaInitError(Exception):
    """The root of all exceptions that numbainit raises."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*(_clipped(text) if isinstance(text, str) else text for text in arguments))


class InvalidValueError(NumbaInitError, ValueError):
    """A value outside what the function is defined for, such as a negative standard deviation."""


class InvalidTypeError(NumbaInitError, TypeError):
    """An object of a kind that cannot be used, such as a list where an array is wanted."""


class OutputError(NumbaInitError, OSError):
    """A file that cannot be written, such as a path that is a folder."""


class DeviceError(NumbaInitError, RuntimeError):
    """A GPU that is not there, or whose driver is older than the CUDA that is installed."""


class CompilerError(NumbaInitError, RuntimeError):
    """Numba was told not to compile, and without machine code there are no fills."""


class MissingExtraError(NumbaInitError, ImportError):
    """A package or a file that an optional part needs is not installed; the message says how it gets there."""


class _Short(reprlib.Repr):
    """Representations of bounded size, also of ints that Python writes no digits of, and of objects that cannot."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxother, self.maxlong = 3, _LONGEST_OBJECT, _LONGEST_OBJECT
        self.maxtuple = self.maxlist = self.maxdict = self.maxset = self.maxfrozenset = self.maxdeque = 8

    def repr1(self, x: Any, level: int) -> str:
        try:
            if isinstance(x, int) and int(x).bit_length() > _MOST_BITS:
                return f"<int of {int(x).bit_length()} bits>"
            if isinstance(x, (str, bytes, bytearray)):
                return repr(x[: self.maxother])
            return super().repr1(x, level)
        except Exception:  # a repr may raise what it likes
            return f"<{type(x).__name__}>"

    def repr_dict(self, x: Any, level: int) -> str:
        """In its own order, and of keys that have none."""
        shown = [f"{self.repr1(k, level - 1)}: {self.repr1(x[k], level - 1)}" for k in list(x)[: self.maxdict]]
        rest = ["..."] if len(x) > self.maxdict else []
        return f"{{{', '.join(shown + rest)}}}" if level > 0 or not x else "{...}"

    def repr_instance(self, x: Any, level: int) -> str:
        return " ".join(line.strip() for line in repr(x)[: 4 * self.maxother].splitlines())


_SHORT = _Short()


def shown(value: object) -> str:
    """What stands for an object in a message: its ``repr`` where that is short and can be had, at most 100 characters.

    Examples
    --------
    >>> from numbainit.errors import shown
    >>> shown([1, "two"]), shown(10**5000)
    ("[1, 'two']", '<int of 16610 bits>')
    """
    text = _SHORT.repr(value)
    return text if len(text) <= _LONGEST_OBJECT else f"{text[: _LONGEST_OBJECT - 3]}..."


def printable(name: str) -> str:
    r"""A name, of a file perhaps, without what a terminal would obey.

    Examples
    --------
    >>> from numbainit.errors import printable
    >>> printable("a\x1b[31m"), printable("h.0.w")
    ('a\\x1b[31m', 'h.0.w')
    """
    return name if name.isprintable() else name.encode("unicode_escape").decode("ascii")


def _clipped(message: str) -> str:
    """Without the middle where it is too long: the beginning says what is wrong, the end what to do."""
    half = _LONGEST_MESSAGE // 2 - 3
    return message if len(message) <= _LONGEST_MESSAGE else f"{message[:half]} ... {message[-half:]}"


def suggestion(word: Any, known: Iterable[str]) -> str:
    """``"did you mean 'relu'? "`` where a known name is near, else nothing; for the middle of a message."""
    import difflib  # slow to import, and needed by few

    if not issubclass(type(word), str) or len(word) > _LONGEST_WORD:
        return ""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"did you mean {near[0]!r}? " if near else ""


def warn_user(message: str, category: type[Warning]) -> None:
    """Warn at the line outside this package that led here, through however many of its functions."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
