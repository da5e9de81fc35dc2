"""A torch module and a batch → how large its signals are, module by module, forward and backward.

Hooks see the outputs of all modules that have no modules of their own, in the order in which they run, and the
gradients of these outputs for a gradient of N(0, 1) at the end. Nothing of the module changes: neither its parameters
and their ``grad``, nor the statistics of norms, nor torch's generator.
"""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from numbainit.errors import InvalidTypeError, InvalidValueError
from numbainit.generator import Generator
from numbainit.init import normal_
from numbainit.propagation import Propagation, flow, moments
from numbainit.torch.names import checked_module

__all__ = ["propagation"]


def propagation(model: torch.nn.Module, batch: Any, *, backward: bool = True, seed: int = 0) -> Propagation:
    """Measure the outputs of a module's layers, and the gradients with respect to them, for one batch.

    Parameters
    ----------
    model : torch.nn.Module
        In the mode, train or eval, that it is in. It is left as it was.
    batch : tensor, tuple or mapping
        What it is called with; a tuple holds positional, a mapping keyword arguments.
    backward : bool
        Gradients too, from a gradient of N(0, 1) with respect to all floats that the model returns.
    seed : int
        Of this gradient.

    Returns
    -------
    Propagation
        A layer is a module without modules of its own that returns a float tensor, each time that it runs; ``names``
        are those of the modules. Dead is the share of units (axis 1 of images, the last one else) that are 0 for the
        whole batch. What functions compute between modules is not seen.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        No module; a batch that holds NaN or infinities; a model none of whose modules returns a float tensor.

    Examples
    --------
    >>> import torch
    >>> from numbainit.torch import initialize, propagation
    >>> model = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 8))
    >>> found = propagation(initialize(model, generator=0), torch.randn(32, 64))
    >>> found.names, found.forward.std.shape, found.backward.std.shape
    (('0', '1', '2'), (3,), (3,))
    """
    checked_module(model, "propagation")
    positional, keywords = _arguments(batch)
    seen: list[list[Any]] = []  # of each output: name, moments, dead, moments of its gradient
    with _as_it_was(model), torch.set_grad_enabled(backward):
        with _hooks(model, seen, backward):  # what is computed again on the way back is not seen twice
            output = model(*positional, **keywords)
        if backward:
            _send_back(model, output, [*positional, *keywords.values()], seed)
    if not seen:
        raise InvalidValueError("no module of this model returned a float tensor: nothing can be measured")
    layers = range(1, len(seen) + 1)
    forward = flow(layers, [(*row[1], row[2]) for row in seen])
    gradients = flow(layers, [(*row[3], row[2]) for row in seen]) if backward else None
    label = f"{type(model).__name__}, {len(seen)} layers"
    return Propagation(forward, gradients, label, tuple(row[0] for row in seen))


def _arguments(batch: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    positional = batch if isinstance(batch, tuple) else () if isinstance(batch, Mapping) else (batch,)
    keywords = {str(key): value for key, value in batch.items()} if isinstance(batch, Mapping) else {}
    for tensor in (*positional, *keywords.values()):
        if isinstance(tensor, np.ndarray):
            raise InvalidTypeError("batch holds a NumPy array: pass torch.from_numpy(array)")
        if isinstance(tensor, torch.Tensor) and tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise InvalidValueError("batch holds NaN or infinities: clean the inputs, whatever the weights are")
    return positional, keywords


@contextlib.contextmanager
def _as_it_was(model: torch.nn.Module) -> Iterator[None]:
    """Norms count batches, dropout draws: both are taken back."""
    before = [(buffer, buffer.detach().clone()) for buffer in model.buffers()]
    devices = {tensor.device for tensor in model.parameters() if tensor.device.type == "cuda"}
    with torch.random.fork_rng(devices=list(devices)):
        try:
            yield
        finally:
            with torch.no_grad():
                for buffer, values in before:
                    buffer.copy_(values)


@contextlib.contextmanager
def _hooks(model: torch.nn.Module, seen: list[list[Any]], backward: bool) -> Iterator[None]:
    def watch(name: str) -> Any:
        def hook(module: Any, inputs: Any, output: Any) -> None:
            tensor = next(_floats(output), None)
            if tensor is None:
                return
            row = [name, _moments(tensor), _dead(tensor), (float("nan"), float("nan"), float("nan"))]
            seen.append(row)
            if backward and tensor.requires_grad:
                tensor.register_hook(lambda gradient: row.__setitem__(3, _moments(gradient)))

        return hook

    leaves = [(name, module) for name, module in model.named_modules() if not any(module.children())]
    handles = [module.register_forward_hook(watch(name)) for name, module in leaves]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _send_back(model: torch.nn.Module, output: Any, inputs: list[Any], seed: int) -> None:
    ends = [tensor for tensor in _floats(output) if tensor.requires_grad]
    starts: list[torch.Tensor] = [parameter for parameter in model.parameters() if parameter.requires_grad]
    starts += [tensor for tensor in inputs if isinstance(tensor, torch.Tensor) and tensor.requires_grad]
    if not ends or not starts:
        raise InvalidValueError("no gradient reaches a parameter from what the model returns: pass backward=False")
    root = Generator(seed).fold_in("gradient")
    gradients = [_normal(tensor, root.fold_in(number)) for number, tensor in enumerate(ends)]
    torch.autograd.grad(ends, starts, gradients, allow_unused=True)


def _normal(like: torch.Tensor, generator: Generator) -> torch.Tensor:
    values = normal_(np.empty(tuple(like.shape), np.float32), generator=generator)
    return torch.from_numpy(values).to(device=like.device, dtype=like.dtype)


def _floats(output: Any) -> Iterator[torch.Tensor]:
    """The float tensors of what a module returns, however it is packed."""
    if isinstance(output, torch.Tensor):
        if output.is_floating_point():
            yield output
    elif isinstance(output, Mapping):
        for one in output.values():
            yield from _floats(one)
    elif isinstance(output, (tuple, list)):
        for one in output:
            yield from _floats(one)


def _moments(tensor: torch.Tensor) -> tuple[float, float, float]:
    return moments(_array(tensor))


def _dead(tensor: torch.Tensor) -> float:
    array = _array(tensor)
    if array.ndim < 2:
        return float("nan")
    unit = 1 if array.ndim > 3 else array.ndim - 1
    others = tuple(axis for axis in range(array.ndim) if axis != unit)
    return float((array == 0).all(axis=others).mean())


def _array(tensor: torch.Tensor) -> np.ndarray:
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.element_size() < 4 else tensor).numpy()
