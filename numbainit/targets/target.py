"""What every target offers to what stands above it: the shape that the CPU and a CUDA GPU share.

A *filling* is made first, and whatever can fail has failed by then: memory is described, kernels are compiled and
loaded, scratch is there. Only then is a draw taken, and the filling is called with its stream.
"""

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

from numbainit.generator import Stream
from numbainit.weights.blocks import Block
from numbainit.weights.laws import Law

Filling: TypeAlias = Callable[[Stream], None]


class Target(Protocol):
    """A place where loops run. Arrays are checked, and of the target's own kind."""

    def filling(self, array: Any, law: Law, block: Block | None) -> Filling:
        """What fills an array, all of a larger one or (with ``block``) a part of it, with a law's values."""

    def filling_sparse(self, matrix: Any, zeros: int, law: Law, block: Block) -> Filling:
        """The same, but ``zeros`` elements of each column of the whole matrix, at random rows, become zero."""

    def filling_orthogonal(self, weights: Any, experts: int, outputs: int, gain: float) -> Filling:
        """What makes of each expert a Haar-distributed matrix (outputs, the rest), times ``gain``."""

    def constant(self, array: Any, value: complex) -> None:
        """Write one value everywhere."""


def nothing(stream: Stream) -> None:
    """The filling of an array without elements."""
