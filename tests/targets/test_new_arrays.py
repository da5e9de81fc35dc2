"""A shape, a dtype, a device or an array to be like → a new array of the right library, place and alignment.

The libraries here are stand-ins that note what they are asked for; the real ones are in ``test_functional.py``.
"""

import sys
from types import SimpleNamespace

import ml_dtypes
import numpy as np
import pytest

import numbainit as init
from numbainit.targets.new_arrays import ordinal_of_name


@pytest.mark.parametrize(
    "like", [None, np.zeros(3, order="F"), np.ma.masked_array([1.0])], ids=["none", "array", "masked"]
)
@pytest.mark.parametrize("device", [None, "cpu"])
def test_arrays_of_numpy(like, device):
    array = init.normal((3, 4), dtype="float64", like=like, device=device, generator=1)
    assert type(array) is np.ndarray
    assert array.flags.c_contiguous
    assert array.flags.owndata
    assert array.tobytes() == init.normal_(np.empty((3, 4)), generator=1).tobytes()


@pytest.mark.full
@pytest.mark.parametrize(
    "device",
    [
        lambda: pytest.importorskip("torch").device("cpu"),
        lambda: pytest.importorskip("torch").empty(1).device,
        lambda: pytest.importorskip("jax").devices("cpu")[0],
        lambda: "cpu",
    ],
    ids=["torch", "tensor", "jax", "name"],
)
def test_devices_of_libraries(device):
    array = init.normal(5, device=device(), generator=1)
    assert type(array) is np.ndarray
    assert array.tobytes() == init.normal(5, generator=1).tobytes()
    assert init.normal(5, device=device(), like=array).shape == (5,)


def device_of(module, kind, text="", **facts):
    return type(kind, (), {"__module__": module, "__str__": lambda self: text, **facts})()


@pytest.mark.parametrize(
    ("device", "ordinal"),
    [
        (device_of("torch", "device", "cuda:3"), 3),
        (device_of("torch", "device", "cuda"), 0),
        (device_of("cupy.cuda.device", "Device", id=2), 2),
        (device_of("jaxlib._jax", "Device", platform="gpu", local_hardware_id=1), 1),
    ],
    ids=["torch", "torch, no number", "cupy", "jax"],
)
def test_devices_of_libraries_that_are_a_gpu(device, ordinal):
    assert ordinal_of_name(device) == ordinal


@pytest.mark.parametrize(
    "device",
    [
        device_of("torch", "device", "meta"),
        device_of("torch", "device", "mps:0"),
        device_of("jaxlib._jax", "Device", platform="tpu"),
        device_of("somebody", "Device", "cpu"),
    ],
    ids=["meta", "mps", "tpu", "unknown"],
)
def test_other_devices_of_libraries(device):
    with pytest.raises(init.InvalidValueError, match="device must be None, 'cpu', 'cuda' or 'cuda:<number>', got"):
        init.normal(5, device=device)


@pytest.mark.parametrize("shape", [(2**62,), (2**40, 2**30)], ids=str)
def test_more_bytes_than_an_array_can_have(shape):
    with pytest.raises(init.InvalidValueError, match=r"shape \(.*\) cannot be an array"):
        init.zeros(shape)


def test_more_bytes_than_there_are():
    generator = init.Generator(0)
    with pytest.raises(MemoryError):
        init.normal(2**58, generator=generator)
    assert generator.draws == 0


# ---- torch ----


class Tensor:
    device, is_cuda = "the second card", False


@pytest.fixture
def torch(monkeypatch):
    """``torch.asked`` holds what tensors were made for."""

    def empty(shape, **keywords):
        library.asked.append((shape, keywords))
        return np.empty(shape, library.real[keywords["dtype"]])

    library = SimpleNamespace(
        Tensor=Tensor, empty=empty, asked=[], real={"torch's f4": "f4", "torch's bf16": "bfloat16"}
    )
    library.float32, library.bfloat16 = "torch's f4", "torch's bf16"
    monkeypatch.setitem(sys.modules, "torch", library)
    return library


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_tensors_are_made_by_torch_on_the_device_of_like(torch, dtype):
    array = init.normal((3, 4), dtype=dtype, like=Tensor(), generator=1)
    assert torch.asked == [((3, 4), {"dtype": getattr(torch, dtype), "device": "the second card"})]
    assert array.tobytes() == init.normal((3, 4), dtype=dtype, generator=1).tobytes()


def test_a_dtype_that_torch_has_not(torch):
    with pytest.raises(init.InvalidTypeError, match="torch has no float8_e3m4"):
        init.normal(3, dtype="float8_e3m4", like=Tensor())
    assert torch.asked == []


# ---- JAX ----


class Home:
    def __init__(self, platform):
        self.platform = platform


CPU, CARD = Home("cpu"), Home("cuda")


class JaxArray:
    def __init__(self, *homes):
        self.homes = homes

    def devices(self):
        return set(self.homes)


class Tracer(JaxArray):
    pass


@pytest.fixture
def jax(monkeypatch):
    """An array on its way: ("put", what, where), with ("dlpack", array) for what is handed over without a copy."""
    library = SimpleNamespace(
        Array=JaxArray,
        core=SimpleNamespace(Tracer=Tracer),
        config=SimpleNamespace(jax_enable_x64=False),
        dlpack=SimpleNamespace(from_dlpack=lambda array: ("dlpack", array)),
        device_put=lambda array, home: ("put", array, home),
    )
    monkeypatch.setitem(sys.modules, "jax", library)
    return library


def test_arrays_are_handed_over_to_jax_without_a_copy(jax):
    for size in (1, 3, 1000):
        put, (way, array), home = init.normal(size, dtype="float32", like=JaxArray(CPU), generator=1)
        assert (put, way, home) == ("put", "dlpack", CPU)
        assert array.ctypes.data % 64 == 0, "JAX would copy it"
        assert array.tobytes() == init.normal(size, generator=1).tobytes()


@pytest.mark.parametrize(("dtype", "home"), [("bfloat16", CPU), ("float32", CARD)], ids=["small", "card"])
def test_what_dlpack_cannot_take_is_copied_to_its_home(jax, dtype, home):
    _, array, place = init.normal((2, 3), dtype=dtype, like=JaxArray(home), generator=1)
    assert place is home
    assert array.tobytes() == init.normal((2, 3), dtype=dtype, generator=1).tobytes()


@pytest.mark.parametrize(
    ("like", "dtype", "error", "message"),
    [
        (JaxArray(CPU), "float64", init.InvalidTypeError, "float64 half as wide"),
        (JaxArray(CPU), "complex128", init.InvalidTypeError, "complex128 half as wide"),
        (Tracer(CPU), "float32", init.InvalidTypeError, r"JAX is tracing.*numbainit\.jax"),
        (JaxArray(CPU, CARD, Home("cpu")), "float32", init.InvalidValueError, "like lives on 3 devices"),
    ],
    ids=["wide", "wide complex", "traced", "sharded"],
)
def test_what_jax_cannot_have(jax, like, dtype, error, message):
    generator = init.Generator(0)
    with pytest.raises(error, match=message):
        init.normal((2, 3), dtype=dtype, like=like, generator=generator)
    assert generator.draws == 0


def test_wide_arrays_where_jax_allows_them(jax):
    jax.config.jax_enable_x64 = True
    _, (_, array), _ = init.normal(3, dtype="float64", like=JaxArray(CPU), generator=1)
    assert array.dtype == np.float64


def test_small_dtypes_are_those_of_ml_dtypes():
    assert init.normal(3, dtype="bfloat16").dtype == np.dtype(ml_dtypes.bfloat16)
