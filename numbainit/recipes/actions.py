"""What a row of a table does → the steps that make a tensor: a fill of all or of its parts, or a formula, then more."""

from collections.abc import Mapping, Sequence
from typing import Any

from numbainit.errors import InvalidTypeError, InvalidValueError, shown, suggestion
from numbainit.initializers import Initializer, checked_name, needed, parameters
from numbainit.recipes.afterwards import Afterwards
from numbainit.recipes.expressions import Expression
from numbainit.recipes.formula_templates import FormulaTemplate
from numbainit.recipes.parts import Parts
from numbainit.recipes.steps import Fill, Step
from numbainit.recipes.templates import LayoutTemplate, Reader, Values, checked_list, number_of, whole_of
from numbainit.recipes.variables import OF_FANS
from numbainit.weights.layouts import Layout

FIELDS = ("initializer", "formula", "precision", "parts", "then", "untouched")


class Action:
    """An initializer or a formula, and what comes after it, with expressions where numbers may stand.

    ``expressions`` are all of them; :meth:`steps` takes their values for a tensor. ``untouched`` says, instead, why a
    tensor is left as it is.

    Examples
    --------
    >>> from numbainit.recipes.actions import Action
    >>> action = Action({"initializer": "normal", "std": "1 / sqrt(fan_in)", "layout": "IO"}, [])
    >>> (std,) = action.expressions
    >>> action.steps((4, 9), {std: 0.5})[0].label, action.layout(2, {}).fans((4, 9))
    ('normal(std=0.5)', (4, 9))
    """

    def __init__(self, facts: Mapping[str, Any], declared: Sequence[str]) -> None:
        self.untouched = facts.get("untouched", "")
        self._layout: LayoutTemplate | None = None
        self._formula: FormulaTemplate | None = None
        reader = Reader(declared)
        if "untouched" in facts:
            if not isinstance(self.untouched, str) or not self.untouched.strip() or set(facts) != {"untouched"}:
                raise InvalidValueError("untouched says why, as a text, and stands alone")
        elif ("initializer" in facts) == ("formula" in facts):
            raise InvalidValueError(
                'a rule has an initializer = "normal", or a formula = "arange(d0)", or untouched = "why"'
            )
        elif "formula" in facts:
            self._read_formula(facts, reader)
        else:
            self._read(facts, reader)
        self.expressions: tuple[Expression, ...] = tuple(reader.expressions)

    def _read_formula(self, facts: Mapping[str, Any], reader: Reader) -> None:
        if "parts" in facts:
            raise InvalidValueError("parts are those of an initializer: a formula has cat(axis, u, v)")
        self._formula = FormulaTemplate(facts["formula"], reader, facts.get("precision"))
        if self._formula.has_x:
            raise InvalidValueError("x is what the tensor holds, and that is nothing yet: put the formula under then")
        self._afterwards = _afterwards(facts, reader)

    def _read(self, facts: Mapping[str, Any], reader: Reader) -> None:
        if "precision" in facts:
            raise InvalidValueError("precision is that of a formula, and an initializer has none: remove it")
        self._name = checked_name(facts["initializer"])
        given = _checked_arguments(self._name, {key: value for key, value in facts.items() if key not in FIELDS})
        self._arguments = {key: _argument(self._name, key, value, reader) for key, value in given.items()}
        if "layout" in facts:
            self._layout = LayoutTemplate(facts["layout"], reader)
        self._parts = Parts(facts["parts"], reader) if "parts" in facts else None
        self._afterwards = _afterwards(facts, reader)
        self._takes_layout = "layout" in parameters(self._name)
        asks_for_fans = any(one.names & OF_FANS for one in reader.expressions)
        if self._layout is not None and not self._takes_layout and not asks_for_fans:
            raise InvalidValueError(
                f"{self._name} takes no layout, and no expression asks for fan_in or fan_out: remove it"
            )

    def layout(self, rank: int, values: Values) -> Layout:
        """Which axis of a tensor is what."""
        return Layout("OI") if self._layout is None else self._layout.of(rank, values)

    def steps(self, shape: tuple[int, ...], values: Values) -> tuple[Step, ...]:
        """What makes a tensor of a shape, with the values of all expressions."""
        first: list[Step] = [self._formula.step(shape, values)] if self._formula else [*self._fills(shape, values)]
        return (*first, *(step for one in self._afterwards for step in one.steps(shape, values)))

    def _fills(self, shape: tuple[int, ...], values: Values) -> list[Fill]:
        arguments = {key: number_of(value, values) for key, value in self._arguments.items()}
        if "groups" in arguments:
            arguments["groups"] = whole_of("groups", arguments["groups"], values)
        if self._layout is not None and self._takes_layout:
            arguments["layout"] = self.layout(len(shape), values)
        found = Initializer(self._name, **arguments)
        return [Fill(found)] if self._parts is None else self._parts.fills(found, shape, values)


def _afterwards(facts: Mapping[str, Any], reader: Reader) -> list[Afterwards]:
    return [Afterwards(step, reader) for step in checked_list("then", facts.get("then", []))]


def _checked_arguments(name: str, given: dict[str, Any]) -> dict[str, Any]:
    """All but the layout, none of them missing or unknown."""
    known = parameters(name)
    for argument in given:
        if argument not in known and argument != "layout":
            hint, has = suggestion(argument, [*known, *FIELDS]), ", ".join(known) or "none"
            raise InvalidValueError(f"{name} has no argument {shown(argument)}; {hint}It has {has}")
    missing = [argument for argument in needed(name) if argument not in given]
    if missing:
        raise InvalidValueError(f"{name} needs {' and '.join(missing)}")
    return {key: value for key, value in given.items() if key != "layout"}


def _argument(name: str, key: str, value: Any, reader: Reader) -> Any:
    """Texts and flags stay what they are."""
    kind = type(parameters(name)[key])
    if kind not in (str, bool):
        return reader.number(key, value)
    if type(value) is not kind:
        raise InvalidTypeError(f"{key} is {'a text' if kind is str else 'true or false'}, got {shown(value)}")
    return value
