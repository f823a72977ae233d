"""One suite for every Scorer: towers before and after saving, two stages likewise, and baselines."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import optax
import pytest

import butaca
from butaca.baselines.ease import EASE
from butaca.baselines.ials import IALS
from butaca.baselines.item_knn import ItemKNN
from butaca.baselines.markov_chain import MarkovChain
from butaca.baselines.popularity import Popularity, RecentPopularity
from butaca.data.histories import Histories
from butaca.evaluate.protocol import evaluate_scorer
from butaca.model.spectral_settings import SpectralSettings
from butaca.rank.fit import fit_ranker
from butaca.rank.settings import RankSettings
from butaca.rank.two_stage import TwoStage
from butaca.recommend.recommender import Recommender
from butaca.two_tower import TwoTower
from tests.support.boards import checkerboard, left_out

ADAM = optax.adam(0.05)
CLOSED = SpectralSettings(dim=3)


def tower(data=None, **settings):
    board = data or checkerboard()
    model = TwoTower([butaca.Id("user_id")], [butaca.Id("item_id")], dim=8, **settings)
    model.fit(board, epochs=60, batch_size=64)
    return model


def history_tower(history=None, data=None, **settings):
    chosen: dict[str, Any] = {"unit": True, "temperature": 0.25, "start": "spectral"} | settings
    model = TwoTower([history or butaca.History()], [butaca.Id("item_id")], dim=8, **chosen)
    model.fit(data or checkerboard(), epochs=60, batch_size=1000, optimizer=ADAM)
    return model


def rated_board():
    """The checkerboard with ratings of 1 to 5 and a day between a user's items."""
    board = checkerboard()
    n = np.arange(len(board))
    return replace(board, value=(n % 5 + 1).astype(np.float32), timestamp=n * 86_400)


