"""Formulas in tables → the formula of a tensor, with numbers for names, and its values; each mistake one clear line."""

import math

import numpy as np
import pytest

from numbainit.errors import InvalidTypeError, InvalidValueError
from numbainit.recipes import Formula, Recipe, Rules, load


def rules(variables=None, **row):
    return Rules([{"match": "*", **row}], variables)


def made(array, variables=None, given=None, **row):
    """The formula of an array, and the array."""
    recipe = rules(variables, **row).recipe({"t": array}, given)
    recipe.apply({"t": array})
    return recipe["t"].label, array


@pytest.mark.parametrize(
    ("text", "shape", "want"),
    [
        ("arange(d1)", (1, 5), "arange(5)"),
        ("log(arange(1, d0 + 1))", (4,), "log(arange(1, 5))"),
        ("1 / base ** (arange(0, 2 * d0, 2) / (2 * d0))", (4,), "1 / 500000 ** (arange(0, 8, 2) / 8)"),
        ("exp(arange(d0) * (-log(base) / (d0 - 1)))", (3,), f"exp(arange(3) * {-math.log(500000) / 2!r})"),
        ("reshape(arange(size), d0, size / d0)", (2, 3), "reshape(arange(6), 2, 3)"),
        ("2 ** -arange(d0)", (3,), "2 ** (-arange(3))"),
        ("-arange(-d0, 0)", (3,), "-arange(-3, 0)"),
        ("full(sqrt(base / 5), d0)", (2,), f"full({math.sqrt(100000)!r}, 2)"),
        ("max(arange(d0), max(1, 2 - d0))", (2,), "max(arange(2), 1)"),
        ("sin(d0) + cos(arange(d0))", (2,), "sin(2) + cos(arange(2))"),
        ("triu(full(-inf, d0, d1), 1)", (2, 2), "triu(full(-inf, 2, 2), 1)"),
        ("base", (2,), "500000"),
        (" cat(0,\n   arange(n0),\n\tarray(7)) ", (4,), "cat(0, arange(3), array(7))"),
    ],
)
def test_numbers_stand_for_what_has_no_array_in_it(text, shape, want):
    table = rules({"base": {"default": 500000.0}}, formula=text)
    recipe = table.recipe({"layers.3.t": np.empty(shape, "float32")})
    assert recipe["layers.3.t"].steps == (Formula(want),)
    assert Rules.from_toml(table.to_toml()) == table == Rules.from_json(table.to_json())
    assert Recipe.from_toml(recipe.to_toml()) == recipe == Recipe.from_json(recipe.to_json())


def test_a_formula_of_several_lines_stays_one_in_toml():
    table = rules(formula="\ncat(0,\n  arange(1),\n  arange(2))\n")
    assert "formula = '''\n\ncat(0,\n  arange(1)," in table.to_toml()
    assert Rules.from_toml(table.to_toml()) == table


def test_what_comes_afterwards_is_of_what_the_tensor_holds():
    steps = [{"formula": "x * scale"}, {"rows": [-1], "formula": "exp(x)"}, {"add": 1.0}]
    label, array = made(np.empty((2, 2), "float32"), {"scale": 3}, formula="reshape(arange(4), 2, 2)", then=steps)
    assert label == "reshape(arange(4), 2, 2); x * 3; [1:2, 0:2] exp(x); add(1.0)"
    np.testing.assert_array_equal(array, np.float32([[1, 4], [np.exp(6.0) + 1, np.exp(9.0) + 1]]))
    drawn, once = np.empty(64, "float32"), np.empty(64, "float32")
    made(drawn, initializer="uniform", then=[{"formula": "log(x)"}])
    made(once, initializer="uniform")
    np.testing.assert_allclose(drawn, np.log(once.astype("float64")), rtol=2**-23)


def test_precision_is_that_of_the_operations():
    wide, narrow = (made(np.empty(1000, "float32"), formula="sin(arange(d0) * 0.1)", **more)[1] for more in (
        {"precision": "float64"}, {}
    ))  # fmt: skip
    np.testing.assert_array_equal(wide, np.sin(np.arange(1000) * 0.1).astype("float32"))
    step = np.arange(1000, dtype="float32") * np.float32(0.1)
    np.testing.assert_array_equal(narrow, np.sin(step.astype("float64")).astype("float32"))
    assert (wide != narrow).any()


