"""``numbainit.jax`` → JAX, flax linen and nnx: the values of the functional forms, wherever and however JAX asks."""

import math
import pickle
import subprocess
import sys

import numpy as np
import pytest

import numbainit as init
from fuzz import odd

pytestmark = pytest.mark.full
jax = pytest.importorskip("jax", reason="JAX is not installed: pip install 'numbainit[jax]'")

import jax.numpy as jnp  # noqa: E402

import numbainit.jax as nj  # noqa: E402

KEY = jax.random.key(2026)
LAWS = {
    "uniform": ((5, 3), {"a": -1.0, "b": 2.0}),
    "normal": ((5, 3), {"mean": 1.0, "std": 0.5}),
    "trunc_normal": ((5, 3), {"std": 0.5, "a": 0.5, "b": 2.0}),
    "constant": ((5, 3), {"val": 0.25}),
    "ones": ((5, 3), {}),
    "zeros": ((5, 3), {}),
    "eye": ((5, 3), {}),
    "dirac": ((3, 3, 4, 8), {"groups": 2}),
    "xavier_uniform": ((3, 3, 4, 8), {"gain": 2.0}),
    "xavier_normal": ((4, 8), {"gain": 2.0}),
    "kaiming_uniform": ((3, 4, 8), {"a": 0.2}),
    "kaiming_normal": ((3, 3, 4, 8), {"mode": "fan_out", "nonlinearity": "relu"}),
    "orthogonal": ((3, 3, 4, 8), {"gain": 2.0}),
    "sparse": ((8, 5), {"sparsity": 0.3, "std": 0.5}),
    "variance_scaling": ((3, 3, 4, 8), {"scale": 2.0, "mode": "fan_geo_avg"}),
    "lecun_uniform": ((4, 8), {}),
    "lecun_normal": ((4, 8), {}),
    "lecun_truncated_normal": ((3, 4, 8), {}),
    "glorot_truncated_normal": ((4, 8), {}),
    "he_truncated_normal": ((4, 8), {}),
    "sine": ((4, 8), {"layer": "first"}),
    "icnr": ((3, 3, 4, 8), {"distribution": "uniform"}),
    "identity": ((5, 3), {"gain": 2.0}),
    "bilinear": ((3, 3, 8, 8), {}),
    "delta_orthogonal": ((3, 3, 4, 8), {"gain": 2.0}),
    "convolution_orthogonal": ((3, 3, 4, 8), {"gain": 2.0}),
    "hadamard": ((8, 5), {"gain": 2.0}),
    "randomized_hadamard": ((8, 5), {"gain": 2.0}),
    "forget_bias": ((8,), {"gates": "ijfo"}),
    "log_uniform": ((5,), {"a": 0.5, "b": 2.0}),
    "log_of_uniform": ((5,), {"b": 4.0}),
    "time_step_bias": ((5,), {"floor": 0.01}),
    "log_arange": ((5, 3), {"start": 2.0}),
}
LAID_OUT = tuple(name for name in LAWS if "layout" in init.initializers.parameters(name))
DRAW_NOTHING = tuple(name for name in LAWS if not init.Initializer(name, **LAWS[name][1]).draws)
LAYOUTS = {2: "IO", 3: "WIO", 4: "HWIO"}


def test_which_have_layouts_and_draw_nothing():
    assert {"dirac", "icnr", "convolution_orthogonal", "xavier_normal"} < set(LAID_OUT)
    assert {"zeros", "hadamard", "log_arange", "forget_bias"} < set(DRAW_NOTHING)


def expected(name, generator, shape=None, **more):
    """What the functional form gives."""
    usual, arguments = LAWS[name]
    shape = usual if shape is None else shape
    if name in LAID_OUT:
        more.setdefault("layout", LAYOUTS[len(shape)])
    if name not in DRAW_NOTHING:
        more["generator"] = generator
    return getattr(init, name)(shape, **arguments, **more)


def same(array, want):
    assert isinstance(array, jax.Array)
    assert (array.shape, array.dtype) == (want.shape, want.dtype)
    np.testing.assert_array_equal(np.asarray(array), want)


def test_every_law_is_here():
    assert set(LAWS) | {"Initializer", "generator"} == set(nj.__all__)
    assert {name + "_" for name in LAWS} | {"bits_"} == {name for name in init.__all__ if name.endswith("_")}


