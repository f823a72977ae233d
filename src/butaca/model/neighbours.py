"""This module regresses each item on its nearest neighbours alone, for pairs in catalogues of any size.

A whole regression inverts a matrix of items by items (model/ridge.py), so that of a large catalogue it sees
the items that most interactions are of. Of candidate j the weights that are not nearly 0 are those of the few
items that occur with it: with G the items' products, weighed by degrees, and S its `near` nearest,

    b_j = (G_SS + r I)^-1 G_Sj,

a small system for each item, of any catalogue, in time that grows with the items alone. (Ning and Karypis
2011 choose the neighbours first in the same way, for their fsSLIM, and fit by descent; the ridge in place of
sparsity is EASE's, Steck 2019.) Of each item i that may have been had, the `most` candidates that it speaks
for most are kept as pairs (model/pairs.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from butaca.data.histories import Histories
from butaca.model.beside import check_pair_settings
from butaca.model.pairs import ItemPairs
from butaca.model.remainder import largest_of_rows
from butaca.types import Floats, Ints

#: Powers of the degree: of items in G and in a history, and of candidates (model/spectral_settings.py).
ITEM_POWER, CANDIDATE_POWER = 0.4, 0.3

#: Parts of G's mean diagonal that the ridge is at least: beside less, G's rounding, of float32, would decide.
LEAST_RIDGE = 1e-6

#: Products of pairs within histories that are looked at, of a part of the users beyond.
MOST_PRODUCTS = 1.5e8

#: Items with most interactions, whose products are kept dense, and systems that are solved at once.
DENSE, BLOCK = 4096, 512


@dataclass(frozen=True)
class NeighbourSettings:
    """Says how much single pairs of neighbours count in a score.

    Attributes:
        weight: spread of what they add to a user's scores, in parts of the trained tower's.
        ridge: r in parts of G's mean diagonal; below `LEAST_RIDGE` it is as much as that.
        near: items that a candidate is regressed on.
        most: candidates that are kept of each item.
    """

    weight: float = 0.05
    ridge: float = 3.0
    near: int = 32
    most: int = 16

    def __post_init__(self) -> None:
        check_pair_settings(self, subject="Neighbours count")


def neighbours(seen: Histories, *, n_items: int, settings: NeighbourSettings) -> ItemPairs:
    """Returns the candidates that each item most speaks for, beside the others near them.

    Neither ids nor rows decide: of equal ones at the last place none is taken.

    Args:
        seen: what users had.
        n_items: N.
        settings: of the regressions.
    """
    products = _item_products(seen, n_items)
    of_anyone = products.own[products.own > 0]
    r = max(settings.ridge, LEAST_RIDGE) * (float(of_anyone.mean()) if len(of_anyone) else 1.0)
    near = _nearest(products, r, most=min(settings.near, max(n_items - 1, 1)))
    entries = [
        _solved(products, near, r, at=at, to=min(at + BLOCK, n_items)) for at in range(0, n_items, BLOCK)
    ]
    had, of, weight = (np.concatenate(part) for part in zip(*entries, strict=True))
    weight *= products.degree[had] ** -ITEM_POWER * products.degree[of] ** CANDIDATE_POWER
    codes = products.code
    rows = sp.csr_array((weight.astype(np.float32), (codes[had], codes[of])), (n_items, n_items))
    return ItemPairs.of([largest_of_rows(rows, settings.most)], n_items=n_items)


@dataclass(frozen=True, eq=False)
class _ItemProducts:
    """An _ItemProducts holds G with its items in the order of their interactions, fewest first.

    Attributes:
        code: of each item in the catalogue [N].
        degree: interactions of each, 1 at least [N].
        own: the diagonal of G [N].
        all: G without its diagonal, sparse [N, N].
        above: of `all`, what is right of the diagonal: of each pair what stands with the item of fewer, whose
            row is short.
        dense: G of the last items.
    """

    code: Ints
    degree: NDArray[np.float64]
    own: NDArray[np.float64]
    all: sp.csr_array
    above: sp.csr_matrix
    dense: Floats

    def of_pairs(self, first: Ints, second: Ints) -> Floats:
        """Returns G of pairs of items, the first before the second."""
        out = np.empty(len(first), dtype=np.float32)
        border = len(self.code) - len(self.dense)
        last = first >= border
        out[last] = self.dense[first[last] - border, second[last] - border]
        other = ~last
        if other.any():
            out[other] = np.asarray(self.above[first[other], second[other]]).ravel()
        return out


def _item_products(seen: Histories, n_items: int) -> _ItemProducts:
    """Returns G of the histories; of evenly spaced ones where their products are many."""
    lengths = seen.lengths.astype(np.float64)
    apart = max(math.ceil(float((lengths**2).sum()) / MOST_PRODUCTS), 1)
    users = np.arange(0, len(seen), apart, dtype=np.int32)
    rows, at = seen.rows(users)
    worth = np.ones(len(at)) if seen.weight is None else seen.weight[at].astype(np.float64)
    worth /= max(float(worth.mean()) if len(worth) else 1.0, 1e-12)
    had = sp.csr_array((worth, (rows, seen.items[at])), (len(users), n_items))
    degree = np.maximum(np.asarray(had.sum(axis=0)).ravel(), 1.0)
    scaled = sp.csr_array(had @ sp.diags_array(degree**-ITEM_POWER)).astype(np.float32)
    code = np.argsort(degree, kind="stable")
    scaled = sp.csr_array(sp.csc_array(scaled)[:, code])
    gram = sp.csr_array(scaled.T @ scaled)
    own = gram.diagonal().astype(np.float64)
    gram.data[gram.indices == np.repeat(np.arange(n_items, dtype=np.int32), np.diff(gram.indptr))] = 0.0
    gram.eliminate_zeros()
    gram.sort_indices()
    border = max(n_items - DENSE, 0)
    dense: Floats = gram[border:, border:].toarray()
    return _ItemProducts(code, degree[code], own, gram, sp.csr_matrix(sp.triu(gram, 1)), dense)


def _nearest(products: _ItemProducts, r: float, *, most: int) -> Ints:
    """Returns the neighbours of each item, ascending, and -1 for none [N, most]; of equals all or none."""
    n = len(products.code)
    by_row = products.all
    length = np.sqrt(products.own / r + 1.0).astype(np.float32)  # in parts of that of an item nobody had
    value = by_row.data / length[by_row.indices]
    row, column, _ = largest_of_rows(sp.csr_array((value, by_row.indices, by_row.indptr), by_row.shape), most)
    near = np.full((n, most), n, dtype=np.int64)  # beyond all, until they are in order
    near[row, np.arange(len(row)) - np.searchsorted(row, row)] = column
    near.sort(axis=1)
    return np.where(near < n, near, -1)


def _solved(products: _ItemProducts, near: Ints, r: float, *, at: int, to: int) -> tuple[Ints, Ints, Floats]:
    """Returns the weights above 0 of the neighbours of some candidates: had, candidate, weight [p]."""
    near = near[at:to]
    filled = near >= 0
    width = int(filled.sum(axis=1).max(initial=0))
    near, filled = near[:, :width], filled[:, :width]
    own = np.arange(width)
    first, second = np.triu_indices(width, 1)
    row, pair = np.nonzero(filled[:, second])  # ascending, so that the first is there where the second is
    value = products.of_pairs(near[row, first[pair]], near[row, second[pair]])
    systems = np.zeros((to - at, width, width))
    systems[row, first[pair], second[pair]] = value
    systems[row, second[pair], first[pair]] = value
    systems[:, own, own] = np.where(filled, products.own[np.where(filled, near, 0)] + r, 1.0)
    row, column = np.nonzero(filled)
    had, of = near[row, column], row + at
    right = np.zeros((to - at, width))
    right[row, column] = products.of_pairs(np.minimum(had, of), np.maximum(had, of))
    weights = np.linalg.solve(systems, right[..., None])[..., 0][row, column]
    loud = weights > 0
    return had[loud], of[loud], weights[loud]
