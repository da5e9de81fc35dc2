"""What users call a dtype → the NumPy dtype that initializers fill, or an error that names those that they do."""

import importlib
from typing import Any

import numpy as np

from numbainit.errors import InvalidTypeError, MissingExtraError
from numbainit.scalar.formats import SMALL

COMPLEXES = tuple(np.dtype(name) for name in ("complex64", "complex128"))
REALS = tuple(np.dtype(name) for name in ("float32", "float64", "float16"))  # and those of ml_dtypes
FLOATS = REALS + COMPLEXES  # and those of ml_dtypes
WORDS = tuple(np.dtype(name) for name in ("uint32", "int32", "uint64", "int64"))

NO_ZERO = "float8_e8m0fnu"  # of ml_dtypes: powers of two, for scales


def is_small(dtype: np.dtype) -> bool:
    """Whether this is a float of less than 32 bits, in any byte order: of ml_dtypes, but for float16."""
    return dtype.itemsize < 4 and dtype.name in SMALL  # NumPy takes long to make a name


def names(dtypes: tuple[np.dtype, ...]) -> str:
    """The dtypes that may be used, for a message."""
    return ", ".join([*(known.name for known in dtypes), *([] if dtypes is WORDS else list(SMALL)[1:])])


def part_of(dtype: np.dtype) -> np.dtype:
    """The dtype of the real and of the imaginary part, where ``dtype`` is complex; else ``dtype``."""
    return np.dtype(f"f{dtype.itemsize // 2}") if dtype.kind == "c" else dtype


def checked_dtype(dtype: Any, dtypes: tuple[np.dtype, ...]) -> np.dtype:
    """One of ``dtypes``, given as NumPy takes it, as torch's, or by a name of ml_dtypes."""
    wanted = f"dtype must be one of {names(dtypes)}, got {dtype!r}"
    if dtype is None:  # float64 to NumPy
        raise InvalidTypeError(wanted)
    if type(dtype).__module__ == "torch":
        dtype = str(dtype).removeprefix("torch.")
    if isinstance(dtype, str) and dtypes is not WORDS and dtype in SMALL:
        return small_dtype(dtype)
    try:
        known = np.dtype(dtype)
    except Exception:  # NumPy raises TypeError, ValueError or SyntaxError for what it cannot read
        raise InvalidTypeError(wanted) from None
    if known not in dtypes and not (known.isnative and dtypes is not WORDS and is_small(known)):
        raise InvalidTypeError(wanted)
    return known


def small_dtype(name: str) -> np.dtype:
    """float16 of NumPy, or a dtype of ml_dtypes, which is imported."""
    if name == "float16":
        return np.dtype(name)
    try:
        return np.dtype(getattr(importlib.import_module("ml_dtypes"), name))
    except (ImportError, AttributeError):
        text = f'dtype {name!r} needs ml_dtypes 0.5 or later: pip install "numbainit[dtypes]"'
        raise MissingExtraError(text) from None
