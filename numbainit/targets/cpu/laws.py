"""Counters in a row → the values of a law in memory, four elements of each counter: the inner loops of the CPU.

A law is called with ``(out, stream, numbers)``: memory for all elements of some counters of one chunk; ``(low, high,
draw, k0, k1)``, of which ``high << 32 | low`` is the first counter; and its parameters as float64, already rounded to
its width. Loops count with unsigned integers and have no branches: LLVM makes them SIMD code, a counter or an element a
lane.
Arrays of words are seen as arrays of values and back, in place; a chunk stays in L1 meanwhile.
"""

import functools

import numpy as np
from numba import carray, types
from numba.extending import register_jitable

from numbainit.scalar import laws
from numbainit.scalar.encodings import encode
from numbainit.scalar.formats import SMALL
from numbainit.scalar.options import INLINE
from numbainit.scalar.philox import philox4x32, philox4x32_pairs
from numbainit.scalar.rounding import fma
from numbainit.scalar.stream import ACCEPTANCE, ATTEMPT, LOW, MASK, VALUES
from numbainit.targets.cache import c_function
from numbainit.targets.cpu.lanes import LANES, append_outside
from numbainit.targets.cpu.stack import align_stack, stack_array
from numbainit.weights.laws import MOST_NUMBERS

CHUNK = 4096  # elements a call, at most; they stay in L1 between the passes of a rejection
_PLACES = CHUNK + LANES  # rejected values of a chunk, and room for one more group
_CHUNK_COUNTERS = np.uint64(CHUNK // 4)
_GROUP = np.uint64(LANES)  # rejected values that are redone together

_LOW32, _32 = np.uint64(0xFFFFFFFF), np.uint64(32)
_0, _1, _2, _3, _4 = np.uint64(0), np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4)

inline = register_jitable(**INLINE)


# ---- words ----


@inline
def _words(stream, counter, tag):
    """The four words of a counter of the stream, as uint32. ``tag`` is ``attempt << 8 | purpose``."""
    low, high, draw, k0, k1 = stream
    w0, w1, w2, w3 = philox4x32(low + counter, high, draw, tag, k0, k1)
    return np.uint32(w0), np.uint32(w1), np.uint32(w2), np.uint32(w3)


@inline
def _pairs(stream, counter, tag):
    """The same as two uint64 of two words each. ``tag`` is ``attempt << 8 | purpose``."""
    low, high, draw, k0, k1 = stream
    return philox4x32_pairs(low + counter, high, draw, tag, k0, k1)


