"""Baselines: scores worked by hand, users without a history, and what the anchors say of MovieLens."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import pytest

from butaca.baselines import tuned
from butaca.baselines.ease import EASE, default_l2
from butaca.baselines.ials import IALS
from butaca.baselines.item_knn import ItemKNN
from butaca.baselines.markov_chain import MarkovChain
from butaca.baselines.popularity import Popularity, RecentPopularity
from butaca.baselines.tuned import tuned_ials
from butaca.data.dataset import Dataset, Entities
from butaca.data.histories import Histories
from butaca.data.vocabulary import Vocabulary
from butaca.errors import NotFittedError, SettingError, TableError
from butaca.evaluate.protocol import evaluate_scorer
from butaca.model.inverse import inverse_of
from tests.support.narrow import some

#: Items a, b, c. User 0 had a and b, user 1 a and b, user 2 b and c, user 3 nothing.
PAIRS = ((0, 0), (0, 1), (1, 0), (1, 1), (2, 1), (2, 2))
FROM_HISTORY = {"item-kNN": ItemKNN, "EASE": EASE, "iALS": IALS}


def small(pairs=PAIRS, n_users=4, n_items=3, time=None) -> Dataset:
    users = Entities("user_id", Vocabulary.of([f"u{i}" for i in range(n_users)]))
    items = Entities("item_id", Vocabulary.of([f"i{i}" for i in range(n_items)]))
    user, item = (np.array(c, dtype=np.int32) for c in zip(*pairs, strict=True))
    return Dataset(users, items, user, item, timestamp=None if time is None else np.array(time))


def users(*codes):
    return np.array(codes, dtype=np.int32)


def test_item_knn_by_hand():
    # Users: a 2, b 3, c 1. s(a, b) = 2 / sqrt(6), s(b, c) = 1 / sqrt(3), s(a, c) = 0; none with itself.
    ab, bc = 2 / 6**0.5, 1 / 3**0.5
    scores = ItemKNN().fit(small()).score(users(0, 2))
    np.testing.assert_allclose(scores, [[ab, ab, bc], [ab, bc, bc]], rtol=1e-6)


def test_item_knn_keeps_the_neighbours_of_the_item_that_is_scored():
    # b's best neighbour is a alone, so c no longer speaks for b; b still speaks for c.
    ab, bc = 2 / 6**0.5, 1 / 3**0.5
    scores = ItemKNN(neighbours=1).fit(small()).score(users(0, 2))
    np.testing.assert_allclose(scores, [[ab, ab, bc], [ab, 0, bc]], rtol=1e-6)


def test_item_knn_shrinks_what_rests_on_few_users():
    scores = ItemKNN(shrinkage=1).fit(small()).score(users(0))
    np.testing.assert_allclose(scores, [[2 / (6**0.5 + 1), 2 / (6**0.5 + 1), 1 / (3**0.5 + 1)]], rtol=1e-6)


def test_ease_is_the_minimum_under_its_constraint():
    """Column by column, EASE is ridge regression on the other items."""
    rng = np.random.default_rng(3)
    had = np.argwhere(rng.random((30, 6)) < 0.4)
    data = small([tuple(p) for p in had], 30, 6)
    x = np.zeros((30, 6))
    x[had[:, 0], had[:, 1]] = 1
    want = np.zeros((30, 6))
    for j in range(6):
        others = [i for i in range(6) if i != j]
        a = x[:, others]
        want[:, j] = a @ np.linalg.solve(a.T @ a + 2.0 * np.eye(5), a.T @ x[:, j])
    rows = np.flatnonzero(x.any(axis=1)).astype(np.int32)
    np.testing.assert_allclose(EASE(l2=2.0).fit(data).score(rows), want[rows], atol=1e-5)


def test_ease_of_some_inputs_predicts_the_rest_from_them(monkeypatch):
    """Items beside the inputs are ridge regression on these; where that is long, they rank below by users."""
    rng = np.random.default_rng(5)
    had = np.argwhere(rng.random((40, 7)) < np.array([0.6, 0.1, 0.7, 0.2, 0.5, 0.4, 0.15]))
    data = small([tuple(p) for p in had], 40, 7)
    x = np.zeros((40, 7))
    x[had[:, 0], had[:, 1]] = 1
    inputs, others = [0, 2, 4, 5], [1, 3, 6]
    rows = np.flatnonzero(x[:, inputs].any(axis=1)).astype(np.int32)
    own = x[:, inputs]
    alone = small([(u, inputs.index(i)) for u, i in had if i in inputs], 40, 4)
    among = EASE(l2=2.0).fit(alone).score(rows)
    found = EASE(l2=2.0, inputs=4).fit(data).score(rows)
    np.testing.assert_allclose(found[:, inputs], among, atol=1e-5)
    beyond = own @ np.linalg.solve(own.T @ own + 2.0 * np.eye(4), own.T @ x[:, others])
    np.testing.assert_allclose(found[:, others], beyond[rows], atol=1e-5)
    monkeypatch.setattr("butaca.baselines.ease.REST_PAIRS", 3)
    below = EASE(l2=2.0, inputs=4).fit(data).score(rows)
    np.testing.assert_allclose(below[:, inputs], among, atol=1e-5)
    assert (below[:, others].max(axis=1) < below[:, inputs].min(axis=1)).all()
    assert (np.argsort(-below[0, others]) == np.argsort(-x[:, others].sum(axis=0))).all()


def test_the_inverse_by_halves_is_the_inverse():
    """Sizes around the leaf of 128 and its double, odd ones too, condition numbers up to 10^4."""
    rng = np.random.default_rng(4)
    for n in (1, 128, 129, 257, 500):
        x = (rng.random((300, n)) < np.linspace(0.6, 0.01, n)).astype(np.float64)
        a = x.T @ x + 10 * np.eye(n)
        np.testing.assert_allclose(inverse_of(a) @ a, np.eye(n), atol=1e-9)


def test_ease_scales_its_penalty_with_the_data():
    """300 at the mean number of users that an item has in MovieLens 100K's 80,000 pairs, 48."""
    data = small([(u, i) for u in range(96) for i in range(2)], 96, 2)
    assert default_l2(EASE().fit(data)._matrix(np.arange(96, dtype=np.int32))) == 600


