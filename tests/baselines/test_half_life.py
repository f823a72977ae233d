"""The half-life of recent popularity is chosen on the training side as validation would."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from butaca.baselines import half_life as half_life_room
from butaca.baselines.half_life import SHARES, best_half_life, shared_ranks
from butaca.baselines.panel import Panel, fit_panel
from butaca.baselines.popularity import RecentPopularity
from butaca.data.dataset import Dataset, Entities
from butaca.data.histories import Histories
from butaca.data.splits import temporal_split, validation_split
from butaca.data.vocabulary import Vocabulary
from butaca.evaluate.protocol import evaluate_scorer, rank_pairs
from tests.support.boards import checkerboard
from tests.support.narrow import some


def drifting(pace: float, n_users: int = 300, n_items: int = 60, each: int = 6) -> Dataset:
    """Users who arrive one after another and have what is in fashion, which moves by `pace` items in all."""
    rng = np.random.default_rng(1)
    user = np.repeat(np.arange(n_users), each)
    time = np.arange(len(user)) * 10
    centre = pace * time / time[-1]
    item = np.abs(np.round(centre + rng.normal(size=len(user)) * 3)).astype(np.int32) % n_items
    users = Entities("user_id", Vocabulary.of(range(n_users)))
    items = Entities("item_id", Vocabulary.of(range(n_items)))
    return Dataset(users, items, user.astype(np.int32), item, timestamp=time)


@pytest.mark.parametrize("split", ["temporal", "last"])
def test_it_may_be_a_part_of_a_second(split):
    data = drifting(40)
    quick = replace(data, timestamp=some(data.timestamp) / 2.0**15)
    assert some(best_half_life(quick, split)) == some(best_half_life(data, split)) / 2.0**15


@pytest.mark.parametrize("split", ["temporal", "last"])
def test_it_is_the_best_of_the_grid_by_the_protocol_of_every_scorer(split):
    data = drifting(40)
    found = some(best_half_life(data, split))
    seen = Histories.of(data)
    once = Dataset(
        data.users,
        data.items,
        np.repeat(np.arange(len(seen), dtype=np.int32), seen.lengths),
        seen.items,
        timestamp=seen.time,
    )
    before, after = validation_split(once, split, share=0.2)
    span = float(np.ptp(some(before.timestamp)))
    had = Histories.of(before)
    value = {
        share * span: evaluate_scorer(RecentPopularity(share * span).fit(before), after, seen=had).metric(
            "ndcg"
        )
        for share in SHARES
    }
    assert value[found] == max(value.values())


def test_a_fast_fashion_has_a_short_half_life_and_a_lasting_one_a_long():
    span = np.ptp(some(drifting(0).timestamp))
    fast, lasting = (some(best_half_life(drifting(pace), "temporal")) for pace in (55, 0))
    assert fast / span < 0.1 < lasting / span


def test_the_order_of_rows_and_repeats_change_nothing():
    data = drifting(30)
    rows = np.random.default_rng(0).permutation(len(data))
    again = data.take(np.concatenate([rows, rows[:50]]))
    for split in ("temporal", "last"):
        assert best_half_life(again, split) == best_half_life(data, split)


def test_of_very_many_interactions_some_users_choose(monkeypatch):
    data = drifting(55, n_users=1000)
    looked = []

    def listening(train, split, **settings):
        looked.append(len(train))
        return validation_split(train, split, **settings)

    monkeypatch.setattr(half_life_room, "MOST", 2000)
    monkeypatch.setattr(half_life_room, "validation_split", listening)
    found = best_half_life(data, "temporal")
    assert looked[0] <= 2000
    assert found is not None
    assert found < 0.1 * np.ptp(some(data.timestamp))


def test_what_cannot_be_held_out_leaves_the_usual():
    data = replace(drifting(30), timestamp=np.zeros(1800, dtype=np.int64))
    assert best_half_life(data, "temporal") is None
    assert best_half_life(data, "last") is None
    assert "recent popularity" in fit_panel(data, "last").scorers


@given(
    scores=st.lists(st.integers(0, 4), min_size=6, max_size=6),
    had=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), max_size=12),
    pairs=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5)), min_size=1, max_size=12),
)
def test_shared_ranks_are_those_of_the_protocol(scores, had, pairs):
    row = np.array(scores, dtype=np.float32)

    class Same:
        n_items = 6

        def score(self, users):
            return np.broadcast_to(row, (len(users), 6))

    seen_user, seen_item = (np.array([h[c] for h in had], dtype=np.int32) for c in (0, 1))
    seen = Histories.from_pairs(seen_user, seen_item, n_users=4)
    user, item = (np.array([p[c] for p in pairs], dtype=np.int32) for c in (0, 1))
    want, _ = rank_pairs(Same(), user=user, item=item, seen=seen, k=0)
    np.testing.assert_array_equal(shared_ranks(row, user, item=item, seen=seen), want)


def half_life(panel: Panel) -> float | None:
    recent = panel.scorers["recent popularity"]
    assert isinstance(recent, RecentPopularity)
    return recent.half_life


def test_the_panel_of_what_comes_next_has_the_chain_and_the_chosen_half_life():
    data = drifting(40)
    usual = ["popularity", "recent popularity", "item-kNN", "iALS", "EASE"]
    assert list(fit_panel(data).scorers) == list(fit_panel(data, "user").scorers) == usual
    assert half_life(fit_panel(data)) is None
    train, _ = temporal_split(data)
    for split in ("temporal", "last"):
        found = fit_panel(train, split)
        assert list(found.scorers) == [*usual, "Markov chain"]
        assert half_life(found) == best_half_life(train, split) is not None
    timeless = fit_panel(replace(checkerboard(), timestamp=None), "temporal")
    assert timeless.left_out.keys() == {"recent popularity", "Markov chain"}
