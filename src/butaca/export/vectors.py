"""This module makes of a model vectors whose inner products are its scores, and nothing else is needed.

An item's own term is one more dimension, against which every query has 1:

    score(q, i) = q . v_i + b_i = [q, 1] . [v_i, b_i]
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from butaca.catalogue.items import item_titles
from butaca.model.pairs import ItemPairs
from butaca.model.query import QueryTower
from butaca.recommend.parts import ModelParts
from butaca.types import Codes, Floats, Ints, Times, Values


@dataclass(frozen=True, eq=False)
class ExportedVectors:
    """An ExportedVectors holds what other systems get: vectors, ids, and what was had.

    Attributes:
        item_ids, titles, items: of the catalogue [N], vectors float32 [N, D].
        user_ids, queries: of the users who have a list of their own [U], vectors float32 [U, D]; whoever is
            not among them gets what is popular.
        left_out: users of whom the model knows nothing.
        seen_user, seen_item: rows of users and items that were had together, of these users [m].
        seen_value, seen_time: their ratings and times [m], or None.
        seen_heard: how much each counts for `pairs` [m], where their place in the history does; else None.
        popularity: training interactions of each item [N].
        bias: whether the last dimension is the items' own term.
        pairs: single pairs of items, which add to a score what vectors can't hold, at the scores' scale;
            None where the model has none.
        trusted_from, trust_power: a history of fewer items counts (n / trusted_from) ** trust_power.
        second_stage: whether the model orders what it retrieves by a second stage, which is not exported.
        version: of the model; "" until saved.
    """

    item_ids: Values
    titles: list[str]
    items: Floats
    user_ids: Values
    queries: Floats
    left_out: int
    seen_user: Ints
    seen_item: Codes
    seen_value: Floats | None
    seen_time: Times | None
    seen_heard: Floats | None
    popularity: Floats
    bias: bool
    pairs: ItemPairs | None
    trusted_from: int
    trust_power: float
    second_stage: bool
    version: str

    @property
    def dimensions(self) -> int:
        """Returns the length of every vector."""
        return int(self.items.shape[1])


def vectors_of(parts: ModelParts) -> ExportedVectors:
    """Returns the vectors of a model."""
    known = parts.seen.lengths[: len(parts.users)] > 0
    known |= bool(parts.user_features)
    rows = np.flatnonzero(known).astype(np.int32)
    seen_user, at = parts.seen.rows(rows)
    items, queries = parts.item_vectors, parts.user_vectors[rows]
    tower = parts.query_tower or QueryTower(np.zeros((1, 0), np.float32))
    pairs, heard, time = tower.pairs, None, None if parts.seen.time is None else parts.seen.time[at]
    if pairs is not None and pairs.reads_order:
        heard = pairs.heard(seen_user, parts.seen.items[at], time=time)
    if parts.item_bias is not None:
        items = np.concatenate([items, parts.item_bias[:, None]], axis=1)
        queries = with_one(queries)
    return ExportedVectors(
        item_ids=parts.items.ids.values,
        titles=item_titles(parts.items),
        items=np.ascontiguousarray(items, dtype=np.float32),
        user_ids=parts.users.ids.values[rows],
        queries=np.ascontiguousarray(queries, dtype=np.float32),
        left_out=len(parts.users) - len(rows),
        seen_user=seen_user,
        seen_item=parts.seen.items[at],
        seen_value=None if parts.seen.value is None else parts.seen.value[at],
        seen_time=time,
        seen_heard=heard,
        popularity=parts.popularity,
        bias=parts.item_bias is not None,
        pairs=None if pairs is None else replace(pairs, weight=pairs.weight * np.float32(tower.pairs_scale)),
        trusted_from=tower.trusted_from,
        trust_power=tower.trust_power,
        second_stage=parts.ranker is not None,
        version=parts.version,
    )


def with_one(queries: Floats) -> Floats:
    """Returns queries [B, D] with the dimension that meets the items' own term, [B, D + 1].

    >>> with_one(np.zeros((1, 2), np.float32)).tolist()
    [[0.0, 0.0, 1.0]]
    """
    return np.concatenate([queries, np.ones((len(queries), 1), np.float32)], axis=1)
