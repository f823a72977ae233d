"""This module says which data can train a model of some settings."""

from __future__ import annotations

from butaca.data.dataset import Dataset
from butaca.errors import FeatureError, SettingError
from butaca.model.features import Id
from butaca.train.settings import TwoTowerSettings


def training_data(train: Dataset, settings: TwoTowerSettings) -> Dataset:
    """Returns the data with candidates told apart as the settings say, once it is checked.

    Args:
        train: interactions.
        settings: of the model.

    Raises:
        FeatureError: a feature, the history or its order asks for what the data lack.
        SettingError: there is nothing to learn from.
    """
    train = train.keyed_by(_candidate_key(train, settings))
    _check(train, settings)
    return train


def _check(train: Dataset, settings: TwoTowerSettings) -> None:
    """Checks that there is something to learn from, and that a history is one of the candidates."""
    if not len(train):
        raise SettingError("Training needs interactions", "an empty data set", "Check the split")
    history, key = settings.history, train.items.key
    if settings.order is not None and train.timestamp is None:
        raise FeatureError(
            "A history with an order needs the time of each interaction",
            f"{settings.order!r} on {train.name!r}, which has no times",
            "Name their column with time_column=, or leave out the order (on the command line: --order none)",
        )
    if history and history.column not in {"", key}:
        raise FeatureError(
            "A history holds the candidates, by their id column",
            f"{history!r}, while candidates are told apart by {key!r}",
            f"Declare History() or History({key!r})",
        )


def _candidate_key(train: Dataset, settings: TwoTowerSettings) -> str:
    """Returns the column that says what a candidate is."""
    for feature in settings.candidate:
        if isinstance(feature, Id) and feature.column in train.items:
            return feature.column
        if isinstance(feature, Id):
            raise FeatureError(
                f"A feature names a column of the {train.items.key} table",
                f"{feature!r}, while the table has {', '.join([train.items.key, *train.items.columns])}",
                "Correct the name",
            )
    return train.items.key
