"""A key, a draw and an index → one element of a law: to be called in your own compiled functions, and from Python.

What a fill puts at an index, made where it is needed: weights that are never stored, initialisation inside another
kernel, one element of a matrix that fits nowhere. The functions are compiled by Numba, so they can be called in
``@numba.njit`` and ``@numba.cuda.jit`` functions; nothing is imported but what they need.

====================================================  ===================  =========================================
``uniform_at``, ``uniform_at64``                      [0, 1)               one and two words
``normal_at``, ``normal_at64``                        N(0, 1)              two and four words
``trunc_normal_at``, ``trunc_normal_at64``            N(0, 1) in [-2, 2]   the same for each attempt, 1.05 on average
====================================================  ===================  =========================================

All take ``(k0, k1, draw, index)``: the two words of ``Generator.key``, the number of the draw (``Generator.draws``
before the call that is to be repeated), and the index in C order, up to 2^64 - 1. They return float32, those with 64
float64, and equal bit for bit what the initializer of that name and its default parameters puts there. This is stream
v1: it does not change with releases. Nothing is checked: words are cut to 32 bits. From Python, pass an index of 2^63
or more as ``numpy.uint64``.

Examples
--------
>>> import numba, numpy as np, numbainit as init
>>> from numbainit.elements import normal_at
>>> @numba.njit
... def product(x, k0, k1, draw):
...     '''The product of x and a vector of normals that is nowhere in memory.'''
...     total = 0.0
...     for i in range(x.size):
...         total += x[i] * normal_at(k0, k1, draw, i)
...     return total
>>> x = np.arange(10.0)
>>> g = init.Generator(7)
>>> bool(np.isclose(product(x, *g.key, 0), x @ init.normal(10, generator=g)))
True
"""

import numpy as np
from numba import njit

from numbainit.maths import scalar
from numbainit.maths.scalar import INLINE
from numbainit.maths.stream import ATTEMPT, LOW, VALUES
from numbainit.targets.cache import check_compiler

__all__ = ["normal_at", "normal_at64", "trunc_normal_at", "trunc_normal_at64", "uniform_at", "uniform_at64"]

check_compiler()  # these are more than Python can run

_LOW32, _1, _2, _32 = np.uint64(0xFFFFFFFF), np.uint64(1), np.uint64(2), np.uint64(32)
_PUBLIC = {"forceinline": True, "error_model": "numpy"}  # unlike INLINE, callable from Python
_ZERO_32, _ZERO_64 = np.float32(0), np.float64(0)
_BOUND_32, _BOUND_64 = np.float32(2), np.float64(2)


@njit(**INLINE)
def _at(k0, k1, draw, index):
    """The arguments of all functions here as the words that they are; other integers are cut to them."""
    return np.uint64(np.uint32(k0)), np.uint64(np.uint32(k1)), np.uint64(draw), np.uint64(index)


@njit(**INLINE)
def _pair(at, tag):
    """The Box-Muller pair of words that the element belongs to."""
    k0, k1, draw, index = at
    counter = index >> _2
    w0, w1, w2, w3 = scalar.philox4x32(counter & _LOW32, counter >> _32, draw, tag, k0, k1)
    right = index & _2 != np.uint64(0)
    return np.uint32(w2 if right else w0), np.uint32(w3 if right else w1)


@njit(**INLINE)
def _word(at, tag):
    even, odd = _pair(at, tag)
    return odd if at[3] & _1 else even


@njit(**INLINE)
def _normal32(at, tag):
    cos, sin = scalar.normal_pair32(*_pair(at, tag))
    return scalar.add(sin if at[3] & _1 else cos, _ZERO_32)  # a fill adds its mean, which makes zeros positive


@njit(**INLINE)
def _normal64(at, tag):
    h0, h1 = _pair(at, tag)
    l0, l1 = _pair(at, tag | LOW)
    cos, sin = scalar.normal_pair64(scalar.joined(h0, l0), scalar.joined(h1, l1))
    return scalar.add(sin if at[3] & _1 else cos, _ZERO_64)


@njit(**_PUBLIC)
def uniform_at(k0, k1, draw, index):
    """Element ``index`` of ``uniform_`` on [0, 1) in float32: a multiple of 2^-24.

    Examples
    --------
    >>> import numbainit as init
    >>> from numbainit.elements import uniform_at
    >>> bool(uniform_at(*init.Generator(7).key, 0, 2) == init.uniform(3, generator=7)[2])
    True
    """
    return scalar.uniform32(_word(_at(k0, k1, draw, index), VALUES))


@njit(**_PUBLIC)
def uniform_at64(k0, k1, draw, index):
    """Element ``index`` of ``uniform_`` on [0, 1) in float64: a multiple of 2^-53."""
    at = _at(k0, k1, draw, index)
    return scalar.uniform64(scalar.joined(_word(at, VALUES), _word(at, LOW)))


@njit(**_PUBLIC)
def normal_at(k0, k1, draw, index):
    """Element ``index`` of ``normal_`` with mean 0 and standard deviation 1, in float32.

    Examples
    --------
    >>> import numbainit as init
    >>> from numbainit.elements import normal_at
    >>> bool(normal_at(*init.Generator(7).key, 0, 2) == init.normal(3, generator=7)[2])
    True
    """
    return _normal32(_at(k0, k1, draw, index), VALUES)


@njit(**_PUBLIC)
def normal_at64(k0, k1, draw, index):
    """Element ``index`` of ``normal_`` with mean 0 and standard deviation 1, in float64."""
    return _normal64(_at(k0, k1, draw, index), VALUES)


@njit(**_PUBLIC)
def trunc_normal_at(k0, k1, draw, index):
    """Element ``index`` of ``trunc_normal_`` with its default parameters, N(0, 1) in [-2, 2], in float32.

    Examples
    --------
    >>> import numbainit as init
    >>> from numbainit.elements import trunc_normal_at
    >>> bool(trunc_normal_at(*init.Generator(7).key, 0, 2) == init.trunc_normal(3, generator=7)[2])
    True
    """
    at, tag, value = _at(k0, k1, draw, index), VALUES, np.float32(np.nan)
    while not -_BOUND_32 <= value <= _BOUND_32:
        value = _normal32(at, tag)
        tag += ATTEMPT
    return value


@njit(**_PUBLIC)
def trunc_normal_at64(k0, k1, draw, index):
    """Element ``index`` of ``trunc_normal_`` with its default parameters, N(0, 1) in [-2, 2], in float64."""
    at, tag, value = _at(k0, k1, draw, index), VALUES, np.float64(np.nan)
    while not -_BOUND_64 <= value <= _BOUND_64:
        value = _normal64(at, tag)
        tag += ATTEMPT
    return value
