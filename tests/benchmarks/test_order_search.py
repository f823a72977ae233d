"""The comparison with SASRec: the pure parts, a search that both sides get alike and how a curve is read."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.order.sasrec import OUR_SPACE, PEER_SPACE, PEER_START, SavedVectors, own_settings, recipe_of
from benchmarks.order.sasrec_page import ratio_text
from benchmarks.order.search import OrderTrial, best_of, draws, places_of, reached

from butaca import evaluate_scorer
from butaca.data.dataset import Dataset, Entities
from butaca.data.vocabulary import Vocabulary


def test_the_search_starts_where_it_says_and_draws_nothing_twice():
    drawn = draws(PEER_START, PEER_SPACE, trials=20, seed=3)
    assert len(drawn) == 20
    assert drawn[0] == dict(PEER_START)
    assert all(a != b for i, a in enumerate(drawn) for b in drawn[:i])
    assert all(each[name] in values for each in drawn[1:] for name, values in PEER_SPACE.items())
    assert drawn == draws(PEER_START, PEER_SPACE, trials=20, seed=3)
    assert draws(PEER_START, PEER_SPACE, trials=4, seed=3) == drawn[:4]


def test_a_small_space_runs_out():
    assert [d["a"] for d in draws({"a": 1}, {"a": (1, 2)}, trials=9, seed=0)] == [1, 2]


def test_a_trial_counts_by_its_best_epoch():
    trial = OrderTrial.of({"a": 1}, [(2.0, 0.1), (4.0, 0.3), (6.0, 0.3), (8.0, 0.2)])
    assert (trial.value, trial.place, trial.seconds) == (0.3, 2, 4.0)
    assert best_of([trial, OrderTrial.of({"a": 2}, [(1.0, 0.3)])]) is trial


@pytest.mark.parametrize(("goal", "seconds"), [(0.05, 2.0), (0.1, 2.0), (0.2, 4.0), (0.31, None)])
def test_a_goal_is_reached_at_the_first_epoch_that_stands_there(goal, seconds):
    assert reached([(2.0, 0.1), (4.0, 0.3), (6.0, 0.25)], goal) == seconds


def test_times_are_a_ratio_or_a_word():
    assert [ratio_text(2, 30), ratio_text(20, 30), ratio_text(None, 30)] == [
        "15 times",
        "1.5 times",
        "not reached",
    ]


def test_the_peer_reads_as_many_places_as_most_histories_need():
    assert places_of([1] * 100) == 10
    assert places_of([1] * 90 + [24] * 10) == 24
    assert places_of([500] * 5) == 100


def test_what_the_peer_never_saw_is_never_hit_and_its_ties_count_against_it():
    users, items = (Entities(key, Vocabulary.of(range(n))) for key, n in (("user_id", 2), ("item_id", 3)))
    test = Dataset(users, items, np.array([0, 1], dtype=np.int32), np.array([2, 1], dtype=np.int32))
    ones = np.ones((2, 1), dtype=np.float32)
    scorer = SavedVectors(ones, np.ones((3, 1), dtype=np.float32), np.array([True, True, False]))
    assert evaluate_scorer(scorer, test).ranks.tolist() == [2, 1]


def test_the_first_trial_is_the_recipe_itself_and_others_change_what_they_say():
    users, items = (Entities(key, Vocabulary.of(range(200))) for key in ("user_id", "item_id"))
    code = np.arange(200, dtype=np.int32)
    data = Dataset(users, items, code, code, timestamp=code.astype(np.int64))
    base = recipe_of("timescales", data, {})
    own = own_settings(base)
    assert set(own) == set(OUR_SPACE)
    assert recipe_of("timescales", data, own) == base
    other = {"dim": 32, "learning_rate": 0.5, "dropout": 0.0, "temperature": 0.9}
    assert own_settings(recipe_of("timescales", data, other)) == other
