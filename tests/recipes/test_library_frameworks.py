"""keras-default and flax-default → the laws of Keras's and flax's own layers, in arrays of their models."""

import numpy as np
import pytest

import budget
from numbainit import recipes
from recipe_laws import compared, law

pytestmark = pytest.mark.full
jax = pytest.importorskip("jax", reason="jax is not installed: pip install 'numbainit[jax]'")
keras = pytest.importorskip("keras", reason="keras is not installed: pip install 'numbainit[keras]'")
flax = pytest.importorskip("flax", reason="flax is not installed: pip install 'numbainit[peers]'")

from flax import linen, nnx  # noqa: E402

SEEDS = 2


def check(made, ours, theirs, what):
    """Values by name; theirs for each seed."""
    assert made.keys() == ours.keys() == theirs[0].keys()
    assert len(made.names("drawn")) > 10
    p_values = [1.0]
    for name, value in ours.items():
        p_values += compared(name, value, [other[name] for other in theirs], law(made[name]))
    budget.check(min(1.0, len(p_values) * min(p_values)), f"{what}, the least of {len(p_values)}")


# ---- Keras ----


def keras_model():
    layers = keras.layers
    image, words = keras.Input((12, 12, 3)), keras.Input((4,))
    x = layers.Conv2D(8, 3)(image)
    x = layers.DepthwiseConv2D(3, depth_multiplier=2)(x)
    x = layers.SeparableConv2D(8, 3)(x)
    x = layers.Conv2DTranspose(6, 3)(x)
    x = layers.GroupNormalization(2)(layers.BatchNormalization()(x))
    x = layers.Reshape((-1, 6))(layers.PReLU(shared_axes=(1, 2))(x))
    x = layers.RMSNormalization()(layers.LayerNormalization()(layers.Conv1D(16, 3)(x)))
    x = layers.MultiHeadAttention(4, 5)(x, x)
    x = layers.Bidirectional(layers.LSTM(10, return_sequences=True))(x)
    x = layers.SimpleRNN(9)(layers.GRU(12, return_sequences=True)(x))
    y = layers.Flatten()(layers.Embedding(50, 20)(words))
    return keras.Model([image, words], layers.Dense(30)(layers.Concatenate()([x, y])))


def built(seed):
    """A model, with the names that layers have in a session's first one."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    return keras_model()


def keras_values(model, names):
    values = (keras.ops.convert_to_numpy(one.value).astype("float64") for one in model.weights)
    return dict(zip(names, values, strict=True))


def test_keras_default():
    rules = recipes.load("keras-default")
    model = built(0)
    made = rules.recipe(model)
    theirs = [keras_values(built(seed), made) for seed in range(SEEDS)]
    assert rules.recipe(built(1)) == made
    made.apply(model, generator=0)
    check(made, keras_values(model, made), theirs, "keras-default")


# ---- flax ----


class Nnx(nnx.Module):
    def __init__(self, seed):
        rngs = nnx.Rngs(seed)
        self.conv = nnx.Conv(3, 8, (3, 3), rngs=rngs)
        self.grouped = nnx.Conv(8, 16, (3,), feature_group_count=4, rngs=rngs)
        self.back = nnx.ConvTranspose(8, 6, (2, 2), rngs=rngs)
        self.norms = nnx.Dict(batch=nnx.BatchNorm(6, rngs=rngs), layer=nnx.LayerNorm(6, rngs=rngs))
        self.table = nnx.Embed(50, 20, rngs=rngs)
        self.attention = nnx.MultiHeadAttention(4, 20, rngs=rngs)
        self.lstm, self.gru = nnx.LSTMCell(20, 10, rngs=rngs), nnx.GRUCell(20, 12, rngs=rngs)
        self.fast = nnx.OptimizedLSTMCell(20, 10, rngs=rngs)
        self.dense = nnx.Linear(20, 30, rngs=rngs)


def nnx_values(model):
    found = {}
    for path, variable in nnx.iter_graph(model):
        if isinstance(variable, (nnx.Param, nnx.BatchStat)):
            found[".".join(map(str, path))] = np.asarray(variable[...], "float64")
    return found


def test_flax_default_nnx():
    theirs = [nnx_values(Nnx(seed)) for seed in range(SEEDS)]
    model = Nnx(9)
    made = recipes.load("flax-default").recipe(model)
    made.apply(model, generator=0)
    check(made, nnx_values(model), theirs, "flax-default, nnx")


class Linen(linen.Module):
    @linen.compact
    def __call__(self, image, words):
        x = linen.Conv(8, (3, 3))(image)
        x = linen.ConvTranspose(6, (2, 2))(x)
        x = linen.PReLU()(linen.GroupNorm(2)(linen.BatchNorm(use_running_average=True)(x)))
        y = linen.Embed(50, 20)(words)
        y = linen.RMSNorm()(linen.MultiHeadDotProductAttention(4)(y, y))
        y = linen.RNN(linen.OptimizedLSTMCell(10))(y)
        y = linen.RNN(linen.GRUCell(12))(y)
        return linen.Dense(30)(x), linen.DenseGeneral(7)(linen.LayerNorm()(y))


def linen_values(tree):
    return {
        ".".join(key.key for key in path): np.asarray(leaf, "float64")
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }


def test_flax_default_linen():
    inputs = np.zeros((1, 8, 8, 3), "float32"), np.zeros((1, 5), "int32")
    trees = [Linen().init(jax.random.key(seed), *inputs) for seed in range(SEEDS)]
    made = recipes.load("flax-default").recipe(trees[0])
    filled = made.apply(trees[0], generator=0)
    theirs = [linen_values(tree) for tree in trees]
    ours = linen_values(trees[0] if filled is None else filled)
    check(recipes.Recipe({name: made[name] for name in ours}), ours, theirs, "flax-default, linen")
