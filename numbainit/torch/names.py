"""A module → the names of its parameters and buffers: those that the model has without what wraps it.

Compilation, checkpointing and sharding put components of their own into names; values must not depend on them. Of tied
tensors the first name counts, as in ``named_parameters``.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

import torch

from numbainit.errors import InvalidTypeError, InvalidValueError, shown, suggestion
from numbainit.recipes.tensors import kinds_of

_WRAPPED = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")

Renamed: TypeAlias = "Mapping[str, str] | Callable[[str], str] | None"


class Named(NamedTuple):
    """A tensor of a model: its name there, that of its generator, whether it is a parameter, its module's classes."""

    name: str
    key: str
    tensor: torch.Tensor
    is_parameter: bool
    kind: tuple[str, ...]


def named_tensors(
    module: torch.nn.Module, names: Renamed = None, aliases: Mapping[str, str] | None = None
) -> list[Named]:
    """All parameters and buffers, each once, module by module, in the order of ``named_parameters``."""
    if not (names is None or callable(names) or isinstance(names, Mapping)):
        raise InvalidTypeError(
            f"names is a mapping from names to names, a function of a name, or None, got {shown(names)}"
        )
    if not (aliases is None or isinstance(aliases, Mapping)):
        raise InvalidTypeError(f"aliases is a mapping from names to names, or None, got {shown(aliases)}")
    found: list[Named] = []
    seen: set[int] = set()
    renamed: dict[str, str] = {}
    for name, tensor, is_parameter, kind in _walked(module):
        if id(tensor) in seen:
            continue
        seen.add(id(tensor))
        key = _renamed(names, name)
        if key in renamed:
            raise InvalidValueError(
                f"names gives {key!r} for {renamed[key]!r} and for {name!r}, which would have equal values: give each "
                "its own, and say aliases= where they are tied"
            )
        renamed[key] = name
        found.append(Named(name, _text(name, (aliases or {}).get(key, key)), tensor, is_parameter, kind))
    return found


def _renamed(names: Renamed, name: str) -> str:
    if names is None:
        return name
    return _text(name, names.get(name, name) if isinstance(names, Mapping) else names(name))


def check_known(module: torch.nn.Module, names: Renamed, aliases: Mapping[str, str] | None) -> None:
    """Raise for what ``names`` and ``aliases`` say of tensors that a model does not have, under any of their names."""
    own = [*(name for name, *_ in _walked(module)), *tied_names(module)]
    if isinstance(names, Mapping):
        _check_keys("names", names, own)
    if aliases:
        _check_keys("aliases", aliases, [_renamed(names, name) for name in own])


def _check_keys(argument: str, given: Mapping[str, str], known: list[str]) -> None:
    here = set(known)
    unknown = next((name for name in given if name not in here), None)
    if unknown is not None:
        raise InvalidValueError(
            f"{argument} has {shown(unknown)}, and no tensor of this model is named so; {suggestion(unknown, known)}"
            "Take it out, or write it as the model does"
        )


def modules_of(module: torch.nn.Module) -> list[tuple[torch.nn.Module, str]]:
    """All modules, each once, with what names of its tensors begin with."""
    return [*_modules(module, "", set())]


def named_modules(module: torch.nn.Module) -> dict[int, str]:
    """The names of modules by their identity."""
    return {id(inner): prefix.removesuffix(".") for inner, prefix in modules_of(module)}


def tied_names(module: torch.nn.Module) -> dict[str, str]:
    """The other names of tensors that have several → the first."""
    first: dict[int, str] = {}
    found = {}
    for inner, path in _all_modules(module, ""):
        for tensors in (inner._parameters, inner._buffers):
            for name, tensor in tensors.items():
                if tensor is not None and first.setdefault(id(tensor), path + name) != path + name:
                    found[path + name] = first[id(tensor)]
    return found


def _all_modules(
    module: torch.nn.Module, prefix: str, above: tuple[torch.nn.Module, ...] = ()
) -> Iterator[tuple[torch.nn.Module, str]]:
    """Those that have several names with each of them; one that holds itself has names without end, and ends there."""
    yield module, prefix
    above = (*above, module)
    for name, child in module._modules.items():
        if child is not None and not any(child is one for one in above):
            yield from _all_modules(child, prefix if _wraps(module, name) else f"{prefix}{name}.", above)


def _walked(module: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor, bool, tuple[str, ...]]]:
    for inner, path in _modules(module, "", set()):
        for tensors, are_parameters in ((inner._parameters, True), (inner._buffers, False)):
            for name, tensor in tensors.items():
                if tensor is not None:
                    yield path + name, tensor, are_parameters, kinds_of(inner, torch.nn.Module)


def _modules(module: torch.nn.Module, prefix: str, seen: set[int]) -> Iterator[tuple[torch.nn.Module, str]]:
    if id(module) in seen:
        return
    seen.add(id(module))
    yield module, prefix
    for name, child in module._modules.items():
        if child is not None:
            yield from _modules(child, prefix if _wraps(module, name) else f"{prefix}{name}.", seen)


def _wraps(module: torch.nn.Module, child: str) -> bool:
    parallel = (torch.nn.DataParallel, torch.nn.parallel.DistributedDataParallel)
    return child in _WRAPPED or (child == "module" and isinstance(module, parallel))


def _text(name: str, renamed: Any) -> str:
    if not isinstance(renamed, str):
        raise InvalidTypeError(f"names and aliases give a str for each name, got {shown(renamed)} for {name!r}")
    return renamed


def checked_module(module: Any, caller: str) -> torch.nn.Module:
    """A module that has something to name."""
    if not isinstance(module, torch.nn.Module):
        raise InvalidTypeError(f"{caller} takes a torch.nn.Module, got {type(module).__name__}")
    if next(_walked(module), None) is None:
        raise InvalidValueError(f"{caller} got a module without parameters and buffers: there is nothing to name")
    return module
