"""Named, complete configurations: what `butaca fit --recipe` runs.

`notebook` is the original's model, number for number. `default` is what to start from on data of
your own: the same towers against the full catalogue, which is what makes them beat popularity.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace

import optax

from butaca.data.dataset import Dataset
from butaca.errors import SettingError
from butaca.model.features import Id
from butaca.two_tower import TwoTower, TwoTowerSettings


@dataclass(frozen=True)
class Recipe:
    """A model and how to train it.

    Attributes:
        name: what --recipe says.
        model: the towers and their loss; the id columns are set from the data (`for_data`).
        optimizer: name of an optax optimizer.
        learning_rate: its step size.
        batch_size: pairs per step.
        epochs: passes over the training pairs.
    """

    name: str
    model: TwoTowerSettings = field(default_factory=TwoTowerSettings)
    optimizer: str = "adagrad"
    learning_rate: float = 0.5
    batch_size: int = 8192
    epochs: int = 10

    def make_optimizer(self) -> optax.GradientTransformation:
        """The optimizer; one object per name and rate, so that compiled steps are found again."""
        return make_optimizer(self.optimizer, self.learning_rate)

    def for_data(self, data: Dataset) -> Recipe:
        """The recipe with its id features over the data's own id columns."""
        model = replace(self.model, query=(Id(data.users.key),), candidate=(Id(data.items.key),))
        return replace(self, model=model)

    def build(self) -> TwoTower:
        """A new model, not yet fitted."""
        return TwoTower.of(self.model)


@functools.cache
def make_optimizer(name: str, learning_rate: float) -> optax.GradientTransformation:
    """An optax optimizer by name.

    Raises:
        SettingError: optax has none of that name that takes a learning rate alone.
    """
    known = {"adagrad": optax.adagrad, "adam": optax.adam, "sgd": optax.sgd}
    if name not in known:
        raise SettingError("The optimizer is one of " + ", ".join(known), repr(name), "Correct the name")
    made: optax.GradientTransformation = known[name](learning_rate)
    return made


NOTEBOOK = Recipe(
    "notebook",
    TwoTowerSettings(softmax="in_batch", mask="none", shuffle="once", seed=42),
)

DEFAULT = Recipe(
    "default",
    TwoTowerSettings(dim=32, softmax="auto", seed=42),
    learning_rate=0.05,
    epochs=20,
)

RECIPES = {recipe.name: recipe for recipe in (NOTEBOOK, DEFAULT)}


def recipe(name: str) -> Recipe:
    """A recipe by name.

    Raises:
        SettingError: no recipe has that name.
    """
    if name not in RECIPES:
        raise SettingError("A recipe is one of " + ", ".join(RECIPES), repr(name), "Correct --recipe")
    return RECIPES[name]
