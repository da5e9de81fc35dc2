"""The functions of torch.nn.init and those beyond: signatures, what they return, which draws they take, how they scale.

The laws are tested in test_stream.py and tests/statistics, their parameters in weights/test_laws.py, the
arrays that they take in memory/test_arrays.py, torch itself in test_peers.py.
"""

import inspect
import math
import warnings

import numpy as np
import pytest

import numbainit as init
from cases import NAMES, NEEDED, ORTHOGONAL, RANDOM, call, dtype_for, shape_for, shapes_without_elements

SIGNATURES = {
    "uniform_": "(tensor, a=0.0, b=1.0, generator=None)",
    "normal_": "(tensor, mean=0.0, std=1.0, generator=None)",
    "trunc_normal_": "(tensor, mean=0.0, std=1.0, a=-2.0, b=2.0, generator=None)",
    "constant_": "(tensor, val)",
    "ones_": "(tensor)",
    "zeros_": "(tensor)",
    "eye_": "(tensor)",
    "dirac_": "(tensor, groups=1)",
    "xavier_uniform_": "(tensor, gain=1.0, generator=None)",
    "xavier_normal_": "(tensor, gain=1.0, generator=None)",
    "kaiming_uniform_": "(tensor, a=0, mode='fan_in', nonlinearity='leaky_relu', generator=None)",
    "kaiming_normal_": "(tensor, a=0, mode='fan_in', nonlinearity='leaky_relu', generator=None)",
    "orthogonal_": "(tensor, gain=1, generator=None)",
    "sparse_": "(tensor, sparsity, std=0.01, generator=None)",
    "bits_": "(tensor, generator=None)",
    "variance_scaling_": "(tensor, scale=1.0, mode='fan_in', distribution='truncated_normal', generator=None)",
    "lecun_uniform_": "(tensor, generator=None)",
    "lecun_normal_": "(tensor, generator=None)",
    "lecun_truncated_normal_": "(tensor, generator=None)",
    "glorot_truncated_normal_": "(tensor, generator=None)",
    "he_truncated_normal_": "(tensor, generator=None)",
    "sine_": "(tensor, layer='hidden', omega=30.0, generator=None)",
    "icnr_": "(tensor, upscale=2, scale=2.0, mode='fan_in', distribution='normal', shuffle='pixel_shuffle', "
    "generator=None)",
    "identity_": "(tensor, gain=1.0)",
    "bilinear_": "(tensor, groups=1)",
    "delta_orthogonal_": "(tensor, gain=1.0, generator=None)",
    "convolution_orthogonal_": "(tensor, gain=1.0, generator=None)",
    "hadamard_": "(tensor, gain=1.0)",
    "randomized_hadamard_": "(tensor, gain=1.0, generator=None)",
    "forget_bias_": "(tensor, val=1.0, gates='ifgo')",
    "log_uniform_": "(tensor, a=0.001, b=0.1, generator=None)",
    "log_of_uniform_": "(tensor, a=1.0, b=16.0, generator=None)",
    "time_step_bias_": "(tensor, a=0.001, b=0.1, floor=0.0001, generator=None)",
    "log_arange_": "(tensor, start=1.0)",
}


def empty(name, shape=None):
    """An array that the function takes."""
    return np.full(shape or shape_for(name), 7, dtype_for(name))


#: by keyword only, where torch has none
PLACES = dict.fromkeys(NAMES, "block=None") | dict.fromkeys(ORTHOGONAL, "layout='OI'")
LAID_OUT = ("xavier", "kaiming", "dirac", "variance", "lecun", "glorot", "he_", "sine", "icnr", "bilinear")
PLACES |= {name: "block=None, layout='OI'" for name in NAMES if name.startswith(LAID_OUT)}


def bare(function):
    """The signature without annotations."""
    signature = inspect.signature(function)
    parameters = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]
    return str(signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty))


