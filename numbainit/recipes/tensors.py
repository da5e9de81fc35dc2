"""What a user has, a mapping, a tree, a model → its tensors: what rules look at, and the memory to fill.

JAX's arrays cannot be written to: those of a model get a new value, those of a tree are in a new one.
"""

import contextlib
import functools
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from numbainit.errors import InvalidTypeError, InvalidValueError, shown
from numbainit.memory.arrays import described
from numbainit.memory.dtypes import small_dtype
from numbainit.memory.libraries import library_of, name_of_dtype, torch_of

_WANTED = "a mapping from names to arrays, a torch, flax or Keras model, or objects with a name, a shape and a dtype"


@dataclass(frozen=True)
class Tensor:
    """What rules look at.

    Attributes
    ----------
    name : str
        Dotted.
    shape : tuple of ints
    dtype : str
        NumPy's name, or ml_dtypes'.
    kind : str or tuple of str, optional
        The name of the class of the module that it belongs to, and perhaps those of its base classes; None: not known.
    is_parameter : bool
        Or a buffer.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    kind: str | tuple[str, ...] | None = None
    is_parameter: bool = True

    @property
    def kinds(self) -> tuple[str, ...]:
        """All names of classes that are known."""
        return (self.kind,) if isinstance(self.kind, str) else self.kind or ()

    @property
    def size(self) -> int:
        """How many elements there are."""
        size = 1
        for length in self.shape:
            size *= length
        return size

    @property
    def numpy_dtype(self) -> np.dtype:
        return numpy_dtype(self.dtype)


@functools.lru_cache(maxsize=64)
def numpy_dtype(name: str) -> np.dtype:
    """The dtype of a name of NumPy's, or of ml_dtypes', which is then imported."""
    try:
        return np.dtype(name)
    except TypeError:
        return small_dtype(name)


class Held(NamedTuple):
    """A tensor and its array; where that cannot be written to, it is None, and ``put`` takes a new one in its place."""

    tensor: Tensor
    array: Any
    put: Callable[[np.ndarray], None] | None = None


class Holding(NamedTuple):
    """All tensors of what a user has; ``result`` is that, or a new tree, once all are filled."""

    held: list[Held]
    ties: Mapping[str, str]
    result: Callable[[], Any]


def tensors_of(target: Any, caller: str) -> tuple[list[Tensor], Mapping[str, str]]:
    """The tensors, and of those that have several names the others → the first.

    Examples
    --------
    >>> import numpy as np
    >>> from numbainit.recipes.tensors import tensors_of
    >>> tensors_of({"encoder": {"kernel": np.empty((3, 4), "float32")}}, "recipe")[0]
    [Tensor(name='encoder.kernel', shape=(3, 4), dtype='float32', kind=None, is_parameter=True)]
    """
    if _is_described(target):
        found = [_described(one, caller) for one in target]
        _check_distinct([one.name for one in found], caller)
        return found, {}
    holding = held_by(target, caller)
    return [one.tensor for one in holding.held], holding.ties


def held_by(target: Any, caller: str) -> Holding:
    """The tensors of what a user has, and their memory."""
    if isinstance(target, Mapping):
        return _of_mapping(target, caller)
    keras: Any = sys.modules.get("keras")
    if keras is not None and isinstance(target, keras.Layer):  # on torch's backend it is a module of torch, too
        return _of_keras(keras, target, caller)
    if hasattr(target, "named_parameters"):
        return _of_torch(target, caller)
    flax: Any = sys.modules.get("flax.nnx")
    if flax is not None and isinstance(target, flax.Module):
        return _of_flax(flax, target)
    raise InvalidTypeError(f"{caller} takes {_WANTED}, got {type(target).__name__}")


def _is_described(target: Any) -> bool:
    return isinstance(target, Iterable) and not isinstance(target, (Mapping, str)) and not _is_model(target)


def _is_model(target: Any) -> bool:
    """Sequential modules of torch can be iterated, too."""
    return hasattr(target, "named_parameters") or hasattr(target, "trainable_weights")


def _described(one: Any, caller: str) -> Tensor:
    if isinstance(one, Tensor) and isinstance(one.name, str):
        return one
    try:
        name, shape = one.name, tuple(map(int, one.shape))
        if not isinstance(name, str):
            raise InvalidTypeError(f"{caller} takes tensors with names, got {name!r} for one")
        dtype = _dtype_name(one.numpy_dtype if hasattr(one, "numpy_dtype") else one.dtype)
    except InvalidTypeError:
        raise
    except (AttributeError, TypeError, ValueError):
        raise InvalidTypeError(f"{caller} takes {_WANTED}, got {type(one).__name__} in a list of them") from None
    return Tensor(name, shape, dtype, getattr(one, "kind", None), getattr(one, "is_parameter", True))


def kinds_of(module: Any, top: type) -> tuple[str, ...]:
    """The names of a module's class and of its base classes below ``top``."""
    return tuple(one.__name__ for one in type(module).__mro__ if issubclass(one, top) and one is not top)


