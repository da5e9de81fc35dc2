"""Maps of laws, Hadamard's matrices, rows of logarithms → what their papers define, in any memory, part by part.

Their bits are compared with the reference in test_golden_beyond.py.
"""

import math

import ml_dtypes  # noqa: F401  (teaches NumPy the names of the small dtypes)
import numpy as np
import pytest
import scipy.linalg

import numbainit as init
from cases import check_refused, thinned

ML = ["bfloat16", "float8_e4m3fn", "float8_e5m2fnuz", "float16"]
MAPS = {
    "log_uniform": {"a": 0.001, "b": 0.1},
    "log_of_uniform": {"a": 1.0, "b": 16.0},
    "time_step_bias": {"a": 0.001, "b": 0.1, "floor": 0.005},
}


def of_uniform(a, b, shape=(3000,)):
    return init.uniform(shape, a, b, dtype="f8", generator=6)


# ---- maps ----


def test_log_uniform_is_the_exponential_of_a_uniform():
    got = init.log_uniform(3000, 0.001, 0.1, dtype="f8", generator=6)
    np.testing.assert_allclose(got, np.exp(of_uniform(math.log(0.001), math.log(0.1))), rtol=2e-15)


def test_log_of_uniform_is_the_logarithm_of_a_uniform():
    got = init.log_of_uniform(3000, dtype="f8", generator=6)
    np.testing.assert_allclose(got, np.log(of_uniform(1, 16)), rtol=1e-15)


@pytest.mark.parametrize("floor", [0, 1e-4, 0.005])
def test_softplus_of_a_time_step_bias_is_a_log_uniform_step(floor):
    got = init.time_step_bias(3000, 0.001, 0.1, floor, dtype="f8", generator=6)
    want = np.maximum(np.exp(of_uniform(math.log(0.001), math.log(0.1))), floor)
    np.testing.assert_allclose(np.log1p(np.exp(got)), want, rtol=1e-13)


def test_large_time_steps():
    got = init.time_step_bias(1000, 1.0, 1e4, dtype="f8", generator=6)
    np.testing.assert_allclose(
        np.logaddexp(0, got), init.log_uniform(1000, 1.0, 1e4, dtype="f8", generator=6), rtol=1e-14
    )


@pytest.mark.parametrize("dtype", ["f4", "f8", *ML])
@pytest.mark.parametrize(("a", "b"), [(0.001, 0.1), (1.0, 1.5), (0.3, 0.30001), (2.0, 2.0), (1e-3, 400.0)])
def test_bounds_of_log_uniform_hold_in_every_dtype(a, b, dtype):
    if dtype.startswith("float8") and (a, b) in ((0.3, 0.30001), (0.001, 0.1)):
        a, b = 0.25, 0.5
    if (a, b) == (0.3, 0.30001) and dtype in ML:
        with pytest.raises(init.InvalidValueError, match=f"no {np.dtype(dtype).name} lies in"):
            init.log_uniform(9, a, b, dtype=dtype)
        return
    got = init.log_uniform(5000, a, b, dtype=dtype, generator=1).astype("f8")
    assert got.min() >= float(np.array(a, "f4") if a == b else a)
    assert got.max() < b or a == b == got.max()


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("dtype", thinned(ML, ["bfloat16"]))
def test_small_floats_are_the_float32_rounded(name, dtype):
    arguments = MAPS[name] | ({"a": 0.25, "b": 100.0} if name == "log_uniform" else {})
    wide = getattr(init, name)(5000, **arguments, generator=1)
    narrow = getattr(init, name)(5000, **arguments, dtype=dtype, generator=1)
    inside = slice(None)
    if name == "log_uniform":  # which keeps its bounds after rounding
        inside = (wide > 0.3) & (wide < 90)
    assert (narrow == wide.astype(narrow.dtype))[inside].all()
    assert (wide == getattr(init, name)(5000, **arguments, dtype="f8", generator=1).astype("f4")).all()


@pytest.mark.parametrize("name", MAPS)
def test_memory_size_and_draws_do_not_matter(name):
    """Also beyond the size of a piece."""
    law, generator = getattr(init, name + "_"), init.Generator(8)
    first, whole = law(np.empty(7), generator=generator), law(np.empty((300, 401)), generator=generator)
    assert generator.draws == 2
    assert not np.isin(first, whole).any()
    again = init.Generator(8, draws=1)
    for array in (np.empty((401, 300)).T, np.empty((600, 802))[::2, ::-2], np.empty((300, 401), ">f8")):
        np.testing.assert_array_equal(law(array, generator=init.Generator(8, draws=1)), whole)
    part = law(np.empty((200, 390)), generator=again, block=init.Block(whole.shape, (50, 11)))
    np.testing.assert_array_equal(part, whole[50:250, 11:])
    assert law(np.empty(()), generator=init.Generator(8, draws=1)) == whole[0, 0]


# ---- log-arange ----


