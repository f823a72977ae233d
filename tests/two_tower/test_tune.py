"""The search finds what is better, from the recipe's own settings on, and its file comes back as it was."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benchmarks.quality.default_tune import SETTINGS

import butaca
from butaca.errors import SettingError, SplitError
from butaca.recipes import DEFAULT, NOTEBOOK
from butaca.tune import (
    SPACE,
    load_settings,
    save_settings,
    settings_of,
    tune,
    validation_slices,
    with_settings,
)
from tests.support.narrow import some


@pytest.fixture(scope="module")
def few(ml_split):
    """A tenth of the users of the notebook's training data, two slices of it."""
    train, _ = ml_split
    return validation_slices(train.take((train.user % 10 == 0).nonzero()[0]), n=2)


def test_the_first_trial_is_the_recipe_and_the_best_is_kept(few):
    seen = []
    tuned = tune(
        DEFAULT, few, trials=3, seed=1, progress=lambda trial, best: seen.append((trial.value, best))
    )
    assert [t.number for t in tuned.trials] == [0, 1, 2]
    start = settings_of(DEFAULT)
    for name, of in SPACE.items():
        assert tuned.trials[0].settings[name] == pytest.approx(min(max(start[name], of.low), of.high))
    values = [t.value if t.slices == 2 else 0.0 for t in tuned.trials]
    assert tuned.trials[0].slices == 2, "the first has nobody to be worse than"
    assert {t.slices for t in tuned.trials} <= {1, 2}
    assert tuned.best.value == max(values) >= values[0]
    assert [best for _, best in seen] == [max(values[: i + 1]) for i in range(3)]
    assert settings_of(tuned.recipe) == pytest.approx(dict(tuned.best.settings))
    assert tuned.recipe.tuned_on == len(few[0][0])


def test_the_same_seed_searches_the_same(few):
    once, again = (tune(DEFAULT, few[:1], trials=2, seed=3) for _ in range(2))
    assert [(t.value, t.settings) for t in once.trials] == [(t.value, t.settings) for t in again.trials]


def test_many_interactions_are_tuned_on_a_draw_of_users(ml_split, monkeypatch):
    train, _ = ml_split
    monkeypatch.setattr("butaca.tune.TUNED_ON", 3_000)
    part, held = validation_slices(train, n=1)[0]
    whole = {int(u): n for u, n in zip(*np.unique(train.user, return_counts=True), strict=True)}
    for user in np.unique(part.user):
        assert (part.user == user).sum() + (held.user == user).sum() == whole[int(user)]
    assert 2_000 < len(part) + len(held) <= 3_000


def test_a_budget_of_time_ends_it(few):
    assert len(tune(DEFAULT, few[:1], trials=50, seconds=0.0).trials) == 1


def test_settings_come_back_from_their_file(few, tmp_path):
    tuned = tune(DEFAULT, few[:1], trials=1)
    save_settings(tuned, tmp_path / "found.json", about={"data": "a tenth"})
    assert json.loads((tmp_path / "found.json").read_text())["data"] == "a tenth"
    assert load_settings(tmp_path / "found.json", DEFAULT) == tuned.recipe
    assert [p.name for p in tmp_path.iterdir()] == ["found.json"]


@pytest.mark.parametrize("text", ["", "{}", '{"settings": {"span": "wide"}, "tuned_on": 1}', "[1]"])
def test_a_broken_file_is_refused(text, tmp_path):
    (tmp_path / "found.json").write_text(text)
    with pytest.raises(SettingError, match="one that `butaca tune` wrote"):
        load_settings(tmp_path / "found.json", DEFAULT)


def test_an_unknown_setting_is_refused(tmp_path):
    (tmp_path / "found.json").write_text('{"settings": {"speed": 3}, "tuned_on": 1}')
    with pytest.raises(SettingError, match="speed"):
        load_settings(tmp_path / "found.json", DEFAULT)


def test_what_can_not_be_searched_says_so(few):
    with pytest.raises(SettingError, match="history tower"):
        tune(NOTEBOOK, few)
    with pytest.raises(SettingError, match="at least one trial"):
        tune(DEFAULT, few, trials=0)
    with pytest.raises(SettingError, match="at least one slice"):
        tune(DEFAULT, [])


def test_with_settings_changes_what_it_names_alone():
    changed = with_settings(DEFAULT, {"span": 7.0, "steps": 21})
    assert changed.model.spectral == replace(some(DEFAULT.model.spectral), span=7.0)
    assert changed.steps == 21
    assert replace(changed, steps=DEFAULT.steps, model=DEFAULT.model) == DEFAULT


