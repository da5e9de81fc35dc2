"""A law, a dtype and a run of elements → what the compiled function writes, between bytes that it must leave alone."""

import numpy as np

import reference
from numbainit.targets.cpu.vectors.functions import compiled
from numbainit.weights import laws
from numbainit.weights.laws import MOST_NUMBERS

KEY, DRAW = (0x9E3779B9, 0xFFFFFFFF), 5
_GUARD = 64  # bytes on either side: what a turn of a loop may write too much begins right there
_UNTOUCHED = 0xA5


class Memory:
    """So many bytes that begin so many after a cache line, between others that nobody may write."""

    def __init__(self, size, misaligned=0):
        self._bytes = np.full(size + misaligned + 3 * _GUARD, _UNTOUCHED, np.uint8)
        begin = -self._bytes.ctypes.data % _GUARD + _GUARD + misaligned
        self.bytes = self._bytes[begin : begin + size]
        self._around = self._bytes[:begin], self._bytes[begin + size :]

    @property
    def address(self):
        return self.bytes.ctypes.data

    def check(self):
        assert all((part == _UNTOUCHED).all() for part in self._around), "bytes beside the run were written"


def packed(numbers):
    found = np.zeros(MOST_NUMBERS)
    found[: len(numbers)] = numbers
    return found


def run(name, element, size, first=0, numbers=(), *, key=KEY, draw=DRAW, misaligned=0):
    """Elements [first, first + size) of a law."""
    given, memory = packed(numbers), Memory(size * np.dtype(element).itemsize, misaligned)
    compiled(name, element).ctypes(memory.address, size, first, draw, *key, given.ctypes.data)
    memory.check()
    return np.frombuffer(memory.bytes.tobytes(), element)


def law_of(case):
    """A case of :data:`reference.CASES` as the name of a law and its numbers."""
    name, parameters, dtype = case
    law = laws.BITS if name == "bits" else getattr(laws, name)(*parameters, np.dtype(dtype))
    return law.name, law.numbers


def wanted(case, indices, *, key=KEY, draw=DRAW):
    return reference.case_elements(case, key, draw, indices)
