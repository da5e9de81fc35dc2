"""``numbainit.keras`` → Keras layers, configs and files: the values of the functional forms on the active backend."""

import contextlib
import importlib.util
import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest

import numbainit as init

pytest.importorskip("keras", reason="Keras is not installed: pip install 'numbainit[keras]'")
try:
    import keras
except ImportError as error:
    pytest.skip(f"Keras has no backend: {error}", allow_module_level=True)

import numbainit.keras as nk

# Keras converts tensors in a way that NumPy deprecates.
pytestmark = [pytest.mark.full, pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")]
LAWS = {
    "Uniform": ("uniform", (5, 3), {"a": -1.0, "b": 2.0}),
    "Normal": ("normal", (5, 3), {"mean": 1.0, "std": 0.5}),
    "TruncNormal": ("trunc_normal", (5, 3), {"std": 0.5, "a": 0.5, "b": 2.0}),
    "XavierUniform": ("xavier_uniform", (3, 3, 4, 8), {"gain": 2.0}),
    "XavierNormal": ("xavier_normal", (4, 8), {"gain": 2.0}),
    "KaimingUniform": ("kaiming_uniform", (3, 4, 8), {"a": 0.2}),
    "KaimingNormal": ("kaiming_normal", (3, 3, 4, 8), {"mode": "fan_out", "nonlinearity": "relu"}),
    "Orthogonal": ("orthogonal", (3, 3, 4, 8), {"gain": 2.0}),
    "Sparse": ("sparse", (8, 5), {"sparsity": 0.3, "std": 0.5}),
    "Dirac": ("dirac", (3, 3, 4, 8), {"groups": 2}),
    "VarianceScaling": ("variance_scaling", (3, 3, 4, 8), {"scale": 2.0, "mode": "fan_avg"}),
    "LecunUniform": ("lecun_uniform", (4, 8), {}),
    "LecunNormal": ("lecun_normal", (4, 8), {}),
    "LecunTruncatedNormal": ("lecun_truncated_normal", (3, 4, 8), {}),
    "GlorotTruncatedNormal": ("glorot_truncated_normal", (4, 8), {}),
    "HeTruncatedNormal": ("he_truncated_normal", (4, 8), {}),
    "Sine": ("sine", (4, 8), {"layer": "first"}),
    "Icnr": ("icnr", (3, 3, 4, 8), {"distribution": "uniform", "shuffle": "depth_to_space"}),
    "Bilinear": ("bilinear", (3, 3, 8, 8), {}),
    "DeltaOrthogonal": ("delta_orthogonal", (3, 3, 4, 8), {"gain": 2.0}),
    "ConvolutionOrthogonal": ("convolution_orthogonal", (3, 3, 4, 8), {"gain": 2.0}),
    "Hadamard": ("hadamard", (8, 5), {"gain": 2.0}),
    "RandomizedHadamard": ("randomized_hadamard", (8, 5), {"gain": 2.0}),
    "ForgetBias": ("forget_bias", (8,), {"gates": "ijfo"}),
    "LogUniform": ("log_uniform", (5,), {"a": 0.5, "b": 2.0}),
    "LogOfUniform": ("log_of_uniform", (5,), {"b": 4.0}),
    "TimeStepBias": ("time_step_bias", (5,), {"floor": 0.01}),
    "LogArange": ("log_arange", (5, 3), {"start": 2.0}),
}
DRAWING = [name for name, (law, _, arguments) in LAWS.items() if init.Initializer(law, **arguments).draws]
LAID_OUT = [name for name, (law, *_) in LAWS.items() if "layout" in init.initializers.parameters(law)]
LAYOUTS = {2: "IO", 3: "WIO", 4: "HWIO"}


def made(name, **more):
    return getattr(nk, name)(**LAWS[name][2], **more)


def seeded(name, seed=3):
    return made(name, seed=seed) if name in DRAWING else made(name)


def expected(name, generator, **more):
    law, shape, arguments = LAWS[name]
    if name in LAID_OUT:
        more.setdefault("layout", LAYOUTS[len(shape)])
    if name in DRAWING:
        more["generator"] = generator
    return getattr(init, law)(shape, **arguments, **more)


def same(tensor, want):
    assert keras.ops.is_tensor(tensor)
    array = keras.ops.convert_to_numpy(tensor)
    assert array.dtype == want.dtype
    np.testing.assert_array_equal(array, want)


def test_every_law_is_here():
    assert set(LAWS) == set(nk.__all__)


@pytest.mark.parametrize("name", LAWS)
def test_values_are_those_of_the_functional_form(name):
    initializer = seeded(name)
    shape = LAWS[name][1]
    same(initializer(shape), expected(name, 3))
    same(initializer(shape, dtype="float32"), expected(name, 3))  # as Keras promises of a seed
    same(initializer(list(shape)), expected(name, 3))


@pytest.mark.parametrize("name", DRAWING)
def test_without_a_seed_each_call_draws(name):
    initializer, shape = made(name), LAWS[name][1]
    init.manual_seed(11)
    first, second = initializer(shape), initializer(shape)
    generator = init.Generator(11)
    same(first, expected(name, generator))
    same(second, expected(name, generator))
    assert init.default_generator.draws == 2


def test_dtypes():
    switch = contextlib.nullcontext()
    if keras.backend.backend() == "jax":
        switch = importlib.import_module("jax").enable_x64(True)
    with switch:
        same(nk.Normal(seed=1)((3,), "float64"), init.normal(3, dtype="float64", generator=1))
    same(nk.Normal(seed=1)((3,)), init.normal(3, dtype=keras.config.floatx(), generator=1))


def test_other_layouts():
    same(nk.XavierUniform(layout="OIHW", seed=2)((8, 4, 3, 3)), init.xavier_uniform((8, 4, 3, 3), generator=2))
    layout = init.Layout("IO", splits=(4, 2, 2))
    want = init.kaiming_normal((16, 8), layout=layout, generator=2)
    same(nk.KaimingNormal(layout=layout, seed=2)((16, 8)), want)


@pytest.mark.parametrize("shape", [(64, 128), (3, 3, 16, 32), (5, 16, 32)])
@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (nk.GlorotTruncatedNormal(seed=1), keras.initializers.GlorotNormal(seed=1)),
        (nk.HeTruncatedNormal(seed=1), keras.initializers.HeNormal(seed=1)),
        (nk.LecunTruncatedNormal(seed=1), keras.initializers.LecunNormal(seed=1)),
        (nk.LecunUniform(seed=1), keras.initializers.LecunUniform(seed=1)),
        *(
            (nk.VarianceScaling(0.7, mode, law, seed=1), keras.initializers.VarianceScaling(0.7, mode, law, seed=1))
            for mode in ("fan_in", "fan_out", "fan_avg")
            for law in ("truncated_normal", "uniform")
        ),
    ],
    ids=lambda one: repr(one) if isinstance(one, nk.VarianceScaling) else type(one).__name__,
)
def test_widths_of_what_keras_truncates(shape, mine, theirs):
    """Bounds within 2 %, which 2^13 values come nearer than but for a chance of e^-19, and the standard deviation."""
    ours, other = (np.asarray(keras.ops.convert_to_numpy(law(shape)), "f8") for law in (mine, theirs))
    assert math.isclose(abs(ours).max(), abs(other).max(), rel_tol=0.02)
    assert math.isclose(ours.std(), other.std(), rel_tol=6 / math.sqrt(min(ours.size, other.size)))


