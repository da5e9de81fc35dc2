"""What a user passed → a NumPy array that can be filled in place, or an error that says what to do instead."""

from dataclasses import dataclass

import numpy as np

from numbainit.errors import InvalidTypeError, InvalidValueError
from numbainit.scalar.formats import SMALL

_REALS = ("float32", "float64", "float16")
_COMPLEXES = ("complex64", "complex128")
FLOATS = tuple(np.dtype(name) for name in (*_REALS, *_COMPLEXES))  # and those of ml_dtypes
REALS = tuple(np.dtype(name) for name in _REALS)  # and those of ml_dtypes
WORDS = tuple(np.dtype(name) for name in ("uint32", "int32", "uint64", "int64"))

NO_ZERO = "float8_e8m0fnu"  # of ml_dtypes: powers of two, for scales


def writable(tensor: object, caller: str, dtypes: tuple[np.dtype, ...] = FLOATS) -> np.ndarray:
    """The array to fill: ``tensor`` itself, as a plain ndarray over the same memory, after every check.

    ``caller`` is the public name that the messages speak of.
    """
    if type(tensor) is not np.ndarray:
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
        raise InvalidValueError(
            f"{caller} got a view whose elements share memory, or interleave (strides {tensor.strides} for shape "
            f"{tensor.shape}), such as a broadcast one: values would be overwritten; pass a copy (array.copy())"
        )
    return tensor


def _plain(tensor: object, caller: str) -> np.ndarray:
    if isinstance(tensor, np.ma.MaskedArray):
        raise InvalidTypeError(f"{caller} does not know what a mask means: pass the memory behind it, array.data")
    if isinstance(tensor, np.ndarray):
        return np.ndarray.view(tensor, np.ndarray)
    library = type(tensor).__module__.partition(".")[0]
    functional = f"numbainit.{caller.rstrip('_')}(shape, ...)"
    remedy = {
        "jax": f"jax arrays are immutable; make a new one: jax.numpy.asarray({functional})",
        "jaxlib": f"jax arrays are immutable; make a new one: jax.numpy.asarray({functional})",
        "torch": "pass tensor.detach().numpy(), which shares the memory of a CPU tensor",
        "cupy": f"fill on the host and copy: array.set({functional})",
    }.get(library, f"pass numpy.empty(shape, 'float32'), or make a new array: {functional}")
    raise InvalidTypeError(f"{caller} fills a NumPy array in place, got {library}.{type(tensor).__name__}: {remedy}")


def _check_dtype(dtype: np.dtype, caller: str, dtypes: tuple[np.dtype, ...]) -> None:
    """Byte order is the one freedom: such arrays are filled through a native scratch."""
    if not dtype.isnative and dtype.newbyteorder("=") in dtypes:
        return
    if dtypes is not WORDS and is_small(dtype):
        return
    if dtypes is REALS and dtype.name in _COMPLEXES:
        part = part_of(dtype).name
        raise InvalidTypeError(
            f"{caller} fills real arrays, got {dtype}: the law on a disk is out of scope here; fill both parts "
            f"independently, as {caller}(array.view({part!r})), or each of array.real and array.imag"
        )
    remedy = "fill an array of one of these and convert it with astype"
    if dtype.name == NO_ZERO and dtypes is not WORDS:
        remedy = f"{NO_ZERO} has no zero and no sign, so no initializer fits it; {remedy}"
    raise InvalidTypeError(f"{caller} fills arrays of {names(dtypes)}, got {dtype}: {remedy}")


def is_small(dtype: np.dtype) -> bool:
    """Whether this is a float of less than 32 bits, in any byte order: of ml_dtypes, but for float16."""
    return dtype.name in SMALL


def names(dtypes: tuple[np.dtype, ...]) -> str:
    """The dtypes that may be used, for a message."""
    return ", ".join([*(known.name for known in dtypes), *([] if dtypes is WORDS else list(SMALL)[1:])])


def part_of(dtype: np.dtype) -> np.dtype:
    """The dtype of the real and of the imaginary part, where ``dtype`` is complex; else ``dtype``."""
    return np.dtype(f"f{dtype.itemsize // 2}") if dtype.kind == "c" else dtype


def as_words(array: np.ndarray) -> np.ndarray:
    """An array of small floats as unsigned integers over the same memory; any other as it is."""
    return array.view(f"u{array.itemsize}") if array.itemsize < 4 else array


def as_parts(array: np.ndarray) -> np.ndarray:
    """A complex array, of any memory, as its real and imaginary parts along one more axis, the last."""
    array = array.squeeze()  # room for that axis
    part = array.real
    return np.lib.stride_tricks.as_strided(part, (*part.shape, 2), (*part.strides, part.itemsize))


def _may_overlap(array: np.ndarray) -> bool:
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
    """An array as kernels see it: a contiguous window over its memory, and where each logical axis steps in it.

    ``offset`` and ``strides`` count elements. Axes that continue each other are merged.
    """

    window: np.ndarray
    offset: int
    shape: np.ndarray
    strides: np.ndarray


def is_regular(array: np.ndarray) -> bool:
    """Whether kernels can address the array: aligned, native byte order, strides in whole elements."""
    return array.flags.aligned and array.dtype.isnative and not any(stride % array.itemsize for stride in array.strides)


def strided(array: np.ndarray) -> Strided:
    """Describe a regular, non-empty array by its window, offset, shape and strides."""
    shape, strides = [1], [0]
    for length, stride in zip(array.shape, array.strides, strict=True):
        step = stride // array.itemsize
        if length == 1:
            continue
        if shape[-1] == 1 or strides[-1] == length * step:
            shape[-1], strides[-1] = shape[-1] * length, step
        else:
            shape.append(length)
            strides.append(step)
    spans = [step * (length - 1) for length, step in zip(shape, strides, strict=True)]
    lowest = array[tuple(slice(None, None, -1 if stride < 0 else 1) for stride in array.strides)]
    extent = 1 + sum(map(abs, spans))
    window = np.lib.stride_tricks.as_strided(lowest, (extent,), (array.itemsize,))
    offset = -sum(min(span, 0) for span in spans)
    return Strided(window, offset, np.array(shape, np.int64), np.array(strides, np.int64))
