"""A recipe and arrays → their values; without torch."""

import json
import math
import pickle

import numpy as np
import pytest

import numbainit as init
from numbainit.recipes import Change, Difference, Fill, Recipe, Weight
from numbainit.recipes.filling import can_be_cut, make

NORMAL, ZEROS = init.Initializer("normal", std=0.02), init.Initializer("zeros")


def made(*steps, shape=(4, 6), dtype="float32", generator=0, start=None):
    array = np.full(shape, 9, dtype) if start is None else start
    Recipe({"w": Weight(shape, dtype, steps)}).apply({"w": array}, generator)
    return array


def drawn(name="w", draw=0, seed=0):
    return init.Generator.from_key(*init.Generator(seed).fold_in(name).key, draws=draw)


def test_a_fill_is_that_of_the_name():
    want = init.normal((4, 6), std=0.02, generator=drawn())
    np.testing.assert_array_equal(made(Fill(NORMAL)), want)
    np.testing.assert_array_equal(made(Fill(NORMAL, draw=2)), init.normal((4, 6), std=0.02, generator=drawn(draw=2)))
    np.testing.assert_array_equal(made(Fill(NORMAL, of="v")), init.normal((4, 6), std=0.02, generator=drawn("v")))
    assert (made(Fill(NORMAL), generator=1) != want).all()


def test_a_part_has_the_values_of_the_whole():
    whole = init.normal((4, 6), std=0.02, generator=drawn())
    got = made(Fill(init.Initializer("ones")), Fill(NORMAL, ((1, 3), (2, 6))))
    want = np.ones((4, 6), "float32")
    want[1:3, 2:6] = whole[1:3, 2:6]
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("found", [init.Initializer("orthogonal"), init.Initializer("sparse", sparsity=0.5)])
def test_a_matrix_in_a_part_is_one_of_its_own(found):
    got = made(Fill(ZEROS), Fill(found, ((2, 4), (0, 6))))
    want = found(np.empty((2, 6), "float32"), drawn().fold_in(12))
    np.testing.assert_array_equal(got[2:], want)
    assert not got[:2].any()


def test_changes_are_rounded_one_by_one():
    got = made(Fill(NORMAL), Change("mul", 0.3), Change("add", -1), Change("div", 7, ((0, 1), (0, 6))))
    want = init.normal((4, 6), std=0.02, generator=drawn()) * np.float32(0.3) + np.float32(-1)
    want[0] /= np.float32(7)
    np.testing.assert_array_equal(got, want)
    start = np.arange(24, dtype="float32").reshape(4, 6)
    got = made(Fill(NORMAL, ((0, 1), (0, 6))), Change("mul", 2, ((1, 4), (0, 6))), start=start.copy())
    np.testing.assert_array_equal(got[1:], 2 * start[1:])


def test_small_floats_are_rounded_once():
    steps = (Fill(NORMAL), Change("mul", 0.3), Change("add", 1))
    np.testing.assert_array_equal(made(*steps, dtype="float16"), made(*steps).astype("float16"))


@pytest.mark.parametrize("dtype", ["int64", "bool", "uint8"])
def test_integers_get_constants(dtype):
    got = made(Fill(ZEROS), Fill(init.Initializer("ones"), ((0, 1), (0, 6))), dtype=dtype)
    np.testing.assert_array_equal(got[0], np.ones(6, dtype))
    assert not got[1:].any()
    assert made(Fill(init.Initializer("constant", val=1)), dtype=dtype).all()


def weights():
    parts = (Fill(NORMAL), Fill(ZEROS, ((0, 1), (0, 3))))
    return {
        "layers.0.weight": Weight((4, 3), "float32", parts),
        "layers.1.weight": Weight((4, 3), "float32", parts),
        "scale": Weight((4,), "bfloat16", (Fill(NORMAL, draw=1, of="other"), Change("mul", math.inf))),
        "bias": Weight((4,), "float32", (Fill(init.Initializer("constant", val=-math.inf)),)),
        "position": Weight((4,), "int64", (), "arange", False),
        "empty": Weight((), "float32"),
    }


def test_it_prints_one_row_for_names_that_differ_by_numbers():
    recipe = Recipe(weights(), {"head.weight": "layers.0.weight"})
    assert str(recipe).splitlines() == [
        "layers.{0,1}.weight  [4, 3]  normal(std=0.02); [0:1, 0:3] zeros()",
        "scale                [4]     normal(std=0.02) of other, draw 1; mul(inf)",
        "bias                 [4]     constant(val=-inf)",
        "position             [4]     computed: arange",
        "empty                []      untouched",
        "head.weight                  tied to layers.0.weight",
    ]
    assert repr(recipe) == "<Recipe of 6 tensors: 3 drawn, 1 constant, 1 computed, 1 untouched>"
    assert str(Recipe({})) == ""


