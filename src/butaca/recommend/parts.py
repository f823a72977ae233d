"""This module holds what a model is made of: the folder writes and reads it, a Recommender answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from butaca.data.dataset import Dataset, Entities
from butaca.data.histories import Histories
from butaca.errors import DivergenceError
from butaca.model.cold import ColdItems
from butaca.model.pairs import ItemPairs
from butaca.model.query import QueryTower
from butaca.types import Codes, Floats

if TYPE_CHECKING:  # loaded where a model has a second stage
    from butaca.rank.ranker import Ranker


@dataclass(frozen=True, eq=False)
class ModelParts:
    """A ModelParts holds everything that a trained model answers from.

    Attributes:
        users, items: the entities, in the order of the vectors.
        user_vectors: [U + 1, d], the last for unknown users; item_vectors: [N, d].
        item_bias: a term of each item alone [N], or None.
        seen: training histories.
        popularity: training interactions of each item, [N].
        about: configuration, metrics and data of the model, as the folder's manifest keeps them.
        test: held-out pairs of the split that the model was trained with, or None.
        test_weight: how much each of them counts, or None.
        again: whether what someone has had may come again, so that lists keep it unless asked otherwise.
        query_tower: makes vectors of new histories, or None where the model reads none.
        user_features: columns of the users' table that the query tower reads, the id left out.
        cold: makes vectors of items that are known by their features alone, or None.
        ranker: the second stage, or None.
        version: what tells this model from others, the start of its folder's digest; "" until saved.
    """

    users: Entities
    items: Entities
    user_vectors: Floats
    item_vectors: Floats
    seen: Histories
    popularity: Floats
    item_bias: Floats | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    test: tuple[Codes, Codes] | None = None
    query_tower: QueryTower | None = None
    user_features: tuple[str, ...] = ()
    cold: ColdItems | None = None
    ranker: Ranker | None = None
    version: str = ""
    test_weight: Floats | None = None
    again: bool = False

    @property
    def pairs(self) -> ItemPairs | None:
        """Returns the single pairs of items that add to its scores; None where it has none."""
        return None if self.query_tower is None else self.query_tower.pairs

    @property
    def held_out(self) -> Dataset | None:
        """Returns the pairs of `test` as data, with their weights; None where there are none."""
        if self.test is None:
            return None
        return Dataset(self.users, self.items, *self.test, weight=self.test_weight)

    def check_numbers(self) -> None:
        """Checks that every score would be a number, before a model answers or is written.

        Raises:
            DivergenceError: a vector or a term holds nan, or is infinite.
        """
        for name in ("user_vectors", "item_vectors", "item_bias"):
            array = getattr(self, name)
            if array is not None and not np.isfinite(array).all():
                bad = np.flatnonzero(~np.isfinite(array).reshape(len(array), -1).all(axis=1))
                raise DivergenceError(
                    "A model's vectors are numbers",
                    f"{name} with {len(bad):,} of {len(array):,} rows that are not",
                    "Lower the learning rate it was trained with, and train again",
                )
