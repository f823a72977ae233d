"""This module lists the features that a ranker can have: by name, by default, and by their columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from butaca.rank.facts import TrainFacts
from butaca.rank.features import (
    AgeOfItem,
    Likeness,
    Neighbourhood,
    PersonSize,
    Popular,
    RankFeature,
    RatingFeatures,
    Recent,
    Retrieval,
)
from butaca.rank.table_features import Affinity, Audience, Quantity

#: Features by the name that a saved ranker has for them: the class's, but for one renamed since.
KINDS: Mapping[str, type[RankFeature]] = {
    "Ratings": RatingFeatures,
    **{
        kind.__name__: kind
        for kind in (
            Retrieval,
            Neighbourhood,
            Popular,
            Recent,
            AgeOfItem,
            PersonSize,
            Affinity,
            Quantity,
            Audience,
            Likeness,
        )
    },
}


def kind_of(feature: RankFeature) -> str:
    """Returns the name that a saved ranker has for a feature; a class of one's own has its own name."""
    return next((name for name, kind in KINDS.items() if kind is type(feature)), type(feature).__name__)


def default_features(facts: TrainFacts) -> tuple[RankFeature, ...]:
    """Returns all features that the facts allow."""
    every: list[RankFeature] = [
        Retrieval(),
        *(Neighbourhood(name) for name in ("linear", "together", "near")),
        Popular(),
        Recent(),
        AgeOfItem(),
        RatingFeatures(),
        PersonSize(),
        *(Affinity(column) for column in facts.labels),
        *(Quantity(column) for column in facts.numbers),
        *(Audience(column) for column in facts.audience),
        Likeness(),
    ]
    return tuple(feature for feature in every if feature.names(facts))


def names_of(features: Sequence[RankFeature], facts: TrainFacts) -> tuple[str, ...]:
    """Returns the columns of `matrix`."""
    return tuple(name for feature in features for name in feature.names(facts))
