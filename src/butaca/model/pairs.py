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
import scipy.sparse as sp

from butaca.types import Codes, Floats, Ints

#: Rows of the dense weights that are looked through at once, and parts of the largest weight below which what
#: is left of one is rounding.
ROWS, LEAST = 512, 1e-3

#: Dense weights of items outside of a regression that are made at once, and how much those count that come
#: of what occurs with them alone.
BLOCK, ALONE = 1 << 24, 0.5


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

    def terms(self, rows: Ints, items: Codes, factor: Floats) -> PairTerms:
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


def largest_pairs(
    weights: Floats,
    table: Floats,
    candidates: Floats,
    *,
    kept: Ints,
    n_items: int,
    most: int,
    beyond: Beyond | None = None,
) -> ItemPairs:
    """Returns the largest weights of each row of B - T V' above 0, and above rounding; none for itself.

    Args:
        weights: B, of M items [M, M].
        table: T [M, k].
        candidates: V [M, k].
        kept: the codes of these M among all, ascending.
        n_items: N.
        most: of each row.
        beyond: what is known of the other items.
    """
    m = len(weights)
    least = LEAST * float(np.abs(weights).max(initial=0.0))
    found: list[tuple[Ints, Ints, Floats]] = []
    for at in range(0, m, ROWS):
        rest = weights[at : at + ROWS] - table[at : at + ROWS] @ candidates.T
        own = np.arange(len(rest))
        rest[own, own + at] = 0.0
        row, column, value = _top(rest, most, least)
        found.append((kept[row + at], kept[column], value))
    if beyond is not None:
        found += beyond.found(kept, most=most, least=least)
    row, column, value = (np.concatenate(part) for part in zip(*found, strict=True))
    order = np.lexsort((column, row))
    start = np.append(0, np.cumsum(np.bincount(row, minlength=n_items))).astype(np.int32)
    return ItemPairs(start, column[order].astype(np.int32), value[order].astype(np.float32))


@dataclass(frozen=True, eq=False)
class Beyond:
    """A Beyond holds how items outside of a regression occur with the others; all weighed by degrees.

    As candidates they are predicted from those inside, P C with P the inverse (EASE's inputs do the same). As
    something that was had each speaks for what occurs with it, as if it were explained by nothing else,
    C_ij / (C_ii + r), and half as loud: `ALONE`.

    Attributes:
        others: their codes, ascending [L].
        inverse: P, its rows weighed as those of B [M, M].
        inside: C of those inside with these, columns weighed as candidates, sparse [M, L].
        rows: C_ij / (C_ii + r) of these with all, weighed on both sides, none for itself, sparse [L, N].
    """

    others: Ints
    inverse: Floats
    inside: sp.csr_matrix
    rows: sp.csr_matrix

    def found(self, kept: Ints, *, most: int, least: float) -> list[tuple[Ints, Ints, Floats]]:
        """Returns pairs as (item had, candidate, weight), half as many candidates from those inside."""
        out = []
        step = max(BLOCK // max(len(self.others), 1), 1)
        turned = self.inside.T.tocsr()
        for at in range(0, len(kept), step):
            # (C' P_rows')', since a sparse matrix stands on the left
            block = np.ascontiguousarray((turned @ self.inverse[at : at + step].T).T)
            row, column, value = _top(block, max(most // 2, 1), least)
            out.append((kept[row + at], self.others[column], value))
        lengths = np.diff(self.rows.indptr)
        row = np.repeat(np.arange(len(self.others)), lengths)
        order = np.lexsort((-self.rows.data, row))
        place = np.arange(len(row)) - np.repeat(self.rows.indptr[:-1], lengths)
        best = order[(place < most) & (self.rows.data[order] * ALONE > least)]
        value = (self.rows.data[best] * np.float32(ALONE)).astype(np.float32)
        out.append((self.others[row[best]], self.rows.indices[best].astype(np.int64), value))
        return out


def _top(values: Floats, most: int, least: float) -> tuple[Ints, Ints, Floats]:
    """Returns rows, columns and values of the largest of each row [B, N], of those above `least`."""
    most = min(most, values.shape[1])
    top = np.argpartition(-values, most - 1, axis=1)[:, :most]
    value = np.take_along_axis(values, top, axis=1)
    row, place = np.nonzero(value > least)
    return row, top[row, place], value[row, place]
