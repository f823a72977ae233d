"""This module holds the first-order chain: it offers what followed upon what you had last."""

from __future__ import annotations

from typing import Self

import numpy as np
from scipy import sparse

from butaca.baselines.from_history import FromHistory
from butaca.checks import finite_number, of_kind, whole_number
from butaca.data.dataset import Dataset
from butaca.data.histories import Histories
from butaca.errors import SettingError, TableError
from butaca.types import Codes, Floats


class MarkovChain(FromHistory):
    """Scores an item by how often it followed those that the user had last, in everyone's training history.

        P(j | i) = (n_ij + smoothing share_j) / (n_i + smoothing),   n_i = sum over j of n_ij

    where n_ij counts j after i, and share_j is j's part of all that was had. This is the first-order chain
    that Rendle et al. 2010 (FPMC) factorise, and what a model that reads the order has to beat. As in their
    baskets what has equal times has no order, and none is made up: neither the names of items nor the order
    of rows decide anything. A moment is all that a user had at one time.

    - Moments follow one another. If one of m items is followed by one of m', each of the m m' pairs counts
      1 / (m m'), as it does in the mean over random orders.
    - Within a moment of m items each pair counts 1 / m, either way round, as in that mean too.
    - A user's state is the whole last moment, of whose items the mean is taken.
    - Where interactions have weights, what follows counts by its own, in parts of the mean one.

    What is kept are the moments, not the pairs of items, so memory grows with the interactions. A window of 3
    and the smoothing did well on validation sides of three data sets (docs/decisions/019-order.md).

    Args:
        smoothing: followers that popularity counts for; an item that nothing ever followed is answered by
            popularity alone.
        window: moments that count as following; 1 is the chain alone.
        decay: what each counts, in parts of the one before it.
    """

    def __init__(self, smoothing: float = 30.0, window: int = 3, *, decay: float = 0.7) -> None:
        super().__init__()
        finite_number("smoothing", smoothing), whole_number("window", window), finite_number("decay", decay)
        if smoothing <= 0 or window < 1 or not 0 <= decay <= 1:
            raise SettingError(
                "A chain has smoothing above 0, a window of 1 or more and a decay from 0 to 1",
                f"smoothing={smoothing}, window={window}, decay={decay}",
                "Try MarkovChain()",
            )
        self.smoothing, self.window, self.decay = smoothing, window, decay
        self._of: sparse.csr_array | None = None  # [N, M]: an item's part of each moment
        self._after: sparse.csr_array | None = None  # [M, N]: what follows in and after each moment
        self._itself: Floats | None = None  # [N]: how far an item follows itself, within its moments
        self._followers: Floats | None = None  # [N]
        self._shares: Floats | None = None  # [N]

    def fit(self, train: Dataset) -> Self:
        """Learns from the training interactions; refit forgets.

        Raises:
            TableError: the interactions have no times.
        """
        of_kind("train", train, kind=Dataset, cure="Read one with read_table or load_movielens")
        if train.timestamp is None:
            raise no_times(repr(train.name))
        return super().fit(train)

    def answering(self, seen: Histories) -> Self:
        """Returns a copy, fitted as this is, for other users or longer histories, by codes in `seen`.

        Raises:
            TableError: the histories have no times.
        """
        if seen.time is None:
            raise no_times("histories without times")
        return super().answering(seen)

    def _learn(self, matrix: sparse.csr_array) -> None:
        seen, popular = self._need()
        assert seen.time is not None
        user = np.repeat(np.arange(len(seen)), seen.lengths)
        order = np.lexsort((seen.time, user))
        user, time, item = user[order], seen.time[order], seen.items[order]
        first = np.ones(len(item), dtype=bool)
        first[1:] = (user[1:] != user[:-1]) | (time[1:] != time[:-1])
        start = np.append(np.flatnonzero(first), len(item))
        size = np.diff(start)
        whose = user[start[:-1]]
        shape = (len(size), matrix.shape[1])
        part = np.repeat(1.0 / size, size)
        parts = sparse.csr_array((part, item, start), shape=shape)
        worth = np.ones(len(item))
        if seen.weight is not None:
            worth = (seen.weight / seen.weight.mean(dtype=np.float64))[order]
        follows = sparse.csr_array((part * worth, item, start), shape=shape)
        goes_on = np.zeros(len(size))
        goes_on[:-1] = whose[1:] == whose[:-1]
        next_one = sparse.csr_array(sparse.diags_array(goes_on[:-1], offsets=1, shape=(len(size),) * 2))
        next_one.eliminate_zeros()
        after = next_one @ follows
        for _ in range(self.window - 1):
            after = next_one @ (follows + self.decay * after)
        several = np.repeat(size > 1, size)  # one item alone follows nothing within its moment
        ends = np.append(0, np.cumsum(np.where(size > 1, size, 0)))
        beside = sparse.csr_array((worth[several], item[several], ends), shape=shape)
        itself = parts.multiply(beside).sum(axis=0)
        of, after = sparse.csr_array(parts.T.tocsr()), sparse.csr_array(after + beside)
        self._followers = (of @ after.sum(axis=1) - itself).astype(np.float32)
        self._of, self._after = of.astype(np.float32), after.astype(np.float32)
        self._itself = itself.astype(np.float32)
        self._shares = popular / max(float(popular.sum()), 1.0)

    def _scores(self, matrix: sparse.csr_array) -> Floats:
        assert self._of is not None
        assert self._followers is not None
        assert self._itself is not None
        assert self._shares is not None
        size = np.diff(matrix.indptr)
        state = matrix.copy()
        state.data = (
            1.0 / np.repeat(size, size) / (self._followers[matrix.indices] + self.smoothing)
        ).astype(np.float32)
        scores: Floats = (state @ self._of @ self._after).toarray()
        row = np.repeat(np.arange(len(size)), size)
        scores[row, matrix.indices] -= state.data * self._itself[matrix.indices]
        scores += np.float32(self.smoothing) * state.sum(axis=1)[:, None] * self._shares
        return scores

    def _asked(self, users: Codes) -> sparse.csr_array:
        """Returns the last moment of these users: sparse 0/1 float32 [B, N]."""
        seen, popular = self._need()
        row, at = seen.rows(users)
        assert seen.time is not None
        time = seen.time[at]
        latest = np.zeros(len(users), dtype=time.dtype)
        begin = np.flatnonzero(np.diff(row, prepend=-1))  # of each user with a history; rows ascend
        latest[row[begin]] = np.maximum.reduceat(time, begin) if len(begin) else 0
        last = time == latest[row]
        row, item = row[last], seen.items[at[last]]
        start = np.searchsorted(row, np.arange(len(users) + 1))
        return sparse.csr_array(
            (np.ones(len(item), dtype=np.float32), item, start), shape=(len(users), len(popular))
        )

    def steps(self) -> float:
        """Returns how many products a user's scores take in the mean, at most."""
        seen, _ = self._need()
        assert self._of is not None
        assert self._after is not None
        state = self._asked(np.flatnonzero(seen.lengths).astype(np.int32))
        met = float(np.diff(self._of.indptr)[state.indices].sum()) / max(state.shape[0], 1)
        moments = max(self._after.shape[0], 1)
        return float(min(met, moments) * self._after.nnz / moments)


def no_times(received: str) -> TableError:
    """Returns the error of a chain that is given no times."""
    return TableError(
        "MarkovChain needs a time for every interaction",
        received,
        "Name the column of the time with time_column= (on the command line: --time-column), or compare with "
        "ItemKNN",
    )
