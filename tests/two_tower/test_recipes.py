"""Recipes adapted to data: sizes, tiny data, early stopping."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import butaca
from butaca.data.dataset import Dataset, Entities
from butaca.data.vocabulary import Vocabulary
from butaca.errors import SettingError
from butaca.model.features import History
from butaca.recipes import DEFAULT, NOTEBOOK, RECIPES, make_optimizer, recipe
from butaca.recipes.size import LEAST_SAMPLES, sampling
from butaca.train.checkpoints import read_checkpoint
from butaca.train.settings import TwoTowerSettings
from tests.support.narrow import some


def data(user, item, n_users=None, n_items=None, time=None, value=None):
    """Interactions of codes; ids are those codes."""
    n_users, n_items = n_users or max(user) + 1, n_items or max(item) + 1
    return Dataset(
        Entities("person", Vocabulary.of([f"p{u:05d}" for u in range(n_users)])),
        Entities("film", Vocabulary.of([f"f{i:05d}" for i in range(n_items)])),
        np.array(user, np.int32),
        np.array(item, np.int32),
        None if value is None else np.array(value, np.float32),
        None if time is None else np.array(time, np.int64),
    )


def of_size(n, n_users, n_items):
    rng = np.random.default_rng(0)
    user, item = rng.integers(0, n_users, n), rng.integers(0, n_items, n)
    return data(user, item, n_users, n_items, np.arange(n))


def test_recipes_by_name():
    assert recipe("notebook") is NOTEBOOK
    assert {name: r.name for name, r in RECIPES.items()} == {"notebook": "notebook", "default": "default"}
    with pytest.raises(SettingError, match="notebook, default"):
        recipe("defualt")
    with pytest.raises(SettingError, match="'lion'"):
        make_optimizer("lion", 0.1)
    assert make_optimizer("adam", 0.1) is make_optimizer("adam", 0.1)


def test_columns_come_from_the_data():
    small = of_size(60, 12, 10)
    assert NOTEBOOK.for_data(small).model.query == (butaca.Id("person"),)
    assert NOTEBOOK.for_data(small).model.candidate == (butaca.Id("film"),)
    assert DEFAULT.for_data(small).model.query == DEFAULT.model.query  # a history needs no column
    assert DEFAULT.for_data(small).model.candidate == (butaca.Id("film"),)
    assert NOTEBOOK.for_data(small).epochs == NOTEBOOK.epochs
    assert NOTEBOOK.for_data(small).model.dim == NOTEBOOK.model.dim


@pytest.mark.parametrize(
    ("n", "n_users", "n_items", "dim", "closed"),
    [
        (72_000, 943, 1664, 64, 36),  # what it was tuned on: nothing changes
        (9_000, 943, 1664, 64, 18),  # an eighth of the interactions: half the dimensions
        (115_000, 4000, 3000, 64, 42),  # 1.6 times: the cube root of it
        (288_000, 4000, 3000, 64, 96),  # four times: 4 / 1.5
        (5_760_000, 4000, 3000, 64, 256),  # no more than 256
        (72_000, 200, 40, 20, 10),  # 40 items: half and a quarter of them
        (72_000, 30, 4000, 15, 7),  # 30 users
        (60, 3, 4, 4, 2),  # never below 4 and 2
    ],
)
def test_dimensions_follow_the_size(n, n_users, n_items, dim, closed):
    plain = replace(
        DEFAULT,
        tuned_on=72_000,
        model=replace(DEFAULT.model, dim=64, spectral=replace(some(DEFAULT.model.spectral), dim=36)),
    )
    adapted = plain.for_data(of_size(n, n_users, n_items)).model
    assert (adapted.dim, some(adapted.spectral).dim) == (dim, closed)
    assert (
        replace(adapted, dim=64, spectral=plain.model.spectral, candidate=plain.model.candidate)
        == plain.model
    )


def test_the_closed_form_stays_out_where_it_was_left_out():
    without = replace(DEFAULT, model=replace(DEFAULT.model, spectral=None))
    assert without.for_data(of_size(60, 12, 10)).model.spectral is None


@pytest.mark.parametrize(
    ("n", "batch_size", "steps", "epochs"),
    [
        (100, 100, 40, 40),  # a step an epoch
        (101, 100, 40, 20),  # two
        (1000, 100, 45, 5),  # ten steps an epoch: 4.5, rounded up
        (1000, 100, 30, 4),  # at least four
        (6_000_000, 100_000, 40, 1),  # an epoch of sixty steps, beyond five million interactions
        (10, 100, 0, 7),  # no number of steps: the epochs as they are
    ],
)
def test_epochs_take_about_as_many_steps(n, batch_size, steps, epochs):
    plain = replace(DEFAULT, batch_size=batch_size, steps=steps, epochs=7)
    assert plain.for_data(of_size(n, 20, 20)).epochs == epochs


def test_the_prior_is_recent_for_the_future_alone():
    timed = of_size(60, 12, 10)
    untimed = replace(timed, timestamp=None)
    assert DEFAULT.for_data(timed, future=True).model.prior == "recent"
    assert DEFAULT.for_data(timed).model.prior == "popularity"
    assert DEFAULT.for_data(untimed, future=True).model.prior == "popularity"
    none = replace(DEFAULT, model=replace(DEFAULT.model, prior="none"))
    assert none.for_data(timed, future=True).model.prior == "none"


FIVE = ([0, 0, 1, 1, 2], [0, 1, 1, 2, 3])
TINY = {
    "3 users, 4 items": data(*FIVE, time=[1, 2, 3, 4, 5]),
    "one user": data([0, 0, 0], [0, 1, 2], 1, 4, [1, 2, 3]),
    "one pair": data([0], [0], time=[1]),
    "without interactions": data([0, 0, 1], [0, 1, 1], 5, 40, [1, 2, 3]),
    "one moment": data(*FIVE, time=[7] * 5),
    "no times": data(*FIVE),
    "duplicates": data([0, 0, 0, 0, 1], [1, 1, 1, 0, 0], time=[1, 2, 3, 4, 5]),
    "one item each": data(range(10), range(10), time=range(10)),
    "the same item each": data(range(10), [0] * 10, 10, 3, range(10)),
    "missing ratings": data(*FIVE, time=[1, 2, 3, 4, 5], value=[np.nan, 1, 2, np.nan, 3]),
    "before 1970": data(*FIVE, time=[-(10**17), 2, -3, 4, 5]),
    "all of time": data(*FIVE, time=[-(2**62), 2**62, -3, 4, 5]),
}


@pytest.mark.parametrize(("weighted", "future"), [(False, False), (True, True)])
@pytest.mark.parametrize("name", TINY)
def test_tiny_data_train_and_score_finite(name, weighted, future):
    """Warnings are errors here: no division by zero, no mean of nothing."""
    given = TINY[name]
    made = DEFAULT.for_data(given, future)
    if weighted:
        query = (butaca.History(by_rating=True, by_recency=True),)
        made = replace(made, model=replace(made.model, query=query))
    model, history = made.fit(given)
    assert np.isfinite(history.history["loss"]).all()
    scores = model.score(np.arange(-1, len(given.users) + 1, dtype=np.int32))
    assert scores.shape == (len(given.users) + 2, len(given.items))
    assert np.isfinite(scores).all()


def test_small_data_never_stop_early(board):
    made = DEFAULT.for_data(board)
    model, history = made.fit(board)
    assert len(history.epoch) == made.epochs == 40
    assert list(history.history) == ["loss", "regularization_loss", "total_loss"]
    assert len(model.seen.items) == len(board)  # nothing was held out


def several_steps(**changes):
    return replace(DEFAULT, batch_size=400, held_out=150, epochs=60, **changes)


def test_large_data_stop_early_on_what_they_hold_out(ml_split):
    train = ml_split[0].take(np.arange(8000))
    made = replace(several_steps().for_data(train), epochs=60)
    model, history = made.fit(train)
    name = "val_factorized_top_k/top_10_categorical_accuracy"
    values = history.history[name]
    best = int(np.argmax(values))
    assert len(values) == best + 3 < 60  # patience 2
    assert len(some(model._fitted).run.batches.user) == 8000 - 150  # held_out, which is below 5 %
    assert max(values) > 0.03
    assert model.seen.lengths.sum() == butaca.Histories.of(train).lengths.sum()  # held out, yet had
    # The epoch that was best is what is kept.
    stopped, _ = replace(made, epochs=best + 1).fit(train)
    np.testing.assert_array_equal(stopped.item_vectors, model.item_vectors)


def test_callbacks_keep_their_place_around_early_stopping(board):
    made = replace(DEFAULT.for_data(board), batch_size=50, held_out=10, epochs=1)
    log = [butaca.Callback(), butaca.Callback()]
    model, _ = made.fit(board, callbacks=log)
    kinds = [type(c).__name__ for c in some(model._fitted).run.callbacks]
    assert kinds == ["FitHistory", "Callback", "EarlyStopping", "Callback"]
    model, _ = made.fit(board)
    assert [type(c).__name__ for c in some(model._fitted).run.callbacks] == ["FitHistory", "EarlyStopping"]


def test_a_checkpoint_holds_what_early_stopping_made_of_its_epoch(board, tmp_path):
    made = replace(DEFAULT.for_data(board), batch_size=50, held_out=10, epochs=1)
    made.fit(board, callbacks=[butaca.Checkpoint(tmp_path)])
    states = {state["kind"]: state["values"] for state in read_checkpoint(tmp_path).callbacks}
    assert states["EarlyStopping"]["best_epoch"] == 0


def test_an_interrupted_recipe_resumes_to_the_same_bits(ml_split, tmp_path):
    train = ml_split[0].take(np.arange(3000))
    made = replace(several_steps().for_data(train), epochs=4)
    whole, _ = made.fit(train, callbacks=[butaca.Checkpoint(tmp_path / "whole")])
    kept = butaca.Checkpoint(tmp_path / "half")
    replace(made, epochs=2).fit(train, callbacks=[kept])
    model, history = made.fit(
        train, callbacks=[butaca.Checkpoint(tmp_path / "half")], resume=tmp_path / "half"
    )
    assert len(history.epoch) == 4
    np.testing.assert_array_equal(model.item_vectors, whole.item_vectors)
    np.testing.assert_array_equal(model.user_vectors, whole.user_vectors)


@pytest.mark.parametrize("order", [None, "timescales"])
def test_positives_never_compete_with_a_sample_as_large_as_the_catalogue(order):
    model = TwoTowerSettings(query=(History(order=order),))
    for n_items in (1, 2, 500, LEAST_SAMPLES):
        assert sampling(model, n_items) == model
    for n_items in (2 * LEAST_SAMPLES, 50_000):
        assert sampling(model, n_items).softmax == "sampled"
        assert sampling(model, n_items).samples <= n_items // 2