def tensor_of(name: str, array: Any, kind: str | tuple[str, ...] | None = None, is_parameter: bool = True) -> Tensor:
    """The facts of an array of any library."""
    return Tensor(name, tuple(map(int, array.shape)), _dtype_name(array.dtype), kind, is_parameter)


def _check_distinct(names: list[str], caller: str) -> None:
    if len(set(names)) < len(names):
        twice = next(name for name, count in Counter(names).items() if count > 1)
        raise InvalidValueError(f"{caller} got two tensors named {twice!r}, which would have equal values: rename one")


def _dtype_name(dtype: Any) -> str:
    return _numpy_name(dtype) if isinstance(dtype, np.dtype) else name_of_dtype(dtype) or np.dtype(dtype).name


@functools.lru_cache(maxsize=64)
def _numpy_name(dtype: np.dtype) -> str:
    """Its name, which NumPy puts together each time."""
    return dtype.name


# ---- mappings and trees ----


@contextlib.contextmanager
def _not_endless(caller: str) -> Iterator[None]:
    try:
        yield
    except RecursionError:
        raise InvalidValueError(f"{caller} got too many mappings inside of each other: does one hold itself?") from None


def _of_mapping(target: Mapping[str, Any], caller: str) -> Holding:
    with _not_endless(caller):
        leaves = [(".".join(path), path, leaf) for path, leaf in _leaves(target, (), caller)]
    new: dict[tuple[str, ...], Any] = {}
    _check_distinct([name for name, _, _ in leaves], caller)
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
    for key in target if isinstance(target, Mapping) else ():
        value = target[key]
        if isinstance(value, Mapping):
            _check_kept(value, caller)
            continue
        if isinstance(value, np.ndarray) and _memory(value) != _memory(target[key]):
            raise InvalidTypeError(
                f"{caller} fills arrays in place, and {type(target).__name__} reads them anew at each access: "
                "pass dict(...) of it, and save that"
            )
        return


def _tied(leaves: Iterable[tuple[str, tuple[str, ...], Any]]) -> dict[str, str]:
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


