"""The verdict: intervals against a loop and against theory, the words, and what makes numbers lie."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import numpy as np
import pytest

from butaca.baselines import panel
from butaca.baselines.ease import EASE
from butaca.baselines.popularity import Popularity
from butaca.data.histories import Histories
from butaca.data.splits import temporal_split
from butaca.errors import SettingError
from butaca.evaluate import collapse as alarm
from butaca.evaluate import honesty
from butaca.evaluate.collapse import alikeness, collapse, collapse_of
from butaca.evaluate.intervals import joint_intervals, mean_over_seeds, resampled_sums
from butaca.evaluate.judged import outdone
from butaca.evaluate.protocol import Evaluation, evaluate_scorer, top_lists
from butaca.evaluate.verdict import Comparison, Limit, Verdict, compare, compare_many, verdict, word_of
from butaca.recommend.recommender import Recommender
from butaca.workflows import judging
from butaca.workflows.loading import split_by
from tests.support.boards import checkerboard
from tests.support.narrow import some


def evaluation(ranks, user=None, item=None, n_items=200):
    ranks = np.asarray(ranks)
    user = np.arange(len(ranks)) if user is None else np.asarray(user)
    item = np.arange(len(ranks)) if item is None else np.asarray(item)
    return Evaluation(ranks, n_items, True, None, user.astype(np.int32), item.astype(np.int32))


# Intervals.


def test_resampling_draws_as_many_users_as_there_are_with_replacement():
    sums = resampled_sums(np.eye(5), 400, seed=1)  # column u: how often user u was drawn
    np.testing.assert_array_equal(sums.sum(axis=1), 5)
    assert sums.max() > 1
    assert sums.mean(axis=0) == pytest.approx(1, abs=0.15)
    np.testing.assert_array_equal(sums, resampled_sums(np.eye(5), 400, seed=1))
    assert not np.array_equal(sums, resampled_sums(np.eye(5), 400, seed=2))


def test_chunks_do_not_change_the_draws(monkeypatch):
    columns = np.random.default_rng(0).normal(size=(7, 2))
    whole = resampled_sums(columns, 50)
    monkeypatch.setattr("butaca.evaluate.intervals.CHUNK", 21)  # three resamples at once
    np.testing.assert_allclose(resampled_sums(columns, 50), whole)


def test_the_interval_is_that_of_theory_where_theory_has_one():
    """Difference of means of 400 users: 1.96 standard errors either side."""
    rng = np.random.default_rng(5)
    n = 400
    ours, theirs = (evaluation(np.where(rng.random(n) < p, 0, 150)) for p in (0.5, 0.3))
    found = compare(ours, theirs, metric="hit_rate", k=10, n_resamples=20_000)
    d = ours.per_user("hit_rate", 10) - theirs.per_user("hit_rate", 10)
    half = 1.96 * d.std() / n**0.5
    assert found.difference == pytest.approx(d.mean())
    assert (found.low, found.high) == pytest.approx((d.mean() - half, d.mean() + half), abs=0.006)


def test_top_k_accuracy_is_resampled_by_user_as_hits_over_pairs():
    """A loop draws whole users and takes hits / pairs of what it drew."""
    rng = np.random.default_rng(6)
    user = np.sort(rng.integers(0, 25, 300))
    item = np.arange(300)
    a, b = (evaluation(rng.integers(0, 30, 300), user, item, 400) for _ in range(2))
    found = compare(a, b, metric="top_k_accuracy", k=10, n_resamples=4000, seed=3)
    draws = []
    for _ in range(4000):
        pairs = np.concatenate([np.flatnonzero(user == u) for u in rng.choice(25, 25)])
        draws.append(np.mean(a.ranks[pairs] < 10) - np.mean(b.ranks[pairs] < 10))
    low, high = np.quantile(draws, [0.025, 0.975])
    assert found.difference == pytest.approx(a.top_k(10) - b.top_k(10))
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.01)


def test_pairing_is_what_makes_small_differences_visible():
    """Ours hits what theirs hits and one user in twenty more: sure when paired, lost in noise if not."""
    rng = np.random.default_rng(7)
    theirs = np.where(rng.random(400) < 0.5, 0, 150)
    ours = np.where(np.arange(400) % 20 == 0, 0, theirs)
    assert compare(evaluation(ours), evaluation(theirs)).word == "beats"
    shuffled = evaluation(rng.permutation(theirs))
    assert compare(evaluation(ours), shuffled).word == "ties"


def test_the_words():
    good, bad = evaluation(np.zeros(50, dtype=int)), evaluation(np.full(50, 150))
    assert compare(good, bad).word == "beats"
    assert compare(bad, good).word == "loses"
    same = compare(good, good)
    assert (same.word, same.low, same.high) == ("ties", 0, 0)


def test_many_comparisons_are_each_what_one_alone_is():
    rng = np.random.default_rng(8)
    a, b, c = (evaluation(rng.integers(0, 60, 90)) for _ in range(3))
    many = compare_many(a, {"b": b, "c": c}, measures=[("ndcg", 10), ("top_k_accuracy", 20)])
    for found, alone in (
        (many["c"][0], compare(a, c, metric="ndcg", k=10)),
        (many["b"][1], compare(a, b, metric="top_k_accuracy", k=20)),
    ):
        assert (found.metric, found.k, found.difference) == (alone.metric, alone.k, alone.difference)
        assert (found.low, found.high) == pytest.approx((alone.low, alone.high), abs=1e-12)


@pytest.mark.parametrize(
    "other",
    [
        evaluation([0, 1], user=[0, 2]),
        evaluation([0, 1], item=[5, 6]),
        replace(evaluation([0, 1]), seen_left_out=False),
        evaluation([0, 1], n_items=9),
    ],
)
def test_only_the_same_pairs_are_compared(other):
    with pytest.raises(SettingError, match="same test pairs"):
        compare(evaluation([0, 1]), other)


def test_two_thousand_resamples_of_a_thousand_users_take_a_moment():
    rng = np.random.default_rng(9)
    a, b = (evaluation(rng.integers(0, 60, 943), n_items=2000) for _ in range(2))
    times = []
    for _ in range(3):
        begin = time.perf_counter()
        compare(a, b, metric="ndcg", k=10)
        times.append(time.perf_counter() - begin)
    assert min(times) < 0.5  # 0.03 s where nothing else runs


def test_joint_intervals_hold_together_and_copies_cost_nothing():
    """A hundred figures without a difference: in 95 of a hundred tables none excludes zero."""
    rng = np.random.default_rng(10)
    outside = alone = 0
    for _ in range(100):
        values = rng.normal(size=(60, 12))
        draws = resampled_sums(values, 400, seed=int(rng.integers(1 << 30))) / 60
        ends = joint_intervals(draws, values.mean(axis=0), n=60)
        outside += bool(((ends[:, 0] > 0) | (ends[:, 1] < 0)).any())
        half = 1.96 * draws.std(axis=0)
        alone += bool((np.abs(values.mean(axis=0)) > half).any())
    assert outside <= 10
    assert alone >= 25  # each by itself: 1 - .95 ** 12 is .46
    same = joint_intervals(np.repeat(draws[:, :1], 5, axis=1), np.zeros(5), n=60)
    np.testing.assert_allclose(same, joint_intervals(draws[:, :1], np.zeros(1), n=60).repeat(5, axis=0))


def test_a_single_joint_interval_is_students():
    values = np.random.default_rng(11).normal(size=30)
    draws = resampled_sums(values[:, None], 20_000) / 30
    low, high = joint_intervals(draws, np.array([values.mean()]), n=30)[0]
    assert (high - low) / 2 == pytest.approx(2.045 * values.std(ddof=1) / 30**0.5, rel=0.03)
    assert joint_intervals(np.ones((5, 1)), np.ones(1), n=30).tolist() == [[1.0, 1.0]]


def test_winning_takes_more_than_losing():
    """A difference of 2.3 standard errors among many questions: told as a loss, not as a win."""
    rng = np.random.default_rng(12)
    other = np.where(rng.random(400) < 0.5, 0, 150)
    flip = (
        np.flatnonzero(other)[:33],
        np.flatnonzero(other == 0)[:17],
    )  # 33 more, 17 less: 16 / sqrt(50) = 2.3
    ours = other.copy()
    ours[flip[0]], ours[flip[1]] = 0, 150
    rows = {str(i): evaluation(np.where(rng.random(400) < 0.5, 0, 150)) for i in range(5)}
    win = verdict(evaluation(ours), {"EASE": evaluation(other), **rows})
    loss = verdict(evaluation(other), {"EASE": evaluation(ours), **rows})
    assert compare(evaluation(ours), evaluation(other)).word == "beats"
    assert (win.word("EASE"), loss.word("EASE")) == ("ties", "loses")
    for found in (win, loss):
        assert all(word_of(c.low, c.high) == c.word for row in found.against.values() for c in row)


def test_two_hits_do_not_beat():
    """Of 109 pairs two hits against none excluded zero by the luck of the draw, measure by measure."""
    ours = evaluation(np.where(np.arange(109) < 2, 0, 150))
    found = verdict(ours, {"EASE": evaluation(np.full(109, 150))})
    assert found.word("EASE") == "open"
    assert found.sentence.startswith("Too few users")
    twenty = evaluation(np.where(np.arange(109) < 20, 0, 150))
    assert verdict(twenty, {"EASE": evaluation(np.full(109, 150))}).word("EASE") == "beats"


def test_what_is_found_too_seldom_is_told_apart_from_what_is_not():
    hits = evaluation(np.where(np.arange(300) < 150, 0, 250), n_items=300)
    other = evaluation(np.where(np.arange(300) < 100, 0, 250), n_items=300)
    found = verdict(hits, {"popularity": other})
    row = found.against["popularity"]
    lost = replace(found, against={"popularity": row, "chance": tuple(replace(c, word="open") for c in row)})
    assert lost.sentence == "The model beats popularity, found too little to be told from chance."


def test_a_mean_over_seeds_has_students_interval():
    found = mean_over_seeds([0.17, 0.18, 0.175, 0.178, 0.172])
    # s = .0041231, t(4) = 2.7764: half = 2.7764 * .0041231 / sqrt(5) = .005120
    assert found.mean == pytest.approx(0.175)
    assert found.n == 5
    assert found.high - found.mean == pytest.approx(0.00512, abs=1e-5)
    assert mean_over_seeds([0.1]).high == float("inf")


def one(word, label="ndcg"):
    return Comparison(label, 10, 0.5, 0.4, 0.1, 0.0, 0.2, word)


def test_the_sentence_says_who_beats_whom():
    found = Verdict(
        {
            "popularity": (one("beats"), one("beats")),
            "item-kNN": (one("beats"), one("ties")),
            "EASE": (one("ties"), one("ties")),
            "iALS": (one("loses"), one("ties")),
            "SLIM": (one("loses", "recall"), one("beats")),
        }
    )
    assert [found.word(name) for name in found.against] == ["beats", "beats", "ties", "loses", "mixed"]
    assert found.sentence == (
        "The model beats popularity and item-kNN (ties at NDCG@10), ties with EASE, loses to iALS "
        "(ties at NDCG@10), "
        "beats SLIM at NDCG@10 and loses to it at Recall@10."
    )


def test_the_sentence_of_what_comes_next_says_so():
    against = {"popularity": (one("beats"),), "Markov chain": (one("ties"),)}
    assert Verdict(against, comes_next=True).sentence == (
        "For what comes next, the model beats popularity, ties with the Markov chain."
    )
    assert Verdict({}, comes_next=True).sentence == "There was nothing to compare with."


def test_the_sentence_says_what_was_seen_and_what_was_left_out():
    found = Verdict(
        {"iALS": (one("beats"), one("ties", "recall")), "EASE": (one("ties"),)},
        limited={"iALS": Limit("users", 1500, 20_000), "EASE": Limit("items", 6000, 10_506)},
        left_out={"item-kNN": "too long"},
        stages=2,
    )
    assert found.sentence == (
        "The model with its second stage beats iALS (from 1,500 of 20,000 users; ties at Recall@10), ties "
        "with EASE (from 6,000 of 10,506 items). Not compared with item-kNN."
    )


# What makes numbers lie.

SEEN = Histories.from_pairs(np.array([0, 0, 1]), np.array([0, 1, 1]), n_users=3)


def test_users_without_history_are_counted():
    found = some(honesty.users_without_history(np.array([0, 2, 2, 9], dtype=np.int32), SEEN))
    assert found.received == "2 of 3 test users without one, with 3 of 4 test pairs"
    few = np.array([0] * 18 + [2, 9], dtype=np.int32)  # a tenth of the pairs, no more
    assert honesty.users_without_history(few, SEEN) is None
    assert honesty.users_without_history(np.array([0, 1], dtype=np.int32), SEEN) is None


def test_repeats_of_training_are_counted():
    user, item = np.array([0, 1, 1], dtype=np.int32), np.array([1, 0, 2], dtype=np.int32)
    assert some(honesty.repeats_of_training(user, item, seen=SEEN)).received.startswith("1 of 3 test pairs")
    assert honesty.repeats_of_training(user[1:], item[1:], seen=SEEN) is None


def test_duplicate_candidates_are_named_by_title_or_vector():
    found = some(honesty.duplicate_candidates(["Chasing Amy", "Emma", "Chasing Amy"], SEEN))
    assert found.received == "1 items with the title of another, such as 'Chasing Amy' at 0 and 2"
    assert honesty.duplicate_candidates([*map(str, range(200)), "0", "1"], SEEN) is None  # a hundredth
    titles, vectors = ["a", "b", "c"], np.array([[1, 2], [1, 2], [3, 4]], dtype=np.float32)
    assert honesty.duplicate_candidates(titles, SEEN, vectors=vectors) is None  # one or two people had them
    pairs = np.arange(10, dtype=np.int32)
    many = Histories.from_pairs(pairs // 2, pairs % 2, n_users=5)
    assert "1 of 2 items" in some(honesty.duplicate_candidates(titles, many, vectors=vectors)).received
    vectors[1] = 0
    assert honesty.duplicate_candidates(titles, many, vectors=vectors) is None
    vectors[2] = 0  # nobody had item 2: it may well be like another
    assert honesty.duplicate_candidates(titles, many, vectors=vectors) is None
    assert honesty.duplicate_candidates(["", ""], SEEN) is None


def test_a_cut_above_the_catalogue_is_named():
    assert "k = 50, 100 with 50 items" in some(honesty.cut_above_catalogue([1, 100, 50, 100], 50)).received
    assert honesty.cut_above_catalogue([10], 50) is None


def test_movies_by_id_are_duplicates_and_by_title_are_not(ml):
    def found(data):
        column = data.items["movie_title"]
        return honesty.duplicate_candidates([str(t) for t in column], Histories.of(data))

    assert "18 items" in found(ml).received  # 1,682 ids, 1,664 titles
    assert found(ml.keyed_by("movie_title")) is None


# The collapse alarm.


class SameQuery:
    """A two-tower model whose query vectors have all become equal."""

    def __init__(self, n_items, seed=0):
        rng = np.random.default_rng(seed)
        self.user_vector = rng.normal(size=8).astype(np.float32)
        self.item_vectors = rng.normal(size=(n_items, 8)).astype(np.float32)
        self.n_items = n_items

    def score(self, users):
        return np.tile(self.user_vector, (len(users), 1)) @ self.item_vectors.T


def test_a_model_with_one_query_vector_for_all_raises_the_alarm(ml_split):
    train, test = ml_split
    seen = Histories.of(train)
    found = collapse_of(SameQuery(len(train.items)), test.user, seen=seen)
    assert found is not None
    assert "different people different lists" in found.rule
    assert "two users share 9" in found.received  # 93 % of ten places
    judged = judging.judge(SameQuery(len(train.items)), train=train, test=test)
    assert found.rule in {w.rule for w in judged.warnings}


def test_what_everyone_gets_alike_raises_it_and_what_is_personal_does_not(ml_split):
    train, test = ml_split
    seen = Histories.of(train)
    assert collapse_of(Popularity().fit(train), test.user, seen=seen) is not None
    assert collapse_of(EASE().fit(train), test.user, seen=seen) is None


def test_lists_as_alike_as_the_best_ones_raise_none():
    """Where people had little but what all had, the best lists are alike: what is compared decides."""
    rng = np.random.default_rng(0)
    users = np.arange(50, dtype=np.int32)
    seen = Histories.from_pairs(users, rng.integers(0, 200, 50, dtype=np.int32), n_users=50)
    same = np.tile(np.arange(5, dtype=np.int32), (50, 1))
    personal = rng.permuted(np.tile(np.arange(200, dtype=np.int32), (50, 1)), axis=1)[:, :5]

    def rings(best: np.ndarray | None) -> bool:
        return collapse(same, users, seen=seen, n_items=200, popular=same, best=best) is not None

    assert rings(None)
    assert rings(personal)
    assert not rings(same)


def test_a_model_that_no_baseline_outdoes_raises_none():
    board = checkerboard()
    train = board.take(np.arange(100))
    ours = evaluate_scorer(Popularity().fit(train), board.take(np.arange(100, 140)), seen=Histories.of(train))
    rows = {"popularity": ours}
    better = Verdict({"popularity": (one("beats"),)})
    assert not outdone(better, rows)
    assert outdone(Verdict({"popularity": (one("ties"),)}), rows)
    assert outdone(Verdict({"popularity": (one("loses"),)}), rows)


def test_alikeness_by_hand():
    """Twenty users in two camps, histories apart by camp, and one user without a history."""
    user = np.repeat(np.arange(20, dtype=np.int32), 2)
    item = np.tile(np.arange(4, dtype=np.int32), 10)
    seen = Histories.from_pairs(user, item, n_users=21)
    users = np.arange(21, dtype=np.int32)
    same = np.tile(np.array([4, 5], dtype=np.int32), (21, 1))
    found = alikeness(same, users, seen=seen, n_items=40)
    assert (found.n_users, found.k, found.distinct, found.n_items) == (20, 2, 2, 40)
    assert found.overlap == 1
    assert found.history_overlap == pytest.approx(9 / 19)  # nine others of the same camp
    assert (found.popularity, found.history_popularity) == (0, 0.5)
    assert found.collapsed
    by_camp = np.where(np.arange(21)[:, None] % 2 == 0, [[4, 5]], [[6, 7]]).astype(np.int32)
    assert alikeness(by_camp, users, seen=seen, n_items=40).overlap == pytest.approx(9 / 19)
    assert collapse(by_camp, users, seen=seen, n_items=40) is None  # as alike as the people are


def test_small_catalogues_and_few_users_raise_no_false_alarm():
    """Lists of ten overlap by chance where there are sixteen items: a tenth of them is looked at."""
    board = checkerboard()
    seen = Histories.of(board)
    users = np.arange(20, dtype=np.int32)
    lists = top_lists(EASE().fit(board), users, seen=seen, k=10)
    assert alikeness(lists, users, seen=seen, n_items=16).k == 1
    assert collapse(lists, users, seen=seen, n_items=16) is None
    everyone = np.zeros((alarm.LEAST_USERS - 1, 1), dtype=np.int32)
    assert collapse(everyone, users[:-1], seen=seen, n_items=16) is None


def test_a_sample_of_users_is_enough(ml_split):
    train, test = ml_split
    asked = []

    class Asked(SameQuery):
        def score(self, users):
            asked.append(len(users))
            return super().score(users)

    assert collapse_of(Asked(len(train.items)), test.user, seen=Histories.of(train), n_users=50) is not None
    assert sum(asked) == 50


# Everything together.


@pytest.fixture(scope="module")
def judged_ease(ml_split):
    train, test = ml_split
    return judging.judge(EASE().fit(train), train=train, test=test, split="random")


def test_a_judged_model_stands_beside_the_baselines(judged_ease):
    assert list(judged_ease.rows) == [
        "seen kept",
        "seen left out",
        "popularity",
        "recent popularity",
        "item-kNN",
        "iALS",
        "EASE",
    ]
    words = {name: judged_ease.verdict.word(name) for name in judged_ease.baselines}
    assert words.pop("iALS") in {"beats", "ties", "mixed", "loses"}  # of few rounds in tests
    assert words == {
        "popularity": "beats",
        "recent popularity": "beats",
        "item-kNN": "beats",
        "EASE": "ties",  # with itself
    }
    assert judged_ease.warnings == ()
    assert judged_ease.rows["seen left out"].lists.shape == (941, 100)


def test_its_json_holds_what_was_there_and_what_is_new(judged_ease):
    found = json.loads(json.dumps(judged_ease.as_json(), allow_nan=False))
    assert (
        found["factorized_top_k/top_10_categorical_accuracy"]
        < found["seen_left_out"]["factorized_top_k/top_10_categorical_accuracy"]
    )
    assert found["popularity"]["factorized_top_k/top_10_categorical_accuracy"] == pytest.approx(0.087)
    assert found["test_pairs"] == 20_000
    assert found["baselines"]["EASE"]["NDCG@10"] == pytest.approx(0.4393, abs=2e-3)
    against = found["verdict"]["against"]["popularity"]
    assert against["word"] == "beats"
    assert [c["label"] for c in against["comparisons"]] == ["top-10", "top-100", "NDCG@10", "Recall@20"]
    assert all(c["low"] < c["difference"] < c["high"] for c in against["comparisons"])
    assert found["verdict"]["sentence"].startswith("The model beats popularity")
    assert found["warnings"] == []
    assert found["baselines_limited"] == {}
    assert found["slices"][3]["name"] == "users: cold"
    assert found["slices"][3]["metrics"]["top-10"] is None
    assert found["beyond_accuracy"]["popularity"]["overlap"] > 0.4


@pytest.mark.parametrize("split", ["random", "temporal", "last"])
def test_a_saved_model_gets_the_same_verdict(ml_split, tmp_path, split):
    train, test = split_by(ml_split[0], split, test_share=0.2, seed=1)
    assert test is not None

    class Towers:
        users, items = train.users, train.items
        rng = np.random.default_rng(3)
        user_vectors = rng.normal(size=(len(train.users) + 1, 4)).astype(np.float32)
        item_vectors = rng.normal(size=(len(train.items), 4)).astype(np.float32)

    about = {"split": {"split": split}}
    recommender = Recommender.build(Towers(), train, test=test, about=about)
    one = judging.judge(recommender, train=train, test=test, split=split).as_json()
    assert one["verdict"]["sentence"].startswith("The" if split == "random" else "For what comes next, the")
    assert ("Markov chain" in one["baselines"]) == (split != "random")
    recommender.save(tmp_path / "model")
    assert judging.judge_saved(Recommender.load(tmp_path / "model")).as_json() == one


def test_the_temporal_split_warns_of_new_users_and_not_of_the_split(ml):
    train, test = temporal_split(ml.keyed_by("movie_title"), 0.2)
    judged = judging.judge(Popularity().fit(train), train=train, test=test, split="temporal")
    rules = {w.rule for w in judged.warnings}
    assert "A personal list needs a history" in rules


def test_baselines_that_the_data_does_not_allow_are_named(monkeypatch):
    monkeypatch.setattr(panel, "EASE_ITEMS", 10)
    monkeypatch.setattr(panel, "KNN_PAIRS", 10)
    board = replace(checkerboard(), timestamp=None)
    found = panel.fit_panel(board)
    assert list(found.scorers) == ["popularity", "iALS", "EASE"]
    assert found.limited == {"EASE": Limit("items", 10, 16)}
    assert "no times" in found.left_out["recent popularity"]
    assert "pairs of items" in found.left_out["item-kNN"]
    monkeypatch.setattr(panel, "CHAIN_PAIRS", 139)
    assert (
        panel.fit_panel(checkerboard(), "last").left_out["Markov chain"] == "140 interactions, more than 139"
    )
    monkeypatch.setattr(panel, "CHAIN_PAIRS", 140)
    monkeypatch.setattr(panel, "CHAIN_STEPS", 10)
    assert "products, more than 1e+01" in panel.fit_panel(checkerboard(), "last").left_out["Markov chain"]
    judged = judging.judge(EASE().fit(board), train=board, test=board.take(np.arange(30)))
    told = judged.as_json()
    assert told["baselines_left_out"].keys() == {"recent popularity", "item-kNN"}
    assert told["baselines_limited"] == {"EASE": {"what": "items", "n": 10, "of": 16}}
    assert judged.verdict.limited == found.limited
    assert judged.verdict.left_out.keys() == {"recent popularity", "item-kNN"}


def test_verdict_compares_on_its_four_measures():
    board = checkerboard()
    seen = Histories.of(board)
    test = board.take(np.arange(10))
    ours, theirs = (evaluate_scorer(m.fit(board), test, seen=seen) for m in (EASE(), Popularity()))
    row = verdict(ours, {"popularity": theirs}).against["popularity"]
    assert [c.label for c in row] == ["top-10", "top-100", "NDCG@10", "Recall@20"]


@pytest.mark.parametrize("n", [0, 1, 2, 9])
def test_too_few_users_are_open(n):
    ours, theirs = evaluation(np.zeros(n, dtype=int)), evaluation(np.full(n, 150))
    found = compare(ours, theirs)
    assert found.word == "open"
    assert np.isnan([found.low, found.high]).all()
    told = verdict(ours, {"popularity": theirs, "EASE": theirs})
    assert told.word("popularity") == "open"
    assert told.sentence.startswith("Too few users")
    assert replace(told, comes_next=True).sentence == told.sentence
    json.dumps(told.sentence)


def test_ten_users_are_enough():
    assert compare(evaluation(np.zeros(10, dtype=int)), evaluation(np.full(10, 150))).word == "beats"


def test_two_stages_are_judged_beside_the_baselines(judged_ease):
    """Both stages take the place of the first in the verdict, and the first's own is kept beside it."""
    first = judged_ease.rows["seen left out"]
    worse = replace(first, ranks=np.minimum(first.ranks + 30, first.n_items), lists=None)
    found = judged_ease.with_stages(worse)
    assert found.served is worse
    assert list(found.rows)[:3] == ["seen kept", "seen left out", "both stages"]
    assert list(found.baselines) == list(judged_ease.baselines)
    assert found.first is judged_ease.verdict
    assert found.verdict.word("EASE") == "loses"
    assert found.verdict.sentence.startswith("The model with its second stage loses to")
    told = json.loads(json.dumps(found.as_json(), allow_nan=False))
    assert told["verdict"]["stages"] == 2
    assert told["first_stage_verdict"]["sentence"] == judged_ease.verdict.sentence
    assert told["seen_left_out"] == judged_ease.as_json()["seen_left_out"]
