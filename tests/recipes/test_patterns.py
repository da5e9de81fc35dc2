"""Globs and regular expressions → which names they take, against ``fnmatch`` and ``re``."""

import fnmatch
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numbainit.errors import InvalidTypeError, InvalidValueError
from numbainit.recipes.patterns import Names, Pattern, exactly, ignored

NAMES = st.text("ab.01_", max_size=8)
GLOBS = st.text("ab.01_*?", min_size=1, max_size=6)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(GLOBS, NAMES)
def test_globs_are_those_of_fnmatch(glob, name):
    """But for a leading ``*.``, which may be nothing."""
    wanted = fnmatch.fnmatchcase(name, glob) or (glob.startswith("*.") and fnmatch.fnmatchcase(name, glob[2:]))
    assert Pattern(glob).takes(name) is wanted


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(st.lists(GLOBS, min_size=1, max_size=2), max_size=5), st.lists(NAMES, max_size=5))
def test_rows_are_those_that_take_a_name(globs, names):
    rows = [[Pattern(glob) for glob in row] for row in globs]
    found = Names(rows)
    for name in names * 2:
        assert found.rows(name) == [at for at, row in enumerate(rows) if any(one.takes(name) for one in row)]


PIECES = {"*": ".*", "?": ".", "{}": r"\d+", "[a1]": "[a1]", "[!1]": "[^1]", "a": "a", "1": "1", ".": r"\."}


@pytest.mark.full
@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(list(PIECES)), min_size=1, max_size=8), st.text("a1.", max_size=9))
def test_globs_that_never_look_twice_take_what_all_ways_together_take(pieces, name):
    """Against a regular expression that tries them all."""
    every = "".join(PIECES[piece] for piece in pieces)
    if pieces[:2] == ["*", "."]:
        every = "(.*[.])?" + "".join(PIECES[piece] for piece in pieces[2:])
    assert Pattern("".join(pieces)).takes(name) is (re.fullmatch(every, name) is not None)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.text("ab.*?[]{}!^-1/", min_size=1, max_size=8), st.text("ab.*?[]{}!^-1", max_size=8))
def test_exactly_one_name(name, other):
    glob = Pattern(exactly(name))
    assert glob.takes(name.replace("/", "."))
    assert glob.takes(other) is (other == name.replace("/", "."))


@pytest.mark.parametrize(
    ("glob", "name", "takes"),
    [
        ("*.bias", "bias", True),
        ("*.bias", "a.bias", True),
        ("*.bias", "abias", False),
        ("*bias", "abias", True),
        ("a.*", "a.b.c", True),
        ("a.*", "a", False),
        ("fc[12].w", "fc2.w", True),
        ("fc[!12].w", "fc2.w", False),
        ("fc[!12].w", "fc3.w", True),
        ("a[^]b", "a^b", True),
        ("a+(b)", "a+(b)", True),
        ("h0/ln_1/g", "h0.ln_1.g", True),
    ],
)
def test_globs(glob, name, takes):
    assert Pattern(glob).takes(name) is takes


def test_a_regular_expression_is_of_the_whole_name():
    pattern = Pattern(r"h\.\d+\.w", is_regex=True)
    assert pattern.takes("h.12.w")
    assert not pattern.takes("a.h.12.w")
    assert not pattern.takes("h.12.w.x")


def test_slashes_of_names_are_dots():
    assert Names([[Pattern("*.ln_1.g")], [Pattern(r".*/g", is_regex=True)]]).rows("model/h0/ln_1/g") == [0]


@pytest.mark.parametrize(
    ("glob", "name", "numbers"),
    [("*.h.{}.*", "x.h.12.w", (12,)), ("h.{}", "h.0", (0,)), ("h{}.{}.*", "h3.4.w", (3, 4)), ("h.{}", "h.x", None)],
)
def test_numbers(glob, name, numbers):
    assert Pattern(glob).numbers(name) == numbers


@pytest.mark.parametrize(("text", "error"), [("", InvalidTypeError), (3, InvalidTypeError), (None, InvalidTypeError)])
def test_what_is_no_pattern(text, error):
    with pytest.raises(error, match="a glob is a text"):
        Pattern(text)


@pytest.mark.parametrize("names", ["w", b"w", 3, None, [3], [None], [""]])
def test_what_cannot_be_ignored(names):
    with pytest.raises(InvalidTypeError, match=r"ignore holds names or patterns, got|a glob is a text, got"):
        ignored(names)


def test_what_is_ignored_is_what_a_pattern_of_rules_takes():
    passes = ignored(iter(["*.running_mean", "head/b"]))
    taken = ["bn.running_mean", "running_mean", "head.b", "head/b"]
    assert [name for name in [*taken, "running_var", "b", "xhead.b"] if passes(name)] == taken


@pytest.mark.parametrize("text", ["(", "a{2,1}", "[z-a]", r"\1"])
def test_what_is_no_regular_expression(text):
    with pytest.raises(re.error):
        re.compile(text)
    with pytest.raises(InvalidValueError, match="is no regex"):
        Pattern(text, is_regex=True)
