"""Objects that say they are on a GPU → their description, or an error that says what to do. Nothing is filled here."""

import importlib.util
import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import numbainit as init
import reference  # noqa: F401  (teaches NumPy the names of the small dtypes)
from numbainit.memory.arrays import writable
from numbainit.memory.device import DeviceArray
from numbainit.memory.dtypes import WORDS
from numbainit.targets import choose, new_arrays

ADDRESS = 0x7F0000000000


class Array:
    """The CUDA array interface, with some entries of its own."""

    def __init__(self, shape=(2, 3), dtype="<f4", **entries):
        self.shape, self.dtype = shape, np.dtype(dtype)
        self.__cuda_array_interface__ = {
            "shape": shape,
            "typestr": dtype,
            "data": (ADDRESS, False),
            "version": 3,
        } | entries


class Device(str):
    type = "cuda"


class Dtype:
    """torch's dtypes; the package looks at where they come from."""

    is_floating_point = True

    def __init__(self, name, itemsize):
        self.name, self.itemsize = name, itemsize

    def __str__(self):
        return f"torch.{self.name}"


Dtype.__module__ = "torch"


class Plain:
    """A tensor without gradient; torch knows no typestr of its float8 kinds."""

    def __init__(self, dtype):
        self.dtype = dtype

    @property
    def __cuda_array_interface__(self):
        return Array(dtype={"bfloat16": "<V2", "float32": "<f4"}[self.dtype.name], version=2).__cuda_array_interface__

    def view(self, dtype):
        return Array(dtype=dtype, version=2, strides=None)


class Tensor:
    """torch's tensors as far as they matter: the interface is there only after ``detach``."""

    is_cuda, device, layout, is_quantized, conjugate = True, Device("cuda:1"), "torch.strided", False, False
    requires_grad = False

    def __init__(self, name="float32", itemsize=4):
        self.dtype = Dtype(name, itemsize)

    def is_conj(self):
        return self.conjugate

    def is_neg(self):
        return False

    @property
    def __cuda_array_interface__(self):
        raise RuntimeError("Can't get __cuda_array_interface__ on Variable that requires grad")

    def detach(self):
        return Plain(self.dtype)


class HostTensor(Tensor):
    is_cuda = False

    @property
    def __cuda_array_interface__(self):
        raise AttributeError


@pytest.fixture
def torch(monkeypatch):
    stream = SimpleNamespace(cuda_stream=77)
    cuda = SimpleNamespace(current_stream=lambda device: stream if device == "cuda:1" else None)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(Tensor=Tensor, cuda=cuda, uint8="|u1"))


def test_description():
    array = Array(strides=(32, 4), stream=5)
    assert writable(array, "normal_") == DeviceArray(ADDRESS, (2, 3), (32, 4), np.dtype("f4"), 5, array)


def test_attributes_are_those_of_an_ndarray():
    array, host = writable(Array((2, 3, 5), "<f8"), "normal_"), np.empty((2, 3, 5))
    for name in ("shape", "strides", "dtype", "ndim", "size", "itemsize"):
        assert getattr(array, name) == getattr(host, name)


def test_strides_may_be_left_out():
    assert writable(Array((2, 3, 5)), "normal_").strides == (60, 20, 4)
    assert writable(Array((2, 3, 5), strides=None), "normal_").strides == (60, 20, 4)
    assert writable(Array(()), "normal_").strides == ()


def test_the_owner_is_kept():
    array = Array()
    assert writable(array, "normal_").owner is array


def test_the_stream_is_that_of_the_interface():
    assert writable(Array(), "normal_").stream is None
    assert writable(Array(stream=None), "normal_").stream is None
    assert writable(Array(stream=2), "normal_").stream == 2


def test_torch_is_asked_for_its_stream_and_for_a_tensor_without_gradient(torch):
    array = writable(Tensor(), "normal_")
    assert (array.stream, array.strides, array.pointer) == (77, (12, 4), ADDRESS)


@pytest.mark.parametrize(("name", "itemsize"), [("bfloat16", 2), ("float8_e4m3fn", 1), ("float8_e5m2", 1)])
def test_small_floats_of_torch(torch, name, itemsize):
    array = writable(Tensor(name, itemsize), "normal_")
    assert (array.dtype, array.itemsize, array.shape) == (np.dtype(name), itemsize, (2, 3))


