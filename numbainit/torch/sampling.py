"""torch's random operations → an initializer, or uniform and normal numbers and what is made of them.

Each of :data:`COMPOSED` is called with the mode on, which sees what it calls: its numbers are keyed, its steps kept.
"""

import math
from collections.abc import Callable
from typing import Any

import torch

from numbainit.initializers import Initializer
from numbainit.torch.fills import initializer

_ATEN = torch.ops.aten


def initializer_of(func: Any, args: Any, kwargs: dict[str, Any]) -> Initializer | None:
    """That which a fill in place is, if it is one."""
    if func is _UNIFORM:
        return initializer("uniform", *_numbers(args, kwargs, ("from", 0.0), ("to", 1.0)))
    if func is _NORMAL:
        return initializer("normal", *_numbers(args, kwargs, ("mean", 0.0), ("std", 1.0)))
    return None


_UNIFORM, _NORMAL = _ATEN.uniform_.default, _ATEN.normal_.default


def _numbers(args: Any, kwargs: dict[str, Any], *defaults: tuple[str, float]) -> tuple[float, ...]:
    given = (*args[1:], *(kwargs.get(name, default) for name, default in defaults[len(args) - 1 :]))
    return tuple(map(float, given))


def _new(size: Any, dtype: Any = None, layout: Any = None, device: Any = None, **_: Any) -> torch.Tensor:
    return torch.empty(size, dtype=dtype, device=device)


def _like(tensor: torch.Tensor, dtype: Any = None, device: Any = None, memory_format: Any = None, **_: Any) -> Any:
    return torch.empty_like(tensor, dtype=dtype, device=device, memory_format=memory_format or torch.preserve_format)


def _uniform(tensor: torch.Tensor) -> torch.Tensor:
    (torch.view_as_real(tensor) if tensor.is_complex() else tensor).uniform_()
    return tensor


def _rand(size: Any, *_: Any, **kwargs: Any) -> torch.Tensor:
    return _uniform(_new(size, **kwargs))


def _randn(size: Any, *_: Any, **kwargs: Any) -> torch.Tensor:
    return _new(size, **kwargs).normal_()


def _rand_like(tensor: torch.Tensor, **kwargs: Any) -> torch.Tensor:
    return _uniform(_like(tensor, **kwargs))


def _randn_like(tensor: torch.Tensor, **kwargs: Any) -> torch.Tensor:
    return _like(tensor, **kwargs).normal_()


def _normal_of_size(mean: float, std: float, size: Any, **kwargs: Any) -> torch.Tensor:
    return _new(size, **kwargs).normal_(mean, std)


def _normal_of_tensors(mean: Any, std: Any = 1.0, **_: Any) -> torch.Tensor:
    known = mean if isinstance(mean, torch.Tensor) else std
    shape = torch.broadcast_shapes(*(one.shape for one in (mean, std) if isinstance(one, torch.Tensor)))
    return known.new_empty(shape).normal_().mul_(std).add_(mean)


