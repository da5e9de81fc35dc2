"""Memory on a GPU and a law → the loop of one thread over its share: the bodies of the kernels.

A thread makes all four elements of a counter: a *law* (``laws.py``) gives their values, a *code* (``codes.py``) what
memory holds of them, and a *put* stores these. All loops begin with ``(thread, threads,
...)``: the number of the calling thread and how many there are. Counters have 64 bits here, so an array may hold
more than 2^32 elements. ``where`` says where the elements [first, first + size) of the stream lie; strides count
elements.
"""

import numpy as np

from numbainit.maths.stream import ATTEMPT, VALUES
from numbainit.targets.cuda import laws
from numbainit.targets.cuda.laws import inline, lane
from numbainit.targets.cuda.stores import load, store, store_all, store_some

THREADS = 256  # of a thread block
_ROUNDS = np.uint64(32)  # counters that a thread walks through before it waits for others, by rejection
_0, _1, _2, _3, _4, _THREADS = (np.uint64(number) for number in (0, 1, 2, 3, 4, THREADS))
_32 = np.uint64(32)


# ---- puts: what memory holds of neighbouring elements, of which the first is element ``place``, into it ----


@inline
def put_one(address, place, code):
    """One element, anywhere."""
    store(address, place, code)


@inline
def put_contiguous(where, place, codes):
    """``where`` is (address, size, stop): codes that begin in [0, stop) fit, and lie where ``store_all`` wants them."""
    address, size, stop = where
    if np.uint64(place) < np.uint64(stop):  # unsigned, so one comparison does for both ends
        store_all(address, place, codes)
    else:
        store_some(address, place, codes, size)


@inline
def put_strided(where, place, codes):
    """``where`` is (address, size, shape, strides)."""
    _put_one_strided(where, place, codes[0])
    _put_one_strided(where, place + 1, codes[1])
    _put_one_strided(where, place + 2, codes[2])
    _put_one_strided(where, place + 3, codes[3])


@inline
def _put_one_strided(where, place, code):
    address, size, shape, strides = where
    if 0 <= place < size:
        offset, _ = _find(place, shape, strides, shape)  # any steps: the number is not used
        store(address, offset, code)


@inline
def _find(place, shape, strides, steps):
    """Where element ``place`` of a part lies in memory, and how far its number is from that of the first."""
    rest, offset, number = np.uint64(place), 0, _0
    for axis in range(len(shape) - 1, 0, -1):
        length = np.uint64(shape[axis])
        quotient = rest // length
        index = rest - quotient * length
        offset += np.int64(index) * strides[axis]
        number += index * np.uint64(steps[axis])
        rest = quotient
    return offset + np.int64(rest) * strides[0], number + rest * np.uint64(steps[0])


# ---- laws of more than one counter, and what memory holds of their values ----


def coded(law, code):
    """What memory holds of the values of a counter."""

    @inline
    def codes(stream, counter, tag, numbers):
        v0, v1, v2, v3 = law(stream, counter, tag, numbers)
        return code(v0), code(v1), code(v2), code(v3)

    return codes


