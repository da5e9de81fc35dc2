"""Rules, in order, and a model's tensors → a recipe, and how it came about.

The first rule that takes a tensor decides. Steps are made once for all tensors of a shape that a rule has the same
numbers for, and checked once: models have many tensors, and few kinds of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from numbainit.errors import InvalidTypeError, InvalidValueError, NumbaInitError
from numbainit.recipes.expressions import Number
from numbainit.recipes.filling import check
from numbainit.recipes.folding import folded
from numbainit.recipes.patterns import Names
from numbainit.recipes.recipe import Recipe
from numbainit.recipes.rule import Rule
from numbainit.recipes.scope import Values
from numbainit.recipes.steps import Step, Weight
from numbainit.recipes.tensors import Tensor


class Plan(NamedTuple):
    """A recipe, and how it came about.

    Attributes
    ----------
    recipe : Recipe
    rows : dict
        Name → the number of the rule that took it, from 1; None for a buffer that no rule took.
    variables : dict
        Those that were needed, with their values.
    warnings : tuple of str
    """

    recipe: Recipe
    rows: dict[str, int | None]
    variables: dict[str, Number]
    warnings: tuple[str, ...]


class UntakenError(InvalidValueError):
    """No rule takes some parameters; the message may be too short for all of them.

    Attributes
    ----------
    tensors : tuple of Tensor
        All of them, in the order of the model.

    Examples
    --------
    >>> import numpy as np
    >>> from numbainit.recipes import Rules, UntakenError
    >>> rules = Rules([{"match": "*.bias", "initializer": "zeros"}])
    >>> try:
    ...     rules.recipe({"fc.weight": np.empty((4, 3)), "fc.bias": np.empty(4)})
    ... except UntakenError as error:
    ...     print([tensor.name for tensor in error.tensors])
    ['fc.weight']
    """

    def __init__(self, label: str, tensors: Sequence[Tensor]) -> None:
        listed = "; ".join(f"{name} {shape}" for name, shape in folded_names(tensors))
        many = "1 parameter" if len(tensors) == 1 else f"{len(tensors)} parameters"
        super().__init__(
            f"{label}no rule takes {many}: {listed}: add rules, or one for '*' at the end; numbainit plan and "
            "UntakenError.tensors have all names"
        )
        self.label, self.tensors = label, tuple(tensors)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.label, self.tensors)


class Planning:
    """Rules that look for their tensors; ``name`` and ``lines`` are for messages."""

    def __init__(self, rules: Sequence[Rule], name: str, are_optional: bool, lines: Sequence[int] = ()) -> None:
        self._lines = lines
        self._rules, self._are_optional, self._label = rules, are_optional, f"{name}: " if name else ""
        self._names = Names([rule.conditions.patterns for rule in rules])
        self._known: dict[Any, tuple[Step, ...]] = {}

    def plan(self, tensors: Sequence[Tensor], ties: Mapping[str, str], values: Values) -> Plan:
        """All tensors, or an error that says why not."""
        rows = {tensor.name: self._row(tensor, values) for tensor in tensors}
        self._check_all_taken(tensors, rows)
        weights = {tensor.name: self._weight(tensor, rows[tensor.name], values) for tensor in tensors}
        return Plan(Recipe(weights, ties), rows, values.known, tuple(self._warnings(tensors, rows)))

    def _row(self, tensor: Tensor, values: Values) -> int | None:
        for row in self._names.rows(tensor.name):
            try:
                if self._rules[row].takes(tensor, values):
                    return row + 1
            except (InvalidValueError, InvalidTypeError) as error:
                raise self._named(error, row + 1, tensor) from None
        return None

    def _weight(self, tensor: Tensor, row: int | None, values: Values) -> Weight:
        rule = None if row is None else self._rules[row - 1]
        if row is None or rule is None or rule.action.untouched:
            why = "" if rule is None else rule.action.untouched
            return Weight(tensor.shape, tensor.dtype, (), why, tensor.is_parameter)
        try:
            steps = self._steps(rule, row, tensor, values)
        except (InvalidValueError, InvalidTypeError) as error:
            raise self._named(error, row, tensor) from None
        return Weight(tensor.shape, tensor.dtype, steps, "", tensor.is_parameter)

    def _steps(self, rule: Rule, row: int, tensor: Tensor, values: Values) -> tuple[Step, ...]:
        numbers = rule.numbers(tensor, values) if rule.counts else None  # else the same for all of a shape
        key = row, numbers, tensor.shape, tensor.dtype
        if key not in self._known:
            steps = rule.steps(tensor.shape, numbers or rule.numbers(tensor, values))
            check(steps, tensor.shape, tensor.numpy_dtype)
            self._known[key] = steps
        return self._known[key]

    def _named(self, error: NumbaInitError, row: int, tensor: Tensor) -> NumbaInitError:
        label = self._label_of(row)
        return type(error)(f"{self._label}parameter {tensor.name!r}, by rule {row} ({label}): {error}")

    def _label_of(self, row: int) -> str:
        at = f"line {self._lines[row - 1]}: " if row <= len(self._lines) else ""
        return at + self._rules[row - 1].label

    def _check_all_taken(self, tensors: Sequence[Tensor], rows: Mapping[str, int | None]) -> None:
        lost = [tensor for tensor in tensors if tensor.is_parameter and rows[tensor.name] is None]
        if lost:
            raise UntakenError(self._label, lost)

    def _warnings(self, tensors: Sequence[Tensor], rows: Mapping[str, int | None]) -> Iterator[str]:
        used = set(rows.values())
        idle = [row for row, rule in enumerate(self._rules, 1) if row not in used and not rule.is_optional]
        if idle and not self._are_optional:
            labels = ", ".join(f"{row} ({self._label_of(row)})" for row in idle)
            yield f"{self._label}rules that take nothing: {labels}"
        for row, rule in enumerate(self._rules, 1):
            if rule.warn and row in used:
                mine = folded_names([tensor for tensor in tensors if rows[tensor.name] == row])
                yield f"{self._label}{', '.join(name for name, _ in mine)} {rule.warn}"


def folded_names(tensors: Sequence[Tensor]) -> list[tuple[str, str]]:
    """Names and shapes; those of names that differ by numbers once."""
    rows = folded((tensor.name, str(list(tensor.shape)), "") for tensor in tensors)
    return [(name, shape) for name, shape, _ in rows]
