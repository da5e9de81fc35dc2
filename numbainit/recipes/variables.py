"""What a table declares of a variable → how it is read from a model's tensors; names that expressions may ask for."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numbainit.errors import InvalidTypeError, InvalidValueError, shown, suggestion
from numbainit.recipes.expressions import LARGEST, RESERVED, Expression, Number
from numbainit.recipes.patterns import Pattern, dotted
from numbainit.recipes.tensors import Tensor
from numbainit.weights.numbers import scalar

_OF_A_TENSOR = re.compile(r"n(?:0|[1-9]\d*)|(?:weight_)?(?:rank|size|fan_in|fan_out|d(?:0|[1-9]\d*))")
BESIDE = "weight_"  # before a fact of the weight beside a bias
OF_FANS = frozenset({"fan_in", "fan_out"})
_FIELDS = ("count", "shape", "axis", "value", "default")


def is_of_a_tensor(name: str) -> bool:
    """Whether a name in an expression is a fact of the parameter at hand."""
    return _OF_A_TENSOR.fullmatch(name) is not None


def is_of_a_name(name: str) -> bool:
    """Whether a name in an expression is a fact that differs between parameters of one shape."""
    return (name[0] == "n" or name.startswith(BESIDE)) and is_of_a_tensor(name)


def checked_names(expression: Expression, declared: Sequence[str], *, of_tensors: bool = True) -> Expression:
    """The expression, none of whose names is unknown."""
    for name in sorted(expression.names - set(declared)):
        if not (of_tensors and is_of_a_tensor(name)):
            facts = "rank, size, d0, d1, ..., n0, n1, ..., fan_in, fan_out, weight_rank, ..., weight_fan_out"
            known = ", ".join([*declared, facts] if of_tensors else declared)
            known = f"Known here are {known}" if known else "No variable stands before this one"
            hint, where = suggestion(name, declared), "[variables]" if of_tensors else "[variables], above"
            raise InvalidValueError(f"{expression.text!r} asks for {name!r}; {hint}{known}: declare it under {where}")
    return expression


def checked_number(name: str, value: Any) -> Number:
    """A finite real number, as Python's own."""
    if type(value) is bool:
        raise InvalidTypeError(f"{name} must be a number, got {value}")
    number = value if type(value) in (int, float) else scalar(name, value)
    if not (math.isfinite(number) if isinstance(number, float) else abs(number) < LARGEST):
        raise InvalidValueError(f"{name} must be a finite number, got {shown(value)}")
    return number


@dataclass(frozen=True)
class Variable:
    """A declared variable: how it is read from the tensors of a model, or computed, and its default."""

    name: str
    count: tuple[Pattern, ...] = ()
    shape: tuple[Pattern, ...] = ()
    axis: int = 0
    value: Expression | None = None
    default: Number | None = None

    def read(self, tensors: Sequence[Tensor]) -> Number | None:
        """What names and shapes say."""
        if self.count:
            found = {glob.numbers(dotted(tensor.name)) for tensor in tensors for glob in self.count} - {None}
            return len(found) or None
        for glob in self.shape:
            for tensor in tensors:
                if glob.takes(dotted(tensor.name)) and -len(tensor.shape) <= self.axis < len(tensor.shape):
                    return tensor.shape[self.axis]
        return None

    @property
    def wanted(self) -> str:
        """What would have to be there for it to be read."""
        globs = " or ".join(repr(glob.text) for glob in self.count + self.shape)
        if self.count:
            return f"no name fits {globs}"
        if self.shape:
            return f"nothing that fits {globs} has an axis {self.axis}"
        return "names and shapes do not say"


def variable(name: Any, facts: Any, earlier: Sequence[str]) -> Variable:
    """A variable from what a table says of it."""
    if not isinstance(name, str) or not name.isidentifier() or name in RESERVED or is_of_a_tensor(name):
        raise InvalidValueError(
            f"a variable cannot be named {shown(name)}: take a word that is no function and no fact"
        )
    if not isinstance(facts, Mapping):
        facts = {"default": facts}
    for field in facts:
        if field not in _FIELDS:
            raise InvalidValueError(
                f"variable {shown(name)} has {field!r}; {suggestion(field, _FIELDS)}Known are {', '.join(_FIELDS)}"
            )
    if sum(field in facts for field in ("count", "shape", "value")) > 1:
        raise InvalidValueError(f"variable {shown(name)} has several of count, shape and value: keep one")
    try:
        return _variable(name, facts, earlier)
    except (InvalidValueError, InvalidTypeError) as error:
        raise type(error)(f"variable {shown(name)}: {error}") from None


def _variable(name: str, facts: Mapping[str, Any], earlier: Sequence[str]) -> Variable:
    count, shape = (_globs(field, facts) for field in ("count", "shape"))
    value = _expression(facts["value"]) if "value" in facts else None
    for glob in count:
        if not glob.has_number:
            raise InvalidValueError(f"count counts the numbers that stand at {{}}, and {glob.text!r} has none")
    if value is not None:
        checked_names(value, earlier, of_tensors=False)
    axis = facts.get("axis", 0)
    if type(axis) is not int:
        raise InvalidTypeError(f"axis must be a whole number, got {shown(axis)}")
    default = None if "default" not in facts else checked_number("default", facts["default"])
    return Variable(name, count, shape, axis, value, default)


def _globs(field: str, facts: Mapping[str, Any]) -> tuple[Pattern, ...]:
    """One, or a list of them."""
    given = facts.get(field, [])
    if field in facts and isinstance(given, list) and not given:
        raise InvalidValueError(f"{field} is an empty list: name something, or leave it out")
    return tuple(Pattern(text) for text in (given if isinstance(given, list) else [given]))


def _expression(text: Any) -> Expression:
    return Expression(str(text) if type(text) in (int, float) else text)
