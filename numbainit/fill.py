"""A checked array, a law and a generator → the array filled: the last checks, one draw, and the target goes.

Whatever can be refused is refused before the draw is taken: such a call leaves generator and array as they were.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

from numbainit.generator import GeneratorLike, as_generator
from numbainit.memory.arrays import Array
from numbainit.memory.sharded import ShardedArray, boxes_of
from numbainit.targets.choose import choose
from numbainit.targets.target import Filling
from numbainit.weights.blocks import Block, whole_block, whole_shape
from numbainit.weights.laws import Law
from numbainit.weights.layouts import Split

SplitLaws: TypeAlias = Sequence[tuple[Split, Law]]


def fill(array: Array, law: Law, generator: GeneratorLike, block: Block | None = None) -> None:
    """Fill ``array``, which may be a block of a larger one, with the law's values for the generator's next draw."""
    if block is not None:
        whole_shape(array.shape, block)
        block = block if block.flat is None else block.as_range()
    if type(array) is ShardedArray:
        run([choose(one).filling(one, law, box) for one, box in boxes_of(array, block)], generator)
    else:
        choose(array).filling(array, law, block)(as_generator(generator).next_stream())


def fill_splits(array: Array, laws: SplitLaws, generator: GeneratorLike, block: Block | None) -> None:
    """Fill ranges of an axis of ``array``, each with a law of its own, for one draw."""
    if block is not None:
        whole_shape(array.shape, block)
    fillings = []
    for box, within in boxes_of(array, block):
        whole, target = whole_block(box.shape, within), choose(box)
        for split, law in laws:
            index = split.slices(whole.start, box.shape)
            fillings.append(target.filling(box[index], law, whole.within(index)))
    run(fillings, generator)


def run(fillings: Sequence[Filling], generator: GeneratorLike) -> None:
    """Call all fillings of one array, for one draw."""
    stream = as_generator(generator).next_stream()
    for filling in fillings:
        filling(stream)


def fill_constant(array: Any, value: complex, block: Block | None = None) -> None:
    """Fill ``array`` with one value, whatever part of a larger one it is."""
    if block is not None:
        whole_shape(array.shape, block)
    memory = array.memory if type(array) is ShardedArray else array
    choose(memory).constant(memory, value)
