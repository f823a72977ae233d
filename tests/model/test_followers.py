"""What followed upon what is counted over moments, and read by how long ago each item was had."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from butaca.data.histories import Histories
from butaca.errors import SettingError
from butaca.model import entries as reading
from butaca.model import followers as counting
from butaca.model.entries import Entries
from butaca.model.followers import FollowerSettings, followers
from butaca.model.order.moments import ordered
from butaca.model.order.timescales import Timescales
from butaca.model.pairs import HEARD, ItemPairs
from butaca.model.query import QueryTower
from tests.support.narrow import some

ALL = FollowerSettings(most=99)


def had(rows: list[tuple[int, int, int]], n_users: int) -> Histories:
    """Histories of (user, item, time)."""
    user, item, time = np.array(rows, dtype=np.int64).T
    return Histories.from_pairs(user.astype(np.int32), item.astype(np.int32), n_users=n_users, time=time)


def dense(pairs: ItemPairs, n_items: int) -> np.ndarray:
    return pairs.between(np.arange(n_items, dtype=np.int32), np.arange(n_items))


def test_what_followed_by_hand(monkeypatch):
    """0, then 1 and 2 together, then 3; and one who had 1 and then 3."""
    monkeypatch.setattr(counting, "WINDOW", 2)
    monkeypatch.setattr(counting, "DECAY", 0.5)
    monkeypatch.setattr(counting, "TOGETHER", 1.0)
    seen = had([(0, 0, 10), (0, 1, 20), (0, 2, 20), (0, 3, 30), (1, 1, 5), (1, 3, 6)], 2)
    counts = np.zeros((4, 4))
    counts[0, [1, 2, 3]] = 0.5, 0.5, 0.5  # half of a moment of two; 3 came two moments later
    counts[1, [2, 3]] = 0.5, 0.5 + 1.0  # beside it, 1 / m; half of its moment, and the other person's
    counts[2, [1, 3]] = 0.5, 0.5
    believed = counts.sum(axis=1, keepdims=True) + counting.SMOOTHING
    want = counts / believed / np.array([1, 2, 1, 2]) ** counting.POWER
    np.testing.assert_allclose(dense(followers(seen, n_items=4, settings=ALL), 4), want, rtol=1e-6)


def test_it_is_the_mean_over_all_orders_of_what_was_had_at_once(monkeypatch):
    monkeypatch.setattr(counting, "WINDOW", 1)
    monkeypatch.setattr(counting, "TOGETHER", 1.0)
    moments = [(4,), (0, 2, 5), (1, 3)]
    rows = [(0, item, time) for time, moment in enumerate(moments) for item in moment]
    counts, n = np.zeros((6, 6)), 0
    for orders in itertools.product(*(itertools.permutations(m) for m in moments)):
        order = [item for moment in orders for item in moment]
        counts[order[:-1], order[1:]] += 1
        n += 1
    counts /= n
    want = counts / (counts.sum(axis=1, keepdims=True) + counting.SMOOTHING)
    np.testing.assert_allclose(
        dense(followers(had(rows, 1), n_items=6, settings=ALL), 6), want, rtol=1e-5, atol=1e-9
    )


@st.composite
def tables(draw: st.DrawFn) -> list[tuple[int, int, int]]:
    pairs = st.tuples(st.integers(0, 4), st.integers(0, 8))
    return [(*pair, draw(st.integers(0, 5))) for pair in draw(st.lists(pairs, min_size=1, unique=True))]


@given(tables(), st.randoms(), st.sampled_from([1, 2, 4, 99]))
def test_neither_ids_nor_rows_nor_blocks_decide(rows, random, most):
    """Nor do ids where only some candidates of an item are kept, and others speak as loud."""
    kept = FollowerSettings(most=most)
    found = dense(followers(had(rows, 5), n_items=9, settings=kept), 9)
    other = random.sample(range(9), 9)
    random.shuffle(rows)
    renamed = [(u, other[i], t) for u, i, t in rows]
    again = dense(followers(had(renamed, 5), n_items=9, settings=kept), 9)
    np.testing.assert_allclose(again[np.ix_(other, other)], found, rtol=1e-6)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counting, "BLOCK", 2.0)
        np.testing.assert_array_equal(dense(followers(had(rows, 5), n_items=9, settings=kept), 9), found)


@given(tables())
def test_what_comes_before_changes_with_nothing_that_comes_after(rows):
    """Nothing had at time 5 speaks for what others had before it, but for what is of its own moment."""
    earlier = [row for row in rows if row[2] < 5]
    if not earlier:
        return
    whole = dense(followers(had(rows, 5), n_items=9, settings=ALL), 9)
    last_only = {i for _, i, t in rows if t == 5} - {i for _, i, _ in earlier}
    for item in last_only:
        beside = {i for u, i, t in rows if t == 5 for v, j, s in rows if (v, j, s) == (u, item, 5)}
        assert set(np.flatnonzero(whole[item])) <= beside - {item}


def test_the_largest_moments_take_no_part_where_pairs_are_many(monkeypatch):
    rows = [(0, item, 7) for item in range(8)] + [(1, 0, 1), (1, 8, 2)]
    monkeypatch.setattr(counting, "MOST_PRODUCTS", 50)
    found = dense(followers(had(rows, 2), n_items=9, settings=ALL), 9)
    assert np.argwhere(found).tolist() == [[0, 8]]
    monkeypatch.setattr(counting, "MOST_PRODUCTS", 1e9)
    assert np.count_nonzero(dense(followers(had(rows, 2), n_items=9, settings=ALL), 9)) == 8 * 7 + 1


def test_of_many_interactions_evenly_spaced_users_are_looked_at(monkeypatch):
    rows = [(u, 2 * u + i, i) for u in range(4) for i in range(2)]
    monkeypatch.setattr(counting, "MOST_ENTRIES", 4)
    found = dense(followers(had(rows, 4), n_items=8, settings=ALL), 8)
    assert np.argwhere(found).tolist() == [[0, 1], [4, 5]]


def test_a_heavier_interaction_counts_for_more():
    seen = had([(0, 0, 1), (0, 1, 2), (1, 0, 1), (1, 2, 2)], 2)
    weighed = replace(seen, weight=np.array([1.0, 3.0, 1.0, 1.0], np.float32))
    found = dense(followers(weighed, n_items=3, settings=ALL), 3)
    assert found[0, 1] == pytest.approx(3 * found[0, 2])


def test_without_times_nothing_follows():
    seen = replace(had([(0, 0, 1), (0, 1, 2)], 1), time=None)
    found = followers(seen, n_items=3, settings=ALL)
    assert (len(found), len(found.item)) == (3, 0)


def test_what_was_had_last_is_heard_most_and_a_moment_in_equal_parts():
    pairs = ItemPairs(np.zeros(10, np.int32), np.zeros(0, np.int32), np.zeros(0, np.float32), 1.0)
    rows, items = np.array([0, 0, 0, 0, 1]), np.arange(5, dtype=np.int32)
    heard = pairs.heard(Entries(rows, items, None, np.array([20, 10, 20, 30, 4])))
    np.testing.assert_allclose(heard, [0.375, 0.125, 0.375, 1.0, 1.0])
    np.testing.assert_allclose(pairs.heard(Entries(rows, items)), [0.46875] * 4 + [1.0])
    assert replace(pairs, half_life=math.inf).heard(Entries(rows, items)).tolist() == [1.0] * 5
    assert pairs.reads_order
    assert QueryTower(np.zeros((1, 0), np.float32), pairs=pairs).reads_time


@given(st.floats(0.05, 40.0), st.integers(0, 60), st.integers(1, 30))
def test_a_moment_is_heard_as_the_mean_over_its_places(half_life, place, size):
    """A history whose latest `place` items came after a moment of `size`."""
    nothing = np.zeros(0, np.int32), np.zeros(0, np.float32)
    pairs = ItemPairs(np.zeros(99, np.int32), *nothing, half_life)
    time = np.append(np.zeros(size, np.int64), np.arange(1, place + 1))
    items = np.arange(len(time), dtype=np.int32)
    heard = pairs.heard(Entries(np.zeros(len(time), np.int64), items, None, time))
    places = np.arange(place, place + size)
    each = np.where(places < math.ceil(HEARD * half_life), 0.5 ** (places / half_life), 0.0)
    np.testing.assert_allclose(heard[:size], each.mean(), rtol=1e-5, atol=1e-37)


@pytest.mark.parametrize("half_life", [5e-324, 1e-9, 1e12, 1e308])
def test_a_half_life_may_be_as_long_or_short_as_any(half_life):
    """In no more memory. Where it is long all of a history count alike, where short the last alone."""
    pairs = ItemPairs(
        np.array([0, 1, 1, 1], np.int32), np.array([2], np.int32), np.ones(1, np.float32), half_life
    )
    had = Entries(np.zeros(3, np.int64), np.arange(3, dtype=np.int32), None, np.array([1, 2, 3]))
    long = half_life > 1
    np.testing.assert_allclose(pairs.heard(had), [1.0, 1.0, 1.0] if long else [0.0, 0.0, 1.0], rtol=1e-6)
    assert pairs.terms(had, factor=np.ones(1, np.float32)).value.tolist() == ([1.0] if long else [])


def test_a_history_is_put_in_order_once_for_vectors_and_terms(monkeypatch):
    seen = had([(0, i, i) for i in range(9)], 1)
    pairs = followers(seen, n_items=9, settings=ALL)
    table = np.ones((9, 1), np.float32)
    reader = Timescales(table, np.ones(1, np.float32), np.zeros(0, np.float32), np.ones((1, 1), np.float32))
    tower = QueryTower(np.zeros((1, 1), np.float32), reader, pairs=pairs, pairs_scale=2.0)
    one = np.zeros(1, np.int32)
    want = tower(one, seen), some(tower.terms(one, seen))
    sorts: list[int] = []

    def counted(rows, items, *, time):
        sorts.append(len(rows))
        return ordered(rows, items, time=time)

    monkeypatch.setattr(reading, "ordered", counted)
    vectors, terms = tower.with_terms(one, seen)
    assert sorts == [9]
    np.testing.assert_array_equal(vectors, want[0])
    for part, its in zip(some(terms), want[1], strict=True):
        np.testing.assert_array_equal(part, its)


def test_terms_are_what_a_dense_matrix_gives_and_end_where_nothing_is_heard():
    rng = np.random.default_rng(3)
    n = 30
    seen = had([(0, i, int(t)) for i, t in enumerate(rng.integers(0, 40, n))] + [(1, 4, 2)], 2)
    pairs = replace(followers(seen, n_items=n, settings=ALL), half_life=0.5)
    tower = QueryTower(np.zeros((1, 0), np.float32), pairs=pairs, pairs_scale=2.0)
    users = np.array([0, 1, 7], np.int32)
    scores = np.zeros((3, n), np.float32)
    terms = some(tower.terms(users, seen))
    terms.add_to(scores)
    rows, at = seen.rows(users)
    heard = pairs.heard(Entries(rows, seen.items[at], None, some(seen.time)[at]))
    assert (heard == 0).any()
    want = np.zeros((3, n))
    np.add.at(want, rows, 2.0 * heard[:, None] * dense(pairs, n)[seen.items[at]])
    np.testing.assert_allclose(scores, want, rtol=1e-5, atol=1e-7)
    assert len(terms.item) < (np.diff(pairs.start)[seen.items[at]]).sum()


@pytest.mark.parametrize(
    "wrong",
    [{"weight": -1.0}, {"weight": 1e60}, {"half_life": 0.0}, {"half_life": math.inf}, {"most": 0}],
    ids=str,
)
def test_settings_that_mean_nothing_are_refused(wrong):
    with pytest.raises(SettingError, match=next(iter(wrong))):
        FollowerSettings(**wrong)