def test_every_function_is_listed_here():
    assert {name for name in init.__all__ if name.endswith("_")} == set(SIGNATURES) == set(NAMES)
    assert [name for name, signature in SIGNATURES.items() if "generator" in signature] == RANDOM


@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures(name):
    assert bare(getattr(init, name)) == f"{SIGNATURES[name][:-1]}, *, {PLACES[name]})"


@pytest.mark.parametrize("name", SIGNATURES)
def test_the_same_object_comes_back_filled(name):
    array = empty(name)
    memory = array.ctypes.data
    assert call(name, array) is array
    assert array.ctypes.data == memory
    assert (array != 7).all()


@pytest.mark.parametrize("name", SIGNATURES)
def test_the_array_can_be_named(name):
    array = empty(name)
    assert getattr(init, name)(tensor=array, **NEEDED.get(name, {})) is array


@pytest.mark.parametrize("name", RANDOM)
def test_generators(name):
    """One draw a call; positional as in torch; seeds repeat; draws, seeds and the default do not."""
    generator = init.Generator(3)
    first, second = (call(name, empty(name), generator=generator).tolist() for _ in range(2))
    assert generator.draws == 2
    assert first != second
    assert first == call(name, empty(name), generator=3).tolist() != call(name, empty(name), generator=4).tolist()
    assert second == call(name, empty(name), generator=init.Generator(3, draws=1)).tolist()
    drawn = init.default_generator.draws
    assert call(name, empty(name)).tolist() != call(name, empty(name)).tolist()
    assert init.default_generator.draws == drawn + 2


@pytest.mark.parametrize("name", [name for name in SIGNATURES if name not in RANDOM])
def test_those_without_randomness_take_no_draw(name):
    drawn = init.default_generator.draws
    assert np.array_equal(call(name, empty(name)), call(name, empty(name)))
    assert init.default_generator.draws == drawn


@pytest.mark.parametrize("name", ["uniform_", "normal_", "trunc_normal_", "bits_"])
@pytest.mark.parametrize("size", [1, 3, 4096, 2**17])
def test_what_was_there_before_does_not_matter(name, size):
    dtype = "u4" if name == "bits_" else "f4"
    blank, full = np.zeros(size, dtype), np.full(size, 255, dtype) * (1 if name == "bits_" else np.float32("nan"))
    assert np.array_equal(call(name, blank, generator=0), call(name, full, generator=0))


# ---- scales ----


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("shape", [(6, 10), (3, 5, 2), (2, 3, 4, 5), (2, 2, 2, 2, 3), (1, 1)])
@pytest.mark.parametrize("gain", [1.0, 5 / 3, 0, 1e-20])
def test_xavier_is_normal_or_uniform(shape, gain, dtype):
    receptive = math.prod(shape[2:])
    std = gain * math.sqrt(2 / ((shape[0] + shape[1]) * receptive))
    want = init.normal_(np.empty(shape, dtype), 0, std, generator=1)
    assert np.array_equal(init.xavier_normal_(np.empty(shape, dtype), gain, generator=1), want)
    bound = math.sqrt(3) * std
    want = init.uniform_(np.empty(shape, dtype), -bound, bound, generator=1)
    assert np.array_equal(init.xavier_uniform_(np.empty(shape, dtype), gain, generator=1), want)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("shape", [(6, 10), (3, 5, 2), (2, 3, 4, 5), (1, 1)])
@pytest.mark.parametrize("mode", ["fan_in", "fan_out", "FAN_IN", "Fan_Out"])
@pytest.mark.parametrize(
    ("a", "nonlinearity", "gain"),
    [
        (0, "leaky_relu", math.sqrt(2)),
        (math.sqrt(5), "leaky_relu", math.sqrt(1 / 3)),
        (9, "relu", math.sqrt(2)),
        (0, "linear", 1),
        (0, "identity", 1),
        (0, "tanh", 5 / 3),
        (0, "selu", 0.75),
    ],
)
def test_kaiming_is_normal_or_uniform(shape, mode, a, nonlinearity, gain, dtype):
    std = gain / math.sqrt(math.prod(shape[2:]) * shape[mode.lower() == "fan_in"])
    for name, arguments in [("normal_", (0, std)), ("uniform_", (-math.sqrt(3) * std, math.sqrt(3) * std))]:
        got = getattr(init, "kaiming_" + name)(np.empty(shape, dtype), a, mode, nonlinearity, generator=1)
        want = getattr(init, name)(np.empty(shape, dtype), *arguments, generator=1)
        assert np.allclose(got, want, rtol=1e-6 if dtype == "f4" else 1e-14, atol=0)