def test_tensors_of_one_shape_that_differ_by_their_names_differ():
    arrays = {f"h.{n}.t": np.empty(2, "float32") for n in range(3)}
    rules(formula="arange(2) * (n0 + 1)").recipe(arrays).apply(arrays)
    assert [list(array) for array in arrays.values()] == [[0, 1], [0, 2], [0, 3]]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"formula": "arang(d0)"}, r"rule 1: the formula '.*' has no function 'arang'; did you mean 'arange'\? "),
        ({"formula": "arange(dd)"}, r"rule 1: 'dd' asks for 'dd'; Known here are .*: declare it under \[variables\]"),
        ({"formula": "arange(d0"}, r"rule 1: the formula 'arange\(d0' cannot be read: '\(' was never closed$"),
        ({"formula": ""}, r"rule 1: the formula '' cannot be read: "),
        ({"formula": "arange(d0) // 2"}, r"rule 1: the formula .* has 'arange\(1\) // 2', which is not known: "),
        ({"formula": "arange(d0)[0]"}, r"rule 1: the formula .* has 'arange\(1\)\[0\]', which is not known: "),
        ({"formula": "__import__('os')"}, r"rule 1: .* has no function '__import__'"),
        ({"formula": "arange(stop=3)"}, r"rule 1: .* which is not known: x, numbers and functions are"),
        ({"formula": "x + 1"}, "rule 1: x is what the tensor holds, and that is nothing yet: .* under then"),
        ({"formula": "arange(d0)", "parts": {"axis": 0, "count": 2}}, "rule 1: parts are those of an initializer: "),
        ({"formula": "arange(d0)", "initializer": "zeros"}, r"rule 1: a rule has an initializer = .*, or a formula = "),
        ({"formula": "arange(d0)", "std": 1.0}, r"rule 1: a rule has no 'std'; It has match, "),
        ({"formula": "arange(d0)", "untouched": "why"}, "rule 1: untouched says why, as a text, and stands alone"),
        ({"formula": "arange(d0)", "precision": "half"}, "rule 1: precision is float32 or float64, got 'half'"),
        ({"initializer": "zeros", "precision": "float64"}, "rule 1: precision is that of a formula, .*: remove it"),
        ({"initializer": "zeros", "then": [{"mul": 2, "precision": "float64"}]}, "rule 1: precision is "),
        ({"initializer": "zeros", "then": [{"formula": "arange(dd)"}]}, "rule 1: 'dd' asks for 'dd'"),
    ],
)  # fmt: skip
def test_a_wrong_formula_is_one_clear_line(row, message):
    with pytest.raises(InvalidValueError, match=f"^{message}") as caught:
        rules(**row)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", [3, ["arange(d0)"], None, True])
def test_a_formula_is_a_text(text):
    with pytest.raises(InvalidTypeError, match=r"^rule 1: a formula is a text, got "):
        rules(formula=text)


def test_x_is_no_variable_in_formulas():
    with pytest.raises(InvalidValueError, match=r"^rule 1: x in a formula is .* give the variable x another name"):
        rules({"x": 3}, formula="arange(x)")


@pytest.mark.parametrize(
    ("text", "dtype", "message"),
    [
        ("arange(d0)", "float32", r"gives shape \(2,\), and \(2, 3\) is wanted"),
        ("arange(d1) / 2", "int64", r"gives 0\.5, which is no value of int64"),
        ("arange(d1) * 100", "int8", r"gives 200\.0, which is no value of int8"),
        ("arange(d1) / (d0 - 2)", "float32", "divides by zero, or has no finite value elsewhere"),
        ("log(arange(d1))", "float32", "divides by zero, or has no finite value elsewhere"),
        ("arange(1 / (d0 - 2))", "float32", "division by zero"),
        ("reshape(arange(d1), d1 / 2)", "float32", "1.5 stands where a whole number belongs"),
        ("arange(10 ** 9)", "float32", r"an array of shape \(1000000000,\) has more elements than the tensor allows"),
        ("arange(d7)", "float32", r"there is no d7: 't' has shape \(2, 3\)"),
        ("arange(base)", "float32", r"variable 'base' is needed, .* or --set base="),
    ],
)
def test_a_formula_without_a_value_is_an_error_before_anything_is_filled(text, dtype, message):
    table = rules({"base": {}}, formula=text)
    with pytest.raises(InvalidValueError, match=rf"^parameter 't', by rule 1 \(\*\): .*{message}") as caught:
        table.recipe({"t": np.empty((2, 3), dtype)})
    assert "\n" not in str(caught.value)


