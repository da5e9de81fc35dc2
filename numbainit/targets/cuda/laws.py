"""A counter → its four values, under each law: the bodies of the kernels of a GPU.

The names are those of the CPU's ``laws.py``, and so are the values; but here a thread makes four elements in its
registers, where a core makes thousands in memory. ``numbers`` are float64, as the host has checked them, and each is
rounded to the width of the law. The laws by rejection (``trunc_normal``, ``tail``) make one attempt; their last two
numbers are the bounds that a value must keep. ``stream`` is (draw, k0, k1).
"""

import numpy as np
from numba.extending import register_jitable

from numbainit.maths import scalar as laws
from numbainit.maths.scalar import INLINE, fma, joined, philox4x32
from numbainit.maths.stream import ACCEPTANCE, LOW, MASK

_32 = np.uint64(32)
_1, _2, _4 = np.uint64(1), np.uint64(2), np.uint64(4)

inline = register_jitable(**INLINE)


@inline
def _words(stream, counter, tag):
    """The four words of a counter, as uint32. ``tag`` is ``attempt << 8 | purpose``."""
    draw, k0, k1 = stream
    w0, w1, w2, w3 = philox4x32(counter, counter >> _32, draw, tag, k0, k1)
    return np.uint32(w0), np.uint32(w1), np.uint32(w2), np.uint32(w3)


@inline
def lane(number, values):
    """The value of element ``number`` among the four of its counter. By selects: an index needs memory."""
    even, odd = (values[2] if number & _2 else values[0]), (values[3] if number & _2 else values[1])
    return odd if number & _1 else even


@inline
def mask_word(stream, place):
    """The word that decides whether element ``place`` of a sparse matrix stays."""
    return lane(place, _words(stream, place // _4, MASK))


@inline
def bits32(stream, counter, tag, numbers):
    return _words(stream, counter, tag)


@inline
def bits64(stream, counter, tag, numbers):
    h0, h1, h2, h3 = _words(stream, counter, tag)
    l0, l1, l2, l3 = _words(stream, counter, tag | LOW)
    return joined(h0, l0), joined(h1, l1), joined(h2, l2), joined(h3, l3)


@inline
def uniform32(stream, counter, tag, numbers):
    a, width = np.float32(numbers[0]), np.float32(numbers[1])
    smallest, largest = np.float32(numbers[2]), np.float32(numbers[3])
    w0, w1, w2, w3 = _words(stream, counter, tag)
    return (
        laws.uniform_between32(w0, a, width, smallest, largest),
        laws.uniform_between32(w1, a, width, smallest, largest),
        laws.uniform_between32(w2, a, width, smallest, largest),
        laws.uniform_between32(w3, a, width, smallest, largest),
    )


@inline
def uniform64(stream, counter, tag, numbers):
    a, width, smallest, largest = numbers
    h0, h1, h2, h3 = _words(stream, counter, tag)
    l0, l1, l2, l3 = _words(stream, counter, tag | LOW)
    return (
        laws.uniform_between64(joined(h0, l0), a, width, smallest, largest),
        laws.uniform_between64(joined(h1, l1), a, width, smallest, largest),
        laws.uniform_between64(joined(h2, l2), a, width, smallest, largest),
        laws.uniform_between64(joined(h3, l3), a, width, smallest, largest),
    )


@inline
def _normals32(stream, counter, tag, std, even, odd):
    """N(even, std^2) and N(odd, std^2) in turn."""
    w0, w1, w2, w3 = _words(stream, counter, tag)
    z0, z1 = laws.normal_pair32(w0, w1)
    z2, z3 = laws.normal_pair32(w2, w3)
    return fma(z0, std, even), fma(z1, std, odd), fma(z2, std, even), fma(z3, std, odd)


@inline
def _normals64(stream, counter, tag, std, even, odd):
    h0, h1, h2, h3 = _words(stream, counter, tag)
    l0, l1, l2, l3 = _words(stream, counter, tag | LOW)
    z0, z1 = laws.normal_pair64(joined(h0, l0), joined(h1, l1))
    z2, z3 = laws.normal_pair64(joined(h2, l2), joined(h3, l3))
    return fma(z0, std, even), fma(z1, std, odd), fma(z2, std, even), fma(z3, std, odd)


@inline
def normal32(stream, counter, tag, numbers):
    mean = np.float32(numbers[0])
    return _normals32(stream, counter, tag, np.float32(numbers[1]), mean, mean)


@inline
def normal64(stream, counter, tag, numbers):
    return _normals64(stream, counter, tag, numbers[1], numbers[0], numbers[0])


@inline
def complex_normal32(stream, counter, tag, numbers):
    """Real and imaginary parts in turn, each around its own mean."""
    return _normals32(stream, counter, tag, np.float32(numbers[1]), np.float32(numbers[0]), np.float32(numbers[2]))


@inline
def complex_normal64(stream, counter, tag, numbers):
    return _normals64(stream, counter, tag, numbers[1], numbers[0], numbers[2])


trunc_normal32, trunc_normal64 = normal32, normal64


@inline
def tail32(stream, counter, tag, numbers):
    s1, s0 = np.float32(numbers[3]), np.float32(numbers[4])
    t1, t0 = np.float32(numbers[5]), np.float32(numbers[6])
    arguments = numbers[0] > 0.0, numbers[1], numbers[2], s1, s0, t1, t0
    w0, w1, w2, w3 = _words(stream, counter, tag)
    a0, a1, a2, a3 = _words(stream, counter, tag | ACCEPTANCE)
    return (
        laws.tail32(w0, a0, *arguments),
        laws.tail32(w1, a1, *arguments),
        laws.tail32(w2, a2, *arguments),
        laws.tail32(w3, a3, *arguments),
    )


@inline
def tail64(stream, counter, tag, numbers):
    arguments = (numbers[0] > 0.0, *numbers[1:7])
    h0, h1, h2, h3 = _words(stream, counter, tag)
    l0, l1, l2, l3 = _words(stream, counter, tag | LOW)
    a0, a1, a2, a3 = _words(stream, counter, tag | ACCEPTANCE)
    return (
        laws.tail64(joined(h0, l0), a0, *arguments),
        laws.tail64(joined(h1, l1), a1, *arguments),
        laws.tail64(joined(h2, l2), a2, *arguments),
        laws.tail64(joined(h3, l3), a3, *arguments),
    )
