"""Models of random numbers, of every kind that is exported: their lists have no ties."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from butaca.data.histories import Histories
from butaca.model.order.attention import Attention, Block
from butaca.model.order.timescales import Timescales
from butaca.model.query import HistoryReader, HistoryWeights, QueryTower, RatingBins
from butaca.recommend.recommender import Recommender
from butaca.types import Floats
from tests.support.boards import rated_board

DIM, HEAD = 8, 6


def random_model(reader: str | None = "bag", *, layers: bool = False, seed: int = 0) -> Recommender:
    """A model over the rated board, with an item term, a head, and a user of whom nothing is known.

    Args:
        reader: "bag", "timescales", "attention", or None for vectors of users alone.
        layers: whether the trained half has hidden layers, and no unit length.
        seed: of the numbers.
    """
    board = rated_board()
    rng = np.random.default_rng(seed)

    def random(*shape: int) -> Floats:
        return rng.normal(0, 0.5, shape).astype(np.float32)

    n_users, n_items = len(board.users), len(board.items)
    board = board.take(np.flatnonzero(board.user != 39))
    seen = Histories.of(board)
    half: HistoryReader
    if reader == "timescales":
        spans = np.array([1, 4, 30], np.float32), np.array([0.05, 3], np.float32)
        half = Timescales(random(n_items, DIM), *spans, random(5, DIM), window=6)
    elif reader == "attention":
        blocks = tuple(
            Block(
                random(DIM, 4 * DIM),
                random(3 * DIM),
                random(2, 6),
                abs(random(2, 2)),
                random(DIM, DIM),
                random(DIM),
            )
            for _ in range(2)
        )
        half = Attention(random(n_items, DIM), blocks, window=6)
    else:
        bins = RatingBins(np.array([2, 3, 4, 5], np.float32))
        half = HistoryWeights(random(n_items, DIM), bins, random(5), recency=0.4)
    tower = QueryTower(
        random(n_users + 1, DIM),
        half,
        ((random(DIM, 12), random(12)), (random(12, DIM), random(DIM))) if layers else (),
        unit=not layers,
        scale=3.0,
        head=random(n_items, HEAD),
        head_scale=2.0,
        trusted_from=5,
        trust_power=0.5,
    )
    built = Recommender(
        users=board.users,
        items=board.items,
        user_vectors=tower(np.arange(n_users + 1, dtype=np.int32), seen),
        item_vectors=random(n_items, DIM + HEAD),
        item_bias=random(n_items),
        seen=seen,
        popularity=np.bincount(board.item, minlength=n_items).astype(np.float32),
        query_tower=tower,
    )
    return built if reader else replace(built, query_tower=None)
