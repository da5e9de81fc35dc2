"""An array of any library → its facts, which rules look at: name, shape, dtype, kinds of its module."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from numbainit.memory.dtypes import dtype_named
from numbainit.memory.libraries import name_of_dtype


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
        return dtype_named(self.dtype)


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


def tensor_of(name: str, array: Any, kind: str | tuple[str, ...] | None = None, is_parameter: bool = True) -> Tensor:
    """The facts of an array of any library."""
    return Tensor(name, tuple(map(int, array.shape)), dtype_name(array.dtype), kind, is_parameter)


def kinds_of(module: Any, top: type) -> tuple[str, ...]:
    """The names of a module's class and of its base classes below ``top``."""
    return tuple(one.__name__ for one in type(module).__mro__ if issubclass(one, top) and one is not top)


def dtype_name(dtype: Any) -> str:
    """NumPy's name of a dtype of any library."""
    return _numpy_name(dtype) if isinstance(dtype, np.dtype) else name_of_dtype(dtype) or np.dtype(dtype).name


@functools.lru_cache(maxsize=64)
def _numpy_name(dtype: np.dtype) -> str:
    """Its name, which NumPy puts together each time."""
    return dtype.name
