"""Arrays on a real GPU → the bits that the CPU gives, whatever the library, the layout and the stream.

Skipped without a card, but for the run of ``test_emulated.py``, on a driver without one. Beside this file,
``test_values.py`` runs the compiled kernels and ``test_code.py`` reads them. Bits are compared with the
CPU's, which are tested elsewhere.
"""

import contextlib
import importlib
import importlib.util
import json
import os
from pathlib import Path

import numpy as np
import pytest
import test_golden as golden

import cases
import numbainit as init
import reference
from numbainit.command.cli import main
from numbainit.measure import device as bench


def _missing():
    """Why nothing can be run here, or an empty text."""
    if importlib.util.find_spec("numba_cuda") is None:
        return "numba-cuda is not installed"
    from numba import cuda

    return "" if cuda.is_available() else "there is no CUDA device"


pytestmark = [pytest.mark.full, pytest.mark.cuda, pytest.mark.skipif(bool(_missing()), reason=_missing())]

FILLS = {
    "bits u4": (init.bits_, "u4", ()),
    "bits i8": (init.bits_, "i8", ()),
    "uniform f4": (init.uniform_, "f4", (-1.0, 3.0)),
    "uniform f8": (init.uniform_, "f8", (-1.0, 3.0)),
    "normal f4": (init.normal_, "f4", (1.0, 2.0)),
    "normal f8": (init.normal_, "f8", (1.0, 2.0)),
    "trunc_normal f4": (init.trunc_normal_, "f4", ()),
    "trunc_normal f8": (init.trunc_normal_, "f8", ()),
    "tail f4": (init.trunc_normal_, "f4", (0.0, 1.0, 3.0, 9.0)),
    "tail f8": (init.trunc_normal_, "f8", (0.0, 1.0, 3.0, 9.0)),
    "uniform bfloat16": (init.uniform_, "bfloat16", (-1.0, 3.0)),
    "normal f2": (init.normal_, "f2", (0.0, 1e-5)),
    "normal float8_e4m3fn": (init.normal_, "float8_e4m3fn", (0.0, 1.0)),
    "trunc_normal bfloat16": (init.trunc_normal_, "bfloat16", ()),
    "normal c8": (init.normal_, "c8", (1.0 + 2.0j, 2.0)),
    "normal c16": (init.normal_, "c16", (1.0, 2.0)),
}
large = pytest.mark.skipif("PYTEST_EMULATED" in os.environ, reason="a card is emulated, too slowly for so much")
EMULATED = ("bits u4", "uniform f8", "normal f4", "trunc_normal f4", "uniform bfloat16", "normal c8")
NAMES = [pytest.param(name, marks=() if name in EMULATED else large) for name in FILLS]
SIZES = [1, 3, 4, 5, 1023, *(pytest.param(size, marks=large) for size in (4 * 256 * 16 + 1, (1 << 20) + 3))]
LIBRARIES = ["cupy", "numba", "torch"]


class Library:
    """Makes device arrays and brings them back."""

    def __init__(self, name):
        self.name = name
        if name == "numba":
            from numba import cuda

            self.module = cuda
            return
        self.module = pytest.importorskip(name, reason=f"{name} is not installed")
        if name == "torch" and not self.module.cuda.is_available():
            pytest.skip("torch sees no CUDA device")

    def zeros(self, shape, dtype):
        host, small = np.zeros(shape, dtype), np.dtype(dtype).kind == "V" or np.dtype(dtype).itemsize == 1
        if self.name == "torch":
            known = getattr(self.module, host.dtype.name)
            return self.module.zeros(shape, dtype=known, device="cuda")
        if self.name == "cupy" and small:  # CuPy has no such dtype, but views
            return self.module.zeros(shape, f"u{host.itemsize}").view(dtype)
        if self.name == "numba":  # which copies only what has the buffer protocol
            return (
                self.module.to_device(host.view(f"u{host.itemsize}")).view(dtype)
                if small
                else self.module.to_device(host)
            )
        return self.module.asarray(host)

    def host(self, array):
        if self.name == "torch":
            plain = array.detach().cpu()
            small = plain.dtype.is_floating_point and plain.element_size() < 4
            words = {1: self.module.uint8, 2: self.module.int16}.get(plain.element_size())
            name = str(plain.dtype).removeprefix("torch.")
            return (plain.view(words).numpy().view(name) if small else plain.numpy()).copy()
        if self.name == "numba":
            small = array.dtype.itemsize < 4
            words = array.view(f"u{array.dtype.itemsize}") if small else array
            return words.copy_to_host().view(array.dtype) if small else array.copy_to_host()
        return array.view(f"u{array.itemsize}").get().view(array.dtype) if array.itemsize < 4 else array.get()

    def stream(self):
        """A stream of its own, as a context in which new work goes to it."""
        if self.name == "torch":
            return self.module.cuda.stream(self.module.cuda.Stream())
        return self.module.cuda.Stream(non_blocking=True) if self.name == "cupy" else contextlib.nullcontext()


