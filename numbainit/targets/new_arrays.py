"""A shape, a dtype, a device or an array to be like → a new array to fill, and what makes of it what the user gets.

``like`` decides the library and the device: torch's tensors are filled in place, and what JAX gets is handed over
without a copy where its alignment allows that. A library is used only if it is imported already, since an array of it
is at hand; CuPy alone is imported for ``device="cuda"``. An ordinal is the number of a GPU, or None for the host.
"""

import importlib
import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from numbainit.errors import InvalidTypeError, InvalidValueError, NumbaInitError, shown
from numbainit.memory.device import seen_on_device
from numbainit.memory.dtypes import is_small
from numbainit.memory.interface import attribute
from numbainit.memory.libraries import errors_of_cupy, is_immutable, name_of_device, torch_of
from numbainit.targets.choose import cuda

_ALIGNMENT = 64  # bytes: JAX takes over memory of this alignment, and copies other memory

New = tuple[Any, Callable[[Any], Any]]


def new_array(shape: tuple[int, ...], dtype: np.dtype, device: Any, like: Any) -> New:
    """An array to fill, and a function that turns it into the result."""
    ordinal = ordinal_of_name(device)
    if like is not None and (device is not None or not _makes_its_own(like)):
        ordinal = ordinal_of(like, device, "like")
    try:
        return _new(shape, dtype, ordinal, like)
    except (ValueError, RuntimeError) as error:  # too many axes or bytes for any array
        if isinstance(error, NumbaInitError):
            raise
        if type(error).__name__ == "OutOfMemoryError":  # of torch
            raise MemoryError(str(error)) from error
        raise InvalidValueError(f"shape {shown(shape)} cannot be an array: {error}") from None


def ordinal_of_name(device: Any) -> int | None:
    """``"cuda"`` → 0, ``"cuda:1"`` → 1, None and ``"cpu"`` → None: the host. Libraries' own devices are known."""
    name = name_of_device(device)
    if name is None or (issubclass(type(name), str) and name == "cpu"):
        return None
    kind, colon, number = name.partition(":") if issubclass(type(name), str) else ("", "", "")
    if kind != "cuda" or (colon and not (number.isascii() and number.isdigit() and len(number) < 10)):
        raise InvalidValueError(f"device must be None, 'cpu', 'cuda' or 'cuda:<number>', got {shown(device)}")
    return int(number or 0)


def ordinal_of(array: Any, device: Any, name: str) -> int | None:
    """Where an array lives; an error if ``device`` names another."""
    seen = None if isinstance(array, np.ndarray) else seen_on_device(array)
    ordinal: int | None = None
    if seen is not None:
        ordinal = cuda().driver.ordinal_of(seen) if seen.size else 0
    if device is not None and ordinal_of_name(device) != ordinal:
        found = "the host" if ordinal is None else f"cuda:{ordinal}"
        raise InvalidValueError(f"got device={shown(device)}, but {name} lives on {found}: leave out one of the two")
    return ordinal


def _makes_its_own(like: Any) -> bool:
    """Whether the library of an array makes new ones itself, where that one lives."""
    return torch_of(like) is not None or is_immutable(like)


def _new(shape: tuple[int, ...], dtype: np.dtype, ordinal: int | None, like: Any) -> New:
    torch, jax = torch_of(like), sys.modules.get("jax")
    if torch is not None:
        return torch.empty(shape, dtype=_of_torch(torch, dtype), device=like.device), _unchanged
    if jax is not None and isinstance(like, jax.Array):
        return _for_jax(jax, shape, dtype, like)
    if like is not None and not isinstance(like, np.ndarray) and attribute(like, "__cuda_array_interface__") is None:
        raise InvalidTypeError(
            "like must be an array of NumPy, torch, JAX, CuPy or Numba, got "
            f"{type(like).__module__}.{type(like).__name__}: convert the result"
        )
    return np.empty(shape, dtype) if ordinal is None else empty_on_device(shape, dtype, ordinal, like), _unchanged


def empty_on_device(shape: tuple[int, ...], dtype: np.dtype, ordinal: int, like: Any = None) -> Any:
    """A new array on a GPU: of Numba if ``like`` is, or CuPy is not installed; else of CuPy."""
    if math.prod(shape) * dtype.itemsize > sys.maxsize:
        raise InvalidValueError(f"shape {shown(shape)} of {dtype} takes more bytes than there are addresses")
    from importlib.util import find_spec  # slow to import, and needed by few

    driver = cuda().driver
    driver.check_device(ordinal)
    if type(like).__module__.startswith("numba.") or find_spec("cupy") is None:
        return driver.empty(shape, dtype, ordinal)
    cupy = importlib.import_module("cupy")
    with errors_of_cupy(), cupy.cuda.Device(ordinal):
        if is_small(dtype):  # CuPy makes no float8, but views its memory so
            return cupy.empty(shape, f"u{dtype.itemsize}").view(dtype)
        return cupy.empty(shape, dtype)


def _unchanged(array: Any) -> Any:
    return array


def _of_torch(torch: Any, dtype: np.dtype) -> Any:
    known = getattr(torch, dtype.name, None)
    if known is None:
        raise InvalidTypeError(f"torch has no {dtype.name}: choose another dtype, or leave out like=")
    return known


def _for_jax(jax: Any, shape: tuple[int, ...], dtype: np.dtype, like: Any) -> New:
    if isinstance(like, jax.core.Tracer):
        raise InvalidTypeError(
            "like is an array that JAX is tracing: inside jax.jit, use the initializers of numbainit.jax"
        )
    if dtype.itemsize == (16 if dtype.kind == "c" else 8) and not jax.config.jax_enable_x64:
        raise InvalidTypeError(
            f"JAX would make {dtype.name} half as wide: jax.config.update('jax_enable_x64', True), or another dtype"
        )
    home, *others = like.devices()
    if others:
        raise InvalidValueError(
            f"like lives on {1 + len(others)} devices: numbainit.jax makes each shard on its own, with out_sharding="
        )

    def finish(array: np.ndarray) -> Any:
        if home.platform == "cpu" and array.dtype.isbuiltin == 1:  # DLPack knows none of ml_dtypes' types from NumPy
            array = jax.dlpack.from_dlpack(array)
        return jax.device_put(array, home)

    return _aligned(shape, dtype), finish


def _aligned(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    size = math.prod(shape) * dtype.itemsize
    memory = np.empty(size + _ALIGNMENT, np.uint8)
    skip = -memory.ctypes.data % _ALIGNMENT
    return memory[skip : skip + size].view(dtype).reshape(shape)
