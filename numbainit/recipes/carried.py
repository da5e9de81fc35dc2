"""A table and the names that it was planned for → the table that a file carries; a carried table → rules again.

Whoever audits a file reads a table that anybody may have written, and may not wait for ever. Python's regular
expressions can take exponential time, so a file carries globs alone: for a regular expression, the names that it takes.
Values of variables are carried beside the table, so nothing is counted when it is read.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from numbainit.errors import InvalidTypeError, InvalidValueError, shown
from numbainit.recipes.patterns import Pattern, dotted, exactly
from numbainit.recipes.table import Rules

_MOST_GLOBS = 1_000  # of more than one name
_LONGEST_GLOB = 1_000  # characters
_MANY_WAYS = re.compile(r"(?:[\d?\]]|\{\})\{\}|\{\}[\d?[]")  # to say where a number ends
_READ = ("count", "shape", "axis")  # of a variable: from a model's names


def carried(rules: Rules, names: Iterable[str]) -> dict[str, Any]:
    """The table as JSON holds it, without regular expressions: it makes the same of tensors of these names.

    Examples
    --------
    >>> from numbainit.recipes import Rules
    >>> from numbainit.recipes.carried import carried
    >>> rules = Rules([{"regex": r"h\\.[02]\\.w", "initializer": "zeros"}, {"match": "*", "initializer": "normal"}])
    >>> [rule["match"] for rule in carried(rules, ["h.0.w", "h.1.w", "h.2.w"])["rules"]]
    [['h.0.w', 'h.2.w'], '*']
    """
    facts = json.loads(rules.to_json())
    known = [dotted(name) for name in names]
    rows = [_of_globs(row, known) for row in facts["rules"]]
    return facts | {"rules": [row for row in rows if row["match"]]}  # a row that takes nothing is no row


def _of_globs(row: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    if "regex" not in row:
        return row
    patterns = [Pattern(text, is_regex=True) for text in _listed(row["regex"])]
    taken = [exactly(name) for name in names if any(pattern.takes(name) for pattern in patterns)]
    return {"match": _listed(row.get("match", [])) + taken} | {
        key: value for key, value in row.items() if key not in ("match", "regex")
    }


def received(table: Any) -> Rules:
    """The rules of a table that a file carries; variables are to be given.

    Raises
    ------
    InvalidValueError, InvalidTypeError
        This is no table; or it holds what could take for ever: regular expressions, globs by the thousand.
    """
    if not isinstance(table, Mapping):
        raise InvalidTypeError(f"rules are written as a table, got {shown(table)}")
    rows, variables = table.get("rules"), table.get("variables", {})
    globs = []
    for number, row in enumerate(rows if isinstance(rows, list) else [], 1):
        if isinstance(row, Mapping):
            if "regex" in row:
                raise InvalidValueError(
                    f"rule {number} has a regular expression, which could take for ever; wanted globs alone in a file"
                )
            globs += [text for key in ("match", "kind") for text in _listed(row.get(key, [])) if isinstance(text, str)]
    _check_quick(globs)
    if isinstance(variables, Mapping):
        variables = {name: _given(one) for name, one in variables.items()}
    return Rules.from_dict({**table, "variables": variables})


def _check_quick(globs: Iterable[str]) -> None:
    several = [text for text in globs if text and not Pattern(text).is_exact]
    if len(several) > _MOST_GLOBS:
        raise InvalidValueError(
            f"its rules have {len(several):,} globs; wanted at most {_MOST_GLOBS:,}, as anybody may have written them"
        )
    for text in several:
        if len(text) > _LONGEST_GLOB or _MANY_WAYS.search(text):
            raise InvalidValueError(
                f"the glob {shown(text)} could take long; wanted at most {_LONGEST_GLOB:,} characters, and no digit, ? "
                "or [ ] beside {}"
            )


def _given(variable: Any) -> Any:
    """What a table says of a variable, but how it is read."""
    if not isinstance(variable, Mapping):
        return variable
    return {key: value for key, value in variable.items() if key not in _READ}


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]