@pytest.mark.parametrize("name", LAWS)
def test_values_are_those_of_the_functional_form(name):
    shape, arguments = LAWS[name]
    same(getattr(nj, name)(**arguments)(KEY, shape), expected(name, init.Generator.from_key(0, 2026)))


@pytest.mark.parametrize("name", LAWS)
def test_the_same_under_jit(name):
    shape, arguments = LAWS[name]
    make = jax.jit(getattr(nj, name)(**arguments), static_argnums=(1, 2))
    same(make(KEY, shape, jnp.float32), expected(name, init.Generator.from_key(0, 2026)))


@pytest.mark.parametrize("name", LAID_OUT)
def test_other_layouts(name):
    made = getattr(nj, name)(**LAWS[name][1], layout="OIHW")(KEY, (8, 4, 3, 3))
    same(made, expected(name, init.Generator.from_key(0, 2026), (8, 4, 3, 3), layout="OI"))


def test_layouts_with_splits():
    layout = init.Layout("IO", splits=(4, 2, 2))
    want = init.xavier_uniform((16, 8), layout=layout, generator=nj.generator(KEY))
    same(nj.xavier_uniform(layout=layout)(KEY, (16, 8)), want)


# ---- keys ----


def words_of(key):
    return [int(word) for word in np.asarray(jax.random.key_data(key))]


@pytest.mark.parametrize("seed", [0, 1, 2**31 - 1])
def test_two_words_are_the_key(seed):
    for key in (jax.random.key(seed), jax.random.PRNGKey(seed), np.array([0, seed], "uint32")):
        assert nj.generator(key) == init.Generator.from_key(0, seed)
        same(nj.normal()(key, (3,)), init.normal(3, generator=init.Generator.from_key(0, seed)))
    split = jax.random.split(jax.random.key(seed))[1]
    assert nj.generator(split) == init.Generator.from_key(*words_of(split))


@pytest.mark.parametrize("how", ["rbg", "unsafe_rbg"])
def test_wider_keys_are_folded(how):
    key = jax.random.key(5, impl=how)
    w0, w1, w2, w3 = words_of(key)
    want = init.Generator.from_key(w0, w1).fold_in(w2 | w3 << 32)
    assert nj.generator(key) == want
    values = init.normal(3, generator=want)
    same(nj.normal()(key, (3,)), values)
    same(jax.jit(lambda key: nj.normal()(key, (3,)))(key), values)
    assert nj.generator(np.arange(1, 4, dtype="uint32")) == init.Generator.from_key(1, 2).fold_in(3)


def test_vmapped_keys():
    """As each key alone gives, under one, two and jitted vmaps, and in a scan."""
    keys = jax.random.split(KEY, 6).reshape(2, 3)
    law = nj.kaiming_normal()
    want = np.array([[np.asarray(law(key, (4, 5))) for key in row] for row in keys])
    one = jax.vmap(lambda key: law(key, (4, 5)))
    same(one(keys[1]), want[1])
    same(jax.vmap(one)(keys), want)
    same(jax.jit(jax.vmap(one))(keys), want)
    same(jax.lax.scan(lambda carry, key: (carry, law(key, (4, 5))), 0, keys[0])[1], want[0])
    same(jax.vmap(lambda key: nj.normal()(key, ()))(keys[0]), np.array([nj.normal()(key, ()) for key in keys[0]]))


def test_nothing_is_made_to_learn_a_shape():
    """Also with a key from outside: this weight would take 4 TB."""
    made = jax.eval_shape(lambda: nj.normal()(KEY, (10**6, 10**6)))
    assert (made.shape, made.dtype) == ((10**6, 10**6), np.float32)
    assert "pure_callback" in str(jax.make_jaxpr(lambda: nj.normal()(KEY, (4,)))())


def test_constants_do_not_look_at_the_key():
    for name in DRAW_NOTHING:
        shape, arguments = LAWS[name]
        same(getattr(nj, name)(**arguments)(None, shape), expected(name, None))


# ---- dtypes ----


@pytest.mark.parametrize("dtype", [None, "float32", "float64", float, jnp.float32])
def test_narrow_dtypes_by_default(dtype):
    same(nj.normal()(KEY, (3,), dtype), init.normal(3, generator=nj.generator(KEY)))


def test_float64():
    want = init.kaiming_normal((4, 5), layout="IO", dtype="float64", generator=nj.generator(KEY))
    with jax.enable_x64(True):
        same(nj.kaiming_normal()(KEY, (4, 5), "float64"), want)
        same(jax.jit(lambda key: nj.kaiming_normal()(key, (4, 5), jnp.float64))(KEY), want)
        assert nj.kaiming_normal()(KEY, (4, 5), None).dtype == np.float64


