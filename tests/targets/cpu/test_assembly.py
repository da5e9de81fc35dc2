"""The laws as machine code for AVX2 and AVX-512 → their hot loops hold packed instructions, and as few as they can be.

This is what guards the speed: no test takes a time. An innocent edit (a wider lane, a constant that is not one, a
branch) can cost a factor of two to eight and change no value: nothing else would notice.

Numba compiles for the processor that ``NUMBA_CPU_NAME`` names, so that the outcome is the same on every x86 machine,
and nothing is run.
"""

import functools
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import numbainit
from numbainit.maths.formats import SMALL
from numbainit.maths.philox import ROUNDS
from numbainit.targets.cpu.vectors.words import TURN

AVX2 = "+avx2,+fma,+bmi2,+avx,+sse4.2,+popcnt"
#: name of a processor: its features, its widest registers and their bits, instructions a register and a round of words
CPUS = {
    "haswell": (AVX2, "%ymm", 256, 5),
    "skylake-avx512": ("+avx512f,+avx512dq,+avx512bw,+avx512vl,+avx512cd," + AVX2, "%zmm", 512, 3),
}
PROGRAM = """
import json
import numba
from numbainit.maths.formats import SMALL
from numbainit.targets.cpu.vectors import functions, laws

made, c_function = {}, functions.c_function

def recorded(name, *arguments):
    def decorate(function):
        made[name] = c_function(name, *arguments)(function)
        return made[name]
    return decorate

functions.c_function = recorded
for law in laws.LAWS:
    for width in (32, 64):
        if (law, width) != ("mask", 64):
            functions.compiled(law, f"{'uint' if law in ('bits', 'mask') else 'float'}{width}")
for name in SMALL:
    functions.compiled("uniform", name)
for bits, parts in ((8, 1), (16, 1), (32, 1), (64, 1), (32, 2), (64, 2)):
    functions.choice(bits, parts)
print(json.dumps([numba.config.CPU_NAME, {name: one._library.get_asm_str() for name, one in made.items()}]))
"""
NAMES = ("uniform", "normal", "complex_normal", "trunc_normal", "tail")
FLOATS = [f"{law}_float{width}" for law in NAMES for width in (32, 64)]
LAWS = ["bits_uint32", "bits_uint64", "mask_uint32", *FLOATS]
ENCODED = [f"uniform_{name}" for name in SMALL]
CHOICES = ["choice_1x8", "choice_1x16", "choice_1x32", "choice_1x64", "choice_2x32", "choice_2x64"]

x86 = pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64"),
    reason="reads x86 instructions, and Numba compiles for the family of processors that it runs on",
)
every_cpu = pytest.mark.parametrize("cpu", CPUS)


@functools.cache
def assembly(cpu):
    """By function, from one fresh process: what comes from Numba's cache has no assembly."""
    package, features = str(Path(numbainit.__file__).parents[1]), CPUS[cpu][0]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("NUMBA_")}
    with tempfile.TemporaryDirectory() as cache:
        environment |= {"NUMBA_CPU_NAME": cpu, "NUMBA_CPU_FEATURES": features, "NUMBA_CACHE_DIR": cache}
        environment["PYTHONPATH"] = package
        command = [sys.executable, "-c", PROGRAM]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    heard, found = json.loads(done.stdout)
    assert heard == cpu
    return found


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


def word_loops(text, cpu):
    """The loops that make turns of words: a product for each register and round of each chain, and not many beside."""
    _, register, bits, _ = CPUS[cpu]
    products = ROUNDS * TURN * 32 // bits
    return [loop for loop in innermost_loops(text) if count(loop, "vpmuludq", register) == products]


def again_loops(text, cpu):
    """The loops that make rejected values again: words at scattered counters, values stored one by one."""
    _, register, _, _ = CPUS[cpu]
    stored = r"v(?:extractps|mov[hl]?[sp][sd])\s.*%xmm\d+, -?\w*\(.*\)$"
    for loop in innermost_loops(text):
        if count(loop, "vpmuludq", register) >= ROUNDS and sum(bool(re.match(stored, line)) for line in loop) >= 4:
            yield loop


def value_loops(text, cpu, suffix):
    """The loops that make values: they multiply and add at once, on full registers."""
    return [loop for loop in innermost_loops(text) if count(loop, rf"vfn?madd\w*{suffix}", CPUS[cpu][1])]


def suffix_of(law):
    return "ps" if law.endswith("32") else "pd"


def assert_nothing_scalar(loop):
    assert not count(loop, r"i?mulx?[lq]?"), "a scalar product"
    assert not count(loop, r"vfn?m(?:add|sub)\w*s[sd]|vf?(?:mul|add|sub|sqrt|div)s[sd]"), "scalar arithmetic"
    assert not count(loop, "call[lq]?"), "a call: fma without hardware, or a function that was not inlined"


