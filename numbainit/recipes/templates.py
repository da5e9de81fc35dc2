"""Numbers and expressions in a table → what gives them their values for a tensor."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from numbainit.errors import InvalidTypeError, InvalidValueError, shown, suggestion
from numbainit.initializers import NOT_FINITE
from numbainit.recipes.expressions import Expression, Number
from numbainit.recipes.variables import OF_FANS, checked_names
from numbainit.weights.layouts import Layout

#: the values of all expressions of a row, for a tensor
Values: TypeAlias = Mapping[Expression, Number]

_LAYOUT = ("axes", "groups", "splits", "transposed")


class Reader:
    """Reads what stands where a number may stand; keeps all expressions that it meets."""

    def __init__(self, declared: Sequence[str]) -> None:
        self.declared, self.expressions = declared, list[Expression]()

    def number(self, name: str, value: Any) -> Number | complex | Expression:
        """A number, as JSON has it too, or an expression."""
        if isinstance(value, list) and len(value) == 2:
            return complex(*(_checked_number(name, half) for half in value))
        if isinstance(value, str) and value not in NOT_FINITE:
            self.expressions.append(checked_names(Expression(value), self.declared))
            return self.expressions[-1]
        return _checked_number(name, value)

    def numbers(self, name: str, value: Any) -> list[Any]:
        """A list of them."""
        return [self.number(name, one) for one in checked_list(name, value)]


class LayoutTemplate:
    """A layout whose groups and splits may be expressions; axes ``"*IO"`` have any number before them."""

    def __init__(self, value: Any, reader: Reader) -> None:
        facts = {"axes": value} if isinstance(value, str) else checked_table("layout", value, _LAYOUT)
        self._axes: Any = facts.get("axes", "OI")
        self._transposed: Any = facts.get("transposed", False)
        if not isinstance(self._axes, str) or type(self._transposed) is not bool:
            raise InvalidTypeError(f"axes of a layout are a text, and transposed is true or false, got {shown(value)}")
        before = len(reader.expressions)
        self._numbers = {
            key: reader.numbers(key, facts[key]) if isinstance(facts[key], list) else reader.number(key, facts[key])
            for key in ("groups", "splits")
            if key in facts
        }
        if any(one.names & OF_FANS for one in reader.expressions[before:]):
            raise InvalidValueError("a layout cannot ask for fan_in or fan_out, which follow from it")
        Layout(self._axes.removeprefix("*"))

    def of(self, rank: int, values: Values) -> Layout:
        """That of a tensor with so many axes."""
        axes = self._axes
        if axes.startswith("*"):
            axes = "X" * (rank - len(axes) + 1) + axes[1:]
        numbers = {key: whole_of(key, value, values) for key, value in self._numbers.items()}
        return Layout(axes, transposed=self._transposed, **numbers)


def number_of(value: Any, values: Values) -> Any:
    """The number that a template gives."""
    return values[value] if isinstance(value, Expression) else value


def whole_of(name: str, value: Any, values: Values) -> Any:
    """The whole number that a template gives, or a list of them."""
    if isinstance(value, list):
        return [whole_of(name, one, values) for one in value]
    number = number_of(value, values)
    if number != math.floor(number):
        raise InvalidValueError(f"{name} must be a whole number, got {shown(number)}")
    return int(number)


def checked_list(name: str, value: Any) -> list[Any]:
    if not isinstance(value, (list, tuple)):
        raise InvalidTypeError(f"{name} is a list, got {shown(value)}")
    return list(value)


def checked_table(name: str, value: Any, known: Sequence[str]) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidTypeError(f"{name} is a table of {', '.join(known)}, got {shown(value)}")
    for key in value:
        if key not in known:
            raise InvalidValueError(f"{name} has {shown(key)}; {suggestion(key, known)}Known are {', '.join(known)}")
    return value


def _checked_number(name: str, value: Any) -> Number:
    number: Any = NOT_FINITE.get(value, value) if isinstance(value, str) else value
    if type(number) not in (int, float):
        raise InvalidTypeError(f"{name} is a number or an expression, got {shown(value)}")
    return number
