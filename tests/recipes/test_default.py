"""The rules ``default``: every spelling of the table, every initializer, the built-in models."""

import math
import warnings

import numpy as np
import pytest

import numbainit
from cases import BEYOND
from numbainit import init
from numbainit.errors import InvalidTypeError, InvalidValueError
from numbainit.files.headers import parse_header
from numbainit.generator import Generator
from numbainit.recipes import Tensor, default, models
from numbainit.recipes.default import default as rules

ONES, ZEROS, CHOSEN = "ones()", "zeros()", "normal(std=0.02)"

TABLE = [
    # weights
    ("fc.weight", (10, 5), "float32", CHOSEN),
    ("conv.weight", (8, 3, 3, 3), "float32", CHOSEN),
    ("in_proj_weight", (6, 2), "float32", CHOSEN),
    ("weight", (2, 2), "float64", CHOSEN),
    ("bias.weight", (4, 4), "float32", CHOSEN),
    ("biased", (4, 4), "float32", CHOSEN),
    ("lora_A.weight", (4, 8), "float32", CHOSEN),
    ("norm1.linear.weight", (8, 4), "float32", CHOSEN),
    ("final_norm_proj.weight", (8, 4), "float32", CHOSEN),
    ("layer.relative_attention_bias.weight", (8, 4), "float32", CHOSEN),
    ("relative_position_bias_table", (8, 4), "float32", CHOSEN),
    ("cls_token", (1, 1, 8), "float32", CHOSEN),
    ("model/h0/attn/c_attn/w", (1, 3, 9), "float32", CHOSEN),
    # norm scales of every rank and spelling
    ("ln.weight", (7,), "float32", ONES),
    ("ln.weight", (4, 6), "float32", ONES),
    ("norm.weight", (1, 1, 1, 8), "float32", ONES),
    ("model.layers.0.input_layernorm.weight", (7,), "float32", ONES),
    ("attn.q_norm.weight", (4, 8), "float32", ONES),
    ("norm_q.weight", (4, 8), "float32", ONES),
    ("ln_pre.weight", (2, 8), "float32", ONES),
    ("bn1.weight", (1, 8, 1, 1), "float32", ONES),
    ("LayerNorm_0.scale", (4, 6), "float32", ONES),
    ("batch_normalization.gamma", (1, 1, 1, 8), "float32", ONES),
    ("model/h0/ln_1/g", (7,), "float32", ONES),
    ("downsample.1.weight", (7,), "float32", ONES),
    # biases under every spelling
    ("fc.bias", (10,), "float32", ZEROS),
    ("bias", (10,), "float32", ZEROS),
    ("LayerNorm.beta", (4, 6), "float32", ZEROS),
    ("beta", (10,), "float32", ZEROS),
    ("model/h0/ln_1/b", (10,), "float32", ZEROS),
    ("w_b", (10,), "float32", ZEROS),
    ("lstm.bias_ih_l0", (12,), "float32", ZEROS),
    ("attn.in_proj_bias", (12,), "float32", ZEROS),
    ("attn.q.lora_B.default.weight", (8, 4), "float32", ZEROS),
    # statistics
    ("bn.running_var", (7,), "float32", ONES),
    ("bn.moving_variance", (7,), "float32", ONES),
    ("batch_stats.bn.var", (7,), "float32", ONES),
    ("bn.running_mean", (7,), "float32", ZEROS),
    ("bn.moving_mean", (7,), "float32", ZEROS),
    ("batch_stats.bn.mean", (7,), "float32", ZEROS),
    ("embeddings.position_ids", (1, 4), "int64", "arange(4)"),
    ("position_ids", (4,), "int32", "arange(4)"),
    ("bn.num_batches_tracked", (), "int64", ZEROS),
    ("bn.num_batches_tracked", (), "float32", ZEROS),
]

