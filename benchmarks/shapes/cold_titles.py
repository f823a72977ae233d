"""This module holds titles out of training, and has a baseline and towers that read their features."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from benchmarks.shapes.fits import fit_seed
from benchmarks.shapes.temporal import Later
from butaca import Bag, Bags, Category, Dataset, Recipe, Scorer, Text, TwoTower, recipe
from butaca.types import Codes, Floats

#: What is known of a title before anyone has had it.
FILMS = (Bag("movie_genres"), Category("movie_year"), Text("title_words"))

LIFTED = "of genres, year, words"


def hold_out(data: Dataset, seed: int, *, share: float = 0.1) -> tuple[Dataset, Dataset]:
    """Splits the data: all about a share of the titles that have interactions tests, the rest trains."""
    titles = np.unique(data.item)
    chosen = np.random.default_rng(seed).permutation(titles)[: round(share * len(titles))]
    held = np.isin(data.item, chosen)
    return data.take(np.flatnonzero(~held)), data.take(np.flatnonzero(held))


@dataclass(frozen=True, eq=False)
class SameForAll:
    """A SameForAll scores the items the same for every user."""

    scores: Floats

    @property
    def n_items(self) -> int:
        """Returns the size of the catalogue."""
        return len(self.scores)

    def score(self, users: Codes) -> Floats:
        """Returns the scores for users: [B] -> [B, N], read-only."""
        return np.broadcast_to(self.scores, (len(users), self.n_items))


def by_genre(train: Dataset) -> SameForAll:
    """Scores an item by the mean over its genres of the mean popularity of their known titles.

    Popularity can't tell new titles apart; this is the simplest thing that can.
    """
    genres = train.items["movie_genres"]
    assert isinstance(genres, Bags)
    counts = np.bincount(train.item, minlength=len(train.items)).astype(np.float64)
    owner = np.repeat(np.arange(len(genres)), np.diff(genres.offsets))
    known = counts[owner] > 0
    codes = np.unique(genres.values, return_inverse=True)[1]
    n = int(codes.max()) + 1
    of_genre = np.bincount(codes[known], counts[owner][known], n) / np.maximum(
        np.bincount(codes[known], minlength=n), 1
    )
    total = np.bincount(owner, of_genre[codes], len(genres))
    return SameForAll((total / np.maximum(np.diff(genres.offsets), 1)).astype(np.float32))


def feature_recipes(train: Dataset) -> dict[str, Recipe]:
    """Returns the default recipe, and ways of placing new titles that it does not take.

    They leave the map from features out, and let the candidate tower read what is known of a title.
    """
    columns = {name: c for name, c in train.items.columns.items() if name != "title_words"}  # the id's words
    default = recipe("default").for_data(replace(train, items=replace(train.items, columns=columns)))
    without = replace(default, model=replace(default.model, cold_features=()))
    features = replace(without, model=replace(without.model, candidate=FILMS))
    bare = replace(features, model=replace(features.model, prior="none"))
    with_id = replace(without, model=replace(without.model, candidate=(*without.model.candidate, *FILMS)))
    return {
        "default": default,
        "default, no features of new titles": without,
        "candidate tower of id, genres, year, words": with_id,
        LIFTED: features,
        "of genres, year, words, no prior": bare,
    }


def fit_lifted(train: Dataset, seed: int) -> Scorer:
    """Fits the tower of features, with the item term of new titles at the known ones' mean.

    The log of no interactions is as low as a term gets, and no new title would ever stand above a known one.
    """
    model = fit_seed(feature_recipes(train)[LIFTED], train, seed)
    assert isinstance(model, TwoTower)
    bias = model.item_bias
    assert bias is not None
    new = np.bincount(train.item, minlength=len(bias)) == 0
    return Later(model, np.where(new, bias[~new].mean() - bias, 0.0).astype(np.float32))
