"""This module holds popularity: every user gets the items that most interactions chose."""

from __future__ import annotations

import numpy as np

from butaca.checks import of_kind, real_number, user_codes
from butaca.data.dataset import Dataset
from butaca.data.histories import Histories
from butaca.errors import NotFittedError, SettingError, TableError
from butaca.types import Codes, Floats

#: RecentPopularity's half-life, as a share of the time that training data span.
HALF_LIFE_SHARE = 0.05


def counts_of(train: Dataset) -> Floats:
    """Returns the interactions of each item, each by its weight where they have weights, float32 [N]."""
    counted = np.bincount(train.item, train.weight, minlength=len(train.items))
    return counted.astype(np.float32)


class Popularity:
    """Scores an item by its number of training interactions, or their weights; the same for everyone."""

    def __init__(self) -> None:
        self._counts: Floats | None = None

    def fit(self, train: Dataset) -> Popularity:
        """Counts each item's interactions."""
        of_kind("train", train, kind=Dataset, cure="Read one with read_table or load_movielens")
        self._counts = counts_of(train)
        return self

    @property
    def counts(self) -> Floats:
        """Returns the training interactions of each item, [N]."""
        if self._counts is None:
            raise NotFittedError("Popularity scores after fit", "a new Popularity()", "Call fit(train)")
        return self._counts

    @property
    def n_items(self) -> int:
        """Returns the size of the catalogue."""
        return len(self.counts)

    def score(self, users: Codes) -> Floats:
        """Returns the counts for every user: [B] -> [B, N], read-only."""
        return np.broadcast_to(self.counts, (len(user_codes(users)), self.n_items))


class RecentPopularity:
    """Scores an item by the users that had it, each worth less the longer ago it was; the same for everyone.

        sum over users that had the item of 2 ** -(age / half-life),   age up to the last training time

    Where tastes and releases change, a model that does not beat this knows nothing of the user that
    the date does not tell.

    Args:
        half_life: seconds after which a user counts half; None takes a share of the time from the first
            training interaction to the last, `HALF_LIFE_SHARE`.
    """

    def __init__(self, half_life: float | None = None) -> None:
        if half_life is not None and real_number("half_life", half_life) <= 0:
            raise SettingError("A half-life is a time above 0", f"half_life={half_life}", "Try 30 * 86_400")
        self.half_life = half_life
        self._weights: Floats | None = None

    def fit(self, train: Dataset) -> RecentPopularity:
        """Counts each item's users, by age.

        Raises:
            TableError: the interactions have no times.
        """
        seen = Histories.of(train)
        time = seen.time
        if time is None:
            raise TableError(
                "RecentPopularity needs a time for every interaction",
                f"{train.name!r}, which has no time column",
                "Name one with time_column= (on the command line: --time-column), or compare with Popularity",
            )
        age = (time.max() - time).astype(np.float64) if len(time) else np.zeros(0)
        half_life = self.half_life or max(HALF_LIFE_SHARE * age.max(initial=0.0), 1.0)
        worth = np.exp2(-age / half_life) * (1.0 if seen.weight is None else seen.weight)
        weights = np.bincount(seen.items, worth, minlength=len(train.items))
        self._weights = weights.astype(np.float32)
        return self

    @property
    def weights(self) -> Floats:
        """Returns the users of each item, by age, [N]."""
        if self._weights is None:
            raise NotFittedError(
                "RecentPopularity scores after fit", "a new RecentPopularity()", "Call fit(train)"
            )
        return self._weights

    @property
    def n_items(self) -> int:
        """Returns the size of the catalogue."""
        return len(self.weights)

    def score(self, users: Codes) -> Floats:
        """Returns the weights for every user: [B] -> [B, N], read-only."""
        return np.broadcast_to(self.weights, (len(user_codes(users)), self.n_items))