def test_json_gives_it_back():
    recipe = Recipe(weights(), {"head.weight": "layers.0.weight"})
    text = recipe.to_json()
    assert Recipe.from_json(text) == recipe
    assert json.loads(text)["tensors"]["empty"] == {"shape": [], "dtype": "float32", "steps": []}
    assert pickle.loads(pickle.dumps(recipe)) == recipe
    assert Recipe.from_json(Recipe({}).to_json()) == Recipe({})
    assert Recipe(weights()) != recipe


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "this is no recipe"),
        ("[]", "this is no recipe"),
        ('{"format": "numbainit-recipe-9"}', "'numbainit-recipe-9', and 'numbainit-recipe-1' is known"),
        ('{"format": "numbainit-recipe-1"}', "cannot be read: KeyError"),
        ('{"format": "numbainit-recipe-1", "tensors": {"w": 3}}', "cannot be read"),
        (
            '{"format": "numbainit-recipe-1", "tensors": {"w": {"shape": [], "dtype": "", "steps": [{"change": "x"}]'
            "}}}",
            "no change is named 'x'",
        ),
        (
            '{"format": "numbainit-recipe-1", "tensors": {"w": {"shape": [], "dtype": "", "steps": [{"initializer": '
            '{"name": "normla"}}]}}}',
            "no initializer is named 'normla'",
        ),
    ],
)
def test_text_that_is_no_recipe(text, match):
    with pytest.raises(init.InvalidValueError, match=match):
        Recipe.from_json(text)


def test_differences():
    recipe, other = Recipe(weights()), weights()
    assert not recipe.diff(Recipe(weights()))
    for n in range(2):
        other[f"layers.{n}.weight"] = Weight((4, 3), "float32", (Fill(init.Initializer("normal", std=0.01)),))
    other["bias"] = Weight((4,), "float16", recipe["bias"].steps)
    other["more"] = other.pop("empty")
    found = recipe.diff(Recipe(other))
    assert str(found).splitlines() == [
        "layers.{0,1}.weight  [4, 3]  normal(std=0.02); [0:1, 0:3] zeros() → normal(std=0.01)",
        "bias                 [4]     float32 parameter → float16 parameter",
        "empty                []      untouched → not there",
        "more                 []      not there → untouched",
    ]
    assert found["more"] == (None, other["more"])
    assert repr(found) == "<Difference of 5 tensors>"
    assert isinstance(found, Difference)
    with pytest.raises(init.InvalidTypeError, match="diff takes another Recipe, got int"):
        recipe.diff(3)


def test_tied_arrays_are_equal():
    recipe = Recipe({"w": Weight((3,), "float32", (Fill(NORMAL),))}, {"v": "w"})
    arrays = {"v": np.empty(3, "float32"), "w": np.empty(3, "float32")}
    recipe.apply(arrays)
    np.testing.assert_array_equal(arrays["v"], arrays["w"])
    with pytest.raises(init.InvalidValueError, match="'v' cannot be tied to 'x'"):
        Recipe({"w": recipe["w"]}, {"v": "x"})


def test_what_cannot_be_made_is_refused_before_anything_is_written():
    recipe = Recipe(weights() | {"dt": Weight((2,), "float32", (), "exp(uniform())")})
    first = np.full((4, 3), 9.0, "float32")

    def refused(match, **arrays):
        with pytest.raises(init.InvalidValueError, match=match):
            recipe.apply({"layers.0.weight": first, **arrays})
        assert (first == 9).all()

    refused(r"'dt' cannot be made from the recipe \(computed: exp\(uniform\(\)\)\)", dt=np.empty(2, "float32"))
    refused("'empty' cannot be made from the recipe", empty=np.empty((), "float32"))
    refused(r"'bias' has shape \(5,\), and \(4,\) in the recipe", bias=np.empty(5, "float32"))
    refused("the recipe has no 'baas'; did you mean 'bias'", baas=np.empty(4, "float32"))
    position, dt = np.arange(4), np.ones(2, "float32")
    recipe.apply({"layers.0.weight": first, "position": position, "dt": dt}, ignore=["d*"])
    assert (first != 9).all()
    assert position.tolist() == [0, 1, 2, 3]
    assert dt.tolist() == [1, 1]
    with pytest.raises(init.InvalidTypeError, match="apply takes a mapping"):
        recipe.apply([first])
    with pytest.raises(init.InvalidTypeError, match="ignore holds names"):
        recipe.apply({}, ignore="dt")
    with pytest.raises(init.InvalidTypeError, match=r"'bias.0': apply"):
        recipe.apply({"layers.0.weight": first, "bias": [0, 0, 0, 0]})


