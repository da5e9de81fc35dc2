"""An entry of ``then`` → the steps that come after a fill: rows, a part or all get a number or a formula."""

from typing import Any

from numbainit.errors import InvalidValueError, shown
from numbainit.initializers import Initializer
from numbainit.recipes.formula_templates import FormulaTemplate
from numbainit.recipes.parts import box
from numbainit.recipes.steps import CHANGES, Change, Fill, Part, Step
from numbainit.recipes.templates import Reader, Values, checked_list, checked_table, number_of, whole_of

_DONE = ("fill", *CHANGES, "formula")
_FIELDS = ("rows", "part", *_DONE, "precision")


class Afterwards:
    """What is done, with which number or formula, and where."""

    def __init__(self, facts: Any, reader: Reader) -> None:
        facts = checked_table("a step of then", facts, _FIELDS)
        done = [key for key in facts if key in _DONE]
        if len(done) != 1 or ("rows" in facts and "part" in facts):
            raise InvalidValueError(
                f"a step of then is one of {', '.join(_DONE)}, of all, of rows or of a part, got {shown(dict(facts))}"
            )
        self._name = done[0]
        if "precision" in facts and self._name != "formula":
            raise InvalidValueError(f"precision is that of a formula, and {self._name} takes a number: remove it")
        self._formula: FormulaTemplate | None = None
        if self._name == "formula":
            self._formula = FormulaTemplate(facts["formula"], reader, facts.get("precision"))
        else:
            self._number = reader.number(self._name, facts[self._name])
        self._rows = reader.numbers("rows", facts["rows"]) if "rows" in facts else None
        self._part = None
        if "part" in facts:
            self._part = [reader.numbers("part", pair) for pair in checked_list("part", facts["part"])]
            if any(len(pair) != 2 for pair in self._part):
                raise InvalidValueError(f"part has a first and a last index for each axis, got {shown(facts['part'])}")

    def steps(self, shape: tuple[int, ...], values: Values) -> list[Step]:
        """Those of a tensor."""
        if self._formula is not None:
            return [self._formula.step(shape, values, part) for part in self._boxes(shape, values)]
        number = number_of(self._number, values)
        if self._name != "fill":
            return [Change(self._name, float(number), part) for part in self._boxes(shape, values)]
        constant = {0: Initializer("zeros"), 1: Initializer("ones")}.get(number)
        return [Fill(constant or Initializer("constant", val=number), part) for part in self._boxes(shape, values)]

    def _boxes(self, shape: tuple[int, ...], values: Values) -> list[Part | None]:
        if self._rows is not None:
            return [_row(row, shape) for row in whole_of("a row", self._rows, values)]
        if self._part is None:
            return [None]
        part = tuple((start, stop) for start, stop in whole_of("an index", self._part, values))
        if len(part) != len(shape) or not all(0 <= a <= b <= size for (a, b), size in zip(part, shape, strict=True)):
            raise InvalidValueError(f"the part {[list(pair) for pair in part]} does not lie in shape {shape}")
        return [part]


def _row(row: int, shape: tuple[int, ...]) -> Part:
    if not shape or not -shape[0] <= row < shape[0]:
        raise InvalidValueError(f"there is no row {row} in shape {shape}")
    return box(shape, 0, row % shape[0], row % shape[0] + 1)
