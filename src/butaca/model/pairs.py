"""This module holds single pairs of items, which say what few dimensions can't: who had this had that.

Vectors of a hundred dimensions keep what many items share. That two articles of a shop go together, or two
parts of one series, is a fact of that pair alone, and is cut away with the dimensions that it would need. Of
a ridge regression B over all items (model/ridge.py), cut to two towers T V', the largest weights of
B - T V' in each row are kept,

    score(c) += scale * trust(n) * sum over items i of the history  R[i, c],   R = the top of B - T V',

a sum over the history like the rest of a score, so that an item's share stays exact. (Sparse weights between
items are SLIM's, Ning and Karypis 2011; beside a low rank they are those of HOSLIM, Christakopoulou and
Karypis 2014.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from butaca.types import Codes, Floats, Ints


class PairTerms(NamedTuple):
    """Holds what is added to single scores, t of them; a score may be named more than once.

    Attributes:
        row: of the query, ascending [t].
        item: code of the candidate [t].
        value: what is added [t].
    """

    row: Ints
    item: Codes
    value: Floats

    def add_to(self, scores: Floats) -> None:
        """Adds the terms to the scores of the whole catalogue [B, N], in place."""
        np.add.at(scores, (self.row, self.item), self.value)

    def of(self, row: int) -> PairTerms:
        """Returns the terms of one query, as those of row 0."""
        a, b = np.searchsorted(self.row, (row, row + 1))
        return PairTerms(self.row[a:b] - row, self.item[a:b], self.value[a:b])

    def less(self, others: PairTerms | None, weight: float) -> PairTerms:
        """Returns these terms of one query less others, so weighed."""
        if others is None:
            return self
        return PairTerms(
            np.concatenate([self.row, others.row]),
            np.concatenate([self.item, others.item]),
            np.concatenate([self.value, others.value * np.float32(-weight)]),
        )

    def by_item(self) -> PairTerms:
        """Returns the terms by candidate; those of one score stay in their order."""
        order = np.argsort(self.item, kind="stable")
        return PairTerms(self.row[order], self.item[order], self.value[order])

    def rows(self, at: int, to: int) -> PairTerms:
        """Returns the terms of the queries from `at` to `to`, as those of rows from 0."""
        a, b = np.searchsorted(self.row, (at, to))
        return PairTerms(self.row[a:b] - at, self.item[a:b], self.value[a:b])


@dataclass(frozen=True, eq=False)
class ItemPairs:
    """An ItemPairs holds, for each item that was had, the few candidates that it speaks for, and how much.

    Attributes:
        start: where each item's candidates begin, int32 [N + 1].
        item: codes of the candidates, ascending within an item's, int32 [m].
        weight: above 0, float32 [m].
    """

    start: Codes
    item: Codes
    weight: Floats

    def __len__(self) -> int:
        """Returns the number N of items that may have been had."""
        return len(self.start) - 1

    def terms(self, rows: Ints, items: Codes, *, factor: Floats) -> PairTerms:
        """Returns what histories add to scores.

        Args:
            rows: of each history entry, ascending [m].
            items: code of each [m].
            factor: of each row [B].
        """
        first = self.start[items].astype(np.int64)
        many = self.start[items + 1] - first
        before = np.cumsum(many) - many
        at = np.arange(int(many.sum())) - np.repeat(before - first, many)
        row = np.repeat(np.asarray(rows, dtype=np.int64), many)
        return PairTerms(row, self.item[at], self.weight[at] * factor[row])

    def between(self, items: Codes, candidates: Ints) -> Floats:
        """Returns the weights of items had [m] for candidates [k], float32 [m, k]."""
        out = np.zeros((len(items), len(candidates)), dtype=np.float32)
        order = np.argsort(candidates, kind="stable")
        ascending = np.asarray(candidates)[order]
        for row, item in enumerate(items):
            a, b = self.start[item], self.start[item + 1]
            at = np.searchsorted(ascending, self.item[a:b])
            there = at < len(ascending)
            there[there] = ascending[at[there]] == self.item[a:b][there]
            out[row, order[at[there]]] = self.weight[a:b][there]
        return out

    def longer(self, n: int) -> ItemPairs:
        """Returns the same with n further items, which speak for none."""
        more = np.full(n, self.start[-1], dtype=np.int32)
        return ItemPairs(np.concatenate([self.start, more]), self.item, self.weight)
