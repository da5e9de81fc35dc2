"""A dtype as safetensors spells it → NumPy's, or the reason why no array here has it; and back.

Every dtype of the format is known by name (safetensors 0.8). Those whose elements share bytes can be read about, and
made in another dtype, but are not filled.
"""

import functools

import numpy as np

from numbainit.errors import InvalidValueError, suggestion
from numbainit.memory.dtypes import SHORT, small_dtype

_NUMPY = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "C64": "<c8",
    "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "|u1", "BOOL": "|b1",
}  # fmt: skip
#: what floating parameters can be made in, under the words of ``--dtype``
FLOATS = {short: short.upper() for short in SHORT}
_ML_DTYPES = {code: SHORT[short] for short, code in FLOATS.items() if code not in _NUMPY}
_PACKED = {"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6}  # bits of an element
_SCALE = "F8_E8M0"
#: what a header may say, widest first
NAMES = (*_NUMPY, *_ML_DTYPES, _SCALE, *_PACKED)
_OF_NUMPY = {np.dtype(text): name for name, text in _NUMPY.items()}
_OF_ML_DTYPES = {text: name for name, text in _ML_DTYPES.items()}


@functools.cache
def numpy_dtype(name: str) -> np.dtype:
    """The dtype of the array; of ml_dtypes, which is then imported, where NumPy has none."""
    reason = why_not_filled(name)
    if reason:
        raise InvalidValueError(reason)
    return np.dtype(_NUMPY[name]) if name in _NUMPY else small_dtype(_ML_DTYPES[name])


def itemsize(name: str) -> int:
    """The bytes of an element, without a package that may be missing."""
    if name in _NUMPY:
        return np.dtype(_NUMPY[name]).itemsize
    return 2 if name == "BF16" else 1


def is_float(name: str) -> bool:
    """Whether parameters of this dtype are made in the one that is asked for; complex ones stay as they are."""
    return name.startswith(("F", "BF"))


def checked(name: object) -> str:
    """A dtype of the format that a header may have.

    Examples
    --------
    >>> from numbainit.files.dtypes import checked
    >>> checked("F8_E8M0")
    Traceback (most recent call last):
        ...
    numbainit.errors.InvalidValueError: dtype F8_E8M0: powers of two without sign or zero, the scales of ...
    """
    if name == _SCALE:
        raise InvalidValueError(
            f"dtype {_SCALE}: powers of two without sign or zero, the scales of quantised weights, which no "
            "initializer makes; take the parameter out"
        )
    if isinstance(name, str) and name in NAMES:
        return name
    hint = suggestion(str(name)[:40].upper(), NAMES)
    raise InvalidValueError(f"dtype {str(name)[:40]!r}, which is not known; {hint}Wanted one of {', '.join(NAMES)}")


def why_not_filled(name: str) -> str | None:
    """Why no array of this dtype can be filled; None if it can."""
    if name not in _PACKED:
        return None
    return (
        f"dtype {name} has elements of {_PACKED[name]} bits that share bytes, and arrays hold whole bytes: make it in "
        "another dtype, such as bf16, and quantise that"
    )


def of_numpy(dtype: np.dtype) -> str:
    """How safetensors spells a dtype of NumPy, whatever its byte order, or of ml_dtypes."""
    name = _OF_NUMPY.get(dtype.newbyteorder("<")) or _OF_ML_DTYPES.get(dtype.name)
    if name is None:
        hint = " (so NumPy's files hold bfloat16 and float8, and do not say which)" if dtype.kind == "V" else ""
        known = ", ".join(one.name for one in _OF_NUMPY)
        raise InvalidValueError(f"NumPy's dtype {dtype}{hint} has no name in safetensors; wanted one of {known}")
    return name