WARNED = [
    ("mixer.A_log", (4, 16), "float32", ZEROS),
    ("mixer.dt_bias", (4,), "float32", ZEROS),
    ("rotary_emb.inv_freq", (4,), "float32", "1 / 10000 ** (arange(4) / 4)"),
    ("embeddings.position_ids", (2, 4), "int64", ZEROS),
    ("h.0.attn.bias", (1, 1, 4, 4), "float32", ZEROS),
    ("logit_scale", (), "float32", ONES),
    ("attn.logit_scale", (4, 1, 1), "float32", ONES),
    ("fc.weight_scale_inv", (2, 2), "float32", ONES),
    ("fc.weight_scale", (), "float32", ONES),
    ("fc.weight", (4, 4), "int8", ZEROS),
    ("fc.qweight", (4, 4), "int32", ZEROS),
    ("mask.weight", (4, 4), "bool", ZEROS),
    ("conv.weight_g", (8, 1, 1), "float32", ONES),
    ("conv.parametrizations.weight.original0", (8, 1, 1), "float32", ONES),
    ("features.1.0.layer_scale", (8, 1, 1), "float32", ONES),
    ("stages.0.blocks.1.gamma", (8,), "float32", ONES),
    ("blocks.0.ls1.gamma", (8,), "float32", ONES),
    ("vision_model.embeddings.class_embedding", (8,), "float32", ONES),
]


def planned(name, shape, dtype="float32", **facts):
    return rules().plan([Tensor(name, shape, dtype, **facts)])


@pytest.mark.parametrize(("name", "shape", "dtype", "label"), TABLE)
def test_the_table(name, shape, dtype, label):
    plan = planned(name, shape, dtype)
    assert (plan.recipe[name].label, plan.warnings) == (label, ())


@pytest.mark.parametrize(("name", "shape", "dtype", "label"), WARNED)
def test_names_that_only_hint_at_a_law_are_warned_of(name, shape, dtype, label):
    plan = planned(name, shape, dtype)
    assert plan.recipe[name].label == label
    (warning,) = plan.warnings
    assert warning.startswith(f"default: {name} became {0 if label == ZEROS else 1}")


def test_warnings_list_all_names_of_a_rule():
    arrays = {f"layers.{n}.{end}": np.empty((4, 2), "float32") for n in range(9) for end in ("A_log", "dt_bias")}
    with pytest.warns(UserWarning, match=r"layers\.\{0..8\}\.A_log, layers\.\{0..8\}\.dt_bias became 0") as caught:
        rules().recipe(arrays)
    assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.parametrize(
    ("name", "kind", "is_parameter", "label"),
    [
        ("1.weight", "LayerNorm", True, ONES),
        ("1.weight", "BatchNorm2d", True, ONES),
        ("1.weight", "LlamaRMSNorm", True, ONES),
        ("1.weight", "Linear", True, CHOSEN),
        ("1.weight", None, True, CHOSEN),
        ("mask", "Model", False, "untouched"),
        ("1.running_var", "BatchNorm2d", False, ONES),
        ("bn.var", "BatchNorm", False, ONES),
        ("std.var", "Normalizer", False, "untouched"),
    ],
)
def test_kinds_and_buffers(name, kind, is_parameter, label):
    assert planned(name, (4, 6), kind=kind, is_parameter=is_parameter).recipe[name].label == label


@pytest.mark.parametrize(("name", "shape", "dtype", "label"), TABLE)
def test_every_row_fills_what_it_is_given(name, shape, dtype, label):
    array = np.full(shape, 3, dtype)
    rules().recipe({name: array}).apply({name: array}, generator=0)
    if label == CHOSEN:
        expected = init.normal_(np.empty(shape, dtype), std=0.02, generator=Generator(0).fold_in(name))
    elif label.startswith("arange"):
        expected = np.arange(math.prod(shape)).reshape(shape)
    else:
        expected = np.full(shape, label == ONES, dtype)
    np.testing.assert_array_equal(array, expected)


def test_another_initializer_takes_the_place_of_the_last_row():
    chosen = numbainit.Initializer("kaiming_normal", mode="fan_out")
    table = rules(chosen)
    assert table.recipe({"w": np.empty((3, 4)), "b": np.empty(3)})["w"].steps[0].initializer == chosen
    assert len(table) == len(rules())
    assert type(table).from_json(table.to_json()) == table


