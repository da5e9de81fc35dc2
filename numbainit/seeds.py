"""A seed, or a name → the two words of a key; a key → its children's.

Seeds are those of ``numpy.random.SeedSequence``, with its zero padding: 1 and [1, 0] make the same key.
"""

import hashlib
import numbers
from collections.abc import Sequence
from typing import Any, SupportsIndex, TypeAlias

import numpy as np

from numbainit.errors import InvalidTypeError, InvalidValueError, shown
from numbainit.maths.stream import STREAM
from numbainit.weights.numbers import integer, whole

WORD = 1 << 32
_PERSON = f"numbainit.{STREAM}".encode()
_MOST_BITS = 1 << 13  # of an int that Python writes and reads in digits, whatever its limit is set to

Seed: TypeAlias = "SupportsIndex | Sequence[int] | np.ndarray | np.random.SeedSequence | None"
Key: TypeAlias = tuple[int, int]


def seeded(seed: Seed) -> tuple[int | list[int] | None, Key]:
    """The seed to show, and the key."""
    sequence = _seed_sequence(seed)
    k0, k1 = sequence.generate_state(2, np.uint32)
    return _plain(sequence), (int(k0), int(k1))


def folded(key: Key, data: str | int) -> Key:
    """The key that is a function of a key and of a name or number."""
    payload, given = _payload(data), (key[0] | key[1] << 32).to_bytes(8, "little")
    digest = hashlib.blake2b(payload, digest_size=8, key=given, person=_PERSON, usedforsecurity=False).digest()
    words = int.from_bytes(digest, "little")
    return words & 0xFFFFFFFF, words >> 32


def below(name: str, value: int, limit: int) -> int:
    """A whole number in [0, limit)."""
    number = integer(name, value)
    if not 0 <= number < limit:
        raise InvalidValueError(f"{name} must lie in [0, {limit}), got {shown(number)}")
    return number


def written(seed: int | list[int]) -> str:
    """A seed in the words of Python, which has limits for long numbers in digits, and none for hexadecimal ones."""
    if isinstance(seed, int):
        return repr(seed) if seed.bit_length() <= _MOST_BITS else hex(seed)
    return f"[{', '.join(map(written, seed))}]"


def _seed_sequence(seed: Any) -> "np.random.SeedSequence":
    kind = type(seed)  # which cannot lie, as ``__class__`` can
    if issubclass(kind, np.random.SeedSequence):
        return seed
    if seed is None:
        return np.random.SeedSequence()
    if issubclass(kind, (str, bytes)) or not issubclass(kind, (numbers.Integral, Sequence, np.ndarray)):
        raise _wrong_seed(seed)
    try:
        if issubclass(kind, numbers.Integral):
            return np.random.SeedSequence(_natural(seed))
        return np.random.SeedSequence([_natural(word) for word in seed])
    except InvalidValueError:
        raise
    except Exception:  # what stands there may raise what it likes
        raise _wrong_seed(seed) from None


def _plain(sequence: "np.random.SeedSequence") -> int | list[int] | None:
    """The int or list of ints that makes the same key; None where there is none, as for a spawned sequence."""
    if sequence.spawn_key or sequence.pool_size != np.random.SeedSequence(0).pool_size:
        return None
    entropy: Any = sequence.entropy
    return int(entropy) if isinstance(entropy, numbers.Integral) else [int(word) for word in entropy]


def _natural(word: object) -> int:
    value = whole(word)
    if value < 0:
        raise InvalidValueError(f"a seed is a non-negative int, got {shown(value)}: take abs(seed), or seed % 2**64")
    return value


def _wrong_seed(seed: object) -> InvalidTypeError:
    kind = f"{type(seed).__module__}.{type(seed).__qualname__}".removeprefix("builtins.")
    remedy = "use numbainit.Generator(seed)"
    if issubclass(type(seed), str):
        remedy = "numbainit.Generator(0).fold_in(name) makes one from a name"
    return InvalidTypeError(
        "a seed or generator is a numbainit.Generator, an int, a sequence of ints, a numpy SeedSequence, "
        f"a numpy.random.Generator or None, got {kind} {shown(seed)}: {remedy}"
    )


def _payload(data: Any) -> bytes:
    if issubclass(type(data), str):
        try:
            return b"s" + data.encode()
        except UnicodeEncodeError:
            raise InvalidValueError(f"fold_in takes a str that UTF-8 can encode, got {shown(data)}") from None
    if issubclass(type(data), numbers.Integral):
        return b"i" + below("fold_in data", data, 1 << 64).to_bytes(8, "little")
    raise InvalidTypeError(f"fold_in takes a str or an int, got {type(data).__name__}: name the parameter or count it")
