"""A fitted tower with what followed upon what beside it: as loud as it was asked for, the same everywhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from butaca.data.dataset import Dataset, Entities
from butaca.data.histories import Histories
from butaca.data.vocabulary import Vocabulary
from butaca.evaluate.scorers import answering
from butaca.model.features import History, Id
from butaca.model.followers import FollowerSettings
from butaca.recommend.person import Given
from butaca.recommend.recommender import Recommender
from butaca.train import vectors
from butaca.train.vectors import spread
from butaca.two_tower import TwoTower
from tests.support.narrow import some
from tests.support.ordered import ADAM, N_ITEMS, fitted, rounds

FOLLOWED = FollowerSettings(weight=0.4, half_life=1.0)


@pytest.mark.parametrize("name", ["timescales", "attention"])
def test_it_is_so_loud_beside_what_was_trained(name):
    model, plain = fitted(name, epochs=1, followers=FOLLOWED), fitted(name, epochs=1)
    users = np.flatnonzero(model.seen.lengths).astype(np.int32)
    trained = plain.score(users)
    added = model.score(users) - trained
    assert spread(added) == pytest.approx(0.4 * spread(trained), rel=1e-4)
    tower = model.query_tower
    np.testing.assert_allclose(
        some(tower.pairs).scores(users, model.seen) * tower.pairs_scale, added, rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("name", ["timescales", "attention"])
def test_it_counts_alike_wherever_a_history_comes_from(name, ties):
    """Stored, of given histories, in a request with times, later, and in what explains it."""
    data = rounds(ties=ties)
    model = fitted(name, ties=ties, epochs=1, followers=FOLLOWED)
    recommender = Recommender.build(model, data)
    seen, ids = model.seen, model.items.ids.values
    code = 7
    want = model.score(np.array([code], np.int32))[0]
    at = slice(int(seen.start[code]), int(seen.start[code + 1]))
    one = Histories.from_pairs(np.zeros(12, np.int32), seen.items[at], n_users=1, time=some(seen.time)[at])
    np.testing.assert_allclose(
        answering(model, one).score(np.zeros(1, np.int32))[0], want, rtol=1e-4, atol=1e-4
    )
    np.testing.assert_allclose(recommender.score(np.array([code]))[0], want, rtol=1e-4, atol=1e-4)
    had = [Given(ids[i], None, t) for i, t in zip(one.items.tolist(), some(one.time).tolist(), strict=True)]
    left = sorted(set(range(N_ITEMS)) - set(one.items.tolist()))
    for answer in (
        recommender.recommend(model.users.ids.values[code], N_ITEMS),
        recommender.recommend(None, N_ITEMS, history=had[::-1]),
        recommender.recommend(None, N_ITEMS, later=had),
    ):
        scores = {item.id: item.score for item in answer.items}
        assert sorted(scores) == [ids[i] for i in left]
        np.testing.assert_allclose([scores[ids[i]] for i in left], want[left], rtol=1e-4, atol=1e-4)
    parts = some(recommender.explain(ids.tolist(), None, history=had))
    np.testing.assert_allclose(parts.total(), want, rtol=1e-4, atol=1e-4)


def test_where_nothing_follows_for_those_who_set_the_scale_it_does_not_count(monkeypatch):
    """Divided by no spread at all it would drown everything, for whoever something does follow."""
    monkeypatch.setattr(vectors, "SPREAD_USERS", 20)
    user = np.append(np.arange(20), 20 + np.arange(90) // 3).astype(np.int32)
    item = np.append(7 + np.arange(20) % 2, (np.arange(90) // 3 + np.arange(90) % 3) % 7).astype(np.int32)
    users, items = (
        Entities(key, Vocabulary.of([f"{key}{i:02d}" for i in range(n)]), {})
        for key, n in (("user_id", 50), ("item_id", 9))
    )
    data = Dataset(users, items, user, item, None, np.arange(110, dtype=np.int64))
    model = TwoTower(
        query=(History(),), candidate=(Id("item_id"),), dim=4, unit=True, temperature=0.2, followers=FOLLOWED
    )
    model.fit(data, epochs=1, batch_size=64, optimizer=ADAM)
    assert model.query_tower.pairs is None
    assert np.abs(model.score(np.arange(50, dtype=np.int32))).max() < 10


def test_it_takes_no_training_and_needs_times():
    model = fitted("timescales", epochs=1)
    louder = fitted("timescales", epochs=1, followers=FOLLOWED)
    np.testing.assert_array_equal(model.user_vectors, louder.user_vectors)
    untimed = TwoTower(query=(History(),), candidate=(Id("item_id"),), dim=4, followers=FOLLOWED)
    untimed.fit(replace(rounds(), timestamp=None), epochs=1, batch_size=64, optimizer=ADAM)
    assert untimed.query_tower.pairs is None