def _numbers_like(tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Uniform numbers in C order, spread over ranks as the tensor is."""
    return torch.empty_like(tensor, dtype=dtype, memory_format=torch.contiguous_format).uniform_()


def _whole_numbers(tensor: torch.Tensor, low: int, high: int) -> torch.Tensor:
    numbers = _numbers_like(tensor, torch.float64)
    return tensor.copy_(numbers.mul_(high - low).floor_().add_(low))


def _randint(high: int, size: Any, **kwargs: Any) -> torch.Tensor:
    return _randint_from(0, high, size, **kwargs)


def _randint_from(low: int, high: int, size: Any, dtype: Any = None, **kwargs: Any) -> torch.Tensor:
    return _whole_numbers(_new(size, dtype=torch.int64 if dtype is None else dtype, **kwargs), low, high)


def _randint_like(tensor: torch.Tensor, *bounds: int, **kwargs: Any) -> torch.Tensor:
    low, high = bounds if len(bounds) == 2 else (0, *bounds)
    return _whole_numbers(_like(tensor, **kwargs), low, high)


def _random(tensor: torch.Tensor, *bounds: Any, **_: Any) -> torch.Tensor:
    low, high = bounds if len(bounds) == 2 else (0, bounds[0] if bounds else None)
    if high is None:  # one more than torch's largest: for floats the last of the whole numbers without gaps
        dtype = tensor.dtype
        if dtype == torch.bool:
            high = 2
        else:
            high = int(2 / torch.finfo(dtype).eps) + 1 if dtype.is_floating_point else torch.iinfo(dtype).max
    return _whole_numbers(tensor, low, high)


def _randperm(n: int, *_: Any, dtype: Any = None, device: Any = None, **__: Any) -> torch.Tensor:
    order = torch.empty(n, dtype=torch.float64, device=device).uniform_().argsort()
    return order if dtype in (None, torch.int64) else order.to(dtype)


def _bernoulli(tensor: torch.Tensor, p: Any = None, **_: Any) -> torch.Tensor:
    chances = tensor if p is None else p
    return _bernoulli_in_place(torch.empty_like(tensor), chances)


def _bernoulli_in_place(tensor: torch.Tensor, p: Any = 0.5, **_: Any) -> torch.Tensor:
    return tensor.copy_(_numbers_like(tensor, torch.float32).lt(p))


def _exponential(tensor: torch.Tensor, lambd: float = 1.0, **_: Any) -> torch.Tensor:
    return tensor.uniform_().neg_().log1p_().neg_().div_(lambd)


def _geometric(tensor: torch.Tensor, p: float, **_: Any) -> torch.Tensor:
    return tensor.uniform_().neg_().log1p_().div_(math.log1p(-p)).ceil_().clamp_(min=1)


def _cauchy(tensor: torch.Tensor, median: float = 0.0, sigma: float = 1.0, **_: Any) -> torch.Tensor:
    return tensor.uniform_().sub_(0.5).mul_(math.pi).tan_().mul_(sigma).add_(median)


def _log_normal(tensor: torch.Tensor, mean: float = 1.0, std: float = 2.0, **_: Any) -> torch.Tensor:
    return tensor.normal_(mean, std).exp_()


COMPOSED: dict[Any, Callable[..., torch.Tensor]] = {
    _ATEN.rand.default: _rand,
    _ATEN.rand.generator: _rand,
    _ATEN.randn.default: _randn,
    _ATEN.randn.generator: _randn,
    _ATEN.rand_like.default: _rand_like,
    _ATEN.randn_like.default: _randn_like,
    _ATEN.normal.float_float: _normal_of_size,
    _ATEN.normal.Tensor_float: _normal_of_tensors,
    _ATEN.normal.float_Tensor: _normal_of_tensors,
    _ATEN.normal.Tensor_Tensor: _normal_of_tensors,
    _ATEN.randint.default: _randint,
    _ATEN.randint.generator: _randint,
    _ATEN.randint.low: _randint_from,
    _ATEN.randint.low_generator: _randint_from,
    _ATEN.randint_like.default: _randint_like,
    _ATEN.randint_like.low_dtype: _randint_like,
    _ATEN.random_.default: _random,
    getattr(_ATEN.random_, "from"): _random,
    _ATEN.random_.to: _random,
    _ATEN.randperm.default: _randperm,
    _ATEN.randperm.generator: _randperm,
    _ATEN.bernoulli.default: _bernoulli,
    _ATEN.bernoulli.p: _bernoulli,
    _ATEN.bernoulli_.float: _bernoulli_in_place,
    _ATEN.bernoulli_.Tensor: _bernoulli_in_place,
    _ATEN.exponential_.default: _exponential,
    _ATEN.geometric_.default: _geometric,
    _ATEN.cauchy_.default: _cauchy,
    _ATEN.log_normal_.default: _log_normal,
}
