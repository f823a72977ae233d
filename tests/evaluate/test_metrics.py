"""Metrics by hand and against ranx; the differences of convention are named here."""

from __future__ import annotations

import doctest
import time
import warnings
from typing import Any

import numpy as np
import pytest
from scipy import sparse

import butaca
from butaca.data.histories import Histories
from butaca.errors import SettingError
from butaca.evaluate import beyond
from butaca.evaluate.metrics import PER_USER
from butaca.evaluate.protocol import Evaluation, evaluate_scorer, top_lists
from butaca.evaluate.slices import by_slice
from butaca.evaluate.verdict import MEASURES
from tests.support.narrow import some


def test_every_metric_has_a_worked_example():
    finder = doctest.DocTestFinder(recurse=False)
    named: list[Any] = [*PER_USER.values()]
    named += [getattr(beyond, n) for n in ("coverage", "novelty", "popularity_share", "gini", "overlap")]
    for function in [*named, beyond.intra_list_similarity, beyond.item_shares]:
        assert any(test.examples for test in finder.find(function)), function.__name__


# Against an independent library.


def random_case(seed, n_users=30, n_items=40):
    """Scores without ties, one to many relevant items a user, and the evaluation."""
    rng = np.random.default_rng(seed)
    scores = rng.permuted(np.tile(np.arange(n_items, dtype=np.float32), (n_users, 1)), axis=1)
    relevant = [rng.choice(n_items, rng.integers(1, n_items // 2), replace=False) for _ in range(n_users)]
    return scores, relevant


def evaluation_of(scores, relevant, hidden=None):
    user = np.repeat(np.arange(len(relevant)), [len(r) for r in relevant]).astype(np.int32)
    item = np.concatenate(relevant).astype(np.int32)
    ranks = np.array([np.count_nonzero(scores[u] > scores[u, i]) for u, i in zip(user, item, strict=True)])
    return Evaluation(ranks, scores.shape[1], hidden is not None, None, user, item)


@pytest.fixture(scope="module")
def ranx():
    """ranx in plain Python: compiling its functions takes longer than all of these tests."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setenv("NUMBA_DISABLE_JIT", "1")
        import ranx

        yield ranx


def ranx_scores(ranx, scores, relevant, names):
    """By name, a figure of each user in order."""
    qrels = {f"u{u:03d}": {f"i{i:03d}": 1 for i in r} for u, r in enumerate(relevant)}
    run = {f"u{u:03d}": {f"i{i:03d}": float(s) for i, s in enumerate(row)} for u, row in enumerate(scores)}
    return ranx.evaluate(ranx.Qrels(qrels), ranx.Run(run), names, return_mean=False)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("k", [1, 5, 20, 40])
def test_metrics_agree_with_ranx(ranx, seed, k):
    """Equal for every user, but for one convention: ranx divides average precision by R, we by min(k, R)."""
    scores, relevant = random_case(seed)
    ours = evaluation_of(scores, relevant)
    names = {
        "hit_rate": f"hit_rate@{k}",
        "precision": f"precision@{k}",
        "recall": f"recall@{k}",
        "ndcg": f"ndcg@{k}",
        "map": f"map@{k}",
        "mrr": f"mrr@{k}",
    }
    theirs = ranx_scores(ranx, scores, relevant, list(names.values()))
    size = np.array([len(r) for r in relevant])
    theirs[f"map@{k}"] *= size / np.minimum(k, size)
    for name in PER_USER:
        np.testing.assert_allclose(ours.per_user(name, k), theirs[names[name]], atol=1e-12, err_msg=name)


def test_untruncated_metrics_agree_with_ranx(ranx):
    scores, relevant = random_case(9)
    ours = evaluation_of(scores, relevant)
    theirs = ranx_scores(ranx, scores, relevant, ["ndcg", "map", "mrr"])
    for name in theirs:
        np.testing.assert_allclose(ours.per_user(name, None), theirs[name], atol=1e-12, err_msg=name)


def test_ties_are_where_ranx_is_kinder(ranx):
    """Everything ties: ranx takes the items in some order, we say that nothing was found."""
    users = butaca.Entities("u", butaca.Vocabulary.of(["a"]))
    items = butaca.Entities("i", butaca.Vocabulary.of(list("wxyz")))
    test = butaca.Dataset(users, items, np.zeros(2, np.int32), np.array([0, 1], np.int32))
    scores = np.zeros((1, 4))
    ours = evaluate_scorer(Fixed(scores), test)
    assert ours.metric("ndcg", 3) == ours.metric("mrr", 3) == 0
    theirs = ranx_scores(ranx, scores, [np.array([0, 1])], ["ndcg@3", "mrr@3"])
    assert theirs["ndcg@3"][0] > 0
    assert theirs["mrr@3"][0] > 0


# By hand.

#: Ranks of user 7's three pairs, one a repeat, and of user 2's, which was seen in training (rank n).
SMALL = Evaluation(
    np.array([0, 5, 0, 3]),
    5,
    True,
    None,
    np.array([7, 7, 7, 2], dtype=np.int32),
    np.array([1, 4, 1, 0], dtype=np.int32),
    np.array([[3, 2], [1, 0]], dtype=np.int32),
)


def test_per_user_rows_are_the_users_ascending():
    assert SMALL.users.tolist() == [2, 7]
    assert SMALL.per_user("mrr", 5).tolist() == [0.25, 1.0]


def test_a_repeated_pair_counts_in_accuracy_and_once_elsewhere():
    assert SMALL.metric("top_k_accuracy", 1) == 0.5  # two of four pairs
    assert SMALL.per_user("top_k_accuracy", 1).tolist() == [0, 2 / 3]
    assert SMALL.per_user("recall", 1).tolist() == [0, 0.5]  # one of user 7's two items
    assert SMALL.hits_per_user(1)[0].tolist() == [0, 2]
    assert SMALL.hits_per_user(1)[1].tolist() == [1, 3]


def test_what_cannot_be_hit_is_a_miss_at_any_k():
    """Rank n = 5 is below k = 10, which a catalogue of 5 has no tenth place for."""
    for k in (5, 10, None):
        assert SMALL.per_user("recall", k).tolist() == [1, 0.5]
    assert SMALL.top_k(10) == 0.75


def test_only_some_pairs_keep_their_ranks_and_lists():
    part = SMALL.only(np.array([True, False, False, False]))
    assert part.users.tolist() == [7]
    assert some(part.lists).tolist() == [[1, 0]]
    assert part.metric("recall", 1) == 1


@pytest.mark.parametrize(("name", "k"), [("accuracy", 10), ("ndcg", 0)])
def test_a_wrong_metric_or_cut_is_refused(name, k):
    with pytest.raises(SettingError, match=r"ndcg, map, mrr|k=0"):
        SMALL.metric(name, k)


def test_no_pairs_give_no_number():
    none = SMALL.only(np.zeros(4, dtype=bool))
    for name in ("top_k_accuracy", *PER_USER):
        assert np.isnan(none.metric(name, 10))


class Fixed:
    def __init__(self, scores):
        self.scores = np.asarray(scores, dtype=np.float32)
        self.n_items = self.scores.shape[1]

    def score(self, users):
        return self.scores[users]


def test_lists_are_best_first_ties_by_code_and_end_where_nothing_is_left():
    scorer = Fixed([[1, 3, 3, 2], [0, 0, 0, 0], [np.nan, 1, 2, 3]])
    seen = Histories.from_pairs(np.array([0, 1, 1]), np.array([3, 0, 1]), n_users=3)
    users = np.array([2, 0, 1], dtype=np.int32)
    assert top_lists(scorer, users, seen=seen, k=3).tolist() == [[3, 2, 1], [1, 2, 0], [2, 3, -1]]
    assert top_lists(scorer, users, seen=None, k=9).tolist() == [[3, 2, 1, -1], [1, 2, 3, 0], [0, 1, 2, 3]]


def test_lists_of_an_evaluation_are_those_of_its_users(ml_split):
    train, test = ml_split
    rng = np.random.default_rng(0)
    scorer = Fixed(rng.integers(0, 50, (len(train.users), len(train.items))))  # many ties
    seen = Histories.of(train)
    result = evaluate_scorer(scorer, test, seen=seen, lists=20)
    np.testing.assert_array_equal(result.lists, top_lists(scorer, result.users, seen=seen, k=20))
    for row in (0, 500):
        u = int(result.users[row])
        left = scorer.scores[u].copy()
        left[seen[u]] = -1
        np.testing.assert_array_equal(some(result.lists)[row], np.lexsort((np.arange(len(left)), -left))[:20])


def test_all_of_movielens_100k_takes_a_fraction_of_a_second(ml_split):
    """Ranks, every metric at five cuts and lists of 100, given the scores: the target is 0.2 s."""
    train, test = ml_split
    scorer = Fixed(np.random.default_rng(0).normal(size=(len(train.users), len(train.items))))
    seen = Histories.of(train)
    times = []
    for _ in range(3):
        begin = time.perf_counter()
        result = evaluate_scorer(scorer, test, seen=seen, lists=100)
        for name in ("top_k_accuracy", *PER_USER):
            for k in (1, 10, 20, 100, None):
                result.metric(name, k)
        times.append(time.perf_counter() - begin)
    assert min(times) < 0.6  # 0.1 s where nothing else runs


# Beyond accuracy: users 0 and 1 had item 0, user 1 item 1 too; user 2 had nothing.

SEEN = Histories.from_pairs(np.array([0, 1, 1]), np.array([0, 0, 1]), n_users=3)


def test_beyond_accuracy_by_hand():
    lists = np.array([[1, 2, 3], [2, 3, 1], [0, 1, 2]], dtype=np.int32)
    found = beyond.beyond_accuracy(lists, np.arange(3, dtype=np.int32), seen=SEEN, n_items=5, k=2)
    assert found.k == 2
    assert found.coverage == 4 / 5  # items 1, 2, 3 and 0
    # Shares 1, 1/2, 0, 0, 0 of two users; 0 counts as one of two, one bit: items 1 2 | 2 3 | 0 1.
    assert found.novelty == pytest.approx((1 + 1 + 1 + 1 + 0 + 1) / 6)
    assert found.popularity_share == pytest.approx((0.5 + 0 + 0 + 0 + 1 + 0.5) / 6)
    assert found.history_popularity_share == pytest.approx((1 + 0.75) / 2)
    # Exposure 1, 2, 2, 1, 0; ascending 0 1 1 2 2 with weights -4 -2 0 2 4: 10 / (5 * 6).
    assert found.gini == pytest.approx(10 / 30)
    # Pairs of lists share 1, 1 and 0 of 2.
    assert found.overlap == pytest.approx(2 / 6)
    # Only items 0 and 1 were ever had together: cosine 1 / sqrt(2), in one list of three.
    assert found.intra_list_similarity == pytest.approx(1 / 2**0.5 / 3)


def test_overlap_counts_what_a_loop_counts():
    rng = np.random.default_rng(1)
    lists = np.array([rng.choice(30, 5, replace=False) for _ in range(12)])
    pairs = [len(set(a) & set(b)) / 5 for n, a in enumerate(lists) for b in lists[:n]]
    assert beyond.overlap(lists) == pytest.approx(np.mean(pairs))


def test_intra_list_similarity_is_the_mean_cosine_of_the_pairs(monkeypatch):
    rng = np.random.default_rng(2)
    vectors = rng.normal(size=(20, 4)).astype(np.float32)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    lists = np.array([rng.choice(20, 4, replace=False) for _ in range(7)])
    lists[0, 2:] = -1
    lists[1, 1:] = -1  # one item: no pair
    want = []
    for row in lists:
        had = row[row >= 0]
        want += (
            [np.mean([unit[a] @ unit[b] for n, a in enumerate(had) for b in had[:n]])] if len(had) > 1 else []
        )
    monkeypatch.setattr(beyond, "ENTRIES", 32)  # two lists of four items at once
    assert beyond.intra_list_similarity(lists, vectors) == pytest.approx(np.mean(want), rel=1e-5)


@pytest.mark.parametrize(("pairs", "bits"), [(1 << 22, 1 << 30), (40, 64 * 9 * 2)])
def test_co_occurrence_is_the_cosine_of_who_had_both(monkeypatch, pairs, bits):
    """150 users, not a multiple of 64; with few bits they come in several blocks."""
    monkeypatch.setattr(beyond, "ENTRIES", pairs)
    monkeypatch.setattr(beyond, "BITS", bits)
    monkeypatch.setattr(beyond, "WORDS", 4)
    rng = np.random.default_rng(4)
    had = rng.random((150, 9)) < rng.random(9)
    had[:, 8] = False  # nobody had it
    user, item = np.nonzero(had)
    seen = Histories.from_pairs(user.astype(np.int32), item.astype(np.int32), n_users=150)
    lists = np.array([rng.choice(9, 4, replace=False) for _ in range(20)], dtype=np.int32)
    lists[0, 2:] = -1
    lists[1, 1:] = -1
    columns = beyond.user_columns(seen, 9)
    want = beyond.intra_list_similarity(lists, had.T.astype(np.float32))
    assert beyond.intra_list_similarity(lists, columns) == pytest.approx(want, rel=1e-6)
    one = np.array([[3, 5]])
    both = (had[:, 3] & had[:, 5]).sum() / np.sqrt(had[:, 3].sum() * had[:, 5].sum())
    assert beyond.intra_list_similarity(one, columns) == pytest.approx(both)


# Slices.


def test_likeness_of_nothing_is_no_number():
    """No list, lists of nobody's items, and a training side without users."""
    columns = beyond.user_columns(Histories.from_pairs(np.array([0]), np.array([1]), n_users=1), 3)
    for lists in (np.zeros((0, 10), np.int32), np.zeros((4, 1), np.int32), np.full((4, 3), -1, np.int32)):
        assert np.isnan(beyond.intra_list_similarity(lists, columns))
        assert np.isnan(beyond.intra_list_similarity(lists, np.eye(3, dtype=np.float32)))
    nobody = sparse.csr_array((3, 0), dtype=np.int8)
    assert beyond.intra_list_similarity(np.array([[0, 1]]), nobody) == 0.0


def test_a_sparse_matrix_of_other_values_is_refused():
    ratings = sparse.csr_array(np.array([[5.0, 0.0], [3.0, 1.0]]))
    twice = sparse.csr_array((np.ones(3), np.array([0, 0, 0]), np.array([0, 2, 3])), shape=(2, 1))
    for other in (ratings, twice):
        with pytest.raises(SettingError, match="by ones"):
            beyond.intra_list_similarity(np.array([[0, 1]]), other)


def test_slices_by_hand():
    # Histories of 1, 2, 3 items and none; items had by 3, 2, 1 and 0.
    seen = Histories.from_pairs(np.array([0, 1, 1, 2, 2, 2]), np.array([0, 0, 1, 0, 1, 2]), n_users=4)
    user = np.array([0, 1, 2, 2, 3], dtype=np.int32)
    item = np.array([1, 2, 3, 3, 0], dtype=np.int32)
    result = Evaluation(np.array([0, 200, 50, 50, 0]), 300, True, None, user, item)
    found = {s.name: s for s in by_slice(result, seen)}
    sizes = {name: (s.n_users, s.n_pairs) for name, s in found.items()}
    assert sizes == {
        "users: few interactions": (1, 1),
        "users: some interactions": (1, 1),
        "users: many interactions": (1, 2),
        "users: cold": (1, 1),
        "items: popular": (1, 1),  # item 0, three of six pairs
        "items: middling": (1, 1),  # item 1
        "items: rare": (1, 1),  # item 2
        "items: cold": (1, 2),
    }
    assert found["users: cold"].metrics["top-10"] == 1
    assert found["users: some interactions"].metrics["top-100"] == 0
    assert found["items: cold"].metrics["top-100"] == 1
    assert found["items: cold"].metrics["NDCG@10"] == 0


def test_slices_cover_every_pair_once(ml_split):
    train, test = ml_split
    seen = Histories.of(train)
    result = evaluate_scorer(Fixed(np.zeros((len(train.users), len(train.items)))), test, seen=seen)
    parts = by_slice(result, seen)
    for kind in ("users", "items"):
        of_kind = [s for s in parts if s.name.startswith(kind)]
        assert sum(s.n_pairs for s in of_kind) == len(test)
    assert all(set(s.metrics) == {label for *_, label in MEASURES} for s in parts)
