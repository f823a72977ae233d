"""Windows of histories: what is in them, in which order, and that every place is a target once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from butaca.data.histories import Histories
from butaca.train.batch import BatchPlan, UserRows, Windows
from butaca.train.windows import WindowBatches, cuts_of, packed
from tests.support.narrow import some
from tests.support.ordered import N_ITEMS, N_USERS, rounds


def batches(data, *, size=100, window=8, candidates="full", n_shards=1, shuffle="epoch", seed=0):
    seen = Histories.of(data)
    rows_per_shard = -(-(len(data.items) + 1) // n_shards)
    return WindowBatches(
        data.user,
        data.item,
        n_users=len(data.users),
        n_items=len(data.items),
        plan=BatchPlan(size, candidates, seed=seed, by="place", window=window, shuffle=shuffle, samples=9),
        n_shards=n_shards,
        rows_per_shard=rows_per_shard,
        histories=UserRows(seen.items, seen.start, time=seen.time),
    )


@given(st.lists(st.integers(0, 40), min_size=1, max_size=20), st.integers(2, 16))
def test_every_place_but_the_first_is_learned_once(lengths, window):
    cuts = cuts_of(np.array(lengths), window)
    learned: dict[int, list[int]] = {}
    for user, start, length, known in zip(*(c.tolist() for c in cuts), strict=True):
        assert length <= window
        assert start == 0 or known >= window // 2
        learned.setdefault(user, []).extend(range(start + known, start + length))
    for user, n in enumerate(lengths):
        assert sorted(learned.get(user, [])) == list(range(1, n)), n


@given(st.lists(st.integers(1, 12), min_size=1, max_size=60))
def test_windows_are_packed_without_overlap(lengths):
    sizes = np.array(lengths)
    of, at = packed(sizes, 12)
    taken: set[tuple[int, int]] = set()
    for row, place, size in zip(of.tolist(), at.tolist(), sizes.tolist(), strict=True):
        mine = {(row, p) for p in range(place, place + size)}
        assert place + size <= 12
        assert not mine & taken
        taken |= mine
    assert of.max() + 1 <= 2 * -(-sizes.sum() // 12)


@pytest.mark.parametrize("n_shards", [1, 3])
def test_a_batch_holds_histories_in_their_order(n_shards):
    data = rounds()
    made = batches(data, n_shards=n_shards)
    targets = np.zeros((N_USERS, N_ITEMS), int)
    latest = {
        (int(u), int(i)): int(t) for u, i, t in zip(data.user, data.item, some(data.timestamp), strict=True)
    }
    steps = list(made.epoch(0))
    assert len(steps) == len(made) > 3
    for batch in steps:
        windows = batch.history
        assert isinstance(windows, Windows)
        assert windows.item.shape == steps[0].history.item.shape
        item, begins = windows.item.reshape(-1), windows.begins.reshape(-1)
        gap, user = windows.gap.reshape(-1), batch.query_rows
        real = item < N_ITEMS
        assert (user[~real] == N_USERS).all()
        assert not batch.positive_weight[~real].any()
        for place in np.flatnonzero(real):
            now = latest[int(user[place]), int(item[place])]
            if begins[place]:
                assert gap[place] == 0
                assert batch.positive_weight[place] == 0
                continue
            before = latest[int(user[place - 1]), int(item[place - 1])]
            assert user[place] == user[place - 1]
            assert now > before
            assert gap[place] == pytest.approx((now - before) / 86_400, rel=1e-6)
            targets[user[place], item[place]] += int(batch.positive_weight[place])
        assert (batch.positive_slot[real] == item[real]).all()
    for u in range(N_USERS - 1):
        mine = data.user == u
        first = data.item[mine][np.argmin(some(data.timestamp)[mine])]
        want = np.bincount(data.item[mine], minlength=N_ITEMS)
        want[first] = 0
        np.testing.assert_array_equal(targets[u], want)


def test_what_happens_within_one_second_comes_in_its_order():
    data = rounds()
    when = some(data.timestamp)
    quick = replace(data, timestamp=1_700_000_000 + (when - when.min()) / (np.ptp(when) + 1))
    for one, other in zip(batches(data).epoch(0), batches(quick).epoch(0), strict=True):
        np.testing.assert_array_equal(other.history.item, one.history.item)
        np.testing.assert_array_equal(other.history.begins, one.history.begins)
        assert (other.history.gap[one.history.gap > 0] > 0).all()


def test_equal_times_come_in_another_order_each_epoch():
    """Neither ids nor rows decide: over many epochs each of two comes first half the time."""
    data = rounds(ties=True)
    made = batches(data)
    first = []
    for epoch in range(60):
        for batch in made.epoch(epoch):
            item, begins = batch.history.item.reshape(-1), batch.history.begins.reshape(-1)
            at = np.flatnonzero(begins & (item < N_ITEMS) & (batch.query_rows == 7))
            first += [item[p : p + 2].tolist() for p in at if batch.history.gap.reshape(-1)[p + 1] == 0][:1]
    pairs = {tuple(sorted(p)) for p in first}
    assert len(pairs) <= 3  # the windows of one person begin at few places
    up = np.mean([p[0] < p[1] for p in first])
    assert 0.3 < up < 0.7
    again = list(batches(data).epoch(5))
    for one, other in zip(again, made.epoch(5), strict=True):
        np.testing.assert_array_equal(one.history.item, other.history.item)


@pytest.mark.parametrize("candidates", ["in_batch", "sampled"])
def test_other_candidates(candidates):
    for batch in batches(rounds(), candidates=candidates).epoch(0):
        real = batch.positive_weight > 0
        item = batch.history.item.reshape(-1)[real]
        slot = batch.positive_slot[real]
        if candidates == "in_batch":
            np.testing.assert_array_equal(batch.candidate_rows[slot], item)
            counts = np.bincount(item, minlength=N_ITEMS)
            np.testing.assert_allclose(np.exp(batch.log_weight[slot]), counts[item], rtol=1e-6)
        else:
            np.testing.assert_array_equal(slot, item)
            assert len(batch.candidate_rows) >= 9


@settings(max_examples=5)
@given(st.integers(0, 2**31))
def test_one_order_for_all_epochs_if_asked(seed):
    made = batches(rounds(ties=True), shuffle="once", seed=seed)
    assert made.repeats
    for one, other in zip(made.epoch(0), made.epoch(3), strict=True):
        np.testing.assert_array_equal(one.history.item, other.history.item)


def test_a_place_takes_the_weight_of_its_item_along():
    data = rounds()
    weight = (1 + np.arange(len(data)) % 5).astype(np.float32)
    seen = Histories.of(replace(data, weight=weight))
    plain = batches(data)
    weighed = batches(data)
    weighed.histories = some(weighed.histories)._replace(weight=seen.weight)
    for one, other in zip(plain.epoch(0), weighed.epoch(0), strict=True):
        np.testing.assert_array_equal(one.positive_slot, other.positive_slot)
        for place in np.flatnonzero(one.positive_weight).tolist():
            user, item = int(one.query_rows[place]), int(one.positive_slot[place])
            at = seen.start[user] + seen[user].tolist().index(item)
            assert other.positive_weight[place] == some(seen.weight)[at]
