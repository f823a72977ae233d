"""Exact ranks against a loop and a sort; metrics by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from butaca.baselines.popularity import Popularity
from butaca.data.dataset import Dataset, Entities
from butaca.data.histories import Histories
from butaca.data.vocabulary import Vocabulary
from butaca.errors import SettingError
from butaca.evaluate import protocol
from butaca.evaluate.judged import figures
from butaca.evaluate.metrics import in_batch_loss
from butaca.evaluate.protocol import evaluate_scorer, rank_pairs


class Fixed:
    """A scorer with given scores."""

    def __init__(self, scores):
        self.scores = np.asarray(scores, dtype=np.float32)

    @property
    def n_items(self):
        return self.scores.shape[1]

    def score(self, users):
        return self.scores[users]


def naive_rank(scores, item, seen):
    """A loop and a sort: the place of the item in the worst order that its ties allow."""
    if item in seen:
        return len(scores)
    left = [(-math.inf if math.isnan(s) else s, i) for i, s in enumerate(scores)]
    left = [(-math.inf if i in seen else s, i) for s, i in left]
    own = left[item][0]
    ordered = sorted(left, key=lambda pair: (-pair[0], pair[1] == item))
    assert own == left[item][0]
    return [i for _, i in ordered].index(item)


@st.composite
def cases(draw):
    n_users, n_items = draw(st.integers(1, 6)), draw(st.integers(1, 9))
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    scores = rng.integers(-2, 3, (n_users, n_items)).astype(np.float32)  # many ties
    if draw(st.booleans()):
        scores[rng.random(scores.shape) < 0.2] = np.nan
    n_test, n_seen = draw(st.integers(1, 20)), draw(st.integers(0, 15))
    test = rng.integers(0, n_users, n_test), rng.integers(0, n_items, n_test)
    seen = rng.integers(0, n_users, n_seen), rng.integers(0, n_items, n_seen)
    return scores, test, seen


@settings(max_examples=200, deadline=None)
@given(cases(), st.sampled_from([1, 16, 1 << 22]))
def test_ranks_agree_with_a_loop_and_a_sort(case, chunk):
    scores, (user, item), (seen_user, seen_item) = case
    histories = Histories.from_pairs(seen_user, seen_item, n_users=len(scores))
    before = scores.copy()
    original, protocol.CHUNK = protocol.CHUNK, chunk
    try:
        pairs = {"user": user.astype(np.int32), "item": item.astype(np.int32)}
        kept, _ = rank_pairs(Fixed(scores), **pairs, seen=None, k=0)
        left_out, _ = rank_pairs(Fixed(scores), **pairs, seen=histories, k=0)
    finally:
        protocol.CHUNK = original
    assert kept.tolist() == [naive_rank(scores[u], i, set()) for u, i in zip(user, item, strict=True)]
    want = [naive_rank(scores[u], i, set(histories[u].tolist())) for u, i in zip(user, item, strict=True)]
    assert left_out.tolist() == want
    np.testing.assert_array_equal(scores, before)  # a scorer's own array is not written to


def small(n_users=2, n_items=3, pairs=((0, 1), (1, 2))):
    users = Entities("user_id", Vocabulary.of([f"u{i}" for i in range(n_users)]))
    items = Entities("item_id", Vocabulary.of([f"i{i}" for i in range(n_items)]))
    user, item = (np.array(c, dtype=np.int32) for c in zip(*pairs, strict=True))
    return Dataset(users, items, user, item)


def test_ties_count_against_the_scorer():
    # All scores equal: the item stands behind the two others, so top-2 misses and top-3 hits.
    result = evaluate_scorer(Fixed(np.zeros((2, 3))), small())
    assert result.ranks.tolist() == [2, 2]
    assert result.top_k(2) == 0.0
    assert result.top_k(3) == 1.0


def test_a_seen_test_item_cannot_be_hit():
    test = small(pairs=((0, 1),))
    seen = Histories.from_pairs(np.array([0]), np.array([1]), n_users=2)
    result = evaluate_scorer(Fixed([[0, 9, 0], [0, 0, 0]]), test, seen=seen)
    assert result.ranks.tolist() == [3]
    assert result.top_k(3) == 0.0


def test_metrics_have_the_notebooks_names():
    metrics = evaluate_scorer(Fixed([[3, 2, 1], [3, 2, 1]]), small(), loss_batch=4096).metrics((1, 2, 3))
    assert list(metrics) == [
        "factorized_top_k/top_1_categorical_accuracy",
        "factorized_top_k/top_2_categorical_accuracy",
        "factorized_top_k/top_3_categorical_accuracy",
        "loss",
        "regularization_loss",
        "total_loss",
    ]
    assert list(metrics.values())[:3] == [0.0, 0.5, 1.0]


def test_loss_is_of_the_last_batch_and_of_the_pair_matrix():
    """Five pairs in batches of two: the last holds one pair, whose softmax has one column."""
    scorer = Fixed(np.random.default_rng(0).normal(size=(2, 3)))
    test = small(pairs=((0, 1), (1, 2), (0, 0), (1, 0), (1, 1)))
    assert evaluate_scorer(scorer, test, loss_batch=2).loss == pytest.approx(0.0, abs=1e-9)
    user, item = test.user, test.item
    logits = scorer.scores[user][:, item].astype(np.float64)
    want = (np.log(np.exp(logits).sum(axis=1)) - np.diag(logits)).sum()
    assert evaluate_scorer(scorer, test, loss_batch=5).loss == pytest.approx(want, rel=1e-9)
    assert in_batch_loss(scorer.scores, user=user, item=item) == pytest.approx(want, rel=1e-9)


def test_popularity_counts_interactions():
    train = small(n_items=3, pairs=((0, 1), (1, 1), (1, 2)))
    assert Popularity().fit(train).score(np.array([0, 1], dtype=np.int32)).tolist() == [[0, 2, 1], [0, 2, 1]]


def test_another_catalogue_is_refused():
    with pytest.raises(SettingError, match="4 items and a test set over 3"):
        evaluate_scorer(Fixed(np.zeros((2, 4))), small())


#: Four items, the same for both users.
FALLING = [[4, 3, 2, 1], [4, 3, 2, 1]]


def test_metrics_by_weight_by_hand():
    data = replace(small(2, 4, ((0, 0), (0, 3), (1, 1))), weight=np.array([3, 1, 2], dtype=np.float32))
    found = evaluate_scorer(Fixed(FALLING), data)
    assert found.metric("top_k_accuracy", 2) == pytest.approx(2 / 3)
    assert found.metric("weighted_top_k_accuracy", 2) == pytest.approx(5 / 6)
    assert found.per_user("weighted_recall", 2).tolist() == [3 / 4, 1]
    ideal = 3 + 1 / math.log2(3)
    assert found.per_user("weighted_ndcg", 2).tolist() == pytest.approx([3 / ideal, 1 / math.log2(3)])
    assert found.only(np.array([True, False, True])).metric("weighted_top_k_accuracy", 1) == pytest.approx(
        3 / 5
    )
    assert set(figures(found)) - set(
        figures(evaluate_scorer(Fixed(FALLING), replace(data, weight=None)))
    ) == {
        "weighted top-10",
        "weighted NDCG@10",
    }


def test_without_weights_the_weighted_metrics_are_the_plain_ones():
    found = evaluate_scorer(Fixed(FALLING), small(2, 4, ((0, 0), (0, 3), (1, 1))))
    for name in ("top_k_accuracy", "recall", "ndcg"):
        assert found.metric(f"weighted_{name}", 2) == pytest.approx(found.metric(name, 2))
