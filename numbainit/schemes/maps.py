"""An array and values that are a function of an element's index → the array filled, piece by piece.

What no law makes: a map of a law's values (exponentials, logarithms), Hadamard's signs, a row of logarithms. Values are
made on the host in float64, by operations that are the same on every machine, and rounded as a law's; an array on a GPU
gets a copy. So they have equal bits everywhere, and a block of an array has those of the whole.
"""

from collections.abc import Callable

import numpy as np

from numbainit.errors import InvalidValueError
from numbainit.fill import run
from numbainit.generator import GeneratorLike, Stream
from numbainit.maths import arrays
from numbainit.memory.arrays import Array
from numbainit.memory.sharded import boxes_of
from numbainit.schemes.matrices import dimensions
from numbainit.targets.choose import choose
from numbainit.targets.target import Filling
from numbainit.weights import laws
from numbainit.weights.blocks import Block, pieces, whole_block, whole_shape
from numbainit.weights.numbers import real

_PIECE = 1 << 15  # elements: their float64 values, and a few temporaries, stay in L2
_FLOAT64 = np.dtype("float64")
#: which part of the whole a piece is, its shape, and where random words come from → its values
Values = Callable[[Block, tuple[int, ...], Stream], np.ndarray]


def _fillings(array: Array, block: Block | None, values: Values) -> list[Filling]:
    whole_shape(array.shape, block)
    return [_filling(box, whole_block(box.shape, within), values) for box, within in boxes_of(array, block)]


def _filling(array: Array, part: Block, values: Values) -> Filling:
    write = choose(array).writing(array)

    def fill(stream: Stream) -> None:
        for index in pieces(array.shape, _PIECE):
            shape = tuple(one.stop - one.start for one in index)
            write(index, values(part.within(index), shape, stream))

    return fill


def _write(array: Array, block: Block | None, values: Values) -> None:
    """What takes no draw."""
    for filling in _fillings(array, block, values):
        filling((0, 0, 0))


# ---- maps of uniform values ----


def log_uniform(array: Array, a: float, b: float, generator: GeneratorLike, block: Block | None) -> None:
    """``exp(U)``, U uniform between the logarithms of a and b."""
    exponential = _exponential(a, b, array.dtype)
    run(_fillings(array, block, exponential), generator)


def time_step_bias(
    array: Array, a: float, b: float, floor: float, generator: GeneratorLike, block: Block | None
) -> None:
    """What softplus takes to such an ``exp(U)``, or to ``floor`` where that is more."""
    lowest, bounds = laws.finite("floor", floor, _FLOAT64), _positive_bounds(a, b)
    exponential = _exponential(*bounds, _FLOAT64)
    for end in arrays.inverse_softplus(np.maximum(bounds, lowest)):
        laws.finite("the inverse softplus of a bound", float(end), array.dtype)

    def values(block: Block, shape: tuple[int, ...], stream: Stream) -> np.ndarray:
        return arrays.inverse_softplus(np.maximum(exponential(block, shape, stream), lowest))

    run(_fillings(array, block, values), generator)


def log_of_uniform(array: Array, a: float, b: float, generator: GeneratorLike, block: Block | None) -> None:
    """``log(U)``, U uniform on [a, b)."""
    low, _ = _positive_bounds(a, b)
    law = laws.uniform(low, b, _FLOAT64)

    def values(block: Block, shape: tuple[int, ...], stream: Stream) -> np.ndarray:
        return arrays.log(_drawn(law, block, shape, stream))

    run(_fillings(array, block, values), generator)


def _positive_bounds(a: float, b: float) -> tuple[float, float]:
    low, high = real("a", a), real("b", b)
    if low <= 0.0:
        raise InvalidValueError(f"a logarithm needs 0 < a <= b, got a={low}, b={high}")
    return low, high


def _exponential(a: float, b: float, dtype: np.dtype) -> Values:
    """Values in [a, b), also after they are rounded to a dtype."""
    low, high = _positive_bounds(a, b)
    smallest, largest = laws.uniform(low, high, dtype).numbers[2:]
    start, stop = map(float, arrays.log(np.array([low, high])))
    law = laws.uniform(start, stop, _FLOAT64)

    def values(block: Block, shape: tuple[int, ...], stream: Stream) -> np.ndarray:
        return np.clip(arrays.exp(_drawn(law, block, shape, stream)), smallest, largest)

    return values


def _drawn(law: laws.Law, block: Block, shape: tuple[int, ...], stream: Stream) -> np.ndarray:
    """The float64 values of a law at the numbers of a piece."""
    drawn = np.empty(shape)
    choose(drawn).filling(drawn, law, block)(stream)
    return drawn


# ---- what draws nothing ----


def log_arange(array: Array, start: float, block: Block | None) -> None:
    """``log(start + j)``, j the index along the last axis."""
    begin = real("start", start)
    if begin <= 0.0:
        raise InvalidValueError(f"log_arange_ needs start > 0, got {begin}")
    whole = whole_shape(array.shape, block)
    if not whole:
        raise InvalidValueError(f"log_arange_ counts along the last axis, got an array of {dimensions(array, block)}")
    last = whole[-1]
    laws.finite("the last logarithm", float(arrays.log(np.array(begin + max(last - 1, 0)))), array.dtype)

    def values(block: Block, shape: tuple[int, ...], stream: Stream) -> np.ndarray:
        row = arrays.log(begin + (block.start[-1] + np.arange(shape[-1], dtype=np.float64)))
        return np.broadcast_to(row, shape)

    _write(array, block, values)


# ---- Hadamard ----


def hadamard(array: Array, gain: float, block: Block | None) -> None:
    """The leading part of Sylvester's matrix, scaled so that its rows or columns are orthonormal."""
    _write(array, block, _sylvester(array, gain, block))


def randomized_hadamard(array: Array, gain: float, generator: GeneratorLike, block: Block | None) -> None:
    """The same with a random sign for each column: the highest bit of the word of its number."""
    signed = _sylvester(array, gain, block)

    def values(block: Block, shape: tuple[int, ...], stream: Stream) -> np.ndarray:
        words = np.empty(shape[1], np.uint32)
        columns = Block((block.start[1] + shape[1],), (block.start[1],))
        choose(words).filling(words, laws.BITS, columns)(stream)
        return np.where(words >> 31, -1.0, 1.0) * signed(block, shape, stream)

    run(_fillings(array, block, values), generator)


def _sylvester(array: Array, gain: float, block: Block | None) -> Values:
    """``gain (-1)^popcount(i & j) / sqrt(n)``, n the longer side."""
    shape = whole_shape(array.shape, block)
    if len(shape) != 2:
        raise InvalidValueError(f"Only tensors with 2 dimensions are supported, got {dimensions(array, block)}")
    size = max(shape)
    if size & (size - 1) and 0 not in shape:
        raise InvalidValueError(
            f"Sylvester's Hadamard matrices have a power of two as their longer side, got shape {shape}: pad it, or "
            "use orthogonal_"
        )
    scale = laws.finite("gain", gain, array.dtype) / np.sqrt(max(size, 1))

    def values(block: Block, shape: tuple[int, ...], stream: Stream) -> np.ndarray:
        rows, columns = (np.arange(start, start + size) for start, size in zip(block.start, shape, strict=True))
        odd = np.bitwise_count(rows[:, None] & columns) & 1
        return np.where(odd, -scale, scale)

    return values
