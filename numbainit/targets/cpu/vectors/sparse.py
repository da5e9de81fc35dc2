"""A row of words and of values → some of the values become zero, as many in each column as were asked for.

Selection sampling (Knuth, TAOCP 3.4.2, algorithm S) walks down the rows and decides each element with one word: zero
with probability ``zeros left / rows left``, exactly where ``floor(word rows_left / 2^32) < zeros_left``. It is exact in
count, needs no memory but a counter a column, and its columns are independent, so they are the lanes here.
"""

from __future__ import annotations

from numbainit.maths.values import Kind, Value, select, shuffle, uint32, uint64
from numbainit.targets.cpu.vectors.code import Variable, bytes_of, load, repeat, store

_LANES = 16


def choose(
    words: Value, rows_left: Value, zeros_left: Value, values: Value, count: Value, kind: Kind, parts: int
) -> None:
    """Zero the chosen of ``count`` elements, each so many ``parts`` of a kind, at ``values``; count their zeros down.

    ``words`` and ``zeros_left`` are addresses of uint32.
    """
    done = Variable(count.constant(0))
    for lanes in (_LANES, 1):
        with repeat(lambda: done.get() + lanes <= count, count.builder):  # noqa: B023 (called at once)
            place = done.get()
            left = load(zeros_left + place * 4, uint32, lanes)
            product = uint64(load(words + place * 4, uint32, lanes)) * rows_left
            chosen = uint32(product >> 32) < left
            store(left - uint32(chosen), zeros_left + place * 4)
            at = values + place * (parts * bytes_of(kind))
            if lanes > 1:
                chosen = shuffle(chosen, chosen, [i // parts for i in range(parts * lanes)])
            store(select(chosen, 0, load(at, kind, parts * lanes)), at)
            done.set(place + lanes)
