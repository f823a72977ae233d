"""Histories keep what is known of each pair, the latest where one occurs more than once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from butaca.data.histories import Histories
from butaca.errors import TableError
from butaca.recommend.recommender import Recommender
from tests.support.boards import checkerboard
from tests.support.narrow import some

USER = np.array([1, 0, 1, 1], dtype=np.int32)
ITEM = np.array([5, 2, 5, 3], dtype=np.int32)
VALUE = np.array([4, 1, 2, 5], dtype=np.float32)


def test_the_latest_of_a_repeated_pair_stays():
    time = np.array([30, 10, 20, 40])
    h = Histories.from_pairs(USER, ITEM, n_users=3, value=VALUE, time=time)
    assert h.items.tolist() == [2, 3, 5]
    assert some(h.value).tolist() == [1, 5, 4]  # the pair (1, 5): 4 at time 30, not 2 at time 20
    assert some(h.time).tolist() == [10, 40, 30]
    assert h.lengths.tolist() == [1, 2, 0]


def test_the_last_row_stays_where_times_are_equal_or_missing():
    same = np.zeros(4, dtype=np.int64)
    for time in (None, same):
        h = Histories.from_pairs(USER, ITEM, n_users=2, value=VALUE, time=time)
        assert some(h.value).tolist() == [1, 5, 2]


def test_rows_align_values_with_the_pairs_of_a_batch():
    h = Histories.from_pairs(USER, ITEM, n_users=3, value=VALUE)
    users = np.array([1, 2, 9, 0, 1], dtype=np.int32)
    rows, at = h.rows(users)
    assert rows.tolist() == [0, 0, 3, 4, 4]
    assert h.items[at].tolist() == h.pairs(users)[1].tolist() == [3, 5, 2, 3, 5]
    assert some(h.value)[at].tolist() == [5, 2, 1, 5, 2]


def test_values_of_another_length_are_refused():
    with pytest.raises(TableError, match="2 for 1 items"):
        Histories(np.zeros(1, np.int32), np.array([0, 1]), value=np.zeros(2, np.float32))


def recommender(data):
    vectors = np.eye(21, 16, dtype=np.float32), np.eye(16, dtype=np.float32)
    users, items, popularity = data.users, data.items, np.ones(16, np.float32)
    return Recommender(users, items, *vectors, Histories.of(data), popularity)


def test_a_saved_model_keeps_values_and_times(tmp_path):
    board = checkerboard()
    recommender(board).save(tmp_path / "model")
    seen = Recommender.load(tmp_path / "model").seen
    np.testing.assert_array_equal(seen.value, Histories.of(board).value)
    np.testing.assert_array_equal(seen.time, Histories.of(board).time)


def test_a_model_of_plain_events_has_none(tmp_path):
    recommender(replace(checkerboard(), value=None, timestamp=None)).save(tmp_path / "model")
    seen = Recommender.load(tmp_path / "model").seen
    assert seen.value is None
    assert seen.time is None


def test_the_latest_time_is_that_of_all_users():
    pairs = np.array([0, 1, 1]), np.array([2, 0, 1])
    assert Histories.from_pairs(*pairs, n_users=2, time=np.array([5, 30, 20])).latest == 30
    assert Histories.from_pairs(*pairs, n_users=2, time=np.array([5, 30.5, 20])).latest == 30.5
    assert Histories.from_pairs(*pairs, n_users=2).latest == 0
    assert Histories.from_pairs(*pairs, n_users=2, time=np.array([-5, -30, -20])).latest == -5  # before 1970
    nobody = np.zeros(0, np.int32)
    assert Histories.from_pairs(nobody, nobody, n_users=2, time=np.zeros(0, np.int64)).latest == 0


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(0, 5), st.integers(0, 9)), unique_by=lambda t: t[0]))
def test_one_history_is_that_of_pairs(rows):
    items = np.array([row[0] for row in rows], dtype=np.int32)
    value = np.array([row[1] for row in rows], dtype=np.float32)
    time = np.array([row[2] for row in rows], dtype=np.int64)
    one = Histories.of_one(items, value=value, time=time)
    same = Histories.from_pairs(np.zeros(len(rows), np.int32), items, n_users=1, value=value, time=time)
    for name in ("items", "start", "value", "time"):
        np.testing.assert_array_equal(getattr(one, name), getattr(same, name), strict=True)
