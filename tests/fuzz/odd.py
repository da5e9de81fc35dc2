"""What stands where a number, a name or an array belongs, and is none: it raises, lies, recurses or never ends."""

import decimal
import fractions
import random

import numpy as np

FAR = 10**5000  # more digits than Python writes


class Raising:
    """Every question ends in an exception that nobody expects."""

    def __init__(self, error=ZeroDivisionError):
        self.error = error

    def _raise(self, *arguments, **keywords):
        raise self.error

    __index__ = __int__ = __float__ = __complex__ = __array__ = __len__ = __iter__ = __getitem__ = _raise
    __bool__ = __repr__ = __str__ = __format__ = __dlpack__ = __dlpack_device__ = _raise
    __eq__ = __hash__ = __lt__ = _raise

    dtype = shape = ndim = __array_interface__ = __cuda_array_interface__ = property(_raise)


class Lying:
    """Says that it is a number, and gives something else."""

    def __init__(self, value):
        self.value = value

    def _give(self):
        return self.value

    __index__ = __int__ = __float__ = __complex__ = _give


class Pretending:
    """Another class than it has."""

    def __init__(self, kind):
        self.kind = kind

    @property
    def __class__(self):
        if self.kind is None:
            raise ZeroDivisionError
        return self.kind


class Endless(str):
    """A name that is long only when it is asked for."""

    __slots__ = ()

    def __repr__(self):
        return "x" * 100_000


def nested(depth):
    found = []
    for _ in range(depth):
        found = [found]
    return found


def in_itself():
    found = [1]
    found.append(found)
    return found


MAKERS = [
    lambda r: r.choice([None, True, False, ..., NotImplemented, int, object(), lambda: 0]),
    lambda r: r.choice([0, 1, -1, 2, 3, 7, 2**31, 2**32, 2**63, 2**64, -(2**63), FAR, -FAR]),
    lambda r: r.choice([0.0, -0.0, 0.5, 1.0, -1.0, 1e-320, 1e300, float("nan"), float("inf"), -float("inf")]),
    lambda r: r.choice([1j, complex("nan"), complex(1e300, -1e300), np.complex64(1)]),
    lambda r: r.choice(["", "relu", "fan_in", "OI", "x" * 100_000, "\ud800", "\0", "é\n" * 50, Endless("relu")]),
    lambda r: r.choice([b"", b"relu", bytearray(b"OI"), memoryview(b"abcd")]),
    lambda r: r.choice([[], [1], [1, 2], (1, 2), [[1], [2]], ["a"], [None], [FAR], {}, {1: 2}, {"a": FAR}, {1}]),
    lambda r: r.choice([nested(3000), in_itself(), range(3), range(10**5), iter([1])]),
    lambda r: r.choice([np.float32(0.5), np.int8(-3), np.bool_(True), np.datetime64(3, "s"), np.str_("relu")]),
    lambda r: r.choice([np.zeros(()), np.zeros(3), np.eye(2, dtype=int), np.array([None]), np.array("relu")]),
    lambda r: r.choice([fractions.Fraction(1, 3), fractions.Fraction(FAR, 3), decimal.Decimal("NaN")]),
    lambda r: Raising(r.choice([ZeroDivisionError, TypeError, ValueError, RecursionError, MemoryError, KeyError])),
    lambda r: Lying(r.choice([None, "1", 1.5, FAR, [], 2**64, -1])),
    lambda r: Pretending(r.choice([None, int, float, str, np.ndarray, list])),
]


def thing(source: random.Random):
    """Something odd."""
    return source.choice(MAKERS)(source)
