"""One element made alone, in a user's compiled function → the bits that a fill puts there."""

import numba
import numpy as np
import pytest

import numbainit as init
import reference
from numbainit import elements

pytestmark = pytest.mark.full

NAMES = [name for name in elements.__all__ if not name.endswith("64")]
TWINS = [(name + suffix, dtype) for name in NAMES for suffix, dtype in (("", "float32"), ("64", "float64"))]


@pytest.mark.parametrize(("name", "dtype"), TWINS)
def test_a_users_loop_makes_what_a_fill_makes(name, dtype):
    function = getattr(elements, name)

    @numba.njit
    def fill(out, k0, k1, draw, first):
        for i in range(out.size):
            out[i] = function(k0, k1, draw, first + i)

    generator = init.Generator(31)
    for draw in range(3):
        wanted = getattr(init, name.partition("_at")[0])(100_003, dtype=dtype, generator=generator)
        got = np.empty_like(wanted)
        fill(got, *generator.key, draw, 0)
        assert got.tobytes() == wanted.tobytes()
    last = np.empty(17, dtype)
    fill(last, *generator.key, 2, 100_003 - 17)
    assert last.tobytes() == wanted[-17:].tobytes()


@pytest.mark.parametrize(("name", "dtype"), TWINS)
@pytest.mark.parametrize("index", [0, 1, 2, 3, 4, 2**31 - 1, 2**34 + 5, 2**62 + 3])
def test_python_calls_have_the_bits_of_the_reference(name, dtype, index):
    key, draw = (0xDEADBEEF, 0x80000001), 2**32 - 1
    law = name.partition("_at")[0]
    parameters = {"uniform": (0.0, 1.0), "normal": (0.0, 1.0), "trunc_normal": (0.0, 1.0, -2.0, 2.0)}[law]
    (wanted,) = reference.elements(reference.LAWS[law], key, draw, [index], *parameters, dtype=dtype)
    assert np.dtype(dtype).type(getattr(elements, name)(*key, draw, index)) == wanted


@pytest.mark.full
@pytest.mark.parametrize(("name", "dtype"), TWINS)
def test_types(name, dtype):
    """Three uint32 and a uint64 give the width of the name; other integers are taken as these."""
    function = getattr(elements, name)

    @numba.njit
    def call(k0, k1, draw, index):
        return function(k0, k1, draw, index)

    words = np.uint32(4_000_000_000), np.uint32(5), np.uint32(6)
    wanted = call(*words, np.uint64(2**63 + 1))
    assert call.nopython_signatures[0].return_type == getattr(numba, dtype)
    assert call(*map(int, words), np.uint64(2**63 + 1)) == wanted
