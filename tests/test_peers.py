"""torch and jax themselves → the same behaviour here, law by law, wherever ours promises theirs.

Skipped where they are not installed; the extra ``peers`` installs them. Random laws are compared by two-sample
Kolmogorov-Smirnov tests with fixed seeds on either side: nothing here is flaky. Had the seeds been others, each of
them would fail by chance with probability ``FALSE_ALARM``, and any of them, fewer than 100, with less than 10^-4.
"""

import functools
import inspect
import math
import warnings

import numpy as np
import pytest
from scipy import stats

import numbainit as init
from cases import NEEDED, shape_for

pytestmark = pytest.mark.full
torch = pytest.importorskip("torch", reason="compares with torch: pip install 'numbainit[peers]'")
nn = torch.nn.init

N = 2**18
FALSE_ALARM = 1e-6
OLD_NAMES = [name for name in nn.__all__ if not name.endswith("_") and name != "calculate_gain"]
IN_PLACE = [name for name in nn.__all__ if name.endswith("_")]


def same_law(ours, theirs):
    """Two samples, by a Kolmogorov-Smirnov test."""
    result = stats.ks_2samp(np.ravel(ours), np.ravel(theirs), method="asymp")
    assert result.pvalue > FALSE_ALARM, result


def both(name, shape, *arguments, dtype="float32", **keywords):
    """Our values and torch's."""
    ours = getattr(init, name)(np.empty(shape, dtype), *arguments, **keywords, generator=12)
    generator = torch.Generator().manual_seed(34)
    tensor = torch.empty(shape, dtype=getattr(torch, dtype))
    return ours, getattr(nn, name)(tensor, *arguments, **keywords, generator=generator).numpy()


def message(function, *arguments, **keywords):
    """What the function raises, as the builtin type and the text."""
    with pytest.raises((ValueError, TypeError, RuntimeError)) as caught:
        function(*arguments, **keywords)
    return next(kind for kind in (ValueError, TypeError, RuntimeError) if isinstance(caught.value, kind)), str(
        caught.value
    )


def outcome(function, *arguments):
    """``(None, result)``, or ``(ValueError, text)``."""
    try:
        return None, function(*arguments)
    except ValueError as error:
        return ValueError, str(error)


# ---- names and signatures ----


def test_every_name_is_here():
    helpers = ["_calculate_fan_in_and_fan_out", "_calculate_correct_fan"]
    assert set(nn.__all__) | set(helpers) <= set(init.__all__)


@pytest.mark.parametrize(
    "name", [*IN_PLACE, "calculate_gain", "_calculate_fan_in_and_fan_out", "_calculate_correct_fan"]
)
def test_signatures(name):
    """Torch's, then what torch has not: keywords with a default."""
    ours, theirs = (list(inspect.signature(getattr(module, name)).parameters.values()) for module in (init, nn))
    more, ours = ours[len(theirs) :], ours[: len(theirs)]
    assert all(p.kind is p.KEYWORD_ONLY and p.default is not p.empty for p in more)
    assert [(p.name, p.default, p.kind) for p in ours] == [(p.name, p.default, p.kind) for p in theirs]
    assert [repr(p.default) for p in ours] == [repr(p.default) for p in theirs]


@pytest.mark.parametrize("name", IN_PLACE)
def test_return_value(name):
    array, tensor = np.empty(shape_for(name), "f4"), torch.empty(shape_for(name))
    assert getattr(init, name)(array, **NEEDED.get(name, {})) is array
    assert getattr(nn, name)(tensor, **NEEDED.get(name, {})) is tensor


@pytest.mark.parametrize("name", OLD_NAMES)
def test_old_spellings(name):
    array, tensor = np.empty(shape_for(name + "_"), "f4"), torch.empty(shape_for(name + "_"))
    with pytest.warns(FutureWarning) as ours:
        assert getattr(init, name)(array, **NEEDED.get(name + "_", {})) is array
    with pytest.warns(FutureWarning) as theirs:
        assert getattr(nn, name)(tensor, **NEEDED.get(name + "_", {})) is tensor
    assert [str(w.message) for w in ours] == [str(w.message) for w in theirs]
    assert [w.filename for w in ours] == [w.filename for w in theirs] == [__file__]


