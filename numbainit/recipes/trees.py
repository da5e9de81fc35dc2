"""Mappings and lists of arrays, also inside of each other → their tensors by their paths, and the memory to fill.

JAX's arrays cannot be written to: those of a tree are in a new one, once all are filled.
"""

import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from numbainit.errors import InvalidTypeError, InvalidValueError, shown
from numbainit.memory.arrays import described
from numbainit.memory.libraries import library_of, torch_of
from numbainit.recipes.tensors import Held, Holding, tensor_of

_Path = tuple[Any, ...]  # of keys of mappings and indices of lists


@contextlib.contextmanager
def _not_endless(caller: str) -> Iterator[None]:
    try:
        yield
    except RecursionError:
        raise InvalidValueError(f"{caller} got too many mappings in each other: does one hold itself?") from None


def is_tree(target: Any) -> bool:
    """Whether this is a mapping, or a list of mappings and lists; one of arrays alone has lost their names."""
    first = target[0] if isinstance(target, (list, tuple)) and target else None
    return isinstance(target, Mapping) or (_is_inner(first) and not hasattr(first, "name"))


def of_tree(target: Any, caller: str) -> Holding:
    """Its arrays; those that are the same memory are tied."""
    with _not_endless(caller):
        leaves = [(".".join(map(str, path)), path, leaf) for path, leaf in _leaves(target, (), caller)]
    new: dict[_Path, Any] = {}
    check_distinct([name for name, _, _ in leaves], caller)
    ties = _tied(leaves)
    held = [_of_leaf(name, path, leaf, new, caller) for name, path, leaf in leaves if name not in ties]
    return Holding(held, ties, lambda: _rebuilt(target, (), new) if any(one.put for one in held) else target)


def check_kept(target: Any, caller: str) -> None:
    """Raise for a mapping that makes an array anew whenever it is asked, as ``numpy.load`` of an archive does.

    What is written into such an array is lost. The first of each mapping is looked at.
    """
    with _not_endless(caller):
        _check_kept(target, caller)


def _check_kept(target: Any, caller: str) -> None:
    for key, value in _children(target):
        if _is_inner(value):
            _check_kept(value, caller)
            continue
        if isinstance(value, np.ndarray) and _memory(value) != _memory(target[key]):
            raise InvalidTypeError(
                f"{caller} fills arrays in place, and {type(target).__name__} reads them anew at each access: "
                "pass dict(...) of it, and save that"
            )
        return


def _is_inner(value: Any) -> bool:
    """Whether it has children: it is no leaf."""
    return isinstance(value, (Mapping, list, tuple))


def _children(tree: Any) -> Iterable[tuple[Any, Any]]:
    """What is in a mapping by its keys, in a list by its indices."""
    if isinstance(tree, Mapping):
        return tree.items()
    return enumerate(tree) if isinstance(tree, (list, tuple)) else ()


def _tied(leaves: Iterable[tuple[str, _Path, Any]]) -> dict[str, str]:
    """The names of arrays that are the same memory as an earlier one, as in torch's ``state_dict`` → the first."""
    first: dict[Any, str] = {}
    memory = ((name, _memory(leaf)) for name, _, leaf in leaves)
    found = {name: first.setdefault(place, name) for name, place in memory if place is not None}
    return {name: of for name, of in found.items() if name != of}


def _memory(array: Any) -> tuple[Any, ...] | None:
    """Where an array of NumPy or torch lies, and how; None for what holds nothing."""
    if isinstance(array, np.ndarray) and array.size:
        return array.ctypes.data, array.shape, array.strides, array.dtype
    torch = torch_of(array)
    if torch is None or type(array) not in (torch.Tensor, torch.nn.Parameter) or array.layout is not torch.strided:
        return None  # its subclasses need not have memory
    place = array.data_ptr()
    return (place, tuple(array.shape), array.stride(), array.dtype) if place else None


def _leaves(tree: Any, path: _Path, caller: str) -> Iterator[tuple[_Path, Any]]:
    for key, value in _children(tree):
        if not isinstance(key, str) and type(key) is not int:
            raise InvalidTypeError(
                f"{caller} takes a mapping from names to arrays, got {shown(key)} for a name: take its str"
            )
        if _is_inner(value):
            yield from _leaves(value, (*path, key), caller)
        else:
            yield (*path, key), value


def _of_leaf(name: str, path: _Path, leaf: Any, new: dict[_Path, Any], caller: str) -> Held:
    try:
        facts = leaf if hasattr(leaf, "shape") and hasattr(leaf, "dtype") else described(leaf, caller)
        tensor = tensor_of(name, facts)
    except (TypeError, ValueError) as error:
        raise InvalidTypeError(f"{name!r}: {error}") from None
    if library_of(leaf) not in ("jax", "jaxlib"):
        return Held(tensor, leaf)
    return Held(tensor, None, lambda array: new.__setitem__(path, of_jax(array, leaf)))


def _rebuilt(tree: Any, path: _Path, new: Mapping[_Path, Any]) -> Any:
    """A tree of the same types, with new arrays."""
    found = {}
    for key, value in _children(tree):
        here = (*path, key)
        found[key] = _rebuilt(value, here, new) if _is_inner(value) else new.get(here, value)
    if isinstance(tree, Mapping):
        return found if type(tree) is dict else type(tree)(found)  # type: ignore[call-arg]
    return type(tree)(*found.values()) if hasattr(tree, "_fields") else type(tree)(found.values())


def of_jax(array: np.ndarray, like: Any) -> Any:
    """A JAX array, where the old one lies; ``like`` may be a ShapeDtypeStruct, which lies nowhere.

    Its mesh may be one without devices: those of the mesh that ``jax.set_mesh`` has set, if it has.
    """
    import jax

    sharding: Any = getattr(like, "sharding", None)
    if isinstance(getattr(sharding, "mesh", None), jax.sharding.AbstractMesh):
        mesh: Any = jax.sharding.get_mesh()
        sharding = None if mesh.empty else jax.sharding.NamedSharding(mesh, sharding.spec)
    return jax.numpy.asarray(array) if sharding is None else jax.device_put(array, sharding)


def check_distinct(names: list[str], caller: str) -> None:
    """Raise if two tensors have one name, and so would have equal values."""
    if len(set(names)) < len(names):
        twice = next(name for name, count in Counter(names).items() if count > 1)
        raise InvalidValueError(f"{caller} got two tensors named {twice!r}, which would have equal values: rename one")
