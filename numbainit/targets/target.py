"""An array and a law → a filling, which waits for its stream: the shape that the CPU and a CUDA GPU share.

Whatever can be refused is refused while a filling is made: memory is described, and a law is compiled for it. Only then
is a draw taken, and the filling called with its stream. What a machine may lack later (memory for a scratch or for the
factors of an orthogonal matrix, a compiler for a loop) can still fail there.
"""

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

import numpy as np

from numbainit.generator import Stream
from numbainit.weights.blocks import Block
from numbainit.weights.laws import Law

Filling: TypeAlias = Callable[[Stream], None]
Writing: TypeAlias = Callable[[tuple[slice, ...], np.ndarray], None]


class Target(Protocol):
    """What runs loops. Arrays are checked, and of the target's own kind."""

    def filling(self, array: Any, law: Law, block: Block | None) -> Filling:
        """What fills an array, all of a larger one or (with ``block``) a part of it, with a law's values."""

    def filling_sparse(self, matrix: Any, zeros: int, law: Law, block: Block) -> Filling:
        """The same, but ``zeros`` elements of each column of the whole matrix, at random rows, become zero."""

    def filling_orthogonal(self, weights: Any, experts: int, outputs: int, gain: float, first: int = 0) -> Filling:
        """What makes of each expert a Haar-distributed matrix (outputs, the rest), times ``gain``.

        It is made of the normals with the numbers from ``first`` on, as many as there are elements.
        """

    def writing(self, array: Any) -> Writing:
        """What writes values, made on the host in float64 or complex128, to an index of an array: rounded as a law's.

        The index is () for all of it, else a slice with a start and a stop for each axis.
        """

    def constant(self, array: Any, value: complex) -> None:
        """Write one value everywhere."""


def nothing(stream: Stream) -> None:
    """The filling of an array without elements."""