@inline
def _words_at(stream, place, tag):
    """The Box-Muller pair of words of element ``place``. By selects: an index would stop the vectoriser."""
    left, right = _pairs(stream, place // _4, tag)
    pair = right if place & _2 else left
    return np.uint32(pair), np.uint32(pair >> _32)


@inline
def _word_at(stream, place, tag):
    """The word of element ``place``."""
    even, odd = _words_at(stream, place, tag)
    return odd if place & _1 else even


# ---- words in memory, and the laws that are nothing else ----


@inline
def _fill_words32(out, stream, tag):
    """The words of counters into an array of uint32, two at a time, as a little-endian memory holds them."""
    pairs = out.view(np.uint64)
    for j in range(np.uint64(pairs.size) // _2):
        left, right = _pairs(stream, j, tag)
        pairs[_2 * j] = left
        pairs[_2 * j + _1] = right


@inline
def _fill_words64(out, stream):
    """High and low words of counters into an array of uint64."""
    for j in range(np.uint64(out.size) // _4):
        h01, h23 = _pairs(stream, j, VALUES)
        l01, l23 = _pairs(stream, j, LOW)
        out[_4 * j] = h01 << _32 | l01 & _LOW32
        out[_4 * j + _1] = h01 & ~_LOW32 | l01 >> _32
        out[_4 * j + _2] = h23 << _32 | l23 & _LOW32
        out[_4 * j + _3] = h23 & ~_LOW32 | l23 >> _32


@inline
def bits32(out, stream, numbers):
    _fill_words32(out, stream, VALUES)


@inline
def bits64(out, stream, numbers):
    _fill_words64(out, stream)


@inline
def mask_words(out, stream, numbers):
    _fill_words32(out, stream, MASK)


# ---- laws that take each word by itself: words first, then values in their place ----


@inline
def uniform32(out, stream, numbers):
    words = out.view(np.uint32)
    _fill_words32(words, stream, VALUES)
    a, width = np.float32(numbers[0]), np.float32(numbers[1])
    smallest, largest = np.float32(numbers[2]), np.float32(numbers[3])
    for i in range(np.uint64(out.size)):
        out[i] = laws.uniform_between32(words[i], a, width, smallest, largest)


@inline
def uniform64(out, stream, numbers):
    words = out.view(np.uint64)
    _fill_words64(words, stream)
    a, width, smallest, largest = numbers[0], numbers[1], numbers[2], numbers[3]
    for i in range(np.uint64(out.size)):
        word = words[i]
        out[i] = laws.uniform_between64(np.uint32(word >> _32), np.uint32(word), a, width, smallest, largest)


# ---- normals: made from the words at once, so that the multiplications of one counter hide the roots of another ----


@inline
def _normals32(out, stream, std, even, odd):
    """N(even, std^2) and N(odd, std^2) in turn."""
    for j in range(np.uint64(out.size) // _4):
        w0, w1, w2, w3 = _words(stream, j, VALUES)
        z0, z1 = laws.normal_pair32(w0, w1)
        z2, z3 = laws.normal_pair32(w2, w3)
        out[_4 * j] = fma(z0, std, even)
        out[_4 * j + _1] = fma(z1, std, odd)
        out[_4 * j + _2] = fma(z2, std, even)
        out[_4 * j + _3] = fma(z3, std, odd)


@inline
def _normals64(out, stream, std, even, odd):
    for j in range(np.uint64(out.size) // _4):
        h0, h1, h2, h3 = _words(stream, j, VALUES)
        l0, l1, l2, l3 = _words(stream, j, LOW)
        z0, z1 = laws.normal_pair64(h0, l0, h1, l1)
        z2, z3 = laws.normal_pair64(h2, l2, h3, l3)
        out[_4 * j] = fma(z0, std, even)
        out[_4 * j + _1] = fma(z1, std, odd)
        out[_4 * j + _2] = fma(z2, std, even)
        out[_4 * j + _3] = fma(z3, std, odd)


@inline
def normal32(out, stream, numbers):
    mean = np.float32(numbers[0])
    _normals32(out, stream, np.float32(numbers[1]), mean, mean)


@inline
def normal64(out, stream, numbers):
    _normals64(out, stream, numbers[1], numbers[0], numbers[0])


@inline
def complex_normal32(out, stream, numbers):
    """Real and imaginary parts in turn, each around its own mean."""
    _normals32(out, stream, np.float32(numbers[1]), np.float32(numbers[0]), np.float32(numbers[2]))


@inline
def complex_normal64(out, stream, numbers):
    _normals64(out, stream, numbers[1], numbers[0], numbers[2])


# ---- truncated normals: propose everything, then redo the rejected as a shrinking vector, attempt by attempt ----


@inline
def _find_rejected(values, places, smallest, largest):
    """List the places of the values outside [smallest, largest] (NaN too); how many they are."""
    size, count = np.uint64(values.size), _0
    grouped = size - size % _GROUP
    for begin in range(_0, grouped, _GROUP):
        count = append_outside(values, begin, smallest, largest, places, count)
    for place in range(grouped, size):
        places[count] = np.uint32(place)
        count += np.uint64(not (smallest <= values[place] <= largest))
    return count


@inline
def _keep_rejected(values, places, count, smallest, largest):
    """Shorten the list to those that were rejected again, without a branch."""
    kept = _0
    for i in range(count):
        place = places[i]
        places[kept] = place
        kept += np.uint64(not (smallest <= values[np.uint64(place)] <= largest))
    return kept


@inline
def _redo(value, arguments, out, places, count, stream, tag):
    """``value(stream, place, tag, *arguments)`` for each listed place, a SIMD register of them at a time.

    Redoing them one by one would cost more than all the others. The last group is filled up with copies of a place in
    the list: the same value is written twice.
    """
    groups = (count + _GROUP - _1) // _GROUP
    for i in range(count, groups * _GROUP):
        places[i] = places[count - _1]
    for group in range(groups):
        for lane in range(_GROUP):
            place = np.uint64(places[group * _GROUP + lane])
            out[place] = value(stream, place, tag, *arguments)


@inline
def _redo_rejected(value, arguments, out, stream, smallest, largest):
    """Replace every value outside [smallest, largest] by that of the first later attempt that lies inside."""
    places = stack_array(_PLACES, np.uint32(0))
    count = _find_rejected(out, places, smallest, largest)
    attempt = _0
    while count > _0:
        attempt += ATTEMPT
        _redo(value, arguments, out, places, count, stream, attempt)
        count = _keep_rejected(out, places, count, smallest, largest)


@inline
def _normal_at32(stream, place, tag, mean, std):
    cos, sin = laws.normal_pair32(*_words_at(stream, place, tag))
    return fma(sin if place & _1 else cos, std, mean)


@inline
def _normal_at64(stream, place, tag, mean, std):
    h0, h1 = _words_at(stream, place, tag)
    l0, l1 = _words_at(stream, place, tag | LOW)
    cos, sin = laws.normal_pair64(h0, l0, h1, l1)
    return fma(sin if place & _1 else cos, std, mean)


@inline
def trunc_normal32(out, stream, numbers):
    normal32(out, stream, numbers)
    arguments = np.float32(numbers[0]), np.float32(numbers[1])
    _redo_rejected(_normal_at32, arguments, out, stream, np.float32(numbers[2]), np.float32(numbers[3]))


@inline
def trunc_normal64(out, stream, numbers):
    normal64(out, stream, numbers)
    _redo_rejected(_normal_at64, (numbers[0], numbers[1]), out, stream, numbers[2], numbers[3])


@inline
def _tail_at32(stream, place, tag, *arguments):
    return laws.tail32(_word_at(stream, place, tag), _word_at(stream, place, tag | ACCEPTANCE), *arguments)


@inline
def _tail_at64(stream, place, tag, *arguments):
    high, low = _word_at(stream, place, tag), _word_at(stream, place, tag | LOW)
    return laws.tail64(high, low, _word_at(stream, place, tag | ACCEPTANCE), *arguments)


@inline
def tail32(out, stream, numbers):
    s1, s0 = np.float32(numbers[3]), np.float32(numbers[4])
    t1, t0 = np.float32(numbers[5]), np.float32(numbers[6])
    arguments = numbers[0] > 0.0, numbers[1], numbers[2], s1, s0, t1, t0
    words, acceptances = out.view(np.uint32), stack_array(CHUNK, np.uint32(0))[: out.size]
    _fill_words32(words, stream, VALUES)
    _fill_words32(acceptances, stream, ACCEPTANCE)
    for i in range(np.uint64(out.size)):
        out[i] = laws.tail32(words[i], acceptances[i], *arguments)
    _redo_rejected(_tail_at32, arguments, out, stream, np.float32(numbers[7]), np.float32(numbers[8]))


@inline
def tail64(out, stream, numbers):
    s1, s0, t1, t0 = numbers[3], numbers[4], numbers[5], numbers[6]
    arguments = numbers[0] > 0.0, numbers[1], numbers[2], s1, s0, t1, t0
    words, acceptances = out.view(np.uint64), stack_array(CHUNK, np.uint32(0))[: out.size]
    _fill_words64(words, stream)
    _fill_words32(acceptances, stream, ACCEPTANCE)
    for i in range(np.uint64(out.size)):
        word = words[i]
        out[i] = laws.tail64(np.uint32(word >> _32), np.uint32(word), acceptances[i], *arguments)
    _redo_rejected(_tail_at64, arguments, out, stream, numbers[7], numbers[8])


# ---- compiled: a law and a dtype → the address of a C function ----

#: the loops of a law for elements of 32 and of 64 bits
LAWS = {
    "bits": (bits32, bits64),
    "mask": (mask_words, None),
    "uniform": (uniform32, uniform64),
    "normal": (normal32, normal64),
    "complex_normal": (complex_normal32, complex_normal64),
    "trunc_normal": (trunc_normal32, trunc_normal64),
    "tail": (tail32, tail64),
}
_ELEMENTS = {kind.name: kind for kind in (types.uint32, types.uint64, types.float32, types.float64)}
_CODES = {8: types.uint8, 16: types.uint16}


@functools.cache
def address(name, dtype):
    """Where the law :func:`compiled` for elements of a NumPy dtype is."""
    return compiled(name, dtype.name).address


@functools.cache
def compiled(name, element):
    """A law for an element, the name of a dtype, as the C function ``(out, counters, first, draw, k0, k1, numbers)``.

    All arguments have 64 bits; ``out`` and ``numbers`` are addresses: of memory for ``4 * counters`` elements, aligned
    to 8 bytes, and of ``MOST_NUMBERS`` float64. ``first`` is the first counter.
    """
    if element in SMALL:
        return _encoded(LAWS[name][0], SMALL[element])
    kind = _ELEMENTS[element]
    law = LAWS[name][kind.bitwidth // 64]

    @c_function(law.__name__, types.CPointer(kind), *[types.uint64] * 5, types.CPointer(types.float64))
    def fill(out, counters, first, draw, k0, k1, numbers):
        align_stack()
        array, given = carray(out, (_4 * counters,)), carray(numbers, (MOST_NUMBERS,))
        begin = _0
        while begin < counters:
            stream, end = _next_chunk(begin, counters, first, draw, k0, k1)
            law(array[_4 * begin : _4 * end], stream, given)
            begin = end

    return fill


def _encoded(law, form):
    """The float32 law, rounded once to a smaller format, chunk by chunk: no float32 leaves L1."""
    exponent, mantissa, bias, negative_zero = form.exponent, form.mantissa, form.bias, form.has_negative_zero
    name, code = f"{law.__name__}_{form.name}", _CODES[form.bits]

    @c_function(name, types.CPointer(code), *[types.uint64] * 5, types.CPointer(types.float64))
    def fill(out, counters, first, draw, k0, k1, numbers):
        align_stack()
        array, given = carray(out, (_4 * counters,)), carray(numbers, (MOST_NUMBERS,))
        values = stack_array(CHUNK, np.float32(0))
        begin = _0
        while begin < counters:
            stream, end = _next_chunk(begin, counters, first, draw, k0, k1)
            size = _4 * (end - begin)
            law(values[:size], stream, given)
            for i in range(size):
                array[_4 * begin + i] = encode(values[i], exponent, mantissa, bias, negative_zero)
            begin = end

    return fill


@inline
def _next_chunk(begin, counters, first, draw, k0, k1):
    """The stream of the chunk that begins ``begin`` of so many counters after the first, and where it ends."""
    low, high = first + begin & _LOW32, first + begin >> _32
    count = min(counters - begin, _CHUNK_COUNTERS, _LOW32 - low + _1)  # all of a chunk has one high word
    return (low, high, draw, k0, k1), begin + count
