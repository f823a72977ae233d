"""The chain by hand, by brute force over random orders, and with no say for names and rows."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from itertools import pairwise, permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from butaca.baselines.markov_chain import MarkovChain
from butaca.data.dataset import Dataset, Entities
from butaca.data.histories import Histories
from butaca.data.vocabulary import Vocabulary
from butaca.errors import TableError
from tests.support.narrow import some

N_USERS, N_ITEMS = 5, 6
ALL = np.arange(N_USERS, dtype=np.int32)


def histories(rows) -> Dataset:
    """Makes a data set of (user, item, time)."""
    user, item, time = (np.array([r[c] for r in rows], dtype=np.int64) for c in range(3))
    users = Entities("user_id", Vocabulary.of(range(N_USERS)))
    items = Entities("item_id", Vocabulary.of(range(N_ITEMS)))
    return Dataset(users, items, user.astype(np.int32), item.astype(np.int32), timestamp=time)


ROWS = st.lists(
    st.tuples(st.integers(0, N_USERS - 1), st.integers(0, N_ITEMS - 1), st.integers(0, 3)),
    min_size=1,
    max_size=25,
)


def test_by_hand():
    # User 0: 0 1 2, user 1: 0 1 3. Followed by 1: 0, twice; by 2: 1; by 3: 1. Had: 0 2, 1 2, 2 1, 3 1, so
    # of 6 a third, a third, a sixth, a sixth. User 2 had 1 last: (n + 3 share) / (2 + 3). User 3 had 4.
    data = histories([(0, 0, 1), (0, 1, 2), (0, 2, 3), (1, 0, 5), (1, 1, 6), (1, 3, 9)])
    model = MarkovChain(smoothing=3, window=1).fit(data)
    asked = Histories.from_pairs(np.array([2, 3]), np.array([1, 4]), n_users=4, time=np.array([7, 7]))
    scores = model.answering(asked).score(np.array([2, 3, 0], dtype=np.int32))
    share = np.array([2, 2, 1, 1, 0, 0]) / 6
    np.testing.assert_allclose(scores[0], (np.array([0, 0, 1, 1, 0, 0]) + 3 * share) / 5, rtol=1e-6)
    np.testing.assert_allclose(scores[1], share, rtol=1e-6)  # nothing ever followed 4
    np.testing.assert_allclose(scores[2], [2, 2, 1, 1, 0, 0])  # without a history: popularity


def test_a_window_counts_what_comes_later_less():
    # 0 1 2 3: after 0 come 1, half of 2, a quarter of 3.
    data = histories([(0, item, item) for item in range(4)])
    asked = Histories.from_pairs(np.array([0]), np.array([0]), n_users=1, time=np.array([0]))
    model = MarkovChain(smoothing=1e-6, window=3, decay=0.5).fit(data).answering(asked)
    np.testing.assert_allclose(model.score(ALL[:1])[0], np.array([0, 1, 0.5, 0.25, 0, 0]) / 1.75, atol=1e-5)


def test_moments_within_one_second_follow_one_another():
    rows = [(0, 0, 1), (0, 1, 2), (0, 2, 3), (1, 0, 5), (1, 1, 6), (1, 3, 9)]
    whole = histories(rows)
    parts = replace(whole, timestamp=some(whole.timestamp) / 16 - 2)  # all of it in the second before 1970
    want, got = (MarkovChain().fit(data).score(ALL) for data in (whole, parts))
    np.testing.assert_allclose(got, want)


def in_the_mean_over_orders(rows):
    """Counts what follows what, [N, N], as the mean over all orders of what has equal times."""
    found = np.zeros((N_ITEMS, N_ITEMS))
    had: dict[int, dict[int, int]] = defaultdict(dict)
    for user, item, time in rows:
        had[user][item] = max(time, had[user].get(item, time))
    for of in had.values():
        moments = [[i for i, t in of.items() if t == time] for time in sorted(set(of.values()))]
        orders = list(product(*(list(permutations(moment)) for moment in moments)))
        for order in orders:
            line = [item for moment in order for item in moment]
            for a, b in pairwise(line):
                found[a, b] += 1 / len(orders)
    return found


@given(
    rows=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4), st.integers(0, 2)), min_size=1, max_size=12)
)
def test_one_follower_is_the_mean_over_random_orders(rows):
    data = histories(rows)
    model = MarkovChain(smoothing=1e-6, window=1).fit(data)
    follows = in_the_mean_over_orders(rows)
    assert some(model._followers) == pytest.approx(follows.sum(axis=1), abs=1e-5)
    each = np.arange(N_ITEMS, dtype=np.int32)
    asked = Histories.from_pairs(each, each, n_users=N_ITEMS, time=np.zeros(N_ITEMS, dtype=np.int64))
    scores = model.answering(asked).score(each)
    led = follows.sum(axis=1) > 0
    want = follows[led] / follows[led].sum(axis=1, keepdims=True)
    np.testing.assert_allclose(scores[led], want, atol=1e-4)


@given(rows=ROWS, order=st.permutations(range(N_ITEMS)), seed=st.integers(0, 99), window=st.integers(1, 3))
def test_neither_names_nor_rows_decide(rows, order, seed, window):
    data = histories(rows)
    new = np.array(order, dtype=np.int32)
    shuffled = data.take(np.random.default_rng(seed).permutation(len(data)))
    renamed = replace(shuffled, item=new[shuffled.item])
    want = MarkovChain(window=window).fit(data).score(ALL)
    got = MarkovChain(window=window).fit(renamed).score(ALL)
    np.testing.assert_allclose(got[:, new], want, rtol=1e-4, atol=1e-6)


def test_the_last_moment_answers_whole():
    # After 0 comes 2, after 1 comes 3; a user who had 0 and 1 at once is offered both alike.
    data = histories([(0, 0, 1), (0, 2, 2), (1, 1, 1), (1, 3, 2)])
    asked = Histories.from_pairs(np.zeros(2, int), np.array([0, 1]), n_users=1, time=np.array([8, 8]))
    scores = MarkovChain(smoothing=1e-6, window=1).fit(data).answering(asked).score(ALL[:1])[0]
    np.testing.assert_allclose(scores, [0, 0, 0.5, 0.5, 0, 0], atol=1e-5)


def test_what_was_before_the_last_moment_does_not_count():
    data = histories([(0, 0, 1), (0, 2, 2), (1, 1, 1), (1, 3, 2)])
    model = MarkovChain().fit(data)
    short, long = (
        model.answering(Histories.from_pairs(np.zeros(len(i), int), np.array(i), n_users=1, time=np.array(t)))
        for i, t in (([1], [8]), ([0, 1], [3, 8]))
    )
    np.testing.assert_array_equal(short.score(ALL[:1]), long.score(ALL[:1]))


def test_it_needs_times():
    data = histories([(0, 0, 1), (0, 1, 2)])
    with pytest.raises(TableError, match=r"needs a time.*no time|needs a time.*'data'.*--time-column"):
        MarkovChain().fit(replace(data, timestamp=None))
    with pytest.raises(TableError, match="histories without times"):
        MarkovChain().fit(data).answering(Histories.of(replace(data, timestamp=None)))


def test_memory_grows_with_the_interactions_and_not_with_their_pairs():
    """Fifty users with two hundred items at once: two million pairs, of which none is kept."""
    users = Entities("user_id", Vocabulary.of(range(50)))
    items = Entities("item_id", Vocabulary.of(range(400)))
    user = np.repeat(np.arange(50, dtype=np.int32), 200)
    item = np.concatenate([np.random.default_rng(u).permutation(400)[:200] for u in range(50)])
    data = Dataset(users, items, user, item.astype(np.int32), timestamp=np.zeros(len(user), dtype=np.int64))
    model = MarkovChain().fit(data)
    assert some(model._of).nnz + some(model._after).nnz == 2 * len(data)
    assert model.steps() <= len(data)
