"""This module is the query tower as it answers: numpy alone, from what a person has had.

The same arithmetic as model/towers.py under JAX, which a test holds it to. A query vector is

    [ scale * unit(deep(base + sum_i w_i h_i / sqrt(sum_i w_i))),  unit(sum_i g_i) * head_scale ]

with h the trained history table, g the closed-form one (model/spectral.py), each part there if the model has
it, what model/order/ makes of a history with an order in the place of the first sum, and unit only where the
towers have unit length. A short history says less of a person, and at unit length its vector would say as
much as a long one's: it is multiplied by `trust(n)`, and the rest of a score, the candidates' bias, is what
most people have. Without hidden layers every term but attention's is a sum over the history, so an item's
share of a score is exact.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from butaca.data.histories import Histories
from butaca.model.entries import Entries, entries
from butaca.model.order.moments import DAY
from butaca.model.pairs import ItemPairs, PairTerms
from butaca.types import Codes, Floats, Ints, Times

#: Histories that are summed one by one.
FEW = 8


class HistoryReader(Protocol):
    """A HistoryReader makes one vector of each history: the trained half of a query tower, in numpy.

    Attributes:
        table: a vector of every item as something that was had, float32 [N, d].
    """

    @property
    def table(self) -> Floats:
        """Returns the vectors of items in histories, float32 [N, d]."""
        ...

    @property
    def reads_time(self) -> bool:
        """Says whether the time of an item in a history counts."""
        ...

    def pooled(self, entries: Entries, n_rows: int) -> Floats:
        """Returns the vectors of n_rows histories, float32 [n_rows, d]; zeros where a row has none."""
        ...

    def parts(self, entries: Entries) -> Floats | None:
        """Returns each entry's part of its row's vector, float32 [m, d]; None where it is no sum."""
        ...

    def with_table(self, table: Floats) -> HistoryReader:
        """Returns the same reader over another table, such as a longer one."""
        ...


@dataclass(frozen=True, eq=False)
class RatingBins:
    """Says which bin a rating falls in: the number of `edges` at or below it, 0 to len(edges).

    Each distinct value has a bin of its own where there are at most ten, else each tenth.
    A missing value (nan) falls in the middle bin.
    """

    edges: Floats

    @classmethod
    def of(cls, values: Floats) -> RatingBins:
        """Takes the edges from the values of the training data.

        >>> RatingBins.of(np.array([1, 2, 2, 5], np.float32)).edges.tolist()
        [2.0, 5.0]
        """
        distinct = np.unique(values[np.isfinite(values)])
        if len(distinct) > 10:
            distinct = np.unique(np.quantile(values[np.isfinite(values)], np.arange(10) / 10))
        return cls(distinct[1:].astype(np.float32))

    def __len__(self) -> int:
        return len(self.edges) + 1

    def __call__(self, values: Floats) -> Codes:
        """Returns the bins of values, int32 [n]."""
        bins = np.searchsorted(self.edges, np.nan_to_num(values, nan=-np.inf), side="right")
        return np.where(np.isnan(values), len(self.edges) // 2, bins).astype(np.int32)


@dataclass(frozen=True, eq=False)
class HistoryWeights:
    """Holds the trained half's history table and what weighs its rows.

    Attributes:
        table: float32 [N, d].
        bins, rating: bins of the rating and the log-weight of each [bins]; both or neither.
        recency: power of the fall with age in days; 0 is no fall.
    """

    table: Floats
    bins: RatingBins | None = None
    rating: Floats | None = None
    recency: float = 0.0

    @property
    def reads_time(self) -> bool:
        """Says whether the age of an item in a history counts."""
        return self.recency != 0

    def weights(self, entries: Entries, n_rows: int) -> Floats:
        """Returns the weight of each history row, float32 [m]."""
        weight = np.ones(len(entries.rows), dtype=np.float32)
        if self.bins is not None and self.rating is not None and entries.value is not None:
            weight *= np.exp(self.rating[self.bins(entries.value)])
        if self.recency and entries.time is not None:
            weight *= (1.0 + ages(entries.rows, entries.time, n_rows=n_rows)) ** np.float32(-self.recency)
        return weight

    def with_table(self, table: Floats) -> HistoryWeights:
        """Returns the same over another table."""
        return replace(self, table=table)

    def pooled(self, entries: Entries, n_rows: int) -> Floats:
        """Returns sum_i w_i h_i / sqrt(sum_i w_i) of n_rows histories, float32 [n_rows, d]."""
        weight = self.weights(entries, n_rows)
        total = np.bincount(entries.rows, weights=weight, minlength=n_rows).astype(np.float32)
        summed = weighted_sum(self.table, entries.rows, items=entries.items, weight=weight, n_rows=n_rows)
        return np.asarray(summed / np.sqrt(np.maximum(total, 1e-12))[:, None], dtype=np.float32)

    def parts(self, entries: Entries) -> Floats:
        """Returns each entry's term of that sum, float32 [m, d]."""
        n_rows = int(entries.rows[-1]) + 1 if len(entries.rows) else 0
        weight = self.weights(entries, n_rows)
        total = np.maximum(np.bincount(entries.rows, weights=weight, minlength=n_rows), 1e-12)
        of_row = (weight / np.sqrt(total)[entries.rows]).astype(np.float32)
        return np.asarray(self.table[entries.items] * of_row[:, None], dtype=np.float32)