# ---- values ----


def test_initializers_are_values():
    for name, (_, arguments) in LAWS.items():
        first, second = getattr(nj, name)(**arguments), getattr(nj, name)(**arguments)
        assert first == second
        assert hash(first) == hash(second)
        assert pickle.loads(pickle.dumps(first)) == first
        assert eval(repr(first), {name: getattr(nj, name)}) == first
    assert nj.normal(std=np.float32(0.5)) == nj.normal(std=jnp.float32(0.5)) == nj.normal(std=0.5) != nj.normal()
    assert nj.normal(0, 1) != nj.uniform(0, 1)
    assert nj.xavier_normal(layout="oi") == nj.xavier_normal(layout=init.Layout()) != nj.xavier_normal()


def test_jit_finds_what_it_has_compiled():
    traced = []

    def make(law, key):
        traced.append(law)
        return law(key, (3, 4))

    jitted = jax.jit(make, static_argnums=0)
    for seed in range(3):
        jitted(nj.kaiming_normal(0.1), jax.random.key(seed))
    assert len(traced) == 1


@pytest.mark.parametrize("shape", [(64, 128), (3, 3, 16, 32), (5, 16, 32)])
@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (nj.xavier_uniform(), jax.nn.initializers.glorot_uniform()),
        (nj.kaiming_uniform(nonlinearity="relu"), jax.nn.initializers.he_uniform()),
        (nj.kaiming_uniform(nonlinearity="linear"), jax.nn.initializers.lecun_uniform()),
        (nj.lecun_uniform(), jax.nn.initializers.lecun_uniform()),
        (nj.glorot_truncated_normal(), jax.nn.initializers.glorot_normal()),
        (nj.he_truncated_normal(), jax.nn.initializers.he_normal()),
        (nj.lecun_truncated_normal(), jax.nn.initializers.lecun_normal()),
    ],
    ids=["xavier", "kaiming", "lecun", "lecun uniform", "glorot", "he", "lecun truncated"],
)
def test_widths_are_those_of_jax(shape, mine, theirs):
    """2^13 values of U(-c, c) or more reach 0.995 c but for a chance of e^-80; of a normal cut at 2 sigma, of e^-19."""
    ours, other = (float(abs(law(KEY, shape)).max()) for law in (mine, theirs))
    assert min(shape[-1], shape[-2]) * max(shape) >= 512
    assert math.isclose(ours, other, rel_tol=0.02)


AXES = {  # a layout, and what JAX calls it
    "HWIO": {"in_axis": -2, "out_axis": -1},
    "OIHW": {"in_axis": 1, "out_axis": 0},
    "EHIO": {"in_axis": 2, "out_axis": 3, "batch_axis": 0},
    "IIOO": {"in_axis": (0, 1), "out_axis": (2, 3)},
}


@pytest.mark.parametrize("layout", AXES)
@pytest.mark.parametrize("distribution", ["truncated_normal", "normal", "uniform"])
@pytest.mark.parametrize("mode", ["fan_in", "fan_out", "fan_avg", "fan_geo_avg"])
def test_variance_scaling_has_the_law_of_jax(mode, distribution, layout):
    """The ratio of standard deviations, and Kolmogorov-Smirnov's distance, of two samples of 46,080 values."""
    shape = (6, 8, 30, 32)
    theirs = jax.nn.initializers.variance_scaling(0.7, mode, distribution, **AXES[layout])(KEY, shape)
    mine = nj.variance_scaling(0.7, mode, distribution, layout=layout)(KEY, shape)
    ours, other = (np.sort(np.asarray(array, "f8").ravel()) for array in (mine, theirs))
    assert abs(ours.std() / other.std() - 1) < 6 / math.sqrt(
        ours.size
    )  # at most six standard errors, of a chance of 1e-8
    both = np.concatenate([ours, other])
    distance = abs(np.searchsorted(ours, both, "right") - np.searchsorted(other, both, "right")).max() / ours.size
    assert distance < 3.1 * math.sqrt(2 / ours.size)  # a false alarm in 1e8


