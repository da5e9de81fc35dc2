"""A counter and a key, both of 32-bit words → four random words: Philox4x32-10.

Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. The vocabulary (counter, key,
block, word) is that of its companion library Random123.

Words are values of uint64 here: a round needs the 64-bit product of two 32-bit words, and what keeps the whole product
needs no shuffles. The upper half is garbage, which every round, and a cast to uint32, cuts off. Where words follow each
other in memory a CPU packs them closer: see ``targets/cpu/vectors/words.py``.
"""

from numbainit.maths.values import wide_product

ROUNDS = 10
MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
WEYL = 0x9E3779B9, 0xBB67AE85  # what is added to the key from round to round


def philox4x32(c0, c1, c2, c3, k0, k1):
    """The four words of a counter under the key (k0, k1); all of them uint64."""
    for _ in range(ROUNDS):
        p0, p1 = wide_product(c0, MULTIPLIERS[0]), wide_product(c2, MULTIPLIERS[1])
        c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ k0, p1, (p0 >> 32) ^ c3 ^ k1, p0
        k0, k1 = k0 + WEYL[0], k1 + WEYL[1]
    return c0, c1, c2, c3
