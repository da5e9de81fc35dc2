"""A parameter's name and shape → the initializer that fills it; a model → a recipe for each of its tensors."""

from numbainit.recipes.recipe import Difference, Recipe
from numbainit.recipes.steps import Change, Fill, Weight

__all__ = ["Change", "Difference", "Fill", "Recipe", "Weight"]
