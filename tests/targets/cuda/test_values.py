"""The kernels of a GPU, run instruction by instruction without one → the bits that the CPU gives, each written once.

What is run is the assembly after link-time optimisation (``test_code.py`` shows that the machine code rounds where
this does), from a public function down to the bytes of the array. Nothing is compared that the CPU's tests have not
compared with the reference.
"""

import numpy as np
import pytest

import numbainit as init
import reference
from emulator import gpu, ptx
from numbainit.memory.arrays import writable
from numbainit.memory.device import DeviceArray
from numbainit.targets.choose import choose
from numbainit.weights.laws import Law

pytestmark = [pytest.mark.full, gpu.needed]

FILLS = {
    "bits u4": (init.bits_, "u4", ()),
    "bits u8": (init.bits_, "u8", ()),
    "uniform f4": (init.uniform_, "f4", (-1.0, 3.0)),
    "uniform f8": (init.uniform_, "f8", (-1.0, 3.0)),
    "uniform bfloat16": (init.uniform_, "bfloat16", (-1.0, 3.0)),
    "uniform float8_e4m3fn": (init.uniform_, "float8_e4m3fn", (-1.0, 3.0)),
    "normal f4": (init.normal_, "f4", (1.0, 2.0)),
    "normal f8": (init.normal_, "f8", (1.0, 2.0)),
    "normal f2": (init.normal_, "f2", (0.0, 1e-5)),  # subnormal numbers
    "normal float8_e5m2fnuz": (init.normal_, "float8_e5m2fnuz", (0.0, 0.02)),
    "normal c8": (init.normal_, "c8", (1.0 + 2.0j, 2.0)),
    "normal c16": (init.normal_, "c16", (1.0, 2.0)),
    "trunc_normal f4": (init.trunc_normal_, "f4", (0.0, 1.0, -1.3, 1.3)),
    "trunc_normal f8": (init.trunc_normal_, "f8", (0.0, 1.0, -1.3, 1.3)),
    "trunc_normal bfloat16": (init.trunc_normal_, "bfloat16", (0.0, 1.0, -1.3, 1.3)),
    "tail f4": (init.trunc_normal_, "f4", (0.0, 1.0, 3.0, 9.0)),
    "tail f8": (init.trunc_normal_, "f8", (0.0, 1.0, 3.0, 9.0)),
    "tail float8_e3m4": (init.trunc_normal_, "float8_e3m4", (0.0, 1.0, 3.0, 9.0)),
}
FLOATS = ["f4", "f8", "bfloat16", "float8_e4m3fn", "c8", "c16"]


