"""Texts → numbers: what Python itself makes of the same text, and nothing else."""

import io
import math
import operator
import tokenize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numbainit.errors import InvalidTypeError, InvalidValueError
from numbainit.recipes.expressions import CONSTANTS, Expression

NAMES = {"layers": 12, "std": 0.02, "x": -3, "zero": 0, "big": 2**60}
PYTHON = {"abs": abs, "exp": math.exp, "log": math.log, "max": max, "min": min, "sqrt": math.sqrt, **CONSTANTS, **NAMES}


def texts():
    """Numbers of the grammar, as texts, with brackets and blanks where they may stand."""
    leaves = st.one_of(
        st.sampled_from([*NAMES, *CONSTANTS]),
        st.integers(0, 50).map(str),
        st.floats(0, 100, allow_nan=False).map(repr),
        st.sampled_from(["1_000", "0x1f", "1e-5", ".5", "3."]),
    )
    operators = st.sampled_from(["+", "-", "*", "/", "//", "%", "**", " + ", " / "])

    def larger(inner):
        return st.one_of(
            st.tuples(inner, operators, inner).map("".join),
            st.tuples(st.sampled_from("+-"), inner).map("".join),
            inner.map(lambda text: f"({text})"),
            st.tuples(st.sampled_from(["sqrt", "exp", "log", "abs"]), inner).map(lambda pair: f"{pair[0]}({pair[1]})"),
            st.tuples(st.sampled_from(["min", "max"]), st.lists(inner, min_size=2, max_size=3)).map(
                lambda pair: f"{pair[0]}({', '.join(pair[1])})"
            ),
        )

    return st.recursive(leaves, larger, max_leaves=8)


class Checked:
    """A number of Python's whose operations are Python's, but for values that no value may be."""

    def __init__(self, value):
        is_real = not isinstance(value, complex)
        if not is_real or (value.bit_length() > 1024 if isinstance(value, int) else not math.isfinite(value)):
            raise ValueError(value)
        self.value = value

    def __neg__(self):
        return Checked(-self.value)

    def __pos__(self):
        return Checked(+self.value)

    def __lt__(self, other):
        return self.value < other.value

    def __gt__(self, other):
        return self.value > other.value

    def __abs__(self):
        return Checked(abs(self.value))

    def __float__(self):
        return float(self.value)


for word in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow"):
    method, operation = f"__{word}__", getattr(operator, f"__{word}__")
    setattr(Checked, method, lambda a, b, operation=operation: Checked(operation(a.value, b.value)))


def of_math(name):
    return lambda x: Checked(getattr(math, name)(x.value))


def by_python(text):
    """What Python's eval gives; None where a value on the way is no finite real number."""
    names = {name: Checked(value) for name, value in {**NAMES, **CONSTANTS}.items()}
    names |= {name: of_math(name) for name in ("exp", "log", "sqrt")}
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    words = [f"Checked({token.string})" if token.type == tokenize.NUMBER else token.string for token in tokens]
    try:
        return eval("".join(words), {"Checked": Checked, "abs": abs, "max": max, "min": min}, names).value
    except (ArithmeticError, ValueError):
        return None


def by_us(text, **options):
    try:
        return Expression(text, **options)(NAMES)
    except InvalidValueError:
        return None


def is_quick(text):
    """Whether Python can be asked: powers of powers of whole numbers have no end."""
    return text.count("**") < 2


@pytest.mark.full
@settings(max_examples=500, deadline=None, derandomize=True)
@given(texts().filter(is_quick))
def test_values_are_those_of_python(text):
    got, want = by_us(text), by_python(text)
    assert (type(got), got) == (type(want), want)


