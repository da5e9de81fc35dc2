"""Weights → what JSON and TOML can hold, and back."""

from collections.abc import Mapping
from typing import Any

from numbainit.initializers import Initializer
from numbainit.recipes.steps import CHANGES, Change, Fill, Formula, Step, Weight


def weight_to_dict(weight: Weight) -> dict[str, Any]:
    facts: dict[str, Any] = {"shape": list(weight.shape), "dtype": weight.dtype}
    facts |= {} if weight.is_parameter else {"buffer": True}
    facts |= {"computed": weight.computed} if weight.computed else {}
    return facts | {"steps": [_step_to_dict(step) for step in weight.steps]}


def _step_to_dict(step: Step) -> dict[str, Any]:
    part = {} if step.part is None else {"part": [list(ends) for ends in step.part]}
    if isinstance(step, Change):
        return {"change": step.name, "number": step.number, **part}
    if isinstance(step, Formula):
        more = {"of": step.of, "dtype": step.dtype}
        return {"formula": step.text, **part, **{key: value for key, value in more.items() if value is not None}}
    notes = ({"draw": step.draw} if step.draw else {}) | ({} if step.of is None else {"of": step.of})
    return {"initializer": step.initializer.to_dict(), **part, **notes}


def weight_from_dict(facts: Mapping[str, Any]) -> Weight:
    steps = tuple(_step_from_dict(step) for step in facts["steps"])
    shape = tuple(int(size) for size in facts["shape"])
    return Weight(shape, str(facts["dtype"]), steps, str(facts.get("computed", "")), not facts.get("buffer", False))


def _step_from_dict(facts: Mapping[str, Any]) -> Step:
    part = facts.get("part")
    box = None if part is None else tuple((int(start), int(stop)) for start, stop in part)
    if "change" in facts:
        if facts["change"] not in CHANGES:
            raise ValueError(f"no change is named {facts['change']!r}")
        return Change(facts["change"], float(facts["number"]), box)
    if "formula" in facts:
        return Formula(facts["formula"], box, facts.get("of"), facts.get("dtype"))
    return Fill(Initializer.from_dict(facts["initializer"]), box, int(facts.get("draw", 0)), facts.get("of"))
