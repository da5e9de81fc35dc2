"""``parts`` of a rule → a fill for each, with the fans that it would have alone."""

import itertools
from typing import Any

from numbainit.errors import InvalidValueError, shown
from numbainit.initializers import Initializer, parameters
from numbainit.recipes.filling import MATRICES
from numbainit.recipes.plain import in_numbers
from numbainit.recipes.steps import Fill, Part
from numbainit.recipes.templates import Reader, Values, checked_table, whole_of

_FIELDS = ("axis", "count", "sizes")


class Parts:
    """Ranges of an axis, so many equal ones or of given sizes."""

    def __init__(self, facts: Any, reader: Reader) -> None:
        facts = checked_table("parts", facts, _FIELDS)
        if type(facts.get("axis")) is not int or ("count" in facts) == ("sizes" in facts):
            raise InvalidValueError(f"parts have an axis, and a count or sizes, got {shown(dict(facts))}")
        self._axis = facts["axis"]
        self._count = reader.number("count", facts["count"]) if "count" in facts else None
        self._sizes = reader.numbers("sizes", facts.get("sizes", []))
        if self._count is None and not self._sizes:
            raise InvalidValueError("sizes of parts are an empty list")

    def fills(self, found: Initializer, shape: tuple[int, ...], values: Values) -> list[Fill]:
        """The fills of a tensor; one in all where the parts' laws are the same."""
        if not -len(shape) <= self._axis < len(shape):
            raise InvalidValueError(f"parts along axis {self._axis} of shape {shape}: there is no such axis")
        axis = self._axis % len(shape)
        sizes = self._sizes_of(shape[axis], values)
        alone = [_alone(found, (*shape[:axis], size, *shape[axis + 1 :])) for size in sizes]
        if len(set(alone)) == 1 and found.name not in MATRICES and found.takes_block:
            return [Fill(alone[0])]
        ends = list(itertools.accumulate(sizes))
        boxes = [box(shape, axis, end - size, end) for end, size in zip(ends, sizes, strict=True)]
        return [Fill(one, part) for one, part in zip(alone, boxes, strict=True)]

    def _sizes_of(self, length: int, values: Values) -> list[int]:
        if self._count is not None:
            count = whole_of("count", self._count, values)
            if count < 1 or length % count:
                raise InvalidValueError(f"{count} equal parts do not divide an axis of {length}")
            return [length // count] * count
        sizes: list[int] = whole_of("sizes", self._sizes, values)
        if min(sizes) < 0 or sum(sizes) != length:
            raise InvalidValueError(f"parts of sizes {sizes} sum to {sum(sizes)}, and the axis is {length}")
        return sizes


def _alone(found: Initializer, shape: tuple[int, ...]) -> Initializer:
    """The law of a part in plain numbers, since a fill of a part counts the fans of the whole."""
    plain = in_numbers(found, shape)
    if "layout" in parameters(plain.name) and found.name not in (*MATRICES, "dirac") and 0 not in shape:
        raise InvalidValueError(f"{found.label} takes no parts: its law has no plain numbers for shape {shape}")
    return plain


def box(shape: tuple[int, ...], axis: int, begin: int, end: int) -> Part:
    """All indices of a shape, but for a range of one axis."""
    return tuple((begin, end) if at == axis else (0, size) for at, size in enumerate(shape))
