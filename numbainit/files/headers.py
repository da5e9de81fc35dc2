"""A safetensors header, as text → its parameters: names, shapes, dtypes, checked.

Entry by entry, so that a message can name the parameter. A header of 100 MB, which the format allows, could ask for
gigabytes of memory as Python's objects: what it holds is counted before it is read.
"""

import json
import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from numbainit.errors import InvalidValueError
from numbainit.files import dtypes

METADATA = "__metadata__"
LENGTH = 8  # bytes of the header's length; the header is padded to a multiple of it, which aligns the tensors
LARGEST_HEADER = 100_000_000  # of the format
LARGEST_FILE = 2**63  # bytes: offsets are signed 64-bit integers
MOST_PARAMETERS = 250_000  # of a model: planning takes 1 kB and 20 us for each
LONGEST_NAME = 4_096  # characters: names of models have less than 300, and each is looked at many times
_MOST_IN_NAMES = 128 * MOST_PARAMETERS  # characters
_MOST_VALUES = 8 * MOST_PARAMETERS  # that a header may hold: a value takes up to 100 bytes of memory
_WIDEST = 8  # bytes of an element
_MOST_AXES = 64  # of a NumPy array
_MOST_SHOWN = 120  # characters of a name in a message


@dataclass(frozen=True, slots=True)
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
        return dtypes.numpy_dtype(self.dtype)

    @property
    def nbytes(self) -> int:
        """How many bytes the elements take."""
        return self.size * dtypes.itemsize(self.dtype)

    def cast(self, dtype: str | None) -> "Parameter":
        """The same parameter in another floating dtype, if one is given; what is no float stays what it is.

        Raises
        ------
        InvalidValueError
            For a dtype that cannot be filled.
        """
        found = replace(self, dtype=dtype) if dtype and dtypes.is_float(self.dtype) else self
        reason = dtypes.why_not_filled(found.dtype)
        if reason:
            raise InvalidValueError(f"parameter {named(self.name)}: {reason}")
        return found


def named(name: str) -> str:
    """A name as messages show it: a header may hold one of a hundred megabytes."""
    return repr(name) if len(name) <= _MOST_SHOWN else f"{name[:_MOST_SHOWN]!r}... ({len(name):,} characters)"


def _shown(value: Any) -> str:
    """The beginning of a JSON value."""
    if isinstance(value, (list, dict, str)):
        value = value[:_MOST_SHOWN] if isinstance(value, (list, str)) else dict(list(value.items())[:8])
    try:
        return json.dumps(value)[:_MOST_SHOWN]
    except (RecursionError, ValueError):  # deeply nested, or an int of thousands of digits
        return f"a JSON {type(value).__name__} too large to show"


def _checked_shape(shape: Any) -> tuple[int, ...]:
    if not isinstance(shape, list):
        raise InvalidValueError(f"shape {_shown(shape)}; wanted a list of sizes, such as [768, 2304]")
    if len(shape) > _MOST_AXES:
        raise InvalidValueError(f"a shape of {len(shape):,} axes; wanted at most {_MOST_AXES}: merge some")
    elements = 1
    for size in shape:
        if type(size) is not int or size < 0:  # True is an int too, and not a size
            raise InvalidValueError(
                f"shape {_shown(shape)}; wanted whole numbers >= 0, but one is {_shown(size)}: correct the header"
            )
        elements *= size or 1
    if elements >= LARGEST_FILE // _WIDEST:
        raise InvalidValueError(f"shape {_shown(shape)}; wanted fewer than 2^63 bytes: correct the header")
    return tuple(shape)


def check_names(names: Iterable[str], source: str) -> None:
    """Refuse names that are too long to be looked at again and again, or that no file can hold."""
    total = 0
    for name in names:
        total += len(name)
        if len(name) > LONGEST_NAME:
            raise InvalidValueError(
                f"{source}: parameter {named(name)} has a name that is too long; wanted at most {LONGEST_NAME:,} "
                "characters: rename it"
            )
        try:
            name.encode()
        except UnicodeEncodeError:
            raise InvalidValueError(
                f"{source}: parameter {named(name)} has a name that is no valid Unicode: rename it"
            ) from None
    if total > _MOST_IN_NAMES:
        raise InvalidValueError(
            f"{source} has names of together {total:,} characters; wanted at most {_MOST_IN_NAMES:,}: split the model"
        )


def _checked_parameter(name: str, entry: Any) -> Parameter:
    if not isinstance(entry, dict):
        wanted = 'wanted an object such as {"dtype": "F32", "shape": [768]}'
        raise InvalidValueError(f"parameter {named(name)} is {_shown(entry)}; {wanted}")
    for field in ("dtype", "shape"):
        if field not in entry:
            got = ", ".join(map(named, list(entry)[:8])) or "nothing"
            raise InvalidValueError(f"parameter {named(name)} has no {field}: got {got}; add a {field!r}")
    try:
        return Parameter(name, _checked_shape(entry["shape"]), sys.intern(dtypes.checked(entry["dtype"])))
    except InvalidValueError as error:
        raise InvalidValueError(f"parameter {named(name)} has {error}") from None


def checked_parameters(entries: Iterable[tuple[str, Any]], source: str) -> list[Parameter]:
    """The parameters of a header's entries: at least one, and not too many."""
    entries = [entry for entry in entries if entry[0] != METADATA]
    check_names((name for name, _ in entries), source)
    try:
        parameters = [_checked_parameter(name, entry) for name, entry in entries]
    except InvalidValueError as error:
        raise InvalidValueError(f"{source}: {error}") from None
    if not parameters:
        raise InvalidValueError(f"{source} names no parameter; wanted at least one")
    if len(parameters) > MOST_PARAMETERS:
        raise InvalidValueError(f"{source} names {len(parameters):,} parameters; wanted at most {MOST_PARAMETERS:,}")
    return parameters


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of a JSON text; Python would silently keep the last of two equal keys. Offsets are nobody's need."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise InvalidValueError(f"the key {named(key)} stands twice in the header; wanted unique names: remove one")
        found[key] = value
    if not isinstance(found.get("data_offsets"), dict):  # a parameter may have this name
        found.pop("data_offsets", None)
    return found


def check_size(text: bytes, source: str) -> None:
    """Refuse a text that holds more values than a model needs, before it becomes objects."""
    values = text.count(b",") + text.count(b"[") + text.count(b"{")
    if values > _MOST_VALUES:
        raise InvalidValueError(
            f"{source} holds {values:,} values; wanted at most {_MOST_VALUES:,}, which {MOST_PARAMETERS:,} parameters "
            "take: split the model"
        )


def load_json(text: bytes, source: str, wanted: str) -> dict[str, Any]:
    """The object that a JSON text is, none of its keys twice.

    Raises
    ------
    InvalidValueError
        For anything else, and for a text of too many values; ``wanted`` ends the message.
    """
    check_size(text, source)
    try:
        found = json.loads(text.decode("utf-8-sig"), object_pairs_hook=_object)
    except UnicodeDecodeError as error:
        raise InvalidValueError(f"{source} is not UTF-8 text (byte {error.start}); {wanted}") from None
    except InvalidValueError as error:
        raise InvalidValueError(f"{source}: {error}") from None
    except (ValueError, RecursionError) as error:
        raise InvalidValueError(f"{source} is not valid JSON ({error}); {wanted}: correct it") from None
    if not isinstance(found, dict):
        raise InvalidValueError(f"{source} holds a JSON {type(found).__name__}; {wanted}")
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
    entries = load_json(header, source, "wanted a JSON object in the form of a safetensors header")
    return checked_parameters(entries.items(), source)