@pytest.fixture(params=LIBRARIES)
def library(request):
    return Library(request.param)


@pytest.fixture
def device():
    """Arrays of whatever library there is, for tests that are about kernels."""
    return Library("cupy" if importlib.util.find_spec("cupy") else "numba")


def same(got, wanted):
    return np.ascontiguousarray(got).tobytes() == np.ascontiguousarray(wanted).tobytes()


# ---- bits ----


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", SIZES)
def test_every_size(device, name, size):
    fill, dtype, parameters = FILLS[name]
    array = device.zeros(size, dtype)
    assert fill(array, *parameters, generator=5) is array
    assert same(device.host(array), fill(np.empty(size, dtype), *parameters, generator=5))


@large
@pytest.mark.parametrize("case", reference.CASES, ids=reference.case_name)
def test_golden_digests(device, case):
    law, parameters, dtype = case
    array = getattr(init, law + "_")(device.zeros(golden.SIZE, dtype), *parameters, generator=golden.SEED)
    assert golden.entry(device.host(array)) == golden.GOLDEN["laws"][reference.case_name(case)]


@large
@pytest.mark.parametrize("case", golden.SPARSE, ids=golden.sparse_name)
def test_golden_digests_of_sparse(device, case):
    shape, sparsity, std, dtype = case
    array = init.sparse_(device.zeros(shape, dtype), sparsity, std, generator=golden.SEED)
    assert golden.entry(device.host(array)) == golden.GOLDEN["laws"][golden.sparse_name(case)]


@pytest.mark.parametrize("name", NAMES)
def test_every_library(library, name):
    fill, dtype, parameters = FILLS[name]
    array = library.zeros((31, 57), dtype)
    assert fill(array, *parameters, generator=5) is array
    assert same(library.host(array), fill(np.empty((31, 57), dtype), *parameters, generator=5))


