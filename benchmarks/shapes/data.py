"""This module makes seven data sets of different shapes, all from MovieLens 100K."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from benchmarks.quality.data import TEST, movielens
from butaca import Dataset, Entities, Vocabulary, random_split, temporal_split
from butaca.data.bags import take_column
from butaca.types import Bools, Codes


@dataclass(frozen=True)
class Shape:
    """A Shape is a data set, split.

    Attributes:
        text: what the table calls it.
        train, test: its two sides.
        future: the test lies after the training data in time.
    """

    text: str
    train: Dataset
    test: Dataset
    future: bool = False

    @property
    def sizes(self) -> str:
        """Returns users x items, interactions and how many a user."""
        n = len(self.train) + len(self.test)
        users, items = len(self.train.users), len(self.train.items)
        return f"{users:,} × {items:,}, {n:,} ({n / users:.0f} a user)"


NAMES = ("random", "temporal", "users", "sparse", "popular", "liked", "fractal")


def shape(name: str) -> Shape:
    """Makes one of `NAMES`."""
    data = movielens()
    rng = np.random.default_rng(0)
    if name == "temporal":
        return Shape("MovieLens 100K, split in time", *temporal_split(data, TEST), future=True)
    if name == "users":
        chosen = rng.permutation(len(data.users))[: round(0.1 * len(data.users))]
        return _split("a tenth of the users", data, np.isin(data.user, chosen))
    if name == "sparse":
        return _split("a tenth of the ratings", data, rng.random(len(data)) < 0.1)
    if name == "popular":
        counts = np.bincount(data.item, minlength=len(data.items))
        return _split("the 200 most rated titles", data, np.isin(data.item, np.argsort(-counts)[:200]))
    if name == "liked":
        assert data.value is not None
        return _split("ratings of 4 and 5 alone", data, data.value >= 4)
    if name == "fractal":
        return Shape("grown: users × 4, titles × 4", *random_split(grown(data), TEST))
    return Shape("MovieLens 100K", *random_split(data, TEST))


def _split(text: str, data: Dataset, rows: Bools) -> Shape:
    return Shape(text, *random_split(compact(data.take(np.flatnonzero(rows))), TEST))


def compact(data: Dataset) -> Dataset:
    """Returns the data without users and items that have no interactions."""
    users, user = _occurring(data.users, data.user)
    items, item = _occurring(data.items, data.item)
    return replace(data, users=users, items=items, user=user, item=item)


def _occurring(entities: Entities, codes: Codes) -> tuple[Entities, Codes]:
    ids = Vocabulary.of(entities.ids.values[np.unique(codes)])
    rows = entities.ids.encode(ids.values).astype(np.int64)  # of the old table
    columns = MappingProxyType({name: take_column(c, rows) for name, c in entities.columns.items()})
    return replace(entities, ids=ids, columns=columns), ids.encode(entities.ids.values)[codes]


def grown(
    data: Dataset, times: int = 4, *, clusters: int = 8, density: float = 0.35, seed: int = 0
) -> Dataset:
    """Returns the data grown by a randomised Kronecker product (Belletti et al. 2019).

    Each user and each item becomes `times` of them. A pair becomes a block of times x times cells, and
    each cell holds an interaction with the chance that the pattern of its user's cluster gives it:
    patterns are random, uneven between rows and columns as people and films are.
    """
    rng = np.random.default_rng(seed)
    cluster = rng.integers(0, clusters, len(data.users))
    chance = rng.random((clusters, times, times)) ** 2
    chance *= rng.random((clusters, times, 1)) + 0.5
    chance = np.minimum(chance * density / chance.mean(), 1.0)
    pair, row, column = np.nonzero(rng.random((len(data), times, times)) < chance[cluster[data.user]])
    users = [f"{u}.{n}" for u in data.users.ids.values for n in range(times)]
    items = [f"{i} #{n}" for i in data.items.ids.values for n in range(times)]
    user_ids, item_ids = Vocabulary.of(users), Vocabulary.of(items)
    as_user = user_ids.encode(np.array(users, dtype=object))
    as_item = item_ids.encode(np.array(items, dtype=object))
    time = None
    if data.timestamp is not None:
        time = data.timestamp[pair] + rng.integers(0, 60, len(pair))
    return replace(
        data,
        users=Entities(data.users.key, user_ids),
        items=Entities(data.items.key, item_ids),
        user=as_user[data.user[pair].astype(np.int64) * times + row],
        item=as_item[data.item[pair].astype(np.int64) * times + column],
        value=None if data.value is None else data.value[pair],
        timestamp=time,
        name="MovieLens 100K, grown",
    )
