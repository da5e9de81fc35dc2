"""The kernels as machine code for two generations of GPUs → nothing in it changes a bit, or costs what it should not.

Nothing is run: each kernel is compiled as a launch would compile it, by link-time optimisation, and disassembled. That
the code computes the right bits is the matter of ``test_values.py``.
"""

import re

import numpy as np
import pytest

import numbainit as init
from emulator import gpu
from numbainit.maths import elementary
from numbainit.memory.arrays import writable

pytestmark = [pytest.mark.full, gpu.needed]

_LAWS = {
    "bits": (init.bits_, ()),
    "constant": (init.constant_, (0.5,)),
    "uniform": (init.uniform_, (-1.0, 1.0)),
    "normal": (init.normal_, (0.0, 2.0)),
    "complex_normal": (init.normal_, (1.0 + 2.0j, 2.0)),
    "trunc_normal": (init.trunc_normal_, ()),
    "tail": (init.trunc_normal_, (0.0, 1.0, 3.0, 4.0)),
}
_WAYS = {
    "contiguous": {"shape": (30,)},
    "strided": {"shape": (2, 3, 5), "strides": (1, 20, 3)},
    "block": {"shape": (2, 3, 5)},
}
_BLOCK = init.Block((4, 6, 7), (1, 2, 1))
SMALL = ("bfloat16", "float16", "float8_e4m3fn")
COPIED = (32, 64, "bfloat16")
#: law, dtype, kind of memory
KERNELS = [f"{law} {width} {way}" for law in _LAWS for width in (32, 64) for way in _WAYS]
KERNELS += [f"{law} {dtype} contiguous" for law in ("constant", "uniform", "normal", "trunc_normal") for dtype in SMALL]
KERNELS += [
    *(f"tail bfloat16 {way}" for way in _WAYS),
    *(f"copy {dtype} {way}" for dtype in (32, 64, "bfloat16") for way in ("contiguous", "strided")),
]
KERNELS += [f"sparse {dtype}" for dtype in (32, 64, "bfloat16", "complex128")]
KERNELS = [kernel for kernel in KERNELS if not re.fullmatch("constant .* block", kernel)]
CODES = [(kernel, capability) for kernel in KERNELS for capability in gpu.CAPABILITIES]


def dtype_of(law, name):
    if law == "complex_normal":
        return np.dtype({"32": "c8", "64": "c16"}[name])
    return np.dtype(f"{'u' if law == 'bits' else 'f'}{int(name) // 8}" if name in ("32", "64") else name)


def itemsize(name):
    """The bytes of what is stored: of a part of a complex number."""
    return {"32": 4, "64": 8}.get(name) or dtype_of("", name).itemsize


def most_registers(name):
    """A multiprocessor runs 2,048 threads, as many as it can, with 32 registers each.

    1,536 with 40, 1,280 with 48, 1,024 with 56 and 768 with 80.
    """
    law, dtype, *way = name.split()
    if law == "tail" and dtype == "64":
        return 80
    if way == ["contiguous"]:
        return {"tail": 40, "trunc_normal": 48 if dtype == "64" else 32}.get(law, 40 if dtype == "64" else 32)
    return 56 if way == ["strided"] and law in ("trunc_normal", "tail") else 48


@pytest.fixture(scope="module")
def launched():
    """By kernel, what a call of the package launches: (kernel, arguments)."""
    found = {}
    with pytest.MonkeyPatch.context() as monkeypatch:
        launches = gpu.Launches(monkeypatch)
        for name in KERNELS:
            launch(*name.split())
            kernel, _, arguments = launches.calls[-1]
            found[name] = kernel, arguments
        yield found


def launch(law, dtype, way=None):
    dtype = dtype_of(law, dtype)
    if law == "sparse":
        init.sparse_(gpu.Array((6, 5), dtype), 0.5, generator=0)
    elif law == "copy":
        from numbainit.targets.cuda import fills

        fills.copying(writable(gpu.Array(dtype=dtype, **_WAYS[way]), "copy"), gpu.BASE)()
    else:
        fill, parameters = _LAWS[law]
        keywords = {} if law == "constant" else {"generator": 0}
        keywords |= {"block": _BLOCK} if way == "block" else {}
        fill(gpu.Array(dtype=dtype, **_WAYS[way]), *parameters, **keywords)


