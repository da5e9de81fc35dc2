"""A parameter's name and shape → the initializer that fills it; a model → a recipe for each of its tensors."""

from numbainit.recipes.difference import Difference
from numbainit.recipes.library import load, names
from numbainit.recipes.planning import UntakenError
from numbainit.recipes.recipe import Recipe
from numbainit.recipes.steps import Change, Fill, Formula, Weight
from numbainit.recipes.table import Rules
from numbainit.recipes.tensors import Tensor

__all__ = [
    "Change",
    "Difference",
    "Fill",
    "Formula",
    "Recipe",
    "Rules",
    "Tensor",
    "UntakenError",
    "Weight",
    "load",
    "names",
]
