"""The kernels as machine code for AVX2 → their hot loops hold packed instructions and no scalar ones.

This is what guards the speed: no test takes a time. An innocent edit (a signed index, a mixed type, a branch) that
keeps LLVM from vectorising a law costs a factor of four to eight and changes no value: nothing else would notice.

Numba compiles for the processor that ``NUMBA_CPU_NAME`` names, so that the outcome is the same on every x86 machine,
and nothing is run. LLVM keeps a scalar copy of each vectorised loop for the last few blocks: what must not be there is
a loop of which there is only a scalar one, so vector loops are counted and looked into.
"""

import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

import numbainit
from numbainit.maths.formats import SMALL

HASWELL = {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx2,+fma,+bmi2,+avx,+sse4.2,+popcnt"}
PROGRAM = """
import json, numba, numpy as np
from numbainit.maths.formats import SMALL
from numbainit.targets.cpu import loops as cpu
from numbainit.targets.cpu.vectors import functions, laws

def assembly(loop, *arguments):
    loop.compile(tuple(map(numba.typeof, arguments)))
    return "\\n".join(loop.inspect_asm().values())

laws = {
    f"{name} {width}": cpu_laws.compiled(name, f"{kind}{width}")._library.get_asm_str()
    for name, widths in cpu_laws.LAWS.items()
    for width, law in zip((32, 64), widths)
    for kind in ["uint" if name in ("bits", "mask") else "float"]
    if law
}
small = {name: cpu_laws.compiled("uniform", name)._library.get_asm_str() for name in SMALL}
sparse = {
    f"sparse {8 * itemsize} {way}": assembly(
        loop, 0, 0, np.empty((8, 8), f"f{itemsize}"), (np.uint64(0),) * 4, 4, 16, 1, 2, 0, np.empty(9)
    )
    for itemsize in (4, 8)
    for way, loop in cpu.SPARSE["C"]._asdict().items()
}
print(json.dumps([laws, sparse, small]))
"""
NAMES = ("bits", "uniform", "normal", "complex_normal", "trunc_normal", "tail")
LAWS = [f"{law} {width}" for law in NAMES for width in (32, 64)]
LAWS.append("mask 32")
SPARSE = [f"sparse {width} {way}" for width in (32, 64) for way in ("serial", "parallel")]
ROUNDS = 10  # of Philox, with two products each, of which the first are constant along a fill

x86 = pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64"),
    reason="reads x86 instructions, and Numba compiles for the family of processors that it runs on",
)


@pytest.fixture(scope="module")
def assembly(tmp_path_factory):
    """By kernel, from one fresh process: what comes from Numba's cache has no assembly."""
    package = str(Path(numbainit.__file__).parents[1])
    cache = str(tmp_path_factory.mktemp("cache"))
    environment = {key: value for key, value in os.environ.items() if not key.startswith("NUMBA_")}
    environment |= HASWELL | {"NUMBA_CACHE_DIR": cache, "PYTHONPATH": package}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def laws(assembly):
    return assembly[0]


@pytest.fixture(scope="module")
def sparse(assembly):
    return assembly[1]


@pytest.fixture(scope="module")
def small(assembly):
    return assembly[2]


def innermost_loops(text):
    """The instructions between each label and the last jump back to it, where there is no other such loop within."""
    lines = text.splitlines()
    labels = {match[1]: number for number, line in enumerate(lines) if (match := re.match(r"(\S+):", line))}
    jumps = [(number, re.match(r"\s+j\w+\s+(\S+)", line)) for number, line in enumerate(lines)]
    ends = {labels[jump[1]]: number for number, jump in jumps if jump and labels.get(jump[1], number) < number}
    for begin, end in ends.items():
        if not any(begin < other and ends[other] <= end for other in ends):
            yield [line.strip() for line in lines[begin : end + 1] if re.match(r"\s+[a-z]", line)]


def count(loop, pattern, register=""):
    """How many instructions of a loop match, and name a register of this kind."""
    return sum(bool(re.match(rf"(?:{pattern})\s", line)) and register in line for line in loop)


def vector_loops(text):
    """The innermost loops that make words in packed form: most of their products are vpmuludq on full registers."""
    return [loop for loop in innermost_loops(text) if count(loop, "vpmuludq", "%ymm") >= ROUNDS]


def value_loops(text, suffix):
    """The innermost loops that make values in packed form: they multiply and add at once, on full registers."""
    return [loop for loop in innermost_loops(text) if count(loop, rf"vfn?madd\w*{suffix}", "%ymm")]