# ---- exact values ----


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(), (5,), (3, 4), (2, 3, 4), (0,), (0, 3)])
def test_constants(shape, dtype):
    for name, arguments in [
        *[("ones_", ()), ("zeros_", ())],
        *[("constant_", (value,)) for value in (0.3, -1, True, 1e-46, 1e30, math.inf, -math.inf, math.nan)],
    ]:
        ours = getattr(init, name)(np.empty(shape, dtype), *arguments)
        theirs = getattr(nn, name)(torch.empty(shape, dtype=getattr(torch, dtype)), *arguments).numpy()
        assert np.array_equal(ours, theirs, equal_nan=True)


def test_a_constant_that_overflows_is_refused_by_both():
    with pytest.raises(RuntimeError, match="overflow"):
        nn.constant_(torch.empty(3), 1e300)
    with pytest.raises(init.NumbaInitError, match="float32"):
        init.constant_(np.empty(3, "f4"), 1e300)


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (2, 5), (5, 2), (0, 3), (3, 0), (0, 0)])
def test_eye(shape):
    assert np.array_equal(init.eye_(np.empty(shape, "f4")), nn.eye_(torch.empty(shape)).numpy())


@pytest.mark.parametrize("receptive", [(1,), (3,), (4,), (3, 3), (5, 2), (1, 4), (3, 2, 5), (1, 1, 1)])
@pytest.mark.parametrize("channels", [(1, 1), (4, 4), (6, 2), (2, 6), (12, 3), (12, 5)])
@pytest.mark.parametrize("groups", [1, 2, 3, 6])
def test_dirac(channels, receptive, groups):
    shape = (*channels, *receptive)
    ours, theirs = (
        functools.partial(init.dirac_, np.empty(shape, "f4")),
        functools.partial(nn.dirac_, torch.empty(shape)),
    )
    if channels[0] % groups:
        (our_kind, our_text), (their_kind, their_text) = message(ours, groups), message(theirs, groups)
        assert our_kind is their_kind
        assert our_text.startswith(their_text)
    else:
        assert np.array_equal(ours(groups), theirs(groups).numpy())


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_dirac_passes_channels_through_a_convolution(dimensions, groups):
    convolve = getattr(torch.nn.functional, f"conv{dimensions}d")
    kernel = init.dirac_(np.empty((8, 8 // groups, *(3,) * dimensions), "f4"), groups)
    signal = init.normal((2, 8, *(5,) * dimensions), generator=0)
    output = convolve(torch.from_numpy(signal), torch.from_numpy(kernel), padding=1, groups=groups).numpy()
    assert np.array_equal(output, signal)


NONLINEARITIES = [
    *("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"),
    *("sigmoid", "tanh", "relu", "leaky_relu", "selu"),
]
PARAMETERS = [None, 0, 1, 0.2, -0.5, 3, 1e-30, math.sqrt(5), math.inf, True, False, "0.1", [0.1], 1j]


@pytest.mark.parametrize("nonlinearity", [*NONLINEARITIES, "relu6", "ReLU", "", None])
@pytest.mark.parametrize("parameter", PARAMETERS, ids=str)
def test_calculate_gain(nonlinearity, parameter):
    their_kind, theirs = outcome(nn.calculate_gain, nonlinearity, parameter)
    our_kind, ours = outcome(init.calculate_gain, nonlinearity, parameter)
    assert our_kind is their_kind
    assert ours == theirs if our_kind is None else ours.startswith(theirs)


SHAPES = [(3, 5), (1, 1), (64, 3, 7, 7), (8, 4, 3), (2, 3, 4, 5, 6), (0, 3), (3, 0), (4, 4, 0), (5,), ()]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_fans(shape):
    array, tensor = np.empty(shape, "f4"), torch.empty(shape)
    calls = [("_calculate_fan_in_and_fan_out", ())]
    calls += [("_calculate_correct_fan", (mode,)) for mode in ("fan_in", "fan_out", "FAN_IN", "Fan_Out", "fan_avg", "")]
    for name, arguments in calls:
        their_kind, theirs = outcome(getattr(nn, name), tensor, *arguments)
        our_kind, ours = outcome(getattr(init, name), array, *arguments)
        assert our_kind is their_kind
        if our_kind is None:
            assert ours == theirs
            assert getattr(init, name)(tensor, *arguments) == theirs, "fans of a tensor: only its shape is needed"
        else:
            assert ours.lower().startswith(theirs.lower())  # torch shows the mode in lower case


# ---- errors and warnings ----


@pytest.mark.parametrize(
    ("name", "shape", "arguments"),
    [
        ("eye_", (3,), ()),
        ("eye_", (2, 2, 2), ()),
        ("dirac_", (2, 2), ()),
        ("dirac_", (1,) * 6, ()),
        ("dirac_", (4, 2, 3), (3,)),
        ("xavier_uniform_", (3,), ()),
        ("xavier_normal_", (), ()),
        ("kaiming_uniform_", (3,), ()),
        ("kaiming_normal_", (), ()),
        ("kaiming_uniform_", (3, 4), (0, "fan_avg")),
        ("kaiming_normal_", (3, 4), (0, "")),
        ("kaiming_normal_", (3,), (0, "fan_avg")),  # the mode before the shape
        ("kaiming_normal_", (3,), (0, "fan_in", "x")),  # the shape before the nonlinearity
        ("kaiming_normal_", (3, 4), (0, "fan_in", "relu6")),
        ("kaiming_uniform_", (3, 4), (True,)),
        ("kaiming_uniform_", (3, 4), ("0.1",)),
        ("orthogonal_", (3,), ()),
        ("orthogonal_", (), ()),
        ("sparse_", (3,), (0.5,)),
        ("sparse_", (2, 2, 2), (0.5,)),
    ],
)
def test_errors(name, shape, arguments):
    """The type, and the first words: ours add what was got and what to do."""
    our_kind, our_text = message(getattr(init, name), np.empty(shape, "f4"), *arguments)
    their_kind, their_text = message(getattr(nn, name), torch.empty(shape), *arguments)
    assert our_kind is their_kind
    assert our_text.startswith(their_text)


@pytest.mark.parametrize("name", ["kaiming_uniform_", "kaiming_normal_"])
@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (0, 0), (3, 4, 0)])
@pytest.mark.parametrize("arguments", [(), (0, "no mode"), (True,), (0, "fan_in", "x")])
def test_kaiming_of_zero_elements(name, shape, arguments):
    caught = []
    for module, thing in ((init, np.empty(shape, "f4")), (nn, torch.empty(shape))):
        with pytest.warns(UserWarning, match="^Initializing zero-element tensors is a no-op$") as warned:
            assert getattr(module, name)(thing, *arguments) is thing
        caught.append([(w.category, str(w.message), w.filename) for w in warned])
    assert caught[0] == caught[1]


@pytest.mark.parametrize(
    "name", [name for name in IN_PLACE if not name.startswith("kaiming") and name not in ("eye_", "dirac_", "sparse_")]
)
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (2, 0, 3)])
def test_zero_elements(name, shape):
    """Nobody warns, and both give the same object back."""
    for module, thing in ((init, np.empty(shape, "f4")), (nn, torch.empty(shape))):
        assert getattr(module, name)(thing, **NEEDED.get(name, {})) is thing


