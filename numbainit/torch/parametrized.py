"""A module that computes a weight from other tensors → how these are made, so that the weight has the values asked for.

``weight_norm`` keeps a direction and its norm, ``spectral_norm`` a weight and the vectors by which its largest singular
value is known. Others can be anything, and are refused: what is filled must be what the layer uses.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch.nn.utils import parametrizations
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from numbainit.errors import InvalidValueError
from numbainit.generator import Generator
from numbainit.init import normal_
from numbainit.recipes.steps import Fill, Formula, Step, Weight

_MOST_ROUNDS = 1000
_NORMS, _SPECTRAL = parametrizations._WeightNorm, parametrizations._SpectralNorm


class Computed(NamedTuple):
    """A weight that a module computes. All names are those within the module.

    ``direction`` is the tensor that holds its values, ``norm`` the one that holds their norms, along all axes but
    ``axis``; ``vectors`` are the two of a spectral norm. ``show`` computes it again where it is kept.
    """

    name: str
    direction: str
    norm: str | None
    axis: int | None
    vectors: tuple[str, str] | None
    show: Callable[[], None] | None = None

    @property
    def inner(self) -> tuple[str, ...]:
        """All tensors that it is computed from."""
        return tuple(name for name in (self.direction, self.norm, *(self.vectors or ())) if name is not None)

    def made(self, path: str, weight: Weight, tensors: Mapping[str, torch.Tensor]) -> Iterator[tuple[str, Weight]]:
        """What it is computed from, by name, if its values are to be those of a weight of its own name."""
        direction = path + self.direction
        steps = tuple(_named(step, path + self.name) for step in weight.steps)
        yield direction, dataclasses.replace(weight, steps=steps)
        if self.norm is not None and weight.steps:
            shape = tuple(tensors[path + self.norm].shape)
            formula = Formula(_norm(len(weight.shape), self.axis, shape), of=direction)
            yield path + self.norm, Weight(shape, weight.dtype, (formula,))


def _named(step: Step, name: str) -> Step:
    """A fill with the generator of a name, if it has none of another one."""
    draws = isinstance(step, Fill) and step.of is None and step.initializer.draws
    return dataclasses.replace(step, of=name) if isinstance(step, Fill) and draws else step


def _norm(rank: int, axis: int | None, shape: tuple[int, ...]) -> str:
    axes = [at for at in range(rank) if axis is None or at != axis % rank]
    norm = f"norm(x, {', '.join(map(str, axes))})"
    return f"reshape({norm}, {', '.join(map(str, shape))})" if shape else norm


def computed_of(module: torch.nn.Module, path: str) -> list[Computed]:
    """The weights that a module computes from its own tensors."""
    found = [_parametrized(module, name, path) for name in getattr(module, "parametrizations", {})]
    for hook in module._forward_pre_hooks.values():
        if isinstance(hook, WeightNorm):
            show = _showing(module, hook.name, hook.compute_weight)
            found.append(Computed(hook.name, f"{hook.name}_v", f"{hook.name}_g", _axis(hook.dim), None, show))
        elif isinstance(hook, SpectralNorm):
            show = _showing(module, hook.name, functools.partial(hook.compute_weight, do_power_iteration=False))
            vectors = f"{hook.name}_u", f"{hook.name}_v"
            found.append(Computed(hook.name, f"{hook.name}_orig", None, hook.dim, vectors, show))
    return found


def _parametrized(module: Any, name: str, path: str) -> Computed:
    made, inner = module.parametrizations[name], f"parametrizations.{name}"
    kinds = [type(one) for one in made]
    if kinds == [_NORMS]:
        return Computed(name, f"{inner}.original1", f"{inner}.original0", _axis(made[0].dim), None)
    if kinds == [_SPECTRAL]:
        vectors = (f"{inner}.0._u", f"{inner}.0._v") if hasattr(made[0], "_u") else None
        return Computed(name, f"{inner}.original", None, made[0].dim, vectors)
    labels = ", ".join(kind.__name__.removeprefix("_") for kind in kinds)
    raise InvalidValueError(
        f"{path + name!r} is computed by {labels}, so what its own tensors hold is not its law: initialize the module "
        "before it is parametrized, or assign the weight itself, module.weight = numbainit.orthogonal(shape, like=...)"
    )


def _axis(dim: int | None) -> int | None:
    """The axis that has norms of its own; None where there is one norm for all."""
    return None if dim is None or dim == -1 else dim


def _showing(module: torch.nn.Module, name: str, compute: Callable[[Any], torch.Tensor]) -> Callable[[], None]:
    return lambda: setattr(module, name, compute(module))


def fit(computed: Computed, tensors: Mapping[str, torch.Tensor], path: str, root: Generator) -> None:
    """Make what depends on a weight fit to it: directions of zeros, vectors of a spectral norm, the weight if kept."""
    with torch.no_grad():
        if computed.norm is not None:
            _point(tensors[path + computed.direction], computed.axis)
        if computed.vectors is not None:
            _fit_vectors(computed, tensors, path, root)
    if computed.show is not None:
        computed.show()


def _point(direction: torch.Tensor, axis: int | None) -> None:
    """What is all 0 has no direction, and would become 0 / 0: of a norm of 0 any will do."""
    axes = [at for at in range(direction.ndim) if axis is None or at != axis % direction.ndim]
    largest = direction.abs()
    if direction.numel():
        direction.masked_fill_((largest.amax(axes, keepdim=True) if axes else largest) == 0, 1)


def _fit_vectors(computed: Computed, tensors: Mapping[str, torch.Tensor], path: str, root: Generator) -> None:
    """Singular vectors of the largest singular value, by powers, from a random vector of the name of the first."""
    assert computed.vectors is not None
    assert computed.axis is not None
    left, right = (tensors[path + name] for name in computed.vectors)
    weight = tensors[path + computed.direction].detach()
    matrix = weight.movedim(computed.axis, 0).flatten(1).to(torch.promote_types(weight.dtype, torch.float32))
    u = torch.empty_like(left, dtype=matrix.dtype)
    normal_(u, generator=root.fold_in(path + computed.vectors[0]))
    value = matrix.new_zeros(())
    for _ in range(_MOST_ROUNDS):
        v = torch.nn.functional.normalize(matrix.mT @ u, dim=0)
        u = matrix @ v
        before, value = value, u.norm()
        u = torch.nn.functional.normalize(u, dim=0)
        if abs(value - before) <= torch.finfo(matrix.dtype).eps * value:
            break
    left.copy_(u)
    right.copy_(v)
