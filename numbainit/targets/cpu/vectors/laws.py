"""Counters → the values of a law in a chunk of memory: the passes that each law takes over it.

Words come first, then values in their place: one pass where a law looks at a word by itself, two where pairs of words
become pairs of normals (words and maths in one loop want more registers than there are), one more where values can be
rejected. The maths is that of ``numbainit.maths``, traced with whole registers. ``numbers`` are the parameters of a
law in float64, already rounded to its width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from numbainit.maths import laws
from numbainit.maths.philox import philox4x32
from numbainit.maths.stream import ACCEPTANCE, LOW, MASK, VALUES
from numbainit.maths.values import Kind, Value, float64, fma, select, shuffle, uint32, uint64
from numbainit.targets.cpu.vectors.chunk import CHUNK, Chunk
from numbainit.targets.cpu.vectors.code import bytes_of, load, on_stack, store, turns
from numbainit.targets.cpu.vectors.rejection import redo_rejected
from numbainit.targets.cpu.vectors.words import TURN, Finish, fill_pairs, fill_words, turn_of

Numbers = Sequence[Value]
_GROUP = 16  # values of a law that takes many registers


# ---- words ----


def _words(chunk: Chunk, kind: Kind, finish: Finish) -> None:
    """The words of the elements, as wide as they are, each as ``finish`` leaves it."""
    if kind.bits == 64:
        fill_pairs(chunk.out, chunk.turns, chunk.stream, chunk.counter, finish)
    else:
        fill_words(chunk.out, chunk.turns, chunk.stream, chunk.counter, int(VALUES), finish)


def _as_they_are(words: Value) -> Value:
    return words


def bits(chunk: Chunk, kind: Kind, numbers: Numbers) -> None:
    _words(chunk, kind, _as_they_are)


def mask(chunk: Chunk, kind: Kind, numbers: Numbers) -> None:
    fill_words(chunk.out, chunk.turns, chunk.stream, chunk.counter, int(MASK), _as_they_are)


def uniform(chunk: Chunk, kind: Kind, numbers: Numbers) -> None:
    between = laws.uniform_between64 if kind is float64 else laws.uniform_between32
    parameters = [kind(parameter) for parameter in numbers[:4]]
    _words(chunk, kind, lambda words: between(words, *parameters))


# ---- normals ----


def _normals(chunk: Chunk, kind: Kind, std: Value, even: Value, odd: Value) -> None:
    """N(even, std^2) and N(odd, std^2) in turn: a turn of words is read as two vectors, and written in their place."""
    _words(chunk, kind, _as_they_are)
    word, pair = (uint64, laws.normal_pair64) if kind is float64 else (uint32, laws.normal_pair32)
    lanes = turn_of(kind.bits) // 2
    with turns(chunk.turns) as turn:
        left = chunk.out + turn * (4 * TURN)
        right = left + 2 * TURN
        words = load(left, word, lanes), load(right, word, lanes)
        radii, angles = (shuffle(*words, range(start, 2 * lanes, 2)) for start in (0, 1))
        cos, sin = pair(radii, angles)
        values = fma(cos, std, even), fma(sin, std, odd)
        for half, address in enumerate((left, right)):
            store(shuffle(*values, [(half * lanes + i) // 2 + lanes * (i & 1) for i in range(lanes)]), address)


def normal(chunk: Chunk, kind: Kind, numbers: Numbers) -> None:
    mean, std = kind(numbers[0]), kind(numbers[1])
    _normals(chunk, kind, std, mean, mean)


def complex_normal(chunk: Chunk, kind: Kind, numbers: Numbers) -> None:
    """Real and imaginary parts in turn, each around its own mean."""
    _normals(chunk, kind, kind(numbers[1]), kind(numbers[0]), kind(numbers[2]))


# ---- truncated normals: propose everything, then redo the rejected ----


def _pairs_at(chunk: Chunk, places: Value, tag: Value) -> tuple[Value, Value]:
    """The Box-Muller pairs of words that elements of the chunk belong to."""
    counters, (draw, k0, k1, _) = chunk.counter + uint64(places >> 2), chunk.stream
    w0, w1, w2, w3 = philox4x32(counters, chunk.counter >> 32, draw, tag, k0, k1)
    right = (places & 2) != 0
    return uint32(select(right, w2, w0)), uint32(select(right, w3, w1))


def _words_at(chunk: Chunk, places: Value, tag: Value) -> Value:
    even, odd = _pairs_at(chunk, places, tag)
    return select((places & 1) != 0, odd, even)


def trunc_normal(chunk: Chunk, kind: Kind, numbers: Numbers) -> None:
    normal(chunk, kind, numbers)
    mean, std, smallest, largest = (kind(parameter) for parameter in numbers[:4])

    def attempt(places: Value, tag: Value) -> Value:
        radius, angle = _pairs_at(chunk, places, tag)
        if kind is float64:
            low = _pairs_at(chunk, places, tag | int(LOW))
            cos, sin = laws.normal_pair64(laws.joined(radius, low[0]), laws.joined(angle, low[1]))
        else:
            cos, sin = laws.normal_pair32(radius, angle)
        return fma(select((places & 1) != 0, sin, cos), std, mean)

    redo_rejected(chunk, kind, smallest, largest, attempt)


def tail(chunk: Chunk, kind: Kind, numbers: Numbers) -> None:
    propose = laws.tail64 if kind is float64 else laws.tail32
    arguments = numbers[0] > 0, numbers[1], numbers[2], *(kind(parameter) for parameter in numbers[3:7])
    word = uint64 if kind is float64 else uint32
    acceptances = on_stack(chunk.out.builder, uint32, CHUNK + TURN)
    _words(chunk, kind, _as_they_are)
    word_turns = (chunk.elements + (TURN - 1)) >> (TURN.bit_length() - 1)
    fill_words(acceptances, word_turns, chunk.stream, chunk.counter, int(ACCEPTANCE), _as_they_are)
    with turns(chunk.elements >> (_GROUP.bit_length() - 1)) as group:
        place = chunk.out + group * (_GROUP * bytes_of(kind))
        acceptance = load(acceptances + group * (4 * _GROUP), uint32, _GROUP)
        store(propose(load(place, word, _GROUP), acceptance, *arguments), place)

    def attempt(places: Value, tag: Value) -> Value:
        words, acceptance = _words_at(chunk, places, tag), _words_at(chunk, places, tag | int(ACCEPTANCE))
        if kind is float64:
            words = laws.joined(words, _words_at(chunk, places, tag | int(LOW)))
        return propose(words, acceptance, *arguments)

    redo_rejected(chunk, kind, kind(numbers[7]), kind(numbers[8]), attempt)


LAWS: dict[str, Callable[[Chunk, Kind, Numbers], None]] = {
    law.__name__: law for law in (bits, mask, uniform, normal, complex_normal, trunc_normal, tail)
}
