"""The second stage: the same features in training and serving, no leaks, deterministic, saved whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import butaca
from butaca.baselines.item_knn import ItemKNN
from butaca.baselines.popularity import Popularity
from butaca.data.dataset import Entities
from butaca.data.histories import Histories
from butaca.errors import SettingError
from butaca.evaluate.protocol import evaluate_scorer
from butaca.evaluate.verdict import Comparison
from butaca.rank.facts import Neighbours, TrainFacts
from butaca.rank.features import Neighbourhood
from butaca.rank.fit import fit_ranker
from butaca.rank.folds import Fold, examples_of, folds_of
from butaca.rank.judge import judge_ranking, ranking_hurts
from butaca.rank.kinds import default_features, names_of
from butaca.rank.leaks import LeakError
from butaca.rank.learn import learn_facts
from butaca.rank.matrix import candidates_of, matrix
from butaca.rank.people import People
from butaca.rank.ranker import Ranker
from butaca.rank.scene import Scene
from butaca.rank.settings import RankSettings
from butaca.rank.two_stage import TwoStage
from tests.support.boards import checkerboard
from tests.support.narrow import some

SMALL = RankSettings(rounds=8, least=5, n_folds=3, held_out=0.3, candidates=10)


def rated():
    """The checkerboard with ratings of 1 to 5 and an hour between interactions."""
    board = checkerboard(40, 20)
    n = np.arange(len(board))
    return replace(board, value=(n * 7 % 5 + 1).astype(np.float32), timestamp=n * 3600)


def knn(train):
    return ItemKNN().fit(train)


@pytest.fixture(scope="module")
def ranker():
    return fit_ranker(rated(), knn, first=knn(rated()), settings=SMALL)


def scene(data, first, users, n=10, **more):
    seen = Histories.of(data)
    people = People.of(users, seen, **more)
    return people, *candidates_of(first.score(users), [seen[int(u)] for u in users], n=n)


def test_training_and_serving_see_the_same_rows():
    """The examples of a fold, row by row, against the matrix of one person at a time."""
    fold = folds_of(rated(), n=3)[0]
    first, facts = knn(fold.known), learn_facts(fold.known)
    features = default_features(facts)
    trained = examples_of(fold, first, facts=facts, features=features, n=10)
    at = 0
    for user, size in zip(np.unique(fold.label.user), trained.group, strict=True):
        people, items, scores = scene(fold.known, first, np.array([user], np.int32))
        rows = matrix(features, facts, people=people, candidates=items, scores=scores)
        np.testing.assert_array_equal(rows, trained.features[at : at + size])
        at += size
    assert at == len(trained) > 100


def test_only_examples_that_are_learned_from_are_computed_and_they_are_the_same():
    """The first four candidates, all that was watched, and everything of two people."""
    fold = folds_of(rated(), n=3)[0]
    first, facts = knn(fold.known), learn_facts(fold.known)
    features = default_features(facts)
    every = examples_of(fold, first, facts=facts, features=features, n=10)
    whole = np.array([3, 11], np.int32)
    some = examples_of(fold, first, facts=facts, features=features, n=10, best=4, whole=whole)
    place = np.concatenate([np.arange(size) for size in every.group])
    kept = (place < 4) | every.watched | np.isin(every.user, whole)
    assert (every.watched & (place >= 4)).sum() > 0
    assert len(some) == kept.sum() < len(every)
    np.testing.assert_array_equal(some.features, every.features[kept])
    np.testing.assert_array_equal(some.item, every.item[kept])
    np.testing.assert_array_equal(some.watched, every.watched[kept])
    assert some.group.tolist() == [int(kept[every.user == user].sum()) for user in np.unique(every.user)]


def test_of_random_folds_as_many_are_made_as_are_used():
    folds = folds_of(rated(), n=5, used=2)
    assert len(folds) == 2
    assert [len(fold.label) for fold in folds] == [len(rated()) // 5] * 2
    assert len(folds_of(rated(), "time", n=4, label=0.2, used=2)) == 4  # cuts in time are all of use


def test_trees_are_the_same_with_any_number_of_threads_and_the_environment_is_left_alone():
    """Their texts to the byte, and so a folder's checksums: threads=0 takes as many as a machine has."""
    made = [
        fit_ranker(rated(), knn, first=knn(rated()), settings=replace(SMALL, threads=n)) for n in (1, 2, 3)
    ]
    assert made[0].trees == made[1].trees == made[2].trees
    assert made[0].ratings == made[1].ratings == made[2].ratings != ""
    assert "GOMP_SPINCOUNT" not in os.environ


