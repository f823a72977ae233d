"""A saved model says every setting, and splits are read in words of today and of yesterday."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest

from butaca.recipes import DEFAULT, NOTEBOOK, Recipe
from butaca.train.settings import TwoTowerSettings
from butaca.workflows.about import describe, split_record


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
