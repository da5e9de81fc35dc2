"""Arrays that are to be filled → two of them that share an element, which both would write, or None.

Whole models are asked about: 50,000 arrays are sorted by address, and only those that reach into each other are looked
at, exactly. Of many such arrays, as all columns of a matrix are, only those are compared that lie alike in its rows.
Where that is too much work they count as sharing.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from numbainit.memory.device import DeviceArray

_MOST_WORK = 1_000_000  # candidates that NumPy tries for a pair of arrays: some milliseconds
_MOST_REACHING = 1_000  # arrays into the bounds of another one
_FEW = 16  # arrays that are compared with each other at once

_Bounds: TypeAlias = tuple[int, int, int]  # first and last byte (behind it), index


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
    for cluster in _clusters((*_bounds(array), index) for index, array in enumerate(arrays)):
        for group in [cluster] if len(cluster) <= _FEW else _alike([arrays[index] for *_, index in cluster], cluster):
            pair = _two_of(group, arrays)
            if pair is not None:
                return pair
    return None


def _clusters(bounds: Iterable[_Bounds]) -> Iterator[list[_Bounds]]:
    """Those that reach into each other, or into one that both reach into; none that is alone."""
    cluster: list[_Bounds] = []
    reach = 0
    for one in sorted(bounds):
        if one[0] >= reach:
            if len(cluster) > 1:
                yield cluster
            cluster = []
        cluster.append(one)
        reach = max(reach, one[1])
    if len(cluster) > 1:
        yield cluster


def _alike(arrays: Sequence[Any], cluster: Sequence[_Bounds]) -> Iterator[list[_Bounds]]:
    """Groups of which no two share: all steps are multiples of one number, and they differ by what is left of it."""
    runs = [*map(_runs, arrays)]
    pitch = math.gcd(*(step for run in runs for step in run.steps))
    if not pitch or any(run.length > pitch for run in runs):
        yield [*cluster]
        return
    parts: list[_Bounds] = []  # of 0 ... pitch
    for number, run in enumerate(runs):
        start = run.start % pitch
        parts.append((start, min(start + run.length, pitch), number))
        if start + run.length > pitch:
            parts.append((0, start + run.length - pitch, number))
    yield from ([cluster[number] for number in sorted({number for *_, number in group})] for group in _clusters(parts))


class _Runs(NamedTuple):
    """An array as runs of bytes without gaps: the first of them, how long each is, and the steps between them."""

    start: int
    length: int
    steps: tuple[int, ...]


def _runs(array: Any) -> _Runs:
    start, length = _bounds(array)[0], array.itemsize
    steps: list[int] = []
    axes = zip(array.strides, array.shape, strict=True)
    for step, size in sorted((abs(step), size) for step, size in axes if size > 1):
        if step == length and not steps:
            length *= size
        else:
            steps.append(step)
    return _Runs(start, length, tuple(steps))


def _two_of(group: Iterable[_Bounds], arrays: Sequence[Any]) -> tuple[int, int] | None:
    reaching: list[tuple[int, int]] = []  # the ends of arrays that begin before this one, and their indices
    for start, end, index in group:
        reaching = [one for one in reaching if one[0] > start]
        for _, other in reaching:
            if len(reaching) > _MOST_REACHING or _share(arrays[other], arrays[index]):
                return min(other, index), max(other, index)
        reaching.append((end, index))
    return None


def identity(array: Any) -> tuple[Any, ...]:
    """What two arrays have in common that are the same view of the same memory; no step is taken along 1 element."""
    strides = tuple(step if size > 1 else 0 for step, size in zip(array.strides, array.shape, strict=True))
    return _address(array), array.shape, strides, array.dtype


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