@dataclass(frozen=True, eq=False)
class QueryTower:
    """A QueryTower holds everything that a query vector is made of.

    Attributes:
        base: sum of the user features' embeddings, float32 [U + 1, d]; the last row is an unknown
            user's. One row where the tower reads nothing but histories.
        history: of the trained half, or None.
        layers: hidden layers as (weight [in, out], bias [out]).
        unit: whether the trained half has unit length before `scale`.
        scale: 1 / temperature.
        head: the closed-form half's history table, float32 [N, k], or None.
        head_scale: length of the closed-form half.
        trusted_from: items from which on a history is trusted in full; 0 trusts all.
        trust_power: how fast trust falls below that.
        pairs: single pairs of items, which add to a score what vectors can't hold (`terms`), or None.
        pairs_scale: how much they count.
    """

    base: Floats
    history: HistoryReader | None = None
    layers: tuple[tuple[Floats, Floats], ...] = ()
    unit: bool = False
    scale: float = 1.0
    head: Floats | None = None
    head_scale: float = 1.0
    trusted_from: int = 0
    trust_power: float = 0.75
    pairs: ItemPairs | None = None
    pairs_scale: float = 0.0

    @property
    def reads_history(self) -> bool:
        """Says whether a history changes the scores."""
        return self.history is not None or self.head is not None or self.pairs is not None

    @property
    def reads_time(self) -> bool:
        """Says whether the time of an item in a history counts."""
        by_pairs = self.pairs is not None and self.pairs.reads_order
        return by_pairs or (self.history is not None and self.history.reads_time)

    def trust(self, n: int) -> float:
        """Returns what the query vector of a history of n items is multiplied by.

        (n / trusted_from) ** trust_power below `trusted_from`, else 1; 1 too without a history, where
        there is nothing to distrust.

        >>> tower = QueryTower(np.zeros((1, 2)), head=np.zeros((3, 2)), trusted_from=16, trust_power=0.5)
        >>> [tower.trust(n) for n in (0, 1, 4, 16, 99)]
        [1.0, 0.25, 0.5, 1.0, 1.0]
        """
        if not self.reads_history or n == 0 or n >= self.trusted_from:
            return 1.0
        return float((n / self.trusted_from) ** self.trust_power)

    def trusted(self, vectors: Floats, lengths: Ints) -> Floats:
        """Multiplies query vectors [B, D] by the trust in their histories of so many items [B]."""
        if not self.reads_history or not (lengths < self.trusted_from).any():
            return vectors
        factors = np.array([self.trust(n) for n in range(self.trusted_from + 1)], np.float32)
        out: Floats = vectors * factors[np.minimum(lengths, self.trusted_from)][:, None]
        return out

    def terms(self, users: Codes, histories: Histories) -> PairTerms | None:
        """Returns what pairs of items add to the scores of histories; None where the model has no pairs.

        Args:
            users: rows of `histories` [B]; a code outside them has none.
            histories: what was had.
        """
        if self.pairs is None:
            return None
        return self._terms(entries(users, histories, with_time=self.pairs.reads_order), len(users))

    def __call__(self, users: Codes, histories: Histories, *, known_as: Codes | None = None) -> Floats:
        """Returns query vectors: codes [B] and the histories they point into -> float32 [B, D].

        A code outside the known users is the unknown user; a code outside `histories` has none.

        Args:
            users: rows of `histories`, and of `base` unless `known_as` says otherwise.
            histories: what was had.
            known_as: codes whose other features hold, where `histories` are not the training users'.
        """
        had = entries(users, histories, with_time=self.reads_time)
        return self._vectors(had, users if known_as is None else known_as)

    def with_terms(
        self, users: Codes, histories: Histories, *, known_as: Codes | None = None
    ) -> tuple[Floats, PairTerms | None]:
        """Returns what `__call__` and `terms` do, of histories that are put in order once."""
        had = entries(users, histories, with_time=self.reads_time)
        vectors = self._vectors(had, users if known_as is None else known_as)
        return vectors, self._terms(had, len(users))

    def _vectors(self, had: Entries, of: Codes) -> Floats:
        """Returns the query vectors of histories, with the other features of these codes [B, D]."""
        rows = had.rows
        x: Floats = self.base[np.where((of >= 0) & (of < len(self.base) - 1), of, len(self.base) - 1)]
        if self.history is not None:
            x = np.asarray(x + self.history.pooled(had, len(of)), dtype=np.float32)
        for i, (matrix, bias) in enumerate(self.layers):
            x = (x if i == 0 else np.maximum(x, 0.0)) @ matrix + bias
        if self.unit:
            x = unit(x)
        x = x * np.float32(self.scale)
        if self.head is not None:
            ones = np.ones(len(rows), dtype=np.float32)
            head = unit(weighted_sum(self.head, rows, items=had.items, weight=ones, n_rows=len(of)))
            x = np.concatenate([x, head * np.float32(self.head_scale)], axis=1)
        if self.trusted_from:
            x = self.trusted(x, np.bincount(rows, minlength=len(of)))
        return np.ascontiguousarray(x, dtype=np.float32)

    def _terms(self, had: Entries, n_rows: int) -> PairTerms | None:
        """Returns what pairs of items add to the scores of n_rows histories."""
        if self.pairs is None:
            return None
        factor = np.full((n_rows, 1), self.pairs_scale, dtype=np.float32)
        if self.trusted_from:
            factor = self.trusted(factor, np.bincount(had.rows, minlength=n_rows))
        return self.pairs.terms(had, factor=factor[:, 0])