def test_ease_refuses_a_catalogue_beyond_its_limit():
    with pytest.raises(SettingError, match=r"up to 2 of them.*3 items.*ItemKNN or IALS"):
        EASE(limit=2).fit(small())


def test_ials_solves_its_own_normal_equations():
    """The user's vector is where the loss, written out term by term, has no slope."""
    model = IALS(dim=2, alpha=0.5, l2=0.1, nu=0.7, epochs=3).fit(small())
    fitted = some(model._items)
    h = fitted.astype(np.float64)
    for had in ([0, 1], [1, 2]):
        w = model._solve(model._matrix(users(0 if had == [0, 1] else 2)), fitted)[0].astype(np.float64)
        slope = sum((w @ h[i] - 1) * h[i] for i in had) + 0.5 * sum((w @ h[i]) * h[i] for i in range(3))
        slope += 0.1 * (len(had) + 0.5 * 3) ** 0.7 * w
        np.testing.assert_allclose(slope, 0, atol=1e-5)


def test_ials_is_the_same_for_the_same_seed_and_only_then():
    one, again, other = (IALS(dim=4, seed=s).fit(small()).score(users(0, 1)) for s in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("name", FROM_HISTORY)
def test_without_a_history_the_answer_is_popularity(name):
    scores = FROM_HISTORY[name]().fit(small()).score(users(3, -1, 99))
    assert scores.tolist() == [[2, 3, 1]] * 3


@pytest.mark.parametrize("name", FROM_HISTORY)
def test_a_fitted_baseline_answers_for_other_users_by_their_histories(name):
    model = FROM_HISTORY[name]().fit(small())
    new = Histories.from_pairs(users(0, 1), users(1, 2), n_users=2)  # c and b are what user 2 had
    other = model.answering(Histories.from_pairs(users(0, 0), users(1, 2), n_users=2))
    np.testing.assert_allclose(other.score(users(0)), model.score(users(2)), rtol=1e-6)
    assert model.answering(new).score(users(0)).shape == (1, 3)
    np.testing.assert_array_equal(model.score(users(0)), FROM_HISTORY[name]().fit(small()).score(users(0)))


@pytest.mark.parametrize("name", FROM_HISTORY)
def test_a_repeated_interaction_counts_once(name):
    once, twice = (FROM_HISTORY[name]().fit(small(p)) for p in (PAIRS, (*PAIRS, (0, 0))))
    np.testing.assert_array_equal(once.score(users(0, 1, 2)), twice.score(users(0, 1, 2)))


def test_recent_popularity_halves_with_age():
    # At 100, 90 and 80, half-life 10: a has 1/4 + 1, b 1/2.
    data = small(((0, 0), (1, 1), (2, 0)), time=[80, 90, 100])
    scores = RecentPopularity(half_life=10).fit(data).score(users(0, 7))
    np.testing.assert_allclose(scores, [[1.25, 0.5, 0]] * 2)


def test_recent_popularity_takes_a_twentieth_of_the_time():
    data = small(((0, 0), (1, 1)), time=[0, 1000])  # half-life 50: a is 20 half-lives old
    np.testing.assert_allclose(RecentPopularity().fit(data).weights, [2.0**-20, 1, 0])


def test_recent_popularity_of_a_single_moment_is_popularity():
    data = small(time=[5] * len(PAIRS))
    np.testing.assert_array_equal(RecentPopularity().fit(data).weights, Popularity().fit(data).counts)


def test_recent_popularity_needs_times():
    with pytest.raises(TableError, match="no time column"):
        RecentPopularity().fit(small())


@pytest.mark.parametrize("kind", [Popularity, RecentPopularity, ItemKNN, EASE, IALS, MarkovChain])
def test_nothing_scores_before_fit(kind):
    with pytest.raises(NotFittedError, match="after fit"):
        kind().score(users(0))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ItemKNN(neighbours=0), "neighbours=0"),
        (lambda: EASE(l2=0), "l2=0"),
        (lambda: IALS(dim=0), "dim=0"),
        (lambda: RecentPopularity(half_life=0), "half_life=0"),
        (lambda: MarkovChain(smoothing=0), "smoothing=0"),
        (lambda: MarkovChain(window=0), "window=0"),
        (lambda: MarkovChain(decay=1.5), r"decay=1\.5"),
    ],
)
def test_settings_outside_their_range_are_refused(make, words):
    with pytest.raises(SettingError, match=words):
        make()


