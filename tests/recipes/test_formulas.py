"""Formulas → values: NumPy's in float64, rounded operation by operation; nothing else is read, nothing grows large."""

import math

import numpy as np
import pytest

import numbainit as init
from numbainit.recipes import Change, Fill, Formula, Recipe, Weight
from numbainit.recipes.filling import can_be_cut, make
from numbainit.recipes.formulas import ELEMENTWISE, FUNCTIONS, check, evaluate, parsed

X = np.linspace(0.05, 0.95, 24, dtype="float32").reshape(4, 6)


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_functions_are_those_of_float64_rounded(name, dtype):
    x = X.astype(dtype)
    function = {"sign": lambda one: math.copysign(1.0, one)}.get(name) or getattr(math, name)
    want = np.array([function(float(one)) for one in x.flat]).reshape(x.shape).astype(dtype)
    got = evaluate(f"{name}(x)", dtype, x)
    assert got.dtype == dtype
    np.testing.assert_allclose(got, want, rtol=2.0**-23 if dtype == "float32" else 1e-15, atol=0)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("arange(4)", [0, 1, 2, 3]),
        ("arange(1, 4)", [1, 2, 3]),
        ("arange(0, 1, 0.25)", [0, 0.25, 0.5, 0.75]),
        ("arange(3, 0, -1)", [3, 2, 1]),
        ("arange(3, 0)", []),
        ("linspace(0, 1, 5)", [0, 0.25, 0.5, 0.75, 1]),
        ("linspace(2, 3, 1)", [2]),
        ("expand(arange(2), 3, 2)", [[0, 1], [0, 1], [0, 1]]),
        ("array(1, 2.5, -3)", [1, 2.5, -3]),
        ("array(inf, -inf)", [np.inf, -np.inf]),
        ("full(2, 2, 3)", [[2, 2, 2], [2, 2, 2]]),
        ("full(True, 1)", [1]),
        ("reshape(arange(6), 3, 2)", [[0, 1], [2, 3], [4, 5]]),
        ("cat(0, arange(2), array(7))", [0, 1, 7]),
        ("cat(-1, reshape(arange(2), 2, 1), full(5, 2, 2))", [[0, 5, 5], [1, 5, 5]]),
        ("cat(0, full(1, 1, 2), full(2, 1, 1))", [[1, 1], [2, 2]]),
        ("tril(full(1, 2, 3))", [[1, 0, 0], [1, 1, 0]]),
        ("tril(full(1, 2, 3), -1)", [[0, 0, 0], [1, 0, 0]]),
        ("triu(full(1, 2, 3), 1)", [[0, 1, 1], [0, 0, 1]]),
        ("norm(reshape(array(3, 4, 6, 8), 2, 2), 1)", [5, 10]),
        ("norm(array(3, 4), 0)", 5),
        ("norm(full(2, 2, 2), 0, 1)", 4),
        ("-arange(3)", [0, -1, -2]),
        ("2 ** -arange(3)", [1, 0.5, 0.25]),
        ("-2 ** 2", -4),
        ("2 ** 3 ** 2", 512),
        ("1 - 2 - 3", -4),
        ("8 / 4 / 2", 1),
        ("1 - (2 - 3)", 2),
        ("max(arange(4), 1.5)", [1.5, 1.5, 2, 3]),
        ("min(arange(4), arange(3, -1, -1))", [0, 1, 1, 0]),
        ("sign(array(-2.5, 0, 3))", [-1, 0, 1]),
        ("log2(array(1, 8))", [0, 3]),
        ("sqrt(array(4, 9)) + abs(array(-1, 1))", [3, 4]),
        ("reshape(arange(2), 2, 1) * arange(3)", [[0, 0, 0], [0, 1, 2]]),
    ],
)
def test_what_each_function_means(text, want):
    for dtype in ("float32", "float64"):
        got = evaluate(text, dtype)
        assert got.dtype == dtype
        np.testing.assert_array_equal(got, np.array(want, dtype))


def test_every_operation_is_rounded():
    x = X.ravel()
    got = evaluate("(x + 1e-3) * 0.3 / 7", "float32", x)
    np.testing.assert_array_equal(got, (x + np.float32(1e-3)) * np.float32(0.3) / np.float32(7))
    table = evaluate("1 / 10000 ** (arange(0, 128, 2) / 128)", "float32")
    exponent = (np.arange(0, 128, 2) / 128).astype("float32").astype("float64")
    want = np.float32(1) / (10000.0**exponent).astype("float32")
    np.testing.assert_array_equal(table, want)


