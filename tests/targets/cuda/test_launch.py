"""A fill of a device array → one launch on its device and stream, or an error; with a driver that only listens."""

import contextlib
import importlib.util
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import numbainit as init
import reference  # noqa: F401  (teaches NumPy the names of the small dtypes)
from numbainit.memory.device import DeviceArray

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(importlib.util.find_spec("numba_cuda") is None, reason="numba-cuda is not installed"),
]

DEVICE = 1
PROCESSORS = 132


class Gpu(contextlib.AbstractContextManager):
    MULTIPROCESSOR_COUNT, compute_capability = PROCESSORS, (9, 0)

    def __init__(self, driver, context):
        self.driver, self.context = driver, context

    def __enter__(self):
        self.before, self.driver.context = self.driver.context, self.context

    def __exit__(self, *error):
        self.driver.context = self.before


class Kernel:
    """Stands in for a dispatcher: loaded on a device it is the pair of itself and the context that it lives in."""

    def __init__(self, driver):
        self.compiled = 0
        cufunc = SimpleNamespace(get_cufunc=lambda: SimpleNamespace(kernel=(self, driver.context)))
        self.result = SimpleNamespace(library=cufunc)

    def typeof_pyval(self, value):
        return type(value)

    def compile(self, kinds):
        self.compiled += 1
        return self.result


@pytest.fixture
def target(monkeypatch):
    """The target with two devices, of which arrays are on the second; ``target.launches`` holds what was launched."""
    from numbainit.targets.cuda import driver as cuda
    from numbainit.targets.cuda import kernels as target

    driver = SimpleNamespace(context=0, get_version=lambda: (13, 0))
    known = [(7, 5), (8, 0), (8, 6), (9, 0), (10, 0), (12, 0)]
    monkeypatch.setattr(cuda, "nvrtc", SimpleNamespace(get_supported_ccs=lambda: known))
    driver.cuPointerGetAttribute = lambda attribute, pointer: DEVICE if pointer else None
    driver.cuCtxGetCurrent = lambda: driver.context
    gpus, launches, made = [Gpu(driver, 100), Gpu(driver, 101)], [], {}

    def launch(stream, configuration, loaded, *arguments):
        kernel, context = loaded
        assert driver.context == context == 101, "launched on the wrong device"
        launches.append((configuration.grid, configuration.block, stream, kernel, arguments))

    def kernels(*key):
        return made.setdefault(key, target.Kernels(*(Kernel(driver) for _ in range(3)), 1))

    fake = SimpleNamespace(
        gpus=gpus,
        is_available=lambda: True,
        cuda_error=lambda: None,
        runtime=SimpleNamespace(get_version=lambda: (13, 0)),
    )
    monkeypatch.setattr(cuda, "cuda", fake)
    monkeypatch.setattr(cuda, "api", SimpleNamespace(driver=driver, binding=cuda.api.binding, CudaAPIError=OSError))
    monkeypatch.setattr(target, "of_law", kernels)
    monkeypatch.setattr(cuda, "launch", launch)
    monkeypatch.setattr(cuda, "Stream", SimpleNamespace(from_handle=lambda handle: f"stream {handle}"))
    monkeypatch.setattr(cuda, "_loaded", {})
    monkeypatch.setattr(target, "of_mask", lambda itemsize: made.setdefault(itemsize, Kernel(driver)))
    for function in (cuda.check_driver, cuda._device):
        function.cache_clear()
    yield SimpleNamespace(launches=launches, cuda=fake, driver=driver, kernels=made)
    for function in (cuda.check_driver, cuda._device):
        function.cache_clear()


def array(size, stream=None):
    return DeviceArray(4096, (size,), (4,), np.dtype("f4"), stream, None)


class Interface:
    """An array on the second device."""

    __cuda_array_interface__ = {"shape": (3,), "typestr": "<f4", "data": (4096, False), "version": 3}  # noqa: RUF012


class Matrix:
    __cuda_array_interface__ = {"shape": (3, 2), "typestr": "<f4", "data": (4096, False), "version": 3}  # noqa: RUF012


def fill(size, stream=None):
    from numbainit.targets.choose import choose
    from numbainit.weights.laws import Law

    given = array(size, stream)
    choose(given).filling(given, Law("normal", (0.0, 1.0)), None)((1, 2, 3))