def test_the_forget_gate_of_an_lstm_of_keras():
    """A step without input: the cell keeps its share sigmoid(b_f), and nothing enters, since tanh(b_c) is 0."""
    cell = keras.layers.LSTMCell(
        3,
        kernel_initializer="zeros",
        recurrent_initializer="zeros",
        unit_forget_bias=False,
        bias_initializer=nk.ForgetBias(1.5),
    )
    cell.build((1, 2))
    usual = keras.layers.LSTMCell(3)
    usual.build((1, 2))
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(usual.bias), keras.ops.convert_to_numpy(nk.ForgetBias()((12,)))
    )
    state = np.array([[0.3, -0.2, 0.9]], "f4")
    _, (_, after) = cell(np.zeros((1, 2), "f4"), [np.zeros((1, 3), "f4"), state])
    np.testing.assert_allclose(keras.ops.convert_to_numpy(after), state / (1 + math.exp(-1.5)), rtol=1e-6)


# ---- configs and files ----


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("layout", [None, "OI", init.Layout("IO", splits=[3, 5]), init.Layout("IO", groups=2)], ids=str)
def test_configs(name, layout):
    more = {"layout": layout} if name in LAID_OUT else {}
    first = made(name, **more, **({"seed": [1, 2**70]} if name in DRAWING else {}))
    config = json.loads(json.dumps(first.get_config()))
    text = json.dumps(keras.initializers.serialize(first))
    for again in (
        type(first).from_config(config),
        first.clone(),
        keras.initializers.deserialize(json.loads(text)),
        keras.initializers.get(json.loads(text)),
        eval(repr(first), {**vars(nk), "Layout": init.Layout}),
    ):
        assert type(again) is type(first)
        assert repr(again) == repr(first)
        assert json.dumps(again.get_config()) == json.dumps(first.get_config())
    assert keras.saving.get_registered_name(type(first)) == f"numbainit>{name}"


def test_numbers_of_other_libraries_can_be_written():
    config = nk.Normal(mean=np.float32(0.5), std=keras.ops.convert_to_tensor(2.0), seed=np.int64(3)).get_config()
    assert json.dumps(config) == '{"mean": 0.5, "std": 2.0, "seed": 3}'


