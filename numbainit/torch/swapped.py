"""Functions that make one law by several operations → one initializer, wherever they are called from.

A rejection loop, a QR factorisation, an inverse error function: the operations would give the law, but not the values
of numbainit's initializer of that name. Their code is exchanged while a context is open, not their name in a module, so
that whoever imported or stored a function earlier calls it too. Threads without an open context run the original.
"""

import sys
import threading
import types
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import _disable_current_modes

from numbainit.initializers import Initializer
from numbainit.torch.fills import initializer
from numbainit.torch.histories import flat

_FUNCTIONS = {
    "torch.nn.init": ("trunc_normal_", "orthogonal_", "sparse_"),
    "timm.layers.weight_init": ("trunc_normal_", "trunc_normal_tf_"),
}
_lock = threading.Lock()
_open = 0  # contexts, of all threads
_originals: dict[str, tuple[types.FunctionType, types.FunctionType]] = {}  # label → the function, what it was
_done: set[str] = set()  # modules whose functions are exchanged
_mine = threading.local()


def opened(mode: Any) -> None:
    """The innermost context of this thread is ``mode``, from now on."""
    global _open
    with _lock:
        _open += 1
    exchange()
    _modes().append(mode)


def closed() -> None:
    """It is the one before."""
    global _open
    _modes().pop()
    with _lock:
        _open -= 1
        if not _open:
            for function, original in _originals.values():
                function.__code__ = original.__code__
                function.__defaults__, function.__kwdefaults__ = original.__defaults__, original.__kwdefaults__
            _originals.clear()
            _done.clear()


def current() -> Any:
    """The mode of the innermost open context of this thread, or None."""
    modes = _modes()
    return modes[-1] if modes else None


def modes() -> list[Any]:
    """Those of all open contexts of this thread."""
    return list(_modes())


def _modes() -> list[Any]:
    if not hasattr(_mine, "modes"):
        _mine.modes = []
    found: list[Any] = _mine.modes
    return found


def exchange() -> None:
    """Exchange the functions of what is imported by now: a constructor may import a library before it calls it."""
    for module, names in _FUNCTIONS.items():
        if module in sys.modules and module not in _done:
            with _lock:
                for name in names:
                    _exchange_one(f"{module}.{name}", getattr(sys.modules[module], name, None))
                _done.add(module)


def _exchange_one(label: str, function: Any) -> None:
    if label in _originals or not isinstance(function, types.FunctionType) or function.__code__.co_freevars:
        return
    original = types.FunctionType(function.__code__, function.__globals__, function.__name__, function.__defaults__)
    original.__kwdefaults__ = function.__kwdefaults__
    _originals[label] = function, original
    function.__defaults__, function.__kwdefaults__ = None, None
    function.__code__ = _passed_on.__code__.replace(co_name=label)


def _passed_on(*args: Any, **kwargs: Any) -> Any:
    """What runs instead, in the globals of the function whose code this is; ``co_name`` says which that is."""
    import sys

    from numbainit.torch.swapped import called

    return called(sys._getframe().f_code.co_name, args, kwargs)


def called(label: str, args: Any, kwargs: Any) -> Any:
    """A call of an exchanged function."""
    mode, (_, original) = current(), _originals[label]
    if mode is None:
        return original(*args, **kwargs)
    with torch.no_grad(), _disable_current_modes():
        tensor, found = _INITIALIZERS[label.rpartition(".")[2]](*args, **kwargs)
        mode.note_generator(tensor, next(flat((args, kwargs), torch.Generator), None))
        if tensor.numel():
            mode.fill(tensor, found, lambda: original(*args, **kwargs))
    return tensor


def _trunc_normal(
    tensor: torch.Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, generator: Any = None
) -> tuple[torch.Tensor, Initializer]:
    return tensor, initializer("trunc_normal", float(mean), float(std), float(a), float(b))


def _trunc_normal_tf(
    tensor: torch.Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0
) -> tuple[torch.Tensor, Initializer]:
    """Bounds in standard deviations from the mean."""
    return tensor, initializer("trunc_normal", float(mean), float(std), mean + a * std, mean + b * std)


def _orthogonal(tensor: torch.Tensor, gain: float = 1, generator: Any = None) -> tuple[torch.Tensor, Initializer]:
    if tensor.ndimension() < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    return tensor, initializer("orthogonal", float(gain))


def _sparse(
    tensor: torch.Tensor, sparsity: float, std: float = 0.01, generator: Any = None
) -> tuple[torch.Tensor, Initializer]:
    if tensor.ndimension() != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    return tensor, initializer("sparse", float(sparsity), float(std))


_INITIALIZERS: dict[str, Callable[..., tuple[torch.Tensor, Initializer]]] = {
    "trunc_normal_": _trunc_normal,
    "trunc_normal_tf_": _trunc_normal_tf,
    "orthogonal_": _orthogonal,
    "sparse_": _sparse,
}
