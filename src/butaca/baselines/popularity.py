"""Popularity: every user gets the items that most interactions chose."""

from __future__ import annotations

import numpy as np

from butaca.data.dataset import Dataset
from butaca.errors import NotFittedError
from butaca.types import Codes, Floats


class Popularity:
    """Scores an item by its number of training interactions, the same for everyone."""

    def __init__(self) -> None:
        self._counts: Floats | None = None

    def fit(self, train: Dataset) -> Popularity:
        """Count."""
        self._counts = np.bincount(train.item, minlength=len(train.items)).astype(np.float32)
        return self

    @property
    def counts(self) -> Floats:
        """Training interactions of each item, [N]."""
        if self._counts is None:
            raise NotFittedError("Popularity scores after fit", "a new Popularity()", "Call fit(train)")
        return self._counts

    @property
    def n_items(self) -> int:
        """Size of the catalogue."""
        return len(self.counts)

    def score(self, users: Codes) -> Floats:
        """The counts for every user: [B] -> [B, N], read-only."""
        return np.broadcast_to(self.counts, (len(users), self.n_items))
