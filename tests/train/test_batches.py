"""Batches of unique rows: every pair once, log-weights that say what they should."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from butaca.data.histories import Histories
from butaca.errors import SettingError
from butaca.train.batch import BatchPlan, UserRows
from butaca.train.batches import Batches
from butaca.train.slots import knowing
from tests.support.narrow import some

N_USERS, N_ITEMS = 9, 13


def rows_of(batch):
    """Catalogue rows by slot."""
    return np.arange(len(batch.log_weight)) if batch.candidate_rows is None else batch.candidate_rows


def pairs_of(batch, sampled=False):
    """The (user, item) pairs that a batch trains on; a sampled one's slots are rows."""
    real = batch.positive_weight > 0
    user = batch.query_rows[batch.positive_query[real]]
    slot = batch.positive_slot[real]
    item = slot if sampled else rows_of(batch)[slot]
    return sorted(zip(user.tolist(), item.tolist(), strict=True))


@st.composite
def data(draw):
    n = draw(st.integers(1, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    return rng.integers(0, N_USERS, n).astype(np.int32), rng.integers(0, N_ITEMS, n).astype(np.int32)


@settings(max_examples=60, deadline=None)
@given(
    data(),
    st.sampled_from(["in_batch", "full", "sampled"]),
    st.sampled_from(["none", "known"]),
    st.sampled_from(["once", "epoch"]),
    st.sampled_from([1, 7, 100]),
    st.sampled_from([1, 3]),
)
def test_every_pair_once_an_epoch_in_shapes_that_never_change(pairs, candidates, mask, shuffle, size, shards):
    user, item = pairs
    plan = BatchPlan(size, candidates, mask, samples=5, shuffle=shuffle)
    rows_per_shard = -(-(N_ITEMS + 1) // shards)
    batches = Batches(
        user,
        item,
        n_users=N_USERS,
        n_items=N_ITEMS,
        plan=plan,
        n_shards=shards,
        rows_per_shard=rows_per_shard,
    )
    shapes = set()
    for epoch in (0, 1):
        seen = []
        for step, batch in enumerate(batches.epoch(epoch)):
            seen += pairs_of(batch, candidates == "sampled")
            assert batch.history is None
            shapes.add(tuple(None if a is None else a.shape for a in batch[:-1]))
            if batch.candidate_rows is not None:  # each device finds its candidates among its own rows
                slots = len(batch.candidate_rows)
                owner = np.arange(slots) // (slots // shards)
                assert (batch.candidate_rows // rows_per_shard == owner).all()
                check_candidates(batch, drawn_by(batches, epoch, step) if candidates == "sampled" else None)
            if mask == "known":
                check_known(batch, user, item, candidates == "sampled")
        assert sorted(seen) == sorted(zip(user.tolist(), item.tolist(), strict=True))
    assert len(shapes) == 1


@settings(max_examples=60, deadline=None)
@given(
    data(),
    st.sampled_from(["in_batch", "full", "sampled"]),
    st.sampled_from(["none", "known"]),
    st.sampled_from(["once", "epoch"]),
    st.sampled_from([1, 7, 100]),
    st.sampled_from([1, 3]),
    st.booleans(),
)
def test_batches_of_whole_users_beside_their_histories(
    pairs, candidates, mask, shuffle, size, shards, details
):
    user, item = pairs
    rng = np.random.default_rng(len(user))
    value, time = rng.integers(0, 4, len(user)).astype(np.float32), rng.integers(0, 9, len(user))
    seen = Histories.from_pairs(user, item, n_users=N_USERS, value=value, time=time)
    rows = UserRows(
        seen.items,
        seen.start,
        some(seen.value).astype(np.int32) if details else None,
        some(seen.time).astype(np.float32) if details else None,
    )
    plan = BatchPlan(size, candidates, mask, samples=5, shuffle=shuffle, by="user")
    rows_per_shard = -(-(N_ITEMS + 1) // shards)
    batches = Batches(
        user,
        item,
        n_users=N_USERS,
        n_items=N_ITEMS,
        plan=plan,
        n_shards=shards,
        rows_per_shard=rows_per_shard,
        histories=rows,
    )
    shapes = set()
    for epoch in (0, 1):
        built = list(batches.epoch(epoch))
        assert len(built) == len(batches)
        got, met = [], []
        for batch in built:
            got += pairs_of(batch, candidates == "sampled")
            queries = batch.query_rows[batch.query_rows < N_USERS].tolist()
            met += queries
            assert queries == sorted(set(queries))
            # Everything of each of its users is here.
            whole = [(u, i) for u, i in zip(user.tolist(), item.tolist(), strict=True) if u in queries]
            assert pairs_of(batch, candidates == "sampled") == sorted(whole)
            shapes.add(
                tuple(None if a is None else a.shape for a in batch[:-1])
                + tuple(None if a is None else a.shape for a in some(batch.history))
            )
            check_history(batch, queries, seen, shards * rows_per_shard, details)
            assert batch.known_query is None
            if mask == "known":
                check_known(knowing(batch), user, item, candidates == "sampled")
        assert sorted(got) == sorted(zip(user.tolist(), item.tolist(), strict=True))
        assert sorted(met) == sorted(set(user.tolist()))  # each user once
    assert len(shapes) == 1


def check_history(batch, queries, seen, beyond, details):
    """Row by row: each query's own history, in ascending rows, then padding that counts nothing."""
    history = batch.history
    assert (np.diff(history.query) >= 0).all()
    assert history.query.max() < len(batch.query_rows)
    real = history.weight > 0
    n = int(real.sum())
    assert real[:n].all()
    assert history.weight[:n].tolist() == [1.0] * n
    assert (history.item[n:] == beyond).all()  # on no device
    assert n == sum(len(seen[u]) for u in queries)
    for row, u in enumerate(queries):
        mine = real & (history.query == row)
        stretch = slice(seen.start[u], seen.start[u + 1])
        assert history.item[mine].tolist() == seen[u].tolist()
        if details:
            assert history.bins[mine].tolist() == seen.value[stretch].tolist()
            assert history.age[mine].tolist() == seen.time[stretch].tolist()
    assert (history.bins is None) == (history.age is None) == (not details)


def test_a_batch_of_users_has_about_its_pairs():
    """Ten users of 8 pairs each, 24 a batch: three users, and the last user alone."""
    user, item = np.repeat(np.arange(10), 8).astype(np.int32), np.tile(np.arange(8), 10).astype(np.int32)
    batches = Batches(user, item, n_users=10, n_items=8, plan=BatchPlan(24, by="user"))
    assert [int((b.positive_weight > 0).sum()) for b in batches.epoch(0)] == [24, 24, 24, 8]
    assert {len(b.query_rows) for b in batches.epoch(0)} == {3}
    first, second = (pairs_of(next(iter(batches.epoch(e)))) for e in (0, 1))
    assert first != second  # users are drawn anew
    assert not batches.repeats
    whole = Batches(user, item, n_users=10, n_items=8, plan=BatchPlan(80, by="user"))
    assert whole.repeats  # one batch is the same in any order
    assert next(iter(whole.epoch(0))) is next(iter(whole.epoch(5)))


def test_a_user_larger_than_a_batch_stays_whole():
    user, item = np.array([0] * 20 + [1], np.int32), np.array([*range(20), 3], np.int32)
    sizes = [
        len(pairs_of(b))
        for b in Batches(user, item, n_users=2, n_items=20, plan=BatchPlan(2, by="user")).epoch(0)
    ]
    assert sorted(sizes) == [1, 20]


def drawn_by(batches, epoch, step):
    """The items that a step draws, by the proposal's own definition."""
    counts = np.bincount(batches.item, minlength=batches.n_items) ** batches.plan.sampling_power
    rng = np.random.default_rng([batches.plan.seed, 1, epoch, step])
    return set(rng.choice(batches.n_items, batches.plan.samples, p=counts / counts.sum()).tolist())


def check_candidates(batch, drawn):
    """The batch's items, or the draws, each in one slot."""
    counted = rows_of(batch)[batch.log_weight > -np.inf].tolist()
    assert len(counted) == len(set(counted))
    assert set(counted) == ({item for _, item in pairs_of(batch)} if drawn is None else drawn)


def check_known(batch, user, item, sampled):
    """The mask holds the known pairs, exactly: those among the batch's candidates, or all, by row."""
    rows = np.arange(N_ITEMS) if sampled else rows_of(batch)
    batch = batch._replace(known_query=np.array(batch.known_query), known_slot=np.array(batch.known_slot))
    real = (batch.known_slot >= 0) & (batch.known_slot < len(rows))
    if not sampled:
        real[real] = batch.log_weight[batch.known_slot[real]] > -np.inf
    of = batch.query_rows[batch.known_query[real]]
    got = set(zip(of.tolist(), rows[batch.known_slot[real]].tolist(), strict=True))
    in_batch = set(batch.query_rows.tolist())
    present = set(rows.tolist() if sampled else rows[batch.log_weight > -np.inf].tolist())
    pairs = zip(user.tolist(), item.tolist(), strict=True)
    assert got == {(u, i) for u, i in pairs if u in in_batch and i in present}


def test_in_batch_weights_are_counts():
    user = np.array([0, 1, 2, 0], dtype=np.int32)
    item = np.array([3, 3, 5, 3], dtype=np.int32)
    (batch,) = Batches(user, item, n_users=3, n_items=6, plan=BatchPlan(10)).epoch(0)
    weight = dict(zip(some(batch.candidate_rows).tolist(), batch.log_weight.tolist(), strict=True))
    assert weight[3] == pytest.approx(np.log(3))
    assert weight[5] == pytest.approx(0.0)


def test_sampled_weights_are_draws_over_expected_draws():
    user, item = np.zeros(4, dtype=np.int32), np.array([0, 0, 0, 1], dtype=np.int32)
    plan = BatchPlan(4, "sampled", samples=8, sampling_power=1.0)
    (batch,) = Batches(user, item, n_users=1, n_items=2, plan=plan).epoch(0)
    rng = np.random.default_rng([42, 1, 0, 0])
    drawn = np.bincount(rng.choice(2, 8, p=[0.75, 0.25]), minlength=2)
    assert (drawn > 0).all()
    for code, expected in ((0, 6.0), (1, 2.0)):  # 8 draws at 3/4 and 1/4
        slot = some(batch.candidate_rows)[:2].tolist().index(code)
        assert batch.log_weight[slot] == pytest.approx(np.log(drawn[code] / expected))


def test_a_sampled_softmax_has_no_more_columns_than_draws():
    """The effect: other users' positives are no candidates, however many they are."""
    user, item = np.arange(600, dtype=np.int32) % 30, np.arange(600, dtype=np.int32)
    (batch,) = Batches(user, item, n_users=30, n_items=600, plan=BatchPlan(600, "sampled", samples=20)).epoch(
        0
    )
    assert len(batch.log_weight) == 32  # in sixteens
    assert pairs_of(batch, sampled=True) == sorted(zip(user.tolist(), item.tolist(), strict=True))


def test_draws_are_split_over_shards_and_no_shard_has_room_for_all():
    """8,000 draws from 40,000 items over 8 shards: room for an eighth and a bit, in every step."""
    item = np.arange(40_000, dtype=np.int32)
    user, plan = item // 40, BatchPlan(4000, "sampled", samples=8000)
    batches = Batches(user, item, n_users=1000, n_items=40_000, plan=plan, n_shards=8, rows_per_shard=5001)
    for step, batch in enumerate(batches.epoch(0)):
        rows, weight = some(batch.candidate_rows).reshape(8, -1), batch.log_weight.reshape(8, -1)
        assert 900 < rows.shape[1] < 1200
        assert (rows // 5001 == np.arange(8)[:, None]).all()
        assert set(rows[weight > -np.inf].tolist()) == drawn_by(batches, 0, step)


def test_where_one_shard_draws_more_than_usual_there_is_room():
    item = np.arange(400, dtype=np.int32)
    plan = BatchPlan(400, "sampled", samples=300, sampling_power=0.0, seed=0)
    batches = Batches(item // 4, item, n_users=100, n_items=400, plan=plan, n_shards=4, rows_per_shard=101)
    usual = batches._slots.usual
    batches._slots = batches._slots._replace(usual=16, grain=16)
    (batch,) = batches.epoch(0)
    assert 32 <= len(batch.log_weight) // 4 <= usual
    assert set(some(batch.candidate_rows)[batch.log_weight > -np.inf].tolist()) == drawn_by(batches, 0, 0)


class Highest:
    """A generator whose uniform numbers are the largest that there are."""

    def random(self, n):
        return np.full(n, 1 - 2.0**-53)


def test_no_draw_lies_beyond_the_catalogue(monkeypatch):
    """Sums of shares that end a digit below 1, or above, for hundreds of catalogues."""
    for seed in range(200):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(1000, 3000))
        item = rng.integers(0, n, 3 * n).astype(np.int32)
        batches = Batches(
            np.sort(item % 9), item, n_users=9, n_items=n, plan=BatchPlan(10**6, "sampled", samples=4)
        )
        with monkeypatch.context() as patch:
            patch.setattr(np.random, "default_rng", lambda _: Highest())
            rows, weight = batches._candidates(0, 0)
        (last,) = some(rows)[weight > -np.inf]
        assert last <= n - 1
        assert (item == last).any()  # one that can be drawn


def test_once_repeats_and_epoch_does_not():
    rng = np.random.default_rng(0)
    user, item = rng.integers(0, 9, 50).astype(np.int32), rng.integers(0, 13, 50).astype(np.int32)
    cases: tuple[tuple[Literal["once", "epoch"], bool], ...] = (("once", True), ("epoch", False))
    for shuffle, same in cases:
        batches = Batches(user, item, n_users=9, n_items=13, plan=BatchPlan(20, shuffle=shuffle))
        first, second = (pairs_of(next(iter(batches.epoch(e)))) for e in (0, 1))
        assert (first == second) is same


def test_an_epoch_can_begin_in_the_middle():
    rng = np.random.default_rng(0)
    user, item = rng.integers(0, 9, 50).astype(np.int32), rng.integers(0, 13, 50).astype(np.int32)
    batches = Batches(user, item, n_users=9, n_items=13, plan=BatchPlan(20, "sampled", samples=6))
    whole = list(batches.epoch(3))
    for batch, again in zip(whole[1:], batches.epoch(3, start=1), strict=True):
        for a, b in zip(batch, again, strict=True):
            np.testing.assert_array_equal(a, b)


def test_settings_are_checked():
    with pytest.raises(SettingError, match="batch_size=0"):
        BatchPlan(0)
    with pytest.raises(SettingError, match="samples=0"):
        BatchPlan(1, "sampled", samples=0)


def test_without_logq_a_draw_weighs_by_how_often_it_came_alone():
    user, item = np.arange(40, dtype=np.int32) % 8, np.arange(40, dtype=np.int32) % 5
    plan = BatchPlan(40, "sampled", samples=64, sampling_power=1.0, logq=False)
    (batch,) = Batches(user, item, n_users=8, n_items=9, plan=plan).epoch(0)
    weights = np.exp(np.asarray(batch.log_weight))
    assert weights[weights > 1e-6].sum() == pytest.approx(64, rel=1e-5)  # times drawn, uncorrected
    (corrected,) = Batches(user, item, n_users=8, n_items=9, plan=replace(plan, logq=True)).epoch(0)
    assert np.exp(np.asarray(corrected.log_weight)).sum() == pytest.approx(5, rel=1e-4)  # each of five once


@pytest.mark.parametrize("by", ["pair", "user"])
def test_a_pair_takes_its_weight_along(by: Literal["pair", "user"]) -> None:
    rng = np.random.default_rng(0)
    pairs = np.argwhere(rng.random((N_USERS, N_ITEMS)) < 0.5).astype(np.int32)
    user, item = rng.permutation(pairs).T
    weight = (user * 100 + item + 1).astype(np.float32)
    made = Batches(
        user, item, n_users=N_USERS, n_items=N_ITEMS, plan=BatchPlan(7, "full", by=by), weight=weight
    )
    found = [
        (int(batch.query_rows[q]), int(slot), w)
        for batch in made.epoch(0)
        for q, slot, w in zip(
            batch.positive_query, batch.positive_slot, batch.positive_weight.tolist(), strict=True
        )
        if w
    ]
    assert sorted(found) == sorted(zip(user.tolist(), item.tolist(), weight.tolist(), strict=True))