def test_zero_by_zero_where_torch_divides_by_zero():
    for name in ("xavier_uniform_", "xavier_normal_"):
        with pytest.raises(ZeroDivisionError):
            getattr(nn, name)(torch.empty(0, 0))
        array = np.empty((0, 0), "f4")
        assert getattr(init, name)(array) is array


def test_trunc_normal_is_right_where_torch_warns():
    with pytest.warns(UserWarning, match="mean is more than 2 std"):
        nn.trunc_normal_(torch.empty(9), 0, 1, 5, 6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours = init.trunc_normal_(np.empty(N, "f4"), 0, 1, 5, 6, generator=1)
    result = stats.kstest(ours.astype("f8"), stats.truncnorm(5, 6).cdf, method="asymp")
    assert result.pvalue > FALSE_ALARM


# ---- laws ----


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("uniform_", ()),
        ("uniform_", (-3, 5)),
        ("uniform_", (1e-3, 1.001e-3)),
        ("normal_", ()),
        ("normal_", (-2, 0.02)),
        ("normal_", (100, 30)),
        ("trunc_normal_", ()),
        ("trunc_normal_", (0, 0.02, -0.04, 0.04)),
        ("trunc_normal_", (0, 1, -0.5, 2)),
        ("trunc_normal_", (1, 2, 0, 1.5)),
        ("trunc_normal_", (0, 1, 1, 3)),
        ("trunc_normal_", (0, 1, -9, 0)),
        ("trunc_normal_", (0, 0.01, -2, 2)),
    ],
)
def test_laws(name, arguments, dtype):
    same_law(*both(name, N, *arguments, dtype=dtype))