@pytest.mark.parametrize("shape", [(3, 4, 6), (3, 3, 4, 6), (4, 2, 5, 5)])
def test_delta_orthogonal_lies_where_jax_puts_it(shape):
    theirs = np.asarray(jax.nn.initializers.delta_orthogonal(2.0)(KEY, shape))
    mine = np.asarray(nj.delta_orthogonal(2.0)(KEY, shape))
    np.testing.assert_array_equal(mine != 0, theirs != 0)
    for kernel in (mine, theirs):
        matrix = kernel.sum(axis=tuple(range(len(shape) - 2)))
        np.testing.assert_allclose(matrix @ matrix.T, 4 * np.eye(len(matrix)), atol=1e-4)
    wide = (*shape[:-2], 6, 4)
    for law in (jax.nn.initializers.delta_orthogonal(), nj.delta_orthogonal(), nj.convolution_orthogonal()):
        with pytest.raises(ValueError, match=r"less or equal|as many outputs as inputs"):
            law(KEY, wide)
        with pytest.raises(ValueError, match=r"less or equal|as many outputs as inputs"):
            jax.jit(lambda key, law=law: law(key, wide))(KEY)


@pytest.mark.parametrize("padding", [(5,), (5, 4), (4, 3, 5)], ids=["1-D", "2-D", "3-D"])
def test_a_convolution_of_jax_keeps_norms(padding):
    """On a periodic signal, written out as a longer one whose ends are those of the other side."""
    rank = len(padding)
    kernel = nj.convolution_orthogonal()(KEY, (*(3, 2, 2)[:rank], 3, 5))
    x = np.random.default_rng(0).normal(size=(2, *padding, 3)).astype("f4")
    longer = np.pad(x, [(0, 0), *((0, size - 1) for size in kernel.shape[:rank]), (0, 0)], mode="wrap")
    axes = "XYZ"[:rank]
    numbers = (f"N{axes}C", f"{axes}IO", f"N{axes}C")
    y = jax.lax.conv_general_dilated(longer, kernel, [1] * rank, "VALID", dimension_numbers=numbers)
    assert y.shape == (2, *padding, 5)
    for one, other in zip(np.asarray(y), x, strict=True):
        assert math.isclose(np.linalg.norm(one), np.linalg.norm(other), rel_tol=1e-5)


# ---- flax ----


def test_linen():
    linen = pytest.importorskip("flax", reason="flax is not installed: pip install 'numbainit[peers]'").linen

    class Net(linen.Module):
        @linen.compact
        def __call__(self, x):
            x = linen.Conv(8, (3, 3), kernel_init=nj.kaiming_normal(nonlinearity="relu"))(x)
            return linen.Dense(4, kernel_init=nj.orthogonal(), bias_init=nj.constant(0.5))(x.reshape(len(x), -1))

    model, x = Net(), jnp.ones((2, 8, 8, 3))
    assert hash(model) == hash(Net())
    plain, jitted = model.init(KEY, x)["params"], jax.jit(model.init)(KEY, x)["params"]
    jax.tree.map(lambda a, b: same(a, np.asarray(b)), plain, jitted)
    kernel = np.asarray(plain["Conv_0"]["kernel"])
    assert abs(kernel.std() / math.sqrt(2 / 27) - 1) < 0.3
    dense = np.asarray(plain["Dense_0"]["kernel"])
    np.testing.assert_allclose(dense.T @ dense, np.eye(4), atol=1e-5)
    assert (np.asarray(plain["Dense_0"]["bias"]) == 0.5).all()
    assert model.apply({"params": plain}, x).shape == (2, 4)


def test_nnx():
    nnx = pytest.importorskip("flax.nnx", reason="flax is not installed: pip install 'numbainit[peers]'")

    def build():
        return nnx.Linear(6, 4, kernel_init=nj.xavier_normal(), bias_init=nj.zeros(), rngs=nnx.Rngs(3))

    plain, jitted = build(), nnx.jit(build)()
    key = nnx.Rngs(3).params()
    want = init.xavier_normal((6, 4), layout="IO", generator=nj.generator(key))
    same(plain.kernel[...], want)
    same(jitted.kernel[...], want)
    assert nnx.eval_shape(build).kernel.shape == (6, 4)
    stack = nnx.vmap(lambda rngs: nnx.Linear(6, 4, kernel_init=nj.xavier_normal(), rngs=rngs))
    kernels = np.asarray(stack(nnx.Rngs(3).split(5)).kernel[...])
    assert kernels.shape == (5, 6, 4)
    assert len(np.unique(kernels)) == kernels.size


# ---- shards ----