def blocks_at_a_time(name, dtype):
    """Of what is bound by memory a thread makes as many blocks as fill 16 bytes."""
    return max(4 // np.dtype(dtype).itemsize, 1) if name.split()[0] in ("bits", "uniform", "constant") else 1


def widest(name, dtype):
    """The bytes of the widest store of whole blocks."""
    return min(16, 4 * np.dtype(dtype).itemsize * blocks_at_a_time(name, dtype))


LAYOUTS = {
    "C": ((3, 4, 5), (20, 5, 1), 0),
    "Fortran": ((3, 4, 5), (1, 3, 12), 0),
    "every other": ((31,), (2,), 0),
    "backwards": ((31,), (-1,), 30),
    "padded rows": ((5, 6), (9, 1), 3),
    "crossed": ((3, 4, 5), (7, -21, 1), 63),
    "one column": ((7, 1), (3, 1), 1),
    "one": ((1, 1), (5, 3), 2),
    "no axis": ((), (), 0),
}


@pytest.fixture
def launches(monkeypatch):
    return gpu.Launches(monkeypatch)


def run(launches, fill, array, *arguments, extent=None, **keywords):
    """What a call writes: the array as it should be seen, after a look at what else was written."""
    extent = extent or max(int(np.prod(array.shape)), 1)
    itemsize = array.dtype.itemsize
    launches.memory = ptx.Memory(gpu.BASE + array.skip * itemsize, extent * itemsize)
    assert fill(array, *arguments, **keywords) is array
    memory = np.frombuffer(launches.memory.bytes, array.dtype)
    writes = np.frombuffer(launches.memory.writes, np.uint8)[::itemsize].copy()
    return _seen(memory, array), _seen(writes, array), writes.sum()


def _seen(memory, array):
    strides = array.strides if array.strides is not None else np.cumprod((1, *array.shape[:0:-1]))[::-1]
    steps = [step * memory.itemsize for step in strides][: len(array.shape)]
    return np.ndarray(array.shape, memory.dtype, memory, array.offset * memory.itemsize, steps)


def same(got, wanted):
    return got.tobytes() == np.ascontiguousarray(wanted).tobytes()


@pytest.mark.parametrize("case", reference.CASES, ids=reference.case_name)
def test_every_law_and_its_parameters(launches, case):
    law, parameters, dtype = case
    function = getattr(init, law + "_")
    got, writes, total = run(launches, function, gpu.Array((203,), dtype), *parameters, generator=7)
    assert same(got, function(np.empty(203, dtype), *parameters, generator=7))
    assert writes.min() == writes.max() == 1
    assert total == 203
    assert launches.memory.widest in (16, widest(law, dtype))  # 16 where all values are equal


@pytest.mark.parametrize("name", FILLS)
@pytest.mark.parametrize("skip", [0, 1, 3], ids="skip {}".format)
@pytest.mark.parametrize("size", [1, 3, 4, 6, 8, 203], ids="size {}".format)
def test_every_size_and_alignment(launches, name, skip, size):
    fill, dtype, parameters = FILLS[name]
    got, writes, total = run(launches, fill, gpu.Array((size,), dtype, skip=skip), *parameters, generator=(1, 2))
    assert same(got, fill(np.empty(size, dtype), *parameters, generator=(1, 2)))
    assert writes.min() == writes.max() == 1
    assert total == size
    part = np.dtype(dtype).itemsize // (2 if dtype in ("c8", "c16") else 1)
    parts = total * np.dtype(dtype).itemsize // part
    aligned = skip * np.dtype(dtype).itemsize % widest(name, dtype) == 0
    whole = aligned and parts >= 4 * blocks_at_a_time(name, dtype)
    assert launches.memory.widest == (widest(name, dtype) if whole else part)


@pytest.mark.parametrize("name", FILLS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout(launches, name, layout):
    fill, dtype, parameters = FILLS[name]
    shape, strides, offset = LAYOUTS[layout]
    array = gpu.Array(shape, dtype, strides, offset=offset)
    got, writes, total = run(launches, fill, array, *parameters, generator=3, extent=100)
    assert same(got, fill(np.empty(shape, dtype), *parameters, generator=3))
    assert (writes == 1).all()
    assert total == np.prod(shape)


@pytest.mark.parametrize("capability", [(7, 5), (8, 0)])
@pytest.mark.parametrize("name", ["uniform bfloat16", "normal f2"])
def test_gpus_without_and_with_an_instruction_that_rounds(monkeypatch, name, capability):
    fill, dtype, parameters = FILLS[name]
    launches = gpu.Launches(monkeypatch, capability)
    got, *_ = run(launches, fill, gpu.Array((203,), dtype), *parameters, generator=3)
    assert same(got, fill(np.empty(203, dtype), *parameters, generator=3))
    kernel, _, arguments = launches.calls[-1]
    instruction = "cvt.rn.bf16.f32" if name == "uniform bfloat16" else "cvt.rn.f16.f32"
    assert (instruction in gpu.compiled(kernel, arguments).ptx) == (name == "normal f2" or capability == (8, 0))


@pytest.mark.parametrize("name", ["bits u4", "bits u8", "trunc_normal f4", "tail f4"])
@pytest.mark.parametrize("grid", [1, 3], ids="grid {}".format)
def test_any_number_of_threads(launches, name, grid):
    """More blocks of the stream than threads, and for laws by rejection more than one tile."""
    fill, dtype, parameters = FILLS[name]
    size = 4 * 256 * 2 + 1
    launches.grid = grid
    got, writes, _ = run(launches, fill, gpu.Array((size,), dtype), *parameters, generator=3)
    assert same(got, fill(np.empty(size, dtype), *parameters, generator=3))
    assert (writes == 1).all()


def test_more_tiles_than_thread_blocks(launches):
    """A tile of a law by rejection has at most 32 blocks of the stream a thread; 32 thousand elements."""
    size = 4 * 256 * 32 + 5
    got, writes, _ = run(launches, init.trunc_normal_, gpu.Array((size,), "f4"), generator=3)
    assert same(got, init.trunc_normal_(np.empty(size, "f4"), generator=3))
    assert (writes == 1).all()


@pytest.mark.parametrize("name", FILLS)
@pytest.mark.parametrize("layout", ["contiguous", "strided"])
@pytest.mark.parametrize("first", [1, 2, 3, 4, 2**34 - 3, 2**34 + 2, 2**40 + 5, 2**62 - 40])
def test_from_any_element(launches, name, layout, first):
    """Part of a larger array, with blocks before and after number 2^32, where the counter's second word begins."""
    _, dtype, _ = FILLS[name]
    law, numbers = {
        "bits": ("bits", ()),
        "uniform": ("uniform", (-1.0, 4.0, -1.0, 2.5)),
        "normal": ("normal", (1.0, 2.0)),
        "trunc_normal": ("trunc_normal", (0.0, 1.0, -1.3, 1.3)),
        "tail": ("tail", (0.0, 0.5, 0.0, 0.5, 0.0, 0.5, 0.0, 0.0, 0.5)),
    }[name.split()[0]]
    if dtype in ("c8", "c16") and numbers[0]:
        law, numbers = "complex_normal", (*numbers, -3.0)
    itemsize, size, step = np.dtype(dtype).itemsize, 30, 1 if layout == "contiguous" else 2
    wanted, block = np.empty(size, dtype), init.Block((first + size,), (first,))
    choose(wanted).filling(wanted, Law(law, numbers), block)((11, 12, 13))
    launches.memory = ptx.Memory(gpu.BASE, size * step * itemsize)
    array = DeviceArray(gpu.BASE, (size,), (step * itemsize,), np.dtype(dtype), None, None)
    choose(array).filling(array, Law(law, numbers), block)((11, 12, 13))
    assert same(np.frombuffer(launches.memory.bytes, dtype)[::step], wanted)


@pytest.mark.parametrize("name", ["uniform f4", "uniform f8"])
def test_blocks_stay_aligned_where_a_part_of_an_array_is(launches, name):
    """Element ``first`` at address 16 n + itemsize first: its blocks lie at multiples of 16 bytes."""
    dtype = np.dtype(FILLS[name][1])
    launches.memory = ptx.Memory(gpu.BASE, 30 * dtype.itemsize)
    array = DeviceArray(gpu.BASE + dtype.itemsize, (29,), (dtype.itemsize,), dtype, None, None)
    choose(array).filling(array, Law("uniform", (0.0, 1.0, 0.0, 0.75)), init.Block((34,), (5,)))((1, 2, 3))
    assert launches.memory.widest == 16


@pytest.mark.parametrize("dtype", ["f4", "f8", "f2", "bfloat16", "float8_e5m2", "c8", "c16"])
@pytest.mark.parametrize("value", [0.1, -0.0, 1e-45, float("inf"), float("nan")])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_constant(launches, dtype, value, layout):
    shape, strides, offset = LAYOUTS[layout]
    array = gpu.Array(shape, dtype, strides, offset=offset)
    got, writes, _ = run(launches, init.constant_, array, value, extent=100)
    assert same(got, np.full(shape, value, dtype))
    assert (writes == 1).all()


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_copies(launches, dtype, layout):
    """What ``orthogonal_`` makes in a copy, rounded once to small floats."""
    shape, strides, offset = LAYOUTS[layout]
    array = gpu.Array(shape, dtype, strides, offset=offset)
    made_in = array.dtype if array.dtype.itemsize >= 4 else np.dtype("f4")
    values = init.normal_(np.empty(int(np.prod(shape)), made_in), generator=2)
    launches.memory = ptx.Memory(gpu.BASE, 100 * array.dtype.itemsize)
    launches.memory.source = 0x1000, values.tobytes()
    from numbainit.targets.cuda import fills

    fills.copying(writable(array, "copy"), 0x1000)()
    got = _seen(np.frombuffer(launches.memory.bytes, array.dtype), array)
    assert same(got, values[: got.size].reshape(shape).astype(array.dtype))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("strides", [None, (1, 6)], ids=["C", "Fortran"])
@pytest.mark.parametrize("shape", [(5, 5), (6, 3), (3, 7), (1, 4)], ids=str)
def test_eye(launches, dtype, strides, shape):
    got, _, total = run(launches, init.eye_, gpu.Array(shape, dtype, strides), extent=100)
    assert same(got, np.eye(*shape, dtype=dtype))
    assert total == np.prod(shape) + min(shape)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("shape", [(4, 3, 3), (2, 5, 2, 3), (6, 2, 1, 2, 3), (4, 3, 4)], ids=str)
def test_dirac(launches, dtype, groups, shape):
    got, _, _ = run(launches, init.dirac_, gpu.Array(shape, dtype), groups)
    assert same(got, init.dirac_(np.empty(shape, dtype), groups))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("strides", [None, (1, 40)], ids=["C", "Fortran"])
@pytest.mark.parametrize("sparsity", [0.0, 0.1, 0.75, 1.0])
@pytest.mark.parametrize("shape", [(13, 7), (40, 1), (1, 9), (9, 16)], ids=str)
def test_sparse(launches, dtype, strides, sparsity, shape):
    array = gpu.Array(shape, dtype, strides)
    got, _, _ = run(launches, init.sparse_, array, sparsity, generator=5, extent=640)
    assert same(got, init.sparse_(np.empty(shape, dtype), sparsity, generator=5))


@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 4)], ids=str)
def test_no_elements(launches, shape):
    generator = init.Generator(0)
    array = gpu.Array(shape, "f4")
    assert init.normal_(array, generator=generator) is array
    assert init.zeros_(array) is array
    assert launches.calls == []
    assert generator.draws == 1