@pytest.mark.full
@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.lists(texts().filter(is_quick), min_size=4, max_size=4),
    st.lists(st.sampled_from(["<", "<=", "==", "!=", ">", ">="]), min_size=3, max_size=3),
    st.sampled_from(["and", "or", "and not", "or not"]),
)
def test_conditions_are_those_of_python(numbers, comparisons, word):
    a, b, c, d = numbers
    text = f"not {a} {comparisons[0]} {b} {word} ({b} {comparisons[1]} {c} {comparisons[2]} {d})"
    got = by_us(text, condition=True)
    if None not in map(by_python, numbers):
        assert got is bool(eval(text, {"__builtins__": {}}, dict(PYTHON)))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.02 / sqrt(2 * layers)", 0.02 / math.sqrt(24)),
        ("2 ** -2 ** 2", 2**-4),
        ("-x ** 2", -9),
        ("7 // -2 + 7 % -2", -5),
        (" max(layers, 3, std) ", 12),
        ("log(e) + sqrt(pi ** 2)", 1 + math.pi),
    ],
)
def test_values(text, value):
    assert by_us(text) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "invalid syntax"),
        ("1 +", "invalid syntax"),
        ("a.b", "not in the grammar"),
        ("a[0]", "not in the grammar"),
        ("'text'", "'text' is no number"),
        ("True", "True is no number"),
        ("1j", "1j is no number"),
        ("None", "None is no number"),
        ("lambda: 1", "not in the grammar"),
        ("[1, 2]", "not in the grammar"),
        ("1 if 2 else 3", "not in the grammar"),
        ("(x := 3)", "not in the grammar"),
        ("f'{x}'", "not in the grammar"),
        ("x @ x", "not in the grammar"),
        ("x << 2", "not in the grammar"),
        ("~x", "not in the grammar"),
        ("sqrt", "not in the grammar"),
        ("__import__('os')", "no function is named '__import__'"),
        ("sqrt.__call__(2)", "not in the grammar"),
        ("pow(2, 3)", "no function is named 'pow'"),
        ("sqrt(1, 2)", "sqrt takes one number"),
        ("max(1)", "max takes several numbers"),
        ("max(*x, 1)", "not in the grammar"),
        ("sqrt(x=1)", "not in the grammar|no function"),
        ("x < 3", "numbers are wanted here"),
        ("not x", "numbers are wanted here"),
        ("1 + (x < 3)", "numbers are wanted here"),
        ("1if x else 2", "invalid decimal literal"),
        ("1e999", "a number is too large"),
        ("9" * 499, "a number is too large"),
        ("(" * 240 + "1" + ")" * 240, "no expression"),
        ("-" * 120 + "1", "more than 50 operations"),
        ("+".join("1" * 120), "more than 50 operations"),
        ("1" * 501, "at most 500 characters"),
        ("x\0", "no expression"),
    ],
)
def test_what_is_not_in_the_grammar(text, reason):
    with pytest.raises(InvalidValueError, match=reason):
        Expression(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1 / zero", "'1 / zero' has no value, where zero = 0: division by zero"),
        ("1 // zero", "division by zero"),
        ("1 % zero", "division by zero"),
        ("zero ** -1", "division by zero"),
        ("2 ** 10 ** 10", "a value is too large"),
        ("big ** big", "a value is too large"),
        ("10 ** 308 * 10", "a value is too large"),
        ("1e308 * 10", "a value is too large"),
        ("1e308 * 10 / 1e308", "a value is too large"),
        ("exp(1000)", "a value is too large"),
        ("x ** 0.5", "a power of a negative number"),
        ("sqrt(x)", "sqrt of -3"),
        ("log(zero)", "log of 0"),
    ],
)
def test_what_has_no_value(text, reason):
    with pytest.raises(InvalidValueError, match=reason.replace("*", r"\*")):
        Expression(text)(NAMES)


def test_conditions_stop_where_python_stops():
    assert Expression("layers == 12 or 1 / zero", condition=True)(NAMES) is True
    assert Expression("zero and 1 / zero", condition=True)(NAMES) is False


def test_names():
    assert Expression("std / sqrt(2 * layers) + pi").names == {"std", "layers"}
    with pytest.raises(InvalidTypeError, match="an expression is a text, got 3"):
        Expression(3)