SHARDS = """
import os
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8"
import jax, numpy as np, numbainit as init, numbainit.jax as nj
from jax.sharding import NamedSharding, PartitionSpec as P, SingleDeviceSharding
mesh = jax.sharding.Mesh(np.array(jax.devices()).reshape(4, 2), ("x", "y"))
key, largest, fill = jax.random.key(3), [0], init.Initializer.__call__
def watched(self, array, *rest, **keywords):
    largest[0] = max(largest[0], array.size)
    return fill(self, array, *rest, **keywords)
init.Initializer.__call__ = watched
layout, shape = init.Layout("IO", splits=(6, 12, 6)), (16, 24)
for law, how in [(nj.kaiming_normal(), {"layout": "IO"}), (nj.xavier_uniform(layout=layout), {"layout": layout}),
                 (nj.sparse(0.4), {"sparsity": 0.4}), (nj.eye(), {}), (nj.trunc_normal(), {}), (nj.log_uniform(), {}),
                 (nj.glorot_truncated_normal(), {"layout": "IO"}), (nj.forget_bias(), {})]:
    if law.initializer.draws:
        how["generator"] = nj.generator(key)
    want = getattr(init, law.initializer.name)(shape, **how)
    for spec in [P("x", "y"), P(("x", "y")), P(None, ("y", "x")), P("y"), P(None, "x"), P()]:
        sharding = NamedSharding(mesh, spec)
        part = np.prod(sharding.shard_shape(shape))
        for make in (lambda key: law(key, shape, out_sharding=sharding),
                     jax.jit(lambda key: law(key, shape, out_sharding=sharding))):
            largest[0] = 0
            made = make(key)
            assert made.sharding.is_equivalent_to(sharding, 2), (law, spec)
            assert (np.asarray(made) == want).all(), (law, spec)
            assert largest[0] == part, (law, spec, largest)
whole = nj.orthogonal()(key, shape, out_sharding=NamedSharding(mesh, P()))
assert np.allclose(whole @ whole.T, np.eye(16), atol=1e-5)
cut = NamedSharding(mesh, P("x"))
keys = jax.random.split(key, 3)
want = np.array([nj.normal()(key, shape) for key in keys])
for kind in jax.sharding.AxisType.Auto, jax.sharding.AxisType.Explicit:
    with jax.set_mesh(jax.make_mesh((4, 2), ("x", "y"), axis_types=(kind,) * 2)) as mesh:
        here = NamedSharding(jax.sharding.get_mesh(), P("x", "y"))
        for sharding in (None, here):
            make = jax.vmap(lambda key: nj.normal()(key, shape, out_sharding=sharding))
            assert (np.asarray(jax.jit(make)(keys)) == want).all(), (kind, sharding)
        for make in (nj.normal(), jax.jit(nj.normal(), static_argnums=(1, 2, 3))):
            made = make(keys[1], shape, "float32", P("x", "y"))
            assert made.sharding.is_equivalent_to(here, 2) and (np.asarray(made) == want[1]).all()
        alone = jax.jit(lambda key: nj.normal()(key, shape), out_shardings=here)(keys[1])
        assert alone.sharding.is_equivalent_to(here, 2) and (np.asarray(alone) == want[1]).all()
mesh = cut.mesh
one = SingleDeviceSharding(jax.devices()[2])
assert nj.normal()(key, (5,), out_sharding=one).sharding == one
for call, text in [
    (lambda: jax.jit(lambda key: nj.orthogonal()(key, shape, out_sharding=cut))(key), "no part of an orthogonal"),
    (lambda: nj.orthogonal()(key, shape, out_sharding=cut), "no part of an orthogonal"),
    (lambda: nj.normal()(key, shape, out_sharding="x"), "must be a jax.sharding.Sharding, got"),
    (lambda: nj.normal()(key, shape, out_sharding=P("x")), "got a PartitionSpec and no mesh"),
    (lambda: jax.jit(lambda key: nj.normal()(key, shape, out_sharding=P("x")))(key), "got a PartitionSpec and no mesh"),
    (lambda: jax.jit(lambda key: nj.normal()(key, shape, out_sharding=one))(key), "must be a jax.sharding.NamedShar"),
    (lambda: nj.normal(std=-1)(key, shape, out_sharding=cut), "std must be >= 0"),
]:
    try:
        call()
    except init.NumbaInitError as error:
        assert text in str(error), error
    else:
        raise AssertionError(text)
"""


