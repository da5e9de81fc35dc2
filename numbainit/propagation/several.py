"""Several networks: each initializer with each nonlinearity, or one after the other by width or depth."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from numbainit.errors import InvalidValueError, shown
from numbainit.initializers import Initializer
from numbainit.propagation.asked import count
from numbainit.propagation.result import Propagation
from numbainit.propagation.run import propagate


def grid(
    inits: Sequence[str | Initializer], nonlinearities: Sequence[str], widths: Sequence[int], **keywords: Any
) -> list[list[Propagation]]:
    """Each initializer (rows) with each nonlinearity (columns): ``keywords`` are those of :func:`propagate`."""
    return [[propagate(widths, init, name, **keywords) for name in nonlinearities] for init in inits]


def sweep(over: str, values: Iterable[int], *, layers: int, width: int, **keywords: Any) -> list[Propagation]:
    """One network for each width, or each depth, with all else as :func:`propagate` takes it.

    Examples
    --------
    >>> from numbainit.propagation import sweep
    >>> [len(found.forward.std) for found in sweep("depth", [2, 5], layers=0, width=16)]
    [2, 5]
    """
    if over not in ("width", "depth"):
        raise InvalidValueError(f"a sweep goes over 'width' or 'depth', got {shown(over)}")
    return list(_swept(over, values, layers, width, keywords))


def _swept(over: str, values: Iterable[int], layers: int, width: int, keywords: dict) -> Iterator[Propagation]:
    for value in values:
        number = count(f"a {over}", value)
        if number < 1:
            raise InvalidValueError(f"a {over} is at least 1, got {number}")
        shape = [number] * (layers + 1) if over == "width" else [width] * (number + 1)
        yield replace(propagate(shape, **keywords), names=())