@pytest.fixture(scope="module")
def judged(ml_split):
    train, test = ml_split
    seen = Histories.of(train)

    def judge(scorer):
        return evaluate_scorer(scorer.fit(train), test, seen=seen)

    return judge


def test_ease_reaches_the_anchors(judged):
    """ANCHORS: .0264, .1730, .6224, NDCG@10 .4398, Recall@20 .3610; one pair is .00005."""
    ease = judged(EASE())
    assert ease.top_k(10) == pytest.approx(0.1730, abs=5e-4)
    assert ease.top_k(100) == pytest.approx(0.6224, abs=5e-4)
    assert ease.metric("ndcg", 10) == pytest.approx(0.4398, abs=2e-3)
    assert ease.metric("recall", 20) == pytest.approx(0.3610, abs=3e-3)


def test_ials_reaches_the_anchors(judged):
    """ANCHORS, irspack's iALS: .0261, .1738, .6408."""
    ials = judged(IALS())
    assert ials.top_k(10) == pytest.approx(0.1738, abs=0.003)
    assert ials.top_k(100) == pytest.approx(0.6408, abs=0.004)


def test_item_knn_passes_the_anchors_cosine(judged):
    """ANCHORS, irspack's cosine item-kNN: .1381, .5519."""
    knn = judged(ItemKNN())
    assert knn.top_k(10) > 0.150
    assert knn.top_k(100) > 0.575


