"""What a user passed → an array that can be filled in place, of NumPy or on a GPU, or an error that says what to do."""

import operator
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from numbainit.errors import InvalidTypeError, InvalidValueError
from numbainit.memory.device import DeviceArray, on_device
from numbainit.memory.dtypes import FLOATS, NO_ZERO, Fillable, part_of
from numbainit.memory.host import on_host
from numbainit.memory.libraries import hint_for_module, library_of
from numbainit.memory.sharded import ShardedArray, on_ranks

Array: TypeAlias = np.ndarray | DeviceArray


def writable(tensor: Any, caller: str, dtypes: Fillable = FLOATS) -> Any:
    """The array to fill: ``tensor`` itself, as a plain ndarray over the same memory, after every check.

    An array on a GPU becomes a :class:`DeviceArray`, one of which only a part lies here a
    :class:`~numbainit.memory.sharded.ShardedArray`. ``caller`` is the public name that the messages speak of.
    """
    if type(tensor) is not np.ndarray:
        tensor = described(tensor, caller)
        if isinstance(tensor, DeviceArray):
            return _writable_on_device(tensor, caller, dtypes)
        if isinstance(tensor, ShardedArray):
            writable(tensor.memory, caller, dtypes)
            return tensor
    if tensor.dtype not in dtypes.machine:
        _check_dtype(tensor.dtype, caller, dtypes)
    flags = tensor.flags
    if not flags.writeable:
        raise InvalidValueError(
            f"{caller} got a read-only array: pass a copy (array.copy()), or call array.setflags(write=True) if it "
            "owns its memory"
        )
    if not flags.c_contiguous and _may_overlap(tensor):
        raise _overlapping(tensor, caller)
    return tensor


def described(tensor: Any, caller: str) -> Any:
    """The memory of what a user passed, whatever its dtype."""
    kind = type(tensor)  # which cannot lie, as ``__class__`` can
    if issubclass(kind, np.ma.MaskedArray):
        raise InvalidTypeError(f"{caller} does not know what a mask means: pass the memory behind it, array.data")
    if issubclass(kind, np.ndarray):
        return np.ndarray.view(tensor, np.ndarray)
    if kind in (DeviceArray, ShardedArray):
        return tensor
    array = on_ranks(tensor, caller, described) or on_device(tensor, caller) or on_host(tensor, caller)
    if array is None:
        raise _not_an_array(tensor, caller)
    return array


def _not_an_array(tensor: object, caller: str) -> InvalidTypeError:
    library = library_of(tensor)
    functional = f"numbainit.{caller.rstrip('_')}(shape, ...)"
    remedy = "pass numpy.empty(shape, 'float32')"
    if caller.endswith("_"):  # else it is no initializer, but what fills many arrays
        remedy += f", or make a new array: {functional}"
    if library in ("jax", "jaxlib"):
        remedy = f"jax arrays are immutable; make a new one: jax.numpy.asarray({functional})"
    remedy = hint_for_module(tensor) or remedy
    return InvalidTypeError(f"{caller} fills an array in place, got {library}.{type(tensor).__name__}: {remedy}")


def _writable_on_device(array: DeviceArray, caller: str, dtypes: Fillable) -> DeviceArray:
    if array.dtype not in dtypes.machine:
        _check_dtype(array.dtype, caller, dtypes)
    if not array.is_contiguous() and _may_overlap(array):
        raise _overlapping(array, caller)
    return array


def _overlapping(array: Array, caller: str) -> InvalidValueError:
    return InvalidValueError(
        f"{caller} got a view whose elements share memory, or interleave (strides {array.strides} for shape "
        f"{array.shape}), such as a broadcast one: values would be overwritten; pass a copy (array.copy())"
    )


def _check_dtype(dtype: np.dtype, caller: str, dtypes: Fillable) -> None:
    """Byte order is the one freedom: such arrays are filled through a native scratch."""
    if dtype in dtypes or (not dtype.isnative and dtype.newbyteorder("=") in dtypes):
        return
    part = part_of(dtype)
    if dtypes.small and part is not dtype and part in dtypes:
        raise InvalidTypeError(
            f"{caller} fills real arrays, got {dtype}: the law on a disk is out of scope here; fill both parts "
            f"independently, as {caller}(array.view({part.name!r})), or each of array.real and array.imag"
        )
    remedy = "fill an array of one of these and convert it with astype"
    if dtype.name == NO_ZERO and dtypes.small:
        remedy = f"{NO_ZERO} has no zero and no sign, so no initializer fits it; {remedy}"
    raise InvalidTypeError(f"{caller} fills arrays of {dtypes}, got {dtype}: {remedy}")


def _may_overlap(array: Array) -> bool:
    """Whether two elements could share a byte: each axis must step over all that the finer axes span."""
    if array.size == 0:
        return False
    spanned = array.itemsize
    for step, length in sorted(zip(map(abs, array.strides), array.shape, strict=True)):
        if length > 1:
            if step < spanned:
                return True
            spanned += step * (length - 1)
    return False


def diagonal(array: Array, row: int, column: int, length: int) -> Array:
    """So many elements of a matrix, from row and column on, one of each row and column."""
    if type(array) is np.ndarray and array.flags.c_contiguous:  # a slice takes less time than any other view
        step = array.shape[1] + 1
        begin = row * (step - 1) + column
        return array.ravel()[begin : begin + (length - 1) * step + 1 : step]
    return view_at(array, (row, column), (length,), (sum(array.strides),))


def split_axis(array: Array, axis: int, parts: int) -> Array:
    """The same elements, with one axis as two: its equal ``parts``, and the places in each."""
    if parts == 1 or not array.size:
        return array
    length, step = array.shape[axis] // parts, array.strides[axis]
    shape = *array.shape[:axis], parts, length, *array.shape[axis + 1 :]
    strides = *array.strides[:axis], length * step, step, *array.strides[axis + 1 :]
    return view_at(array, (0,) * array.ndim, shape, strides)


def view_at(array: Array, index: Sequence[int], shape: Sequence[int], strides: Sequence[int]) -> Array:
    """Some of the elements: the first is the one at ``index``, and neighbours are so many bytes apart.

    Nothing is checked. In contiguous memory it takes a tenth of the time of NumPy's ``as_strided``.
    """
    if isinstance(array, DeviceArray):
        return array.view_at(sum(map(operator.mul, index, array.strides)), tuple(shape), tuple(strides))
    if array.flags.c_contiguous:
        offset = sum(map(operator.mul, index, array.strides))
        return np.ndarray(shape, array.dtype, array, offset, strides)
    rest = array[tuple(slice(place, None) for place in index)].view(f"V{array.itemsize}")  # NumPy names all of these
    return np.lib.stride_tricks.as_strided(rest, shape, strides).view(array.dtype)