@pytest.mark.parametrize(
    ("size", "grid"),
    [
        (1, 1),
        (4 * 256 * 128, 128),
        (4 * 256 * 128 + 1, 129),
        (4 * 256 * 8 * PROCESSORS + 1, 8 * PROCESSORS),
        (1 << 40, 8 * PROCESSORS),
    ],
)
def test_a_launch_has_the_threads_that_have_work_up_to_what_the_device_holds(target, size, grid):
    fill(size)
    ((blocks, threads, _, _, arguments),) = target.launches
    assert (blocks, threads) == ((grid, 1, 1), (256, 1, 1))
    assert arguments == (4096, size, max(size - 3, 0), 0, 1, 2, 3, 0.0, 1.0)


@pytest.mark.parametrize("stream", [None, 0, 1, 2, 77])
def test_a_launch_goes_to_the_stream_of_the_array(target, stream):
    fill(100, stream)
    assert target.launches[0][2] == f"stream {stream or 0}"


@pytest.mark.parametrize("context", [0, 100, 101])
def test_the_context_of_the_caller_is_what_it_was(target, context):
    target.driver.context = context
    fill(100)
    fill(100)
    assert target.driver.context == context
    assert [kernel.compiled for kernel in next(iter(target.kernels.values()))[:3]] == [1, 0, 0]


def test_kernels_are_those_of_the_capability(target):
    fill(100)
    ((name, dtype, capability),) = target.kernels
    assert (name, dtype, capability) == ("normal", np.float32, (9, 0))


@pytest.mark.parametrize("first", [0, 2**63 - 4, 2**63, 2**64 - 200])
def test_numbers_beyond_63_bits_pass_as_the_same_bits(target, first):
    """All arguments are int64: another type would make Numba compile another kernel, with floats in it."""
    from numbainit.targets.choose import choose
    from numbainit.weights.blocks import Block
    from numbainit.weights.laws import Law

    block = Block((4,), (0,))
    object.__setattr__(block, "shape", (first + 100,))  # as for the parts of complex elements
    object.__setattr__(block, "start", (first,))
    given = array(100)
    choose(given).filling(given, Law("normal", (0.0, 1.0)), block)((1, 2, 3))
    number = target.launches[0][4][3]
    assert -(2**63) <= number < 2**63
    assert number % 2**64 == first


def test_errors_of_a_launch_reach_the_caller(target, monkeypatch):
    def fail(*arguments):
        raise RuntimeError("launch failed")

    monkeypatch.setattr("numbainit.targets.cuda.driver.launch", fail)
    with pytest.raises(RuntimeError, match="launch failed"):
        fill(100, 5)
    assert target.driver.context == 0


def test_no_card(target):
    target.cuda.is_available = lambda: False
    target.cuda.cuda_error = lambda: "CUDA_ERROR_NO_DEVICE (100)"
    with pytest.raises(init.DeviceError, match=r"found no CUDA device \(CUDA_ERROR_NO_DEVICE \(100\)\): install the"):
        init.normal(3, device="cuda")


def test_an_older_driver_than_the_toolkit(target):
    target.driver.get_version = lambda: (12, 4)
    text = r"driver knows CUDA up to 12\.4, but CUDA 13\.0 is installed: update the driver, or .*numbainit\[cuda12\]"
    with pytest.raises(init.DeviceError, match=text):
        fill(3)


def test_a_driver_older_than_any_extra(target):
    target.driver.get_version, target.cuda.runtime.get_version = lambda: (11, 8), lambda: (12, 9)
    with pytest.raises(
        init.DeviceError, match=r"knows CUDA up to 11\.8, but CUDA 12\.9 is installed: update the driver$"
    ):
        fill(3)


@pytest.mark.parametrize(("installed", "remedy"), [(13, r"pip install \"numbainit\[cuda12\]\" .* or use"), (12, "use")])
def test_a_card_older_than_the_toolkit(target, installed, remedy):
    target.cuda.gpus[1].compute_capability = (7, 0)
    target.driver.get_version = target.cuda.runtime.get_version = lambda: (installed, 0)
    generator = init.Generator(0)
    text = rf"cuda:1 has compute capability 7\.0, but .* compiles for 7\.5 and newer: {remedy} device='cpu'"
    with pytest.raises(init.DeviceError, match=text):
        init.normal_(Interface(), generator=generator)
    assert generator.draws == 0


@pytest.mark.parametrize("capability", [(9, 9), (14, 0)])
def test_a_card_newer_than_the_toolkit(target, capability):
    target.cuda.gpus[1].compute_capability = capability
    generator = init.Generator(0)
    with pytest.raises(init.DeviceError, match=r"which the CUDA that is installed does not know: install newer numba"):
        init.normal_(Interface(), generator=generator)
    assert generator.draws == 0


