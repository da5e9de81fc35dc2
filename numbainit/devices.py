"""An object with ``__cuda_array_interface__`` → a plain description of its memory on a GPU, checked, or an error.

CuPy arrays, Numba device arrays and torch's CUDA tensors, told by that protocol and by nothing else; torch's need its
help for the stream, and for tensors that require a gradient. A library is asked only if it is imported already.
"""

import dataclasses
import functools
import importlib
import importlib.util
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from numbainit.errors import InvalidTypeError, InvalidValueError, MissingExtraError

_IMMUTABLE = ("jax", "jaxlib")  # libraries whose arrays show their memory, but must never be written to


@dataclass(frozen=True)
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

    def view(self, dtype: str) -> "DeviceArray":
        """The same memory as elements of another dtype of the same size."""
        return dataclasses.replace(self, dtype=np.dtype(dtype))

    def __getitem__(self, index: tuple[slice, ...]) -> "DeviceArray":
        """A part, by a slice without a step for each axis."""
        ranges = [one.indices(length) for one, length in zip(index, self.shape, strict=True)]
        offset = sum(begin * stride for (begin, _, _), stride in zip(ranges, self.strides, strict=True))
        shape = tuple(max(end - begin, 0) for begin, end, _ in ranges)
        return dataclasses.replace(self, pointer=self.pointer + offset, shape=shape)

    def transpose(self, order: Sequence[int]) -> "DeviceArray":
        """The same memory with its axes in another order."""
        shape, strides = tuple(self.shape[axis] for axis in order), tuple(self.strides[axis] for axis in order)
        return dataclasses.replace(self, shape=shape, strides=strides)

    def diagonal(self, count: int) -> "DeviceArray":
        """The first ``count`` elements where both of the first two axes step, at the beginning of all others."""
        return dataclasses.replace(self, shape=(count,), strides=(sum(self.strides[:2]),))

    def fill(self, value: float) -> None:
        """Write one value everywhere."""
        gpu().fill_constant(self, value)


def on_device(tensor: Any, caller: str) -> DeviceArray | None:
    """The memory of an array on a GPU, or None for anything else. ``caller`` is the name that messages speak of."""
    interface, stream = _interface(tensor)
    if interface is None or type(tensor).__module__.partition(".")[0] in _IMMUTABLE:
        return None
    if interface.get("mask") is not None:
        raise InvalidTypeError(f"{caller} does not know what a mask means: pass the array without it")
    if interface["data"][1]:
        raise InvalidValueError(f"{caller} got a read-only device array: pass a copy")
    array = _described(tensor, interface, stream)
    _check_memory(array, caller)
    return array


def _described(tensor: Any, interface: dict[str, Any], stream: int | None) -> DeviceArray:
    shape, dtype = tuple(map(int, interface["shape"])), np.dtype(interface["typestr"])
    strides = tuple(map(int, interface.get("strides") or _contiguous(shape, dtype.itemsize)))
    return DeviceArray(int(interface["data"][0] or 0), shape, strides, dtype, stream, tensor)


def _interface(tensor: Any) -> tuple[dict[str, Any] | None, int | None]:
    """The CUDA array interface, and the stream.

    torch leaves out the stream, and refuses the interface of a tensor that requires a gradient: its initialisers fill
    such tensors, so that is allowed here too.
    """
    torch: Any = sys.modules.get("torch")
    tensors: Any = getattr(torch, "Tensor", ())
    if isinstance(tensor, tensors):
        if not tensor.is_cuda:
            return None, None
        return tensor.detach().__cuda_array_interface__, torch.cuda.current_stream(tensor.device).cuda_stream
    interface = getattr(tensor, "__cuda_array_interface__", None)
    return interface, None if interface is None else interface.get("stream")


def _contiguous(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    return tuple(itemsize * math.prod(shape[axis + 1 :]) for axis in range(len(shape)))


def _check_memory(array: DeviceArray, caller: str) -> None:
    """What kernels cannot address; on a CPU it goes through a scratch, which is not worth having on a GPU."""
    if not array.dtype.isnative:
        native = array.dtype.newbyteorder("=")
        raise InvalidTypeError(f"{caller} fills device arrays in native byte order, got {array.dtype}: use {native}")
    if array.itemsize and any(number % array.itemsize for number in (array.pointer, *array.strides)):
        raise InvalidValueError(
            f"{caller} fills device arrays of aligned elements, got address {array.pointer:#x} and strides "
            f"{array.strides} for elements of {array.itemsize} bytes: pass a contiguous copy"
        )


@functools.cache
def gpu() -> ModuleType:
    """The target of device arrays; imported when one is met, or asked for."""
    if importlib.util.find_spec("numba_cuda") is None:  # Numba has a CUDA target of its own, long out of care
        raise MissingExtraError(
            'arrays on a GPU need numba-cuda: pip install "numbainit[cuda13]", or "numbainit[cuda12]" for a driver '
            "that knows no CUDA 13"
        )
    return importlib.import_module("numbainit.targets.cuda")


def merged_axes(array: DeviceArray) -> tuple[list[int], list[int]]:
    """Shape and strides, in elements, after axes that continue each other have become one."""
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
    return shape, strides


# ---- places, and new arrays there ----


def place_of_name(device: Any) -> int | None:
    """``"cuda"`` → 0, ``"cuda:1"`` → 1, None and ``"cpu"`` → None: the host."""
    if device is None or (isinstance(device, str) and device == "cpu"):
        return None
    kind, colon, number = device.partition(":") if isinstance(device, str) else ("", "", "")
    if kind != "cuda" or (colon and not (number.isascii() and number.isdigit())):
        raise InvalidValueError(f"device must be None, 'cpu', 'cuda' or 'cuda:<number>', got {device!r}")
    return int(number or 0)


def place_of(array: Any, device: Any, name: str) -> int | None:
    """Where an array lives: the number of a GPU, or None for the host; an error if ``device`` names another place."""
    interface, stream = (None, None) if isinstance(array, np.ndarray) else _interface(array)
    place = None
    if interface is not None:
        described = _described(array, interface, stream)
        place = gpu().ordinal_of(described) if described.size else 0
    if device is not None and place_of_name(device) != place:
        found = "the host" if place is None else f"cuda:{place}"
        raise InvalidValueError(f"got device={device!r}, but {name} lives on {found}: leave out one of the two")
    return place


def empty(shape: tuple[int, ...], dtype: np.dtype, place: int) -> Any:
    """A new array on a GPU: of CuPy if that is installed, else of Numba."""
    if importlib.util.find_spec("cupy") is None:
        return gpu().empty(shape, dtype, place)
    gpu().check_device(place)
    cupy = importlib.import_module("cupy")
    with cupy.cuda.Device(place):
        return cupy.empty(shape, dtype)