SCALED = [
    *[(name, (gain,)) for name in ("xavier_uniform_", "xavier_normal_") for gain in (1.0, 5 / 3, 0.01)],
    *[
        (name, arguments)
        for name in ("kaiming_uniform_", "kaiming_normal_")
        for arguments in ((), (0.2,), (0, "fan_out", "relu"), (math.sqrt(5), "FAN_IN"), (0, "fan_in", "tanh"))
    ],
]


@pytest.mark.parametrize("shape", [(256, 1024), (64, 128, 32), (64, 64, 8, 8), (32, 32, 4, 8, 8)], ids=str)
@pytest.mark.parametrize(("name", "arguments"), SCALED)
def test_scaled_laws_in_the_shapes_of_layers(name, arguments, shape):
    """Their spread agrees to five standard errors, in every shape; the whole law, in one."""
    ours, theirs = both(name, shape, *arguments)
    kurtosis = 1.8 if "uniform" in name else 3.0
    error = math.sqrt((kurtosis - 1) / 4 / N) * math.sqrt(2)
    assert abs(ours.std(dtype="f8") / theirs.std(dtype="f8") - 1) < 5 * error
    if len(shape) == 3:
        same_law(ours, theirs)


@pytest.mark.parametrize("name", ["uniform_", "xavier_uniform_", "kaiming_uniform_"])
def test_uniform_bounds_are_those_of_torch(name):
    ours, theirs = both(name, (512, 512))
    for extreme in (np.min, np.max):
        assert extreme(ours) == pytest.approx(extreme(theirs), abs=1e-4)


@pytest.mark.parametrize("sparsity", [0, 0.07, 0.1, 0.29, 1 / 3, 0.5, 0.9, 1])
@pytest.mark.parametrize("shape", [(1, 5), (100, 20), (37, 50)])
def test_sparse(shape, sparsity):
    ours, theirs = both("sparse_", shape, sparsity, 0.3)
    assert np.array_equal((ours == 0).sum(axis=0), (theirs == 0).sum(axis=0))


