"""The CPU's laws as code for 64-bit ARM → the bytes that the processor at hand writes, and none beside them.

The code that Numba makes on such a machine comes from the same lines and the same LLVM; here it is run by an emulator.
"""

import pytest

from numbainit.maths.formats import SMALL
from targets.cpu.vectors.runs import run

NUMBERS = {  # what each law is given, and dtypes beside its own two
    "bits": ((), ("uint32", "uint64")),
    "mask": ((), ("uint32",)),
    "uniform": ((-0.25, 1.5, -0.25, 1.0), ("float32", "float64", "bfloat16", "float8_e4m3fn")),
    "normal": ((0.5, 0.25), ("float32", "float64", *SMALL)),
    "complex_normal": ((0.5, 0.25, -1.0), ("float32", "float64")),
    "trunc_normal": ((0.0, 1.0, -0.75, 1.25), ("float32", "float64", "float16")),
    "tail": ((1.0, 0.2, 3.0, 0.1, -0.3, 0.1, -0.3, 3.0, 5.0), ("float32", "float64", "bfloat16")),
}
CASES = [(name, element) for name, (_, elements) in NUMBERS.items() for element in elements]


@pytest.mark.full
@pytest.mark.parametrize(("name", "element"), CASES)
@pytest.mark.parametrize(("first", "size"), [(0, 64), (4093, 150)], ids=["a turn", "ragged ends of two chunks"])
def test_arm_has_the_same_bits(name, element, first, size):
    pytest.importorskip("unicorn", reason="the emulator of ARM processors is not installed: pip install unicorn")
    from targets.cpu.vectors import aarch64

    key, draw, (numbers, _) = (0x9E3779B9, 0xFFFFFFFF), 5, NUMBERS[name]
    written = aarch64.run(name, element, size, first, (draw, *key), numbers)
    wanted = run(name, element, size, first, numbers, key=key, draw=draw)
    assert written[64:-64] == wanted.tobytes()
    assert set(written[:64] + written[-64:]) == {0xA5}, "bytes beside the run were written"


@pytest.mark.full
@pytest.mark.parametrize("name", ["normal", "trunc_normal"])
def test_it_is_neon_code(name):
    """Products of words and fused operations are packed, and only memory is copied by a call."""
    pytest.importorskip("unicorn", reason="the emulator of ARM processors is not installed: pip install unicorn")
    from targets.cpu.vectors import aarch64

    _, assembly = aarch64.machine_code(name, "float32")
    lines = [line.split() for line in assembly.splitlines()]
    assert any(words[:1] == ["umull"] and ".2d" in words[1] for words in lines)
    assert any(words[:1] == ["fmla"] and ".4s" in words[1] for words in lines)
    assert {words[1] for words in lines if words[:1] == ["bl"]} <= {"memcpy"}
    assert not any(words[:1] in (["fmadd"], ["fsqrt"]) and words[1].startswith("s") for words in lines)


def test_the_cases_are_all_laws():
    from numbainit.targets.cpu.vectors.laws import LAWS

    assert set(NUMBERS) == set(LAWS)