def angles(rows, columns, base):
    """The angles of sinusoidal positions, in float64."""
    steps = math.log(base) / (columns // 2 - 1)
    return np.arange(rows)[:, None] * np.exp(-steps * np.arange(columns // 2))


BUILT_IN = {
    "bert-hf": ("bert.embeddings.position_ids", (1, 512), "int64", np.arange(512)[None]),
    "clip-hf": ("vision_model.embeddings.position_ids", (1, 50), "int64", np.arange(50)[None]),
    "bert-google": ("bert.embeddings.position_ids", (1, 8), "int64", np.arange(8)[None]),
    "gpt2-hf": ("h.0.attn.bias", (1, 1, 9, 9), "bool", np.tri(9, dtype=bool)[None, None]),
    "gpt2-openai": ("h.0.attn.bias", (1, 1, 9, 9), "float32", np.tri(9)[None, None]),
    "nanogpt": ("transformer.h.0.attn.bias", (1, 1, 9, 9), "float32", np.tri(9)[None, None]),
    "gpt-neox": ("gpt_neox.layers.0.attention.bias", (1, 1, 9, 9), "uint8", np.tri(9, dtype="uint8")[None, None]),
    "llama-hf": ("model.rotary_emb.inv_freq", (64,), "float32", 10000.0 ** -(np.arange(64) / 64)),
    "gemma-hf": ("model.rotary_emb.full_attention_inv_freq", (128,), "float32", 1e6 ** -(np.arange(128) / 128)),
    "whisper-hf": (
        "model.encoder.embed_positions.weight",
        (1500, 384),
        "float32",
        np.concatenate([np.sin(angles(1500, 384, 1e4)), np.cos(angles(1500, 384, 1e4))], 1),
    ),
    "mamba-ssm": ("layers.0.mixer.A_log", (12, 16), "float32", np.tile(np.log(np.arange(1.0, 17)), (12, 1))),
    "mamba-hf": ("layers.0.mixer.A_log", (24,), "float32", np.log(np.arange(1.0, 25))),
    "default": ("position_ids", (1, 77), "int64", np.arange(77)[None]),
}  # fmt: skip


@pytest.mark.parametrize("name", BUILT_IN)
def test_tables_built_in_compute_what_their_models_do(name):
    path, shape, dtype, want = BUILT_IN[name]
    arrays = {path: np.empty(shape, dtype)}
    recipe = load(name).recipe(arrays)
    assert recipe.names("constant") == (path,)
    recipe.apply(arrays)
    # angles are rounded to float32 before their sines are taken, as in the code: 1500 * 2^-24 at the most
    np.testing.assert_allclose(arrays[path], want, rtol=5e-7, atol=1e-4 if name == "whisper-hf" else 0)


@pytest.mark.parametrize(("height", "width"), [(7, 7), (4, 6)])
def test_swins_offsets_of_all_pairs_in_a_window(height, width):
    places = [(row, column) for row in range(height) for column in range(width)]
    want = [(a - c + height - 1) * (2 * width - 1) + b - d + width - 1 for a, b in places for c, d in places]
    arrays = {"attn.relative_position_index": np.empty(len(want), "int64")}
    given = {} if height == width else {"height": height, "width": width}
    load("swin-torchvision").recipe(arrays, given).apply(arrays)
    np.testing.assert_array_equal(arrays["attn.relative_position_index"], want)


def test_swins_window_that_is_no_square_is_asked_for_by_an_error():
    with pytest.raises(InvalidValueError, match=r"4\.898\d* stands where a whole number|has no value"):
        load("swin-torchvision").recipe({"attn.relative_position_index": np.empty(24 * 24, "int64")})


def test_swins_logarithms_of_offsets():
    table = np.empty((1, 15, 13, 2), "float32")
    load("swin-torchvision").recipe({"attn.relative_coords_table": table}).apply({"attn.relative_coords_table": table})
    for axis, last in ((1, 7), (2, 6)):
        offsets = np.arange(-last, last + 1) / last * 8
        want = np.sign(offsets) * np.log2(np.abs(offsets) + 1) / 3
        shape = [1] * 3
        shape[axis] = len(want)
        np.testing.assert_allclose(table[..., axis - 1], np.broadcast_to(want.reshape(shape), (1, 15, 13)), rtol=5e-7)


@pytest.mark.parametrize(("width", "side"), [(1152, 16), (32, 7)])
def test_dits_sines_of_columns_then_of_rows(width, side):
    array = np.empty((1, side * side, width), "float32")
    load("dit").recipe({"pos_embed": array}).apply({"pos_embed": array})
    angle = np.arange(side)[:, None] / 10000 ** (np.arange(width // 4) / (width // 4))
    want = np.empty((side, side, 4, width // 4))
    want[:, :, 0], want[:, :, 1] = np.sin(angle)[None], np.cos(angle)[None]
    want[:, :, 2], want[:, :, 3] = np.sin(angle)[:, None], np.cos(angle)[:, None]
    np.testing.assert_allclose(array, want.reshape(array.shape), rtol=2**-23, atol=1e-15)
