"""Types of single numbers → the types of results, or a typing error that says what was got; nothing is promoted."""

import re

import numpy as np
import pytest
from numba import njit, types
from numba.core.errors import TypingError
from numba.core.registry import cpu_target

from cases import thinned
from numbainit.maths import scalar
from numbainit.maths.formats import SMALL

F4, F8, U4, U8, BOOL = types.float32, types.float64, types.uint32, types.uint64, types.boolean
SIGNATURES = {
    "fma": [(F4, F4, F4, F4), (F8, F8, F8, F8)],  # what it returns, then what it takes
    "sqrt": [(F4, F4), (F8, F8)],
    "add": [(F4, F4, F4), (F8, F8, F8)],
    "philox4x32": [(types.UniTuple(U8, 4), *[U8] * 6)],
    "joined": [(U8, U4, U4)],
    "uniform32": [(F4, U4)],
    "uniform64": [(F8, U8)],
    "uniform_between32": [(F4, U4, *[F4] * 4)],
    "uniform_between64": [(F8, U8, *[F8] * 4)],
    "normal_pair32": [(types.UniTuple(F4, 2), U4, U4)],
    "normal_pair64": [(types.UniTuple(F8, 2), U8, U8)],
    "tail32": [(F4, U4, U4, BOOL, F8, F8, *[F4] * 4)],
    "tail64": [(F8, U8, U4, BOOL, *[F8] * 6)],
}
PROMISES = [(name, promise) for name, promises in SIGNATURES.items() for promise in promises]


def typed(name, *arguments):
    """The type of what a function returns for arguments of these types, from Numba's typing alone."""
    context = cpu_target.typing_context
    context.refresh()
    return context.resolve_function_type(context.resolve_value_type(getattr(scalar, name)), arguments, {}).return_type


@pytest.mark.parametrize(("name", "promise"), PROMISES, ids=str)
def test_results_have_the_promised_types(name, promise):
    returned, *taken = promise
    assert typed(name, *taken) == returned


OTHERS = [types.int8, types.int64, types.uint32, types.uint64, types.float32, types.float64, types.complex64]


@pytest.mark.parametrize(("name", "promise"), PROMISES, ids=str)
def test_other_types_are_typing_errors(name, promise):
    """Whichever argument has one: what was got stands in the message."""
    _, *taken = promise
    for place, right in enumerate(taken):
        for wrong in OTHERS:
            given = tuple(wrong if i == place else one for i, one in enumerate(taken))
            if wrong == right or any(list(given) == other for _, *other in SIGNATURES[name]):
                continue  # of the one argument of sqrt: it takes both widths
            with pytest.raises(TypingError, match=f"{name} .*{re.escape(str(given))}"):
                typed(name, *given)


@pytest.mark.parametrize("name", SIGNATURES)
def test_too_few_and_too_many(name):
    _, *taken = SIGNATURES[name][0]
    for given in (taken[:-1], [*taken, taken[-1]]):
        with pytest.raises(TypingError, match=name):
            typed(name, *given)


def test_integers_of_python_are_no_words():
    """A literal is an int64, whose shift to the right would keep the sign."""
    with pytest.raises(TypingError, match=r"uniform32 takes \(uint32,\), got \(int64,\)"):
        njit(lambda: scalar.uniform32(3))()


def test_a_sum_is_rounded_by_itself():
    """Also behind a product of a function that is inlined here, with which an fma would round it once."""

    @njit
    def function(a, b, c):
        return scalar.add(scalar.fma(a, b, np.float32(0)), c)

    a = np.float32(1 + 2.0**-12)
    assert function(a, a, np.float32(-1)) == a * a - np.float32(1)
    assert float(a) ** 2 - 1 != a * a - np.float32(1)


@pytest.mark.parametrize("name", thinned(SMALL, ["float16"]))
def test_bits_of_small_floats(name):
    """From the literal name alone: an int32."""
    function = njit(lambda x: scalar.encode(x, name))
    function.compile((types.float32,))
    assert function.nopython_signatures[0].return_type == types.int32


def test_what_is_no_small_float():
    unknown, wide = njit(lambda x: scalar.encode(x, "float32")), njit(lambda x: scalar.encode(x, "float16"))
    with pytest.raises(TypingError, match=r"encode takes a float32 and the name of a small float, got float32"):
        unknown(np.float32(1))
    with pytest.raises(TypingError, match=r"encode takes a float32 and the name of a small float, got float64"):
        wide(np.float64(1))
    with pytest.raises(TypingError, match=r"got float32, unicode_type"):
        njit(lambda x, text: scalar.encode(x, text))(np.float32(1), "float16")
