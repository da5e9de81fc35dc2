"""A JSON header or a .safetensors file → its parameters: names, shapes, dtypes, checked.

The header is all that is read of a .safetensors file, by the ``safetensors`` package. A JSON header is what such a
file starts with, as text; it is checked here, entry by entry, so that a message can name the parameter.
"""

import json
import math
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from numbainit.errors import InvalidValueError, suggestion
from numbainit.memory.dtypes import small_dtype

_NUMPY = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2",
    "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "|u1", "BOOL": "|b1",
}  # fmt: skip
_ML_DTYPES = {
    "BF16": "bfloat16", "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2",
    "F8_E4M3FNUZ": "float8_e4m3fnuz", "F8_E5M2FNUZ": "float8_e5m2fnuz",
}  # fmt: skip
_DTYPES = (*_NUMPY, *_ML_DTYPES)
METADATA = "__metadata__"
LENGTH = 8  # bytes of the header's length; the header is padded to a multiple of it, which aligns the tensors
LARGEST_HEADER = 100_000_000  # of the format
LARGEST_FILE = 2**63  # bytes: offsets are signed 64-bit integers
_WIDEST = 8  # bytes of an element
_MOST_AXES = 64  # of a NumPy array


@dataclass(frozen=True)
class Parameter:
    """A header's entry: a name, a shape, and a dtype as safetensors spells it.

    Examples
    --------
    >>> from numbainit.files.headers import Parameter
    >>> Parameter("bias", (3,), "BF16").cast("F32").nbytes
    12
    """

    name: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def size(self) -> int:
        """How many elements there are."""
        return math.prod(self.shape)

    @property
    def numpy_dtype(self) -> np.dtype:
        """The dtype of the array; of ml_dtypes, which is then imported, where NumPy has none."""
        return np.dtype(_NUMPY[self.dtype]) if self.dtype in _NUMPY else small_dtype(_ML_DTYPES[self.dtype])

    @property
    def nbytes(self) -> int:
        """How many bytes the elements take."""
        return self.size * self.numpy_dtype.itemsize

    def cast(self, dtype: str) -> "Parameter":
        """The same parameter in another floating dtype; integers and booleans stay what they are."""
        return replace(self, dtype=dtype) if self.dtype.startswith(("F", "BF")) else self


def _checked_shape(name: str, shape: Any) -> tuple[int, ...]:
    wanted = f"parameter {name!r} has shape {json.dumps(shape)[:80]}; wanted"
    if not isinstance(shape, list):
        raise InvalidValueError(f"{wanted} a list of sizes, such as [768, 2304]")
    for size in shape:
        if type(size) is not int or size < 0:  # True is an int too, and not a size
            raise InvalidValueError(
                f"{wanted} whole numbers >= 0, but one is {json.dumps(size)[:80]}: correct the header"
            )
    if len(shape) > _MOST_AXES:
        raise InvalidValueError(f"{wanted} at most {_MOST_AXES} axes, got {len(shape)}: merge some")
    if math.prod(size or 1 for size in shape) >= LARGEST_FILE // _WIDEST:
        raise InvalidValueError(f"{wanted} fewer than 2^63 bytes: correct the header")
    return tuple(shape)


def _checked_dtype(name: str, dtype: Any) -> str:
    if dtype in _DTYPES:
        return dtype
    hint = suggestion(str(dtype).upper(), _DTYPES)
    raise InvalidValueError(
        f"parameter {name!r} has dtype {json.dumps(dtype)[:80]}, which is not known here; {hint}"
        f"Wanted one of {', '.join(_DTYPES)}"
    )


def _checked_parameter(name: str, entry: Any) -> Parameter:
    try:
        name.encode()
    except UnicodeEncodeError:
        raise InvalidValueError(f"parameter {name!r} has a name that is no valid Unicode: rename it") from None
    if not isinstance(entry, dict):
        raise InvalidValueError(
            f"parameter {name!r} is {json.dumps(entry)[:80]}; wanted an object such as "
            '{"dtype": "F32", "shape": [768]}'
        )
    for field in ("dtype", "shape"):
        if field not in entry:
            got = ", ".join(map(repr, entry)) or "nothing"
            raise InvalidValueError(f"parameter {name!r} has no {field}: got {got}; add a {field!r}")
    return Parameter(name, _checked_shape(name, entry["shape"]), _checked_dtype(name, entry["dtype"]))