PARTS = {
    "rows": ((9, 7), (slice(2, 6), slice(0, 7))),
    "columns": ((9, 7), (slice(0, 9), slice(3, 5))),
    "inside": ((5, 6, 7), (slice(1, 4), slice(2, 5), slice(3, 6))),
}


@pytest.mark.parametrize("name", FILLS)
@pytest.mark.parametrize("part", PARTS)
def test_blocks(launches, name, part):
    fill, dtype, parameters = FILLS[name]
    shape, cut = PARTS[part]
    wanted = fill(np.empty(shape, dtype), *parameters, generator=3)[cut]
    block = init.Block(shape, [one.start for one in cut])
    got, writes, _ = run(launches, fill, gpu.Array(wanted.shape, dtype), *parameters, generator=3, block=block)
    assert same(got, wanted)
    assert (writes == 1).all()


@pytest.mark.parametrize("part", ["rows", "columns"])
def test_blocks_of_matrices(launches, part):
    shape, cut = PARTS[part]
    block = init.Block(shape, [one.start for one in cut])
    for function, arguments in ((init.sparse_, (0.4, 1.0)), (init.eye_, ()), (init.ones_, ())):
        how = {"generator": 3} if function is init.sparse_ else {}
        wanted = function(np.empty(shape, "f4"), *arguments, **how)[cut]
        got, *_ = run(launches, function, gpu.Array(wanted.shape, "f4"), *arguments, block=block, **how)
        assert same(got, wanted)


