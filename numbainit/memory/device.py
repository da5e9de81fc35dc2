"""An object with ``__cuda_array_interface__`` → a plain description of its memory on a GPU, checked, or an error.

CuPy arrays, Numba device arrays and torch's CUDA tensors, told by that protocol and by nothing else; torch's need its
help for the stream, and for tensors that require a gradient. A library is asked only if it is imported already.
"""

import dataclasses
import math
import operator
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from numbainit.errors import InvalidTypeError, InvalidValueError, shown
from numbainit.memory.dtypes import NO_ZERO, is_small, part_of, small_dtype
from numbainit.memory.libraries import check_torch, is_immutable, is_small_name, name_of_dtype, stream_of_cupy, torch_of
from numbainit.weights.blocks import c_strides


@dataclass(frozen=True, slots=True)
class DeviceArray:
    """Memory on a GPU, with the attributes of an ndarray that this package asks for.

    ``pointer`` is the address of element 0, ``strides`` count bytes, ``stream`` is the handle of the stream that work
    on the array goes to (None: the default stream), and ``owner`` keeps the memory alive.
    """

    pointer: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: np.dtype
    stream: int | None
    owner: Any

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize

    def is_contiguous(self) -> bool:
        """Whether elements follow each other in C order."""
        step = self.itemsize
        for length, stride in zip(reversed(self.shape), reversed(self.strides), strict=True):
            if length != 1:
                if stride != step:
                    return False
                step *= length
        return True

    def view(self, dtype: str) -> "DeviceArray":
        """The same memory as elements of another dtype of the same size."""
        return dataclasses.replace(self, dtype=np.dtype(dtype))

    def parts(self) -> "DeviceArray":
        """A complex array as its real and imaginary parts along one more axis, the last; any other as it is."""
        part = part_of(self.dtype)
        if part is self.dtype:
            return self
        shape, strides = (*self.shape, 2), (*self.strides, part.itemsize)
        return dataclasses.replace(self, shape=shape, strides=strides, dtype=part)

    def __getitem__(self, index: tuple[slice, ...]) -> "DeviceArray":
        """Some of the elements, by one slice with a start and a stop for each axis."""
        offset = sum(one.start * stride for one, stride in zip(index, self.strides, strict=True))
        return self.view_at(offset, tuple(one.stop - one.start for one in index), self.strides)

    def transpose(self, order: Sequence[int]) -> "DeviceArray":
        """The same elements, with the axes in another order."""
        shape, strides = (tuple(values[axis] for axis in order) for values in (self.shape, self.strides))
        return self.view_at(0, shape, strides)

    def view_at(self, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> "DeviceArray":
        """Some of the elements, from ``offset`` bytes on."""
        return dataclasses.replace(self, pointer=self.pointer + offset, shape=shape, strides=strides)


def seen_on_device(tensor: Any) -> DeviceArray | None:
    """What the interface of an array on a GPU says, read-only or not; None for anything else."""
    interface, stream = _interface(tensor)
    return None if interface is None else _described(tensor, interface, stream)


def on_device(tensor: Any, caller: str) -> DeviceArray | None:
    """The memory of an array on a GPU, or None for anything else. ``caller`` is the name that messages speak of."""
    torch = torch_of(tensor)
    if torch is not None and tensor.is_cuda:
        check_torch(tensor, caller)
    interface, stream = _interface(tensor)
    if interface is None or is_immutable(tensor):
        return None
    array = _described(tensor, interface, stream)
    if interface.get("mask") is not None:
        raise InvalidTypeError(f"{caller} does not know what a mask means: pass the array without it")
    if interface["data"][1]:
        raise InvalidValueError(f"{caller} got a read-only device array: pass a copy")
    _check_memory(array, caller)
    return array


def _described(tensor: Any, interface: dict[str, Any], stream: Any) -> DeviceArray:
    """What the interface says, if it can be: kernels write where it says."""
    try:
        dtype = _dtype(tensor, interface["typestr"])
        shape, given = tuple(map(operator.index, interface["shape"])), interface.get("strides")
        if given is None:
            strides = tuple(dtype.itemsize * step for step in c_strides(shape))
        else:
            strides = tuple(map(operator.index, given))
        pointer, _ = interface["data"]
        array = DeviceArray(
            operator.index(pointer or 0),
            shape,
            strides,
            dtype,
            None if stream is None else operator.index(stream),
            tensor,
        )
        _check_numbers(array)
    except (KeyError, TypeError, ValueError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else " ".join(str(error).split())
        text = f"got a device array whose __cuda_array_interface__ cannot be used ({reason}): {shown(interface)}"
        raise InvalidTypeError(text) from None
    return array


def _dtype(tensor: Any, typestr: str) -> np.dtype:
    """What the array itself says it holds, where that is a float of ml_dtypes: they have no typestr of their own."""
    if not isinstance(typestr, str):
        raise TypeError(f"typestr is {shown(typestr)}")
    named = getattr(tensor, "dtype", None)
    name = name_of_dtype(named)
    if name is not None:
        named = small_dtype(name) if is_small_name(name) else None
    if not isinstance(named, np.dtype) or named.itemsize >= 4 or not (is_small(named) or named.name == NO_ZERO):
        return np.dtype(typestr)
    if typestr[2:] != str(named.itemsize):
        raise ValueError(f"typestr {shown(typestr)} is not as wide as {named}")
    return named


def _check_numbers(array: DeviceArray) -> None:
    if len(array.strides) != len(array.shape):
        raise ValueError(f"{len(array.strides)} strides for {len(array.shape)} axes")
    lowest, end = min(array.pointer, array.stream or 0), array.pointer + array.itemsize
    for length, stride in zip(array.shape, array.strides, strict=True):
        lowest, end = min(lowest, length), end + abs(stride) * length
    if lowest < 0:
        raise ValueError("a negative number")
    if max(end, array.stream or 0, array.size) > sys.maxsize:
        raise ValueError("numbers beyond 63 bits")


def _interface(tensor: Any) -> tuple[dict[str, Any] | None, int | None]:
    """The CUDA array interface, and the stream that work on the array goes to.

    torch leaves out the stream, refuses the interface of a tensor that requires a gradient, which its initializers fill
    all the same, and has none for its float8 kinds.
    """
    torch = torch_of(tensor)
    if torch is not None:
        return _interface_of_torch(torch, tensor)
    interface = getattr(tensor, "__cuda_array_interface__", None)
    if not isinstance(interface, dict):
        return None, None
    stream = stream_of_cupy(tensor)
    return interface, interface.get("stream") if stream is None else stream


def _interface_of_torch(torch: Any, tensor: Any) -> tuple[dict[str, Any] | None, int | None]:
    if not tensor.is_cuda:
        return None, None
    try:
        plain = tensor.detach()
        if str(name_of_dtype(plain.dtype)).startswith("float8"):
            plain = plain.view(torch.uint8)
        return plain.__cuda_array_interface__, torch.cuda.current_stream(tensor.device).cuda_stream
    except (RuntimeError, TypeError, ValueError, KeyError, AssertionError) as error:  # wrappers, exotic dtypes
        reason = str(error).partition("\n")[0]
        raise InvalidTypeError(
            f"got a torch tensor of {tensor.dtype} on a GPU without memory that can be shared ({reason}): fill a plain "
            "tensor and convert it"
        ) from None


def _check_memory(array: DeviceArray, caller: str) -> None:
    """What kernels cannot address; on a CPU it goes through a scratch, which is not worth having on a GPU."""
    if not array.dtype.isnative:
        native = array.dtype.newbyteorder("=")
        raise InvalidTypeError(f"{caller} fills device arrays in native byte order, got {array.dtype}: use {native}")
    steps = (stride for stride, length in zip(array.strides, array.shape, strict=True) if length > 1)
    if array.size and any(number % array.itemsize for number in (array.pointer, *steps)):
        raise InvalidValueError(
            f"{caller} fills device arrays of aligned elements, got address {array.pointer:#x} and strides "
            f"{array.strides} for elements of {array.itemsize} bytes: pass a contiguous copy"
        )