def _checked_parameters(entries: dict[str, Any], source: str) -> list[Parameter]:
    try:
        parameters = [_checked_parameter(name, entry) for name, entry in entries.items() if name != METADATA]
    except InvalidValueError as error:
        raise InvalidValueError(f"{source}: {error}") from None
    if not parameters:
        raise InvalidValueError(f"{source} names no parameter; wanted at least one")
    return parameters


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of a JSON text; Python would silently keep the last of two equal keys."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise InvalidValueError(f"the key {key!r} stands twice in the header; wanted unique names: remove one")
        found[key] = value
    return found


def parse_header(header: bytes, source: str) -> list[Parameter]:
    """The parameters of a safetensors header, in its order.

    Parameters
    ----------
    header : bytes
        UTF-8 JSON: an object of ``name: {"dtype": ..., "shape": [...]}``. ``data_offsets`` and ``__metadata__`` are
        not looked at.
    source : str
        What messages call it.

    Raises
    ------
    InvalidValueError
        For anything else; the message names the parameter.

    Examples
    --------
    >>> from numbainit.files.headers import parse_header
    >>> parse_header(b'{"w": {"dtype": "F32", "shape": [2, 3]}}', "example")
    [Parameter(name='w', shape=(2, 3), dtype='F32')]
    """
    wanted = "wanted a JSON object in the form of a safetensors header"
    try:
        entries = json.loads(header.decode("utf-8-sig"), object_pairs_hook=_without_duplicates)
    except UnicodeDecodeError as error:
        raise InvalidValueError(f"{source} is not UTF-8 text (byte {error.start}); {wanted}") from None
    except InvalidValueError as error:
        raise InvalidValueError(f"{source}: {error}") from None
    except (ValueError, RecursionError) as error:
        raise InvalidValueError(f"{source} is not valid JSON ({error}); {wanted}: correct it") from None
    if not isinstance(entries, dict):
        raise InvalidValueError(f"{source} holds a JSON {type(entries).__name__}; {wanted}")
    return _checked_parameters(entries, source)


def _read_safetensors(path: Path) -> list[Parameter]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            slices = {name: file.get_slice(name) for name in file.offset_keys()}  # in the order of the file
            entries = {name: {"dtype": s.get_dtype(), "shape": list(s.get_shape())} for name, s in slices.items()}
    except SafetensorError as error:
        raise InvalidValueError(
            f"{path} is not a whole safetensors file ({error}); fetch or save it again, or give its header as JSON"
        ) from None
    return _checked_parameters(entries, str(path))


def _is_safetensors(path: Path) -> bool:
    """Whether the name says so, or the first bytes do: a length that fits into the file, then an object."""
    if path.suffix == ".safetensors":
        return True
    if not path.is_file():  # a pipe: its bytes can be read only once
        return False
    with path.open("rb") as file:
        head = file.read(LENGTH + 1)
    fits = int.from_bytes(head[:LENGTH], "little") <= path.stat().st_size - LENGTH
    return fits and head[LENGTH:] == b"{"


def read_parameters(path: str | os.PathLike[str]) -> list[Parameter]:
    """The parameters of a .safetensors file, of which only the header is read, or of a JSON header.

    Raises
    ------
    InvalidValueError
        If there is no such file, or it is neither of the two.
    """
    path = Path(path)
    if path.is_dir():
        raise InvalidValueError(f"{path} is a folder; wanted a JSON header or a .safetensors file in it")
    try:
        if _is_safetensors(path):
            return _read_safetensors(path)
        with path.open("rb") as file:
            header = file.read(LARGEST_HEADER + 1)
    except OSError as error:
        reason = error.strerror or error
        raise InvalidValueError(
            f"{path} cannot be read: {reason}; wanted a JSON header or a .safetensors file"
        ) from error
    if len(header) > LARGEST_HEADER:
        raise InvalidValueError(
            f"{path} is larger than the {LARGEST_HEADER:,} bytes of the longest header; is it a model?"
        )
    return parse_header(header, str(path))