def test_sparse_values():
    ours, theirs = both("sparse_", (2**14, 16), 0.25, 0.3)
    same_law(ours[ours != 0], theirs[theirs != 0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("gain", [1, 2.5, -0.5])
@pytest.mark.parametrize("shape", [(1, 1), (5, 5), (3, 8), (8, 3), (4, 2, 3), (20, 3, 3), (64, 64)], ids=str)
def test_orthogonal(shape, gain, dtype):
    """The product with the transpose is gain^2 times the identity on the same side, and as exactly as torch's."""
    identity = gain**2 * np.eye(min(shape[0], math.prod(shape[1:])))
    errors = []
    for matrix in both("orthogonal_", shape, gain, dtype=dtype):
        flat = matrix.reshape(shape[0], -1).astype("f8")
        product = flat @ flat.T if shape[0] <= flat.shape[1] else flat.T @ flat
        errors.append(np.abs(product - identity).max())
    assert errors[0] <= max(2 * errors[1], 8 * gain**2 * np.finfo(dtype).eps)


def test_orthogonal_law():
    """The entries of 4 x 4 orthogonal matrices, with their signs: one matrix alone would not tell a wrong sign rule."""
    generator, theirs_generator = init.Generator(1), torch.Generator().manual_seed(2)
    ours = np.stack([init.orthogonal((4, 4), dtype="float64", generator=generator) for _ in range(500)])
    theirs = np.stack([nn.orthogonal_(torch.empty(4, 4), generator=theirs_generator).numpy() for _ in range(500)])
    for row in range(4):
        for column in range(4):
            same_law(ours[:, row, column], theirs[:, row, column])


# ---- tensors ----


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_the_old_spelling_fills_a_tensor():
    tensor = torch.zeros(3)
    assert init.normal(tensor, generator=0) is tensor
    assert np.array_equal(tensor.numpy(), init.normal(3, generator=0))


@pytest.mark.parametrize("name", IN_PLACE)
def test_the_memory_of_a_tensor_is_filled(name):
    parameter = torch.nn.Parameter(torch.zeros(shape_for(name)))
    keywords = {} if name in ("constant_", "ones_", "zeros_", "eye_", "dirac_") else {"generator": 0}
    assert getattr(init, name)(parameter, **NEEDED.get(name, {}), **keywords) is parameter
    want = getattr(init, name)(np.empty(shape_for(name), "f4"), **NEEDED.get(name, {}), **keywords)
    assert np.array_equal(parameter.detach().numpy(), want)
    assert parameter.requires_grad


def test_views_of_tensors():
    """Transposed, sliced and channels-last tensors get the values of their logical order."""
    want = init.normal((4, 6, 3, 5), generator=0)
    for tensor in (
        torch.zeros(4, 6, 3, 5).to(memory_format=torch.channels_last),
        torch.zeros(5, 3, 6, 4).permute(3, 2, 1, 0),
        torch.zeros(8, 6, 3, 10)[::2, :, :, ::2],
    ):
        init.normal_(tensor.numpy(), generator=0)
        assert np.array_equal(tensor.numpy(), want)
    expanded = torch.zeros(1, 3).expand(4, 3)
    with pytest.raises(init.InvalidValueError, match="share memory"):
        init.normal_(expanded.numpy())


def test_a_layer_of_torch():
    layer = torch.nn.Conv2d(3, 8, 3)
    init.kaiming_normal_(layer.weight.detach().numpy(), mode="fan_out", nonlinearity="relu", generator=0)
    init.zeros_(layer.bias.detach().numpy())
    want = init.kaiming_normal((8, 3, 3, 3), mode="fan_out", nonlinearity="relu", generator=0)
    assert np.array_equal(layer.weight.detach().numpy(), want)
    assert not layer.bias.any()


@pytest.mark.parametrize(
    "thing",
    [torch.Generator(), torch.zeros(2), torch.tensor(1.5), torch.float32],
    ids=lambda thing: type(thing).__name__,
)
def test_things_of_torch_are_no_generators(thing):
    with pytest.raises(init.InvalidTypeError, match=r"torch.*(Generator|Tensor|dtype)"):
        init.normal_(np.empty(3), generator=thing)


def test_shapes_and_numbers_of_torch():
    assert init.normal(torch.zeros(2, 3).shape).shape == (2, 3)
    ours = init.normal_(np.empty(3), torch.tensor(1.0), torch.tensor(0.5), generator=0)
    assert np.array_equal(ours, init.normal_(np.empty(3), 1.0, 0.5, generator=0))
    assert init.normal(3, dtype=torch.float64).dtype == np.float64
    assert init.normal(3, like=torch.zeros(3)).dtype == torch.float32
    with pytest.raises(init.NumbaInitError, match="device"):
        init.normal(3, device=torch.device("cuda"))


# ---- jax ----


@pytest.fixture(scope="module")
def jax():
    return pytest.importorskip("jax", reason="compares with jax: pip install 'numbainit[peers]'")


@pytest.mark.parametrize("name", [*IN_PLACE, "bits_"])
def test_jax_arrays_are_refused_naming_the_functional_form(jax, name):
    array = jax.numpy.zeros(shape_for(name))
    with pytest.raises(init.InvalidTypeError, match=rf"immutable.*numbainit\.{name[:-1]}\(") as caught:
        getattr(init, name)(array, **NEEDED.get(name, {}))
    assert "jax" in str(caught.value).partition(":")[0]
    assert not array.any()


def test_memory_that_numpy_shares_with_jax_is_read_only(jax):
    array = jax.numpy.zeros((3, 4))
    with pytest.raises(init.InvalidValueError, match="read-only"):
        init.normal_(np.asarray(array))
    assert not array.any()


def test_the_remedy_for_jax(jax):
    array = jax.numpy.asarray(init.kaiming_normal((4, 6), generator=0))
    assert np.array_equal(np.asarray(array), init.kaiming_normal((4, 6), generator=0))


@pytest.mark.parametrize(
    ("name", "arguments", "initializer", "options"),
    [
        ("uniform_", (0, 0.3), "uniform", {"scale": 0.3}),
        ("normal_", (0, 0.02), "normal", {"stddev": 0.02}),
        ("trunc_normal_", (0, 0.02, -0.04, 0.04), "truncated_normal", {"stddev": 0.02}),
        ("trunc_normal_", (0, 1, -1, 3), "truncated_normal", {"stddev": 1, "lower": -1, "upper": 3}),
        ("xavier_uniform_", (), "glorot_uniform", {}),
        ("kaiming_uniform_", (), "he_uniform", {}),
        ("kaiming_uniform_", (0, "fan_in", "linear"), "lecun_uniform", {}),
        ("kaiming_normal_", (), "variance_scaling", {"scale": 2, "mode": "fan_in", "distribution": "normal"}),
        (
            "kaiming_normal_",
            (0, "fan_out"),
            "variance_scaling",
            {"scale": 2, "mode": "fan_out", "distribution": "normal"},
        ),
        ("xavier_normal_", (), "variance_scaling", {"scale": 1, "mode": "fan_avg", "distribution": "normal"}),
    ],
)
def test_laws_that_jax_shares(jax, name, arguments, initializer, options):
    """Fans are of (out, in, ...) here and said so there. jax's own glorot_normal and he_normal are truncated."""
    shape = (128, 256, 8)
    if initializer in ("glorot_uniform", "he_uniform", "lecun_uniform", "variance_scaling"):
        options = {**options, "in_axis": 1, "out_axis": 0}
    make = getattr(jax.nn.initializers, initializer)(**options)
    theirs = np.asarray(make(jax.random.key(5), shape, jax.numpy.float32))
    same_law(getattr(init, name)(np.empty(shape, "f4"), *arguments, generator=6), theirs)


def test_jax_normal_laws_are_truncated_and_ours_are_not(jax):
    theirs = np.asarray(jax.nn.initializers.he_normal(in_axis=1, out_axis=0)(jax.random.key(5), (512, 512)))
    ours = init.kaiming_normal_(np.empty((512, 512), "f4"), generator=6)
    assert np.std(ours) == pytest.approx(np.std(theirs), rel=0.01)
    assert np.abs(theirs).max() < 2.3 * np.std(theirs) < 4 * np.std(ours) < np.abs(ours).max()


def test_numbers_and_dtypes_of_jax(jax):
    assert init.normal(3, dtype=jax.numpy.float32).dtype == np.float32
    ours = init.normal_(np.empty(3), std=jax.numpy.float32(0.5), generator=0)
    assert np.array_equal(ours, init.normal_(np.empty(3), std=0.5, generator=0))
    assert isinstance(init.normal(3, like=jax.numpy.zeros(3)), jax.Array)
    with pytest.raises(init.InvalidTypeError, match="jax"):
        init.normal(3, generator=jax.random.key(0))
