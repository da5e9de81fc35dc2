"""A text such as ``"std / sqrt(2 * layers)"`` → a function of names that gives a number, in a small grammar.

::

    condition = condition and condition | condition or condition | not condition | number < number <= ... | number
    number    = number + - * / // % ** number | -number | +number | function(number, ...) | name | 0.5 | 3

in brackets as usual, with the precedence of Python, whose parser reads it. Functions are sqrt, exp, log, abs of one
number, min and max of several; pi and e are known. Nothing is run by Python itself: each node that is not in this table
is an error, and so is a value that is no finite real number. Every value stays below 2^1024, so nothing takes long.
"""

import ast
import math
import operator
import reprlib
import warnings
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from numbainit.errors import InvalidTypeError, InvalidValueError, shown
from numbainit.weights.numbers import is_text

Number: TypeAlias = int | float
_Function: TypeAlias = Callable[[Mapping[str, Number]], Any]

CONSTANTS = {"e": math.e, "pi": math.pi}
FUNCTIONS: dict[str, Callable[..., Number]] = {
    "abs": abs, "exp": math.exp, "log": math.log, "max": max, "min": min, "sqrt": math.sqrt,
}  # fmt: skip
RESERVED = frozenset({*CONSTANTS, *FUNCTIONS})
_OF_SEVERAL = ("max", "min")
_LONGEST, _DEEPEST = 500, 50  # characters, brackets and operators inside of each other
_MOST_BITS = 1024
LARGEST = 2**_MOST_BITS


def _power(base: Number, exponent: Number) -> Number:
    if isinstance(base, int) and isinstance(exponent, int) and base.bit_length() * exponent > 2 * _MOST_BITS:
        raise OverflowError
    return base**exponent


_BINARY: dict[type, Callable[[Number, Number], Number]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: _power,
}  # fmt: skip
_UNARY: dict[type, Callable[[Number], Number]] = {ast.USub: operator.neg, ast.UAdd: operator.pos}
_COMPARED: dict[type, Callable[[Number, Number], bool]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Gt: operator.gt, ast.GtE: operator.ge,
}  # fmt: skip


class Expression:
    """A text of the grammar above, read and checked; called with the values of its names, it gives its own.

    Parameters
    ----------
    text : str
    condition : bool
        Whether it may compare: its value is then True or False.

    Attributes
    ----------
    text : str
    names : frozenset of str
        Those that it needs values for.

    Raises
    ------
    InvalidValueError
        A text outside of the grammar; called, one that has no finite real value.

    Examples
    --------
    >>> from numbainit.recipes.expressions import Expression
    >>> depth = Expression("std / sqrt(2 * layers)")
    >>> sorted(depth.names), depth({"std": 0.02, "layers": 8})
    (['layers', 'std'], 0.005)
    >>> Expression("fan_in > 3 and not tied", condition=True)({"fan_in": 9, "tied": 0})
    True
    """

    def __init__(self, text: str, *, condition: bool = False) -> None:
        if not is_text(text):
            raise InvalidTypeError(f"an expression is a text, got {shown(text)}")
        names: set[str] = set()
        self.text = text
        self._function = (_condition if condition else _number)(_parsed(text), _Reading(text, names), 0)
        self.names = frozenset(names)

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"

    def __call__(self, values: Mapping[str, Number]) -> Any:
        try:
            return self._function(values)
        except ZeroDivisionError:
            problem = "division by zero"
        except OverflowError:
            problem = "a value is too large"
        except _NoNumberError as error:
            problem = str(error)
        known = ", ".join(f"{name} = {values[name]!r}" for name in sorted(self.names))
        raise InvalidValueError(f"{self.text!r} has no value{f', where {known}' if known else ''}: {problem}")


class _NoNumberError(Exception):
    """What an operation has no real number for."""


class _Reading:
    """A text that is being read: what is wrong in it, and the names that were met."""

    def __init__(self, text: str, names: set[str]) -> None:
        self.text, self.names = text, names

    def wrong(self, what: str) -> InvalidValueError:
        return InvalidValueError(f"{self.text!r} is no expression: {what}")

    def check_depth(self, depth: int) -> None:
        if depth > _DEEPEST:
            raise self.wrong(f"more than {_DEEPEST} operations inside of each other")


