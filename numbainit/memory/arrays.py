"""What a user passed → an array that can be filled in place, of NumPy or on a GPU, or an error that says what to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from numbainit.errors import InvalidTypeError, InvalidValueError
from numbainit.memory.device import DeviceArray, on_device
from numbainit.memory.dtypes import COMPLEXES, FLOATS, NO_ZERO, REALS, WORDS, is_small, names, part_of
from numbainit.memory.host import on_host
from numbainit.weights.blocks import merged_axes


def writable(tensor: Any, caller: str, dtypes: tuple[np.dtype, ...] = FLOATS) -> Any:
    """The array to fill: ``tensor`` itself, as a plain ndarray over the same memory, after every check.

    An array on a GPU becomes a :class:`DeviceArray`. ``caller`` is the public name that the messages speak of.
    """
    if type(tensor) is not np.ndarray:
        if not isinstance(tensor, np.ndarray) and (array := on_device(tensor, caller)) is not None:
            return _writable_on_device(array, caller, dtypes)
        tensor = _plain(tensor, caller)
    if tensor.dtype not in dtypes:
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


def _writable_on_device(array: DeviceArray, caller: str, dtypes: tuple[np.dtype, ...]) -> DeviceArray:
    if array.dtype not in dtypes:
        _check_dtype(array.dtype, caller, dtypes)
    if not array.is_contiguous() and _may_overlap(array):
        raise _overlapping(array, caller)
    return array


def _overlapping(array: np.ndarray | DeviceArray, caller: str) -> InvalidValueError:
    return InvalidValueError(
        f"{caller} got a view whose elements share memory, or interleave (strides {array.strides} for shape "
        f"{array.shape}), such as a broadcast one: values would be overwritten; pass a copy (array.copy())"
    )


def _plain(tensor: object, caller: str) -> np.ndarray:
    if isinstance(tensor, np.ma.MaskedArray):
        raise InvalidTypeError(f"{caller} does not know what a mask means: pass the memory behind it, array.data")
    if isinstance(tensor, np.ndarray):
        return np.ndarray.view(tensor, np.ndarray)
    array = on_host(tensor, caller)
    if array is not None:
        return array
    library = type(tensor).__module__.partition(".")[0]
    functional = f"numbainit.{caller.rstrip('_')}(shape, ...)"
    remedy = {
        "jax": f"jax arrays are immutable; make a new one: jax.numpy.asarray({functional})",
        "jaxlib": f"jax arrays are immutable; make a new one: jax.numpy.asarray({functional})",
    }.get(library, f"pass numpy.empty(shape, 'float32'), or make a new array: {functional}")
    raise InvalidTypeError(f"{caller} fills an array in place, got {library}.{type(tensor).__name__}: {remedy}")


def _check_dtype(dtype: np.dtype, caller: str, dtypes: tuple[np.dtype, ...]) -> None:
    """Byte order is the one freedom: such arrays are filled through a native scratch."""
    if not dtype.isnative and dtype.newbyteorder("=") in dtypes:
        return
    if dtypes is not WORDS and is_small(dtype):
        return
    if dtypes is REALS and dtype.name in {known.name for known in COMPLEXES}:
        part = part_of(dtype).name
        raise InvalidTypeError(
            f"{caller} fills real arrays, got {dtype}: the law on a disk is out of scope here; fill both parts "
            f"independently, as {caller}(array.view({part!r})), or each of array.real and array.imag"
        )
    remedy = "fill an array of one of these and convert it with astype"
    if dtype.name == NO_ZERO and dtypes is not WORDS:
        remedy = f"{NO_ZERO} has no zero and no sign, so no initializer fits it; {remedy}"
    raise InvalidTypeError(f"{caller} fills arrays of {names(dtypes)}, got {dtype}: {remedy}")


def as_words(array: np.ndarray) -> np.ndarray:
    """An array of small floats as unsigned integers over the same memory; any other as it is."""
    return array.view(f"u{array.itemsize}") if array.itemsize < 4 else array


def as_parts(array: np.ndarray) -> np.ndarray:
    """A complex array, of any memory, as its real and imaginary parts along one more axis, the last."""
    part = array.real
    return np.lib.stride_tricks.as_strided(part, (*part.shape, 2), (*part.strides, part.itemsize))


def write_everywhere(array: Any, value: complex) -> None:
    """Assign a value; ml_dtypes' own assignment takes no notice of the byte order."""
    array[...] = value if array.dtype.isnative else np.full(1, value, array.dtype.newbyteorder("="))


def _may_overlap(array: np.ndarray | DeviceArray) -> bool:
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


@dataclass(frozen=True)
class Strided:
    """An array as kernels see it: a contiguous window over its memory, and where each axis steps, in it and in numbers.

    ``offset`` and ``strides`` count elements of the window, ``steps`` the numbers of elements. Axes that continue each
    other in both are merged.
    """

    window: np.ndarray
    offset: int
    shape: np.ndarray
    strides: np.ndarray
    steps: np.ndarray


def is_regular(array: np.ndarray) -> bool:
    """Whether kernels can address the array: aligned, native byte order, strides in whole elements."""
    return array.flags.aligned and array.dtype.isnative and not any(stride % array.itemsize for stride in array.strides)


def strided(array: np.ndarray, steps: Sequence[int]) -> Strided:
    """Describe a regular, non-empty array by its window, and by how far apart in number neighbours on each axis are."""
    axes = merged_axes(array, steps)
    spans = [one * (length - 1) for length, one, _ in axes]
    lowest = array[tuple(slice(None, None, -1 if stride < 0 else 1) for stride in array.strides)]
    window = np.lib.stride_tricks.as_strided(lowest, (1 + sum(map(abs, spans)),), (array.itemsize,))
    offset = -sum(min(span, 0) for span in spans)
    return Strided(window, offset, *np.array(axes, np.int64).T.copy())
