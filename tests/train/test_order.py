"""Towers that read a history in order: serving against training, causality, and what order is worth."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import butaca
from butaca.data.histories import Histories
from butaca.data.splits import leave_last_out
from butaca.errors import FeatureError, SettingError
from butaca.evaluate.protocol import evaluate_scorer
from butaca.model.entries import Entries
from butaca.model.features import History
from butaca.model.towers import unit
from butaca.train.batch import Windows
from butaca.train.step import read_windows
from butaca.two_tower import TwoTower
from tests.support.narrow import some
from tests.support.ordered import ADAM, N_ITEMS, N_USERS, SETTINGS, fitted, rounds


def read(model, windows, dropout=0.0):
    """What the training step reads of windows, [R, L, d]."""
    towers = model._fitted.run.towers
    reader = towers.query.history
    table = towers.candidate.tables["item_id"] if reader.table is None else reader.table
    out = read_windows(
        reader, table, windows=jax.tree.map(jnp.asarray, windows),
        dropout=dropout, count=jnp.uint32(3), first=0, axis=None,
    )  # fmt: skip
    return np.asarray(out).reshape(*windows.item.shape, -1)


def one_each(seen, users, length):
    """A row for each user: their history in order, and a further place that asks what comes next."""
    shape = (len(users), length)
    item, gap = np.full(shape, N_ITEMS + 1, np.int32), np.zeros(shape, np.float32)
    for row, user in enumerate(users):
        at = np.arange(seen.start[user], seen.start[user + 1])
        at = at[np.argsort(seen.time[at])]
        item[row, : len(at)] = seen.items[at]
        gap[row, 1 : len(at)] = np.diff(seen.time[at]) / 86_400
    begins = np.zeros(shape, bool)
    begins[:, 0] = True
    return Windows(item, begins, gap, np.cumsum(gap, axis=1))


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("softmax", ["full", "in_batch", "sampled"])
def test_numpy_answers_what_was_trained(name, softmax):
    more = {} if softmax == "full" else {"softmax": softmax, "samples": 20}
    model = fitted(name, **more)
    seen = model.seen
    if name == "attention":  # what it reads is its window
        seen = latest(seen, 8)
    users = np.arange(N_USERS - 1)
    windows = one_each(seen, users, 13)
    there = read(model, windows)
    n = seen.lengths[:-1]
    want = there[users, n]
    want = np.asarray(unit(jnp.asarray(want))) / model.settings.temperature
    np.testing.assert_allclose(model.user_vectors[users], want, rtol=2e-4, atol=2e-4)
    assert not model.user_vectors[-1].any()


def latest(seen, n):
    rows = np.concatenate([
        np.arange(a, b)[np.argsort(seen.time[a:b])][-n:]
        for a, b in zip(seen.start[:-1], seen.start[1:], strict=True)
    ]).astype(int)  # fmt: skip
    user = np.searchsorted(seen.start, rows, side="right") - 1
    return Histories.from_pairs(
        user.astype(np.int32), seen.items[rows], n_users=len(seen), time=seen.time[rows]
    )


@pytest.mark.parametrize("name", SETTINGS)
def test_the_future_changes_nothing(name):
    """Whatever comes at a place and after it, what is read there stays, and so does another window."""
    model = fitted(name)
    rng = np.random.default_rng(2)
    item = rng.integers(0, N_ITEMS, (2, 8)).astype(np.int32)
    begins = np.zeros((2, 8), bool)
    begins[:, [0, 5]] = True
    gap = np.where(begins, 0, rng.random((2, 8))).astype(np.float32)

    def days(gap):
        """Since each window began: at places 0 and 5."""
        return np.concatenate([np.cumsum(gap[:, :5], axis=1), np.cumsum(gap[:, 5:], axis=1)], axis=1)

    before = read(model, Windows(item, begins, gap, days(gap)))
    for place in range(8):
        other, later = item.copy(), gap.copy()
        other[:, place:] = (other[:, place:] + 1) % N_ITEMS
        later[:, place + 1 :] += np.where(begins[:, place + 1 :], 0, 3)
        after = read(model, Windows(other, begins, later, days(later)))
        np.testing.assert_array_equal(after[:, : place + 1], before[:, : place + 1])
        if place < 4:
            assert np.abs(after[:, 4] - before[:, 4]).max() > 1e-3
            if place:
                moved = item.copy()
                moved[:, :5] = (moved[:, :5] + 1) % N_ITEMS
                np.testing.assert_array_equal(
                    read(model, Windows(moved, begins, gap, days(gap)))[:, 5:], before[:, 5:]
                )
    assert not before[:, [0, 5]].any()  # a window begins with nothing


@pytest.mark.parametrize("name", ["timescales", "attention"])
def test_order_says_what_comes_next(name):
    """On a ring of items the last one decides: a bag of the history can't tell, an order can."""
    data = rounds(n_users=200)
    train, test = leave_last_out(data)
    bag = TwoTower([History(dropout=0.1)], [butaca.Id("item_id")], dim=8, unit=True, temperature=0.2)
    tower = TwoTower(SETTINGS[name]["query"], [butaca.Id("item_id")], dim=8, unit=True, temperature=0.2)
    found = []
    for model in (bag, tower):
        model.fit(train, epochs=25, batch_size=200, optimizer=ADAM)
        found.append(evaluate_scorer(model, test, seen=Histories.of(train)).top_k(1))
    assert found[1] > 0.7, found
    assert found[1] > 1.8 * found[0], found


