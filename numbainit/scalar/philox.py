"""A counter and a key, both of 32-bit words → four random words: Philox4x32-10.

Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. The vocabulary (counter, key,
block, word) is that of its companion library Random123.

Words live in 64-bit lanes here: a round needs the 64-bit product of two 32-bit words, and a lane that keeps the whole
product needs no shuffles, which doubles the speed of SIMD code. The upper half of a lane is garbage, which every round,
and a cast to uint32, cuts off.
"""

import numpy as np
from numba import njit

from numbainit.scalar.options import INLINE
from numbainit.scalar.rounding import swap_halves, wide_product

_MULTIPLIER_0 = np.uint64(0xD2511F53)
_MULTIPLIER_1 = np.uint64(0xCD9E8D57)
_WEYL_0 = np.uint64(0x9E3779B9)
_WEYL_1 = np.uint64(0xBB67AE85)
_LOW32 = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)


@njit(**INLINE)
def _round(c0, c1, c2, c3, k0, k1):
    p0 = wide_product(_MULTIPLIER_0, c0)
    p1 = wide_product(_MULTIPLIER_1, c2)
    return (p1 >> _32) ^ c1 ^ k0, p1, (p0 >> _32) ^ c3 ^ k1, p0


@njit(**INLINE)
def _nine_rounds(c0, c1, c2, c3, k0, k1):
    """All rounds but the last, and the keys of the last.

    They are written out: LLVM then computes the keys of the rounds once, before the loop around this, and what does not
    change along the loop of the first rounds too. A loop over the rounds halves the speed.
    """
    w0, w1 = _WEYL_0, _WEYL_1
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
    k0, k1 = k0 + w0, k1 + w1
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
    k0, k1 = k0 + w0, k1 + w1
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
    k0, k1 = k0 + w0, k1 + w1
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
    k0, k1 = k0 + w0, k1 + w1
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
    k0, k1 = k0 + w0, k1 + w1
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
    k0, k1 = k0 + w0, k1 + w1
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
    k0, k1 = k0 + w0, k1 + w1
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
    k0, k1 = k0 + w0, k1 + w1
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
    k0, k1 = k0 + w0, k1 + w1
    return c0, c1, c2, c3, k0, k1


@njit(**INLINE)
def philox4x32(c0, c1, c2, c3, k0, k1):
    """The four words of a counter under the key (k0, k1); all of them uint64 lanes."""
    return _round(*_nine_rounds(c0, c1, c2, c3, k0, k1))


@njit(**INLINE)
def philox4x32_pairs(c0, c1, c2, c3, k0, k1):
    """The same four words as two uint64: ``word1 << 32 | word0`` and ``word3 << 32 | word2``, without garbage.

    A pair lies in a little-endian memory as its words should, and its halves come out of one product: swapping them
    takes less than making two words and joining them.
    """
    c0, c1, c2, c3, k0, k1 = _nine_rounds(c0, c1, c2, c3, k0, k1)
    p0 = wide_product(_MULTIPLIER_0, c0)
    p1 = wide_product(_MULTIPLIER_1, c2)
    return swap_halves(p1) ^ ((c1 ^ k0) & _LOW32), swap_halves(p0) ^ ((c3 ^ k1) & _LOW32)
