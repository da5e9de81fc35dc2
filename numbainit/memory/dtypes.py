"""What users call a dtype → the NumPy dtype that initializers fill, or an error that names those that they do."""

import functools
import importlib
from typing import Any, NamedTuple

import numpy as np

from numbainit.errors import InvalidTypeError, MissingExtraError, shown
from numbainit.maths.formats import SMALL
from numbainit.memory.libraries import is_small_name, name_of_dtype

NO_ZERO = "float8_e8m0fnu"  # of ml_dtypes: powers of two, for scales


#: short names, safetensors' in small letters, which options of commands take, too → NumPy's
SHORT = {"f32": "float32", "f64": "float64", "f16": "float16", "bf16": "bfloat16"} | {
    "f8_e4m3": "float8_e4m3fn", "f8_e5m2": "float8_e5m2",
    "f8_e4m3fnuz": "float8_e4m3fnuz", "f8_e5m2fnuz": "float8_e5m2fnuz",
}  # fmt: skip


def is_small(dtype: np.dtype) -> bool:
    """Whether this is a float of less than 32 bits, in any byte order: of ml_dtypes, but for float16."""
    return dtype.itemsize < 4 and dtype.name in SMALL  # NumPy takes long to make a name


class Fillable(NamedTuple):
    """The dtypes that an initializer fills: these of NumPy's and, if ``small``, all floats of less than 32 bits."""

    machine: tuple[np.dtype, ...]
    small: bool

    def __contains__(self, dtype: object) -> bool:
        return dtype in self.machine or (self.small and isinstance(dtype, np.dtype) and is_small(dtype))

    def __str__(self) -> str:
        return ", ".join([*(known.name for known in self.machine), *(list(SMALL)[1:] if self.small else [])])


def _fillable(*names: str, small: bool) -> Fillable:
    return Fillable(tuple(map(np.dtype, names)), small)


#: what each initializer fills; new arrays are of the first of these unless asked for otherwise
REALS = _fillable("float32", "float64", "float16", small=True)
FLOATS = _fillable("float32", "float64", "float16", "complex64", "complex128", small=True)
WORDS = _fillable("uint32", "int32", "uint64", "int64", small=False)


def part_of(dtype: np.dtype) -> np.dtype:
    """The dtype of the real and of the imaginary part, where ``dtype`` is complex; else ``dtype``."""
    return np.dtype(f"f{dtype.itemsize // 2}") if dtype.kind == "c" else dtype


def made_for(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Values as those that ``dtype`` rounds once: in float32 where it is smaller, else in itself."""
    return values.astype(np.float32 if is_small(dtype) else dtype)


def checked_dtype(dtype: Any, dtypes: Fillable) -> np.dtype:
    """One of ``dtypes``, given as NumPy takes it, as torch's, or by a name of ml_dtypes or a short one."""
    wanted = f"dtype must be one of {dtypes}, got {shown(dtype)}"
    if dtype is None:  # float64 to NumPy
        raise InvalidTypeError(wanted)
    dtype = name_of_dtype(dtype) or dtype
    if issubclass(type(dtype), str):
        dtype = SHORT.get(dtype, dtype)
        if dtypes.small and dtype in SMALL:
            return small_dtype(dtype)
    try:
        known = np.dtype(dtype)
    except Exception:  # NumPy raises TypeError, ValueError or SyntaxError for what it cannot read
        raise InvalidTypeError(wanted) from None
    if known not in dtypes or (is_small(known) and not known.isnative):
        raise InvalidTypeError(wanted)
    return known


def dtype_of(array: Any, dtypes: Fillable) -> np.dtype | None:
    """The NumPy dtype of an array of any library, if it is one of these."""
    try:
        dtype = getattr(array, "dtype", None)
        name = name_of_dtype(dtype)
        if name is not None and is_small_name(name):
            return small_dtype(name) if dtypes.small else None
        found = None if dtype is None else np.dtype(name or dtype).newbyteorder("=")
        return found if found in dtypes else None
    except MissingExtraError:
        raise
    except Exception:  # whatever NumPy raises for a dtype that it does not know, and others for their own
        return None


@functools.lru_cache(maxsize=64)
def dtype_named(name: str) -> np.dtype:
    """The dtype of a name of NumPy's, of ml_dtypes', which is then imported, or a short one."""
    name = SHORT.get(name, name)
    try:
        return np.dtype(name)
    except TypeError:
        return small_dtype(name)


def small_dtype(name: str) -> np.dtype:
    """float16 of NumPy, or a dtype of ml_dtypes, which is imported."""
    if name == "float16":
        return np.dtype(name)
    try:
        return np.dtype(getattr(importlib.import_module("ml_dtypes"), name))
    except (ImportError, AttributeError) as error:
        if isinstance(error, AttributeError) and name not in SMALL and name != NO_ZERO:
            raise InvalidTypeError(f"no dtype is named {shown(name)}, in NumPy or in ml_dtypes") from None
        text = f'dtype {name!r} needs ml_dtypes 0.5 or later: pip install "numbainit[dtypes]"'
        raise MissingExtraError(text) from None