def joined(codes, counters):
    """The same of so many counters in a row, a power of two, as one: small elements take more to make 16 bytes."""
    if counters == 1:
        return codes
    half = joined(codes, counters // 2)

    @inline
    def both(stream, number, tag, numbers):
        return half(stream, _2 * number, tag, numbers) + half(stream, _2 * number + _1, tag, numbers)

    return both


@inline
def _range(first, size, length):
    """The numbers of the first run of ``length`` elements of [first, first + size), and of the first after them."""
    begin = np.uint64(first) // length
    return begin, begin + (np.uint64(first) % length + np.uint64(size) + length - _1) // length  # up to number 2^64


# ---- loops ----


def direct(codes, put, counters):
    """The loop of a law whose first attempt counts; a thread makes the elements of so many ``counters`` at a time."""
    length, run_codes = np.uint64(4 * counters), joined(codes, counters)

    @inline
    def fill(thread, threads, where, first, k0, k1, draw, numbers):
        stream = np.uint64(draw), np.uint64(k0), np.uint64(k1)
        run, end = _range(first, where[1], length)
        run += thread
        while run < end:
            put(where, np.int64(run * length) - first, run_codes(stream, run, VALUES, numbers))
            run += threads

    return fill


def by_rejection(law, code, put, kind):
    """The same for a law of which each element takes the first attempt that lies within the bounds.

    In each turn of the loop a thread makes one attempt for its four elements, and goes on to its next counter if all
    have a value: threads of a warp never wait for one that has to try again, only for the end of a tile. At two sigma
    that takes 1.34 turns a counter, where waiting after each would take 2.25. Longer tiles would gain little, and
    scatter what is written at a time over more memory than the cache holds. What is compared stays in flags, and the
    turns are counted down: both save instructions of every turn.
    """

    @inline
    def fill(thread, threads, where, first, k0, k1, draw, numbers):
        stream = np.uint64(draw), np.uint64(k0), np.uint64(k1)
        smallest, largest = kind(numbers[-2]), kind(numbers[-1])
        tile, end = _range(first, where[1], _4)
        rounds = min((end - tile) // threads + _1, _ROUNDS)  # few, where there is work for few
        length = rounds * _THREADS
        tile += thread // _THREADS * length
        step = threads // _THREADS * length
        while tile < end:
            counter = tile + thread % _THREADS
            stop = min(tile + length, end)
            left = np.uint32((stop - counter + _THREADS - _1) // _THREADS) if counter < stop else np.uint32(0)
            v0, v1, v2, v3 = kind(0), kind(0), kind(0), kind(0)
            n0, n1, n2, n3 = True, True, True, True  # whether an element needs a value
            tag = VALUES
            while left > np.uint32(0):
                p0, p1, p2, p3 = law(stream, counter, tag, numbers)
                tag += ATTEMPT
                v0, v1 = (p0 if n0 else v0), (p1 if n1 else v1)
                v2, v3 = (p2 if n2 else v2), (p3 if n3 else v3)
                n0, n1 = not smallest <= v0 <= largest, not smallest <= v1 <= largest
                n2, n3 = not smallest <= v2 <= largest, not smallest <= v3 <= largest
                if not (n0 | n1 | n2 | n3):
                    put(where, np.int64(counter * _4) - first, (code(v0), code(v1), code(v2), code(v3)))
                    counter, left, tag = counter + _THREADS, left - np.uint32(1), VALUES
                    n0, n1, n2, n3 = True, True, True, True
            tile += step

    return fill


def block_direct(codes):
    """The loop for a block of a larger array: a thread makes one element at a time.

    ``where`` is (address, size, shape, strides, steps). It takes four times the arithmetic, and knows no neighbours.
    """

    @inline
    def fill(thread, threads, where, first, k0, k1, draw, numbers):
        stream = np.uint64(draw), np.uint64(k0), np.uint64(k1)
        address, size, shape, strides, steps = where
        place = thread
        while place < np.uint64(size):
            offset, number = _find(place, shape, strides, steps)
            number += np.uint64(first)
            put_one(address, offset, lane(number, codes(stream, number // _4, VALUES, numbers)))
            place += threads

    return fill


def block_by_rejection(law, code, kind):
    """The same for a law of which each element takes the first attempt that lies within the bounds."""

    @inline
    def fill(thread, threads, where, first, k0, k1, draw, numbers):
        stream = np.uint64(draw), np.uint64(k0), np.uint64(k1)
        smallest, largest = kind(numbers[-2]), kind(numbers[-1])
        address, size, shape, strides, steps = where
        place = thread
        while place < np.uint64(size):
            offset, number = _find(place, shape, strides, steps)
            number += np.uint64(first)
            value, tag = kind(np.nan), VALUES
            while not smallest <= value <= largest:
                value = lane(number, law(stream, number // _4, tag, numbers))
                tag += ATTEMPT
            put_one(address, offset, code(value))
            place += threads

    return fill


def _repeated(counters):
    """A function from a word to that word for each element of so many counters, a power of two."""
    if counters == 1:

        @inline
        def four(word):
            return word, word, word, word

        return four
    half = _repeated(counters // 2)

    @inline
    def both(word):
        return half(word) + half(word)

    return both


def constant(kind, put, counters):
    """The loop (…, where, bits) that puts one value everywhere: the lowest of its bits as an unsigned integer."""
    length, repeated = np.uint64(4 * counters), _repeated(counters)

    @inline
    def fill(thread, threads, where, bits):
        words = repeated(kind(np.uint64(bits)))
        run, end = thread, (np.uint64(where[1]) + length - _1) // length
        while run < end:
            put(where, np.int64(run * length), words)
            run += threads

    return fill


@inline
def _load(address, place, last, like):
    return load(address, place if place < last else last, like)


def _loaded(like, code, counters):
    """What memory shall hold of as many neighbours as are in so many counters, a power of two, none after ``last``."""
    if counters == 1:

        @inline
        def four(source, place, last):
            return (
                code(_load(source, place, last, like)),
                code(_load(source, place + 1, last, like)),
                code(_load(source, place + 2, last, like)),
                code(_load(source, place + 3, last, like)),
            )

        return four
    half, length = _loaded(like, code, counters // 2), np.int64(2 * counters)

    @inline
    def both(source, place, last):
        return half(source, place, last) + half(source, place + length, last)

    return both


def copy(like, code, put, counters):
    """The loop (…, where, source): floats that follow each other at an address, as memory shall hold them."""
    length, loaded = np.uint64(4 * counters), _loaded(like, code, counters)

    @inline
    def fill(thread, threads, where, source):
        last = np.int64(where[1]) - 1
        run, end = thread, (np.uint64(where[1]) + length - _1) // length
        while run < end:
            place = np.int64(run * length)
            put(where, place, loaded(source, place, last))
            run += threads

    return fill


def sparse(word, words):
    """The loop (…, address, shape, strides, block, zeros, k0, k1, draw): zeros into every column, at random rows.

    An element is so many ``words``. Selection sampling (Knuth, TAOCP 3.4.2, algorithm S), as on the CPU. A thread walks
    down one column, so that threads beside each other write beside each other. ``block`` is the shape of the whole
    matrix, each of whose columns has ``zeros`` zeros, and where this one starts in it.
    """

    @inline
    def mask(thread, threads, address, shape, strides, block, zeros, k0, k1, draw):
        stream = np.uint64(draw), np.uint64(k0), np.uint64(k1)
        rows, pitch, top, side = block
        bottom, columns = np.uint64(top) + np.uint64(shape[0]), np.uint64(shape[1])
        column = thread
        while column < columns:
            left, row = np.uint64(zeros), _0
            while row < bottom and left > _0:
                place = row * np.uint64(pitch) + np.uint64(side) + column
                if (np.uint64(laws.mask_word(stream, place)) * (np.uint64(rows) - row)) >> _32 < left:
                    left -= _1
                    if row >= np.uint64(top):
                        offset = np.int64(row - np.uint64(top)) * strides[0] + np.int64(column) * strides[1]
                        for i in range(words):
                            put_one(address, words * offset + i, word(0))
                row += _1
            column += threads

    return mask