def test_each_device_makes_its_shard_alone():
    """Eight devices on one CPU, which JAX must know of before it starts."""
    done = subprocess.run([sys.executable, "-c", SHARDS], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


# ---- what is refused, also while JAX traces ----

REFUSED = [
    (lambda key: nj.normal(std=-1)(key, (3,)), init.InvalidValueError, "std must be >= 0"),
    (lambda key: nj.normal(std=[1.0])(key, (3,)), init.InvalidTypeError, "std must be one value, got list"),
    (lambda key: nj.normal(std=key)(key, (3,)), init.InvalidTypeError, "std must be (one value|a number), got"),
    (lambda key: nj.uniform(2, 1)(key, (3,)), init.InvalidValueError, "a <= b"),
    (lambda key: nj.sparse(1.5)(key, (3, 3)), init.InvalidValueError, "sparsity"),
    (lambda key: nj.kaiming_normal()(key, (3,)), init.InvalidValueError, "fewer than 2 dimensions"),
    (lambda key: nj.kaiming_normal(mode="x")(key, (3, 4)), init.InvalidValueError, "Mode x not supported"),
    (lambda key: nj.orthogonal()(key, ()), init.InvalidValueError, "2 or more dimensions"),
    (lambda key: nj.orthogonal(math.nan)(key, (3, 4)), init.InvalidValueError, "gain"),
    (lambda key: nj.eye()(key, (3,)), init.InvalidValueError, "2 dimensions"),
    (lambda key: nj.dirac(3)(key, (3, 4, 8)), init.InvalidValueError, "divisible by groups"),
    (lambda key: nj.xavier_normal(layout="HWIO")(key, (3, 4)), init.InvalidValueError, "layout 'HWIO' names 4 axes"),
    (lambda key: nj.xavier_normal(layout=3), init.InvalidTypeError, "layout is a str"),
    (lambda key: nj.normal()(key, -1), init.InvalidValueError, "no negative size"),
    (lambda key: nj.normal()(key, (3,), odd.Raising()), init.InvalidTypeError, "dtype must be one of JAX's"),
    (lambda key: nj.normal()(key, (2.5,)), init.InvalidTypeError, "shape must be"),
    (lambda key: nj.normal()(key, (3,), "int32"), init.InvalidTypeError, "got int32"),
    (lambda key: nj.normal()(key, (3,), "foo"), init.InvalidTypeError, "dtype must be one of JAX's"),
    (lambda key: nj.normal()(odd.Raising(), (3,)), init.InvalidTypeError, "key must be a JAX key"),
    (lambda key: nj.normal()(None, (3,)), init.InvalidTypeError, "key must be a JAX key, .* got NoneType"),
    (lambda key: nj.normal()(0, (3,)), init.InvalidTypeError, "got int"),
    (lambda key: nj.normal()(jnp.zeros(2), (3,)), init.InvalidTypeError, "got an array of float32"),
    (
        lambda key: nj.normal()(jax.random.split(key), (3,)),
        init.InvalidValueError,
        r"one key .* \(2, 2\): use jax.vmap",
    ),
    (lambda key: nj.normal()(np.zeros(1, "uint32"), (3,)), init.InvalidValueError, "two words or more"),
]


@pytest.mark.parametrize(("call", "error", "message"), REFUSED)
def test_senseless_calls(call, error, message):
    with pytest.raises(error, match=message):
        call(KEY)
    with pytest.raises(error, match=message):
        jax.jit(call)(KEY)


def test_traced_arguments_and_keys():
    with pytest.raises(init.InvalidTypeError, match="got a traced value: scale"):
        jax.jit(lambda std: nj.normal(std=std)(KEY, (3,)))(1.0)
    with pytest.raises(init.InvalidTypeError, match=r"outside of jax\.jit"):
        jax.jit(lambda key: nj.generator(key).key)(KEY)


def test_zero_elements():
    """torch's warning once, when the array is asked for."""
    for make in (lambda key: nj.normal()(key, (0, 3)), jax.jit(lambda key: nj.normal()(key, (0, 3)))):
        assert make(KEY).shape == (0, 3)
    for make in (lambda key: nj.kaiming_normal()(key, (0, 3)), jax.jit(lambda key: nj.kaiming_normal()(key, (0, 3)))):
        with pytest.warns(UserWarning, match="zero-element") as caught:
            assert make(KEY).shape == (0, 3)
        assert len(caught) == 1
