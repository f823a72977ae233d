"""This module makes a small recommender of two stages, and the verdict that its folder keeps."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np

from butaca.baselines.item_knn import ItemKNN
from butaca.data.dataset import Dataset
from butaca.model.query import HistoryWeights, QueryTower
from butaca.rank.fit import fit_ranker
from butaca.rank.settings import RankSettings
from butaca.recommend.recommender import Recommender
from tests.support.boards import checkerboard

JUDGED = {"gains": {"top-10": {"gain": 0.0125, "low": -0.001, "high": 0.026}, "top-100": {}}, "notice": None}


def thinned() -> Dataset:
    """The checkerboard of 60 people and 40 films where some films are had more often, and rated."""
    board = checkerboard(60, 40)
    rng = np.random.default_rng(5)
    kept = np.flatnonzero(rng.random(len(board)) < 0.25 + 0.7 * rng.random(40)[board.item])
    return replace(
        board,
        user=board.user[kept],
        item=board.item[kept],
        value=rng.integers(1, 6, len(kept)).astype(np.float32),
        timestamp=rng.integers(0, 90 * 86400, len(kept)),
    )


def knn(train: Dataset) -> ItemKNN:
    return ItemKNN().fit(train)


def two_stages() -> Recommender:
    """Vectors of a truncated SVD, and a ranker of a few trees over them."""
    data = thinned()
    had = np.zeros((60, 40))
    had[data.user, data.item] = 1
    _, size, items = np.linalg.svd(had, full_matrices=False)
    vectors = (items[:6].T * np.sqrt(size[:6])).astype(np.float32)
    nobody = np.zeros((61, 6), np.float32)
    tower = QueryTower(nobody, HistoryWeights(vectors))
    model = SimpleNamespace(
        users=data.users, items=data.items, user_vectors=nobody, item_vectors=vectors, query_tower=tower
    )
    first = Recommender.build(model, data, about={"recipe": "small", "metrics": {"ranking": JUDGED}})
    settings = RankSettings(rounds=12, least=5, n_folds=3, held_out=0.3, candidates=30)
    return replace(first, ranker=fit_ranker(data, knn, first=knn(data), settings=settings))
