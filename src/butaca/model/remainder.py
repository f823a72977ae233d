"""This module finds the pairs of items that a cut regression leaves out; model/pairs.py says what for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from butaca.model.pairs import FoundPairs, ItemPairs
from butaca.types import Floats, Ints

#: Rows of the dense weights that are looked through at once, and parts of the largest weight below which what
#: is left of one is rounding.
ROWS, LEAST = 512, 1e-3

#: Dense weights of items outside of a regression that are made at once, and how much those count that come
#: of what occurs with them alone.
BLOCK, ALONE = 1 << 24, 0.5


def largest_pairs(
    weights: Floats,
    *,
    table: Floats,
    candidates: Floats,
    kept: Ints,
    n_items: int,
    most: int,
    outside: Sequence[FoundPairs] = (),
) -> ItemPairs:
    """Returns the largest weights of each row of B - T V' above 0, and above rounding; none for itself.

    Args:
        weights: B, of M items [M, M].
        table: T [M, k].
        candidates: V [M, k].
        kept: the codes of these M among all, ascending.
        n_items: N.
        most: of each row.
        outside: pairs of the other items.
    """
    m = len(weights)
    least = LEAST * float(np.abs(weights).max(initial=0.0))
    found: list[FoundPairs] = []
    for at in range(0, m, ROWS):
        rest = weights[at : at + ROWS] - table[at : at + ROWS] @ candidates.T
        own = np.arange(len(rest))
        rest[own, own + at] = 0.0
        row, column, value = _top(rest, most, least)
        found.append((kept[row + at], kept[column], value))
    for had, of, value in outside:
        loud = value > least
        found.append((had[loud], of[loud], value[loud]))
    return ItemPairs.of(found, n_items=n_items)


@dataclass(frozen=True, eq=False)
class OutsideItems:
    """An OutsideItems holds how items outside of a regression occur with the others; all weighed by degrees.

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

    def found(self, kept: Ints, *, most: int) -> list[FoundPairs]:
        """Returns the largest above 0, half as many candidates from those inside as of each one outside."""
        out = []
        step = max(BLOCK // max(len(self.others), 1), 1)
        turned = self.inside.T.tocsr()
        for at in range(0, len(kept), step):
            # (C' P_rows')', since a sparse matrix stands on the left
            block = np.ascontiguousarray((turned @ self.inverse[at : at + step].T).T)
            row, column, value = _top(block, max(most // 2, 1), 0.0)
            out.append((kept[row + at], self.others[column], value))
        row, column, value = largest_of_rows(self.rows, most)
        out.append((self.others[row], column, value * np.float32(ALONE)))
        return out


def largest_of_rows(values: sp.csr_array, most: int) -> FoundPairs:
    """Returns rows, columns and values of the largest of each row that are above 0, `most` at most.

    >>> values = sp.csr_array(np.array([[3.0, 0.0, 1.0, 2.0], [0.0, -1.0, 0.0, 0.0]]))
    >>> [part.tolist() for part in largest_of_rows(values, 2)]
    [[0, 0], [0, 3], [3.0, 2.0]]
    """
    lengths = np.diff(values.indptr)
    row = np.repeat(np.arange(len(lengths)), lengths)
    order = np.lexsort((-values.data, row))
    place = np.arange(len(row)) - np.repeat(values.indptr[:-1], lengths)
    best = order[(place < most) & (values.data[order] > 0)]
    return row[best], values.indices[best].astype(np.int64), values.data[best].astype(np.float32)


def _top(values: Floats, most: int, least: float) -> tuple[Ints, Ints, Floats]:
    """Returns rows, columns and values of the largest of each row [B, N], of those above `least`."""
    most = min(most, values.shape[1])
    top = np.argpartition(-values, most - 1, axis=1)[:, :most]
    value = np.take_along_axis(values, top, axis=1)
    row, place = np.nonzero(value > least)
    return row, top[row, place], value[row, place]