def _leaves(tree: Mapping[str, Any], path: tuple[str, ...], caller: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in tree.items():
        if not isinstance(key, str):
            raise InvalidTypeError(
                f"{caller} takes a mapping from names to arrays, got {shown(key)} for a name: take its str, or pass "
                "the module whose state this is"
            )
        if isinstance(value, Mapping):
            yield from _leaves(value, (*path, key), caller)
        else:
            yield (*path, key), value


def _of_leaf(name: str, path: tuple[str, ...], leaf: Any, new: dict[tuple[str, ...], Any], caller: str) -> Held:
    if isinstance(leaf, (list, tuple)):
        raise InvalidTypeError(
            f"{name!r}: {caller} takes mappings inside of each other, got a {type(leaf).__name__}: name what is in it, "
            "as dict(zip('0123', ...)) does"
        )
    try:
        facts = leaf if hasattr(leaf, "shape") and hasattr(leaf, "dtype") else described(leaf, caller)
        tensor = tensor_of(name, facts)
    except (TypeError, ValueError) as error:
        raise InvalidTypeError(f"{name!r}: {error}") from None
    if library_of(leaf) not in ("jax", "jaxlib"):
        return Held(tensor, leaf)
    return Held(tensor, None, lambda array: new.__setitem__(path, _of_jax(array, leaf)))


def _of_jax(array: np.ndarray, like: Any) -> Any:
    """A JAX array, where the old one lies; ``like`` may be a ShapeDtypeStruct, which lies nowhere.

    Its mesh may be one without devices: those of the mesh that ``jax.set_mesh`` has set, if it has.
    """
    import jax

    sharding: Any = getattr(like, "sharding", None)
    if isinstance(getattr(sharding, "mesh", None), jax.sharding.AbstractMesh):
        mesh: Any = jax.sharding.get_mesh()
        sharding = None if mesh.empty else jax.sharding.NamedSharding(mesh, sharding.spec)
    return jax.numpy.asarray(array) if sharding is None else jax.device_put(array, sharding)


def _rebuilt(tree: Mapping[str, Any], path: tuple[str, ...], new: Mapping[tuple[str, ...], Any]) -> Any:
    found = {}
    for key, value in tree.items():
        here = (*path, key)
        found[key] = _rebuilt(value, here, new) if isinstance(value, Mapping) else new.get(here, value)
    return found if type(tree) is dict else type(tree)(found)  # type: ignore[call-arg]


# ---- models ----


def _of_torch(module: Any, caller: str) -> Holding:
    from numbainit.torch.names import checked_module, named_tensors, tied_names

    held = []
    for one in named_tensors(checked_module(module, caller)):
        held.append(Held(tensor_of(one.name, one.tensor, one.kind, one.is_parameter), one.tensor))
    return Holding(held, tied_names(module), lambda: module)


def _of_flax(nnx: Any, module: Any) -> Holding:
    """Parameters and the statistics of norms; counters and keys of random layers are not weights."""
    kinds: dict[tuple[Any, ...], tuple[str, ...]] = {}
    held = []
    for path, node in nnx.iter_graph(module):
        if isinstance(node, nnx.Module):
            kinds[path] = kinds_of(node, nnx.Module)
        elif isinstance(node, (nnx.Param, nnx.BatchStat)):
            held.append((path, node))
    return Holding(
        [_of_variable(path, one, kinds, isinstance(one, nnx.Param)) for path, one in held], {}, lambda: module
    )


def _of_variable(
    path: tuple[Any, ...], variable: Any, kinds: Mapping[tuple, tuple[str, ...]], is_parameter: bool
) -> Held:
    old = variable.get_value()  # may be a shape alone, as nnx.eval_shape makes them
    name, kind = ".".join(map(str, path)), kinds.get(path[:-1])
    tensor = tensor_of(name, old, kind, is_parameter)
    return Held(tensor, None, lambda array: variable.set_value(_of_jax(array, old)))


def _of_keras(keras: Any, model: Any, caller: str) -> Holding:
    """All weights, under their paths below the model, whose own name differs from build to build."""
    if not model.weights:
        raise InvalidValueError(f"{caller} got a Keras model without weights: build it, or call it once on an input")
    kinds = {id(one): kinds_of(layer, keras.Layer) for layer in model._flatten_layers() for one in layer.weights}
    held = []
    for variable in model.weights:
        name = variable.path.removeprefix(f"{model.name}/").replace("/", ".")
        dtype = keras.backend.standardize_dtype(variable.dtype)
        tensor = Tensor(name, tuple(variable.shape), dtype, kinds.get(id(variable)))
        held.append(Held(tensor, None, functools.partial(_assign, keras, variable, dtype)))
    return Holding(held, {}, lambda: model)


def _assign(keras: Any, variable: Any, dtype: str, array: np.ndarray) -> None:
    variable.assign(keras.ops.convert_to_tensor(array, dtype=dtype))
