"""Words on the standard input → p-values of a battery of TestU01, a line each: test, p.

TestU01 asks for a word at a time through a structure of pointers, which is filled here with functions that Numba
compiles; they come back to Python when a megabyte is used up. Tests are run one by one, so that each p-value is
printed as soon as it is known.

P. L'Ecuyer and R. Simard, TestU01: a C library for empirical testing of random number generators, ACM Transactions on
Mathematical Software 33 (4), 2007.
"""

import argparse
import ctypes
import sys

import numba
import numpy as np
from numba import carray, cfunc, objmode, types

#: battery → the function that runs some of its tests, and how many it has
BATTERIES = {
    "smallcrush": ("bbattery_RepeatSmallCrush", 10),
    "crush": ("bbattery_RepeatCrush", 96),
    "bigcrush": ("bbattery_RepeatBigCrush", 106),
}
_WORDS = 1 << 18
_MOST_P_VALUES = 200  # of the library's table

_words = np.empty(_WORDS, np.uint32)
_used = np.full(1, _WORDS, np.int64)


class _Generator(ctypes.Structure):
    """``unif01_Gen``."""

    _fields_ = [
        ("state", ctypes.c_void_p),
        ("param", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("get_u01", ctypes.c_void_p),
        ("get_bits", ctypes.c_void_p),
        ("write", ctypes.c_void_p),
    ]


def _refill() -> None:
    view = memoryview(_words).cast("B")
    while view:
        if not (count := sys.stdin.buffer.readinto(view)):
            sys.exit("the words ended before the battery")
        view = view[count:]
    _used[0] = 0


@numba.njit
def _next(param, state):
    used = carray(param, (1,), np.int64)
    if used[0] == _WORDS:
        with objmode():
            _refill()
    word = carray(state, (_WORDS,), np.uint32)[used[0]]
    used[0] += 1
    return word


@cfunc(types.uint64(types.voidptr, types.voidptr))
def _get_bits(param, state):
    return np.uint64(_next(param, state))


@cfunc(types.float64(types.voidptr, types.voidptr))
def _get_u01(param, state):
    return _next(param, state) * 2.0**-32


@cfunc(types.void(types.voidptr))
def _write(state):
    pass


def library() -> ctypes.CDLL | None:
    """TestU01, where it is installed."""
    try:
        return ctypes.CDLL("libtestu01.so.0")
    except OSError:
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("battery", choices=BATTERIES)
    battery = parser.parse_args().battery
    if (testu01 := library()) is None:
        sys.exit("TestU01 is not installed: Debian has it as libtestu01-0, of non-free")
    ctypes.c_int.in_dll(testu01, "swrite_Basic").value = 0
    generator = _Generator(
        _words.ctypes.data, _used.ctypes.data, b"stdin", _get_u01.address, _get_bits.address, _write.address
    )
    function, tests = BATTERIES[battery]
    for test in range(1, tests + 1):
        repetitions = (ctypes.c_int * (_MOST_P_VALUES + 1))()
        repetitions[test] = 1
        getattr(testu01, function)(ctypes.byref(generator), repetitions)
        for what, p in _p_values(testu01):
            print(f"{test} {what}\t{p!r}", flush=True)


def _p_values(testu01: ctypes.CDLL) -> list[tuple[str, float]]:
    count = ctypes.c_int.in_dll(testu01, "bbattery_NTests").value
    names = (ctypes.c_char_p * _MOST_P_VALUES).in_dll(testu01, "bbattery_TestNames")
    values = (ctypes.c_double * _MOST_P_VALUES).in_dll(testu01, "bbattery_pVal")
    return [(names[i].decode(), values[i]) for i in range(count)]


if __name__ == "__main__":
    main()