def test_early_stopping_keeps_fewer_trees_where_asked_for():
    patient = replace(SMALL, rounds=60, patience=1)
    assert fit_ranker(rated(), knn, first=knn(rated()), settings=SMALL).about["rounds"] == 8
    assert fit_ranker(rated(), knn, first=knn(rated()), settings=patient).about["rounds"] < 60


def test_neighbours_by_hand():
    """Two of item 0's three neighbours are in the history, one of them speaks against it; item 1 has none."""
    items = np.array([[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2], [0, 1, 2]], np.int32)
    weights = np.array([[0.5, 0.25, -0.25], [0, 0, 0], [1, 0, 0], [0, 0, 1], [0, 2, 1]], np.float32)
    facts = TrainFacts(
        np.ones(5, np.float32), 2, np.zeros((5, 0), np.float32), {"linear": Neighbours(items, weights)}
    )
    seen = Histories.from_pairs(np.array([0, 0]), np.array([2, 3]), n_users=2, time=np.array([5, 9]))
    people = People.of(np.array([0, 1], np.int32), seen)
    both = np.array([[0, 4], [0, 1]], np.int32)
    columns = Neighbourhood("linear").columns(Scene(facts, people, both, np.zeros((2, 2), np.float32)))
    older = np.exp(-1 / 8)  # item 2 was had before item 3, the latest
    np.testing.assert_allclose(columns[0], [0.0, 1.0, 0, 0])
    np.testing.assert_allclose(columns[2], [0.25 * older - 0.25, older, 0, 0], rtol=1e-6)
    np.testing.assert_allclose(columns[3], [0.25, 1.0, 0, 0])


def test_values_by_hand():
    """Three users: item 0 had by all, item 1 by two, item 2 by one; the last had 0 alone, at a time of 0."""
    ids = butaca.data.vocabulary.Vocabulary.of
    data = butaca.Dataset(
        Entities("user_id", ids(["a", "b", "c"])),
        Entities("item_id", ids(["x", "y", "z"])),
        np.array([0, 0, 0, 1, 1, 2], np.int32),
        np.array([0, 1, 2, 0, 1, 0], np.int32),
        timestamp=np.array([0, 86400, 172800, 0, 86400, 0]),
    )
    facts = learn_facts(data)
    assert facts.users_of.tolist() == [3, 2, 1]
    people = People.of(np.array([2], np.int32), Histories.of(data), when=2 * 86400.0)
    features = default_features(facts)
    rows = matrix(
        features,
        facts,
        people=people,
        candidates=np.array([[1, 2]], np.int32),
        scores=np.array([[1.0, 0.0]], np.float32),
    )
    found = dict(zip(names_of(features, facts), rows.T.tolist(), strict=True))
    assert found["retrieval_score"] == [1, -1]  # mean .5, deviation .5
    np.testing.assert_allclose(found["retrieval_rank"], np.log([1, 2]), atol=1e-6)
    np.testing.assert_allclose(found["popularity"], np.log([3 / 4, 2 / 4]), rtol=1e-6)
    # cosine with item 0: 2 / sqrt(2 * 3) and 1 / sqrt(1 * 3)
    np.testing.assert_allclose(found["together_all"], [2 / 6**0.5, 1 / 3**0.5], rtol=1e-6)
    assert found["days_since_first"] == [1, 0]
    assert "rating" not in found


def planted(fold, histories=None, facts=None, first=None):
    facts = facts or learn_facts(fold.known)
    return examples_of(
        fold,
        first or knn(fold.known),
        facts=facts,
        features=default_features(facts),
        n=10,
        histories=histories,
    )