def test_the_shipped_default_is_what_the_search_found():
    """`python -m benchmarks.quality.default_tune` writes the file; the recipe holds the same, rounded."""
    stored = json.loads(Path(SETTINGS).read_text())
    shipped = settings_of(DEFAULT)
    for name, value in stored["settings"].items():
        assert shipped[name] == pytest.approx(value, rel=0.01, abs=0.002), name
    assert DEFAULT.tuned_on == stored["tuned_on"]
    assert butaca.recipe("default") is DEFAULT


def test_the_commands(tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from butaca.cli.app import app
    from tests.support.boards import checkerboard

    board = checkerboard()
    rows = [f"{u},{i}" for u, i in zip(board.user, board.item, strict=True)]
    (tmp_path / "ratings.csv").write_text("\n".join(["user,item", *rows]) + "\n")
    monkeypatch.chdir(tmp_path)
    asked = ["--item-column", "item", "--repeats", "count", "--min-user", "2", "--seed", "7"]
    run = CliRunner().invoke(app, ["tune", "ratings.csv", *asked, "--trials", "2", "--slices", "1"])
    assert run.exit_code == 0, run.output
    assert "best" in run.output
    fit = run.output.split("Next: butaca fit ")[1].split()
    assert fit[0] == "ratings.csv"
    assert fit[-2:] == ["--settings", "settings.json"]
    given = {fit[at]: fit[at + 1] for at in range(1, len(fit), 2)}
    assert given == dict(zip(asked[::2], asked[1::2], strict=True)) | {"--settings": "settings.json"}
    assert json.loads((tmp_path / "settings.json").read_text())["trials"] == 2
    run = CliRunner().invoke(app, ["fit", "ratings.csv", "--settings", "settings.json", "--out", "model"])
    assert run.exit_code == 0, run.output


@pytest.mark.parametrize("split", ["temporal", "last"])
def test_what_comes_next_is_tuned_on_what_comes_next(tmp_path, monkeypatch, split):
    """The slices are the last of the training side, and trials are fitted for the future, as `fit` does."""
    from typer.testing import CliRunner

    from butaca import tune as room
    from butaca.cli.app import app
    from tests.support.boards import checkerboard

    board = checkerboard()
    rows = [
        f"u{u},i{i},{100 + t}" for u, i, t in zip(board.user, board.item, some(board.timestamp), strict=True)
    ]
    (tmp_path / "ratings.csv").write_text("\n".join(["user,item,timestamp", *rows]) + "\n")
    monkeypatch.chdir(tmp_path)
    measured = []

    def measure(recipe, train, *, validation, future=False):
        measured.append((train, validation, future))
        return 0.5

    monkeypatch.setattr(room, "measure", measure)
    run = CliRunner().invoke(
        app,
        ["tune", "ratings.csv", "--trials", "1", "--slices", "2", "--split", split, "--out", "found.json"],
    )
    assert run.exit_code == 0, run.output
    assert f"butaca fit ratings.csv --split {split} --settings found.json" in " ".join(run.output.split())
    stored = json.loads((tmp_path / "found.json").read_text())
    assert (stored["split"], stored["slices"]) == (split, 2)
    assert [future for *_, future in measured] == [True, True]
    (first, late, _), (second, early, _) = measured
    assert len(second) + len(early) == len(first)  # what the first judged on has left
    if split == "temporal":  # 140 moments from 100 on, of which the last 28 test
        assert some(late.timestamp).max() < 212
        assert some(early.timestamp).max() < some(late.timestamp).min()
    for train, validation, _ in measured:
        for user in set(validation.user.tolist()):
            own = some(validation.timestamp)[validation.user == user]
            assert own.min() > some(train.timestamp)[train.user == user].max(initial=0)
            assert split == "temporal" or len(own) == 1


def test_a_trial_is_fitted_for_the_future_as_the_fit_will_be(few, monkeypatch):
    from butaca.recipes import Recipe

    told = []
    for_data = Recipe.for_data

    def listening(self, data, future=False):
        told.append(future)
        return for_data(self, data, future)

    monkeypatch.setattr(Recipe, "for_data", listening)
    tune(DEFAULT, few[:1], trials=1, future=True)
    tune(DEFAULT, few[:1], trials=1)
    assert told == [True, False]


def test_where_too_little_is_left_there_are_fewer_slices():
    from tests.support.boards import checkerboard

    board = checkerboard()
    short = board.take(np.flatnonzero(board.item < 6))  # three each, or two
    assert len(validation_slices(short, 9, split="last", share=0.9)) == 2
    with pytest.raises(SplitError, match="time for every interaction"):
        validation_slices(replace(board, timestamp=None), split="last")