def test_the_layer_default_of_torch():
    """kaiming_uniform_ with a = sqrt(5) is U(-1/sqrt(fan), 1/sqrt(fan))."""
    array = init.kaiming_uniform_(np.empty((1000, 25), "f4"), a=math.sqrt(5), generator=0)
    assert 0.1999 < np.abs(array).max() <= np.float32(0.2)


def test_a_kaiming_slope_of_none_is_the_default_of_calculate_gain():
    got = init.kaiming_normal_(np.empty((5, 5)), a=None, generator=0)
    assert np.array_equal(got, init.kaiming_normal_(np.empty((5, 5)), a=0.01, generator=0))


# ---- zero elements ----


@pytest.mark.parametrize("name", ["kaiming_uniform_", "kaiming_normal_"])
@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (0, 0), (2, 3, 0)])
def test_kaiming_warns_before_every_other_check(name, shape):
    array, generator = np.empty(shape, "f4"), init.Generator(0)
    with pytest.warns(UserWarning, match="^Initializing zero-element tensors is a no-op$") as caught:
        assert getattr(init, name)(array, "x", "no mode", "nothing", generator=generator) is array
    assert [warning.filename for warning in caught] == [__file__]
    assert generator.draws == 1


@pytest.mark.parametrize("name", [name for name in SIGNATURES if not name.startswith("kaiming")])
def test_the_others_do_not_warn(name):
    for shape in shapes_without_elements(name):
        array = empty(name, shape)
        assert call(name, array) is array


def test_trunc_normal_does_not_warn():
    """torch warns where its values may be wrong; here they are right."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        array = init.trunc_normal_(np.empty(1000, "f4"), 0, 1, 5, 6, generator=0)
    assert 5 <= array.min() <= array.max() <= 6


# ---- bits ----


@pytest.mark.parametrize("code", "bBhHiIlLqQnNpP")
def test_bits_by_every_name_of_a_type(code):
    """int64 has several names in NumPy, each a type of its own."""
    array = np.zeros(50, code)
    if array.itemsize < 4:
        with pytest.raises(init.InvalidTypeError, match="uint32, int32, uint64, int64"):
            init.bits_(array, generator=0)
    else:
        want = init.bits_(np.zeros(50, f"u{array.itemsize}"), generator=0)
        assert np.array_equal(init.bits_(array, generator=0).view(want.dtype), want)


def test_bits_agree_between_widths_and_signs():
    words = {dtype: init.bits_(np.empty(999, dtype), generator=0) for dtype in ("u4", "i4", "u8", "i8")}
    assert np.array_equal(words["u4"], words["i4"].view("u4"))
    assert np.array_equal(words["u8"], words["i8"].view("u8"))
    assert np.array_equal(words["u8"] >> np.uint64(32), words["u4"])
    assert np.array_equal(init.bits_(np.empty(999, ">i8"), generator=0), words["i8"])


@pytest.mark.parametrize("name", ["kaiming_normal_", "kaiming_uniform_"])
def test_a_wrong_type_is_said_once(name):
    """Fans are remembered, by a cache that cannot hold arguments without a hash: that must not make two tracebacks."""
    for mode in (3, ["fan_in"]):
        with pytest.raises(init.InvalidTypeError, match="mode must be a str") as caught:
            getattr(init, name)(np.empty((3, 3)), mode=mode)
        assert caught.value.__context__ is None
