"""This module holds what baselines that look at a user's history share: the matrix, the users without one."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from typing import Self

import numpy as np
from scipy import sparse

from butaca.checks import user_codes
from butaca.data.dataset import Dataset
from butaca.data.histories import Histories
from butaca.errors import NotFittedError
from butaca.types import Codes, Floats


class FromHistory(ABC):
    """A FromHistory is a scorer that answers from the items a user has had, each once, by its weight if any.

    A user without any, or one it does not know, gets the number of users that had each item.
    """

    def __init__(self) -> None:
        self._seen: Histories | None = None
        self._users_of: Floats | None = None  # [N]

    @abstractmethod
    def _learn(self, matrix: sparse.csr_array) -> None:
        """Fits to who had what, sparse float32 [U, N], as `_matrix` gives it."""

    @abstractmethod
    def _scores(self, matrix: sparse.csr_array) -> Floats:
        """Returns scores for what `_asked` gave [B, N], a new array [B, N]."""

    def fit(self, train: Dataset) -> Self:
        """Learns from the training interactions; refit forgets."""
        self._seen = Histories.of(train)
        n_items = len(train.items)
        counted = np.bincount(self._seen.items, self._seen.weight, minlength=n_items)
        self._users_of = counted.astype(np.float32)
        self._learn(self._matrix(np.arange(len(train.users), dtype=np.int32)))
        return self

    def answering(self, seen: Histories) -> Self:
        """Returns a copy, fitted as this is, for other users or longer histories, by codes in `seen`."""
        self._need()
        other = copy.copy(self)
        other._seen = seen
        return other

    @property
    def n_items(self) -> int:
        """Returns the size of the catalogue."""
        return len(self._need()[1])

    def score(self, users: Codes) -> Floats:
        """Returns the scores of user codes [B], float32 [B, N]."""
        popular = self._need()[1]
        matrix = self._asked(user_codes(users))
        scores = self._scores(matrix)
        scores[np.diff(matrix.indptr) == 0] = popular
        return scores

    def _asked(self, users: Codes) -> sparse.csr_array:
        """Returns what these users are answered from: all that they had, unless a scorer asks for less."""
        return self._matrix(users)

    def _matrix(self, users: Codes) -> sparse.csr_array:
        """Returns who had what, of these users: sparse float32 [B, N].

        An entry is 1, or the root of the weight: what has weight 2 then counts in X'X as two that had it.
        """
        seen, popular = self._need()
        row, at = seen.rows(users)
        item = seen.items[at]
        start = np.searchsorted(row, np.arange(len(users) + 1))
        had = np.ones(len(item), dtype=np.float32) if seen.weight is None else np.sqrt(seen.weight[at])
        return sparse.csr_array((had, item, start), shape=(len(users), len(popular)))

    def _need(self) -> tuple[Histories, Floats]:
        if self._seen is None or self._users_of is None:
            name = type(self).__name__
            raise NotFittedError(f"{name} scores after fit", f"a new {name}", "Call fit(train)")
        return self._seen, self._users_of
