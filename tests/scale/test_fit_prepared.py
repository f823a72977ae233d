"""`butaca fit` on prepared data: from the disk, with the bits that data in memory give."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

import butaca
from butaca import recipes
from butaca.cli.app import app
from butaca.data.histories import Histories
from butaca.model import spectral
from butaca.recommend.recommender import Recommender
from butaca.scale.prepare import prepare
from butaca.scale.prepare_settings import Preparing
from butaca.scale.prepared import Prepared
from butaca.train.room import Room
from butaca.two_tower import TwoTower
from butaca.workflows import fitting, judging, loading
from tests.support.narrow import some


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Forty people in two camps, with ratings and times."""
    place = tmp_path_factory.mktemp("prepared")
    rng = np.random.default_rng(0)
    chance = np.where(np.add.outer(np.arange(40), np.arange(30)) % 2, 0.9, 0.4)
    pairs = np.argwhere(rng.random(chance.shape) < chance)
    rows = [f"u{u:02d},{i},{1 + (u + i) % 5},{1_600_000_000 + 60 * n}" for n, (u, i) in enumerate(pairs)]
    table = place / "ratings.csv"
    table.write_text("user_id,movie_id,rating,timestamp\n" + "\n".join(rows) + "\n")
    prepare(table, place / "p", settings=Preparing(workers=1, test_share=0.25))
    return place / "p"


def test_columns_stay_on_the_disk(folder):
    train = Prepared.open(folder).dataset("train")
    for column in (train.item, train.value, train.timestamp):
        assert isinstance(column, np.memmap)
    seen = Histories.of(train)
    for column in (seen.items, seen.value, seen.time):
        assert isinstance(column, np.memmap)
    again = Histories.from_pairs(
        train.user[::-1], train.item[::-1], n_users=len(train.users), value=some(train.value)[::-1]
    )
    assert again.items.tolist() == seen.items.tolist()
    assert again.start.tolist() == seen.start.tolist()
    assert some(again.value).tolist() == some(seen.value).tolist()


@pytest.mark.parametrize("whole", [False, True], ids=["sittings", "whole histories"])
def test_training_from_the_disk_ends_with_the_bits_of_memory(folder, whole, monkeypatch):
    if whole:
        monkeypatch.setattr(spectral, "DENSE_ITEMS", 8)
        monkeypatch.setattr("butaca.recipes.size.DENSE_ITEMS", 8)
    train = Prepared.open(folder).dataset("train")
    held = replace(
        train, item=np.array(train.item), value=np.array(train.value), timestamp=np.array(train.timestamp)
    )
    ends = []
    for data in (train, held):
        recipe = replace(recipes.DEFAULT.for_data(data), batch_size=150, epochs=2, held_out=0)
        assert (some(recipe.model.spectral).span == np.inf) is whole
        model, _ = recipe.fit(data)
        ends.append((model.user_vectors, model.item_vectors, model.item_bias))
    for disk, memory in zip(*ends, strict=True):
        assert disk.tobytes() == memory.tobytes()


def test_the_command_trains_judges_and_saves(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("butaca.recipes.size.DENSE_ITEMS", 8)  # whole histories, whose span is infinite
    run = CliRunner().invoke(app, ["fit", str(folder), "--out", str(tmp_path / "m"), "--epochs", "2"])
    assert run.exit_code == 0, run.output
    model, data = Recommender.load(tmp_path / "m"), Prepared.open(folder)
    assert model.about["model"]["spectral"]["span"] is None
    assert model.about["split"] == {"split": "random", "test_share": 0.25, "seed": 42, "timed": True}
    assert model.about["data"]["interactions"] == len(data.train) + len(data.test)
    assert sorted(some(model.test)[1].tolist()) == sorted(data.test.item.tolist())  # all are judged
    assert len(model.recommend(user="u03", k=5).items) == 5


@pytest.mark.parametrize("softmax", [None, "sampled", "in_batch"])
def test_the_softmax_is_the_one_that_is_asked_for(folder, tmp_path, softmax):
    asked = [] if softmax is None else ["--softmax", softmax]
    run = CliRunner().invoke(app, ["fit", str(folder), "--out", str(tmp_path / "m"), "--epochs", "1", *asked])
    assert run.exit_code == 0, run.output
    assert Recommender.load(tmp_path / "m").about["softmax"] == (softmax or "full")


def test_a_second_stage_and_events_are_refused(folder, tmp_path):
    run = CliRunner().invoke(app, ["fit", str(folder), "--rank", "--out", str(tmp_path / "m")])
    assert run.exit_code != 0
    assert "Prepared data train the towers alone" in str(run.exception or run.output)
    assert not (tmp_path / "m").exists()


def test_large_test_sets_are_judged_on_a_draw_of_users(folder, monkeypatch):
    monkeypatch.setattr(judging, "JUDGED_SCORES", 300)  # ten users of thirty items
    monkeypatch.setattr(judging, "JUDGED_USERS", 5)
    sides = some(loading.prepared(str(folder)))
    test = some(sides.test)
    recipe = replace(recipes.DEFAULT, epochs=1, steps=0)
    fitted = fitting.fit(sides.train, recipe, sides=sides)
    asked, _ = some(fitted.recommender.test)
    judged = set(asked.tolist())
    everyone = set(test.user.tolist())
    assert len(asked) == np.isin(test.user, list(judged)).sum()  # all their pairs
    assert len(judged) == 10
    assert judged < everyone
    assert fitted.recommender.about["split"]["judged_users"] == 10
    assert any(f"10 users drawn from the {len(everyone)}" in note for note in fitted.notes)
    monkeypatch.setattr(judging, "JUDGED_USERS", len(everyone))
    assert len(judging.judged_on(test, 42)) == len(test)


def test_tables_and_other_folders_are_no_prepared_data(tmp_path):
    assert loading.prepared("ml-100k") is None
    assert loading.prepared(str(tmp_path)) is None


def test_room_is_what_batches_take_not_the_longest_that_could_meet():
    """Of a thousand histories of 10 and ten of 5,000, ten users hold 600 on average, 50,000 at most."""
    lengths = np.array([10] * 1000 + [5000] * 10)
    room = Room.of(lengths, 10)
    assert room.most == 50_000
    assert room.usual < 3 * 10 * lengths.mean() + 1024
    assert room.for_(100) == room.usual
    assert room.for_(5_090) == 5 * 1024
    assert room.for_(50_000) == 50_000


def test_a_model_learns_where_lengths_are_skewed():
    """Batches of several shapes are one epoch: every pair trains."""
    user = np.repeat(np.arange(60), [2] * 55 + [40] * 5).astype(np.int32)
    item = np.concatenate([np.arange(n) for n in [2] * 55 + [40] * 5]).astype(np.int32)
    from butaca.data.dataset import Dataset, Entities
    from butaca.data.vocabulary import Vocabulary

    data = Dataset(
        Entities("user_id", Vocabulary.of([f"u{n:02d}" for n in range(60)])),
        Entities("item_id", Vocabulary.of([f"i{n:02d}" for n in range(40)])),
        user,
        item,
    )
    model = TwoTower([butaca.History()], [butaca.Id("item_id")], dim=4, softmax="full")
    model.fit(data, epochs=2, batch_size=20)
    counted = sum(int((b.positive_weight > 0).sum()) for b in some(model._fitted).run.batches.epoch(0))
    assert counted == len(data)