@pytest.mark.parametrize("name", SETTINGS)
def test_neither_ids_nor_rows_decide_between_equal_times(name):
    """Tied items in another order, or under other codes: the vector of a history is the same."""
    reader = some(fitted(name, ties=True).query_tower.history)
    rng = np.random.default_rng(0)
    items = rng.permutation(N_ITEMS)[:10].astype(np.int32)
    time = np.repeat(np.arange(5), 2) * 90_000
    rows = np.zeros(10, int)
    want = reader.pooled(Entries(rows, items, None, time), 1)
    for _ in range(5):
        order = rng.permutation(10)
        got = reader.pooled(Entries(rows, items[order], None, time[order]), 1)
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)
    new = rng.permutation(N_ITEMS)
    renamed = reader.with_table(reader.table[np.argsort(new)])
    got = renamed.pooled(Entries(rows, new[items].astype(np.int32), None, time), 1)
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)
    turned = time.max() - time
    assert np.abs(reader.pooled(Entries(rows, items, None, turned), 1) - want).max() > 1e-3


@pytest.mark.parametrize("name", ["timescales", "attention"])
def test_one_or_many_histories(name):
    """Vectors of people together are those of each alone, whatever the lengths beside them."""
    model = fitted(name)
    tower, seen = model.query_tower, model.seen
    short = Histories.from_pairs(
        np.repeat([0, 1, 2], [1, 5, 9]), np.concatenate([np.arange(n) for n in (1, 5, 9)]).astype(np.int32),
        n_users=4, time=np.arange(15) * 7_000,
    )  # fmt: skip
    for histories in (seen, short):
        users = np.arange(len(histories), dtype=np.int32)
        together = tower(users, histories, known_as=np.full(len(users), -1))
        for user in range(0, len(users), 3):
            alone = tower(users[user : user + 1], histories, known_as=np.array([-1]))
            np.testing.assert_allclose(alone[0], together[user], rtol=1e-4, atol=1e-5)


def test_dropout_leaves_places_out():
    model = fitted("timescales")
    windows = one_each(model.seen, np.arange(20), 13)
    assert np.abs(read(model, windows, dropout=0.5) - read(model, windows)).max() > 0.01


@pytest.mark.parametrize("name", SETTINGS)
def test_same_seed_same_bits_and_the_row_order_makes_no_difference_to_order(name):
    settings: dict[str, Any] = {"candidate": (butaca.Id("item_id"),), "dim": 4, "unit": True} | SETTINGS[name]
    data = rounds()
    ends = []
    for rows in (np.arange(len(data)), np.arange(len(data)), np.random.default_rng(1).permutation(len(data))):
        model = TwoTower(**settings)
        model.fit(data.take(rows), epochs=2, batch_size=200, optimizer=ADAM)
        ends.append(model.user_vectors)
    for other in ends[1:]:
        np.testing.assert_array_equal(ends[0], other)


def test_what_an_order_needs_is_said():
    with pytest.raises(FeatureError, match="needs the time of each interaction"):
        TwoTower([History(order="timescales")], [butaca.Id("item_id")]).fit(replace(rounds(), timestamp=None))
    with pytest.raises(FeatureError, match="one of timescales, attention"):
        History(order="backwards")  # type: ignore[arg-type]
    with pytest.raises(FeatureError, match="at least two places"):
        History(order="timescales", window=1)
    with pytest.raises(FeatureError, match="without an order"):
        History(order="timescales", by_recency=True)


@pytest.mark.parametrize("name", ["timescales", "attention"])
def test_a_moment_that_the_window_cuts_is_cut_by_no_id(name):
    """Of 30 items, or of 12 and 9 tied ones, a window of 8 reads whole moments: renaming changes nothing."""
    reader = some(fitted(name, ties=True).query_tower.history)
    rng = np.random.default_rng(5)
    for time in (np.zeros(20), np.repeat([0, 90_000], [12, 8]), np.repeat([0, 90_000], [17, 3])):
        items = rng.permutation(N_ITEMS)[: len(time)].astype(np.int32)
        rows = np.zeros(len(items), int)
        want = reader.pooled(Entries(rows, items, None, time.astype(np.int64)), 1)
        for _ in range(4):
            new = rng.permutation(N_ITEMS)
            renamed = reader.with_table(reader.table[np.argsort(new)])
            codes = new[items].astype(np.int32)
            order = np.argsort(codes)
            had = Entries(rows, codes[order], None, time.astype(np.int64)[order])
            np.testing.assert_allclose(renamed.pooled(had, 1), want, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["timescales", "attention"])
def test_histories_of_one_item_teach_nothing_and_break_nothing(name):
    data = rounds()
    _, first = np.unique(data.user, return_index=True)
    model = TwoTower(SETTINGS[name]["query"], [butaca.Id("item_id")], dim=8, unit=True, prior="popularity")
    history = model.fit(data.take(first), epochs=2, batch_size=200, optimizer=ADAM)
    assert history.history["loss"] == [0, 0]
    assert np.isfinite(model.user_vectors).all()


def test_heads_divide_the_dimensions():
    with pytest.raises(FeatureError, match="at least one block"):
        History(order="attention", heads=0)
    with pytest.raises(SettingError, match="evenly"):
        TwoTower([History(order="attention", heads=3)], [butaca.Id("item_id")], dim=8)
