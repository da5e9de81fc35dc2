"""Memory of other libraries → filled in place with the values that a NumPy array of this shape gets, or refused."""

import array
import ctypes
import mmap

import numpy as np
import pytest

import numbainit as init

SEED = 5


def wanted(shape, dtype="float32"):
    return init.normal_(np.empty(shape, dtype), generator=SEED)


# ---- without another library ----


class Interface:
    """Another library's array: it shows its memory and is no ndarray."""

    def __init__(self, memory):
        self.memory = memory

    @property
    def __array_interface__(self):
        return self.memory.__array_interface__


class Dlpack:
    def __init__(self, memory):
        self.memory = memory

    def __dlpack__(self, **keywords):
        return self.memory.__dlpack__(**keywords)

    def __dlpack_device__(self):
        return self.memory.__dlpack_device__()


class OldDlpack(Dlpack):
    """Exported without saying whether it may be written to."""

    def __dlpack__(self, stream=None):
        return self.memory.__dlpack__()


class Copying:
    def __init__(self, memory):
        self.memory = memory

    def __array__(self, dtype=None, copy=None):
        return self.memory.copy()


class Subclass(np.ndarray):
    def __setitem__(self, index, value):
        raise AssertionError("what a subclass does with assignments is its own business")


def of_memmap(tmp_path, shape):
    return np.memmap(tmp_path / "weights", "float32", "w+", shape=shape)


@pytest.mark.parametrize("shape", [(7,), (40, 1000), (3, 4, 5), ()], ids=str)
def test_ndarrays_of_other_classes(tmp_path, shape):
    for given in (np.empty(shape, "float32").view(Subclass), of_memmap(tmp_path, shape or (1,))):
        assert init.normal_(given, generator=SEED) is given
        assert type(given) is not np.ndarray
        assert np.array_equal(np.asarray(given).ravel(), wanted(shape).ravel())


def test_a_memory_map_is_written_to_its_file(tmp_path):
    init.normal_(of_memmap(tmp_path, (300, 200)), generator=SEED).flush()
    assert np.array_equal(np.fromfile(tmp_path / "weights", "float32"), wanted((300, 200)).ravel())


@pytest.mark.parametrize("kind", [Interface, Dlpack], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("index", [np.s_[:, :], np.s_[::2, 1:], np.s_[::-1]], ids=["all", "gaps", "backwards"])
def test_protocols(kind, index):
    if kind is Dlpack and np.lib.NumpyVersion(np.__version__) < "2.1.0":
        pytest.skip("NumPy takes all arrays of DLPack for read-only before 2.1")
    memory = np.zeros((30, 40), "float32")
    given = kind(memory[index])
    assert init.normal_(given, generator=SEED) is given
    assert np.array_equal(memory[index], wanted(memory[index].shape))


BUFFERS = {
    "array.array": lambda: array.array("f", bytes(48)),
    "memoryview": lambda: memoryview(bytearray(48)).cast("f"),
    "memoryview, two axes": lambda: memoryview(bytearray(48)).cast("f", (3, 4)),
    "ctypes": lambda: (ctypes.c_float * 12)(),
    "mmap": lambda: memoryview(mmap.mmap(-1, 48)).cast("f"),
}


@pytest.mark.parametrize("name", BUFFERS)
def test_the_buffer_protocol(name):
    given = BUFFERS[name]()
    assert init.normal_(given, generator=SEED) is given
    got = np.asarray(memoryview(given))
    assert np.array_equal(got, wanted(got.shape))


REFUSED = {
    "bytes": (lambda: b"12345678", init.InvalidTypeError, "got builtins.bytes"),
    "bytes of a buffer": (lambda: bytearray(8), init.InvalidTypeError, "got uint8"),
    "ints of a buffer": (lambda: array.array("i", [1, 2]), init.InvalidTypeError, "got int32"),
    "a read-only buffer": (
        lambda: memoryview(np.float32([1, 2])).toreadonly(),
        init.InvalidValueError,
        "read-only",
    ),
    "DLPack that says nothing": (lambda: OldDlpack(np.zeros(3)), init.InvalidValueError, "read-only"),
    "a copy": (lambda: Copying(np.zeros(3)), init.InvalidTypeError, "make a new array"),
    "a scalar": (lambda: np.float32(1), init.InvalidTypeError, "make a new array"),
    "a structure": (lambda: np.zeros(3, "f4,f4"), init.InvalidTypeError, "fill an array of one of these"),
    "a list": (lambda: [1.0, 2.0], init.InvalidTypeError, "make a new array"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_written_in_place(name):
    make, error, message = REFUSED[name]
    draws = init.default_generator.draws
    with pytest.raises(error, match=message):
        init.normal_(make())
    assert init.default_generator.draws == draws


# ---- torch ----


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="torch is not installed")


VIEWS = {
    "whole": lambda tensor: tensor,
    "transposed": lambda tensor: tensor.t(),
    "every other": lambda tensor: tensor[::2, 1:],
    "one row": lambda tensor: tensor[3],
    "one element": lambda tensor: tensor[3, 4],
}


@pytest.mark.full
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16", "float8_e5m2", "complex64"])
def test_torch_tensors(torch, view, dtype):
    pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")
    tensor = VIEWS[view](torch.zeros(20, 30, dtype=getattr(torch, dtype)))
    pointer = tensor.data_ptr()
    assert init.normal_(tensor, generator=SEED) is tensor
    assert tensor.data_ptr() == pointer
    bits = tensor.contiguous().view(torch.uint8) if tensor.ndim else tensor.reshape(1).view(torch.uint8)
    assert bits.numpy().tobytes() == init.normal(tuple(tensor.shape), dtype=dtype, generator=SEED).tobytes()


@pytest.mark.full
def test_torch_parameters_keep_their_gradient(torch):
    layer = torch.nn.Linear(30, 20)
    init.kaiming_uniform_(layer.weight, generator=SEED)
    assert layer.weight.requires_grad
    assert layer.weight.is_leaf
    assert np.array_equal(layer.weight.detach().numpy(), init.kaiming_uniform((20, 30), generator=SEED))


@pytest.mark.full
def test_torch_is_told_of_the_change(torch):
    """As with torch's own initializers, a graph that has kept the old values refuses to go backward."""
    weight = torch.ones(3, requires_grad=True)
    loss = (weight * weight).sum()
    init.normal_(weight, generator=SEED)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@pytest.mark.full
@pytest.mark.parametrize("arguments", [{"std": -1.0}, {"generator": "x"}, {"block": init.Block((2,), (0,))}], ids=str)
def test_torch_is_told_of_nothing_that_was_refused(torch, arguments):
    weight = torch.ones(3, requires_grad=True)
    loss = (weight * weight).sum()
    with pytest.raises((init.InvalidValueError, init.InvalidTypeError)):
        init.normal_(weight, **arguments)
    loss.backward()
    assert (weight.grad == 2).all()


@pytest.mark.full
def test_torch_buffers_in_inference_mode(torch):
    with torch.inference_mode():
        tensor = torch.zeros(5)
    assert np.array_equal(init.normal_(tensor, generator=SEED).numpy(), wanted(5))


TENSORS = {
    "meta": (lambda torch: torch.empty(3, device="meta"), "to_empty"),
    "sparse": (lambda torch: torch.eye(3).to_sparse(), "dense torch tensors"),
    "conjugate": (lambda torch: torch.zeros(3, dtype=torch.complex64).conj(), "resolve_conj"),
    "expanded": (lambda torch: torch.zeros(3, 1).expand(3, 4), "share memory"),
    "lazy": (lambda torch: torch.nn.LazyLinear(3).weight, "without memory that can be shared"),
    "half complex": (lambda torch: torch.zeros(3, dtype=torch.complex32), "complex32 without memory"),
    "integers": (lambda torch: torch.zeros(3, dtype=torch.int32), "got int32"),
}


@pytest.mark.full
@pytest.mark.filterwarnings("ignore:Lazy modules are a new feature", "ignore:ComplexHalf support is experimental")
@pytest.mark.parametrize("name", TENSORS)
def test_torch_tensors_that_cannot_be_filled(torch, name):
    make, message = TENSORS[name]
    with pytest.raises((init.InvalidValueError, init.InvalidTypeError), match=message):
        init.normal_(make(torch))


@pytest.mark.full
def test_torch_initializers_by_name_take_numbainit(torch):
    """The replacement that the package promises: ``import numbainit as init`` in a torch module's own code."""
    layers = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8), torch.nn.Linear(8, 4))
    init.manual_seed(3)
    for module in layers:
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
            init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            init.zeros_(module.bias)
        else:
            init.ones_(module.weight)
    generator = init.Generator(3)
    assert np.array_equal(
        layers[0].weight.detach().numpy(),
        init.kaiming_normal((8, 3, 3, 3), mode="fan_out", nonlinearity="relu", generator=generator),
    )
    assert (layers[2].bias == 0).all()


