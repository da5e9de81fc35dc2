"""``numbainit plan``: shapes and rules → how each parameter would be made, and nothing written."""

import argparse
import json
from collections.abc import Iterator
from typing import Any

from numbainit.command import choosing, terminal
from numbainit.command.shapes import add_shapes, read_shapes
from numbainit.recipes import Rules
from numbainit.recipes.folding import columns, folded
from numbainit.recipes.plain import std_of_weight
from numbainit.recipes.planning import Plan, UntakenError, folded_names
from numbainit.recipes.written import weight_to_dict

_BETWEEN = "\t"  # columns, in the one text that is folded
_HEADINGS = ("parameter", "shape", "initializer", "std", "rule")


def add(commands: Any) -> None:
    """The command, as argparse knows it."""
    parser = commands.add_parser(
        "plan",
        help="show how each parameter would be made",
        description="Show how each parameter would be made: its initializer, its standard deviation, and the rule that "
        "says so. Names that differ by numbers are one row. Nothing is written.",
        allow_abbrev=False,
    )
    add_shapes(parser)
    choosing.add_options(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object, with a row for each parameter")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    terminal.need_extra()
    choice = choosing.Choice(arguments)
    try:
        plan = choice.plan(read_shapes(arguments.shapes))
    except UntakenError as error:
        print(_untaken(choice, error, arguments.json), flush=True)
        raise
    if arguments.json:
        print(json.dumps(_as_json(choice, plan)), flush=True)
    else:
        print("\n".join(_lines(choice.rules, plan)), flush=True)
    for warning in plan.warnings:
        terminal.warn(warning)
    return 0


def _untaken(choice: choosing.Choice, error: UntakenError, as_json: bool) -> str:
    """All parameters that no rule takes: the message is too short for many."""
    if as_json:
        rows = [{"name": one.name, "shape": list(one.shape), "dtype": one.dtype} for one in error.tensors]
        return json.dumps({"recipe": choice.name, "untaken": rows})
    return "\n".join(["no rule takes", *(f"{name}  {shape}" for name, shape in folded_names(error.tensors))])


def _as_json(choice: choosing.Choice, plan: Plan) -> dict[str, Any]:
    rows = []
    for name, weight in plan.recipe.items():
        facts = {"name": name, "law": weight.label, "std": std_of_weight(weight), "rule": plan.rows[name]}
        rows.append(facts | weight_to_dict(weight))
    about = {key: value for key, value in choice.rules.to_dict().items() if key not in ("rules", "variables")}
    return {
        "recipe": choice.name,
        "about": about,
        "variables": plan.variables,
        "warnings": list(plan.warnings),
        "parameters": rows,
    }


def _lines(rules: Rules, plan: Plan) -> Iterator[str]:
    """What rules these are, what they were told, and the table."""
    yield ": ".join(filter(None, [rules.name, rules.about]))
    if rules.source:
        yield f"source: {rules.source}" + f" ({rules.version})" * bool(rules.version)
    for sentence in rules.unverified:
        yield f"unverified: {sentence}"
    if plan.variables:
        yield "variables: " + ", ".join(f"{name} = {value:g}" for name, value in sorted(plan.variables.items()))
    yield ""
    rows = [_HEADINGS, *((name, shape, *text.split(_BETWEEN)) for name, shape, text in folded(_rows(plan)))]
    yield from columns(rows)


def _rows(plan: Plan) -> Iterator[tuple[str, str, str]]:
    known: dict[Any, tuple[str, str]] = {}  # models have many parameters, and few kinds of them
    for name, weight in plan.recipe.items():
        key = id(weight.steps) if weight.steps else weight.computed, weight.shape
        if key not in known:
            std = std_of_weight(weight)
            known[key] = str(list(weight.shape)), weight.label + _BETWEEN + ("-" if std is None else repr(std))
        shape, text = known[key]
        yield name, shape, f"{text}{_BETWEEN}{plan.rows[name] or '-'}"
