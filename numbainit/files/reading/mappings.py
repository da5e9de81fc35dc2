"""Arrays in memory, by names, also nested → their tensors: of NumPy, of torch, and what NumPy can look at."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from numbainit.errors import InvalidTypeError, InvalidValueError, shown
from numbainit.files.reading.stored import Collection, Pieces, Stored, slices
from numbainit.memory.dtypes import small_dtype
from numbainit.memory.sharded import is_dtensor

_SMALL = ("bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz")


def arrays(held: Mapping[Any, Any], source: str = "memory", file: str = "") -> Collection:
    """The arrays of a mapping; what is no array is left out.

    Raises
    ------
    InvalidValueError
        There are none, or two of one name.
    InvalidTypeError
        One has no values that can be read.
    """
    where = "the mapping" if source == "memory" else source
    tensors: dict[str, Stored] = {}
    try:
        for name, array in _flat(held):
            if name in tensors:
                raise InvalidValueError(f"{where} holds two tensors that are called {shown(name)}: audit its parts")
            tensors[name] = _of_array(name, array, file)
    except RecursionError:
        raise InvalidValueError(f"{where} holds mappings or lists in each other without end: audit its parts") from None
    if not tensors:
        raise InvalidValueError(f"{where} holds no arrays")
    return Collection(source, tensors)


def _flat(held: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Names → arrays, also of nested mappings and lists."""
    if isinstance(held, (Mapping, list, tuple)):
        for key, value in held.items() if isinstance(held, Mapping) else enumerate(held):
            yield from _flat(value, f"{prefix}.{key}" if prefix else str(key))
    elif hasattr(held, "shape") and hasattr(held, "dtype"):
        yield prefix or "tensor", held


def _of_array(name: str, array: Any, file: str) -> Stored:
    torch = sys.modules.get("torch")
    try:
        if torch is not None and isinstance(array, torch.Tensor):
            return _of_tensor(name, array, file)
        values = np.asarray(array)
    except InvalidTypeError:
        raise
    except (TypeError, ValueError, RuntimeError) as error:
        raise InvalidTypeError(f"{shown(name)} cannot be read as an array: {error}") from None
    return Stored(name, values.shape, values.dtype, lambda counts: slices(values.reshape(-1), counts), file)


def _of_tensor(name: str, tensor: Any, file: str) -> Stored:
    dtype = str(tensor.dtype).removeprefix("torch.")
    if is_dtensor(tensor):  # to gather it, all ranks would have to meet
        raise InvalidTypeError(
            f"{shown(name)} is distributed over ranks: audit what torch.distributed.checkpoint.state_dict gives with "
            "StateDictOptions(full_state_dict=True), or a checkpoint"
        )
    if tensor.device.type == "meta":
        raise InvalidTypeError(f"{shown(name)} is on the meta device: it has no values")
    if str(tensor.layout) != "torch.strided":
        raise InvalidTypeError(f"{shown(name)} is sparse ({tensor.layout}): audit its to_dense()")

    def pieces(counts: Iterable[int]) -> Pieces:
        flat, start = tensor.detach().resolve_conj().resolve_neg().reshape(-1), 0
        for count in counts:
            part = flat[start : start + count].cpu()
            start += count
            if dtype in _SMALL:
                import torch

                words = torch.int16 if dtype == "bfloat16" else torch.uint8
                yield part.view(words).numpy().view(small_dtype(dtype))
            else:
                yield part.numpy()

    form = _numpy_dtype(dtype)
    return Stored(name, tuple(tensor.shape), form or np.dtype("u1"), pieces, file, "" if form else dtype)


def _numpy_dtype(name: str) -> np.dtype | None:
    """Of a dtype of torch; None if torch gives NumPy none, even if ml_dtypes has taught NumPy the name."""
    if name in _SMALL:
        return small_dtype(name)
    try:
        dtype = np.dtype(name)
    except TypeError:
        return None
    return dtype if dtype.isbuiltin == 1 else None