@pytest.mark.full
@x86
@every_cpu
def test_the_lists_are_complete(cpu):
    assert sorted(assembly(cpu)) == sorted([*LAWS, *ENCODED, *CHOICES])


@pytest.mark.full
@x86
@every_cpu
@pytest.mark.parametrize("law", [*LAWS, *ENCODED])
def test_words_take_few_instructions(cpu, law):
    """Five a register and a round with AVX2, three with AVX-512: a product, two sums, and what moves halves.

    Beside these there is what counts on, keys from memory where registers are few, and the stores; with the values of
    uniforms in the same loop.
    """
    _, register, bits, each = CPUS[cpu]
    loops = word_loops(assembly(cpu)[law], cpu)
    assert len(loops) == (2 if law.startswith("tail") else 1)  # words, and those of the acceptance
    for loop in loops:
        rounds = count(loop, "vpmuludq|vpxorq?|vpternlog[dq]|vpblend[dw]|vpshufd|vshufps|vperm[it]2[dq]", register)
        products = ROUNDS * TURN * 32 // bits
        assert rounds <= 1.1 * each * products
        if not law.startswith("uniform"):
            assert len(loop) <= (each + 0.85) * products
        assert_nothing_scalar(loop)


@pytest.mark.full
@x86
@every_cpu
@pytest.mark.parametrize("law", FLOATS)
def test_values_multiply_and_add_at_once_in_full_width(cpu, law):
    loops = value_loops(assembly(cpu)[law], cpu, suffix_of(law))
    assert any(loop not in list(again_loops(assembly(cpu)[law], cpu)) for loop in loops)
    for loop in loops:
        assert_nothing_scalar(loop)


@pytest.mark.full
@x86
@every_cpu
@pytest.mark.parametrize("law", [law for law in FLOATS if "normal" in law])
def test_normals_take_packed_square_roots(cpu, law):
    loops = value_loops(assembly(cpu)[law], cpu, suffix_of(law))
    assert loops
    for loop in loops:
        assert count(loop, f"vsqrt{suffix_of(law)}", CPUS[cpu][1]) >= 1


@pytest.mark.full
@x86
@every_cpu
@pytest.mark.parametrize("law", [law for law in FLOATS if law.startswith(("trunc_normal", "tail"))])
def test_rejected_values_are_redone_in_vectors(cpu, law):
    loops = list(again_loops(assembly(cpu)[law], cpu))
    assert loops
    for loop in loops:
        assert count(loop, rf"vfn?madd\w*{suffix_of(law)}", CPUS[cpu][1])
        assert_nothing_scalar(loop)


@pytest.mark.full
@x86
@every_cpu
@pytest.mark.parametrize("law", ENCODED)
def test_small_floats_are_rounded_in_vectors(cpu, law):
    """Integers of 32 bits in full registers: no number is taken out of them, and none is widened.

    Nor do instructions round that only some processors have, which keep other NaN, or no subnormal numbers.
    """
    text, register = assembly(cpu)[law], CPUS[cpu][1]
    found = [
        loop
        for loop in innermost_loops(text)
        if count(loop, "vpsr[al]d", register)
        and not count(loop, "vpmuludq")
        and count(loop, "vpackus[dw][wb]|vpmovd[bw]")
    ]
    assert len(found) == 1
    (loop,) = found
    assert not count(loop, r"sar[lq]?|shr[lq]?|movb|movw"), "a number by itself"
    assert not count(loop, r"vpextr[bwdq]|vpmovsxdq|vpmovzxdq"), "lanes taken out, or of 64 bits"
    assert_nothing_scalar(loop)
    assert not re.search(r"\bvcvt(?:ne)?ps2(?:ph|bf16)", text)


@pytest.mark.full
@x86
@every_cpu
@pytest.mark.parametrize("choice", CHOICES)
def test_sparse_matrices_choose_in_vectors(cpu, choice):
    """A product of 64 bits and a comparison for each element, in full registers, and no branch between them."""
    register = CPUS[cpu][1]
    found = [loop for loop in innermost_loops(assembly(cpu)[choice]) if count(loop, "vpmuludq|vpmullq", register)]
    assert found
    for loop in found:
        assert count(loop, r"vpcmp\w*|vpmin\w*|vpmax\w*|vpsub\w*")
        assert_nothing_scalar(loop)
        assert count(loop, r"j\w+") == 1


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
    assert word_loops(SCALAR, "haswell") == []
    with pytest.raises(AssertionError, match="a scalar product"):
        assert_nothing_scalar(loop)
    with pytest.raises(AssertionError, match="scalar arithmetic"):
        assert_nothing_scalar(loop[1:])
