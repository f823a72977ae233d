"""This module lets the baselines of the panel enter, each with its settings tuned on validation.

Their first trial is what the panel fits (`baselines/panel.py`), but for iALS, whose own search of three is
replaced by the trials that every model gets.
"""

from __future__ import annotations

import math

import numpy as np

from butaca.baselines.ease import EASE, l2_for
from butaca.baselines.ials import IALS
from butaca.baselines.item_knn import ItemKNN
from butaca.baselines.markov_chain import MarkovChain
from butaca.baselines.panel import EASE_ITEMS, KNN_PAIRS
from butaca.baselines.popularity import HALF_LIFE_SHARE, Popularity, RecentPopularity
from butaca.baselines.tuned import ALPHA, DIMS, EPOCHS, STEPS, STRENGTHS
from butaca.cores import one_blas_thread
from butaca.data.dataset import Dataset
from butaca.data.histories import Histories
from butaca.data.splits import COMES_NEXT
from butaca.errors import SettingError
from butaca.referee.contestants import Tunable
from butaca.referee.search import Between, OneOf, Settings
from butaca.types import Scorer


def popularity(train: Dataset, settings: Settings, *, seed: int) -> Scorer:
    """Fits popularity, which has no settings."""
    return Popularity().fit(train)


def recent_popularity(train: Dataset, settings: Settings, *, seed: int) -> Scorer:
    """Fits recent popularity with a half-life in parts of the time that the data span."""
    assert train.timestamp is not None
    span = max(float(np.ptp(train.timestamp)), 1.0)
    return RecentPopularity(settings["half_life_share"] * span).fit(train)


def item_knn(train: Dataset, settings: Settings, *, seed: int) -> Scorer:
    """Fits item-kNN.

    Raises:
        SettingError: histories hold too many pairs of items.
    """
    pairs = float((Histories.of(train).lengths.astype(np.float64) ** 2).sum())
    if pairs > KNN_PAIRS:
        raise SettingError(
            f"Item-kNN counts pairs of items within histories, up to {KNN_PAIRS:.0e}",
            f"{pairs:.1e} of them",
            "Leave it out",
        )
    return ItemKNN(settings["neighbours"], settings["shrinkage"]).fit(train)


def ials(train: Dataset, settings: Settings, *, seed: int) -> Scorer:
    """Fits iALS, its penalty as a strength: what that of a row which nobody had comes to (`tuned.py`)."""
    alpha = settings["alpha"]
    l2 = settings["strength"] / (alpha * math.sqrt(len(np.unique(train.user)) * len(train.items)))
    dim = min(settings["dim"], len(train.items))
    with one_blas_thread():
        return IALS(dim, alpha, l2=l2, nu=settings["nu"], epochs=EPOCHS, steps=STEPS, seed=seed).fit(train)


def ease(train: Dataset, settings: Settings, *, seed: int) -> Scorer:
    """Fits EASE, its penalty in parts of the one that suits the data's size."""
    seen = Histories.of(train)
    had = float(len(seen.items) if seen.weight is None else seen.weight.sum(dtype=np.float64))
    return EASE(settings["l2_times"] * l2_for(had, len(train.items)), inputs=EASE_ITEMS).fit(train)


def markov_chain(train: Dataset, settings: Settings, *, seed: int) -> Scorer:
    """Fits the Markov chain."""
    return MarkovChain(settings["smoothing"], settings["window"], decay=settings["decay"]).fit(train)


#: In the order of tables.
BASELINES = (
    Tunable("popularity", popularity),
    Tunable(
        "recent popularity",
        recent_popularity,
        start={"half_life_share": HALF_LIFE_SHARE},
        space={"half_life_share": Between(0.001, 1.0)},
        timed=True,
    ),
    Tunable(
        "item-kNN",
        item_knn,
        start={"neighbours": 100, "shrinkage": 0.0},
        space={"neighbours": Between(10, 1000, whole=True), "shrinkage": OneOf((0.0, 1.0, 5.0, 25.0, 100.0))},
    ),
    Tunable(
        "iALS",
        ials,
        start={"dim": DIMS[0], "alpha": ALPHA, "strength": STRENGTHS[0], "nu": 1.0},
        space={
            "dim": Between(16, 256, whole=True),
            "alpha": Between(0.05, 1.5),
            "strength": Between(1.0, 40.0),
            "nu": Between(0.4, 1.3, even=True),
        },
    ),
    Tunable("EASE", ease, start={"l2_times": 1.0}, space={"l2_times": Between(0.05, 20.0)}),
    Tunable(
        "Markov chain",
        markov_chain,
        start={"smoothing": 30.0, "window": 3, "decay": 0.7},
        space={
            "smoothing": Between(1.0, 300.0),
            "window": Between(1, 6, whole=True),
            "decay": Between(0.1, 1.0, even=True),
        },
        only=COMES_NEXT,
        timed=True,
    ),
)
