"""A saved model says every setting, and splits are read in words of today and of yesterday."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest

from butaca.recipes import DEFAULT, NOTEBOOK, Recipe
from butaca.train.settings import TwoTowerSettings
from butaca.workflows.about import describe, held_out, protocol, split_record


@pytest.mark.parametrize("recipe", [DEFAULT, NOTEBOOK])
def test_every_setting_is_described(recipe):
    said = describe(recipe)
    names = {f.name for f in fields(TwoTowerSettings)} | {f.name for f in fields(Recipe)} - {"name", "model"}
    assert set(said) == names
    assert json.loads(json.dumps(said, allow_nan=False)) == said
    assert said["samples"] == recipe.model.samples
    assert said["steps"] == recipe.steps


@pytest.mark.parametrize(
    "old", [{"how": "last", "test": 0.1, "seed": 3}, {"kind": "last", "test": 0.1, "seed": 3}]
)
def test_records_of_earlier_versions_are_read(old):
    now = {"split": "last", "test_share": 0.1, "seed": 3}
    assert split_record({"split": old}) == split_record({"split": now}) == now


@pytest.mark.parametrize(
    ("tied", "words"),
    [
        (0, "No user had equal times at the cut."),
        (1, "1 user had equal times at the cut, where a seeded draw says which is the last."),
        (1234, "1,234 users had equal times at the cut, where a seeded draw says which is the last."),
    ],
)
def test_the_last_of_each_user_is_said_in_words_and_so_are_ties(tied, words):
    said = protocol({"split": {"split": "last", "test_share": 0.2, "seed": 42, "tied_users": tied}})
    assert said == ["The last of each user is held out: what comes next.", words]


def test_every_split_has_words():
    assert protocol({"split": {"split": "temporal", "test_share": 0.25, "seed": 42}}) == [
        "The last 25% of the interactions in time are held out: what comes next."
    ]
    assert protocol({"split": {"split": "random", "test_share": 0.2, "seed": 42}}) == []
    for split in ("random", "temporal", "last", "user", "none"):
        assert "held out" in str(held_out({"split": split, "test_share": 0.2}))
    assert held_out({}) is None
