"""TwoTower takes every field of TwoTowerSettings by its name: none is forgotten, none is exchanged."""

from __future__ import annotations

import inspect
from dataclasses import fields
from typing import Any

import pytest

from butaca import (
    Bag,
    Category,
    FollowerSettings,
    Id,
    NeighbourSettings,
    SpectralSettings,
    TwoTower,
    TwoTowerSettings,
)
from butaca.errors import SettingError
from butaca.train.blend import Blend

#: Every setting, each unlike its default and unlike the others of its kind.
OTHERS: dict[str, Any] = {
    "query": (Id("person"), Category("occupation")),
    "candidate": (Id("film"),),
    "dim": 5,
    "hidden": (7,),
    "softmax": "in_batch",
    "mask": "known",
    "samples": 11,
    "sampling_power": 0.3,
    "logq": False,
    "unit": True,
    "temperature": 0.2,
    "prior": "recent",
    "prior_power": 0.9,
    "prior_half_life": 0.4,
    "start": "spectral",
    "spectral": SpectralSettings(),
    "trusted_from": 6,
    "trust_power": 0.6,
    "followers": FollowerSettings(),
    "blend": Blend(0.5),
    "dislikes": 0.2,
    "cold_features": (Bag("genres"),),
    "newcomer_features": (Category("country"),),
    "l2": 0.1,
    "shuffle": "once",
    "seed": 3,
    "devices": 1,
}


def test_the_names_and_defaults_are_those_of_the_settings():
    parameters = inspect.signature(TwoTower).parameters
    assert {name: p.default for name, p in parameters.items()} == {
        field.name: field.default for field in fields(TwoTowerSettings)
    }
    kinds = [p.kind for p in parameters.values()]
    assert kinds[:2] == [inspect.Parameter.POSITIONAL_OR_KEYWORD] * 2
    assert set(kinds[2:]) == {inspect.Parameter.KEYWORD_ONLY}


def test_each_arrives_under_its_own_name():
    assert OTHERS.keys() | {"neighbours"} == {field.name for field in fields(TwoTowerSettings)}
    assert all(getattr(TwoTowerSettings(), name) != value for name, value in OTHERS.items())
    assert TwoTower(**OTHERS).settings == TwoTowerSettings(**OTHERS)
    near = NeighbourSettings(0.2)
    assert TwoTower(neighbours=near).settings == TwoTowerSettings(neighbours=near)


def test_single_pairs_are_of_one_kind():
    with pytest.raises(SettingError, match=r"one kind.*NeighbourSettings\(.*Leave one of them at None"):
        TwoTower(followers=FollowerSettings(), neighbours=NeighbourSettings())