@pytest.mark.parametrize("dtype", ["f4", "f8", ">f4", "c16", "bfloat16"])
@pytest.mark.parametrize("shape", [(1,), (16,), (5, 16), (2, 3, 4), (0, 3), (3, 0)])
def test_log_arange(shape, dtype):
    got = init.log_arange_(np.empty(shape, dtype), 2.0)
    want = np.broadcast_to(np.log(2.0 + np.arange(shape[-1])), shape)
    if got.dtype.itemsize > 4:  # an ulp, from a library's logarithm
        np.testing.assert_allclose(got, want, rtol=2.3e-16)
    else:
        np.testing.assert_array_equal(got, want.astype("f4").astype(got.dtype))


def test_the_poles_of_s4d_real():
    """``-exp(A_log)`` is -1, -2, ..., as exactly as float32 has it."""
    a_log = init.log_arange((64, 256))
    np.testing.assert_allclose(-np.exp(a_log.astype("f8")), -np.arange(1.0, 257) * np.ones((64, 1)), rtol=3e-7)


# ---- Hadamard ----


@pytest.mark.parametrize("dtype", ["f4", "f8", ">f4", "c8", "bfloat16"])
@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (8, 8), (3, 16), (16, 5), (1, 4), (64, 64)])
def test_hadamard(shape, dtype):
    size = max(shape)
    want = scipy.linalg.hadamard(size)[: shape[0], : shape[1]] * (2.0 / math.sqrt(size))
    got = init.hadamard_(np.full(shape, np.nan, dtype), 2.0)
    np.testing.assert_array_equal(got, want.astype("f4" if dtype == "bfloat16" else dtype).astype(got.dtype))


@pytest.mark.parametrize("shape", [(8, 8), (3, 16), (16, 5)])
def test_randomized_hadamard(shape):
    """Signs of columns are the highest bits of the draw's first words."""
    words = init.bits(shape[1], generator=9)
    signs = np.where(words >= 2**31, -1, 1)
    got = init.randomized_hadamard(shape, 3.0, dtype="f8", generator=9)
    np.testing.assert_array_equal(got, init.hadamard(shape, 3.0, dtype="f8") * signs)
    product = got @ got.T if shape[0] <= shape[1] else got.T @ got
    np.testing.assert_allclose(product, 9 * np.eye(len(product)), atol=1e-12)


def test_large_matrices_in_pieces_and_parts():
    whole = init.randomized_hadamard((512, 1024), generator=2)
    assert (abs(whole) == 1 / 32).all()
    part = init.randomized_hadamard((100, 900), generator=2, block=init.Block(whole.shape, (301, 55)))
    np.testing.assert_array_equal(part, whole[301:401, 55:955])
    np.testing.assert_array_equal(
        init.hadamard((7, 9), block=init.Block((2**40, 2**20), (2**39, 1))),
        2.0**-20 * np.array([[(-1) ** ((2**39 + i & 1 + j).bit_count()) for j in range(9)] for i in range(7)]),
    )


# ---- what is refused ----

WRONG = [
    (lambda g: init.log_uniform(3, 0, 1, generator=g), ValueError, "a logarithm needs 0 < a <= b, got a=0.0"),
    (lambda g: init.log_uniform(3, 2, 1, generator=g), ValueError, "uniform bounds need a <= b"),
    (lambda g: init.log_uniform(3, 1, math.inf, generator=g), ValueError, "b must be finite"),
    (lambda g: init.log_uniform(3, 1e-60, 1e-50, dtype="f4", generator=g), ValueError, "no float32 lies in"),
    (lambda g: init.log_uniform(3, dtype="c8", generator=g), TypeError, "fills real arrays"),
    (lambda g: init.log_of_uniform(3, -1, 1, generator=g), ValueError, "0 < a <= b"),
    (lambda g: init.log_of_uniform(3, 3, 1, generator=g), ValueError, "need a <= b"),
    (lambda g: init.time_step_bias(3, 0, 1, generator=g), ValueError, "0 < a <= b"),
    (lambda g: init.time_step_bias(3, 1, 2, math.nan, generator=g), ValueError, "floor must be a number, got nan"),
    (lambda g: init.time_step_bias(3, 1, 1e3, dtype="float8_e4m3fn", generator=g), ValueError, "inverse softplus of a"),
    (lambda g: init.log_arange(3, 0), ValueError, "needs start > 0"),
    (lambda g: init.log_arange(()), ValueError, "counts along the last axis"),
    (lambda g: init.hadamard((3, 3)), ValueError, r"a power of two as their longer side, got shape \(3, 3\)"),
    (lambda g: init.hadamard((4,)), ValueError, "Only tensors with 2 dimensions"),
    (lambda g: init.randomized_hadamard((4, 12), generator=g), ValueError, "a power of two"),
    (lambda g: init.randomized_hadamard((4, 4), math.inf, generator=g), ValueError, "gain must be finite"),
]


@pytest.mark.parametrize(("call", "error", "text"), WRONG)
def test_senseless_calls(call, error, text):
    check_refused(call, error, text)