@pytest.mark.parametrize("groups", [1, 2])
def test_blocks_and_layouts_of_dirac(launches, groups):
    wanted = init.dirac_(np.empty((8, 3, 5), "f4"), groups)
    for begin, end, left, right in ((0, 8, 0, 3), (3, 7, 0, 3), (1, 8, 1, 3), (4, 5, 0, 1)):
        block = init.Block(wanted.shape, (begin, left, 0))
        part = wanted[begin:end, left:right]
        got, *_ = run(launches, init.dirac_, gpu.Array(part.shape, "f4"), groups, block=block)
        assert same(got, part)
    got, *_ = run(launches, init.dirac_, gpu.Array((5, 3, 8), "f4"), groups, layout="LIO")
    assert same(got, wanted.transpose(2, 1, 0))


def test_fused_projections(launches):
    layout = init.Layout(splits=(6, 2, 2))
    got, *_ = run(launches, init.xavier_normal_, gpu.Array((10, 4), "f4"), generator=3, layout=layout)
    assert same(got, init.xavier_normal_(np.empty((10, 4), "f4"), generator=3, layout=layout))


@pytest.mark.parametrize("name", ["uniform_at", "normal_at64", "trunc_normal_at"])
def test_single_elements_in_a_users_kernel(launches, name):
    """What ``numbainit.elements`` promises: callable in ``cuda.jit`` functions, with the bits of a fill."""
    from numba import cuda

    from numbainit import elements
    from numbainit.targets.cuda.stores import store

    function = getattr(elements, name)

    @cuda.jit
    def kernel(address, size, k0, k1):
        place = cuda.grid(1)
        if place < size:
            store(address, place, function(k0, k1, 2, place))

    law, dtype = name.partition("_at")[0], "f8" if name.endswith("64") else "f4"
    wanted = getattr(init, law + "_")(np.empty(203, dtype), generator=init.Generator.from_key(7, 8, draws=2))
    memory = ptx.Memory(gpu.BASE, wanted.nbytes)
    arguments = gpu.BASE, 203, 7, 8
    ptx.run(gpu.compiled(kernel, arguments).ptx, arguments, 1, 256, memory)
    assert np.frombuffer(memory.bytes, dtype).tobytes() == wanted.tobytes()