def in_a_circle(moment=1):
    """The checkerboard in an order that tells: each has the items in a circle, up to the one it lacks.

    Args:
        moment: places of the circle that have the same time.
    """
    board = checkerboard()
    lacks = np.array([left_out(u) for u in board.user])
    return replace(board, timestamp=(board.item - lacks) % len(board.items) // moment)


def saved(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    Recommender.build(model, checkerboard()).save(folder)
    return Recommender.load(folder)


def small_ranker(fit, first, board, **settings):
    settings = {"rounds": 10, "least": 2, "n_folds": 3, "held_out": 0.0, "candidates": 8} | settings
    return fit_ranker(board, fit, first=first, settings=RankSettings(**settings))


def two_over(fit, data=None, **settings):
    """A first stage and a small ranker, trained on the suite's data."""
    board = data or checkerboard()
    first = fit(board)
    return TwoStage(first, small_ranker(fit, first, board, **settings), Histories.of(board))


def two_saved(tmp_path_factory):
    board, folder = checkerboard(), tmp_path_factory.mktemp("two")
    model = history_tower()
    ranker = small_ranker(lambda part: history_tower(data=part), model, board)
    replace(Recommender.build(model, board), ranker=ranker).save(folder)
    return Recommender.load(folder).two_stage()


SCORERS = {
    "full softmax": lambda _: tower(softmax="full"),
    "full softmax, known masked": lambda _: tower(softmax="full", mask="known"),
    "in-batch": lambda _: tower(softmax="in_batch"),
    "sampled": lambda _: tower(softmax="sampled", samples=16),
    "saved": lambda factory: saved(tower(), factory),
    "history": lambda _: history_tower(),
    "history, closed form beside": lambda _: history_tower(spectral=CLOSED, prior="popularity"),
    "history, by rating and recency": lambda _: history_tower(
        butaca.History(by_rating=True, by_recency=True), rated_board(), prior="recent"
    ),
    "history, in-batch": lambda _: history_tower(softmax="in_batch", unit=False, temperature=1.0),
    "history, sampled": lambda _: history_tower(softmax="sampled", samples=16, prior="popularity"),
    "history, saved": lambda factory: saved(history_tower(spectral=CLOSED, prior="popularity"), factory),
    "popularity": lambda _: Popularity().fit(checkerboard()),
    "recent popularity": lambda _: RecentPopularity().fit(checkerboard()),
    "item-kNN": lambda _: ItemKNN().fit(checkerboard()),
    "item-kNN, few neighbours": lambda _: ItemKNN(neighbours=3, shrinkage=1).fit(checkerboard()),
    "EASE": lambda _: EASE().fit(checkerboard()),
    "iALS": lambda _: IALS(dim=4, epochs=10).fit(checkerboard()),
    "Markov chain": lambda _: MarkovChain().fit(in_a_circle()),
    "Markov chain of one follower": lambda _: MarkovChain(smoothing=1, window=1).fit(in_a_circle()),
    "Markov chain, all in one moment": lambda _: MarkovChain().fit(in_a_circle(moment=99)),
    "two stages over item-kNN": lambda _: two_over(lambda part: ItemKNN().fit(part)),
    "two stages over EASE, graded, in time": lambda _: two_over(
        lambda part: EASE().fit(part), rated_board(), target="graded", folds="time", label=0.2
    ),
    "two stages over history towers": lambda _: two_over(lambda part: history_tower(data=part)),
    "two stages over towers of ids": lambda _: two_over(lambda part: tower(part, softmax="full")),
    "two stages, saved": two_saved,
}
SAME_FOR_ALL = ("popularity", "recent popularity")
LEARNERS = [name for name in SCORERS if name not in SAME_FOR_ALL]


@pytest.fixture(scope="module")
def scorers(tmp_path_factory):
    made: dict[str, object] = {}

    def get(name):
        if name not in made:
            made[name] = SCORERS[name](tmp_path_factory)
        return made[name]

    return get


@pytest.mark.parametrize("name", SCORERS)
def test_it_is_a_scorer(scorers, name):
    assert isinstance(scorers(name), butaca.Scorer)


@pytest.mark.parametrize("name", SCORERS)
def test_scores_cover_the_catalogue_and_are_finite(scorers, name):
    scores = scorers(name).score(np.arange(20, dtype=np.int32))
    assert scores.shape == (20, scorers(name).n_items) == (20, 16)
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("name", SCORERS)
def test_an_unknown_user_gets_an_answer(scorers, name):
    scores = scorers(name).score(np.array([20, 999, -1], dtype=np.int32))
    assert np.isfinite(scores).all()
    np.testing.assert_array_equal(scores[0], scores[1])
    np.testing.assert_array_equal(scores[0], scores[2])


@pytest.mark.parametrize("name", SCORERS)
def test_the_batch_does_not_matter(scorers, name):
    scorer = scorers(name)
    users = np.arange(20, dtype=np.int32)
    together = scorer.score(users)
    alone = np.concatenate([scorer.score(users[i : i + 1]) for i in range(20)])
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(scorer.score(users[::-1]), together[::-1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", SCORERS)
def test_empty_batch(scorers, name):
    assert scorers(name).score(np.array([], dtype=np.int32)).shape == (0, 16)


@pytest.mark.parametrize("name", LEARNERS)
def test_the_checkerboard_is_learned(scorers, name):
    """With seen items left out, the item a user lacks of its own colour comes first."""
    board = checkerboard()
    rows = np.array([left_out(u) for u in range(20)], dtype=np.int32)
    test = butaca.Dataset(board.users, board.items, np.arange(20, dtype=np.int32), rows)
    assert evaluate_scorer(scorers(name), test, seen=Histories.of(board)).top_k(1) == 1.0


@pytest.mark.parametrize("name", SAME_FOR_ALL)
def test_popularity_cannot_learn_it(scorers, name):
    board = checkerboard()
    rows = np.array([left_out(u) for u in range(20)], dtype=np.int32)
    test = butaca.Dataset(board.users, board.items, np.arange(20, dtype=np.int32), rows)
    assert evaluate_scorer(scorers(name), test, seen=Histories.of(board)).top_k(1) < 0.5


def test_a_saved_history_tower_scores_as_it_did(scorers):
    users = np.arange(-1, 21, dtype=np.int32)
    want = scorers("history, closed form beside").score(users)
    np.testing.assert_allclose(scorers("history, saved").score(users), want, rtol=1e-5, atol=1e-5)
