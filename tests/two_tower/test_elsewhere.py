"""What is fitted goes to other processes and into copies, and what diverged goes nowhere."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace

import numpy as np
import optax
import pytest

import butaca
from butaca import recipes
from butaca.errors import CheckpointError, DivergenceError
from butaca.train.blend import Blend
from butaca.tune import measure
from tests.support.boards import checkerboard
from tests.support.forks import run
from tests.support.ordered import rounds

WAYS = {"pickle": lambda x: pickle.loads(pickle.dumps(x)), "deepcopy": copy.deepcopy, "copy": copy.copy}


def fitted(*query, **settings):
    data = checkerboard()
    model = butaca.TwoTower(list(query) or [butaca.Id("user_id")], [butaca.Id("item_id")], dim=4, **settings)
    model.fit(data, epochs=2)
    return data, model


@pytest.mark.parametrize("way", WAYS)
def test_data_go_along_and_stay_unchangeable(way):
    data = checkerboard()
    again = WAYS[way](data)
    assert again.fingerprint() == data.fingerprint()
    assert again.notes == data.notes
    with pytest.raises(ValueError, match="read-only"):
        again.user[0] = 1
    with pytest.raises(TypeError):
        again.items.columns["title"] = None
    with pytest.raises(ValueError, match="read-only"):
        again.items.ids.values[0] = "x"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("query", "settings"),
    [
        ((), {}),
        ((butaca.History(),), {"prior": "popularity"}),
        ((butaca.History(), butaca.Category("parity")), {"hidden": (8,), "unit": True}),
        ((butaca.History(),), {"start": "spectral", "spectral": butaca.SpectralSettings(dim=2)}),
        ((butaca.History(),), {"cold_features": (butaca.Bag("genres"),)}),
    ],
)
def test_a_model_answers_elsewhere_as_here(way, query, settings):
    data, model = fitted(*query, **settings)
    again = WAYS[way](model)  # before anything was asked of it
    users = np.arange(len(data.users), dtype=np.int32)
    np.testing.assert_array_equal(again.score(users), model.score(users))
    part = data.take(np.arange(50))
    again.remember(part)
    model.remember(part)
    np.testing.assert_array_equal(again.score(users), model.score(users))
    again.fit(data, epochs=1)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("order", ["timescales", "attention"])
def test_a_model_of_histories_in_order_answers_elsewhere_as_here(way, order):
    data = rounds()
    blend = Blend(0.5, 0.5, 1.0, 86_400.0)
    model = butaca.TwoTower([butaca.History(order=order)], [butaca.Id("item_id")], dim=4, blend=blend)
    model.fit(data, epochs=1, batch_size=200)
    again = WAYS[way](model)
    users = np.arange(len(data.users), dtype=np.int32)
    np.testing.assert_array_equal(again.score(users), model.score(users))
    told = [butaca.Recommender.build(m, data).recommend("u03", 5, explain=True) for m in (again, model)]
    assert told[0] == told[1]


@pytest.mark.parametrize("way", WAYS)
def test_a_recommender_answers_elsewhere_as_here(way):
    data, model = fitted(butaca.History())
    recommender = butaca.Recommender.build(model, data)
    again = WAYS[way](recommender)
    assert again.recommend("u03", 5, explain=True) == recommender.recommend("u03", 5, explain=True)
    assert again.similar("i03") == recommender.similar("i03")


@pytest.mark.parametrize("made", [butaca.Bags.of([[1], []]), recipes.DEFAULT, butaca.RankSettings()])
def test_other_records_go_along(made):
    assert repr(pickle.loads(pickle.dumps(made))) == repr(made)


def test_a_model_goes_to_a_process_that_has_not_trained(tmp_path):
    data, model = fitted(butaca.History())
    (tmp_path / "model.pickle").write_bytes(pickle.dumps((data, model)))
    code = (
        "import pickle; data, model = pickle.load(open('model.pickle', 'rb'));"
        "print(model.score([3]).argmax(), len(data))"
    )
    done = run(code=code, cwd=tmp_path)
    assert done.stdout.split() == [str(model.score(np.array([3])).argmax()), str(len(data))]


@pytest.mark.parametrize("softmax", ["in_batch", "full", "sampled"])
def test_training_that_diverges_stops_and_names_the_learning_rate(softmax):
    model = butaca.TwoTower([butaca.Id("user_id")], [butaca.Id("item_id")], dim=4, softmax=softmax)
    with pytest.raises(DivergenceError, match=r"epoch \d+ of 60.*learning rate"):
        model.fit(checkerboard(), 60, optimizer=optax.sgd(1e6))
    with pytest.raises(butaca.ButacaError, match="after fit"):
        model.score(np.array([0]))


def test_a_kept_learning_rate_is_named_with_its_value():
    model = butaca.TwoTower([butaca.Id("user_id")], [butaca.Id("item_id")], dim=4)
    optimizer = optax.inject_hyperparams(optax.sgd)(learning_rate=1e6)
    with pytest.raises(DivergenceError, match=r"a learning rate of 1e\+06"):
        model.fit(checkerboard(), 60, optimizer=optimizer)


def test_a_recipe_that_diverges_names_its_own(tmp_path):
    recipe = replace(recipes.NOTEBOOK, optimizer="sgd", learning_rate=1e7, epochs=40, batch_size=64)
    recipe = recipe.for_data(checkerboard())
    with pytest.raises(DivergenceError, match=r"sgd at a learning rate of 1e\+07"):
        recipe.fit(checkerboard(), [butaca.Checkpoint(tmp_path)])


def test_a_recipe_that_diverges_while_it_chooses_a_blend_names_its_own():
    recipe = recipes.DEFAULT.ordered("timescales")
    recipe = replace(recipe, optimizer="sgd", learning_rate=1e20, steps=0, epochs=40, batch_size=64)
    recipe = recipe.for_data(rounds(), future=True, asks="temporal")
    with pytest.raises(DivergenceError, match=r"sgd at a learning rate of 1e\+20"):
        recipe.fit(rounds())


def test_a_search_goes_on_past_settings_that_diverge():
    recipe = replace(recipes.NOTEBOOK, optimizer="sgd", learning_rate=1e7, epochs=40, batch_size=64)
    assert measure(recipe, checkerboard(), validation=checkerboard()) == 0.0


@pytest.mark.parametrize("part", ["user_vectors", "item_vectors"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_model_with_numbers_that_are_none_is_not_saved(tmp_path, part, value):
    data, model = fitted()
    recommender = butaca.Recommender.build(model, data)
    vectors = getattr(recommender, part).copy()
    vectors[3, 1] = value
    with pytest.raises(DivergenceError, match=f"{part} with 1 of"):
        replace(recommender, **{part: vectors}).save(tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_resuming_past_the_end_is_an_error(tmp_path):
    data = checkerboard()
    model = butaca.TwoTower([butaca.Id("user_id")], [butaca.Id("item_id")], dim=4)
    model.fit(data, 5, callbacks=[butaca.Checkpoint(tmp_path)])
    for epochs in (1, 4):
        with pytest.raises(CheckpointError, match=r"after epoch 5.*to train \d epochs.*5 epochs or more"):
            model.fit(data, epochs, callbacks=[butaca.Checkpoint(tmp_path)], resume=tmp_path)
    done = model.fit(data, 5, callbacks=[butaca.Checkpoint(tmp_path)], resume=tmp_path)
    assert len(done.epoch) == 5  # at its end: nothing is left to do


class _Stop(butaca.Callback):
    """Ends training in the middle of an epoch, as a kill does."""

    def __init__(self, at: int) -> None:
        self.left = at

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


def test_resuming_within_the_last_epoch_but_past_its_number_is_an_error(tmp_path):
    data = checkerboard()
    model = butaca.TwoTower([butaca.Id("user_id")], [butaca.Id("item_id")], dim=4)
    with pytest.raises(KeyboardInterrupt):
        model.fit(data, 5, batch_size=20, callbacks=[butaca.Checkpoint(tmp_path, 1), _Stop(9)])
    with pytest.raises(CheckpointError, match=r"epoch 1, step \d.*to train 1 epochs.*2 epochs or more"):
        model.fit(
            data, 1, batch_size=20, callbacks=[butaca.Checkpoint(tmp_path, 1), _Stop(9)], resume=tmp_path
        )
