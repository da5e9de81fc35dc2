"""What ``__array_interface__`` or ``__cuda_array_interface__`` says → numbers that can be, or an error.

Both have the same fields. Kernels write where they say, so each is looked at, whatever stands there. That an object
lies about where its memory is cannot be seen (SECURITY.md).
"""

import operator
import sys
from typing import Any, NamedTuple

import numpy as np

from numbainit.errors import InvalidTypeError, shown
from numbainit.memory.dtypes import NO_ZERO, is_small, small_dtype
from numbainit.memory.libraries import is_small_name, name_of_dtype
from numbainit.weights.blocks import c_strides
from numbainit.weights.numbers import wholes

_MOST_AXES = 64  # of a NumPy array


class Memory(NamedTuple):
    """Where the elements of an array are; ``strides`` count bytes."""

    pointer: int
    read_only: bool
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: np.dtype


def attribute(thing: object, name: str) -> Any:
    """An attribute of an object of somebody else, None where there is none or where it cannot be had."""
    try:
        return getattr(thing, name, None)
    except Exception:  # a property may raise what it likes
        return None


def described(tensor: Any, interface: dict[str, Any], name: str) -> Memory:
    """What the interface called ``name`` says of the memory of ``tensor``."""
    try:
        memory = _described(tensor, interface)
        _check_numbers(memory)
    except Exception as error:  # also of what stands in the fields
        reason = f"no {shown(error.args[0])}" if isinstance(error, KeyError) and error.args else _reason(error)
        text = f"got an array whose {name} cannot be used ({reason}): {shown(interface)}"
        raise InvalidTypeError(text) from None
    return memory


def _reason(error: Exception) -> str:
    try:
        return " ".join(str(error).split())[:160]
    except Exception:
        return type(error).__name__


def _described(tensor: Any, interface: dict[str, Any]) -> Memory:
    dtype, shape, given = _dtype(tensor, interface["typestr"]), wholes(interface["shape"]), interface.get("strides")
    strides = tuple(dtype.itemsize * step for step in c_strides(shape)) if given is None else wholes(given)
    pointer, read_only = interface["data"]
    return Memory(operator.index(pointer or 0), bool(read_only), shape, strides, dtype)


def _dtype(tensor: Any, typestr: object) -> np.dtype:
    """What the array itself says it holds, where that is a float of ml_dtypes: they have no typestr of their own."""
    if not isinstance(typestr, str):
        raise TypeError(f"typestr is {shown(typestr)}")
    named = attribute(tensor, "dtype")
    name = name_of_dtype(named)
    if name is not None:
        named = small_dtype(name) if is_small_name(name) else None
    if not isinstance(named, np.dtype) or named.itemsize >= 4 or not (is_small(named) or named.name == NO_ZERO):
        return np.dtype(typestr)
    if typestr[2:] != str(named.itemsize):
        raise ValueError(f"typestr {shown(typestr)} is not as wide as {named}")
    return named


def _check_numbers(memory: Memory) -> None:
    if len(memory.shape) > _MOST_AXES:
        raise ValueError(f"{len(memory.shape)} axes")
    if len(memory.strides) != len(memory.shape):
        raise ValueError(f"{len(memory.strides)} strides for {len(memory.shape)} axes")
    if min(memory.pointer, *memory.shape, 0) < 0:
        raise ValueError("a negative number")
    size = reach = max(memory.dtype.itemsize, 1)
    for length, stride in zip(memory.shape, memory.strides, strict=True):
        size, reach = size * length, reach + abs(stride) * length
    if max(memory.pointer + reach, size) > sys.maxsize:
        raise ValueError("numbers beyond 63 bits")
