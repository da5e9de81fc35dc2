"""A contiguous or strided array of a logical range → the same array, filled, by all cores: the loops of the CPU target.

Three layers, each thin. A *law* fills whole blocks of four elements; a *part* lets it start and stop anywhere; a
*kernel* cuts the range into chunks and hands them to threads. Chunks lie on a fixed grid of the logical indices, so a
block is never shared, and 4,096 values stay in L1 between the passes of a rejection. Kernels neither check nor
allocate: that is done before they are called.

``numbers`` are a law's parameters as float64, already rounded to the width of the array.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import prange
from numba.extending import register_jitable

from numbainit.scalar import laws
from numbainit.scalar.philox import key_schedule, philox4x32
from numbainit.targets.cache import kernel
from numbainit.targets.stack import stack_array

CHUNK = 4096  # elements; a multiple of a block, and 2^34 is a multiple of it: a chunk never crosses a 2^32 of blocks
_CHUNK = np.uint64(CHUNK)
STRIP = 512  # columns of a sparse matrix that a thread walks down together, at most
_NUMBERS = 9  # the most parameters that a law takes
_MOST_AXES = 64  # of a NumPy array

_VALUES, _LOW, _MASK, _ACCEPTANCE = np.uint64(0), np.uint64(1), np.uint64(2), np.uint64(3)
_LOW32, _32, _8 = np.uint64(0xFFFFFFFF), np.uint64(32), np.uint64(8)
_0, _1, _2, _3, _4 = np.uint64(0), np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4)
_INLINE = {"forceinline": True, "error_model": "numpy"}


# ---- words ----


@register_jitable(**_INLINE)
def _words(low, high, draw, tag, keys):
    """The four words of block ``high << 32 | low``, as uint32. ``tag`` is ``attempt << 8 | purpose``."""
    w0, w1, w2, w3 = philox4x32(low, high, draw, tag, keys)
    return np.uint32(w0), np.uint32(w1), np.uint32(w2), np.uint32(w3)


@register_jitable(**_INLINE)
def _pick(words, place):
    """Word ``place`` of four, by selects: an index would go through memory and stop the vectoriser."""
    w0, w1, w2, w3 = words
    even, odd = (w2 if place & _2 else w0), (w3 if place & _2 else w1)
    return odd if place & _1 else even


@register_jitable(**_INLINE)
def _pick_pair(words, place):
    """The two words of the Box-Muller pair that element ``place`` of a block belongs to."""
    w0, w1, w2, w3 = words
    return (w2 if place & _2 else w0), (w3 if place & _2 else w1)


# ---- laws: (out, low, high, k0, k1, draw, numbers) fill the blocks from number ``high << 32 | low`` on ----


@register_jitable(**_INLINE)
def bits32(out, low, high, k0, k1, draw, numbers):
    keys = key_schedule(k0, k1)
    for j in range(np.uint64(out.size) // _4):
        w0, w1, w2, w3 = _words(low + j, high, draw, _VALUES, keys)
        out[_4 * j] = w0
        out[_4 * j + _1] = w1
        out[_4 * j + _2] = w2
        out[_4 * j + _3] = w3


@register_jitable(**_INLINE)
def bits64(out, low, high, k0, k1, draw, numbers):
    keys = key_schedule(k0, k1)
    for j in range(np.uint64(out.size) // _4):
        h0, h1, h2, h3 = _words(low + j, high, draw, _VALUES, keys)
        l0, l1, l2, l3 = _words(low + j, high, draw, _LOW, keys)
        out[_4 * j] = np.uint64(h0) << _32 | np.uint64(l0)
        out[_4 * j + _1] = np.uint64(h1) << _32 | np.uint64(l1)
        out[_4 * j + _2] = np.uint64(h2) << _32 | np.uint64(l2)
        out[_4 * j + _3] = np.uint64(h3) << _32 | np.uint64(l3)


@register_jitable(**_INLINE)
def uniform32(out, low, high, k0, k1, draw, numbers):
    keys = key_schedule(k0, k1)
    a, width = np.float32(numbers[0]), np.float32(numbers[1])
    smallest, largest = np.float32(numbers[2]), np.float32(numbers[3])
    for j in range(np.uint64(out.size) // _4):
        w0, w1, w2, w3 = _words(low + j, high, draw, _VALUES, keys)
        out[_4 * j] = laws.uniform_between32(w0, a, width, smallest, largest)
        out[_4 * j + _1] = laws.uniform_between32(w1, a, width, smallest, largest)
        out[_4 * j + _2] = laws.uniform_between32(w2, a, width, smallest, largest)
        out[_4 * j + _3] = laws.uniform_between32(w3, a, width, smallest, largest)


@register_jitable(**_INLINE)
def uniform64(out, low, high, k0, k1, draw, numbers):
    keys = key_schedule(k0, k1)
    a, width, smallest, largest = numbers[0], numbers[1], numbers[2], numbers[3]
    for j in range(np.uint64(out.size) // _4):
        h0, h1, h2, h3 = _words(low + j, high, draw, _VALUES, keys)
        l0, l1, l2, l3 = _words(low + j, high, draw, _LOW, keys)
        out[_4 * j] = laws.uniform_between64(h0, l0, a, width, smallest, largest)
        out[_4 * j + _1] = laws.uniform_between64(h1, l1, a, width, smallest, largest)
        out[_4 * j + _2] = laws.uniform_between64(h2, l2, a, width, smallest, largest)
        out[_4 * j + _3] = laws.uniform_between64(h3, l3, a, width, smallest, largest)


@register_jitable(**_INLINE)
def normal32(out, low, high, k0, k1, draw, numbers):
    keys = key_schedule(k0, k1)
    mean, std = np.float32(numbers[0]), np.float32(numbers[1])
    for j in range(np.uint64(out.size) // _4):
        w0, w1, w2, w3 = _words(low + j, high, draw, _VALUES, keys)
        z0, z1 = laws.normal_pair32(w0, w1)
        z2, z3 = laws.normal_pair32(w2, w3)
        out[_4 * j] = laws.fma(z0, std, mean)
        out[_4 * j + _1] = laws.fma(z1, std, mean)
        out[_4 * j + _2] = laws.fma(z2, std, mean)
        out[_4 * j + _3] = laws.fma(z3, std, mean)


@register_jitable(**_INLINE)
def normal64(out, low, high, k0, k1, draw, numbers):
    keys = key_schedule(k0, k1)
    mean, std = numbers[0], numbers[1]
    for j in range(np.uint64(out.size) // _4):
        h0, h1, h2, h3 = _words(low + j, high, draw, _VALUES, keys)
        l0, l1, l2, l3 = _words(low + j, high, draw, _LOW, keys)
        z0, z1 = laws.normal_pair64(h0, l0, h1, l1)
        z2, z3 = laws.normal_pair64(h2, l2, h3, l3)
        out[_4 * j] = laws.fma(z0, std, mean)
        out[_4 * j + _1] = laws.fma(z1, std, mean)
        out[_4 * j + _2] = laws.fma(z2, std, mean)
        out[_4 * j + _3] = laws.fma(z3, std, mean)


# ---- truncated normals: propose everything, then redo the rejected as a shrinking vector, attempt by attempt ----


@register_jitable(**_INLINE)
def _all_places(places, size):
    for i in range(size):
        places[i] = np.uint32(i)
    return size


@register_jitable(**_INLINE)
def _keep_rejected(values, places, count, smallest, largest):
    """Compact ``places`` to those whose value lies outside [smallest, largest] (NaN too); branch-free."""
    kept = _0
    for i in range(count):
        place = places[i]
        places[kept] = place
        kept += np.uint64(not (smallest <= values[np.uint64(place)] <= largest))
    return kept


@register_jitable(**_INLINE)
def trunc_normal32(out, low, high, k0, k1, draw, numbers):
    normal32(out, low, high, k0, k1, draw, numbers)
    keys = key_schedule(k0, k1)
    mean, std = np.float32(numbers[0]), np.float32(numbers[1])
    smallest, largest = np.float32(numbers[2]), np.float32(numbers[3])
    places = stack_array(CHUNK, np.uint32(0))
    count = _keep_rejected(out, places, _all_places(places, np.uint64(out.size)), smallest, largest)
    tag = _VALUES
    while count > _0:
        tag += _1 << _8
        for i in range(count):
            place = np.uint64(places[i])
            words = _words(low + place // _4, high, draw, tag, keys)
            cos, sin = laws.normal_pair32(*_pick_pair(words, place))
            out[place] = laws.fma(sin if place & _1 else cos, std, mean)
        count = _keep_rejected(out, places, count, smallest, largest)


@register_jitable(**_INLINE)
def trunc_normal64(out, low, high, k0, k1, draw, numbers):
    normal64(out, low, high, k0, k1, draw, numbers)
    keys = key_schedule(k0, k1)
    mean, std, smallest, largest = numbers[0], numbers[1], numbers[2], numbers[3]
    places = stack_array(CHUNK, np.uint32(0))
    count = _keep_rejected(out, places, _all_places(places, np.uint64(out.size)), smallest, largest)
    tag = _VALUES
    while count > _0:
        tag += _1 << _8
        for i in range(count):
            place = np.uint64(places[i])
            highs = _words(low + place // _4, high, draw, tag, keys)
            lows = _words(low + place // _4, high, draw, tag | _LOW, keys)
            h0, h1 = _pick_pair(highs, place)
            l0, l1 = _pick_pair(lows, place)
            cos, sin = laws.normal_pair64(h0, l0, h1, l1)
            out[place] = laws.fma(sin if place & _1 else cos, std, mean)
        count = _keep_rejected(out, places, count, smallest, largest)


@register_jitable(**_INLINE)
def tail32(out, low, high, k0, k1, draw, numbers):
    keys = key_schedule(k0, k1)
    exponential, x1, x0 = numbers[0] > 0.0, numbers[1], numbers[2]
    s1, s0 = np.float32(numbers[3]), np.float32(numbers[4])
    t1, t0 = np.float32(numbers[5]), np.float32(numbers[6])
    smallest, largest = np.float32(numbers[7]), np.float32(numbers[8])
    places = stack_array(CHUNK, np.uint32(0))
    count = _all_places(places, np.uint64(out.size))
    tag = _VALUES
    while count > _0:
        for i in range(count):
            place = np.uint64(places[i])
            word = _pick(_words(low + place // _4, high, draw, tag, keys), place)
            acceptance = _pick(_words(low + place // _4, high, draw, tag | _ACCEPTANCE, keys), place)
            out[place] = laws.tail32(word, acceptance, exponential, x1, x0, s1, s0, t1, t0)
        count = _keep_rejected(out, places, count, smallest, largest)
        tag += _1 << _8


@register_jitable(**_INLINE)
def tail64(out, low, high, k0, k1, draw, numbers):
    keys = key_schedule(k0, k1)
    exponential, x1, x0 = numbers[0] > 0.0, numbers[1], numbers[2]
    s1, s0, t1, t0 = numbers[3], numbers[4], numbers[5], numbers[6]
    smallest, largest = numbers[7], numbers[8]
    places = stack_array(CHUNK, np.uint32(0))
    count = _all_places(places, np.uint64(out.size))
    tag = _VALUES
    while count > _0:
        for i in range(count):
            place = np.uint64(places[i])
            top = _pick(_words(low + place // _4, high, draw, tag, keys), place)
            bottom = _pick(_words(low + place // _4, high, draw, tag | _LOW, keys), place)
            acceptance = _pick(_words(low + place // _4, high, draw, tag | _ACCEPTANCE, keys), place)
            out[place] = laws.tail64(top, bottom, acceptance, exponential, x1, x0, s1, s0, t1, t0)
        count = _keep_rejected(out, places, count, smallest, largest)
        tag += _1 << _8


# ---- parts and kernels ----


@register_jitable(**_INLINE)
def _part(law, out, first, k0, k1, draw, numbers):
    """Fill ``out`` with the elements from ``first`` on, all of them in one chunk."""
    size, skip = np.uint64(out.size), first & _3
    block, blocks = first // _4, (skip + size + _3) // _4
    whole = skip == _0 and size & _3 == _0
    ours = out if whole else stack_array(CHUNK, out)[: _4 * blocks]
    law(ours, block & _LOW32, block >> _32, k0, k1, draw, numbers)
    if not whole:
        for i in range(size):
            out[i] = ours[skip + i]


@register_jitable(**_INLINE)
def _scatter(part, window, offset, shape, strides, place):
    """Put ``part`` at the logical places from ``place`` on of an array that lies in ``window`` with these strides."""
    axes = shape.size
    index = stack_array(_MOST_AXES, np.int64(0))
    for axis in range(axes - 1, -1, -1):
        index[axis] = place % shape[axis]
        place //= shape[axis]
        offset += index[axis] * strides[axis]
    last = axes - 1
    done = 0
    while done < part.size:
        run = min(shape[last] - index[last], part.size - done)
        for i in range(run):
            window[offset + i * strides[last]] = part[done + i]
        done += run
        offset += run * strides[last]
        index[last] += run
        axis = last
        while axis > 0 and index[axis] == shape[axis]:
            offset += strides[axis - 1] - shape[axis] * strides[axis]
            index[axis] = 0
            axis -= 1
            index[axis] += 1


@register_jitable(**_INLINE)
def _span(law, out, first, k0, k1, draw, numbers):
    """Fill ``out`` with the elements from ``first`` on, chunk by chunk."""
    size, done = np.uint64(out.size), _0
    while done < size:
        step = min(size - done, _CHUNK - (first + done) % _CHUNK)
        _part(law, out[done : done + step], first + done, k0, k1, draw, numbers)
        done += step


@register_jitable(**_INLINE)
def _chunk_bounds(chunk, first, size):
    """Where chunk number ``chunk`` of the elements [first, first + size) begins and ends, counted from ``first``."""
    grid = (first // _CHUNK + chunk) * _CHUNK
    return max(first, grid) - first, min(first + size, grid + _CHUNK) - first


@register_jitable(**_INLINE)
def _chunks(first, size):
    return (first + size + _CHUNK - _1) // _CHUNK - first // _CHUNK


class Loops(NamedTuple):
    """The same loop twice: on the calling thread, and on all threads."""

    serial: Any
    parallel: Any


class Kernels(NamedTuple):
    """The loops of a law: over contiguous memory, and over a window with strides."""

    contiguous: Loops
    strided: Loops


def _contiguous(law, parallel):
    """The loop (out, first, k0, k1, draw, numbers)."""

    @kernel(f"{law.__name__}_contiguous_{'parallel' if parallel else 'serial'}", parallel=parallel)
    def fill(out, first, k0, k1, draw, numbers):
        given = stack_array(_NUMBERS, 0.0)
        for i in range(len(numbers)):
            given[i] = numbers[i]
        start, size, draw = np.uint64(first), np.uint64(out.size), np.uint64(draw)
        for chunk in prange(_chunks(start, size)):
            begin, end = _chunk_bounds(np.uint64(chunk), start, size)
            _part(law, out[begin:end], start + begin, k0, k1, draw, given)

    return fill


def _strided(law, parallel):
    """The loop (window, offset, shape, strides, first, k0, k1, draw, numbers)."""

    @kernel(f"{law.__name__}_strided_{'parallel' if parallel else 'serial'}", parallel=parallel)
    def fill(window, offset, shape, strides, first, k0, k1, draw, numbers):
        given = stack_array(_NUMBERS, 0.0)
        for i in range(len(numbers)):
            given[i] = numbers[i]
        start, size, draw = np.uint64(first), np.uint64(shape.prod()), np.uint64(draw)
        for chunk in prange(_chunks(start, size)):
            begin, end = _chunk_bounds(np.uint64(chunk), start, size)
            part = stack_array(CHUNK, window)[: end - begin]
            _part(law, part, start + begin, k0, k1, draw, given)
            _scatter(part, window, offset, shape, strides, np.int64(begin))

    return fill


def _loops(make, law):
    return Loops(make(law, False), make(law, True))


_LAWS = {
    "bits": (bits32, bits64),
    "uniform": (uniform32, uniform64),
    "normal": (normal32, normal64),
    "trunc_normal": (trunc_normal32, trunc_normal64),
    "tail": (tail32, tail64),
}
#: (name of a law, bytes of an element) → its kernels, compiled at their first call
KERNELS = {
    (name, itemsize): Kernels(_loops(_contiguous, law), _loops(_strided, law))
    for name, pair in _LAWS.items()
    for itemsize, law in zip((4, 8), pair, strict=True)
}


# ---- sparse columns ----


@register_jitable(**_INLINE)
def _mask_words(out, low, high, k0, k1, draw, numbers):
    keys = key_schedule(k0, k1)
    for j in range(np.uint64(out.size) // _4):
        w0, w1, w2, w3 = _words(low + j, high, draw, _MASK, keys)
        out[_4 * j] = w0
        out[_4 * j + _1] = w1
        out[_4 * j + _2] = w2
        out[_4 * j + _3] = w3


def _sparse(parallel):
    """The loop (matrix, zeros, strip, k0, k1, draw): ``zeros`` zeros into every column, at random rows.

    Selection sampling (Knuth, TAOCP 3.4.2, algorithm S) walks down the rows and decides each element with one word:
    zero with probability ``zeros left / rows left``. It is exact in count, needs no memory but a counter a column, and
    its columns are independent, so they are the SIMD lanes here and strips of them the threads.
    """

    @kernel(f"sparse_{'parallel' if parallel else 'serial'}", parallel=parallel)
    def mask(matrix, zeros, strip, k0, k1, draw):
        rows, columns = np.uint64(matrix.shape[0]), np.uint64(matrix.shape[1])
        width, draw = np.uint64(strip), np.uint64(draw)
        for number in prange((columns + width - _1) // width):
            begin = np.uint64(number) * width
            wide = min(width, columns - begin)
            zero = matrix.dtype.type(0)
            words = stack_array(STRIP, np.uint32(0))[:wide]
            left = stack_array(STRIP, np.uint64(0))[:wide]
            left[:] = np.uint64(zeros)
            for row in range(rows):
                _span(_mask_words, words, row * columns + begin, k0, k1, draw, left)
                rows_left = rows - row
                for i in range(wide):
                    chosen = (np.uint64(words[i]) * rows_left) >> _32 < left[i]
                    left[i] -= np.uint64(chosen)
                    value = matrix[row, begin + i]
                    matrix[row, begin + i] = zero if chosen else value

    return mask


SPARSE = Loops(_sparse(False), _sparse(True))
