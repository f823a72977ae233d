"""This module fits the baselines that every model is judged beside, where the data allows them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from butaca.baselines.ease import EASE
from butaca.baselines.half_life import best_half_life
from butaca.baselines.item_knn import ItemKNN
from butaca.baselines.markov_chain import MarkovChain
from butaca.baselines.popularity import Popularity, RecentPopularity
from butaca.baselines.tuned import tuned_ials
from butaca.data.dataset import Dataset
from butaca.data.histories import Histories
from butaca.data.splits import COMES_NEXT
from butaca.evaluate.verdict import Limit
from butaca.types import Scorer

#: EASE's fit takes time with the cube of the catalogue: some 9 s for this many items on two cores. Of more it
#: scores from those that most users had.
EASE_ITEMS = 6_000

#: Item-kNN's takes time with the pairs of items within histories: some 10 s for this many on one core.
KNN_PAIRS = 1_000_000_000

#: The chain's scores take time with what followed upon a user's last moment: some 5 s for so many products.
CHAIN_STEPS = 2_000_000_000

#: Its fit takes some 200 bytes and a microsecond for each interaction.
CHAIN_PAIRS = 10_000_000

#: Users that are judged where there are many (workflows/judging.py).
CHAIN_USERS = 10_000


@dataclass(frozen=True)
class Panel:
    """Holds fitted baselines.

    Attributes:
        scorers: by name, in the order of tables.
        left_out: those that the data does not allow, and why.
        limited: those that see a part of the data, and which.
    """

    scorers: dict[str, Scorer]
    left_out: dict[str, str]
    limited: dict[str, Limit] = field(default_factory=dict)


def fit_panel(train: Dataset, split: str = "random") -> Panel:
    """Fits popularity, recent popularity, item-kNN, iALS and EASE on the training interactions.

    iALS and EASE are there at any size, on the part of large data that a count allows (`Panel.limited`).
    What takes long is bounded by counts and never by the clock, so equal data give equal baselines.

    Where the question is what comes next, a split by time or of each user's last, the half-life of recent
    popularity is the best on the training side, held out in the same way, and a Markov chain joins.

    Args:
        train: what they are fitted on.
        split: how the test pairs were held out.
    """
    scorers: dict[str, Scorer] = {"popularity": Popularity().fit(train)}
    left_out: dict[str, str] = {}
    if train.timestamp is not None:
        half_life = best_half_life(train, split) if split in COMES_NEXT else None
        scorers["recent popularity"] = RecentPopularity(half_life).fit(train)
    else:
        left_out["recent popularity"] = "the interactions have no times"
    lengths = Histories.of(train).lengths.astype(np.float64)
    pairs = float((lengths**2).sum())
    if pairs <= KNN_PAIRS:
        scorers["item-kNN"] = ItemKNN().fit(train)
    else:
        left_out["item-kNN"] = f"histories hold {pairs:.1e} pairs of items, more than {KNN_PAIRS:.0e}"
    limited: dict[str, Limit] = {}
    n_users, n_items = int(np.count_nonzero(lengths)), len(train.items)
    scorers["iALS"], n = tuned_ials(train, split)
    if n < n_users:
        limited["iALS"] = Limit("users", n, n_users)
    scorers["EASE"] = EASE(inputs=EASE_ITEMS).fit(train)
    if n_items > EASE_ITEMS:
        limited["EASE"] = Limit("items", EASE_ITEMS, n_items)
    if split in COMES_NEXT:
        _add_chain(train, scorers, left_out=left_out)
    return Panel(scorers, left_out, limited)


def _add_chain(train: Dataset, scorers: dict[str, Scorer], *, left_out: dict[str, str]) -> None:
    """Adds the Markov chain, or why it is left out."""
    if train.timestamp is None:
        left_out["Markov chain"] = "the interactions have no times"
        return
    if len(train) > CHAIN_PAIRS:
        left_out["Markov chain"] = f"{len(train):,} interactions, more than {CHAIN_PAIRS:,}"
        return
    chain = MarkovChain().fit(train)
    steps = chain.steps() * min(len(train.users), CHAIN_USERS)
    if steps <= CHAIN_STEPS:
        scorers["Markov chain"] = chain
    else:
        left_out["Markov chain"] = (
            f"what followed upon the last moments takes {steps:.1e} products, more than {CHAIN_STEPS:.0e}"
        )
