"""A formula in a table → the step that computes a tensor: what has no array in it becomes a number.

``1 / base ** (arange(0, 2 * d0, 2) / (2 * d0))`` has three expressions, of variables and of the tensor at hand; for
``base = 10000`` and a tensor of four elements its step is ``1 / 10000 ** (arange(0, 8, 2) / 8)``, the formula that is
recorded from code. So numbers are Python's, as they are in that code, and arrays are rounded by each operation.
"""

import ast
import copy
import math
from typing import Any

import numpy as np

from numbainit.errors import InvalidTypeError, InvalidValueError, shown
from numbainit.recipes import expressions, formulas
from numbainit.recipes.expressions import Expression, Number
from numbainit.recipes.steps import Formula, Part
from numbainit.recipes.templates import Reader, Values

_PRECISIONS = ("float32", "float64")
_MOST_WHOLE = 1 << 53  # floats up to this are written as the whole numbers that they are


class FormulaTemplate:
    """A formula with expressions where numbers stand; ``has_x`` says whether it is of what the tensor holds.

    Parameters
    ----------
    text : str
    reader : Reader
        Of the expressions.
    precision : str, optional
        The dtype of all operations, if not the tensor's.

    Examples
    --------
    >>> from numbainit.recipes.formula_templates import FormulaTemplate
    >>> from numbainit.recipes.templates import Reader
    >>> template = FormulaTemplate("log(arange(1, d0 + 1))", Reader([]))
    >>> (stop,) = template.expressions
    >>> template.step((16,), {stop: 17}).text
    'log(arange(1, 17))'
    """

    def __init__(self, text: Any, reader: Reader, precision: Any = None) -> None:
        if not isinstance(text, str):
            raise InvalidTypeError(f"a formula is a text, got {shown(text)}")
        if precision is not None and precision not in _PRECISIONS:
            raise InvalidValueError(f"precision is {' or '.join(_PRECISIONS)}, got {shown(precision)}")
        if "x" in reader.declared:
            raise InvalidValueError("x in a formula is what the tensor holds: give the variable x another name")
        self._precision, self._reader = precision, reader
        self._found: dict[str, Expression] = {}
        text = " ".join(text.split())
        self._tree = self._read(formulas.tree_of(text))
        formulas.check_nodes(self._filled(dict.fromkeys(self._found.values(), 1)), text)
        self._names = {node.id for node in ast.walk(self._tree) if isinstance(node, ast.Name)}
        self.has_x = "x" in self._names

    @property
    def expressions(self) -> tuple[Expression, ...]:
        return tuple(self._found.values())

    def step(self, shape: tuple[int, ...], values: Values, part: Part | None = None) -> Formula:
        """The step for a tensor, or a part, of a shape; its values are finite, unless it says ``inf`` or ``nan``."""
        text = self._written(values)
        if not self.has_x and not self._names & formulas.NUMBERS.keys():
            made = formulas.evaluate(text, "float64", None, math.prod(shape))
            if not np.isfinite(made).all():
                raise InvalidValueError(f"the formula {text[:80]!r} divides by zero, or has no finite value elsewhere")
        return Formula(text, part, None, self._precision)

    def _written(self, values: Values) -> str:
        return ast.unparse(self._filled(values))

    def _filled(self, values: Values) -> Any:
        numbers = {name: _plain(values[one]) for name, one in self._found.items()}
        return _Filled(numbers).visit(copy.deepcopy(self._tree))

    def _read(self, node: Any) -> Any:
        """A node with the names of expressions where there is no array."""
        if not _is_array(node):
            return self._number(node)
        for field, value in ast.iter_fields(node):
            if isinstance(value, list):
                setattr(node, field, [self._read(one) if isinstance(one, ast.expr) else one for one in value])
            elif isinstance(value, ast.expr) and field != "func":
                setattr(node, field, self._read(value))
        return node

    def _number(self, node: ast.expr) -> ast.expr:
        operand = node.operand if isinstance(node, ast.UnaryOp) else node
        is_known = isinstance(operand, ast.Name) and operand.id in formulas.NUMBERS
        if is_known or isinstance(operand, ast.Constant):
            return node
        name = f"_{len(self._found)}"
        found = self._reader.number("formula", ast.unparse(node))
        assert isinstance(found, Expression)
        self._found[name] = found
        return ast.Name(name)


class _Filled(ast.NodeTransformer):
    """Numbers where the names of expressions stand."""

    def __init__(self, numbers: dict[str, Number]) -> None:
        self._numbers = numbers

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id not in self._numbers:
            return node
        number = self._numbers[node.id]
        return ast.Constant(number) if number >= 0 else ast.UnaryOp(ast.USub(), ast.Constant(-number))


def _is_array(node: ast.AST) -> bool:
    """Whether a formula says what a node is; else an expression does."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id not in expressions.FUNCTIONS:
            return True
        return any(map(_is_array, node.args))
    if isinstance(node, ast.Name):
        return node.id == "x"
    return any(map(_is_array, ast.iter_child_nodes(node)))


def _plain(number: Number) -> Number:
    is_whole = isinstance(number, float) and number.is_integer() and abs(number) < _MOST_WHOLE
    return int(number) if is_whole else number
