"""A checked array, a law and a generator → the array filled: the last checks, one draw, and the target goes.

Whatever can be refused is refused before the draw is taken: such a call leaves generator and array as they were.
"""

from collections.abc import Sequence
from typing import TypeAlias

from numbainit.generator import GeneratorLike, as_generator
from numbainit.memory.arrays import Array
from numbainit.targets.choose import choose
from numbainit.weights.blocks import Block, whole_block, whole_shape
from numbainit.weights.laws import Law

Laws: TypeAlias = Sequence[tuple[tuple[slice, ...], Law]]


def fill(array: Array, law: Law, generator: GeneratorLike, block: Block | None = None) -> None:
    """Fill ``array``, which may be a block of a larger one, with the law's values for the generator's next draw."""
    if block is not None:
        whole_shape(array.shape, block)
    choose(array).filling(array, law, block)(as_generator(generator).next_stream())


def fill_splits(array: Array, laws: Laws, generator: GeneratorLike, block: Block | None) -> None:
    """Fill ranges of ``array``, each given by an index and with a law of its own, for one draw."""
    whole, target = whole_block(array.shape, block), choose(array)
    fillings = [target.filling(array[index], law, whole.within(index)) for index, law in laws]
    stream = as_generator(generator).next_stream()
    for filling in fillings:
        filling(stream)


def fill_constant(array: Array, value: complex, block: Block | None = None) -> None:
    """Fill ``array`` with one value, whatever part of a larger one it is."""
    if block is not None:
        whole_shape(array.shape, block)
    choose(array).constant(array, value)
