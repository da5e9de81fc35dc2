"""Arrays that are to be filled → two of them that share an element, which both would write, or None.

Whole models are asked about: 50,000 arrays are sorted by address, and only those that reach into each other are looked
at, exactly. Where that is too much work they count as sharing.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from numbainit.memory.device import DeviceArray

_MOST_WORK = 1_000_000  # candidates that NumPy tries for a pair of arrays: some milliseconds
_MOST_REACHING = 1_000  # arrays into the bounds of another one


def two_that_share(arrays: Sequence[Any]) -> tuple[int, int] | None:
    """The indices of two arrays that have an element in common, the earlier one first.

    Each is an array of NumPy or on a GPU, without an axis of length 0.

    Examples
    --------
    >>> import numpy as np
    >>> from numbainit.memory.sharing import two_that_share
    >>> a = np.empty((4, 6))
    >>> two_that_share([a[1:], a[0], a[:2]]), two_that_share([a[:, ::2], a[:, 1::2]])
    ((1, 2), None)
    """
    reaching: list[tuple[int, int]] = []  # the ends of arrays that begin before this one, and their indices
    for start, end, index in sorted((*_bounds(array), index) for index, array in enumerate(arrays)):
        reaching = [one for one in reaching if one[0] > start]
        for _, other in reaching:
            if len(reaching) > _MOST_REACHING or _share(arrays[other], arrays[index]):
                return min(other, index), max(other, index)
        reaching.append((end, index))
    return None


def identity(array: Any) -> tuple[Any, ...]:
    """What two arrays have in common that are the same view of the same memory."""
    return _address(array), array.shape, array.strides, array.dtype


def _address(array: Any) -> int:
    """Of the first element; those on all GPUs and of the host are one space."""
    found: int = array.pointer if isinstance(array, DeviceArray) else array.__array_interface__["data"][0]
    return found


def _bounds(array: Any) -> tuple[int, int]:
    """The lowest byte, and the one behind the highest."""
    first = _address(array)
    if not isinstance(array, DeviceArray) and array.flags.forc:  # most are, and models have many
        return first, first + array.nbytes
    steps = [(length - 1) * step for length, step in zip(array.shape, array.strides, strict=True)]
    below, above = (sum(step for step in steps if (step > 0) is up) for up in (False, True))
    return first + below, first + above + array.itemsize


def _share(first: Any, second: Any) -> bool:
    try:
        return np.shares_memory(_seen(first), _seen(second), max_work=_MOST_WORK)  # type: ignore[arg-type]
    except np.exceptions.TooHardError:
        return True


def _seen(array: Any) -> np.ndarray:
    """The same addresses for NumPy, which looks at them alone, not at the memory."""
    return np.asarray(_Addresses(array)) if isinstance(array, DeviceArray) else array


class _Addresses:
    def __init__(self, array: DeviceArray) -> None:
        self.__array_interface__ = {
            "version": 3,
            "shape": array.shape,
            "typestr": f"|V{array.itemsize}",
            "data": (array.pointer, True),
            "strides": array.strides,
        }
