"""This module holds single pairs of items, which say what few dimensions can't: who had this had that.

Vectors of a hundred dimensions keep what many items share. That two articles of a shop go together, or two
parts of one series, is a fact of that pair alone, and is cut away with the dimensions that it would need. Of
a ridge regression B over all items (model/ridge.py), cut to two towers T V', the largest weights of
B - T V' in each row are kept,

    score(c) += scale * trust(n) * sum over items i of the history  R[i, c],   R = the top of B - T V',

a sum over the history like the rest of a score, so that an item's share stays exact. (Sparse weights between
items are SLIM's, Ning and Karypis 2011; LorSLIM, Cheng, Yin and Yu 2014, asks one matrix to be sparse and of
low rank. Here each is a part of its own, and neither is trained.)
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
        entry, at = self._of(items)
        row = np.asarray(rows, dtype=np.int64)[entry]
        return PairTerms(row, self.item[at], self.weight[at] * factor[row])

    def between(self, items: Codes, candidates: Ints) -> Floats:
        """Returns the weights of items had [m] for candidates, each named once [k], float32 [m, k]."""
        out = np.zeros((len(items), len(candidates)), dtype=np.float32)
        entry, at = self._of(items)
        column, there = places_in(candidates, self.item[at])
        out[entry[there], column] = self.weight[at[there]]
        return out

    def _of(self, items: Codes) -> tuple[Ints, Ints]:
        """Returns the place among the items and the place in `item` of each of their candidates."""
        first = self.start[items].astype(np.int64)
        many = self.start[items + 1] - first
        before = np.cumsum(many) - many
        entry = np.repeat(np.arange(len(items)), many)
        return entry, np.arange(len(entry)) - np.repeat(before - first, many)

    def longer(self, n: int) -> ItemPairs:
        """Returns the same with n further items, which speak for none."""
        more = np.full(n, self.start[-1], dtype=np.int32)
        return ItemPairs(np.concatenate([self.start, more]), self.item, self.weight)


def places_in(codes: Ints | Codes, wanted: Ints | Codes) -> tuple[Ints, Ints]:
    """Returns where wanted codes are among others, each of which stands there once.

    >>> [part.tolist() for part in places_in(np.array([5, 2, 9]), np.array([2, 7, 9, 2]))]
    [[1, 2, 1], [0, 2, 3]]

    Args:
        codes: to look in [k].
        wanted: [t].

    Returns:
        The places in `codes` of those that are there, and which of `wanted` these are.
    """
    order = np.argsort(codes, kind="stable")
    ascending = np.asarray(codes)[order]
    at = np.searchsorted(ascending, wanted)
    there = np.flatnonzero(at < len(ascending))
    there = there[ascending[at[there]] == wanted[there]]
    return order[at[there]], there
