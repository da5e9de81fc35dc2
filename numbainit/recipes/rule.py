"""A row of a table → whether it takes a tensor, and the weight that it makes of one."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from numbainit.errors import InvalidTypeError, InvalidValueError, shown, suggestion
from numbainit.initializers import Initializer, names, parameters
from numbainit.recipes import actions, conditions
from numbainit.recipes.actions import Action
from numbainit.recipes.conditions import Conditions
from numbainit.recipes.expressions import Number
from numbainit.recipes.scope import Scope, Values
from numbainit.recipes.steps import Step
from numbainit.recipes.tensors import Tensor
from numbainit.recipes.variables import OF_FANS, is_of_a_name

_FIELDS = (*conditions.FIELDS, *actions.FIELDS, "warn", "optional")


class Rule:
    """A row: its conditions, its action; ``facts`` is what was written.

    Examples
    --------
    >>> from numbainit.recipes.rule import Rule
    >>> Rule({"match": "*.bias", "initializer": "zeros"}, [])
    Rule('*.bias')
    """

    def __init__(self, facts: Any, declared: Sequence[str]) -> None:
        self.facts = _checked(facts)
        self.conditions = Conditions(self.facts, declared)
        mine = {*conditions.FIELDS, "warn", "optional"}
        self.action = Action({key: value for key, value in self.facts.items() if key not in mine}, declared)
        self.warn, self.is_optional = self.facts.get("warn", ""), self.facts.get("optional", False)
        if not isinstance(self.warn, str) or type(self.is_optional) is not bool:
            raise InvalidTypeError("warn is a text, optional is true or false")

    @functools.cached_property
    def counts(self) -> bool:
        """Whether what it makes differs between tensors of one shape: numbers in names, and weights, enter into it."""
        return any(is_of_a_name(name) for one in self.action.expressions for name in one.names)

    def __repr__(self) -> str:
        return f"Rule({self.label!r})"

    @property
    def label(self) -> str:
        return self.conditions.label

    def takes(self, tensor: Tensor, values: Values) -> bool:
        """Whether this is the row of a tensor whose name fits, if none before is."""
        return self.conditions.hold(tensor, lambda: self._scope(tensor, values))

    def numbers(self, tensor: Tensor, values: Values) -> tuple[Number, ...]:
        """The values of the action's expressions for a tensor: with its shape, they say all of its steps."""
        if not self.action.expressions:
            return ()
        scope = self._scope(tensor, values)
        return tuple(expression(scope) for expression in self.action.expressions)

    def steps(self, shape: tuple[int, ...], numbers: tuple[Number, ...]) -> tuple[Step, ...]:
        """What makes a tensor of a shape."""
        return self.action.steps(shape, dict(zip(self.action.expressions, numbers, strict=True)))

    def _scope(self, tensor: Tensor, values: Values) -> Scope:
        def fans() -> tuple[int, int]:
            known = {one: one(scope) for one in self.action.expressions if not one.names & OF_FANS}
            return self.action.layout(len(tensor.shape), known).fans(tensor.shape)

        scope = Scope(values, tensor, fans)
        return scope


def _checked(facts: Any) -> dict[str, Any]:
    """What was written, an Initializer as its name and arguments; all of its names known."""
    if not isinstance(facts, Mapping):
        raise InvalidTypeError(
            f"a rule is a table, such as {{'match': '*.bias', 'initializer': 'zeros'}}, got {shown(facts)}"
        )
    known = dict(facts)
    if isinstance(known.get("initializer"), Initializer):
        arguments = known["initializer"].to_dict()
        known |= {"initializer": arguments.pop("name"), **arguments}
    for key in known:
        if key not in _FIELDS and ("initializer" not in known or _is_misspelt(key, known["initializer"])):
            raise InvalidValueError(f"a rule has no {key!r}; {suggestion(key, _FIELDS)}It has {', '.join(_FIELDS)}")
    return known


def _is_misspelt(key: Any, initializer: Any) -> bool:
    """Whether it is a row's own word, nearly, and no argument of the initializer, which may be no such thing."""
    if not isinstance(initializer, str) or initializer not in names():
        return False
    arguments, hint = (*parameters(initializer), "layout"), suggestion(key, _FIELDS)
    return key not in arguments and hint != "" and hint == suggestion(key, [*arguments, *_FIELDS])