def test_a_leak_of_every_kind_is_caught():
    data = rated()
    fold = folds_of(data, n=3)[0]
    assert len(planted(fold))
    with pytest.raises(LeakError, match="users_of learned elsewhere"):  # popularity counts the held out
        planted(fold, facts=learn_facts(data))
    with pytest.raises(LeakError, match="the histories"):
        planted(fold, histories=Histories.of(data))
    with pytest.raises(LeakError, match="the known interactions"):
        planted(Fold(data, fold.label))

    class Knowing(ItemKNN):
        seen = Histories.of(data)

    with pytest.raises(LeakError, match="the first stage"):
        planted(fold, first=Knowing().fit(fold.known))


def test_a_first_stage_that_reads_more_than_it_is_given_is_refused():
    class Knowing(ItemKNN):
        seen = Histories.of(rated())

    with pytest.raises(LeakError):
        fit_ranker(rated(), lambda _: Knowing().fit(rated()), first=knn(rated()), settings=SMALL)


def test_folds_hide_each_pair_once_and_time_folds_know_only_before():
    data = rated()
    for fold in folds_of(data, n=4):
        assert len(fold.known) + len(fold.label) == len(data)
    for fold in folds_of(data, "time", n=4, label=0.2):
        assert some(fold.known.timestamp).max() < fold.when <= some(fold.label.timestamp).min()
    with pytest.raises(SettingError, match="at least two"):
        folds_of(data, n=1)
    with pytest.raises(SettingError, match="a time"):
        folds_of(replace(data, timestamp=None), "time")


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 6), st.integers(0, 99))
def test_any_number_of_folds_is_disjoint(n, seed):
    data = rated()
    labels = np.concatenate([f.label.user * 100 + f.label.item for f in folds_of(data, n=n, seed=seed)])
    assert len(np.unique(labels)) == len(labels) == len(data) // n * n


def test_equal_data_and_seed_give_equal_trees(ranker):
    again = fit_ranker(rated(), knn, first=knn(rated()), settings=SMALL)
    assert (again.trees, again.ratings) == (ranker.trees, ranker.ratings)


def test_saved_parts_give_the_same_ranker(ranker):
    arrays, numbers, texts = ranker.as_parts()
    again = Ranker.from_parts(arrays, json.loads(json.dumps(numbers, allow_nan=False)), texts=texts)
    people, items, scores = scene(rated(), knn(rated()), np.arange(-1, 41, dtype=np.int32))
    for a, b in zip(
        ranker.rank(people, items, scores=scores), again.rank(people, items, scores=scores), strict=True
    ):
        np.testing.assert_array_equal(a, b)
    assert again.settings == ranker.settings
    assert again.importance() == ranker.importance()
    np.testing.assert_array_equal(
        ranker.predict_ratings(people, items, scores=scores),
        again.predict_ratings(people, items, scores=scores),
    )
    assert isinstance(again.facts, TrainFacts)


def test_contributions_add_up_to_the_trees(ranker):
    people, items, scores = scene(rated(), knn(rated()), np.array([3], np.int32))
    rows = ranker.matrix(people, items, scores=scores)
    moved = ranker.moved(rows, top=99)
    share = rows[:, ranker.names.index("retrieval_share")]
    added = ranker.scores(rows) - share
    constant = added - [sum(m.points for m in mine) for mine in moved]
    np.testing.assert_allclose(constant, constant[0], atol=1e-6)


def test_predicted_ratings_lie_within_those_seen(ranker):
    people, items, scores = scene(rated(), knn(rated()), np.arange(40, dtype=np.int32))
    predicted = ranker.predict_ratings(people, items, scores=scores)
    assert ((predicted >= 1) & (predicted <= 5)).all()
    assert ranker.about["rmse"] > 0


@pytest.mark.parametrize("lacks", ["times", "ratings", "features", "everything"])
def test_data_may_lack_anything(lacks):
    data = rated()
    if lacks in {"times", "everything"}:
        data = replace(data, timestamp=None)
    if lacks in {"ratings", "everything"}:
        data = replace(data, value=None)
    if lacks in {"features", "everything"}:
        data = replace(
            data, users=Entities("user_id", data.users.ids), items=Entities("item_id", data.items.ids)
        )
    made = fit_ranker(data, knn, first=knn(data), settings=SMALL)
    two = TwoStage(knn(data), made, Histories.of(data))
    assert np.isfinite(two.score(np.arange(-1, 40, dtype=np.int32))).all()
    if data.value is None:
        people, items, scores = scene(data, knn(data), np.array([0], np.int32))
        with pytest.raises(SettingError, match="from ratings"):
            made.predict_ratings(people, items, scores=scores)


