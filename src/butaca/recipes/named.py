"""This module names complete configurations: what `butaca fit --recipe` runs.

`notebook` is the original's model, number for number. `default` is what to start from on data of
your own: a history tower whose settings validation chose on MovieLens 100K (docs/tuning.md), adapted
to the size of the data that it is given.
"""

from __future__ import annotations

from butaca.checks import of_kind
from butaca.errors import SettingError
from butaca.model.features import History
from butaca.model.spectral_settings import SpectralSettings
from butaca.recipes.training import Recipe
from butaca.train.settings import TwoTowerSettings

NOTEBOOK = Recipe(
    "notebook",
    TwoTowerSettings(softmax="in_batch", mask="none", shuffle="once", seed=42),
)

DEFAULT = Recipe(
    "default",
    TwoTowerSettings(
        query=(History(dropout=0.63),),
        dim=64,
        softmax="auto",
        unit=True,
        temperature=0.222,
        prior="popularity",
        prior_power=1.28,
        start="spectral",
        spectral=SpectralSettings(),
        trusted_from=10,
        seed=42,
    ),
    optimizer="adam",
    learning_rate=0.0211,
    batch_size=200_000,
    epochs=40,
    steps=40,
    features_of_new=True,
    tuned_on=72_000,
)

RECIPES = {recipe.name: recipe for recipe in (NOTEBOOK, DEFAULT)}


def recipe(name: str) -> Recipe:
    """Returns a recipe by name.

    Raises:
        SettingError: no recipe has that name.
    """
    if of_kind("A recipe's name", name, kind=str) not in RECIPES:
        raise SettingError(
            "A recipe is one of " + ", ".join(RECIPES),
            repr(name),
            'Try recipe("default"), or --recipe default',
        )
    return RECIPES[name]
