"""The notebook's numbers on the real MovieLens 100K, and what beats them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import butaca
from butaca.baselines.popularity import Popularity
from butaca.data.histories import Histories
from butaca.evaluate.protocol import NOTEBOOK_K, evaluate_scorer
from butaca.recipes import DEFAULT, NOTEBOOK
from butaca.workflows import fitting, judging

pytestmark = pytest.mark.usefixtures("optimised")

TOP_10, TOP_100 = (f"factorized_top_k/top_{k}_categorical_accuracy" for k in (10, 100))


def train(recipe, data, seed=42):
    from dataclasses import replace

    recipe = recipe.for_data(data)
    recipe = replace(recipe, model=replace(recipe.model, seed=seed))
    model = recipe.build()
    history = model.fit(
        data, epochs=recipe.epochs, batch_size=recipe.batch_size, optimizer=recipe.make_optimizer()
    )
    return model, history


@pytest.fixture(scope="module")
def notebook_model(ml_split):
    return train(NOTEBOOK, ml_split[0])


@pytest.mark.parametrize("seed", range(5))
def test_recipe_reproduces_the_notebook_over_seeds(ml_split, seed):
    train_set, test = ml_split
    model, history = train(NOTEBOOK, train_set, seed)
    metrics = model.evaluate(test)
    assert list(metrics)[:5] == [f"factorized_top_k/top_{k}_categorical_accuracy" for k in NOTEBOOK_K]
    assert 0.170 <= metrics[TOP_100] <= 0.200
    assert metrics["loss"] == pytest.approx(29_576, rel=0.01)  # TFRS's last batch of 3,616 pairs
    assert history.history["loss"][-1] == pytest.approx(49_615, rel=0.01)  # TFRS's training loss
    assert metrics["regularization_loss"] == 0.0


def test_the_loss_that_trained_it_is_the_pair_matrix(ml_split, notebook_model):
    """The last test batch's loss, computed the notebook's way: a 3,616 x 3,616 matrix."""
    model, test = notebook_model[0], ml_split[1]
    user, item = test.user[-3616:], test.item[-3616:]
    logits = (model.user_vectors[user] @ model.item_vectors[item].T).astype(np.float64)
    top = logits.max(axis=1)
    plain = (top + np.log(np.exp(logits - top[:, None]).sum(axis=1)) - np.diag(logits)).sum()
    assert model.evaluate(test)["loss"] == pytest.approx(plain, rel=1e-6)


def test_leaving_seen_movies_out_lifts_it(ml_split, notebook_model):
    kept = notebook_model[0].evaluate(ml_split[1])
    left_out = notebook_model[0].evaluate(ml_split[1], exclude_seen=True)
    assert left_out[TOP_10] > 5 * kept[TOP_10]
    assert 0.28 < left_out[TOP_100] < 0.37  # ANCHORS: .325


def test_the_default_recipe_beats_popularity(ml_split):
    """Two different models on the same pairs: what `butaca fit` gives is worth serving."""
    train_set, test = ml_split
    model, _ = train(DEFAULT, train_set)
    popularity = evaluate_scorer(Popularity().fit(train_set), test, seen=Histories.of(train_set))
    assert 0.08 < popularity.top_k(10) < 0.095
    assert model.evaluate(test, exclude_seen=True)[TOP_10] > 1.5 * popularity.top_k(10)


def test_the_default_recipe_is_as_good_as_the_readme_says(ml_split):
    """The README's figures, and the verdict on the strongest baseline, in one reading of the test pairs."""
    train_set, test = ml_split
    model, _ = DEFAULT.for_data(train_set).fit(train_set)
    seen = Histories.of(train_set)
    ours = evaluate_scorer(model, test, seen=seen)
    assert ours.top_k(10) > 0.175
    assert ours.top_k(100) > 0.640
    assert ours.metric("ndcg", 10) > 0.445
    assert ours.metric("recall", 20) > 0.368
    ease = evaluate_scorer(butaca.EASE().fit(train_set), test, seen=seen)
    assert butaca.compare(ours, ease, metric="recall", k=20).word == "beats"


def test_new_people_are_judged_from_what_is_given(ml, tmp_path):
    """A split by user: nobody judged was trained on, and four fifths of what each had is the history."""
    data = ml.keyed_by("movie_title")
    fitted = fitting.fit(data, DEFAULT, split="user")
    judged, recommender = fitted.judged, fitted.recommender
    assert judged is not None
    tested = np.unique(judged.rows["seen left out"].user)
    assert not np.isin(fitted.train.user, tested).any()
    had = np.bincount(data.user, minlength=len(data.users))[tested]
    assert recommender.seen.lengths[tested].sum() / had.sum() == pytest.approx(0.8, abs=0.01)
    assert judged.verdict.word("popularity") == "beats"
    assert any("never saw" in note for note in fitted.notes)
    again = judging.judge_saved(butaca.Recommender.load(recommender.save(tmp_path / "model")))
    for name, row in judged.rows.items():
        assert again.rows[name].top_k(10) == pytest.approx(row.top_k(10), abs=2e-4), name


def test_three_titles_for_user_21(ml_split, notebook_model, tmp_path):
    train_set = ml_split[0]
    recommender = butaca.Recommender.build(notebook_model[0], train_set)
    answer = recommender.recommend(user="21", k=3)
    titles = {item.title for item in answer.items}
    had = set(train_set.items.ids.decode(recommender.seen[recommender.users.ids.code("21")]).tolist())
    assert len(titles) == 3
    assert not titles & had
    recommender.save(tmp_path / "model")
    assert butaca.Recommender.load(tmp_path / "model").recommend(user="21", k=3) == answer


@pytest.mark.alone
def test_demo_does_it_all_in_under_two_minutes(ml, tmp_path):
    command = Path(sys.executable).with_name("butaca")
    begin = time.perf_counter()
    run = subprocess.run(
        [command, "demo"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"COLUMNS": "100", "JAX_DISABLE_MOST_OPTIMIZATIONS": "0"},
    )
    assert time.perf_counter() - begin < 120
    text = " ".join(run.stdout.split())
    for words in (
        "100,000 interactions of 943 users with 1,682 films",
        "'movie_title': \"One Flew Over the Cuckoo's Nest (1975)\"",
        "1,664 unique titles",
        "100/100 steps",
        "the notebook, as printed 0.00005 0.00090 0.0036 0.0743 0.1878",
        "popularity, seen left out",
        "Three titles for user 21, by the notebook's model",
        "beats popularity",
        "The second stage orders what the first retrieves",
        "Three titles for user 21",
        "butaca serve model/",
    ):
        assert words in text, words
    again = subprocess.run(
        [command, "recommend", "model/", "--user", "21", "-k", "3", "--explain"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    titles = [
        line.split("  ")[1].strip()[:20] for line in again.stdout.splitlines() if line[:3].strip().isdigit()
    ]
    assert len(titles) == 3
    for title in titles:
        assert title in run.stdout


def test_temporal_split_is_judged_too(ml):
    fitted = fitting.fit(ml.keyed_by("movie_title"), DEFAULT, split="temporal")
    assert fitted.judged is not None
    assert fitted.recommender.about["split"]["split"] == "temporal"
    assert fitted.judged.n_test == pytest.approx(20_000, rel=0.01)
