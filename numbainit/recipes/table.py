"""An ordered table of rules and a model's tensors → a recipe: the first row that takes a tensor says how it is made."""

import copy
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from numbainit.errors import InvalidTypeError, InvalidValueError, shown, suggestion, warn_user
from numbainit.recipes import toml
from numbainit.recipes.holders import tensors_of
from numbainit.recipes.planning import Plan, Planning
from numbainit.recipes.recipe import Recipe
from numbainit.recipes.rule import Rule
from numbainit.recipes.scope import Values
from numbainit.recipes.variables import Variable, variable

FORMAT = "numbainit-rules-1"
_TEXTS = ("name", "about", "source", "version")
_LISTS = ("unverified", "fits")
_FIELDS = ("format", *_TEXTS, *_LISTS, "optional", "variables", "rules")


class Rules:
    """An ordered table of rules, which knows no model: with a model's tensors it makes a :class:`Recipe`.

    Parameters
    ----------
    rules : iterable of mappings
        Rows as docs/recipes.md has them: which names, and which initializer with its arguments, numbers or expressions.
        ``initializer`` may be a :class:`numbainit.Initializer`.
    variables : mapping, optional
        Name → how it is read, ``{"count": "*.h.{}.*"}``, ``{"shape": "*.wte.weight", "axis": 1}``, ``{"value":
        "2 * layers"}``, its ``{"default": 0.02}``, or ``{}``: then it is asked for.
    name, about, source, version : str
        Whose initialization this is.
    unverified, fits : sequence of str
        What rests on a source at second hand; built-in models that it takes whole.
    optional : bool
        Rules that take nothing are no warning, any of them: a table for variants of a model.

    Raises
    ------
    InvalidValueError, InvalidTypeError
        A row, a name, an argument or an expression that is wrong, by the number of the rule.

    Examples
    --------
    >>> import numpy as np
    >>> from numbainit.recipes import Rules
    >>> rules = Rules(
    ...     [
    ...         {"match": "*.bias", "initializer": "zeros"},
    ...         {"match": "*.out.weight", "initializer": "normal", "std": "0.02 / sqrt(2 * layers)"},
    ...         {"match": "*", "rank": 2, "initializer": "normal", "std": 0.02},
    ...     ],
    ...     variables={"layers": {"count": "h.{}.*"}},
    ... )
    >>> arrays = {f"h.{n}.{end}": np.empty((4, 4), "float32") for n in range(8) for end in ("up.weight", "out.weight")}
    >>> recipe = rules.recipe(arrays | {"h.0.up.bias": np.empty(4, "float32")})
    >>> print(recipe)
    h.{0..7}.up.weight   [4, 4]  normal(std=0.02)
    h.{0..7}.out.weight  [4, 4]  normal(std=0.005)
    h.0.up.bias          [4]     zeros()
    >>> Rules.from_toml(rules.to_toml()) == rules
    True
    """

    def __init__(
        self,
        rules: Iterable[Mapping[str, Any]],
        variables: Mapping[str, Any] | None = None,
        *,
        name: str = "",
        about: str = "",
        source: str = "",
        version: str = "",
        unverified: Iterable[str] = (),
        fits: Iterable[str] = (),
        optional: bool = False,
        _lines: Sequence[int] = (),
    ) -> None:
        self.name, self.about, self.source, self.version = name, about, source, version
        self.unverified, self.fits = tuple(unverified), tuple(fits)
        if type(optional) is not bool:
            raise InvalidTypeError(f"optional is true or false, got {shown(optional)}")
        self.optional = optional
        declared = {} if variables is None else variables
        if not issubclass(type(declared), Mapping):
            raise InvalidTypeError(f"variables is a table, name by name, got {shown(declared)}")
        if not issubclass(type(rules), Iterable):
            raise InvalidTypeError(f"rules are a list of tables, got {shown(rules)}")
        self.variables = _variables(declared)
        self._declared = copy.deepcopy(dict(declared))
        names = [one.name for one in self.variables]
        self.path, self._lines = "", tuple(_lines)  # for messages
        self.rules = tuple(_rule(number, facts, names, _lines) for number, facts in enumerate(rules, 1))
        if not self.rules:
            raise InvalidValueError("a table has at least one rule")

    def __len__(self) -> int:
        return len(self.rules)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rules) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        return Rules.from_json, (self.to_json(),)

    def __repr__(self) -> str:
        return f"<Rules {self.name!r}, {len(self)} rows>" if self.name else f"<Rules, {len(self)} rows>"

    def recipe(self, parameters: Any, variables: Mapping[str, Any] | None = None) -> Recipe:
        """How each tensor of a model is made.

        Parameters
        ----------
        parameters : mapping, tree, model, or iterable
            Name → array, also nested; a torch module, a flax or Keras model, whose modules' kinds are then known; or
            objects with ``name``, ``shape``, ``dtype``, and perhaps ``kind``, ``is_parameter``.
        variables : mapping, optional
            Name → number: what names and shapes do not say, or say otherwise.

        Raises
        ------
        InvalidValueError, InvalidTypeError
            Parameters that no rule takes, all of them; a variable that is needed and not known, or known and not
            declared; an expression without a value; an initializer that does not fit a shape or a dtype.

        Warns
        -----
        UserWarning
            Rules that take nothing, unless they are optional; parameters whose law a name only hints at.
        """
        plan = self.plan(parameters, variables)
        for text in plan.warnings:
            warn_user(text, UserWarning)
        return plan.recipe

    def plan(self, parameters: Any, variables: Mapping[str, Any] | None = None) -> Plan:
        """As :meth:`recipe`, with the row of each tensor; its warnings are not given, but returned."""
        if not isinstance(variables, Mapping | None):
            raise InvalidTypeError(f"variables are a mapping from names to numbers, got {shown(variables)}")
        tensors, ties = tensors_of(parameters, "Rules.recipe")
        values = Values(self.variables, tensors, {} if variables is None else variables)
        lines = self._lines if self.path else ()
        return Planning(self.rules, self.path or self.name, self.optional, lines).plan(tensors, ties, values)

    # ---- as text ----

    def to_dict(self) -> dict[str, Any]:
        """The table as JSON and TOML hold it."""
        facts: dict[str, Any] = {"format": FORMAT}
        facts |= {key: getattr(self, key) for key in _TEXTS if getattr(self, key)}
        facts |= {key: list(getattr(self, key)) for key in _LISTS if getattr(self, key)}
        facts |= {"optional": True} if self.optional else {}
        facts |= {"variables": _plain(self._declared)} if self._declared else {}
        return facts | {"rules": [_plain(rule.facts) for rule in self.rules]}

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> "Rules":
        """The rules whose :meth:`to_dict` this is."""
        return cls._read(facts)

    @classmethod
    def _read(cls, facts: Any, lines: Sequence[int] = ()) -> "Rules":
        if not isinstance(facts, Mapping):
            raise InvalidTypeError(f"rules are written as a table, got {type(facts).__name__}")
        if "format" not in facts:
            raise InvalidValueError(f'rules begin with format = "{FORMAT}", and this has no format')
        if facts["format"] != FORMAT:
            raise InvalidValueError(
                f"the format is {shown(facts.get('format'))}, and {FORMAT!r} is known: say format = ..."
            )
        for key in facts:
            if key not in _FIELDS:
                hint = suggestion(key, _FIELDS)
                raise InvalidValueError(f"rules have no {shown(key)}; {hint}They have {', '.join(_FIELDS)}")
        for key in _TEXTS:
            if not isinstance(facts.get(key, ""), str):
                raise InvalidTypeError(f"{key} is a text, got {shown(facts[key])}")
        for key in _LISTS:
            if not isinstance(facts.get(key, []), list) or not all(isinstance(one, str) for one in facts.get(key, [])):
                raise InvalidTypeError(f"{key} is a list of texts, got {shown(facts[key])}")
        if "rules" not in facts:
            raise InvalidValueError("there are no rules: write [[rules]], and what one says below it")
        if not isinstance(facts["rules"], list):
            raise InvalidTypeError(f"rules are a list of tables, [[rules]], got {shown(facts['rules'])}")
        if not isinstance(facts.get("variables", {}), Mapping):
            raise InvalidTypeError(f"variables is a table, [variables], got {shown(facts['variables'])}")
        about = {key: facts[key] for key in (*_TEXTS, *_LISTS, "optional") if key in facts}
        return cls(facts["rules"], facts.get("variables"), _lines=lines, **about)

    def to_json(self) -> str:
        """The table as JSON."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False) + "\n"

    def to_toml(self) -> str:
        """The table as TOML, a rule a paragraph."""
        return toml.written(self.to_dict())

    @classmethod
    def from_json(cls, text: str) -> "Rules":
        """The rules of a JSON text.

        Raises
        ------
        InvalidValueError, InvalidTypeError
            The text is no JSON, or no such table.
        """
        toml.checked_text(text, "JSON")
        try:
            facts = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InvalidValueError(f"this is no JSON: {error}") from None
        return cls.from_dict(facts)

    @classmethod
    def from_toml(cls, text: str) -> "Rules":
        """The rules of a TOML text.

        Raises
        ------
        InvalidValueError, InvalidTypeError
            The text is no TOML, or no such table: by the number of the rule and the line where it begins.
        """
        return cls._read(toml.read(text), toml.lines_of_tables(text, "rules"))


def _plain(tree: Any) -> Any:
    """What JSON can hold, of a tree of lists and mappings: infinities and NaN as texts."""
    if isinstance(tree, Mapping):
        return {key: _plain(value) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return [_plain(value) for value in tree]
    return str(tree) if isinstance(tree, float) and not math.isfinite(tree) else tree


def _rule(number: int, facts: Any, declared: list[str], lines: Sequence[int]) -> Rule:
    try:
        return Rule(copy.deepcopy(facts), declared)
    except (InvalidValueError, InvalidTypeError) as error:
        at = f" (line {lines[number - 1]})" if number <= len(lines) else ""
        raise type(error)(f"rule {number}{at}: {error}") from None
    except RecursionError:
        raise InvalidValueError(f"rule {number}: too many lists and tables inside of each other") from None


def _variables(facts: Mapping[str, Any]) -> list[Variable]:
    found: list[Variable] = []
    for name, one in facts.items():
        found.append(variable(name, one, [earlier.name for earlier in found]))
    return found
