"""A shape → a new array with the values that the in-place function would give; an array → torch's old spelling."""

import inspect
import math
import operator

import numpy as np
import pytest

import cases
import numbainit as init
from numbainit import functional
from numbainit.beyond import functional as beyond

NAMES = functional.__all__ + beyond.__all__
RANDOM = [name[:-1] for name in cases.RANDOM]
ANY_SHAPE = ["uniform", "normal", "trunc_normal", "constant", "ones", "zeros", "bits"]
KEYWORDS = ["dtype", "device", "like", "generator"]


def shape_for(name):
    return cases.shape_for(name + "_")


def needed(name):
    return cases.NEEDED.get(name + "_", {})


def new(name, *shape, **keywords):
    """Call the function with ``shape``, or with one that it takes."""
    return getattr(init, name)(*(shape or [shape_for(name)]), **needed(name), **keywords)


def source(name, seed=3):
    return {"generator": seed} if name in RANDOM else {}


def in_place(name, array):
    return cases.call(name + "_", array, **source(name))


def test_each_in_place_function_has_one():
    assert sorted(NAMES) == sorted(name[:-1] for name in cases.NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_signatures(name):
    """The parameters of the in-place twin, with its defaults; then the keywords."""
    mine = list(inspect.signature(getattr(init, name)).parameters.values())
    twin = [p for p in inspect.signature(getattr(init, name + "_")).parameters.values() if p.name != "generator"][1:]
    places = {p.name: p.default for p in twin if p.kind is p.KEYWORD_ONLY}
    twin = [p for p in twin if p.name not in places]
    assert mine[0].name == "shape"
    assert [(p.name, p.default, p.kind) for p in mine[1 : 1 + len(twin)]] == [(p.name, p.default, p.kind) for p in twin]
    rest = mine[1 + len(twin) :]
    assert {p.name: p.default for p in rest if p.name in places} == places
    assert [p.name for p in rest if p.name not in places] == (KEYWORDS if name in RANDOM else KEYWORDS[:-1])
    assert all(p.kind is p.KEYWORD_ONLY for p in rest)
    assert [p.default for p in rest[:3]] == [None, None, None]


@pytest.mark.parametrize("name", NAMES)
def test_values_are_those_of_the_in_place_function(name):
    for dtype in ("u4", "i8") if name == "bits" else ("f4", "f8"):
        array = new(name, dtype=dtype, **source(name))
        want = in_place(name, np.empty(shape_for(name), dtype))
        assert type(array) is np.ndarray
        assert array.dtype == want.dtype
        assert np.array_equal(array, want)
        assert array.flags.c_contiguous
        assert array.flags.owndata


@pytest.mark.parametrize("name", RANDOM)
def test_generators(name):
    generator = init.Generator(3)
    first, second = new(name, generator=generator), new(name, generator=generator)
    assert generator.draws == 2
    assert not np.array_equal(first, second)
    assert np.array_equal(first, new(name, generator=3))
    drawn = init.default_generator.draws
    new(name)
    assert init.default_generator.draws == drawn + 1


# ---- shapes ----


class Index:
    def __index__(self):
        return 3

    def __repr__(self):
        return "Index()"


@pytest.mark.parametrize("name", ANY_SHAPE)
@pytest.mark.parametrize(
    ("shape", "want"),
    [
        *[(3, (3,)), (0, (0,)), ((), ()), ([], ()), ((3,), (3,)), ([2, 3], (2, 3)), (range(3), (0, 1, 2))],
        *[
            (np.int64(3), (3,)),
            (np.uint8(200), (200,)),
            ((np.int32(2), 3), (2, 3)),
            (Index(), (3,)),
            ((0, 2**40), (0, 2**40)),
        ],
        *[((1,) * 64, (1,) * 64), ([Index(), 1], (3, 1))],
    ],
    ids=str,
)
def test_shapes(name, shape, want):
    assert new(name, shape).shape == want


def test_a_size_from_an_array():
    """The size that an array's method or element gives is an integer of NumPy with a shape and a dtype of its own."""
    sizes = np.array([2, 3])
    assert init.normal(sizes[1]).shape == (3,)
    assert init.normal(sizes.max()).shape == (3,)
    assert init.normal(tuple(sizes)).shape == (2, 3)
    assert init.normal(sizes.tolist()).shape == (2, 3)


@pytest.mark.parametrize("name", cases.thinned(NAMES, functional.__all__))
@pytest.mark.parametrize("shape", [-1, (-1,), (2, -3), (0, -1), [np.int64(-1)], -(2**80)], ids=str)
def test_negative_sizes(name, shape):
    with pytest.raises(init.InvalidValueError, match=r"shape must have no negative size, got .*-\d"):
        new(name, shape)


@pytest.mark.parametrize("name", ["normal", "zeros", "bits", "orthogonal"])
@pytest.mark.parametrize(
    "shape",
    [
        *(
            2.0,
            (2.0,),
            (2, 3.5),
            [[2, 3]],
            ((2,), 3),
            "3",
            "23",
            ("2",),
            b"ab",
            None,
            (None, 3),
            3j,
            {2: 3},
            {2, 3},
            object(),
        ),
        *(iter([2]), float("nan"), np.float32(2), (np.float64(2), 3), slice(3), Ellipsis, int),
    ],
    ids=lambda shape: f"{type(shape).__name__}-{str(shape)[:20]}",
)
def test_what_is_no_shape(name, shape):
    with pytest.raises(init.InvalidTypeError, match="shape must be an int or a sequence of ints, got"):
        new(name, shape)


@pytest.mark.parametrize(
    "shape", [2**63, (2**62, 2), (2**40, 2**40), 10**30, (1,) * 65], ids=lambda shape: str(shape)[:20]
)
def test_sizes_past_all_arrays(shape):
    """An error of ours that shows the shape, not NumPy's."""
    with pytest.raises(init.InvalidValueError, match="shape"):
        init.normal(shape)


WRONG = {
    "uniform": {"a": 2},
    "normal": {"std": -1},
    "trunc_normal": {"std": -1},
    "sparse": {"std": -1},
    "xavier_normal": {"gain": -1},
    "xavier_uniform": {"gain": -1},
    "kaiming_normal": {"mode": "x"},
    "kaiming_uniform": {"nonlinearity": "x"},
    "orthogonal": {"gain": math.nan},
    "dirac": {"groups": 5},
    "variance_scaling": {"distribution": "x"},
    "sine": {"omega": 0},
    "icnr": {"upscale": 4},
    "identity": {"gain": math.inf},
    "bilinear": {"groups": 5},
    "delta_orthogonal": {"gain": math.nan},
    "convolution_orthogonal": {"gain": math.nan},
    "hadamard": {"gain": math.nan},
    "randomized_hadamard": {"gain": math.nan},
    "forget_bias": {"gates": "ifgg"},
    "log_uniform": {"a": 0},
    "log_of_uniform": {"a": 17},
    "time_step_bias": {"a": -1},
    "log_arange": {"start": 0},
}


@pytest.mark.parametrize("name", WRONG)
def test_parameters_are_checked(name):
    shape, wrong = shape_for(name), WRONG[name]
    generator = init.Generator(0)
    keywords = {"generator": generator} if name in RANDOM else {}
    with pytest.raises(init.InvalidValueError):
        getattr(init, name)(shape, **{**needed(name), **wrong}, **keywords)
    assert generator.draws == 0


@pytest.mark.parametrize(
    ("name", "shape"),
    [("eye", 3), ("dirac", (3, 3)), ("sparse", 3), ("orthogonal", 3), ("xavier_normal", ()), ("kaiming_normal", 3)],
)
def test_dimensions_are_checked(name, shape):
    with pytest.raises(init.InvalidValueError, match="dimensions"):
        new(name, shape)


# ---- dtype, device, like ----


@pytest.mark.parametrize(
    "dtype", ["float32", "f4", np.float32, np.dtype("f4"), "single", np.dtype("f4").newbyteorder("=")]
)
def test_spellings_of_a_dtype(dtype):
    assert init.normal(3, dtype=dtype).dtype == np.float32


@pytest.mark.parametrize("dtype", ["float64", float, np.double, "d"])
def test_spellings_of_a_wide_dtype(dtype):
    assert init.normal(3, dtype=dtype).dtype == np.float64


BAD_DTYPES = [
    *(
        "foo",
        "float33",
        "",
        ",",
        "f4,f4",
        "float128",
        "int32",
        "f8_e4m3fn",
        "float8",
        "float8_e8m0fnu",
        ">f2",
        "O",
        "U3",
        ">f4",
        "torch.float32",
    ),
    *(32, 4.0, int, bool, object, np.int64, list, [], (), object(), ("f4", 3), [("x", "f4")]),
    {"names": ["a", "a"], "formats": ["f4", "f4"]},
]


@pytest.mark.parametrize("name", ["normal", "zeros", "bits"])
@pytest.mark.parametrize("dtype", BAD_DTYPES, ids=lambda dtype: f"{type(dtype).__name__}-{str(dtype)[:20]}")
def test_unknown_dtypes(name, dtype):
    if name == "bits" and dtype in ("int32", np.int64, int):
        return
    wanted = "uint32, int32, uint64, int64" if name == "bits" else "float32, float64, float16, complex64"
    with pytest.raises(init.InvalidTypeError) as caught:
        new(name, dtype=dtype)
    for fragment in (f"dtype must be one of {wanted}", f", got {dtype!r}"):
        assert fragment in str(caught.value)


@pytest.mark.parametrize(
    ("short", "name"),
    [
        *[("f32", "float32"), ("f64", "float64"), ("f16", "float16"), ("bf16", "bfloat16"), ("f8", "float64")],
        *[("f8_e4m3", "float8_e4m3fn"), ("f8_e5m2", "float8_e5m2"), ("f8_e5m2fnuz", "float8_e5m2fnuz")],
    ],
)
def test_short_names_of_dtypes(short, name):
    """As options of commands take them; NumPy's own, such as f8, mean what they mean to NumPy."""
    pytest.importorskip("ml_dtypes")
    made = init.normal(5, dtype=short, generator=0)
    assert made.dtype.name == name
    assert made.tobytes() == init.normal(5, dtype=name, generator=0).tobytes()


@pytest.mark.parametrize("name", ["normal", "zeros", "bits"])
@pytest.mark.parametrize("device", ["gpu", "CPU", "", "cuda:", "cuda:-1", "cuda:x", 0], ids=str)
def test_other_devices(name, device):
    with pytest.raises(init.InvalidValueError, match="device must be None, 'cpu', 'cuda' or 'cuda:<number>', got"):
        new(name, device=device)


@pytest.mark.parametrize("name", cases.thinned(NAMES, functional.__all__))
@pytest.mark.parametrize("like", [[1.0], (1.0,), "numpy", 1.0, ..., np, np.ndarray, np.float32(1)], ids=str)
def test_like_what_is_no_array(name, like):
    with pytest.raises(
        init.InvalidTypeError, match="like must be an array of NumPy, torch, JAX, CuPy or Numba, got"
    ) as caught:
        new(name, like=like)
    assert type(like).__name__ in str(caught.value)


def test_like_a_numpy_array():
    """It says which library and dtype, not which shape."""
    array = init.normal((2, 3), like=np.zeros(5, "f8"), device="cpu", generator=0)
    assert type(array) is np.ndarray
    assert (array.shape, array.dtype) == ((2, 3), np.float64)
    assert np.array_equal(array, init.normal((2, 3), dtype="f8", generator=0))


@pytest.mark.parametrize(
    ("name", "like", "dtype", "found"),
    [
        ("normal", "f2", None, "f2"),
        ("normal", "c8", None, "c8"),
        ("normal", ">f8", None, "f8"),
        ("normal", "f8", "f4", "f4"),
        ("uniform", "c16", None, "f4"),
        ("normal", "i8", None, "f4"),
        ("normal", "?", None, "f4"),
        ("bits", "i8", None, "i8"),
        ("bits", "f8", None, "u4"),
        ("bits", "u2", None, "u4"),
    ],
)
def test_the_dtype_is_that_of_like_where_it_can_be_filled(name, like, dtype, found):
    assert getattr(init, name)(3, like=np.zeros(1, like), dtype=dtype).dtype == np.dtype(found)


# ---- the old spellings ----


@pytest.mark.parametrize("name", NAMES)
def test_an_array_is_filled_with_a_warning(name):
    dtype = "u4" if name == "bits" else "f8"
    array = np.empty(shape_for(name), dtype)
    text = rf"^`nn\.init\.{name}` is now deprecated in favor of `nn\.init\.{name}_`\.$"
    with pytest.warns(FutureWarning, match=text) as caught:
        assert new(name, array, **source(name)) is array
    assert [operator.attrgetter("filename")(warning) for warning in caught] == [__file__]
    assert np.array_equal(array, in_place(name, np.empty(shape_for(name), dtype)))


def test_old_spellings_take_the_arguments_of_the_new():
    array = np.empty((4, 6), "f4")
    with pytest.warns(FutureWarning):
        assert init.kaiming_normal(array, mode="fan_out", nonlinearity="relu", generator=1) is array
    assert np.array_equal(array, init.kaiming_normal_(np.empty((4, 6), "f4"), 0, "fan_out", "relu", 1))
    with pytest.warns(FutureWarning):
        init.uniform(array, -2, -1)
    assert array.max() < -1
    with pytest.warns(FutureWarning):
        init.constant(array, 3)
    assert (array == 3).all()


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("name", NAMES)
def test_old_spellings_refuse_what_the_new_refuse(name):
    array = np.zeros(shape_for(name), "i2")
    with pytest.raises(init.InvalidTypeError, match="int16"):
        new(name, array)
    array = np.zeros(shape_for(name), "u4" if name == "bits" else "f4")
    array.setflags(write=False)
    with pytest.raises(init.InvalidValueError, match="read-only"):
        new(name, array)
    assert not array.any()


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("name", ["normal", "ones"])
def test_old_spellings_without_axes_or_elements(name):
    for shape in [(), (0,), (0, 3)]:
        array = np.full(shape, 7.0)
        assert new(name, array) is array
        assert (array != 7).all()


def test_zero_elements_warn_as_in_place():
    for name in ("kaiming_normal", "kaiming_uniform"):
        with pytest.warns(UserWarning, match="^Initializing zero-element tensors is a no-op$"):
            assert new(name, (0, 3)).shape == (0, 3)


@pytest.mark.full
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float8_e4m3fn", "complex64"])
def test_like_a_torch_tensor(dtype):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")
    tensor = init.normal((30, 20), dtype=dtype, like=torch.zeros(1), generator=3)
    assert (tensor.dtype, tuple(tensor.shape)) == (getattr(torch, dtype), (30, 20))
    wanted = init.normal((30, 20), dtype=dtype, generator=3)
    assert tensor.view(torch.uint8).numpy().tobytes() == wanted.tobytes()
    assert init.normal(3, dtype=tensor.dtype, like=tensor).dtype == tensor.dtype


@pytest.mark.full
@pytest.mark.parametrize("name", NAMES)
def test_like_a_jax_array(name):
    jax = pytest.importorskip("jax", reason="jax is not installed")
    how = source(name) | {"dtype": "uint32" if name == "bits" else "float32"}
    array = new(name, like=jax.numpy.zeros(1), **how)
    assert isinstance(array, jax.Array)
    assert np.array_equal(array, new(name, **how))


@pytest.mark.full
def test_like_a_jax_array_of_a_small_dtype():
    jax = pytest.importorskip("jax", reason="jax is not installed")
    array = init.normal((30, 20), dtype=jax.numpy.bfloat16, like=jax.numpy.zeros(1), generator=3)
    assert array.dtype == jax.numpy.bfloat16
    assert np.asarray(array).tobytes() == init.normal((30, 20), dtype="bfloat16", generator=3).tobytes()


@pytest.mark.full
def test_like_a_jax_array_that_cannot_be():
    jax = pytest.importorskip("jax", reason="jax is not installed")
    with pytest.raises(init.InvalidTypeError, match="half as wide"):
        init.normal(3, dtype="float64", like=jax.numpy.zeros(1))
    with pytest.raises(init.InvalidTypeError, match=r"numbainit\.jax"):
        jax.jit(lambda like: init.normal(3, like=like))(jax.numpy.zeros(1))
    torch = pytest.importorskip("torch", reason="torch is not installed")
    with pytest.raises(init.InvalidTypeError, match="torch has no float8_e3m4"):
        init.normal(3, dtype="float8_e3m4", like=torch.zeros(1))