def test_nothing_of_torch_is_imported():
    import subprocess
    import sys

    code = "import sys, numbainit.recipes; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


# ---- pieces ----

STEPS = {
    "whole": (Fill(NORMAL), Change("mul", 0.3)),
    "parts": (Fill(ZEROS), Fill(NORMAL, ((1, 3), (2, 6))), Change("add", 1, ((0, 2), (3, 5)))),
    "matrix": (Fill(init.Initializer("orthogonal")),),
    "matrices": (Fill(ZEROS), Fill(init.Initializer("orthogonal"), ((1, 3), (0, 6)))),
    "fans": (Fill(init.Initializer("kaiming_normal", mode="fan_out")),),
}


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS)
@pytest.mark.parametrize(
    "piece", [((0, 4), (0, 6)), ((0, 2), (0, 6)), ((1, 4), (3, 4)), ((3, 4), (5, 6)), ((2, 2), (0, 6))]
)
def test_a_piece_has_the_values_of_the_whole(steps, dtype, piece):
    weight = Weight((4, 6), dtype, steps)
    whole = made(*steps, dtype=dtype)
    array = np.full([stop - start for start, stop in piece], 9, dtype)
    make(weight, "w", array, init.Generator(0), piece)
    np.testing.assert_array_equal(array, whole[tuple(slice(*ends) for ends in piece)])


def test_what_can_be_cut():
    cut = {name: can_be_cut(Weight((4, 6), "float32", steps)) for name, steps in STEPS.items()}
    assert cut == {"whole": True, "parts": True, "matrix": False, "matrices": False, "fans": True}


@pytest.mark.parametrize(
    ("parts", "whole"),
    [
        ([((0, 2), (0, 6)), ((2, 4), (0, 6))], True),
        ([((0, 2), (0, 6)), ((1, 4), (0, 6))], False),
        ([((0, 2), (0, 6)), ((0, 2), (0, 6))], False),
        ([((0, 2), (0, 6))], False),
    ],
)
def test_parts_that_leave_nothing_are_the_whole(parts, whole):
    weight = Weight((4, 6), "float32", tuple(Fill(NORMAL, part) for part in parts))
    assert weight.is_whole is whole
    assert weight.label.startswith("untouched") is not whole


# ---- by numbers ----


def recipe_of(initializer, shape=(16, 9)):
    return Recipe({"w": Weight(shape, "float32", (Fill(initializer),))})


@pytest.mark.parametrize(
    ("one", "other", "rtol", "alike"),
    [
        (("kaiming_uniform", {"a": math.sqrt(5)}), ("uniform", {"a": -1 / 3, "b": 1 / 3}), 1e-12, True),
        (("kaiming_uniform", {"a": math.sqrt(5)}), ("uniform", {"a": -1 / 3, "b": 0.334}), 1e-12, False),
        (("kaiming_normal", {"nonlinearity": "linear"}), ("normal", {"std": 1 / 3}), 0.0, True),
        (("xavier_normal", {}), ("normal", {"std": math.sqrt(2 / 25)}), 0.0, True),
        (("normal", {"std": 0.02}), ("normal", {"std": 0.02 * (1 + 1e-9)}), 0.0, False),
        (("normal", {"std": 0.02}), ("normal", {"std": 0.02 * (1 + 1e-9)}), 1e-6, True),
        (("zeros", {}), ("ones", {}), 1.0, False),
    ],
)
def test_a_difference_is_one_of_numbers(one, other, rtol, alike):
    first, second = (recipe_of(init.Initializer(name, **arguments)) for name, arguments in (one, other))
    assert bool(first.diff(second, rtol)) is not alike


def test_toml_gives_it_back():
    recipe = Recipe(weights(), {"head.weight": "layers.0.weight"})
    assert Recipe.from_toml(recipe.to_toml()) == recipe
    assert Recipe.from_toml(Recipe({}).to_toml()) == Recipe({})
    with pytest.raises(init.InvalidValueError, match="this is no TOML"):
        Recipe.from_toml("[")
    with pytest.raises(init.InvalidValueError, match="this is no recipe"):
        Recipe.from_toml("")


def test_a_dtype_that_is_not_filled_is_refused_before_anything_is_written():
    recipe = Recipe({"a": Weight((3,), "float32", (Fill(NORMAL),)), "b": Weight((3,), "float32", (Fill(NORMAL),))})
    arrays = {"a": np.full(3, 9.0), "b": np.ones(3, "int64")}
    with pytest.raises(init.InvalidTypeError, match="'b': "):
        recipe.apply(arrays)
    assert (arrays["a"] == 9).all()
