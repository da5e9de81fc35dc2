"""An object of another library that holds host memory → an ndarray over that very memory, or None.

torch's CPU tensors, whatever has ``__array_interface__`` or the buffer protocol (``array.array``, ``memoryview``,
ctypes arrays), and host memory behind ``__dlpack__``. Nothing is copied and no library imported: a tensor of torch can
only be met where torch is imported already.
"""

from typing import Any

import numpy as np

from numbainit.errors import InvalidTypeError, InvalidValueError, MissingExtraError, shown
from numbainit.memory.dtypes import small_dtype
from numbainit.memory.interface import Memory, attribute, described
from numbainit.memory.libraries import check_torch, is_immutable, is_small_name, name_of_dtype, torch_of

_DLPACK_HOST = (1, 3)  # kDLCPU, kDLCUDAHost


def on_host(tensor: Any, caller: str) -> np.ndarray | None:
    """The ndarray over the memory of ``tensor``, read-only where that may not be written; None if there is none."""
    torch = torch_of(tensor)
    if torch is not None:
        return _of_torch(torch, tensor, caller)
    if is_immutable(tensor) or issubclass(type(tensor), (bytes, str, np.generic)):
        return None
    found = (look(tensor, caller) for look in (_of_interface, _of_buffer, _of_dlpack))
    return next((array for array in found if array is not None), None)


def _of_torch(torch: Any, tensor: Any, caller: str) -> np.ndarray:
    try:
        return _memory_of_torch(torch, tensor, caller)
    except (InvalidTypeError, InvalidValueError, MissingExtraError):
        raise
    except (RuntimeError, TypeError, ValueError) as error:  # wrappers, tensors of transformations, exotic dtypes
        reason = str(error).partition("\n")[0]
        raise InvalidTypeError(
            f"{caller} got a torch tensor of {tensor.dtype} without memory that can be shared ({reason}): fill a plain "
            "tensor on the CPU and convert it"
        ) from None


def _memory_of_torch(torch: Any, tensor: Any, caller: str) -> np.ndarray:
    """A tensor that requires a gradient is filled as torch's initializers fill it, outside of the graph.

    NumPy knows none of torch's small floats, so they pass as integers of their width.
    """
    if tensor.device.type == "meta":
        raise InvalidValueError(
            f"{caller} got a tensor on torch's meta device, which has no memory: module.to_empty(device='cpu') gives "
            "it some"
        )
    check_torch(tensor, caller)
    plain = tensor.detach()
    name = str(name_of_dtype(tensor.dtype))
    if is_small_name(name):
        return _shared(torch, plain.view(torch.uint16 if name == "bfloat16" else torch.uint8)).view(small_dtype(name))
    return _shared(torch, plain)


def _shared(torch: Any, tensor: Any) -> np.ndarray:
    """The memory of a tensor. Once it was lent by ``numpy()``, torch never resizes it again: FSDP frees memory so."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()) or not tensor.numel():
        array: np.ndarray = tensor.numpy()
        return array
    return np.asarray(_Lent(tensor))


class _Lent:
    """The interface of a tensor's memory, which lives as long as an array over it does."""

    def __init__(self, tensor: Any) -> None:
        self.tensor = tensor
        self.__array_interface__ = {
            "version": 3,
            "data": (tensor.data_ptr(), False),
            "shape": tuple(tensor.shape),
            "strides": tuple(step * tensor.element_size() for step in tensor.stride()),
            "typestr": np.dtype(name_of_dtype(tensor.dtype)).str,
        }


class _Memory:
    """What NumPy makes an array of: only what was looked at. It keeps the owner of the memory alive."""

    def __init__(self, memory: Memory, owner: Any) -> None:
        self.owner = owner
        data, typestr = (memory.pointer, memory.read_only), f"|V{memory.dtype.itemsize}"  # NumPy can name all of these
        self.__array_interface__ = {
            "version": 3,
            "shape": memory.shape,
            "typestr": typestr,
            "data": data,
            "strides": memory.strides,
        }


def _of_interface(tensor: Any, caller: str) -> np.ndarray | None:
    interface = attribute(tensor, "__array_interface__")
    if not isinstance(interface, dict) or not isinstance(interface.get("data"), tuple):
        return None
    memory = described(tensor, interface, "__array_interface__")
    if interface.get("mask") is not None:
        raise InvalidTypeError(f"{caller} does not know what a mask means: pass the array without it")
    if 0 in memory.shape:
        return np.empty(memory.shape, memory.dtype)
    if not memory.pointer or not memory.dtype.itemsize or memory.dtype.hasobject:
        raise InvalidTypeError(f"{caller} got an array without memory that can be filled: {shown(interface)}")
    return np.asarray(_Memory(memory, tensor)).view(memory.dtype)


def _of_buffer(tensor: Any, caller: str) -> np.ndarray | None:
    try:
        return np.asarray(memoryview(tensor))
    except Exception:  # no buffer, a format that NumPy does not know, or what an exporter raises
        return None


def _of_dlpack(tensor: Any, caller: str) -> np.ndarray | None:
    try:
        if tensor.__dlpack_device__()[0] not in _DLPACK_HOST:
            return None
        return np.from_dlpack(tensor)  # read-only where it was exported without a word on that
    except Exception:  # no such protocol, or whatever it raises
        return None