# ---- JAX ----


@pytest.mark.full
def test_jax_arrays_are_immutable():
    jax = pytest.importorskip("jax", reason="jax is not installed")
    given = jax.numpy.zeros(3)
    with pytest.raises(init.InvalidTypeError, match=r"immutable; make a new one"):
        init.normal_(given)
    assert (given == 0).all()


# ---- interfaces ----


class Held:
    """Memory behind ``__array_interface__``, and what else it says."""

    def __init__(self, array, **entries):
        self.array = array
        self.__array_interface__ = dict(array.__array_interface__) | entries


def test_an_honest_interface_of_float8():
    """NumPy has no typestr for it: the dtype that the object names says what the bytes are."""
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")
    array = np.zeros((3, 5), ml_dtypes.float8_e4m3fn)
    held = Held(array)
    held.dtype = array.dtype
    assert init.normal_(held, generator=3) is held
    assert array.tobytes() == init.normal((3, 5), dtype="float8_e4m3fn", generator=3).tobytes()


@pytest.mark.parametrize(
    "entries",
    [
        {"typestr": "<f1"},
        {"typestr": None},
        {"typestr": b"<f4"},
        {"shape": (-1,)},
        {"shape": 3},
        {"shape": (2**64,)},
        {"shape": (1,) * 100},
        {"strides": (4,)},
        {"strides": ("4", "4")},
        {"data": (-8, False)},
        {"data": ("0", False)},
        {"data": (0, False)},
        {"data": (1, 2, 3)},
        {"mask": np.zeros(3)},
    ],
    ids=str,
)
def test_interfaces_that_cannot_be(entries):
    array, generator = np.full((2, 3), 7.0, "f4"), init.Generator(0)
    with pytest.raises(init.InvalidTypeError):
        init.normal_(Held(array, **entries), generator=generator)
    assert (array == 7).all()
    assert generator.draws == 0


def test_objects_that_pretend_to_be_arrays():
    """``__class__`` may say what it likes; a proxy that hands on the interface is filled."""

    class Proxy:
        def __init__(self, array):
            self.__array_interface__ = array.__array_interface__

        __class__ = np.ndarray

    array = np.zeros(5, "f4")
    init.normal_(Proxy(array), generator=3)
    assert array.tobytes() == init.normal(5, generator=3).tobytes()
