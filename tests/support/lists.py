"""A recommender of random vectors, and lists as they are read back."""

from __future__ import annotations

import duckdb
import numpy as np

from butaca.data.histories import Histories
from butaca.recommend.recommender import Recommender
from tests.support.narrow import some


def made(data, n_unknown=0, **more):
    """A recommender of random vectors; the last `n_unknown` users have no history."""
    rng = np.random.default_rng(1)
    n_users, n_items = len(data.users), len(data.items)
    train = data.take(np.flatnonzero(data.user < n_users - n_unknown))
    return Recommender(
        users=data.users,
        items=data.items,
        user_vectors=rng.normal(size=(n_users + 1, 8)).astype(np.float32),
        item_vectors=rng.normal(size=(n_items, 8)).astype(np.float32),
        seen=Histories.of(train),
        popularity=np.bincount(train.item, minlength=n_items).astype(np.float32),
        **more,
    )


def contents(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def rows_of(folder):
    """(user, [(item, score)]) in the order of the files, ranks checked."""
    found: dict[str, list[tuple[str, float]]] = {}
    for path in sorted(folder.glob("part-*.parquet")):
        for user, rank, item, score in some(duckdb.sql(f"FROM '{path}'")).fetchall():
            mine = found.setdefault(user, [])
            mine.append((item, score))
            assert rank == len(mine)
    return found
