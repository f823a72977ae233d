"""A peer's adapter gives the lists of its library's own way to answer, where that library is installed."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from butaca.data.dataset import Dataset
from butaca.data.histories import Histories
from butaca.data.splits import random_split
from butaca.evaluate.protocol import top_lists
from butaca.types import Codes

K = 5
USERS = np.arange(40, dtype=np.int32)


@pytest.fixture(scope="module")
def train(ml: Dataset) -> Dataset:
    """MovieLens 100K's first 200 users, whose scores are all different."""
    some = ml.take(np.flatnonzero(ml.user < 200))
    return random_split(some, test_share=0.2, seed=42)[0]


def fitted(library: str, function: str, train: Dataset, **settings: Any) -> Any:
    pytest.importorskip(library)
    module = import_module(f"butaca.referee.peers.{library}")
    return getattr(module, function)(train, settings, seed=1)


def lists(scorer: Any, train: Dataset) -> Codes:
    return top_lists(scorer, USERS, seen=Histories.of(train), k=K)


def by_scores(of: Callable[[int, Codes], Any], train: Dataset) -> Codes:
    """Returns lists by a library's scores of the items that a user did not have and somebody had."""
    had, seen = np.unique(train.item), Histories.of(train)
    left = [np.setdiff1d(had, seen[user]).astype(np.int32) for user in USERS.tolist()]
    return np.array(
        [
            items[np.argsort(-of(int(user), items), kind="stable")[:K]]
            for user, items in zip(USERS, left, strict=True)
        ]
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("function", "settings"),
    [
        ("als", {"factors": 16, "iterations": 3}),
        ("bpr", {"factors": 16, "iterations": 20}),
        ("bm25", {"K": 50}),
    ],
)
def test_implicit_recommends_the_same(function: str, settings: dict[str, Any], train: Dataset) -> None:
    scorer = fitted("implicit", function, train, **settings)
    sparse = import_module("scipy.sparse")
    had = sparse.csr_matrix(scorer._matrix(np.arange(len(train.users), dtype=np.int32)))
    own, _ = scorer._model.recommend(USERS, had[USERS], N=K, filter_already_liked_items=True)
    assert np.mean(lists(scorer, train) == own) > 0.98  # rounding may swap two


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("function", "settings"), [("ease", {"regularization": 500.0}), ("pure_svd", {"factors": 16})]
)
def test_rectools_recommends_the_same(function: str, settings: dict[str, Any], train: Dataset) -> None:
    scorer = fitted("rectools", function, train, **settings)
    from butaca.referee.peers.rectools import interactions_of

    known = interactions_of(scorer._matrix(np.arange(len(train.users), dtype=np.int32)))
    table = scorer._model.recommend(users=USERS, dataset=known, k=K, filter_viewed=True)
    own = table.pivot(index="user_id", columns="rank", values="item_id").loc[USERS].to_numpy()
    assert np.mean(lists(scorer, train) == own) > 0.98


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("function", "settings"),
    [("implicit_mf", {"embedding_size": 16, "epochs": 3}), ("item_knn", {"max_nbrs": 20})],
)
def test_lenskit_scores_the_same(function: str, settings: dict[str, Any], train: Dataset) -> None:
    scorer, seen = fitted("lenskit", function, train, **settings), Histories.of(train)
    data = import_module("lenskit.data")

    def of(user: int, items: Codes) -> Any:
        query = data.RecQuery(history_items=data.ItemList(item_ids=seen[user]))
        return np.nan_to_num(scorer._model(query, data.ItemList(item_ids=items)).scores(), nan=-1e9)

    assert np.mean(lists(scorer, train) == by_scores(of, train)) > 0.98


@pytest.mark.filterwarnings("ignore")
def test_lightfm_predicts_the_same(train: Dataset) -> None:
    scorer = fitted("lightfm", "warp", train, no_components=16, epochs=3)
    own = by_scores(lambda user, items: scorer._model.predict(user, items), train)
    assert np.mean(lists(scorer, train) == own) > 0.95  # it scores what nobody had too
