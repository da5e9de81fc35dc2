"""Names of laws and dtypes → addresses of compiled functions; what is no name is a typing error."""

import numpy as np
import pytest
from numba import njit
from numba.core.errors import TypingError

from numbainit.targets.cpu.vectors import functions
from numbainit.targets.cpu.vectors.laws import LAWS
from numbainit.weights import laws
from targets.cpu.vectors.runs import run


def test_an_address_is_found_once():
    first = functions.address("bits", np.dtype("uint32"))
    assert first == functions.compiled("bits", "uint32").address
    assert functions.address("bits", np.dtype("u4")) == first
    assert functions.choice(32, 1) == functions.choice(32, 1) != functions.choice(64, 1)


@pytest.mark.parametrize("unsigned", ["uint32", "uint64"])
def test_signed_integers_have_the_same_bits(unsigned):
    """A dtype is a name here, and what is made of it the bits: of both signs, by functions of their own."""
    want = run("bits", unsigned, 70, 3)
    assert run("bits", unsigned[1:], 70, 3).tobytes() == want.tobytes()


def test_every_law_that_is_asked_for_is_there():
    asked = {laws.BITS.name, "mask"}
    for dtype in map(np.dtype, ("f4", "f8", "c8")):
        asked |= {
            laws.uniform(0, 1, dtype).name,
            laws.normal(0, 1, dtype).name,
            laws.normal(1 + 2j, 1, np.dtype("c8")).name,
        }
    asked |= {laws.trunc_normal(0, 1, *bounds, np.dtype("f4")).name for bounds in ((-2, 2), (2, 3), (-0.5, 0.5))}
    assert asked == set(LAWS)


def test_names_are_literals():
    with pytest.raises(TypingError, match=r"a law takes two names and seven uint64, got .*int64"):
        njit(lambda: functions._law("bits", "uint32", 0, 1, 2, 3, 4, 5, 6))()
    with pytest.raises(TypingError, match=r"a law takes two names and seven uint64, got .*float64"):
        njit(lambda x: functions._law("bits", "uint32", x, x, x, x, x, x, x))(0.5)
    with pytest.raises(TypingError, match="a choice takes two literal sizes and five uint64, got"):
        njit(lambda bits, x: functions._choose(bits, 1, x, x, x, x, x))(32, np.uint64(0))