def ages(rows: Ints, time: Times, *, n_rows: int) -> Floats:
    """Returns the days before the latest of the same row's times, [m] -> float32 [m].

    >>> ages(np.array([0, 0, 1]), np.array([0, 86400, 5]), n_rows=2).tolist()
    [1.0, 0.0, 0.0]
    """
    when = time.astype(np.float64)  # as integers, times far apart would overflow
    latest = np.full(n_rows, -np.inf)
    np.maximum.at(latest, rows, when)
    return ((latest[rows] - when) / DAY).astype(np.float32)


def weighted_sum(table: Floats, rows: Ints, *, items: Codes, weight: Floats, n_rows: int) -> Floats:
    """Sums weighted table rows by row: rows ascending [m], items [m], weight [m] -> [n_rows, d]."""
    out = np.zeros((n_rows, table.shape[1]), dtype=np.float32)
    if not len(rows):
        return out
    start = np.searchsorted(rows, np.arange(n_rows + 1))
    if n_rows > FEW and n_rows * table.shape[0] <= 1 << 22:  # a small dense matrix times the table is fastest
        dense = np.zeros((n_rows, table.shape[0]), dtype=np.float32)
        np.add.at(dense, (rows, items), weight)
        return np.asarray(dense @ table, dtype=np.float32)
    for r in range(n_rows):
        a, b = start[r], start[r + 1]
        if a < b:
            out[r] = weight[a:b] @ table[items[a:b]]
    return out


def unit(x: Floats) -> Floats:
    """Scales rows to length 1; a row of zeros stays one."""
    out: Floats = x / np.sqrt(np.square(x).sum(axis=-1, keepdims=True) + np.float32(1e-12))
    return out