def test_popularity_in_the_anchors_convention(ml_split):
    """ANCHORS' popularity, .0134, .0901, .4131, counts a user once and lets an item win its ties.

    With ties against the item, which is the rule here, the same scores get .0105, .0891, .4089.
    """
    train, test = ml_split
    seen = Histories.of(train)
    counts = np.bincount(seen.items, minlength=len(train.items))
    left = np.tile(counts, (len(train.users), 1))
    left[seen.pairs(np.arange(len(train.users), dtype=np.int32))] = -1
    own = left[test.user, test.item]
    pairs = zip(test.user, own, strict=True)
    won = np.array([np.count_nonzero(left[u] > c) if c >= 0 else len(counts) for u, c in pairs])
    assert [np.mean(won < k) for k in (1, 10, 100)] == pytest.approx([0.0134, 0.0901, 0.4131], abs=6e-5)

    class Once:
        n_items = len(counts)

        def score(self, users):
            return np.broadcast_to(counts.astype(np.float32), (len(users), len(counts)))

    lost = evaluate_scorer(Once(), test, seen=seen)
    assert [lost.top_k(k) for k in (1, 10, 100)] == pytest.approx([0.0105, 0.0891, 0.4089], abs=6e-5)


def test_conjugate_gradients_reach_the_closed_form():
    rng = np.random.default_rng(6)
    data = small([tuple(p) for p in np.argwhere(rng.random((30, 12)) < 0.3)], 30, 12)
    everyone = np.arange(30, dtype=np.int32)
    exact = IALS(4, 0.3, l2=0.05, nu=1.0, epochs=6).fit(data).score(everyone)
    near = IALS(4, 0.3, l2=0.05, nu=1.0, epochs=6, steps=6).fit(data).score(everyone)
    np.testing.assert_allclose(near, exact, atol=2e-3)
    with pytest.raises(SettingError, match="steps"):
        IALS(steps=0)


def test_the_search_finds_a_penalty_that_generalises(monkeypatch):
    """Two camps with noise: the search finds what lies between; the order of rows does not matter."""
    strengths = (0.002, 3.0, 0.001, 200.0)  # too little and too much
    for name, value in {"STRENGTHS": strengths, "DIMS": (8, 8), "TRIAL_EPOCHS": 5}.items():
        monkeypatch.setattr(tuned, name, value)
    rng = np.random.default_rng(7)
    camp = np.arange(60) % 2
    likes = np.where(camp[:, None] == (np.arange(20) % 2)[None, :], 0.6, 0.1)
    had = np.argwhere(rng.random((60, 20)) < likes)
    data = small([tuple(p) for p in had], 60, 20)
    model, n_users = tuned_ials(data)
    assert n_users == 60
    assert model.alpha * model.l2 * (60 * 20) ** 0.5 == pytest.approx(3.0)
    shuffled, _ = tuned_ials(data.take(rng.permutation(len(data))))
    everyone = np.arange(60, dtype=np.int32)
    np.testing.assert_array_equal(model.score(everyone), shuffled.score(everyone))
    monkeypatch.setattr(tuned, "FIT_PAIRS", 100)
    part, n_users = tuned_ials(data)
    assert n_users < 60
    assert np.isfinite(part.score(everyone)).all()  # of all users, also those it did not learn from


def test_times_are_not_needed_by_the_others():
    data = replace(small(), timestamp=None, value=None)
    for kind in (Popularity, ItemKNN, EASE, IALS):
        assert np.isfinite(kind().fit(data).score(users(0))).all()