VIEWS = {
    "transposed": lambda array: array.T,
    "every other": lambda array: array[:, ::2],
    "rows": lambda array: array[3:9],
    "unaligned": lambda array: array.reshape(-1)[1:],
    "one": lambda array: array[2:3, 4:5],
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("view", VIEWS)
def test_every_layout(library, name, view):
    """Also: what lies between the elements of a view stays as it was."""
    if library.name == "numba" and view == "transposed":
        pytest.skip("numba copies what it transposes: its arrays in Fortran order are tested below")
    fill, dtype, parameters = FILLS[name]
    whole, host = library.zeros((12, 18), dtype), np.zeros((12, 18), dtype)
    fill(VIEWS[view](whole), *parameters, generator=5)
    fill(VIEWS[view](host), *parameters, generator=5)
    assert same(library.host(whole), host)


@pytest.mark.parametrize("name", NAMES)
def test_fortran_order_of_numba(name):
    from numba import cuda

    fill, dtype, parameters = FILLS[name]
    array = fill(cuda.device_array((12, 18), dtype, order="F"), *parameters, generator=5)
    assert same(array.copy_to_host(), fill(np.empty((12, 18), dtype), *parameters, generator=5))


@pytest.mark.parametrize("dtype", ["f4", *(pytest.param(d, marks=large) for d in ("f8", "float8_e5m2", "c8")), "c16"])
def test_structure(library, dtype):
    for fill, shape in ((init.eye_, (5, 7)), (init.dirac_, (4, 3, 3, 2)), (init.ones_, (9,)), (init.zeros_, (9, 2))):
        array = library.zeros(shape, dtype)
        assert fill(array) is array
        assert same(library.host(array), fill(np.empty(shape, dtype)))
    array = init.sparse_(library.zeros((40, 9), dtype), 0.3, generator=1)
    assert same(library.host(array), init.sparse_(np.empty((40, 9), dtype), 0.3, generator=1))


#: what is made on the host, of constants, or by a law of its own; orthogonal matrices are another test's
BEYOND = [name for name in cases.BEYOND if name not in ("delta_orthogonal_", "convolution_orthogonal_")]


@pytest.mark.parametrize("dtype", ["f4", *(pytest.param(d, marks=large) for d in ("f8", "c8", "bfloat16"))])
@pytest.mark.parametrize("name", BEYOND)
def test_beyond_torch(library, name, dtype):
    """Also in a view with steps, around which nothing is written."""
    if dtype == "c8" and name in cases.REALS:
        pytest.skip(f"{name} has no complex law")
    shape = cases.shape_for(name)
    array = library.zeros(shape, dtype)
    wanted = cases.call(name, np.empty(shape, dtype), 5)
    assert cases.call(name, array, 5) is array
    assert same(library.host(array), wanted)
    every_other = (*[slice(None)] * (len(shape) - 1), slice(None, None, 2))
    whole, host = (zeros((*shape[:-1], 2 * shape[-1]), dtype) for zeros in (library.zeros, np.zeros))
    cases.call(name, whole[every_other], 5)
    host[every_other] = wanted
    assert same(library.host(whole), host)


@pytest.mark.parametrize("name", [name for name in BEYOND if name not in ("identity_", "bilinear_")])
def test_parts_beyond_torch(device, name):
    shape = cases.shape_for(name)
    wanted = cases.call(name, np.empty(shape, "f4"), 5)[1:3]
    block = init.Block(shape, (1, *[0] * (len(shape) - 1)))
    assert same(device.host(cases.call(name, device.zeros(wanted.shape, "f4"), 5, block=block)), wanted)


@pytest.mark.parametrize("dtype", ["f4", *(pytest.param(d, marks=large) for d in ("f8", "c8", "bfloat16"))])
def test_convolutions_that_keep_norms_are_made_on_the_host(library, dtype):
    array = library.zeros((4, 3, 2), dtype)
    init.convolution_orthogonal_(array, generator=3)
    assert same(library.host(array), init.convolution_orthogonal_(np.empty((4, 3, 2), dtype), generator=3))


def test_delta_orthogonal_is_made_by_cupy(library):
    pytest.importorskip("cupy", reason="cupy is not installed")
    for layout, shape in (
        ("OI", (6, 4, 3)),
        (init.Layout(groups=2), (8, 3, 4)),
        (init.Layout(splits=(5, 4)), (9, 4, 3)),
    ):
        array = library.zeros(shape, "f8")
        init.delta_orthogonal_(array, 2.0, generator=3, layout=layout)
        host = library.host(array)
        centre = (shape[2] - 1) // 2
        parts = np.split(host[..., centre], {(8, 3, 4): [4], (9, 4, 3): [5]}.get(shape, []))
        for part in parts:
            np.testing.assert_allclose(part.T @ part, 4 * np.eye(part.shape[1]), atol=1e-12)
        host[..., centre] = 0
        assert not host.any()


def test_no_elements(library):
    generator = init.Generator(0)
    init.normal_(library.zeros((0, 3), "f4"), generator=generator)
    assert generator.draws == 1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("part", [(slice(3, 9), slice(0, 18)), (slice(0, 12), slice(5, 11))], ids=["rows", "columns"])
def test_blocks(device, name, part):
    fill, dtype, parameters = FILLS[name]
    wanted = fill(np.empty((12, 18), dtype), *parameters, generator=5)[part]
    block = init.Block((12, 18), [one.start for one in part])
    array = fill(device.zeros(wanted.shape, dtype), *parameters, generator=5, block=block)
    assert same(device.host(array), wanted)


@large
def test_more_elements_than_32_bits_can_number():
    """2^32 + 5 words, of which the last hundred are compared."""
    cupy = pytest.importorskip("cupy", reason="cupy is not installed")
    size = (1 << 32) + 5
    if cupy.cuda.Device().mem_info[0] < 5 * size:
        pytest.skip("the device has less than 21 GB free")
    array = init.bits_(cupy.empty(size, "u4"), generator=init.Generator.from_key(1, 2))
    block = init.Block((size,), (size - 100,))
    wanted = init.bits_(np.empty(100, "u4"), generator=init.Generator.from_key(1, 2), block=block)
    assert same(array[-100:].get(), wanted)


# ---- kernels on disk ----


@pytest.fixture
def start_anew(monkeypatch):
    """A function that forgets what this process has compiled, and gives the driver; a card keeps what was loaded."""
    from numbainit.targets.cuda import driver, kernels

    def start():
        monkeypatch.setattr(driver, "_loaded", {})
        kernels._of_law.cache_clear()
        return driver

    return start


def test_kernels_are_found_on_disk(device, start_anew):
    """Name and code of a kernel are the same in each process, so that what one has compiled another finds."""
    wanted = init.normal_(np.empty(99, "f4"), generator=1)
    init.normal_(device.zeros(99, "f4"), generator=1)
    driver = start_anew()
    assert same(device.host(init.normal_(device.zeros(99, "f4"), generator=1)), wanted)
    kernel = next(kernel for kernel, *_ in driver._loaded)
    assert sum(kernel._cache_hits.values()) == 1
    assert not kernel._cache_misses


def test_a_spoilt_file_on_disk_does_no_harm(device, start_anew):
    wanted = init.normal_(np.empty(99, "f4"), generator=1)
    init.normal_(device.zeros(99, "f4"), generator=1)
    from numbainit.targets.cuda import kernels

    kernel = kernels.of_law("normal", np.dtype("f4"), start_anew()._device(0).capability).contiguous
    cache = Path(kernel._cache._cache_file._index_path)
    good = cache.read_bytes()
    cache.write_bytes(good[:20])
    try:
        assert same(device.host(init.normal_(device.zeros(99, "f4"), generator=1)), wanted)
    finally:
        cache.write_bytes(good)


# ---- streams, devices, errors ----


def test_fills_follow_the_stream_that_the_array_is_used_on(library):
    """Each fill comes after the copy of the last one, without a synchronise of ours between them."""
    if library.name == "numba":
        pytest.skip("Numba arrays follow the stream that they are bound to")
    with library.stream() as stream:
        array, results = library.zeros(1 << 20, "f4"), []
        for seed in range(5):
            init.normal_(array, generator=seed)
            results.append(array.clone() if library.name == "torch" else array.copy())
        results = [library.host(result) for result in results]
    del stream
    for seed, result in enumerate(results):
        assert same(result, init.normal_(np.empty(1 << 20, "f4"), generator=seed))


def test_a_numba_array_bound_to_a_stream():
    from numba import cuda

    stream = cuda.stream()
    array = cuda.device_array(1000, "f4").bind(stream)
    init.normal_(array, generator=1)
    assert same(array.copy_to_host(stream=stream), init.normal_(np.empty(1000, "f4"), generator=1))


@large
def test_two_arrays_at_once(library):
    if library.name == "numba":
        pytest.skip("two streams are the matter of the other libraries")
    arrays = [library.zeros(1 << 22, "f4") for _ in range(2)]
    for seed, array in enumerate(arrays):
        with library.stream():
            init.normal_(array, generator=seed)
    importlib.import_module("numba.cuda").synchronize()
    for seed, array in enumerate(arrays):
        assert same(library.host(array), init.normal_(np.empty(1 << 22, "f4"), generator=seed))


def test_a_torch_tensor_that_requires_a_gradient():
    library = Library("torch")
    tensor = library.zeros(100, "f4").requires_grad_()
    assert init.normal_(tensor, generator=1) is tensor
    assert tensor.requires_grad
    assert same(library.host(tensor), init.normal_(np.empty(100, "f4"), generator=1))


def test_new_arrays():
    array = init.normal((3, 5), device="cuda", generator=1)
    host = array.get() if hasattr(array, "get") else array.copy_to_host()
    assert same(host, init.normal((3, 5), generator=1))
    again = init.normal((3, 5), like=array, generator=1)
    assert type(again) is type(array)
    of_numba = Library("numba").zeros(1, "f4")
    assert type(init.normal((3, 5), like=of_numba)) is type(of_numba)
    with pytest.raises(init.DeviceError, match="there is no cuda:99"):
        init.normal(3, device="cuda:99")


def test_an_address_that_is_no_device_memory():
    class Array:
        __cuda_array_interface__ = {"shape": (3,), "typestr": "<f4", "data": (64, False), "version": 3}  # noqa: RUF012

    with pytest.raises(init.InvalidValueError, match="which the CUDA driver does not know"):
        init.normal_(Array(), generator=0)


def test_the_bench(capsys, monkeypatch):
    """It checks bits, and measures; what it measures is not tested."""
    pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")
    monkeypatch.setattr(bench, "_CHECKED", 103)
    monkeypatch.setattr(bench, "_CALLS", 2)
    assert main(["bench", "--device", "cuda", "--size", "100", "--rounds", "1", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert {row["dtype"] for row in facts["rows"]} == {"float32", "float64", "bfloat16"}
    assert all(row["seconds"].keys() >= {"fill", "numbainit"} for row in facts["rows"])


# ---- orthogonal ----


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("shape", [(64, 64), (200, 30), (30, 200), (8, 3, 5, 2)], ids=str)
def test_orthogonal(dtype, shape):
    cupy = pytest.importorskip("cupy", reason="cupy is not installed")
    array = init.orthogonal_(cupy.zeros(shape, dtype), 2.0, generator=1)
    matrix = array.get().reshape(shape[0], -1)
    product = matrix @ matrix.T if matrix.shape[0] < matrix.shape[1] else matrix.T @ matrix
    assert np.allclose(product, 4 * np.eye(len(product)), atol=1e-4 if dtype == "f4" else 1e-12)


def test_orthogonal_has_both_signs_on_the_diagonal():
    """Q of a factorisation without the signs of R has not."""
    cupy = pytest.importorskip("cupy", reason="cupy is not installed")
    first = [float(init.orthogonal_(cupy.zeros((4, 4)), generator=seed)[0, 0]) for seed in range(64)]
    assert 10 < sum(value > 0 for value in first) < 54