def suffix_of(law):
    return "ps" if law.endswith("32") else "pd"


@pytest.mark.full
@x86
def test_the_lists_are_complete(laws, sparse):
    assert sorted(laws) == sorted(LAWS)
    assert sorted(sparse) == sorted(SPARSE)


def scatters(loop):
    """Whether a loop writes its values one by one: AVX2 has no scattered store, so the lanes are taken out of it."""
    return sum(bool(re.match(r"v(?:extractps|mov[hl]?[sp][sd])\s.*%xmm\d+, -?\w*\(.*\)$", line)) for line in loop) >= 4


@pytest.mark.full
@x86
@pytest.mark.parametrize("law", LAWS)
def test_values_are_made_in_vectors(laws, law):
    assert any(not scatters(loop) for loop in vector_loops(laws[law]))


@pytest.mark.full
@x86
@pytest.mark.parametrize("law", [law for law in LAWS if law.startswith(("trunc_normal", "tail"))])
def test_rejected_values_are_redone_in_vectors(laws, law):
    assert any(scatters(loop) for loop in vector_loops(laws[law]))


@pytest.mark.full
@x86
@pytest.mark.parametrize("law", LAWS)
def test_vector_loops_hold_nothing_scalar(laws, law):
    for loop in vector_loops(laws[law]) + value_loops(laws[law], suffix_of(law)):
        assert not count(loop, r"i?mulx?[lq]?"), "a scalar product"
        assert not count(loop, r"vfn?m(?:add|sub)\w*s[sd]|vf?(?:mul|add|sub|sqrt|div)s[sd]"), "scalar arithmetic"
        assert not count(loop, "call[lq]?"), "a call: fma without hardware, or a function that was not inlined"


@pytest.mark.full
@x86
@pytest.mark.parametrize("law", [law for law in LAWS if not law.startswith(("bits", "mask"))])
def test_values_multiply_and_add_at_once_in_full_width(laws, law):
    assert any(not scatters(loop) for loop in value_loops(laws[law], suffix_of(law)))


@pytest.mark.full
@x86
@pytest.mark.parametrize("law", [law for law in LAWS if "normal" in law])
def test_normals_take_packed_square_roots(laws, law):
    """Words and normals come out of one loop, in which the products of one hide the roots of the other."""
    for loop in vector_loops(laws[law]):
        assert count(loop, f"vsqrt{suffix_of(law)}", "%ymm") >= 1


def encoding_loops(text):
    """The innermost loops that round in packed form: they shift numbers of 32 bits, and store narrower ones."""
    return [loop for loop in innermost_loops(text) if count(loop, "vpsr[al]d", "%ymm") and not count(loop, "vpmuludq")]


@pytest.mark.full
@x86
@pytest.mark.parametrize("name", SMALL)
def test_small_floats_are_rounded_in_vectors(small, name):
    """Integers of 32 bits in full registers: no number is taken out of them, and none is widened."""
    found = [loop for loop in encoding_loops(small[name]) if count(loop, "vpackus[dw][wb]|vpshufb", "")]
    assert found
    for loop in found:
        assert not count(loop, r"sar[lq]?|shr[lq]?|movb|movw"), "a number by itself"
        assert not count(loop, r"vpextr[bwdq]|vpmovsxdq|vpmovzxdq"), "lanes taken out, or of 64 bits"


@pytest.mark.full
@x86
@pytest.mark.parametrize("loop", SPARSE)
def test_sparse_matrices_choose_in_vectors(sparse, loop):
    """A product and a comparison of packed 64-bit numbers for each element, and no branch between them."""
    found = [
        inner
        for inner in innermost_loops(sparse[loop])
        if count(inner, "vpmuludq", "%ymm") and count(inner, r"vpcmp\w*q|vpsubq", "%ymm")
    ]
    assert found
    for inner in found:
        assert not count(inner, r"i?mulx?[lq]?"), "a scalar product"
        assert not count(inner, "call[lq]?"), "a call"


# ---- the reader itself ----

SCALAR = """
.outer:
\tmovq %rax, %rbx
.inner:
\timulq %rbx, %rcx
\tvfmadd213ss %xmm0, %xmm1, %xmm2
\tjne .inner
\tjmp .outer
"""


def test_reader_finds_the_innermost_loop_and_scalars_in_it():
    (loop,) = innermost_loops(SCALAR)
    assert count(loop, r"i?mulx?[lq]?") == 1
    assert count(loop, r"vfn?m(?:add|sub)\w*s[sd]") == 1
    assert vector_loops(SCALAR) == []
