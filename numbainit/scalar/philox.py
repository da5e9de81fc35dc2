"""A counter and a key, both of 32-bit words → four random words: Philox4x32-10.

Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. The vocabulary (counter, key,
block, word) is that of its companion library Random123.

Words live in 64-bit lanes here: a round needs the 64-bit product of two 32-bit words, and a lane that keeps the whole
product needs no shuffles, which doubles the speed of SIMD code. The upper half of a word in a lane is garbage until
:func:`low32` or a cast to uint32 cuts it off.
"""

import numpy as np
from numba import njit

from numbainit.scalar.options import INLINE

_MULTIPLIER_0 = np.uint64(0xD2511F53)
_MULTIPLIER_1 = np.uint64(0xCD9E8D57)
_WEYL_0 = np.uint64(0x9E3779B9)
_WEYL_1 = np.uint64(0xBB67AE85)
_LOW32 = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)


@njit(**INLINE)
def low32(lane):
    """The 32-bit word in a 64-bit lane, without the garbage above it."""
    return lane & _LOW32


@njit(**INLINE)
def key_schedule(k0, k1):
    """The two words of a key → the keys of the ten rounds, as two tuples of ten lanes.

    Made once a fill: keys that are bumped inside the loop keep LLVM from vectorising it.
    """
    w0, w1 = _WEYL_0, _WEYL_1
    a, b = np.uint64(k0), np.uint64(k1)
    left = (
        low32(a),
        low32(a + w0),
        low32(a + w0 * np.uint64(2)),
        low32(a + w0 * np.uint64(3)),
        low32(a + w0 * np.uint64(4)),
        low32(a + w0 * np.uint64(5)),
        low32(a + w0 * np.uint64(6)),
        low32(a + w0 * np.uint64(7)),
        low32(a + w0 * np.uint64(8)),
        low32(a + w0 * np.uint64(9)),
    )
    right = (
        low32(b),
        low32(b + w1),
        low32(b + w1 * np.uint64(2)),
        low32(b + w1 * np.uint64(3)),
        low32(b + w1 * np.uint64(4)),
        low32(b + w1 * np.uint64(5)),
        low32(b + w1 * np.uint64(6)),
        low32(b + w1 * np.uint64(7)),
        low32(b + w1 * np.uint64(8)),
        low32(b + w1 * np.uint64(9)),
    )
    return left, right


@njit(**INLINE)
def _round(c0, c1, c2, c3, k0, k1):
    p0 = _MULTIPLIER_0 * low32(c0)
    p1 = _MULTIPLIER_1 * low32(c2)
    return (p1 >> _32) ^ c1 ^ k0, p1, (p0 >> _32) ^ c3 ^ k1, p0


@njit(**INLINE)
def philox4x32(c0, c1, c2, c3, keys):
    """The four words of a counter, in 64-bit lanes, under a :func:`key_schedule`.

    The rounds are written out: a loop over them halves the speed.
    """
    left, right = keys
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, left[0], right[0])
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, left[1], right[1])
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, left[2], right[2])
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, left[3], right[3])
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, left[4], right[4])
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, left[5], right[5])
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, left[6], right[6])
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, left[7], right[7])
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, left[8], right[8])
    return _round(c0, c1, c2, c3, left[9], right[9])
