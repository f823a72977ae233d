"""This module holds the quality benchmark's splits, and the settings that were found for its peers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.environment import HERE
from butaca import Dataset, load_movielens, random_split
from butaca.data.splits import stratified_split
from butaca.workflows.fitting import HeldOut, hold_out
from butaca.workflows.loading import Sides

#: The peers' tuned settings, as `python -m benchmarks.quality.tune` wrote them.
SETTINGS = HERE / "quality" / "settings.json"

#: Everything is tuned on the training data of this split alone.
TUNED_ON = 42

#: Seeds of the random splits: the one that everything is tuned on, and four that nothing is tuned on.
SPLITS = (TUNED_ON, 1, 2, 3, 4)

TEST, VALIDATION = 0.2, 0.1

#: Seeds of the validation slices; a setting counts by its mean over them (one slice picks by luck).
SLICES = (0, 1, 2, 3)
SLICES_ARE = (
    "random_split(train, test_share=0.1, seed=0 to 3), "
    "train of random_split(ml-100k titles, test_share=0.2, seed=42)"
)
MEASURE = "NDCG@20, mean over users with validation pairs and over slices, seen titles left out"


def movielens() -> Dataset:
    """Returns MovieLens 100K with titles as items: 943 users, 1,664 titles."""
    return load_movielens("100k").keyed_by("movie_title")


def split(data: Dataset, seed: int) -> tuple[Dataset, Dataset]:
    """Returns a split of the benchmark."""
    return random_split(data, TEST, seed=seed)


def slices() -> list[tuple[Dataset, Dataset]]:
    """Returns where settings are chosen: a tenth of the training data held out, several times."""
    train, _ = split(movielens(), TUNED_ON)
    return [random_split(train, VALIDATION, seed=seed) for seed in SLICES]


def parts(name: str) -> tuple[Dataset, Dataset]:
    """Returns train and test by name: a seed of `split`, "slice-0" to "slice-3", or "recommenders"."""
    if name.startswith("slice-"):
        return slices()[int(name.removeprefix("slice-"))]
    if name == "recommenders":  # items are movie ids there
        return stratified_split(load_movielens("100k"), test_share=0.25, seed=42, by="item")
    return split(movielens(), int(name))


def held(name: str) -> HeldOut:
    """Returns the sides of a split by name, as the referee takes them."""
    train, test = parts(name)
    share = len(test) / (len(train) + len(test))
    return hold_out(train, Sides(train, test, "given", share, TUNED_ON))


def peer_settings(file: Path = SETTINGS) -> dict[str, Any]:
    """Returns by peer its settings, validation, trials and seed."""
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf8"))["peers"]
    return found
