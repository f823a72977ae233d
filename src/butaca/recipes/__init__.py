"""This room holds complete settings by name, and how they follow the data: `default`, `notebook`."""

from butaca.recipes.named import DEFAULT, NOTEBOOK, RECIPES, recipe
from butaca.recipes.training import Recipe
from butaca.train.optimizers import make_optimizer

__all__ = ["DEFAULT", "NOTEBOOK", "RECIPES", "Recipe", "make_optimizer", "recipe"]
