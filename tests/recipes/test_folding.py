"""Rows of names → fewer, which stand for exactly those."""

import math

import pytest

from numbainit.recipes.folding import columns, folded


def rows(names, text="zeros()", shape="[2]"):
    return [(name, shape, text(number) if callable(text) else text) for number, name in enumerate(names)]


def test_a_row_stands_for_all_combinations():
    names = [f"layers.{a}.experts.{b}.w{c}" for a in range(3) for b in range(4) for c in (1, 2)]
    assert folded(rows(names)) == [("layers.{0..2}.experts.{0..3}.w{1,2}", "[2]", "zeros()")]
    names = ["a.0.0", "a.0.1", "a.1.0"]
    assert [name for name, *_ in folded(rows(names))] == ["a.0.{0,1}", "a.1.0"]


@pytest.mark.parametrize(
    ("numbers", "want"),
    [
        ([3], "3"),
        ([0, 1], "{0,1}"),
        ([1, 2, 3], "{1..3}"),
        ([0, 2, 4, 6], "{0..6 by 2}"),
        ([0, 1, 3], "{0,1,3}"),
        ([10, 9, 2], "{2,9,10}"),
    ],
)
def test_numbers(numbers, want):
    assert folded(rows([f"x.{number}" for number in numbers])) == [(f"x.{want}", "[2]", "zeros()")]


def test_another_shape_or_text_is_another_row():
    found = folded([("x.0", "[2]", "zeros()"), ("x.1", "[3]", "zeros()"), ("x.2", "[2]", "ones()")])
    assert len(found) == 3
    assert folded([]) == []
    assert folded([("w", "[]", "constant(val=-1e-06)")]) == [("w", "[]", "constant(val=-1e-06)")]


@pytest.mark.parametrize(
    ("law", "want"),
    [
        (lambda n: 0.02 / math.sqrt(2 * (n + 1)), "std=0.02 / sqrt(2 * (n + 1))"),
        (lambda n: 0.02 / math.sqrt(n + 1), "std=0.02 / sqrt(n + 1)"),
        (lambda n: 0.02 / (n + 1), "std=0.02 / (n + 1)"),
        (lambda n: 0.25 * (n + 1), "std=0.25 * (n + 1)"),
        (lambda n: math.exp(-n), "std=0.00673795..1"),
        (lambda n: 0.5, "std=0.5"),
    ],
)
def test_numbers_that_depend_on_the_layer(law, want):
    found = folded(rows([f"h.{n}.w" for n in range(6)], lambda n: f"normal(std={float(law(n))!r})"))
    assert found == [("h.{0..5}.w", "[2]", f"normal({want})")]


def test_a_fit_wants_three_layers_and_one_index():
    text = lambda n: f"normal(std={0.5 / (n + 1)!r})"  # noqa: E731
    assert folded(rows(["h.0.w", "h.1.w"], text))[0][2] == "normal(std=0.25..0.5)"
    two = [f"h.{a}.{b}" for a in range(2) for b in range(2)]
    assert folded(rows(two, text))[0][2] == "normal(std=0.125..0.5)"


@pytest.mark.parametrize("names", [["a#1", "a#2b#"], ["#", "##"], ["#.{}"]])
def test_names_may_hold_any_characters(names):
    assert [name for name, *_ in folded(rows(names, "see #1"))] == names


def test_numbers_that_are_written_otherwise_are_other_names():
    assert [name for name, *_ in folded(rows(["h.0", "h.00", "h.1", "h.01", "h.٣"]))] == [
        "h.{0,1}", "h.00", "h.01", "h.٣"
    ]  # fmt: skip
    long = [f"h.{'1' * 5000}.{n}" for n in range(2)]  # more digits than Python reads
    assert [name for name, *_ in folded(rows(long))] == [f"h.{'1' * 5000}.{{0,1}}"]


def test_names_of_many_numbers_stand_alone():
    names = [".".join(map(str, [n] * 8)) for n in range(2)] + [".".join(["0"] * 8 + [str(n)]) for n in range(2)]
    assert [name for name, *_ in folded(rows(names))] == names


def test_one_long_name_makes_no_other_row_long():
    lines = columns([("w" * 4000, "[2]", "zeros()"), ("b", "[2]", "zeros()")])
    assert lines[0] == "w" * 4000 + "  [2]  zeros()"
    assert len(lines[1]) < 200
    assert columns([("w", "[2]", "zeros()"), ("bias", "[]", "")]) == ["w     [2]  zeros()", "bias  []"]
    assert columns([]) == []


def test_names_do_not_command_the_terminal():
    rows = folded([("\x1b[2J.0", "[1]", "a\tb"), ("\x1b[2J.1", "[1]", "a\tb"), ("naïve", "[1]", "tied to \x07")])
    assert [name for name, *_ in rows] == ["\\x1b[2J.{0,1}", "naïve"]
    assert columns(rows) == ["\\x1b[2J.{0,1}  [1]  a\\tb", "naïve          [1]  tied to \\x07"]