INITIALIZERS = [
    ("normal", {}, "normal(std=0.02)", init.normal_, {"std": 0.02}),
    ("normal", {"std": 0.5}, "normal(std=0.5)", init.normal_, {"std": 0.5}),
    ("uniform", {}, "uniform()", init.uniform_, {}),
    ("uniform", {"a": -1.0}, "uniform(a=-1.0)", init.uniform_, {"a": -1.0}),
    (
        "trunc_normal",
        {"std": 0.5, "b": 3.0},
        "trunc_normal(std=0.5, a=-1.0, b=3.0)",
        init.trunc_normal_,
        {"std": 0.5, "a": -1.0, "b": 3.0},
    ),
    ("xavier_uniform", {}, "xavier_uniform()", init.xavier_uniform_, {}),
    ("xavier_normal", {"gain": 2.0}, "xavier_normal(gain=2.0)", init.xavier_normal_, {"gain": 2.0}),
    (
        "kaiming_uniform",
        {},
        "kaiming_uniform()",
        init.kaiming_uniform_,
        {},
    ),
    (
        "kaiming_normal",
        {"mode": "fan_out", "nonlinearity": "relu"},
        "kaiming_normal(mode='fan_out', nonlinearity='relu')",
        init.kaiming_normal_,
        {"mode": "fan_out", "nonlinearity": "relu"},
    ),
    ("orthogonal", {"gain": 0.5}, "orthogonal(gain=0.5)", init.orthogonal_, {"gain": 0.5}),
]


@pytest.mark.parametrize(("name", "options", "label", "function", "arguments"), INITIALIZERS)
def test_an_initializer_is_the_call_that_its_label_shows(name, options, label, function, arguments):
    initializer = default.initializer(name, **options)
    assert initializer.label == label
    filled = initializer(np.empty((6, 5), "float32"), Generator(5))
    np.testing.assert_array_equal(filled, function(np.empty((6, 5), "float32"), generator=Generator(5), **arguments))


@pytest.mark.parametrize(("name", "value"), [("zeros", 0), ("ones", 1)])
def test_constants_take_no_draw(name, value):
    generator, array = Generator(0), np.empty((2, 3), "float64")
    default.initializer(name)(array, generator)
    assert (array == value).all()
    assert generator.draws == 0


def test_every_initializer_is_tested():
    others = {"zeros", "ones", "constant", "eye", "dirac", "sparse"}  # in test_initializers.py
    others |= {name.removesuffix("_") for name in BEYOND}  # which have no defaults of models
    assert {case[0] for case in INITIALIZERS} | others == set(default.choices())


@pytest.mark.parametrize(
    ("name", "options", "fragments"),
    [
        ("kaiming_norml", {}, ["'kaiming_norml'", "did you mean 'kaiming_normal'"]),
        ("?", {}, ["'?'", "xavier_uniform"]),
        ("normal", {"mode": "fan_in"}, ["'mode'", "'normal'", "kaiming_normal, kaiming_uniform, variance_scaling"]),
        ("kaiming_normal", {"gain": 2.0}, ["'gain'", "orthogonal, randomized_hadamard, xavier_normal, xavier_uniform"]),
        ("orthogonal", {"std": 2.0}, ["'std'", "normal, sparse, trunc_normal"]),
        ("zeros", {"b": 1.0}, ["'b'", "trunc_normal, uniform"]),
        ("normal", {"colour": 1}, ["'colour'", "It takes mean, std"]),
    ],
)
def test_wrong_initializers_and_options(name, options, fragments):
    with pytest.raises(InvalidValueError) as caught:
        default.initializer(name, **options)
    for fragment in fragments:
        assert fragment in str(caught.value)


@pytest.mark.parametrize("name", ["gpt2", "resnet50"])
def test_norms_of_builtin_models_become_ones_and_biases_zeros(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        recipe = rules().recipe(parse_header(models.builtin_header(name), name))
    for key, weight in recipe.items():
        is_norm = any(part in key for part in ("ln_", "bn", "downsample.1"))
        is_zero = key.endswith(("bias", "running_mean", "num_batches_tracked"))
        assert weight.label == (ZEROS if is_zero else ONES if is_norm else CHOSEN), key


def test_small_floats_are_floats():
    """NumPy calls the kind of bfloat16 V: weights of it must not become zeros."""
    pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")
    for dtype in ("bfloat16", "float8_e4m3fn", "float16"):
        assert planned("fc.weight", (3, 3), dtype).recipe["fc.weight"].label == CHOSEN


@pytest.mark.parametrize("arguments", [{"std": "0.1"}, {"std": [1]}, {"mean": None}, {"std": 1j}], ids=str)
def test_bounds_follow_from_numbers_only(arguments):
    (name,) = arguments
    with pytest.raises(InvalidTypeError, match=f"{name} must be a real number"):
        default.initializer("trunc_normal", **arguments)
