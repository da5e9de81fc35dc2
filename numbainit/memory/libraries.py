"""An array of torch, JAX, CuPy or others → whose it is, its dtype's name, what its library wants done or leaves out.

A library is asked only if it is imported already: an array of it can be met nowhere else.
"""

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from numbainit.errors import DeviceError, InvalidTypeError, InvalidValueError, NumbaInitError

_IMMUTABLE = ("jax", "jaxlib", "tensorflow", "mlx")  # their arrays show their memory, but must never be written to


def library_of(array: object) -> str:
    """The name of the package that made an object's type."""
    return str(type(array).__module__).partition(".")[0]


def is_immutable(array: object) -> bool:
    """Whether the library of an array forbids to fill it."""
    return library_of(array) in _IMMUTABLE


def torch_of(array: object) -> Any:
    """torch, if the object is one of its tensors, else None."""
    torch: Any = sys.modules.get("torch")
    return torch if torch is not None and issubclass(type(array), torch.Tensor) else None


def seed_of_worker() -> int | None:
    """The seed of the worker of torch's DataLoader that this process is; None in any other process.

    torch draws one for each worker and epoch, from its own generator.
    """
    data: Any = sys.modules.get("torch.utils.data")
    worker = getattr(data, "get_worker_info", lambda: None)()
    return None if worker is None else int(worker.seed)


def name_of_dtype(dtype: object) -> str | None:
    """The name that torch and NumPy share of a dtype of torch; None for a dtype of somebody else."""
    return str(dtype).removeprefix("torch.") if type(dtype).__module__ == "torch" else None


def name_of_device(device: Any) -> Any:
    """The name of a device of torch, CuPy or JAX, as ``array.device`` is one; anything else as it is."""
    library, kind = library_of(device), type(device).__name__
    if (library, kind) == ("torch", "device"):
        return str(device)
    if (library, kind) == ("cupy", "Device"):
        return f"cuda:{device.id}"
    if library == "jaxlib" and kind == "Device" and device.platform in ("cpu", "gpu"):
        return "cpu" if device.platform == "cpu" else f"cuda:{device.local_hardware_id}"
    return device


def is_small_name(name: str) -> bool:
    """Whether torch has a float of this name that NumPy knows by way of ml_dtypes alone."""
    return name == "bfloat16" or name.startswith("float8")


def check_torch(tensor: Any, caller: str) -> None:
    """Raise for a tensor of torch whose elements do not simply lie in memory."""
    layout = str(tensor.layout).removeprefix("torch.")
    if tensor.device.type not in ("cpu", "cuda") or layout != "strided" or tensor.is_quantized:
        kind = f"{layout} quantized" if tensor.is_quantized else layout
        raise InvalidTypeError(
            f"{caller} fills dense torch tensors on the CPU or a CUDA GPU, got one that is {tensor.device} {kind}"
            ": fill a dense one and convert it"
        )
    if tensor.is_conj() or tensor.is_neg():
        raise InvalidValueError(
            f"{caller} got a tensor that is a conjugate or negative view of other memory: pass tensor.resolve_conj()."
            "resolve_neg(), and assign the result"
        )
    if tensor.requires_grad:
        whole = tensor._base if tensor._is_view() else tensor  # one of several views cannot be asked for its grad_fn
        if whole.grad_fn is not None:
            raise InvalidValueError(_LOST.format(caller, whole.grad_fn.name()))


_LOST = (
    "{0} got a tensor that is computed from others ({1}): what is filled is lost when it is computed again. Fill what "
    "it is computed from (under weight_norm the direction, parametrizations.weight.original1 or weight_v; under "
    "spectral_norm parametrizations.weight.original or weight_orig), or call numbainit.torch.initialize(module); if "
    "this memory is wanted, pass tensor.detach()"
)


def hint_for_module(thing: Any) -> str:
    """What to pass instead of a module of torch; empty if it is none."""
    torch: Any = sys.modules.get("torch")
    if torch is None or not issubclass(type(thing), torch.nn.Module):
        return ""
    names = [name for name, _ in thing.named_parameters(recurse=False)]
    one = "weight" if not names or "weight" in names else names[0]
    rest = "all parameters of a module are filled by numbainit.torch.initialize(module)"
    return f"pass layer.{one}; {rest}" if names else f"it has no tensors of its own; {rest}"


def written(array: Any) -> Any:
    """The same object, after torch's autograd was told that it has changed, if it is a tensor.

    A backward pass that had kept the old values then fails instead of using the new ones, as after torch's own fills.
    """
    if type(array) is np.ndarray:
        return array
    torch = torch_of(array)
    if torch is not None and not array.is_inference():
        torch.autograd.graph.increment_version(array)
    return array


def stream_of_cupy(array: Any) -> int | None:
    """The handle of CuPy's current stream on the device of one of its arrays; None for an array of somebody else.

    Its interface names the stream of the device that is current, which need not be that of the array.
    """
    cupy: Any = sys.modules.get("cupy")
    if cupy is None or not issubclass(type(array), cupy.ndarray):
        return None
    handle: int = cupy.cuda.get_current_stream(array.device.id).ptr
    return handle


@contextlib.contextmanager
def errors_of_cupy() -> Iterator[None]:
    """Failures of CUDA inside CuPy become a :class:`DeviceError`; what is out of memory stays a ``MemoryError``."""
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, NumbaInitError):
            raise
        raise DeviceError(
            f"CuPy cannot use the GPU ({error}): check that python -c 'import cupy; cupy.show_config()' works, and "
            "that the driver is as new as CuPy's CUDA"
        ) from error