@pytest.mark.parametrize(
    ("entries", "error", "message"),
    [
        ({"layout": "torch.sparse_coo"}, init.InvalidTypeError, "got one that is cuda:1 sparse_coo: fill a dense one"),
        ({"conjugate": True}, init.InvalidValueError, "a conjugate or negative view of other memory: pass tensor.res"),
        ({"dtype": Dtype("float8_e8m0fnu", 1)}, init.InvalidTypeError, "float8_e8m0fnu has no zero and no sign"),
        (
            {"dtype": Dtype("complex32", 4)},
            init.InvalidTypeError,
            "of torch.complex32 on a GPU without memory that can",
        ),
        ({"dtype": Dtype("float4_e2m1fn_x2", 1)}, init.InvalidTypeError, "of torch.float4_e2m1fn_x2 on a GPU without"),
    ],
    ids=lambda value: "-".join(map(str, *value.items())) if isinstance(value, dict) else "",
)
def test_tensors_that_cannot_be_filled(torch, entries, error, message):
    tensor = Tensor()
    vars(tensor).update(entries)
    with pytest.raises(error, match=message):
        init.normal_(tensor, generator=0)


@pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3fn", "float8_e5m2fnuz"])
def test_small_floats_of_ml_dtypes_are_known_by_the_dtype_of_the_array(name):
    array = Array()
    array.dtype = np.dtype(name)
    array.__cuda_array_interface__["typestr"] = f"<V{array.dtype.itemsize}"
    described = writable(array, "normal_")
    assert described.dtype == np.dtype(name)
    assert described.strides == (3 * array.dtype.itemsize, array.dtype.itemsize)


def test_cupy_is_asked_for_the_stream_of_the_device_of_the_array(monkeypatch):
    """Its interface names the stream of the current device."""
    array = Array(stream=5)
    array.device = SimpleNamespace(id=1)
    cuda = SimpleNamespace(get_current_stream=lambda device: SimpleNamespace(ptr={0: 5, 1: 6}[device]))
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(ndarray=Array, cuda=cuda))
    assert writable(array, "normal_").stream == 6


@pytest.mark.parametrize("dtype", ["<c8", "<c16"])
def test_parts_of_complex_arrays(dtype):
    array = writable(Array(dtype=dtype, strides=(64, 16)), "normal_")
    parts, itemsize = array.parts(), np.dtype(dtype).itemsize // 2
    assert (parts.shape, parts.strides, parts.itemsize) == ((2, 3, 2), (64, 16, itemsize), itemsize)
    assert parts.parts() is parts


def test_views_of_words():
    array = writable(Array(dtype="<i8"), "bits_", WORDS)
    assert array.view("u8").dtype == np.uint64


WRONG = [
    ({"dtype": "<i4"}, init.InvalidTypeError, "normal_ fills arrays of float32, .*, got int32"),
    ({"dtype": ">f4"}, init.InvalidTypeError, "normal_ fills device arrays in native byte order, got >f4: use float32"),
    ({"data": (ADDRESS, True)}, init.InvalidValueError, "normal_ got a read-only device array: pass a copy"),
    ({"mask": "a mask"}, init.InvalidTypeError, "normal_ does not know what a mask means: pass the array without it"),
    ({"strides": (0, 4)}, init.InvalidValueError, "normal_ got a view whose elements share memory.*pass a copy"),
    ({"strides": (8, 4)}, init.InvalidValueError, "normal_ got a view whose elements share memory.*pass a copy"),
    ({"strides": (13, 4)}, init.InvalidValueError, "normal_ fills device arrays of aligned elements.*contiguous copy"),
    ({"data": (ADDRESS + 2, False)}, init.InvalidValueError, "normal_ fills device arrays of aligned.*contiguous copy"),
]


@pytest.mark.parametrize(("entries", "error", "message"), WRONG, ids=[str(case[0]) for case in WRONG])
def test_what_cannot_be_filled(entries, error, message):
    generator = init.Generator(0)
    with pytest.raises(error, match=message):
        init.normal_(Array(**entries), generator=generator)
    assert generator.draws == 0


LIES = [
    ({"typestr": "<f1"}, "data type '<f1' not understood"),
    ({"typestr": None}, "typestr is None"),
    ({"shape": (10.5,)}, "float is no whole number"),
    ({"shape": 3}, "int is no sequence of whole numbers"),
    ({"shape": (-2, -5)}, "a negative number"),
    ({"shape": (1 << 63,)}, "numbers beyond 63 bits"),
    ({"shape": (1 << 40, 1 << 40)}, "numbers beyond 63 bits"),
    ({"strides": ()}, "0 strides for 2 axes"),
    ({"strides": (4,)}, "1 strides for 2 axes"),
    ({"strides": (1 << 70, 4)}, "numbers beyond 63 bits"),
    ({"strides": (4.5, 4)}, "float is no whole number"),
    ({"data": None}, "cannot unpack non-iterable NoneType object"),
    ({"data": (ADDRESS,)}, "not enough values to unpack"),
    ({"data": ("1", False)}, "'str' object cannot be interpreted as an integer"),
    ({"data": (-8, False)}, "a negative number"),
    ({"data": (1 << 64, False)}, "numbers beyond 63 bits"),
]