def test_integers_and_masks():
    assert evaluate("arange(5)", "int64").dtype == "int64"
    np.testing.assert_array_equal(evaluate("tril(full(1, 3, 3))", "bool"), np.tril(np.ones((3, 3), bool)))


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("exp(y)", "'y', which is not known"),
        ("exq(x)", "no function 'exq'; did you mean 'exp'"),
        ("__import__('os')", "no function '__import__'"),
        ("x.dtype", r"'x\.dtype'"),
        ("x[0]", r"'x\[0\]'"),
        ("(lambda: 1)()", "which is not known"),
        ("exp(x, axis=0)", "which is not known"),
        ("'a'", "which is not known"),
        ("1j", "which is not known"),
        ("x if 1 else 2", "which is not known"),
        ("[x]", "which is not known"),
        ("x // 2", "which is not known"),
        ("x +", "cannot be read"),
        ("", "cannot be read"),
        ("+".join(["x"] * 2000), "is too long"),
        ("(" * 500 + "x" + ")" * 500, "cannot be read"),
        ("x\0", "cannot be read"),
    ],
)
def test_text_that_is_no_formula(text, match):
    with pytest.raises(init.InvalidValueError, match=match):
        parsed(text)
    with pytest.raises(init.InvalidValueError, match=match):
        Formula(text)


@pytest.mark.parametrize(
    "text",
    [
        "arange(10 ** 2)",
        "arange(1000000000000)",
        "arange(0, 1, 0)",
        "arange(0, inf)",
        "full(1, 100000, 100000)",
        "full(1, -1)",
        "linspace(0, 1, 1000000000)",
        "expand(1, 100000, 100000)",
        "expand(arange(2), 3)",
        "reshape(arange(300), 300, 1) * arange(300)",
        "max(reshape(arange(300), 300, 1), arange(300))",
        "cat(0, full(1, 300, 1), full(1, 1, 300))",
        "cat(3, arange(2))",
        "reshape(arange(6), 4)",
        "reshape(arange(6), 2.5)",
        "array(x)",
        "arange(x)",
        "exp()",
        "exp(1, 2)",
        "norm(arange(3), 1)",
        "arange(3) + arange(4)",
    ],
)
def test_what_has_no_value_is_refused_whatever_its_size(text):
    with pytest.raises(init.InvalidValueError, match=r"has no value in float32|not known"):
        evaluate(text, "float32", np.ones(3, "float32"))


def test_powers_of_numbers_are_floats():
    assert evaluate("2.0 ** 10 ** 10", "float32") == np.inf
    assert len(FUNCTIONS) == len(set(FUNCTIONS))


def test_shapes_are_checked_without_values():
    check("exp(x) + 1", (1000, 1000, 1000, 1000), (1000, 1000, 1000, 1000))
    check("arange(6)", (4, 6), (4, 6))
    with pytest.raises(init.InvalidValueError, match=r"gives shape \(4,\), and \(4, 6\) is wanted"):
        check("norm(x, 1)", (4, 6), (4, 6))


# ---- in recipes ----


def made(*steps, shape=(4, 6), dtype="float32", into=None):
    array = np.full(shape, 9, into or dtype)
    Recipe({"w": Weight(shape, dtype, steps)}).apply({"w": array}, 0)
    return array


def test_a_table_needs_no_generator_and_is_constant():
    table = Formula("log(arange(1, 7))")
    np.testing.assert_array_equal(made(table), np.broadcast_to(np.log(np.arange(1.0, 7)).astype("float32"), (4, 6)))
    assert Weight((4, 6), "float32", (table,)).status == "constant"
    assert Weight((4, 6), "float32", (table,)).is_whole
    np.testing.assert_array_equal(made(Formula("arange(6)"), dtype="int64")[2], np.arange(6))


def test_steps_after_a_fill():
    """The bias of Mamba's time steps: the inverse of a softplus."""
    uniform = Fill(init.Initializer("uniform"))
    low, high = math.log(1e-3), math.log(0.1)
    steps = (uniform, Change("mul", high - low), Change("add", low), Formula("exp(x)"), Formula("max(x, 0.0001)"))
    got = made(*steps, Formula("x + log(-expm1(-x))"))
    u = init.uniform((4, 6), generator=init.Generator(0).fold_in("w"))
    dt = np.exp(u.astype("float64") * (high - low) + low)
    np.testing.assert_allclose(np.log1p(np.exp(got.astype("float64"))), dt, rtol=3e-6)
    weight = Weight((4, 6), "float32", (*steps,))
    assert (weight.status, weight.is_whole) == ("drawn", True)
    assert Weight((4, 6), "float32", (Formula("exp(x)"),)).status == "computed"


