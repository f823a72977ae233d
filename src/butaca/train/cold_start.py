"""This module gives items and users without interactions vectors from what is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from butaca.data.dataset import Entities
from butaca.data.histories import Histories
from butaca.model.cold import ColdItems, ItemVectors, fit_cold, taken
from butaca.model.features import Feature
from butaca.model.newcomers import fit_newcomers
from butaca.train.layout import Features
from butaca.train.vectors import SPREAD_USERS, Vectors
from butaca.types import Codes, Floats, Ints


def learned_features(features: Features, seen: Histories, *, key: str) -> Features:
    """Returns features where the id of a user without training interactions is an unknown one.

    Args:
        features: the users' ids, if the query tower reads them, under `key`.
        seen: training histories.
        key: the users' id column.
    """
    cold = np.flatnonzero(seen.lengths == 0)
    if not len(cold) or key not in features.query:
        return features
    codes, weights = features.query[key]
    query = dict(features.query) | {key: (codes.at[cold].set(len(seen)), weights)}
    return Features(query, features.candidate)


def cold_items(
    features: Sequence[Feature], vectors: Vectors, *, items: Entities, count: Ints, seen: Histories
) -> ColdItems | None:
    """Returns what features say of items, by those that have interactions; None without features.

    Args:
        features: columns of the items' table.
        vectors: of the trained model.
        items: the table.
        count: training interactions of each item [N].
        seen: what the users have had.
    """
    history = vectors.tower.history
    rows = ItemVectors(
        None if history is None else history.table, vectors.tower.head, vectors.items, vectors.bias
    )
    sample = np.flatnonzero(seen.lengths)[:SPREAD_USERS]
    return fit_cold(features, items, count=count, rows=rows, queries=vectors.users[sample])


def with_cold(vectors: Vectors, cold: ColdItems, *, items: Entities, count: Ints, seen: Histories) -> Vectors:
    """Returns the vectors with the rows of items without training interactions from their features.

    Every other row stays as it is, to the bit, and so do users who had none of those items.
    """
    new = np.flatnonzero(count == 0)
    if not len(new):
        return replace(vectors, cold=cold)
    rows = cold(taken(items, new))
    tower = vectors.tower
    if tower.history is not None and rows.history is not None:
        table = _put(tower.history.table, new, rows.history)
        tower = replace(tower, history=tower.history.with_table(table))
    if tower.head is not None and rows.head is not None:
        tower = replace(tower, head=_put(tower.head, new, rows.head))
    bias = vectors.bias
    if bias is not None and rows.bias is not None:
        bias = _put(bias, new, rows.bias)
    users = vectors.users
    owner = np.repeat(np.arange(len(seen), dtype=np.int32), seen.lengths)
    changed = np.unique(owner[count[seen.items] == 0])
    if len(changed):
        users = _put(users, changed, tower(changed, seen))
    return Vectors(tower, users, _put(vectors.items, new, rows.items), bias, cold)


def with_newcomers(
    features: Sequence[Feature], vectors: Vectors, *, users: Entities, seen: Histories
) -> Vectors:
    """Returns the vectors with those of users without a history from what is known of them, if anything is.

    Args:
        features: columns of the users' table.
        vectors: of the trained model.
        users: the table.
        seen: what the users have had.
    """
    new = np.flatnonzero(seen.lengths == 0)
    if not features or not len(new):
        return vectors
    sample = vectors.items[np.linspace(0, len(vectors.items) - 1, SPREAD_USERS).astype(np.int64)]
    newcomers = fit_newcomers(features, users, count=seen.lengths, vectors=vectors.users[:-1], items=sample)
    if newcomers is None:
        return vectors
    return replace(vectors, users=_put(vectors.users, new, newcomers(users, new)))


def _put(table: Floats, at: Ints | Codes, rows: Floats) -> Floats:
    """Returns a copy with some rows replaced."""
    out = table.copy()
    out[at] = rows
    return out
