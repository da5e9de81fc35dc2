"""A seed → a key of two words; a call → the next draw number: where all randomness comes from.

A :class:`Generator` holds no random state, only the key and how many draws it has handed out. What an array gets is a
function of the key, the draw number and the index of the element, so a generator can be rebuilt from its ``repr``.
"""

import operator
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np

from numbainit.errors import InvalidTypeError, InvalidValueError
from numbainit.memory.libraries import seed_of_worker
from numbainit.seeds import WORD, Key, Seed, below, folded, seeded, written

_CHILDREN = (1 << 64) + 1  # limit of a count of children, whose numbers have 64 bits

Stream: TypeAlias = tuple[int, int, int]  # the two words of a key, and a draw
GeneratorLike: TypeAlias = "Generator | Seed | np.random.Generator"


#: whether Python threads run at once: then a step of an iterator takes a lock
_FREE_THREADED = not getattr(sys, "_is_gil_enabled", lambda: True)()
#: of the state of all generators, since a fork waits for it: a child must find none held by a thread that it has not
_lock = threading.RLock()


def _draws_from(draw: int) -> Iterator[int]:
    """The numbers of the draws that are left."""
    return iter(range(draw, WORD))


def _handed_out(draws: Iterator[int]) -> int:
    return WORD - operator.length_hint(draws)


class Generator:
    """A source of draws: a key, and the number of the next draw.

    Parameters
    ----------
    seed : int, sequence of ints, numpy.random.SeedSequence or None
        Non-negative, of any size. The key is ``SeedSequence(seed).generate_state(2, uint32)``. None takes fresh
        entropy from the operating system, which ``seed`` then shows.
    draws, spawned : int
        How many draws and children have been handed out already; for rebuilding a generator.

    Notes
    -----
    Every call that draws takes one draw number, from 0, however large its array is, also when the array is empty;
    ``constant_``, ``ones_``, ``zeros_``, ``eye_`` and ``dirac_`` take none. Thread-safe, picklable;
    ``eval(repr(g))`` is an equal generator.

    Stream v1: element i takes word i mod 4 of the four that Philox4x32-10 makes of the counter (j mod 2^32, j div 2^32,
    draw, attempt << 8 | purpose), j = i div 4. Purposes: 0 values, 1 the low words of 64-bit laws, 2 the mask of
    ``sparse_``, 3 the acceptance of proposals. Attempts count rejections.

    Examples
    --------
    >>> import numpy as np, numbainit as init
    >>> g = init.Generator(7)
    >>> w = init.normal_(np.empty(3, "float32"), generator=g)
    >>> g
    Generator(seed=7, draws=1)
    >>> again = init.normal_(np.empty(5, "float32"), generator=init.Generator(7))
    >>> bool((again[:3] == w).all())
    True
    """

    def __init__(self, seed: Seed = None, *, draws: int = 0, spawned: int = 0) -> None:
        self._seed, key = seeded(seed)
        self._restart(key, draws, spawned)

    @classmethod
    def from_key(cls, k0: int, k1: int, *, draws: int = 0, spawned: int = 0) -> "Generator":
        """The generator whose key is exactly the two 32-bit words ``k0`` and ``k1``; its ``seed`` is None.

        Examples
        --------
        >>> import numbainit as init
        >>> init.Generator.from_key(1, 2).key
        (1, 2)
        """
        self = cls.__new__(cls)
        self._seed = None
        self._restart((below("k0", k0, WORD), below("k1", k1, WORD)), draws, spawned)
        return self

    @classmethod
    def _unseeded(cls) -> "Generator":
        """A generator that takes entropy when it is first asked for anything: NumPy's seeds are slow to import."""
        self = cls.__new__(cls)
        self._seed = None
        self._restart(None, 0, 0)
        return self

    def _restart(self, key: Key | None, draws: int, spawned: int) -> None:
        self._state = key, _draws_from(below("draws", draws, WORD + 1))
        self._spawned = below("spawned", spawned, _CHILDREN)

    @property
    def seed(self) -> int | list[int] | None:
        """The seed that makes the same key, None where no int or list of ints does."""
        if self._state[0] is None:
            self._take_entropy()
        return self._seed

    @property
    def key(self) -> tuple[int, int]:
        """The two 32-bit words of the key."""
        return self._state[0] or self._take_entropy()

    def _take_entropy(self) -> tuple[int, int]:
        with _lock:
            key, draws = self._state
            if key is None:
                self._seed, key = seeded(seed_of_worker() if self is default_generator else None)
                self._state = key, draws
            return key

    @property
    def draws(self) -> int:
        """How many draws have been handed out: the number of the next one."""
        return _handed_out(self._state[1])

    @property
    def spawned(self) -> int:
        """How many children :meth:`spawn` has handed out."""
        return self._spawned

    def next_stream(self) -> Stream:
        """Take the next draw number, with the key: what every filling call does once."""
        if _FREE_THREADED:
            with _lock:
                return self._next_stream()
        return self._next_stream()

    def _next_stream(self) -> Stream:
        """A step of an iterator, which the GIL makes atomic: a lock would cost a tenth of a small fill."""
        key, draws = self._state
        k0, k1 = key or self._take_entropy()
        try:
            return k0, k1, next(draws)
        except StopIteration:
            message = "this generator has handed out all its 2^32 draws: continue with fold_in(...)"
            raise InvalidValueError(message) from None

    def _become(self, other: "Generator") -> None:
        """Go on as ``other``, between two draws of whoever else holds this one."""
        with _lock:
            self._seed, key, draws, self._spawned = other.__getstate__()
            self._state = key, _draws_from(draws)

    def fold_in(self, data: str | int) -> "Generator":
        """A new generator for ``data``, a function of this key and ``data`` alone (draws do not matter).

        The key is the first 8 bytes, as two little-endian words, of BLAKE2b under this key of ``b"s"`` and the UTF-8
        bytes of a str, or ``b"i"`` and the 8 little-endian bytes of an int in [0, 2^64).

        Examples
        --------
        >>> import numbainit as init
        >>> g = init.Generator(0)
        >>> g.fold_in("encoder.weight").key == g.fold_in("encoder.weight").key != g.fold_in("encoder.bias").key
        True
        """
        return type(self).from_key(*folded(self.key, data))

    def spawn(self, n: int) -> "list[Generator]":
        """The next ``n`` children: ``fold_in(i)``, with i counting on from call to call, as in NumPy.

        Examples
        --------
        >>> import numbainit as init
        >>> g = init.Generator(0)
        >>> a, b = g.spawn(2)
        >>> b.key == g.fold_in(1).key
        True
        """
        n = below("n", n, WORD)
        with _lock:
            first = self._spawned
            self._spawned = below("spawned", first + n, _CHILDREN)
        return [self.fold_in(i) for i in range(first, first + n)]

    def _counts(self) -> dict[str, int]:
        counts = {"draws": self.draws, "spawned": self._spawned}
        return {name: count for name, count in counts.items() if count}

    def __repr__(self) -> str:
        counts = [f"{name}={count}" for name, count in self._counts().items()]
        if self.seed is None:
            words = [f"0x{word:08x}" for word in self.key]
            return f"Generator.from_key({', '.join(words + counts)})"
        return f"Generator({', '.join([f'seed={written(self.seed)}', *counts])})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Generator):
            return NotImplemented
        return (self.key, self.draws, self._spawned) == (other.key, other.draws, other._spawned)

    __hash__ = None  # type: ignore[assignment]  # its draws change

    def __getstate__(self) -> tuple:
        with _lock:
            self._take_entropy()
            key, draws = self._state
            return self._seed, key, _handed_out(draws), self._spawned

    def __setstate__(self, state: tuple) -> None:
        self._seed, key, draws, spawned = state
        self._restart(key, draws, spawned)


