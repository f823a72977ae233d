"""This module holds EASE, the best linear item-to-item model, in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from butaca.baselines.from_history import FromHistory
from butaca.checks import real_number, whole_number
from butaca.errors import SettingError
from butaca.model.inverse import Doubles, inverse_of
from butaca.types import Floats, Ints

#: Items beside the inputs are predicted where so many pairs of one and an input were had together (a user's
#: scores take a product for each), found in so many products of pairs within histories.
REST_PAIRS, REST_PRODUCTS = 1_000_000, 1e8


class EASE(FromHistory):
    """Scores by X B, where B minimises |X - X B|^2 + l2 |B|^2 with a zero diagonal.

        P = (X'X + l2 I)^-1,   B = I - P / diag(P),   each column divided by its own P_jj

    X is 1 where someone had something, or the root of its weight where interactions have weights.

    Steck 2019, "Embarrassingly shallow autoencoders for sparse data". It is hard to beat on MovieLens.
    Time grows with the cube of the catalogue and memory with its square: some 24 n^2 bytes in fitting,
    4 n^2 after.

    Args:
        l2: weight of the penalty. None scales 300, found on a validation slice of MovieLens 100K's
            training data (80,000 pairs of 1,664 items), to the mean number of users an item has.
        limit: catalogues beyond this many items are refused.
        inputs: scores are made from so many items alone, those that most users had; None: from all. An
            item that is not among them is predicted from those that are, B = (X'X + l2 I)^-1 X'Y, where
            they were had together by few enough users to count (`REST_PAIRS`), else it ranks below them
            by its users. Time then grows with the cube of the inputs, and `limit` is theirs.
    """

    def __init__(self, l2: float | None = None, limit: int = 20_000, *, inputs: int | None = None) -> None:
        super().__init__()
        whole_number("limit", limit)
        if inputs is not None:
            whole_number("inputs", inputs, least=1)
        if l2 is not None and real_number("l2", l2) <= 0:
            raise SettingError("EASE's l2 is above 0", f"l2={l2}", "Try EASE(l2=300)")
        self.l2, self.limit, self.inputs = l2, limit, inputs
        self._weights: Floats | None = None  # [N, N], of the inputs
        self._rest: _Rest | None = None

    def _learn(self, matrix: sparse.csr_array) -> None:
        had = np.bincount(matrix.indices, minlength=matrix.shape[1])
        few = self.inputs is not None and self.inputs < len(had)
        inputs = np.sort(np.argsort(-had, kind="stable")[: self.inputs]) if few else np.arange(len(had))
        n = len(inputs)
        if n > self.limit:
            raise SettingError(
                f"EASE inverts a matrix of items by items, up to {self.limit:,} of them",
                f"{n:,} items, {24 * n * n / 2**30:,.1f} GiB",
                "Compare with ItemKNN or IALS, score from the items that most had (EASE(inputs=6000)), or "
                "raise EASE(limit=...)",
            )
        l2 = self.l2 if self.l2 is not None else default_l2(matrix)
        by_item = sparse.csc_array(matrix)
        own = by_item[:, inputs] if few else by_item
        gram: Doubles = (own.T @ own).toarray().astype(np.float64)
        gram[np.diag_indices(n)] += l2
        inverse = inverse_of(gram)
        self._rest = _rest_of(by_item, inputs, had=had, inverse=inverse) if few else None
        inverse /= -np.diag(inverse).copy()
        inverse[np.diag_indices(n)] = 0
        self._weights = inverse.astype(np.float32)

    def _scores(self, matrix: sparse.csr_array) -> Floats:
        if self._rest is None:
            scores: Floats = matrix @ self._weights
            return scores
        return self._rest.scores(matrix, self._weights)


@dataclass(frozen=True, eq=False)
class _Rest:
    """A _Rest scores a catalogue of which some items are inputs.

    Attributes:
        inputs, others: their codes, [M] and [N - M].
        had: users of every item, [N].
        inverse: (X'X + l2 I)^-1 of the inputs [M, M], where the others are predicted, else None.
        together: X'Y, how many users had an input and another item, sparse [M, N - M].
    """

    inputs: Ints
    others: Ints
    had: Ints
    inverse: Floats | None = None
    together: sparse.csr_array | None = None

    def scores(self, matrix: sparse.csr_array, weights: Floats | None) -> Floats:
        """Returns the scores of the catalogue [B, N], of who had what and the inputs' weights."""
        own = sparse.csr_array(sparse.csc_array(matrix)[:, self.inputs])
        out = np.empty(matrix.shape, dtype=np.float32)
        scored: Floats = own @ weights
        out[:, self.inputs] = scored
        if self.inverse is not None and self.together is not None:
            out[:, self.others] = (own @ self.inverse) @ self.together
        else:
            below = self.had[self.others] / (self.had.max(initial=0) + 1) - 1
            out[:, self.others] = scored.min(axis=1, keepdims=True) + below
        return out


def _rest_of(by_item: sparse.csc_array, inputs: Ints, *, had: Ints, inverse: Doubles) -> _Rest:
    """Returns how the items beside the inputs are scored: predicted, or by their users where that is long."""
    others = np.setdiff1d(np.arange(len(had)), inputs)
    lengths = np.bincount(by_item.indices, minlength=by_item.shape[0]).astype(np.float64)
    if float((lengths**2).sum()) <= REST_PRODUCTS:
        together = sparse.csr_array(by_item[:, inputs].T @ by_item[:, others])
        if together.nnz <= REST_PAIRS:
            return _Rest(inputs, others, had, inverse.astype(np.float32), together.astype(np.float32))
    return _Rest(inputs, others, had)


def default_l2(matrix: sparse.csr_array) -> float:
    """Returns the penalty that suits a matrix of who had what, each pair or its weight (`l2_for`)."""
    had = float(np.square(matrix.data, dtype=np.float64).sum())
    return l2_for(had, int(matrix.shape[1]))


def l2_for(had: float, n_items: int) -> float:
    """Returns 300 where an item has 48 users in the mean, as in MovieLens 100K; in proportion elsewhere.

    >>> l2_for(48.0 * 200, 200)
    300.0
    """
    return max(300.0 * had / max(n_items, 1) / 48.0, 1.0)