def test_a_model_saved_and_loaded(tmp_path):
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(6, 3, kernel_initializer=nk.KaimingNormal(nonlinearity="relu", seed=1)),
            keras.layers.Flatten(),
            keras.layers.Dense(4, kernel_initializer=nk.XavierUniform(layout=init.Layout("IO", splits=2))),
        ]
    )
    want = init.kaiming_normal((3, 3, 3, 6), nonlinearity="relu", layout="HWIO", generator=1)
    np.testing.assert_array_equal(model.get_weights()[0], want)
    path = tmp_path / "model.keras"
    model.save(path)
    loaded = keras.models.load_model(path)
    for mine, other in zip(model.layers, loaded.layers, strict=True):
        assert repr(getattr(mine, "kernel_initializer", None)) == repr(getattr(other, "kernel_initializer", None))
    for mine, other in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)
    fresh = keras.models.clone_model(loaded)
    np.testing.assert_array_equal(fresh.get_weights()[0], want)


# ---- laws beside Keras's ----


@pytest.mark.parametrize("shape", [(64, 128), (3, 3, 16, 32), (5, 16, 32)])
@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (nk.XavierUniform(seed=1), keras.initializers.GlorotUniform(seed=1)),
        (nk.KaimingUniform(nonlinearity="relu", seed=1), keras.initializers.HeUniform(seed=1)),
        (nk.KaimingUniform(nonlinearity="linear", seed=1), keras.initializers.LecunUniform(seed=1)),
    ],
    ids=["xavier", "kaiming", "lecun"],
)
def test_widths_are_those_of_keras(shape, mine, theirs):
    ours, other = (float(abs(keras.ops.convert_to_numpy(law(shape))).max()) for law in (mine, theirs))
    assert math.isclose(ours, other, rel_tol=0.02)


def test_normals_are_not_truncated_as_keras_are():
    ours = keras.ops.convert_to_numpy(nk.KaimingNormal(nonlinearity="relu", seed=1)((256, 256)))
    theirs = keras.ops.convert_to_numpy(keras.initializers.HeNormal(seed=1)((256, 256)))
    std = math.sqrt(2 / 256)
    assert abs(theirs).max() < 2.4 * std < 3.5 * std < abs(ours).max()
    assert math.isclose(ours.std(), theirs.std(), rel_tol=0.02)


# ---- what is refused ----


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nk.Normal(seed=init.Generator(0)), init.InvalidTypeError, "which a file can hold, got Generator"),
        (lambda: nk.Normal(seed=np.random.SeedSequence(1).spawn(1)[0]), init.InvalidTypeError, "a file can hold"),
        (lambda: nk.Normal(seed="a"), init.InvalidTypeError, "got str 'a'"),
        (lambda: nk.Normal(seed=True), init.InvalidTypeError, "got bool True"),
        (lambda: nk.Normal(seed=-1), init.InvalidValueError, "non-negative"),
        (lambda: nk.Normal(seed=keras.random.SeedGenerator(0)), init.InvalidTypeError, "got keras.*SeedGenerator"),
        (lambda: nk.Normal(std=-1)((3,)), init.InvalidValueError, "std must be >= 0"),
        (lambda: nk.Normal(std=[1])((3,)), init.InvalidTypeError, "std must be one value"),
        (lambda: nk.Normal()(-1), init.InvalidValueError, "no negative size"),
        (lambda: nk.Normal()((2.5,)), init.InvalidTypeError, "shape must be"),
        (lambda: nk.Normal()((3,), "int32"), init.InvalidTypeError, "got int32"),
        (lambda: nk.Normal()((3,), "foo"), init.InvalidTypeError, "one of Keras's, such as 'float32', got 'foo'"),
        (lambda: nk.Normal()((2**40, 2**40)), init.InvalidValueError, "cannot be an array"),
        (lambda: nk.KaimingNormal()((3,)), init.InvalidValueError, "fewer than 2 dimensions"),
        (lambda: nk.KaimingNormal(mode="x")((3, 4)), init.InvalidValueError, "Mode x not supported"),
        (lambda: nk.XavierNormal(layout="HWIO")((3, 4)), init.InvalidValueError, "names 4 axes"),
        (lambda: nk.XavierNormal(layout="OO"), init.InvalidValueError, "needs an O"),
        (lambda: nk.Sparse(1.5)((3, 4)), init.InvalidValueError, "sparsity"),
        (lambda: nk.Dirac(3)((3, 4, 8)), init.InvalidValueError, "divisible by groups"),
    ],
)
def test_senseless_calls(call, error, message):
    draws = init.default_generator.draws
    with pytest.raises(error, match=message):
        call()
    assert init.default_generator.draws == draws


# ---- other backends, no backend ----

OTHER = """
import numpy as np, keras, numbainit as init
from numbainit.keras import KaimingNormal
assert keras.backend.backend() == "torch"
layer = keras.layers.Dense(4, kernel_initializer=KaimingNormal(seed=1))
layer.build((None, 6))
want = init.kaiming_normal((6, 4), layout="IO", generator=1)
assert (layer.kernel.value.detach().cpu().numpy() == want).all()
"""


def in_another_process(code, backend):
    environment = os.environ | {"KERAS_BACKEND": backend}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, env=environment)


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")
def test_the_same_values_on_torch():
    done = in_another_process(OTHER, "torch")
    assert done.returncode == 0, done.stderr
