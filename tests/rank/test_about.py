"""What is told of a second stage is the same of a model that answers and of its folder."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from butaca.rank.about import kept_about, second_about
from butaca.rank.features import RatingFeatures
from butaca.rank.kinds import KINDS, kind_of
from butaca.rank.ranker import Ranker
from butaca.serve.registry import Registry
from tests.support.two_stages import two_stages


@pytest.fixture(scope="module")
def model():
    return replace(two_stages(), about={"recipe": "small"})


def test_a_folder_that_is_not_loaded_tells_of_its_second_stage(model, tmp_path):
    folders = {"a": model.save(tmp_path / "a"), "b": replace(model, ranker=None).save(tmp_path / "b")}
    registry = Registry({"a": folders["a"]})
    registry.folders.update(b=folders["b"], c=model.save(tmp_path / "c"))
    told = {one["name"]: one for one in registry.versions()}
    assert [told[name]["loaded"] for name in "abc"] == [True, False, False]
    assert told["c"]["second_stage"] == told["a"]["second_stage"] == second_about(model.ranker)
    assert told["c"]["second_stage"]["candidates"] == 30
    assert told["b"]["second_stage"] is None


def test_a_folder_of_before_some_settings_loads_and_tells(model):
    arrays, numbers, texts = model.ranker.as_parts()
    kept = json.loads(json.dumps(numbers))
    del kept["settings"]["used"]
    kept["settings"] |= {"threads": 1, "patience": 25}
    ranker = Ranker.from_parts(arrays, kept, texts=texts)
    assert (ranker.settings.threads, ranker.settings.patience) == (1, 25)
    assert kept_about(kept) == second_about(ranker) == second_about(model.ranker)


def test_a_saved_feature_keeps_its_name(model):
    _, numbers, _ = model.ranker.as_parts()
    stored = {one["kind"] for one in numbers["features"]}
    assert {"Retrieval", "Popular"} <= stored
    assert stored <= set(KINDS)
    assert kind_of(RatingFeatures()) == "Ratings"
    assert {kind_of(kind.__new__(kind)) for kind in KINDS.values()} == set(KINDS)
