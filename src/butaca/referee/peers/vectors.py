"""This module holds what peers share that score by the product of a user's and an item's vector."""

from __future__ import annotations

from abc import abstractmethod
from typing import Self

import numpy as np
from scipy import sparse

from butaca.baselines.from_history import FromHistory
from butaca.checks import user_codes
from butaca.data.histories import Histories
from butaca.types import Codes, Floats


class OfVectors(FromHistory):
    """An OfVectors answers those it was fitted on by its own vectors, and others by vectors that it folds in.

    Whoever has no history gets what most users had, as of the baselines.
    """

    def __init__(self) -> None:
        super().__init__()
        self._user_vectors: Floats | None = None  # [U, d]; None: answer by folding in
        self._item_vectors: Floats | None = None  # [N, d]

    @abstractmethod
    def _fold_in(self, matrix: sparse.csr_array) -> Floats:
        """Returns the vectors of users by what they had, [B, d]."""

    def answering(self, seen: Histories) -> Self:
        """Returns a copy for other users or longer histories, who are folded in."""
        other = super().answering(seen)
        other._user_vectors = None
        return other

    def score(self, users: Codes) -> Floats:
        """Returns the scores of user codes [B], float32 [B, N]."""
        if self._user_vectors is None:
            return super().score(users)
        seen, popular = self._need()
        users = user_codes(users)
        known = (users >= 0) & (users < len(self._user_vectors))
        safe = np.where(known, users, 0)
        scores = self._products(self._user_vectors[safe])
        scores[~known | (seen.lengths[safe] == 0)] = popular
        return scores

    def _scores(self, matrix: sparse.csr_array) -> Floats:
        return self._products(self._fold_in(matrix))

    def _products(self, vectors: Floats) -> Floats:
        assert self._item_vectors is not None
        return np.asarray(vectors @ self._item_vectors.T, dtype=np.float32)