@pytest.mark.parametrize(("entries", "reason"), LIES, ids=[str(case[0]) for case in LIES])
def test_interfaces_that_cannot_be(entries, reason):
    generator, array = init.Generator(0), Array()
    array.__cuda_array_interface__ |= entries
    array.dtype = None
    text = re.escape(f"__cuda_array_interface__ cannot be used ({reason}")
    with pytest.raises(init.InvalidTypeError, match=text):
        init.normal_(array, generator=generator)
    assert generator.draws == 0


@pytest.mark.parametrize("stream", ["x", 1.5, -1, 1 << 64])
def test_streams_that_cannot_be(stream):
    generator, array = init.Generator(0), Array()
    array.__cuda_array_interface__ |= {"stream": stream}
    with pytest.raises(init.InvalidTypeError, match="stream cannot be used"):
        init.normal_(array, generator=generator)
    assert generator.draws == 0


@pytest.mark.parametrize("missing", ["shape", "typestr", "data"])
def test_interfaces_without_an_entry(missing):
    array = Array()
    del array.__cuda_array_interface__[missing]
    with pytest.raises(init.InvalidTypeError, match=f"cannot be used \\(no '{missing}'"):
        init.normal_(array, generator=0)


def test_a_dtype_that_is_not_as_wide_as_the_typestr():
    array = Array()
    array.dtype = np.dtype("bfloat16")
    with pytest.raises(init.InvalidTypeError, match="typestr '<f4' is not as wide as bfloat16"):
        init.normal_(array, generator=0)


def test_a_class_is_no_array():
    with pytest.raises(init.InvalidTypeError, match=r"normal_ fills an array in place, got builtins\.type"):
        init.normal_(Tensor, generator=0)


def test_strides_of_axes_of_one_element_do_not_matter():
    assert writable(Array((1, 3), strides=(3, 4)), "normal_").shape == (1, 3)


def test_arrays_of_jax_stay_as_they_are():
    immutable = type("ArrayImpl", (Array,), {"__module__": "jaxlib._jax"})
    with pytest.raises(init.InvalidTypeError, match="jax arrays are immutable; make a new one"):
        init.normal_(immutable())


def test_numba_cuda_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for name in [name for name in sys.modules if name.startswith("numbainit.targets.cuda")]:
        monkeypatch.delitem(sys.modules, name)
    choose.cuda.cache_clear()
    for call in (lambda: init.normal_(Array()), lambda: init.normal(3, device="cuda")):
        with pytest.raises(init.MissingExtraError, match=r'pip install "numbainit\[cuda13\]"'):
            call()


# ---- the place of new arrays ----


@pytest.mark.parametrize(("name", "place"), [(None, None), ("cpu", None), ("cuda", 0), ("cuda:0", 0), ("cuda:12", 12)])
def test_names_of_places(name, place):
    assert new_arrays.ordinal_of_name(name) == place


@pytest.fixture
def two_devices(monkeypatch):
    """A target with two GPUs, without one: arrays at ``ADDRESS`` live on the second."""
    target = SimpleNamespace(
        ordinal_of=lambda array: int(array.pointer == ADDRESS),
        check_device=lambda place: None,
        empty=lambda shape, dtype, place: SimpleNamespace(shape=shape, dtype=dtype, place=place),
    )
    monkeypatch.setattr(new_arrays, "cuda", lambda: SimpleNamespace(driver=target))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)


def test_new_arrays_live_where_they_should(two_devices, monkeypatch):
    made = []
    monkeypatch.setattr(init.init, "zeros_", lambda array, block: made.append(array) or array)
    init.zeros((2, 3), device="cuda")
    init.zeros((2, 3), device="cuda:1", dtype="float64")
    init.zeros(4, like=Array())
    init.zeros(4, like=Array(), device="cuda:1")
    init.zeros(4, like=np.empty(1, "f4"))
    assert [(array.shape, array.dtype, getattr(array, "place", None)) for array in made] == [
        ((2, 3), np.float32, 0),
        ((2, 3), np.float64, 1),
        ((4,), np.float32, 1),
        ((4,), np.float32, 1),
        ((4,), np.float32, None),
    ]


@pytest.mark.parametrize(
    ("like", "device", "lives"),
    [(Array(), "cuda:0", "cuda:1"), (Array(), "cpu", "cuda:1"), (np.empty(1), "cuda", "the host")],
)
def test_mixed_places(two_devices, like, device, lives):
    text = f"got device='{device}', but {{}} lives on {lives}: leave out one of the two"
    with pytest.raises(init.InvalidValueError, match=text.format("like")):
        init.zeros(3, like=like, device=device)
    with pytest.raises(init.InvalidValueError, match=text.format("the array given")):
        init.zeros(like if isinstance(like, Array) else np.empty((2, 2)), device=device)
