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
from numbainit.memory.dtypes import part_of
from numbainit.memory.interface import attribute, described
from numbainit.memory.libraries import check_torch, is_immutable, name_of_dtype, stream_of_cupy, torch_of


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
    memory = described(tensor, interface, "__cuda_array_interface__")
    try:
        handle = None if stream is None else operator.index(stream)
        if handle is not None and not 0 <= handle <= sys.maxsize:
            raise ValueError
    except Exception:
        raise InvalidTypeError(f"got a device array whose stream cannot be used: {shown(stream)}") from None
    return DeviceArray(memory.pointer, memory.shape, memory.strides, memory.dtype, handle, tensor)


def _interface(tensor: Any) -> tuple[dict[str, Any] | None, int | None]:
    """The CUDA array interface, and the stream that work on the array goes to.

    torch leaves out the stream, refuses the interface of a tensor that requires a gradient, which its initializers fill
    all the same, and has none for its float8 kinds.
    """
    torch = torch_of(tensor)
    if torch is not None:
        return _interface_of_torch(torch, tensor)
    interface = attribute(tensor, "__cuda_array_interface__")
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