def test_small_floats_are_rounded_once_and_float64_is_wide():
    steps = (Fill(init.Initializer("uniform")), Formula("exp(x)"))
    np.testing.assert_array_equal(made(*steps, into="float16"), made(*steps).astype("float16"))
    u = init.uniform((4, 6), generator=init.Generator(0).fold_in("w"), dtype="float64")
    np.testing.assert_array_equal(made(*steps, into="float64"), np.exp(u))
    table = "sin(arange(6) * 1000)"
    got = made(Formula(table, dtype="float64"))
    np.testing.assert_array_equal(got[0], np.sin(np.arange(6) * 1000.0).astype("float32"))


def test_a_part():
    got = made(Fill(init.Initializer("ones")), Formula("x + arange(6)", ((1, 3), (0, 6))))
    np.testing.assert_array_equal(got, [[1] * 6, [1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6], [1] * 6])


def test_a_piece_has_the_values_of_the_whole():
    steps = (Fill(init.Initializer("normal")), Formula("x * arange(6)"))
    weight, whole = Weight((4, 6), "float32", steps), made(*steps)
    for dtype in ("float32", "float16"):
        piece = np.empty((2, 3), dtype)
        make(weight, "w", piece, init.Generator(0), ((1, 3), (2, 5)))
        np.testing.assert_array_equal(piece, whole[1:3, 2:5].astype(dtype))
    assert not can_be_cut(weight)


def test_formulas_are_compared_as_they_are():
    def recipe(std, text):
        return Recipe({"w": Weight((4,), "float32", (Fill(init.Initializer("normal", std=std)), Formula(text)))})

    assert not recipe(1.0, "exp(x)").diff(recipe(1.0 + 1e-9, "exp(x)"), rtol=1e-6)
    assert str(recipe(1.0, "exp(x)").diff(recipe(1.0, "log(x)"))) == "w  [4]  normal(); exp(x) → normal(); log(x)"


def test_a_formula_of_another_tensor():
    direction = Weight((4, 6), "float32", (Fill(init.Initializer("normal")),))
    norm = Weight((4, 1), "float32", (Formula("reshape(norm(x, 1), 4, 1)", of="v"),))
    recipe = Recipe({"g": norm, "v": direction})
    g, v = np.empty((4, 1), "float32"), np.empty((4, 6), "float32")
    recipe.apply({"g": g}, 3)
    recipe.apply({"v": v}, 3)
    np.testing.assert_allclose(g[:, 0], np.linalg.norm(v.astype("float64"), axis=1), rtol=1e-6)
    assert norm.status == "drawn"
    assert norm.label == "reshape(norm(x, 1), 4, 1) of v"
    assert Recipe.from_json(recipe.to_json()) == recipe
    for of in ("w", "g"):
        with pytest.raises(init.InvalidValueError, match=rf"'g' has a formula of '{of}': that is no weight that can"):
            Recipe({"g": Weight((4, 1), "float32", (Formula("x", of=of),)), "v": direction})


def test_written_and_read_again():
    steps = (Formula("arange(6)", ((0, 1), (0, 6)), dtype="float64"), Formula("exp(x)"))
    recipe = Recipe({"w": Weight((4, 6), "float32", steps)})
    assert Recipe.from_json(recipe.to_json()) == recipe
    assert recipe["w"].label == "untouched; [0:1, 0:6] arange(6) in float64; exp(x)"
    with pytest.raises(init.InvalidValueError, match="this recipe cannot be read"):
        Recipe.from_json(recipe.to_json().replace("exp(x)", "exp(y)"))


def test_nothing_is_written_if_a_formula_does_not_fit():
    ones, wrong = Weight((3,), "float32", (Fill(init.Initializer("ones")),)), Formula("arange(4)")
    arrays = {"a": np.zeros(3, "float32"), "b": np.zeros(3, "float32")}
    with pytest.raises(init.InvalidValueError, match=r"'b': the formula 'arange\(4\)' gives shape \(4,\), and \(3,\)"):
        Recipe({"a": ones, "b": Weight((3,), "float32", (wrong,))}).apply(arrays)
    assert not arrays["a"].any()
