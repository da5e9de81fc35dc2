"""A fill of a device array → one launch on its device and stream, or an error; with a driver that only listens."""

import contextlib
import importlib.util
from types import SimpleNamespace

import numpy as np
import pytest

import gpu
import numbainit as init
from numbainit.devices import DeviceArray
from numbainit.parameters import Law

pytestmark = pytest.mark.skipif(importlib.util.find_spec("numba_cuda") is None, reason="numba-cuda is not installed")

DEVICE = 1
PROCESSORS = 132


class Device(contextlib.AbstractContextManager):
    MULTIPROCESSOR_COUNT = PROCESSORS
    entered = 0

    def __enter__(self):
        self.entered += 1

    def __exit__(self, *error):
        self.entered -= 1


@pytest.fixture
def target(monkeypatch):
    """The target with two devices, of which arrays are on the second; ``target.launches`` holds what was launched."""
    from numbainit.targets import cuda

    gpus = [Device(), Device()]
    launches = []

    class Kernel:
        def __getitem__(self, configuration):
            assert [device.entered for device in gpus] == [0, 1], "launched on the wrong device"
            return lambda *arguments: launches.append((*configuration, arguments))

    kernels = {key: cuda.Kernels(Kernel(), Kernel()) for key in cuda.KERNELS}
    driver = SimpleNamespace(
        cuPointerGetAttribute=lambda attribute, pointer: DEVICE if pointer else None, get_version=lambda: (13, 0)
    )
    fake = SimpleNamespace(
        gpus=gpus,
        external_stream=lambda handle: f"stream {handle}",
        is_available=lambda: True,
        cuda_error=lambda: None,
        runtime=SimpleNamespace(get_version=lambda: (13, 0)),
    )
    monkeypatch.setattr(cuda, "cuda", fake)
    monkeypatch.setattr(cuda, "api", SimpleNamespace(driver=driver, binding=cuda.api.binding, CudaAPIError=OSError))
    monkeypatch.setattr(cuda, "KERNELS", kernels)
    monkeypatch.setattr(cuda, "SPARSE", {4: Kernel(), 8: Kernel()})
    cuda.check_driver.cache_clear()
    yield SimpleNamespace(launches=launches, cuda=fake, driver=driver)
    cuda.check_driver.cache_clear()


def array(size, stream=None):
    return DeviceArray(4096, (size,), (4,), np.dtype("f4"), stream, None)


def fill(size, stream=None):
    from numbainit.fill import fill_from

    fill_from(array(size, stream), Law("normal", (0.0, 1.0)), (1, 2, 3))


@pytest.mark.parametrize(
    ("size", "grid"),
    [
        (1, 128),  # Numba warns of fewer
        (4 * 256 * 128, 128),
        (4 * 256 * 128 + 1, 129),
        (4 * 256 * 8 * PROCESSORS + 1, 8 * PROCESSORS),
        (1 << 40, 8 * PROCESSORS),
    ],
)
def test_a_launch_has_the_threads_that_have_work_up_to_what_the_device_holds(target, size, grid):
    fill(size)
    ((blocks, threads, _, arguments),) = target.launches
    assert (blocks, threads) == (grid, 256)
    assert arguments == ((4096, size, max(size - 3, 0)), 0, 1, 2, 3, (0.0, 1.0))


@pytest.mark.parametrize(("stream", "used"), [(None, 0), (0, 0), (1, "stream 1"), (2, "stream 2"), (77, "stream 77")])
def test_a_launch_goes_to_the_stream_of_the_array(target, stream, used):
    fill(100, stream)
    assert target.launches[0][2] == used


def test_errors_of_a_launch_reach_the_caller(target):
    target.cuda.external_stream = lambda handle: (_ for _ in ()).throw(RuntimeError("launch failed"))
    with pytest.raises(RuntimeError, match="launch failed"):
        fill(100, 5)
    assert [device.entered for device in target.cuda.gpus] == [0, 0]


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


def test_a_device_that_is_not_there(target):
    with pytest.raises(init.DeviceError, match="there is no cuda:2: 2 CUDA devices, numbered from 0, are here"):
        init.normal(3, device="cuda:2")


def test_memory_that_the_driver_does_not_know(target):
    def unknown(attribute, pointer):
        raise OSError("CUDA_ERROR_INVALID_VALUE")

    target.driver.cuPointerGetAttribute = unknown
    with pytest.raises(init.InvalidValueError, match="address 0x1000, which the CUDA driver does not know"):
        fill(3)


# ---- the same by way of Numba's dispatcher, up to the call of the driver ----


@pytest.fixture
def launched(monkeypatch):
    """What reaches the driver: (handle of the stream, configuration, arguments); compiling is real."""
    from numba.cuda import codegen, dispatcher

    taken = []
    device = SimpleNamespace(compute_capability=(9, 0), id=0)
    function = SimpleNamespace(kernel=None, module=SimpleNamespace(initialized=True))
    module = SimpleNamespace(get_function=lambda name: function)
    context = SimpleNamespace(device=device, create_module_image=lambda *image: module)
    monkeypatch.setattr(dispatcher, "get_current_device", lambda: device)
    monkeypatch.setattr(codegen.devices, "get_context", lambda: context)

    def take(stream, configuration, kernel, *arguments):
        taken.append((int(stream.handle), configuration, [argument.value for argument in arguments]))

    monkeypatch.setattr(dispatcher, "launch", take)
    return taken


@gpu.needed
@pytest.mark.parametrize("handle", [0, 1, 2, 0x7F00])
def test_arguments_reach_the_driver_one_by_one_and_without_a_warning(launched, handle):
    from numba.cuda.cudadrv.driver import Stream, binding

    from numbainit.targets import cuda, cuda_laws

    kernel = cuda._direct(cuda_laws.normal32, cuda._put_strided)  # not the one that others launch
    stream = Stream(binding.CUstream(handle), external=True) if handle else 0
    where = 0x7F0000000000, 100, (2, 50), (50, -1)
    kernel[cuda._FEWEST_BLOCKS, cuda.THREADS, stream](where, 2**40, 2**32 - 1, 2, 3, (0.5, 2.0))
    ((used, configuration, arguments),) = launched
    assert used == handle
    assert (configuration.grid, configuration.block) == ((128, 1, 1), (256, 1, 1))
    assert arguments == [0x7F0000000000, 100, 2, 50, 50, -1, 2**40, 2**32 - 1, 2, 3, 0.5, 2.0]


@gpu.needed
def test_an_error_of_the_driver_reaches_the_caller(launched, monkeypatch):
    from numba.cuda import dispatcher

    from numbainit.targets import cuda, cuda_laws

    def fail(*arguments):
        raise RuntimeError("CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES")

    monkeypatch.setattr(dispatcher, "launch", fail)
    kernel = cuda._direct(cuda_laws.bits32, cuda._put_contiguous)
    with pytest.raises(RuntimeError, match="LAUNCH_OUT_OF_RESOURCES"):
        kernel[cuda._FEWEST_BLOCKS, cuda.THREADS]((4096, 4, 1), 0, 1, 2, 3, (0.0,))