@pytest.fixture(params=CODES, ids=lambda code: ", ".join(code))
def code(request, launched):
    name, capability = request.param
    compiled = gpu.compiled(*launched[name], gpu.CAPABILITIES[capability])
    compiled.name, compiled.capability = name, capability
    return compiled


def test_every_law_of_the_target_is_tested(launched):
    from numbainit.targets.cuda import laws as cuda_laws

    names = (re.fullmatch(r"([a-z]\w*[a-z])\d+", name) for name in vars(cuda_laws) if name != "philox4x32")
    wanted = {"constant", "copy", "sparse", *(name[1] for name in names if name)}
    assert {name.split()[0] for name in KERNELS} == wanted
    assert len({id(kernel) for kernel, _ in launched.values()}) == len(KERNELS) - 1  # constants of 16 bits are one


def test_everything_stays_in_registers(code):
    assert not code.count(r"(?:STL|LDL).*")
    assert code.registers <= most_registers(code.name)


def test_values_are_stored_as_many_at_a_time_as_can_be(code):
    """Sixteen bytes; of small floats what a block has, where arithmetic bounds the law."""
    law, dtype, *way = code.name.split()
    stores = {width: code.count(rf"STG\.E{name}") for width, name in ((16, r"\.128"), (8, r"\.64"), (4, ""))}
    if way != ["contiguous"]:
        assert stores[16] == 0
    elif itemsize(dtype) >= 4 or law in ("constant", "uniform", "copy"):
        assert stores[16] == max(itemsize(dtype) // 4, 1)
    else:
        assert stores[4 * itemsize(dtype)] == 1


@pytest.mark.parametrize("law", ["uniform", "trunc_normal"])
def test_small_floats_of_a_gpu_that_has_instructions_for_them_take_few_more(launched, law):
    """Two floats become two of 16 bits in one instruction."""
    code = gpu.compiled(*launched[f"{law} bfloat16 contiguous"])
    assert code.count(r"F2FP\.BF16\.F32\.PACK_AB.*") == (4 if law == "uniform" else 2)
    assert gpu.compiled(*launched[f"{law} float16 contiguous"]).count(r"F2FP\.F16\.F32\.PACK_AB.*") in (2, 4)


def test_bfloat16_on_a_gpu_that_has_no_instruction_for_it(monkeypatch):
    launches = gpu.Launches(monkeypatch, (7, 5))
    init.uniform_(gpu.Array((30,), "bfloat16"), generator=0)
    kernel, _, arguments = launches.calls[-1]
    code = gpu.compiled(kernel, arguments, (7, 5, ""))
    assert not code.count_ptx(r"cvt\.rn\.bf16\S*")
    assert code.count(r"STG\.E\.128\.SYS|STG\.E\.128") == 1


def test_no_float_operation_can_be_fused_with_another(code):
    """The assembler fuses only products and sums that do not name their rounding; conversions must name it too."""
    floats = re.findall(
        r"^\s*(?:@!?%p\d+\s+)?((?:add|sub|mul|mad|fma|div|rcp|sqrt)\S*\.f(?:32|64))", code.ptx, re.MULTILINE
    )
    assert set(floats) <= {f"{name}.rn.f{width}" for name in ("add", "mul", "fma", "sqrt") for width in (32, 64)}


def test_no_float_operation_was_fused_with_another(code, roots):
    """The machine code multiplies and adds at once as often as the assembly, and as its square roots need it."""
    for fused, width in (("FFMA", 32), ("DFMA", 64)):
        number = code.count_ptx(rf"sqrt\.rn\.f{width}")
        by_roots = roots[code.capability, width](number)
        assert code.count(rf"{fused}(?:\..*)?") == code.count_ptx(rf"fma\.rn\.f{width}") + by_roots


@pytest.mark.parametrize("capability", gpu.CAPABILITIES)
@pytest.mark.parametrize("width", [32, 64])
def test_assembly_fuses_what_the_source_fuses(launched, width, capability):
    """Polynomials by Horner's rule, ``e 2 ln 2 + ...``, and the affine step: nothing else."""
    log, sin, cos = (len(getattr(elementary, f"_{name}{width}")) - 1 for name in ("LOG", "SIN", "COS"))
    pair = log + 1 + sin + cos + (2 if width == 64 else 0)  # two 64-bit words become floats in two parts each
    expected = {"uniform": 4 * (1 if width == 32 else 2), "normal": 2 * pair + 4, "trunc_normal": 2 * pair + 4}
    for law, count in expected.items():
        for way in _WAYS:
            code = gpu.compiled(*launched[f"{law} {width} {way}"], gpu.CAPABILITIES[capability])
            assert code.count_ptx(rf"fma\.rn\.f{width}") == count, (law, way)


def test_approximations_are_only_the_seeds_of_exact_results(code):
    """``MUFU`` is the unit of approximate functions.

    A correctly rounded square root begins with its reciprocal square root, which Newton's iteration then corrects by
    fused operations (in a subroutine once more, for arguments out of the ordinary); an integer division begins with its
    reciprocal, and ends with an exact remainder. Nothing else may use it, and nothing flushes small numbers to zero.
    """
    kinds = {operation for operation in code.operations if operation.startswith("MUFU")}
    allowed = set()
    if code.count_ptx(r"sqrt\.rn\.f32"):
        allowed.add("MUFU.RSQ")
    if code.count_ptx(r"sqrt\.rn\.f64"):
        allowed.add("MUFU.RSQ64H")
    if code.count_ptx(r"div\.u(?:32|64)"):
        allowed.add("MUFU.RCP")
    assert kinds <= allowed
    assert "approx" not in code.ptx
    assert ".ftz" not in code.ptx


def test_words_take_one_product_each(code):
    """Ten rounds of two products; 64-bit multiplications would take three instructions and more."""
    law, dtype, *way = code.name.split()
    if law in ("uniform", "normal", "trunc_normal") and way == ["contiguous"]:
        blocks = 16 // itemsize(dtype) // 4 if law == "uniform" and itemsize(dtype) < 4 else 1
        assert code.count_ptx(r"mul\.wide\.u32") <= (40 if dtype == "64" else 20 * blocks)
        assert not code.count(r"IMAD\.HI.*")


#: law and dtype → instructions of a turn that stores, on compute capability 9.0; they are what bounds most laws there
MOST_INSTRUCTIONS = {
    "bits 32": 57,
    "uniform 32": 87,
    "uniform bfloat16": 170,  # for two blocks
    "normal 32": 178,
    "normal bfloat16": 182,
    "trunc_normal 32": 204,
    "trunc_normal bfloat16": 210,
    "uniform 64": 153,
    "normal 64": 421,
}


@pytest.mark.parametrize("law", MOST_INSTRUCTIONS)
def test_a_block_takes_few_instructions(launched, law):
    """``emulator/bound.py`` says what follows from them. A tenth more would go unseen without a card."""
    _, most = gpu.compiled(*launched[f"{law} contiguous"]).turns
    assert most <= 1.03 * MOST_INSTRUCTIONS[law]


@pytest.fixture(scope="module")
def roots():
    """By capability and width, how many fused operations a number of square roots needs: found by compiling some."""
    from numba import cuda

    from numbainit.maths.scalar import sqrt

    @cuda.jit
    def one(out):
        out[0] = sqrt(out[0])

    @cuda.jit
    def two(out):
        out[0], out[1] = sqrt(out[0]), sqrt(out[1])

    found = {}
    for name, capability in gpu.CAPABILITIES.items():
        for width, fused in ((32, "FFMA"), (64, "DFMA")):
            array = (np.zeros(2, f"f{width // 8}"),)
            counts = [gpu.compiled(kernel, array, capability).count(rf"{fused}(?:\..*)?") for kernel in (one, two)]
            each = counts[1] - counts[0]
            assert 0 < each <= counts[0]
            found[name, width] = lambda number, each=each, rest=counts[0] - each: rest * (number > 0) + each * number
    return found