@pytest.mark.parametrize("capability", [(8, 7), (9, 0), (12, 0)])
def test_cards_that_the_toolkit_knows(target, capability):
    """Or for which an older one serves, before 9.0."""
    target.cuda.gpus[1].compute_capability = capability
    init.normal_(Interface(), generator=0)
    assert len(target.launches) == 1


@pytest.mark.parametrize("fill", [init.normal_, lambda array, generator: init.sparse_(array, 0.5, generator=generator)])
def test_where_a_kernel_cannot_be_compiled_nothing_is_drawn_or_written(target, monkeypatch, fill):
    """Neither by the first of the two kernels of a sparse matrix."""
    loaded = []

    def load(kernel, device, arguments):
        loaded.append(kernel)
        if fill is init.normal_ or len(loaded) == 2:
            raise RuntimeError("no compiler")
        return kernel, 101

    monkeypatch.setattr("numbainit.targets.cuda.driver._load", load)
    generator = init.Generator(0)
    with pytest.raises(RuntimeError, match="no compiler"):
        fill(Matrix(), generator=generator)
    assert generator.draws == 0
    assert not target.launches


def test_the_simulator(target, monkeypatch):
    monkeypatch.setattr("numba.config.ENABLE_CUDASIM", True)
    with pytest.raises(init.DeviceError, match="NUMBA_ENABLE_CUDASIM is set"):
        init.normal(3, device="cuda")


@pytest.mark.parametrize("shape", [(1 << 70,), (1 << 62,), (1 << 31, 1 << 31)], ids=str)
def test_shapes_beyond_all_memory(target, shape):
    with pytest.raises(init.InvalidValueError, match="takes more bytes than there are addresses"):
        init.normal(shape, device="cuda")


def test_no_memory_left(target, monkeypatch):
    class Error(OSError):
        code = 2

    def fail(shape, dtype):
        raise Error

    target.cuda.device_array = fail
    names = SimpleNamespace(CUresult=SimpleNamespace(CUDA_ERROR_OUT_OF_MEMORY=2))
    api = SimpleNamespace(driver=target.driver, binding=names, CudaAPIError=Error)
    monkeypatch.setattr("numbainit.targets.cuda.driver.api", api)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "cupy" else object())
    with pytest.raises(MemoryError, match=r"cuda:1 has no memory left for shape \(3,\) of float32"):
        init.normal(3, device="cuda:1")


@pytest.fixture
def cupy(target, monkeypatch):
    """Stands in for CuPy where it makes new arrays; a ``failure`` is raised there."""
    module = SimpleNamespace(made=[], failure=None)

    def empty(shape, dtype):
        if module.failure:
            raise module.failure
        module.made.append(dtype)
        return SimpleNamespace(view=lambda dtype: ("viewed", dtype), given=dtype)

    module.empty, module.cuda = empty, SimpleNamespace(Device=lambda number: contextlib.nullcontext())
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setitem(sys.modules, "cupy", module)
    return module


def test_small_floats_are_views_in_cupy(cupy):
    """It refuses the float8 kinds."""
    from numbainit.targets import new_arrays

    float8 = np.dtype("float8_e4m3fn")
    assert new_arrays.empty_on_device((3,), float8, 0) == ("viewed", float8)
    assert new_arrays.empty_on_device((3,), np.dtype("f4"), 0).given == np.float32
    assert cupy.made == ["u1", np.float32]


def test_errors_of_cupy_are_one_line(cupy):
    cupy.failure = RuntimeError("cudaErrorCallRequiresNewerDriver")
    with pytest.raises(init.DeviceError, match=r"CuPy cannot use the GPU \(cudaErrorCallRequires.*show_config"):
        init.normal(3, device="cuda")
    cupy.failure = MemoryError("out of memory")
    with pytest.raises(MemoryError, match="out of memory"):
        init.normal(3, device="cuda")


def test_a_device_that_is_not_there(target):
    with pytest.raises(init.DeviceError, match="there is no cuda:2: 2 CUDA devices, numbered from 0, are here"):
        init.normal(3, device="cuda:2")


def test_memory_that_the_driver_does_not_know(target):
    def unknown(attribute, pointer):
        raise OSError("CUDA_ERROR_INVALID_VALUE")

    target.driver.cuPointerGetAttribute = unknown
    with pytest.raises(init.InvalidValueError, match="address 0x1000, which the CUDA driver does not know"):
        fill(3)
