"""What a row of a table does → the steps that make a tensor: a fill of all or of its parts, and what comes after."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from numbainit.errors import InvalidTypeError, InvalidValueError, suggestion
from numbainit.initializers import NOT_FINITE, Initializer, checked_name, needed, parameters
from numbainit.recipes.expressions import Expression, Number
from numbainit.recipes.plain import in_numbers
from numbainit.recipes.steps import CHANGES, Change, Fill, Part, Step
from numbainit.recipes.variables import checked_names
from numbainit.weights.layouts import Layout

FIELDS = ("initializer", "parts", "then", "untouched")
_PARTS = ("axis", "count", "sizes")
_THEN = ("rows", "part", "fill", *CHANGES)
_LAYOUT = ("axes", "groups", "splits", "transposed")
_OF_FANS = frozenset({"fan_in", "fan_out"})

Values = Mapping[Expression, Number]


class Action:
    """An initializer and what comes after it, with expressions where numbers may stand.

    ``expressions`` are all of them; :meth:`steps` takes their values for a tensor. ``untouched`` says, instead, why a
    tensor is left as it is.
    """

    def __init__(self, facts: Mapping[str, Any], declared: Sequence[str]) -> None:
        self.untouched = facts.get("untouched", "")
        self._read = _Reader(declared)
        if "untouched" in facts:
            if not isinstance(self.untouched, str) or not self.untouched.strip() or set(facts) != {"untouched"}:
                raise InvalidValueError("untouched says why, as a text, and stands alone")
        elif "initializer" not in facts:
            raise InvalidValueError('a rule has an initializer = "normal", or untouched = "why"')
        else:
            self._read_fill(facts)
        self.expressions = tuple(self._read.expressions)

    def _read_fill(self, facts: Mapping[str, Any]) -> None:
        self.name = checked_name(facts["initializer"])
        known, given = parameters(self.name), {key: value for key, value in facts.items() if key not in FIELDS}
        for argument in given:
            if argument not in known and argument != "layout":
                hint = suggestion(argument, [*known, *FIELDS])
                raise InvalidValueError(f"{self.name} has no argument {argument!r}; {hint}It has {_listed(known)}")
        missing = [argument for argument in needed(self.name) if argument not in given]
        if missing:
            raise InvalidValueError(f"{self.name} needs {' and '.join(missing)}")
        self._layout = self._read.layout(given.pop("layout")) if "layout" in given else None
        self._arguments = {
            key: _checked_text(key, value) if isinstance(known[key], str) else self._read.number(key, value)
            for key, value in given.items()
        }
        self._parts = self._read.parts(facts["parts"]) if "parts" in facts else None
        self._then = [self._read.then(step) for step in _checked_list("then", facts.get("then", []))]
        asked = {name for one in self._read.expressions for name in one.names}
        if self._layout is not None and "layout" not in known and not asked & _OF_FANS:
            raise InvalidValueError(
                f"{self.name} takes no layout, and no expression asks for fan_in or fan_out: remove it"
            )

    def layout(self, values: Values, rank: int) -> Layout:
        """Which axis is what."""
        facts = dict(self._layout or {"axes": "OI"})
        axes = facts.pop("axes", "OI")
        if axes.startswith("*"):
            axes = "X" * (rank - len(axes) + 1) + axes[1:]
        numbers = {key: _number(value, values) for key, value in facts.items() if key != "transposed"}
        return Layout(axes, transposed=facts.get("transposed", False), **{k: _whole(k, n) for k, n in numbers.items()})

    def steps(self, shape: tuple[int, ...], values: Values) -> tuple[Step, ...]:
        """What makes a tensor of a shape, with the values of all expressions."""
        arguments = {key: _number(value, values) for key, value in self._arguments.items()}
        if "groups" in arguments:
            arguments["groups"] = _whole("groups", arguments["groups"])
        if self._layout is not None and "layout" in parameters(self.name):
            arguments["layout"] = self.layout(values, len(shape))
        found = Initializer(self.name, **arguments)
        fills = [Fill(found)] if self._parts is None else self._fills(found, shape, values)
        return (*fills, *(step for then in self._then for step in _after(then, shape, values)))

    def _fills(self, found: Initializer, shape: tuple[int, ...], values: Values) -> list[Fill]:
        """One fill for each part, each with the fans that it would have alone; one in all where they are equal."""
        assert self._parts is not None
        axis = self._parts["axis"]
        if not -len(shape) <= axis < len(shape):
            raise InvalidValueError(f"parts along axis {axis} of shape {shape}: there is no such axis")
        axis %= len(shape)
        sizes = self._sizes(shape[axis], values)
        alone = [in_numbers(found, (*shape[:axis], size, *shape[axis + 1 :])) for size in sizes]
        if len(set(alone)) == 1 and alone[0].takes_block:
            return [Fill(alone[0])]
        begins = itertools.accumulate(sizes[:-1], initial=0)
        boxes = [_box(shape, axis, begin, begin + size) for begin, size in zip(begins, sizes, strict=True)]
        return [Fill(one, box) for one, box in zip(alone, boxes, strict=True)]

    def _sizes(self, length: int, values: Values) -> list[int]:
        assert self._parts is not None
        if "count" in self._parts:
            count = _whole("count", _number(self._parts["count"], values))
            if count < 1 or length % count:
                raise InvalidValueError(f"{count} equal parts do not divide an axis of {length}")
            return [length // count] * count
        sizes = [_whole("size", _number(size, values)) for size in self._parts["sizes"]]
        if min(sizes) < 0 or sum(sizes) != length:
            raise InvalidValueError(f"parts of sizes {sizes} sum to {sum(sizes)}, and the axis is {length}")
        return sizes


class _Reader:
    """What a table holds → templates, with expressions for texts; all expressions are kept."""

    def __init__(self, declared: Sequence[str]) -> None:
        self._declared, self.expressions = declared, list[Expression]()

    def number(self, name: str, value: Any) -> Number | complex | Expression:
        if isinstance(value, list) and len(value) == 2:
            return complex(*(_checked_number(name, half) for half in value))
        if isinstance(value, str) and value in NOT_FINITE:
            return NOT_FINITE[value]
        if isinstance(value, str):
            self.expressions.append(checked_names(Expression(value), self._declared))
            return self.expressions[-1]
        return _checked_number(name, value)

    def layout(self, value: Any) -> dict[str, Any]:
        facts = {"axes": value} if isinstance(value, str) else _checked_table("layout", value, _LAYOUT)
        if not isinstance(facts.get("axes", "OI"), str) or type(facts.get("transposed", False)) is not bool:
            raise InvalidTypeError(f"axes of a layout are a text, and transposed is true or false, got {value!r}")
        before = len(self.expressions)
        found = {key: self._layout_number(key, one) for key, one in facts.items()}
        if any(one.names & _OF_FANS for one in self.expressions[before:]):
            raise InvalidValueError("a layout cannot ask for fan_in or fan_out, which follow from it")
        Layout(found.get("axes", "OI").removeprefix("*"))
        return found

    def _layout_number(self, key: str, value: Any) -> Any:
        if key in ("axes", "transposed"):
            return value
        return [self.number(key, one) for one in value] if isinstance(value, list) else self.number(key, value)

    def parts(self, value: Any) -> dict[str, Any]:
        facts = _checked_table("parts", value, _PARTS)
        if type(facts.get("axis")) is not int or ("count" in facts) == ("sizes" in facts):
            raise InvalidValueError(f"parts have an axis, and a count or sizes, got {value!r}")
        if "count" in facts:
            return {"axis": facts["axis"], "count": self.number("count", facts["count"])}
        sizes = _checked_list("sizes", facts["sizes"])
        if not sizes:
            raise InvalidValueError("sizes of parts are an empty list")
        return {"axis": facts["axis"], "sizes": [self.number("a size", size) for size in sizes]}

    def then(self, value: Any) -> dict[str, Any]:
        facts = _checked_table("a step of then", value, _THEN)
        done = [key for key in facts if key in ("fill", *CHANGES)]
        if len(done) != 1 or ("rows" in facts and "part" in facts):
            raise InvalidValueError(
                f"a step of then is one of fill, {', '.join(CHANGES)}, of all, of rows or of a part, got {value!r}"
            )
        found: dict[str, Any] = {done[0]: self.number(done[0], facts[done[0]])}
        if "rows" in facts:
            found["rows"] = [self.number("a row", row) for row in _checked_list("rows", facts["rows"])]
        if "part" in facts:
            pairs = [_checked_list("part", pair) for pair in _checked_list("part", facts["part"])]
            if any(len(pair) != 2 for pair in pairs):
                raise InvalidValueError(f"part has a first and a last index for each axis, got {facts['part']!r}")
            found["part"] = [[self.number("an index", end) for end in pair] for pair in pairs]
        return found


def _after(then: Mapping[str, Any], shape: tuple[int, ...], values: Values) -> Iterator[Step]:
    for part in _boxes(then, shape, values):
        if "fill" in then:
            val = _number(then["fill"], values)
            constant = {0: Initializer("zeros"), 1: Initializer("ones")}.get(val)
            yield Fill(constant or Initializer("constant", val=val), part)
        else:
            (name,) = set(then) & set(CHANGES)
            yield Change(name, float(_number(then[name], values)), part)


def _boxes(then: Mapping[str, Any], shape: tuple[int, ...], values: Values) -> list[Part | None]:
    if "rows" in then:
        return [_row(_whole("a row", _number(row, values)), shape) for row in then["rows"]]
    if "part" not in then:
        return [None]
    box = tuple(
        (_whole("an index", _number(a, values)), _whole("an index", _number(b, values))) for a, b in then["part"]
    )
    if len(box) != len(shape) or not all(0 <= a <= b <= size for (a, b), size in zip(box, shape, strict=True)):
        raise InvalidValueError(f"the part {[list(pair) for pair in box]} does not lie in shape {shape}")
    return [box]


def _row(row: int, shape: tuple[int, ...]) -> Part:
    if not shape or not -shape[0] <= row < shape[0]:
        raise InvalidValueError(f"there is no row {row} in shape {shape}")
    return _box(shape, 0, row % shape[0], row % shape[0] + 1)


def _box(shape: tuple[int, ...], axis: int, begin: int, end: int) -> Part:
    return tuple((begin, end) if at == axis else (0, size) for at, size in enumerate(shape))


def _number(value: Any, values: Values) -> Any:
    if isinstance(value, list):
        return [_number(one, values) for one in value]
    return values[value] if isinstance(value, Expression) else value


def _whole(name: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_whole(name, one) for one in value]
    if value != math.floor(value):
        raise InvalidValueError(f"{name} must be a whole number, got {value!r}")
    return int(value)


def _checked_number(name: str, value: Any) -> Number:
    number: Any = NOT_FINITE.get(value, value) if isinstance(value, str) else value
    if type(number) not in (int, float):
        raise InvalidTypeError(f"{name} is a number or an expression, got {value!r}")
    return number


def _checked_text(key: str, value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidTypeError(f"{key} is a text, got {value!r}")
    return value


def _checked_list(name: str, value: Any) -> list[Any]:
    if not isinstance(value, (list, tuple)):
        raise InvalidTypeError(f"{name} is a list, got {value!r}")
    return list(value)


def _checked_table(name: str, value: Any, known: Sequence[str]) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidTypeError(f"{name} is a table of {', '.join(known)}, got {value!r}")
    for key in value:
        if key not in known:
            raise InvalidValueError(f"{name} has {key!r}; {suggestion(str(key), known)}Known are {', '.join(known)}")
    return value


def _listed(words: Any) -> str:
    return ", ".join(words) or "none"
