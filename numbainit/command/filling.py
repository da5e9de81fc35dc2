"""A recipe and a seed → what fills a piece of a parameter, and counts what was filled."""

import time
from collections.abc import Callable

import numpy as np

from numbainit.command.moments import Moments
from numbainit.command.report import Result
from numbainit.files.pieces import Piece
from numbainit.generator import Generator
from numbainit.recipes import Recipe
from numbainit.recipes.filling import can_be_cut, make


class Filling:
    """The pieces of a recipe's parameters, filled on any thread; what is found is counted on one.

    Each parameter's generator depends on its name and the seed alone: adding one changes no other.
    """

    def __init__(self, recipe: Recipe, result: Result) -> None:
        self._recipe, self._root, self._result = recipe, Generator(result.seed), result
        self._labels = {name: weight.label for name, weight in recipe.items()}
        self.advance: Callable[[int], None] = lambda size: None
        self.whole_only = [name for name, weight in recipe.items() if not can_be_cut(weight)]

    def fill(self, piece: Piece, array: np.ndarray) -> tuple[float, Moments]:
        """Fill a piece; the seconds, and the moments of its elements."""
        begin = time.perf_counter()
        box, weight = piece.box, self._recipe[piece.part.name]
        if not weight.is_whole:  # what no step writes
            array[...] = 0
        cut = None if box.is_whole else tuple((at, at + size) for at, size in zip(box.start, box.shape, strict=True))
        make(weight, box.name, array, self._root, cut, self._recipe)
        seconds, moments = time.perf_counter() - begin, Moments()
        moments.add(array)
        return seconds, moments

    def see(self, piece: Piece, found: tuple[float, Moments]) -> None:
        """Count a piece that was written."""
        seconds, moments = found
        box = piece.box
        self._result.fill_seconds += seconds
        self._result.add(self._labels[box.name], box.size, box.nbytes, moments, ends=piece.is_last)
        self.advance(box.nbytes)