def weighed(*weights: float, time=None) -> Dataset:
    return replace(small(time=time), weight=np.array(weights, dtype=np.float32))


def test_popularity_and_item_knn_by_weight():
    data = weighed(1, 2, 3, 4, 5, 6)  # of (0, a), (0, b), (1, a), (1, b), (2, b), (2, c)
    assert Popularity().fit(data).score(users(0)).tolist() == [[4, 11, 6]]
    a, b, c = (np.sqrt(column) for column in ([1, 3, 0], [2, 4, 5], [0, 0, 6]))
    ab = a @ b / np.sqrt(a @ a * (b @ b))
    bc = b @ c / np.sqrt(b @ b * (c @ c))
    scores = ItemKNN().fit(data).score(users(0))
    np.testing.assert_allclose(scores, [[2**0.5 * ab, ab, 2**0.5 * bc]], rtol=1e-6)


def test_recent_popularity_counts_by_age_and_weight():
    data = weighed(1, 2, 3, 4, 5, 6, time=[0, 0, 10, 10, 10, 10])
    found = RecentPopularity(half_life=10).fit(data).weights
    np.testing.assert_allclose(found, [3.5, 10, 6], rtol=1e-6)


def test_ease_by_weight_is_ease_of_the_roots():
    data = weighed(1, 2, 3, 4, 5, 6)
    x = np.sqrt([[1, 2, 0], [3, 4, 0], [0, 5, 6], [0, 0, 0]])
    inverse = np.linalg.inv(x.T @ x + 7 * np.eye(3))
    b = -inverse / np.diag(inverse)
    np.fill_diagonal(b, 0)
    np.testing.assert_allclose(EASE(l2=7).fit(data).score(users(0, 1, 2)), (x @ b)[:3], rtol=1e-4)


def test_the_chain_counts_what_follows_by_its_weight():
    """User 1 went from a to b with twice the weight of user 0, who went on to c."""
    pairs = ((0, 0), (0, 2), (1, 0), (1, 1))
    plain = small(pairs, time=[0, 1, 0, 1])
    data = replace(plain, weight=np.array([1, 1, 1, 3], dtype=np.float32))
    asked = Histories.from_pairs(users(0), users(0), n_users=1, time=np.array([0]))
    even, more = (
        MarkovChain(window=1, smoothing=0.1).fit(d).answering(asked).score(users(0))[0] for d in (plain, data)
    )
    assert even[1] == pytest.approx(even[2])
    assert more[1] > 2 * more[2]


def test_weight_two_of_a_user_is_that_user_twice():
    """Of all that they had: the same X'X, so the same neighbours and the same regression."""
    twice = small((*PAIRS, (3, 1), (3, 2)))  # user 3 has what user 2 has
    data = weighed(1, 1, 1, 1, 2, 2)
    for make in (ItemKNN, functools.partial(EASE, 3)):
        one, other = (make().fit(d).score(users(0)) for d in (twice, data))
        np.testing.assert_allclose(one, other, rtol=1e-5)


@pytest.mark.parametrize("name", FROM_HISTORY)
def test_equal_weights_rank_as_none(name):
    data = weighed(*[4.0] * 6)
    plain, scores = (FROM_HISTORY[name]().fit(d).score(users(0, 1, 2)) for d in (small(), data))
    assert np.argsort(-scores, kind="stable").tolist() == np.argsort(-plain, kind="stable").tolist()


def test_ials_errors_count_by_weight():
    """The pair of weight 6 is learned best, and as well as any without weights."""
    light, heavy = weighed(6, 1, 1, 1, 1, 1), weighed(1, 6, 1, 1, 1, 1)
    a, b = (IALS(dim=2, alpha=0.3).fit(d).score(users(0))[0] for d in (light, heavy))
    assert a[0] / a[1] > b[0] / b[1]
