"""What went wrong → an exception that users can catch as ours or as the builtin they expect.

::

    NumbaInitError
    ├── InvalidValueError   (ValueError)  an argument of the right type with a value that makes no sense
    ├── InvalidTypeError    (TypeError)   an argument, array or dtype of a kind that cannot be used
    ├── OutputError         (OSError)     a file that cannot be written
    ├── DeviceError         (RuntimeError) a GPU that is not there, or whose driver does not fit what is installed
    └── MissingExtraError   (ImportError) a package that an optional part needs is not installed

Messages say what was got, what is wanted and what to do. All but OutputError are raised before anything is written.
"""

import os
import sys
import warnings
from collections.abc import Iterable

_PACKAGE = os.path.dirname(__file__) + os.sep


class NumbaInitError(Exception):
    """The root of all exceptions that numbainit raises."""


class InvalidValueError(NumbaInitError, ValueError):
    """A value outside what the function is defined for, such as a negative standard deviation."""


class InvalidTypeError(NumbaInitError, TypeError):
    """An object of a kind that cannot be used, such as a list where an array is wanted."""


class OutputError(NumbaInitError, OSError):
    """A file that cannot be written, such as a path that is a folder."""


class DeviceError(NumbaInitError, RuntimeError):
    """A GPU that is not there, or whose driver is older than the CUDA that is installed."""


class MissingExtraError(NumbaInitError, ImportError):
    """A package that an optional part needs is not installed; the message holds the command that installs it."""


def suggestion(word: str, known: Iterable[str]) -> str:
    """``"did you mean 'relu'? "`` where a known name is near, else nothing; for the middle of a message."""
    import difflib  # slow to import, and needed by few

    near = difflib.get_close_matches(word, list(known), n=1)
    return f"did you mean {near[0]!r}? " if near else ""


def warn_user(message: str, category: type[Warning]) -> None:
    """Warn at the line outside this package that led here, through however many of its functions."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
