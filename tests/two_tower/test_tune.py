"""The search finds what is better, from the recipe's own settings on, and its file comes back as it was."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.quality.default_tune import SETTINGS

import butaca
from butaca.errors import SettingError
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
    values = [t.value for t in tuned.trials]
    assert tuned.best.value == max(values) >= values[0]
    assert [best for _, best in seen] == [max(values[: i + 1]) for i in range(3)]
    assert settings_of(tuned.recipe) == pytest.approx(dict(tuned.best.settings))
    assert tuned.recipe.tuned_on == len(few[0][0])


def test_the_same_seed_searches_the_same(few):
    once, again = (tune(DEFAULT, few[:1], trials=2, seed=3) for _ in range(2))
    assert [(t.value, t.settings) for t in once.trials] == [(t.value, t.settings) for t in again.trials]


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
    run = CliRunner().invoke(app, ["tune", "ratings.csv", "--trials", "2", "--slices", "1"])
    assert run.exit_code == 0, run.output
    assert "best" in run.output
    assert json.loads((tmp_path / "settings.json").read_text())["trials"] == 2
    run = CliRunner().invoke(app, ["fit", "ratings.csv", "--settings", "settings.json", "--out", "model"])
    assert run.exit_code == 0, run.output