def as_generator(source: GeneratorLike) -> Generator:
    """What users pass as ``generator=`` → a :class:`Generator`.

    A Generator as it is; None: the default generator; an int, a sequence of ints or a SeedSequence: a fresh one, so
    the same values each time; a ``numpy.random.Generator``: a fresh one whose key is 64 bits drawn from it.
    """
    if source is None:
        return default_generator
    given: Any = source
    kind = type(given)  # which cannot lie, as ``__class__`` can
    if issubclass(kind, Generator):
        found: Generator = given
        return found
    if issubclass(kind, np.random.Generator):
        bits = int(given.integers(0, 2**64, dtype=np.uint64))
        return Generator.from_key(bits % WORD, bits // WORD)
    return Generator(given)


def manual_seed(seed: "int | Sequence[int] | np.random.SeedSequence") -> Generator:
    """Seed the default generator, which calls without ``generator=`` use, and return it.

    In a process that is forked afterwards it goes on as ``fold_in(f"fork {n}")`` of what it was seeded with, n counting
    the forks since then from 0: children differ from their parent and from each other, and the same program gives the
    same values again. Unseeded, it takes fresh entropy in each process.

    Examples
    --------
    >>> import numbainit as init
    >>> init.manual_seed(0)
    Generator(seed=0)
    """
    if seed is None:
        raise InvalidTypeError("manual_seed takes an int or a sequence of ints, got None: it makes values repeatable")
    given = Generator(seed)
    with _lock:
        default_generator._become(given)
        _forks.seeded = given.key
        _forks.count = 0
    return default_generator


#: The generator of calls without ``generator=``; seeded by the operating system until :func:`manual_seed`.
default_generator = Generator._unseeded()


class _Forks:
    """What the default generator becomes in a forked child, which must not repeat its parent or a sibling.

    The lock is held over a fork, so that forks from several threads have numbers of their own.
    """

    def __init__(self) -> None:
        self.seeded: Key | None = None  # what the default generator was seeded with, by hand
        self.count = 0  # of forks since then

    def before(self) -> None:
        _lock.acquire()

    def after_in_parent(self) -> None:
        self.count += 1
        _lock.release()

    def after_in_child(self) -> None:
        global _lock
        _lock = threading.RLock()
        child, of_worker = Generator._unseeded(), seed_of_worker()
        if self.seeded is None and of_worker is not None:  # a worker forked: torch's seed is the worker's alone
            self.seeded = seeded(of_worker)[1]
        if self.seeded is not None:
            self.seeded = folded(self.seeded, f"fork {self.count}")
            child = Generator.from_key(*self.seeded)
        default_generator._state, default_generator._seed, default_generator._spawned = child._state, None, 0
        self.count = 0


_forks = _Forks()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_forks.before, after_in_parent=_forks.after_in_parent, after_in_child=_forks.after_in_child
    )
