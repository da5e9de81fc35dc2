"""A parameter's name and shape → the initializer that fills it; a model → a recipe for each of its tensors."""

from numbainit.recipes.recipe import Change, Difference, Fill, Recipe, Weight

__all__ = ["Change", "Difference", "Fill", "Recipe", "Weight"]
