"""What a user has, a tree or a model → its tensors: what rules look at, and the memory to fill.

JAX's arrays cannot be written to: those of a model get a new value.
"""

import functools
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from numbainit.errors import InvalidTypeError, InvalidValueError
from numbainit.recipes.tensors import Held, Holding, Tensor, dtype_name, kinds_of, tensor_of
from numbainit.recipes.trees import check_distinct, is_tree, of_jax, of_tree

_WANTED = "a mapping from names to arrays, a torch, flax or Keras model, or objects with a name, a shape and a dtype"


def tensors_of(target: Any, caller: str) -> tuple[list[Tensor], Mapping[str, str]]:
    """The tensors, and of those that have several names the others → the first.

    Examples
    --------
    >>> import numpy as np
    >>> from numbainit.recipes.holders import tensors_of
    >>> tensors_of({"encoder": {"kernel": np.empty((3, 4), "float32")}}, "recipe")[0]
    [Tensor(name='encoder.kernel', shape=(3, 4), dtype='float32', kind=None, is_parameter=True)]
    """
    if _is_described(target):
        found = [_described(one, caller) for one in target]
        check_distinct([one.name for one in found], caller)
        return found, {}
    holding = held_by(target, caller)
    return [one.tensor for one in holding.held], holding.ties


def held_by(target: Any, caller: str) -> Holding:
    """The tensors of what a user has, and their memory."""
    flax: Any = sys.modules.get("flax.nnx")
    if flax is not None and isinstance(target, (flax.Module, flax.State)):
        return _of_flax(flax, target)
    if is_tree(target):
        return of_tree(target, caller)
    keras: Any = sys.modules.get("keras")
    if keras is not None and isinstance(target, keras.Layer):  # on torch's backend it is a module of torch, too
        return _of_keras(keras, target, caller)
    if hasattr(target, "named_parameters"):
        return _of_torch(target, caller)
    raise InvalidTypeError(f"{caller} takes {_WANTED}, got {type(target).__name__}")


def _is_described(target: Any) -> bool:
    return isinstance(target, Iterable) and not (isinstance(target, str) or is_tree(target) or _is_model(target))


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
        dtype = dtype_name(one.numpy_dtype if hasattr(one, "numpy_dtype") else one.dtype)
    except InvalidTypeError:
        raise
    except (AttributeError, TypeError, ValueError):
        raise InvalidTypeError(f"{caller} takes {_WANTED}, got {type(one).__name__} in a list of them") from None
    return Tensor(name, shape, dtype, getattr(one, "kind", None), getattr(one, "is_parameter", True))


# ---- models ----


def _of_torch(module: Any, caller: str) -> Holding:
    from numbainit.torch.names import checked_module, named_tensors, tied_names

    held = []
    for one in named_tensors(checked_module(module, caller)):
        held.append(Held(tensor_of(one.name, one.tensor, one.kind, one.is_parameter), one.tensor))
    return Holding(held, tied_names(module), lambda: module)


def _of_flax(nnx: Any, module: Any) -> Holding:
    """Parameters and the statistics of norms; counters and keys of random layers are not weights.

    A State has the variables of a module under the same paths, and knows no kinds.
    """
    kinds: dict[tuple[Any, ...], tuple[str, ...]] = {}
    held = []
    nodes = nnx.to_flat_state(module) if isinstance(module, nnx.State) else nnx.iter_graph(module)
    for path, node in nodes:
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
    return Held(tensor, None, lambda array: variable.set_value(of_jax(array, old)))


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
