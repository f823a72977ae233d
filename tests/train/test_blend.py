"""Blends: what a score is made of, by hand; and that validation chooses what the data ask for."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

import butaca
from butaca.data.dataset import Dataset, Entities
from butaca.data.splits import temporal_split
from butaca.data.vocabulary import Vocabulary
from butaca.train.blend import Blend, best_blend, recent_share
from butaca.types import Codes, Floats
from tests.support.narrow import some
from tests.support.ordered import rounds

N_USERS, N_ITEMS, DAY = 40, 30, 86_400


@dataclass(frozen=True)
class Fixed:
    """Scores that are given."""

    table: Floats

    @property
    def n_items(self) -> int:
        return int(self.table.shape[1])

    def score(self, users: Codes) -> Floats:
        return self.table[users]


def fashions(seed: int = 0) -> Dataset:
    """Whatever the user, each ten days have three items of their own."""
    rng = np.random.default_rng(seed)
    n = 1200
    time = np.sort(rng.integers(0, 100 * DAY, n))
    item = (time // (10 * DAY) * 3 + rng.integers(0, 3, n)).astype(np.int32)
    users = Entities("user_id", Vocabulary.of([f"u{u:02d}" for u in range(N_USERS)]), {})
    items = Entities("item_id", Vocabulary.of([f"i{i:02d}" for i in range(N_ITEMS)]), {})
    return Dataset(users, items, rng.integers(0, N_USERS, n).astype(np.int32), item, None, time)


def test_recent_shares_by_hand():
    data = fashions().take(np.arange(3))
    data = replace(data, item=np.array([0, 0, 1], np.int32), user=np.array([0, 1, 0], np.int32))
    data = replace(data, timestamp=np.array([0, 100, 100]))
    counts = np.full(N_ITEMS, 0.5)
    counts[0], counts[1] = 2 ** (-100 / 50) + 1.5, 1.5
    np.testing.assert_allclose(recent_share(data, 50.0), np.log(counts / counts.mean()), rtol=1e-5)
    term = np.arange(N_ITEMS, dtype=np.float32)
    assert Blend().of_items(None, None) is None
    assert Blend().share_in(data) is None
    np.testing.assert_array_equal(some(Blend(term=0.5).of_items(term, None)), term / 2)
    blend = Blend(term=0.5, recent=2.0, half_life=50.0)
    both = some(blend.of_items(term, blend.share_in(data)))
    np.testing.assert_allclose(both, term / 2 + 2 * recent_share(data, 50.0), rtol=1e-6)
    alone = some(Blend(recent=1.0, half_life=50.0).of_items(None, recent_share(data, 50.0)))
    np.testing.assert_array_equal(alone, recent_share(data, 50.0))


def test_what_everyone_has_lately_is_chosen_where_that_is_what_comes():
    """A fashion's items come just before it ends: noise for vectors, and a short half-life."""
    train, validation = temporal_split(fashions(), 0.05)
    noise = np.random.default_rng(1).normal(0, 3, (N_USERS, N_ITEMS)).astype(np.float32)
    blend, value = best_blend(Fixed(noise), np.zeros(N_ITEMS, np.float32), train=train, validation=validation)
    assert blend.personal == 0.2
    assert blend.recent == 1.0
    assert blend.half_life < 20 * DAY
    assert 0 < value < 1


def test_what_is_personal_stays_where_it_is_right():
    train, validation = temporal_split(fashions(), 0.05)
    right = np.random.default_rng(2).random((N_USERS, N_ITEMS)).astype(np.float32)  # no two alike
    right[validation.user, validation.item] += 100
    assert best_blend(Fixed(right), None, train=train, validation=validation)[0] == Blend()


def test_a_recipe_that_is_asked_for_a_later_time_chooses_and_answers_by_its_choice():
    data = rounds(n_users=80)
    plain = butaca.recipe("default").ordered("timescales").for_data(data, future=True)
    assert plain.asks is None
    asked = butaca.recipe("default").ordered("timescales").for_data(data, future=True, asks="temporal")
    fast = replace(asked, epochs=4, batch_size=200)
    model, _ = fast.fit(data)
    blend = some(model.settings.blend)
    again, _ = fast.fit(data)
    assert again.settings.blend == blend
    np.testing.assert_array_equal(again.user_vectors, model.user_vectors)
    unblended, _ = replace(fast, asks=None).fit(data)
    users = np.arange(79, dtype=np.int32)
    products = unblended.products().score(users)
    want = blend.personal * products + some(blend.of_items(unblended.item_bias, blend.share_in(data)))
    np.testing.assert_allclose(model.score(users), want, rtol=1e-4, atol=1e-4)
    new = model.query_vectors(model.seen)  # the tower itself is blended, for people to come as well
    np.testing.assert_allclose(new, model.user_vectors[:-1], rtol=1e-4, atol=1e-5)


def test_a_notebook_or_too_many_data_choose_nothing(monkeypatch):
    data = rounds()
    assert butaca.recipe("notebook").for_data(data, asks="temporal").asks is None
    monkeypatch.setattr("butaca.recipes.size.FEW_EPOCHS_PAIRS", 10)
    assert butaca.recipe("default").for_data(data, asks="temporal").asks is None
