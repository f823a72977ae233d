"""What the quality benchmark's children read: splits as pairs of codes, and the peers' settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.environment import HERE
from butaca import Dataset, load_movielens, random_split
from butaca.data.splits import stratified_split

#: The peers' tuned settings, as `python -m benchmarks.quality_tune` wrote them.
SETTINGS = HERE / "quality_settings.json"

#: Everything is tuned on the training data of this split alone.
TUNED_ON = 42

#: Seeds of the random splits: the one that everything is tuned on, and four that nothing is tuned on.
SPLITS = (TUNED_ON, 1, 2, 3, 4)

TEST, VALIDATION, VALIDATION_SEED = 0.2, 0.1, 0


def movielens() -> Dataset:
    """MovieLens 100K with titles as items: 943 users, 1,664 titles."""
    return load_movielens("100k").keyed_by("movie_title")


def split(data: Dataset, seed: int) -> tuple[Dataset, Dataset]:
    """A split of the benchmark."""
    return random_split(data, TEST, seed)


def validation_split(train: Dataset) -> tuple[Dataset, Dataset]:
    """Where settings are chosen: a tenth of a split's training data is held out."""
    return random_split(train, VALIDATION, VALIDATION_SEED)


def parts(name: str) -> tuple[Dataset, Dataset]:
    """Train and test by name: a seed of `split`, "validation" or "recommenders"."""
    if name == "recommenders":  # items are movie ids there
        return stratified_split(load_movielens("100k"), test=0.25, seed=42, by="item")
    if name == "validation":
        return validation_split(split(movielens(), TUNED_ON)[0])
    return split(movielens(), int(name))


def hand_over(file: Path, train: Dataset, valid: Dataset | None = None) -> None:
    """Write the pairs that a peer reads."""
    arrays: dict[str, Any] = {
        "user": train.user,
        "item": train.item,
        "shape": np.array([len(train.users), len(train.items)]),
    }
    if valid is not None:
        arrays |= {"valid_user": valid.user, "valid_item": valid.item}
    np.savez(file, **arrays)


def peer_settings(file: Path = SETTINGS) -> dict[str, Any]:
    """Per peer: settings, validation, trials, seed."""
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf8"))["peers"]
    return found
