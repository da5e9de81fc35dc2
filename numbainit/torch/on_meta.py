"""Calls of torch that make tensors without saying where → tensors on the meta device, which have no values."""

import functools
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._device import _device_constructors

META = torch.device("meta")
_TO_NUMPY = (torch.Tensor.numpy, torch.Tensor.__array__)
_IS_META = torch.Tensor.is_meta.__get__  # type: ignore[attr-defined]


class OnMeta(TorchFunctionMode):
    """What torch makes without a device is made on meta, but for what is made of numbers, which that would forget.

    It is no ``torch.device("meta")``, under which transformers initializes nothing, and no tensor says that it is on
    meta, where ``dirac_`` does nothing.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in _TO_NUMPY and args[0].is_meta:
            return func(args[0].cpu(), *args[1:], **kwargs)
        if func == _IS_META:
            return False
        if func in _made_on_meta() and kwargs.get("device") is None:
            kwargs = {**kwargs, "device": META}
        return func(*args, **kwargs)


@functools.cache
def _made_on_meta() -> frozenset[Any]:
    return frozenset(_device_constructors()) - {torch.tensor, torch.as_tensor, torch.from_file, torch.scalar_tensor}


def to_meta(tensor: torch.Tensor) -> torch.Tensor:
    """The same without values; a number stays one."""
    return tensor if tensor.is_meta or tensor.dim() == 0 else tensor.to(META)