def _parsed(text: str) -> ast.expr:
    if len(text) > _LONGEST:
        raise InvalidValueError(f"an expression has at most {_LONGEST} characters, got {len(text)}: {text[:40]!r}...")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Python only warns of 1if
            return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise InvalidValueError(f"{text!r} is no expression: {getattr(error, 'msg', error)}") from None
    except (RecursionError, MemoryError):
        raise InvalidValueError(f"{text!r} is no expression: too many operations inside of each other") from None


def _condition(node: ast.expr, reading: _Reading, depth: int) -> _Function:
    reading.check_depth(depth)
    match node:
        case ast.BoolOp(op, parts):
            inner = [_condition(part, reading, depth + 1) for part in parts]
            every = all if isinstance(op, ast.And) else any
            return lambda values: every(part(values) for part in inner)
        case ast.UnaryOp(ast.Not(), operand):
            one = _condition(operand, reading, depth + 1)
            return lambda values: not one(values)
        case ast.Compare(left, comparisons, others) if all(type(op) in _COMPARED for op in comparisons):
            numbers = [_number(part, reading, depth + 1) for part in (left, *others)]
            steps = [*zip([_COMPARED[type(op)] for op in comparisons], numbers, numbers[1:], strict=False)]
            return lambda values: all(holds(low(values), high(values)) for holds, low, high in steps)
    number = _number(node, reading, depth)
    return lambda values: bool(number(values))


def _number(node: ast.expr, reading: _Reading, depth: int) -> _Function:
    reading.check_depth(depth)
    match node:
        case ast.Constant(int() | float() as value) if type(value) is not bool:
            if value >= LARGEST:
                raise reading.wrong("a number is too large")
            return lambda values: value
        case ast.Name(name) if name in CONSTANTS:
            return lambda values: CONSTANTS[name]
        case ast.Name(name) if name not in FUNCTIONS:
            reading.names.add(name)
            return lambda values: values[name]
        case ast.UnaryOp(op, operand) if type(op) in _UNARY:
            return _applied(_UNARY[type(op)], [operand], reading, depth)
        case ast.BinOp(left, op, right) if type(op) in _BINARY:
            return _applied(_BINARY[type(op)], [left, right], reading, depth)
        case ast.Call(ast.Name(name), arguments, []) if name in FUNCTIONS:
            if len(arguments) < 2 if name in _OF_SEVERAL else len(arguments) != 1:
                raise reading.wrong(f"{name} takes {'several numbers' if name in _OF_SEVERAL else 'one number'}")
            return _applied(FUNCTIONS[name], arguments, reading, depth)
    raise reading.wrong(_reason(node))


def _applied(function: Callable[..., Number], nodes: list[ast.expr], reading: _Reading, depth: int) -> _Function:
    inner = [_number(node, reading, depth + 1) for node in nodes]

    def value(values: Mapping[str, Number]) -> Number:
        arguments = [part(values) for part in inner]
        try:
            return _finite(function(*arguments))
        except ValueError:  # of math
            raise _NoNumberError(f"{getattr(function, '__name__', function)} of {arguments[0]!r}") from None

    return value


def _finite(value: Any) -> Number:
    if isinstance(value, complex):
        raise _NoNumberError("a power of a negative number")
    if value.bit_length() > _MOST_BITS if isinstance(value, int) else not math.isfinite(value):
        raise OverflowError
    return value


def _reason(node: ast.expr) -> str:
    match node:
        case ast.Compare() | ast.BoolOp() | ast.UnaryOp(ast.Not()):
            return "numbers are wanted here; conditions stand in 'where' alone, and compare by < <= > >= == !="
        case ast.Call(ast.Name(name)):
            return f"no function is named {name!r}; known are {', '.join(FUNCTIONS)}, with their arguments in order"
        case ast.Constant(value):
            return f"{value!r} is no number"
    part = reprlib.repr(ast.unparse(node))
    return f"{part} is not in the grammar: numbers, names, + - * / // % **, brackets, and {', '.join(FUNCTIONS)}"
