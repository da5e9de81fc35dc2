"""The kernels as machine code for two generations of GPUs → nothing in it changes a bit, or costs what it should not.

Nothing is run: each kernel is compiled as a launch would compile it, by link-time optimisation, and disassembled. That
the code computes the right bits is the matter of ``test_cuda_values.py``.
"""

import re

import numpy as np
import pytest

import gpu
import numbainit as init
from numbainit.scalar import elementary

pytestmark = gpu.needed

_LAWS = {
    "bits": (init.bits_, ()),
    "constant": (init.constant_, (0.5,)),
    "uniform": (init.uniform_, (-1.0, 1.0)),
    "normal": (init.normal_, (0.0, 2.0)),
    "trunc_normal": (init.trunc_normal_, ()),
    "tail": (init.trunc_normal_, (0.0, 1.0, 3.0, 4.0)),
}
_WAYS = {
    "contiguous": {"shape": (30,)},
    "strided": {"shape": (2, 3, 5), "strides": (1, 20, 3)},
    "block": {"shape": (2, 3, 5)},
}
_BLOCK = init.Block((4, 6, 7), (1, 2, 1))
KERNELS = [f"{law} {width} {way}" for law in _LAWS for width in (32, 64) for way in _WAYS] + ["sparse 32", "sparse 64"]
KERNELS = [kernel for kernel in KERNELS if not re.fullmatch("constant .* block", kernel)]
CODES = [(kernel, capability) for kernel in KERNELS for capability in gpu.CAPABILITIES]


def most_registers(name):
    """A multiprocessor runs 2,048 threads, as many as it can, with 32 registers each; 1,536 with 40, 1,024 with 64."""
    law, width, *way = name.split()
    if law == "tail":
        return 72 if width == "64" else 48
    if way == ["contiguous"]:
        return 32 if width == "32" else 40
    return 48


@pytest.fixture(scope="module")
def launched():
    """By kernel, what a call of the package launches: (kernel, arguments)."""
    found = {}
    with pytest.MonkeyPatch.context() as monkeypatch:
        launches = gpu.Launches(monkeypatch)
        for name in KERNELS:
            law, width, *way = name.split()
            dtype = f"{'u' if law == 'bits' else 'f'}{int(width) // 8}"
            if law == "sparse":
                init.sparse_(gpu.Array((6, 5), dtype), 0.5, generator=0)
            else:
                fill, parameters = _LAWS[law]
                keywords = {} if law == "constant" else {"generator": 0}
                keywords |= {"block": _BLOCK} if way == ["block"] else {}
                fill(gpu.Array(dtype=dtype, **_WAYS[way[0]]), *parameters, **keywords)
            kernel, _, arguments = launches.calls[-1]
            found[name] = kernel, arguments
        yield found


@pytest.fixture(params=CODES, ids=lambda code: ", ".join(code))
def code(request, launched):
    name, capability = request.param
    compiled = gpu.compiled(*launched[name], gpu.CAPABILITIES[capability])
    compiled.name, compiled.capability = name, capability
    return compiled


def test_every_kernel_of_the_target_is_tested(launched):
    from numbainit.targets import cuda

    known = {kernel for pair in cuda.KERNELS.values() for kernel in pair if kernel} | {*cuda.SPARSE.values()}
    assert {kernel for kernel, _ in launched.values()} == known


def test_everything_stays_in_registers(code):
    assert not code.count(r"(?:STL|LDL).*")
    assert code.registers <= most_registers(code.name)


def test_values_are_stored_sixteen_bytes_at_a_time(code):
    _, width, *way = code.name.split()
    vectors = code.count(r"STG\.E\.128")
    assert vectors == ((1 if width == "32" else 2) if way == ["contiguous"] else 0)


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
    law, width, *way = code.name.split()
    if law in ("uniform", "normal", "trunc_normal") and way == ["contiguous"]:
        assert code.count_ptx(r"mul\.wide\.u32") <= (20 if width == "32" else 40)
        assert not code.count(r"IMAD\.HI.*")


@pytest.fixture(scope="module")
def roots():
    """By capability and width, how many fused operations a number of square roots needs: found by compiling some."""
    from numba import cuda

    from numbainit.scalar.rounding import sqrt

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