def test_someone_without_history_and_someone_with_one_film(ranker):
    one = Histories.from_pairs(np.array([1]), np.array([4]), n_users=2)
    users, unknown = np.array([0, 1], np.int32), np.array([-1, 99], np.int32)
    people = People.of(users, one, known_as=unknown, when=1e6)
    items = np.array([[1, 2, 3], [2, 6, -1]], np.int32)
    ranked = ranker.rank(people, items, scores=np.array([[3, 2, 1], [2, 1, -np.inf]], np.float32))
    assert sorted(ranked.items[0]) == [1, 2, 3]
    assert ranked.items[1, 2] == -1
    assert np.isfinite(ranked.scores[ranked.items >= 0]).all()


def test_a_short_row_of_scores_is_refused(ranker):
    people = People.of(np.array([0], np.int32), Histories.of(rated()))
    with pytest.raises(SettingError, match="row of candidates"):
        ranker.rank(people, np.array([[1, 2]], np.int32), scores=np.array([[1]], np.float32))


def test_two_stages_reorder_the_candidates_alone(ranker):
    data, first = rated(), knn(rated())
    two, seen, users = (
        TwoStage(first, ranker, Histories.of(rated())),
        Histories.of(data),
        np.arange(40, dtype=np.int32),
    )
    before, after = first.score(users), two.score(users)
    candidates, _ = two.candidates(users, before)
    for u in users:
        others = np.setdiff1d(np.arange(20), candidates[u])
        np.testing.assert_array_equal(before[u, others], after[u, others])
        left = np.setdiff1d(others, seen[int(u)])
        if len(left):
            assert after[u, candidates[u][candidates[u] >= 0]].min() > after[u, left].max()
        assert len(np.unique(after[u, candidates[u]])) == len(candidates[u])


def test_the_graded_target_and_folds_in_time():
    made = fit_ranker(
        rated(), knn, first=knn(rated()), settings=replace(SMALL, target="graded", folds="time", label=0.2)
    )
    assert made.people(np.array([0], np.int32), Histories.of(rated())).when[0] == rated().timestamp.max()
    assert made.people(np.array([0], np.int32), Histories.of(rated()), now=9e9).when[0] == 9e9


def test_the_verdict_tells_ceiling_gains_and_slices(ranker):
    train, test = butaca.random_split(rated(), 0.2, seed=1)
    first = knn(train)
    two = TwoStage(first, fit_ranker(train, knn, first=first, settings=SMALL), Histories.of(train))
    verdict = judge_ranking(two, test)
    assert verdict.ceiling[100] >= verdict.first.top_k(10)
    assert verdict.gains[0].theirs == evaluate_scorer(first, test, seen=Histories.of(train)).top_k(10)
    assert {a.name for a, _ in verdict.slices} >= {"users: cold", "items: rare"}
    json.dumps(verdict.as_json())


def test_a_second_stage_that_hurts_is_told():
    bad = Comparison("ndcg", 10, 0.1, 0.2, -0.1, -0.15, -0.05, "loses")
    tie = replace(bad, low=-0.15, high=0.05, word="ties")
    assert "Leave it out" in str(ranking_hurts((bad, tie)))
    assert ranking_hurts((tie,)) is None
    assert ranking_hurts((bad, replace(bad, word="beats"))) is None


def test_another_catalogue_is_refused(ranker):
    with pytest.raises(SettingError, match="same catalogue"):
        TwoStage(Popularity().fit(checkerboard()), ranker, Histories.of(rated()))


@pytest.mark.parametrize("wrong", [{"n_folds": 1}, {"share": 0}, {"leaves": 1}, {"target": "x"}])
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(SettingError):
        RankSettings(**wrong)


def test_serving_imports_no_jax():
    code = "import butaca.rank.two_stage, sys; print(*(m for m in sys.modules if '.' not in m))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"jax", "optax", "duckdb", "scipy", "lightgbm"} & set(run.stdout.split())
