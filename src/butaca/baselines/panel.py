"""This module fits the baselines that every model is judged beside, where the data allows them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from butaca.baselines.ease import EASE
from butaca.baselines.item_knn import ItemKNN
from butaca.baselines.popularity import Popularity, RecentPopularity
from butaca.data.dataset import Dataset
from butaca.data.histories import Histories
from butaca.types import Scorer

#: EASE's fit takes time with the cube of the catalogue: some 6 s for this many items on two cores.
EASE_ITEMS = 6_000

#: Item-kNN's takes time with the pairs of items within histories: some 10 s for this many on one core.
KNN_PAIRS = 1_000_000_000


@dataclass(frozen=True)
class Panel:
    """Holds fitted baselines.

    Attributes:
        scorers: by name, in the order of tables.
        left_out: those that the data does not allow, and why.
    """

    scorers: dict[str, Scorer]
    left_out: dict[str, str]


def fit_panel(train: Dataset) -> Panel:
    """Fits popularity, recent popularity, item-kNN and EASE on the training interactions."""
    scorers: dict[str, Scorer] = {"popularity": Popularity().fit(train)}
    left_out: dict[str, str] = {}
    if train.timestamp is not None:
        scorers["recent popularity"] = RecentPopularity().fit(train)
    else:
        left_out["recent popularity"] = "the interactions have no times"
    lengths = Histories.of(train).lengths.astype(np.float64)
    pairs = float((lengths**2).sum())
    if pairs <= KNN_PAIRS:
        scorers["item-kNN"] = ItemKNN().fit(train)
    else:
        left_out["item-kNN"] = f"histories hold {pairs:.1e} pairs of items, more than {KNN_PAIRS:.0e}"
    n_items = len(train.items)
    if n_items <= EASE_ITEMS:
        scorers["EASE"] = EASE().fit(train)
    else:
        left_out["EASE"] = f"{n_items:,} items, more than {EASE_ITEMS:,}"
    return Panel(scorers, left_out)
