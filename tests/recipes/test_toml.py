"""Trees → TOML, and back by the standard library."""

import math
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numbainit.errors import InvalidValueError
from numbainit.recipes import toml

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
LEAVES = st.one_of(st.booleans(), st.integers(-(2**62), 2**62), st.floats(allow_nan=False), TEXTS)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=8,
)


@pytest.mark.full
@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_trees_come_back(tree):
    tree = {key: value for key, value in tree.items() if not _is_mixed(value)}
    assert tomllib.loads(toml.written(tree)) == tree


def _is_mixed(value):
    """A list that begins with a table and goes on with something else: no table of ours has one."""
    return (
        isinstance(value, list)
        and any(isinstance(one, dict) for one in value)
        and not all(isinstance(one, dict) for one in value)
    )


def test_what_is_not_finite():
    text = toml.written({"a": math.inf, "b": [-math.inf, math.nan]})
    assert text == "a = inf\nb = [-inf, nan]\n"
    assert tomllib.loads(text)["a"] == math.inf


def test_lines_of_tables():
    assert toml.lines_of_tables("a = 1\n[[rules]]\n\n  [[ rules ]]  # x\n[rules]\n[[rule]]\n", "rules") == [2, 4]


@pytest.mark.parametrize("text", ["a", "a = ", "[a]\n[a]", "a = 1\na = 2"])
def test_what_is_no_toml(text):
    with pytest.raises(InvalidValueError, match=r"this is no TOML: .*line"):
        toml.read(text + "\n")
