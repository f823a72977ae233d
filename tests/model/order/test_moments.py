"""The order of a history: moments, places that they share, by hand and against all orders within a moment."""

from __future__ import annotations

from itertools import pairwise, permutations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from butaca.model.entries import Entries
from butaca.model.order.moments import ordered, shared_places, up_to
from butaca.model.order.timescales import Timescales

RNG = np.random.default_rng(4)


def scales(window=6, dim=3):
    return Timescales(
        RNG.normal(size=(9, dim)).astype(np.float32),
        np.array([1.0, 5.0], np.float32),
        np.array([2.0], np.float32),
        RNG.normal(size=(3, dim)).astype(np.float32),
        window,
    )


def test_places_of_two_people_by_hand():
    rows = np.array([0, 0, 0, 2, 2])
    time = np.array([30, 10, 30, 5, 86_405])
    order = ordered(rows, np.array([1, 2, 3, 4, 5], np.int32), time=time)
    assert order.items.tolist() == [2, 1, 3, 4, 5]
    assert order.place.tolist() == [2, 0, 0, 1, 0]
    assert order.size.tolist() == [1, 2, 2, 1, 1]
    assert order.age.round(5).tolist() == [np.float32(20 / 86400).round(5), 0, 0, 1, 0]
    assert ordered(rows[:0], np.zeros(0, np.int32), time=time[:0]).age.tolist() == []


def test_moments_within_one_second_are_moments():
    now = 1_700_000_000
    order = ordered(
        np.zeros(4, int), np.arange(4, dtype=np.int32), time=now + np.array([0.75, 0.25, 0.5, 0.25])
    )
    assert order.items.tolist() == [1, 3, 2, 0]
    assert order.place.tolist() == [2, 2, 1, 0]
    np.testing.assert_allclose(order.age * 86_400, [0.5, 0.5, 0.25, 0], rtol=1e-6)
    reader = scales()
    one, other = (
        reader.pooled(Entries(np.zeros(2, int), np.array([3, 4], np.int32), None, now + np.array(at)), 1)
        for at in ([0.1, 0.9], [0.9, 0.1])
    )
    assert np.abs(one - other).max() > 0.01


def test_without_times_a_history_is_one_moment():
    order = ordered(np.zeros(4, int), np.arange(4, dtype=np.int32), time=None)
    assert order.place.tolist() == [0] * 4
    assert order.size.tolist() == [4] * 4


@given(st.lists(st.integers(0, 9), min_size=1, max_size=12), st.booleans())
def test_one_history_stands_as_beside_others(times, fractions):
    """One person's order is found in another way, to the same bits."""
    time = np.array(times) * (0.3 if fractions else 50_000)
    n = len(times)
    items = np.arange(n, dtype=np.int32)
    one = ordered(np.zeros(n, int), items, time=time)
    rows = np.append(np.zeros(n, int), 1)
    both = ordered(rows, np.append(items, 7).astype(np.int32), time=np.append(time, time[0]))
    for name, column in one._asdict().items():
        np.testing.assert_array_equal(column, getattr(both, name)[:n], strict=True, err_msg=name)


def test_items_with_places_of_their_own_weigh_what_the_formula_says():
    reader = scales(window=3)
    time = np.arange(5) * 86_400
    order = ordered(np.zeros(5, int), np.arange(5, dtype=np.int32), time=time)
    places, days = np.array([4, 3, 2, 1, 0]), np.array([4, 3, 2, 1, 0])
    by_hand = np.stack([2.0**-places, 2.0 ** (-places / 5), 2.0 ** (-days / 2)], axis=1)
    by_hand[:2] = 0.0  # beyond the window
    np.testing.assert_allclose(reader.weights(order), by_hand, rtol=1e-6)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=6), st.integers(2, 6))
def test_a_moment_is_the_mean_of_all_its_orders(times, window):
    """The weights of tied items are those that random orders give on average, the window's edge included."""
    reader = scales(window)
    n = len(times)
    time = np.array(times) * 86_400
    items = np.arange(n, dtype=np.int32)
    tied = reader.pooled(Entries(np.zeros(n, int), items, None, time), 1)[0]
    every = []
    for order in permutations(range(n)):
        if all(times[a] <= times[b] for a, b in pairwise(order)):
            total = np.zeros(3)
            for place, i in enumerate(reversed(order)):
                if place < window:
                    age = (max(times) - times[i]) / 2.0
                    weight = np.array([2.0**-place, 2.0 ** (-place / 5), 2.0**-age])
                    total += (weight @ reader.mix) * reader.table[i]
            every.append(total)
    np.testing.assert_allclose(tied, np.mean(every, axis=0), rtol=1e-4, atol=1e-5)


def test_parts_add_up_and_rows_stand_alone():
    reader = scales()
    rows = np.repeat([0, 1, 3], [5, 1, 8])
    items = RNG.integers(0, 9, len(rows)).astype(np.int32)
    time = RNG.integers(0, 4, len(rows)) * 50_000
    had = Entries(rows, items, None, time)
    whole = reader.pooled(had, 5)
    parts = reader.parts(had)
    for row in range(5):
        np.testing.assert_allclose(parts[rows == row].sum(axis=0), whole[row], rtol=1e-5, atol=1e-6)
        mine = rows == row
        alone = reader.pooled(Entries(np.zeros(mine.sum(), int), items[mine], None, time[mine]), 1)
        np.testing.assert_allclose(alone[0], whole[row], rtol=1e-5, atol=1e-6)
    assert not whole[2].any()


def test_many_entries_are_summed_in_blocks(monkeypatch):
    from butaca.model.order import timescales

    reader = scales()
    rows = np.sort(RNG.integers(0, 40, 500))
    items = RNG.integers(0, 9, 500).astype(np.int32)
    had = Entries(rows, items, None, RNG.integers(0, 10**6, 500))
    whole = reader.pooled(had, 41)
    monkeypatch.setattr(timescales, "HELD_ENTRIES", 30)
    np.testing.assert_allclose(reader.pooled(had, 41), whole, rtol=1e-5, atol=1e-6)


def test_shared_places_beyond_the_window():
    by_place = np.array([[1.0], [0.5]])
    got = shared_places(up_to(by_place), np.array([0, 1, 2]), size=np.array([1, 2, 1]))
    assert got.ravel().tolist() == [1.0, 0.25, 0.0]
