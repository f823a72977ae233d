"""This module computes the other closed form: a ridge regression of histories on themselves, cut.

EASE (Steck 2019) solves it over all items,

    P = (G + r I)^-1,   B = I - r P,   G = D^-b K D^-b  (model/spectral.py),

which holds what the leading eigenvectors of G leave out: pairs of items that few people had. With each column
divided by (r P_jj) ** leave_out (1 is EASE, less relaxes it: RLAE, Moon et al. 2023), rows and columns by
degrees (DAN, Park et al. 2024) and a zero diagonal, no item answers for itself. Of what this B makes of
everyone's history, X B, the leading right singular vectors V give two towers: the history table B V and the
candidate vectors V. An item's own diagonal would fill them, which is why it goes first: at 128 dimensions of
Online Retail, .167 against .144 (docs/decisions/020-choice.md).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp
from jax import Array

from butaca.model.closeness import SortedInteractions, whole_kernel
from butaca.model.inverse import Doubles, inverse_of
from butaca.model.pairs import FoundPairs, ItemPairs
from butaca.model.remainder import OutsideItems, largest_pairs
from butaca.model.spectral_settings import SpectralSettings
from butaca.model.subspace import orthonormal
from butaca.types import Floats, Ints

#: The inverse takes time with the cube of the items, some 2 s for this many on two cores, and 24 n^2 bytes:
#: of a larger catalogue, those that most interactions are of.
RIDGE_ITEMS = 4096

#: Pairs of an item inside and one outside that occur together, and products of pairs within histories, up to
#: which items outside get pairs too; dense weights of items inside for those outside likewise.
OUTSIDE_PAIRS, OUTSIDE_PRODUCTS, OUTSIDE_WEIGHTS = 2_000_000, 1e7, 3e8

#: Passes of the subspace iteration, and vectors beyond those asked for.
PASSES, OVERSAMPLE = 3, 16


@dataclass(frozen=True, eq=False)
class Regression:
    """A Regression holds what the settings beyond the inverse are tried on without inverting anew.

    Attributes:
        kept: codes of the M items that it is over, ascending.
        n_items: N.
        degree: of the kept items [M].
        inverse: P [M, M].
        ridge: r.
        histories: X, sparse [U, M].
        outside: X of all items [U, N], where there are others than the kept and few enough; else None.
    """

    kept: Ints
    n_items: int
    degree: Floats
    inverse: Doubles
    ridge: float
    histories: sp.csr_matrix
    outside: sp.csr_matrix | None = None
    _outside_pairs: dict[tuple[float, float, float, int], Sequence[FoundPairs]] = field(default_factory=dict)

    def towers(self, settings: SpectralSettings) -> tuple[Floats, Floats, ItemPairs | None]:
        """Returns the history table and the candidate vectors [N, k], and the pairs that they leave out.

        Items that it is not over have zeros, and pairs only where `outside` is at hand.

        Args:
            settings: leave_out, powers of degrees, dim and pairs; the others are those of the inverse.
        """
        weights = item_weights(self.inverse, self.ridge, leave_out=settings.leave_out)
        had = np.maximum(self.degree, 1.0)
        weights *= (had ** np.float32(-settings.history_power))[:, None]
        weights *= had ** np.float32(settings.candidate_power)
        table, candidates = cut(weights, self.histories, dim=settings.dim, seed=0)
        out = np.zeros((2, self.n_items, table.shape[1]), dtype=np.float32)
        out[:, self.kept] = table, candidates
        pairs = None
        if settings.pairs:
            pairs = largest_pairs(
                weights,
                table=table,
                candidates=candidates,
                kept=self.kept,
                n_items=self.n_items,
                most=settings.pairs,
                outside=self._pairs_outside(settings),
            )
        return out[0], out[1], pairs

    def _pairs_outside(self, settings: SpectralSettings) -> Sequence[FoundPairs]:
        """Returns the pairs of items that it is not over, found once for all settings of dim."""
        if self.outside is None:
            return ()
        key = settings.item_power, settings.history_power, settings.candidate_power, settings.pairs
        if key not in self._outside_pairs:
            items = self._items_outside(self.outside, settings)
            self._outside_pairs[key] = () if items is None else items.found(self.kept, most=settings.pairs)
        return self._outside_pairs[key]

    def _items_outside(self, everything: sp.csr_matrix, settings: SpectralSettings) -> OutsideItems | None:
        """Returns how the items that it is not over occur with the others; None where that is long."""
        had = np.maximum(np.asarray(everything.sum(axis=0)).ravel(), 1.0).astype(np.float32)
        scaled = everything @ sp.diags(had ** np.float32(-settings.item_power))
        others = np.setdiff1d(np.arange(self.n_items), self.kept)
        theirs = scaled[:, others]
        inside = (scaled[:, self.kept].T @ theirs).tocsr()
        if inside.nnz > OUTSIDE_PAIRS:
            return None
        as_had = had ** np.float32(-settings.history_power)
        as_candidate = had ** np.float32(settings.candidate_power)
        alone = 1.0 / (np.asarray(theirs.power(2).sum(axis=0)).ravel() + self.ridge)
        rows = (theirs.T @ scaled).tocoo()
        apart = others[rows.row] != rows.col
        of = rows.row[apart], rows.col[apart]
        value = rows.data[apart] * (alone * as_had[others])[of[0]] * as_candidate[of[1]]
        return OutsideItems(
            others,
            (self.inverse * as_had[self.kept][:, None]).astype(np.float32),
            (inside @ sp.diags(as_candidate[others])).tocsr().astype(np.float32),
            sp.csr_matrix((value.astype(np.float32), of), rows.shape),
        )


def regression(
    had: SortedInteractions, *, n_items: int, settings: SpectralSettings, kernel: Array | None = None
) -> Regression:
    """Returns the regression over the RIDGE_ITEMS items with most interactions.

    Args:
        had: the interactions.
        n_items: N.
        settings: span, which is infinite where there are no times, powers and ridge.
        kernel: K of all items, where it is at hand.
    """
    degree, outside = had.degree(n_items), None
    kept = np.sort(np.argsort(-degree, kind="stable")[:RIDGE_ITEMS])
    if len(kept) < n_items:
        outside = _outside(had, kept, n_items) if math.isinf(settings.span) and had.own is None else None
        had, degree, kernel = had.of_items(kept, n_items), degree[kept], None
    if kernel is None:
        kernel = whole_kernel(had, n_items=len(kept), span=settings.span, power=settings.user_power)
    scale = np.maximum(degree, 1.0) ** np.float32(-settings.item_power)
    inverse, r = inverted(np.asarray(kernel) * scale[:, None] * scale, degree, ridge=settings.ridge)
    ones = np.ones(len(had.item), np.float32)
    histories = sp.csr_matrix((ones, (had.user, had.item)), (len(had.count), len(kept)))
    return Regression(kept, n_items, degree, inverse, r, histories, outside)


def _outside(had: SortedInteractions, kept: Ints, n_items: int) -> sp.csr_matrix | None:
    """Returns X of all items [U, N], where pairs with an item that is not kept are few enough to look at.

    Closeness in time and weights are of what is inside alone: beside them plain counts would be too loud, so
    that it is asked for only where histories are taken whole and count the same.
    """
    n_users = len(had.count)
    other = ~np.isin(had.item, kept)
    of_others = np.bincount(had.user[other], minlength=n_users).astype(np.float64)
    dense = float(len(kept)) * (n_items - len(kept))
    if float((of_others * had.count).sum()) > OUTSIDE_PRODUCTS or dense > OUTSIDE_WEIGHTS:
        return None
    ones = np.ones(len(had.item), np.float32)
    return sp.csr_matrix((ones, (had.user, had.item)), (n_users, n_items))


def inverted(gram: Floats, degree: Floats, *, ridge: float) -> tuple[Doubles, float]:
    """Returns P = (G + r I)^-1 [N, N] and r.

    Args:
        gram: G [N, N].
        degree: of each item [N].
        ridge: r in parts of G's mean diagonal, of items that someone had.
    """
    of_anyone = degree > 0
    r = ridge * max(float(np.diag(gram)[of_anyone].mean()) if of_anyone.any() else 0.0, 1e-12)
    whole = gram.astype(np.float64)
    whole[np.diag_indices(len(gram))] += r
    return inverse_of(whole), r


def item_weights(inverse: Doubles, ridge: float, *, leave_out: float) -> Floats:
    """Returns B with a zero diagonal, float32 [N, N], before degrees weigh it.

    Args:
        inverse: P [N, N].
        ridge: r.
        leave_out: power of the division by r P_jj.
    """
    alone = np.clip(ridge * np.diag(inverse), 0.05, 1.0)  # what the others explain of each, less than all
    weights: Floats = (inverse * (-ridge / alone**leave_out)).astype(np.float32)
    weights[np.diag_indices(len(weights))] = 0.0
    return weights


def cut(weights: Floats, histories: sp.csr_matrix, *, dim: int, seed: int) -> tuple[Floats, Floats]:
    """Returns the history table B V and the candidate vectors V, [N, k] both, best for these histories.

    Args:
        weights: B [N, N].
        histories: X, sparse [U, N].
        dim: k; no more than N are found.
        seed: of the first random subspace.
    """
    n = len(weights)
    rng = np.random.default_rng([seed, 4])
    basis = orthonormal(rng.normal(size=(n, min(dim + OVERSAMPLE, n))))
    for _ in range(PASSES):
        basis = orthonormal(_again(weights, histories, basis))
    values, turn = np.linalg.eigh(basis.T @ _again(weights, histories, basis))
    order = np.argsort(-values, kind="stable")[: min(dim, n)]
    candidates: Floats = np.ascontiguousarray(basis @ turn[:, order], dtype=np.float32)
    table: Floats = weights @ candidates
    return table, candidates


def _again(weights: Floats, histories: sp.csr_matrix, basis: Doubles) -> Doubles:
    """Returns (X B)^T (X B) Q, multiplied in single precision."""
    narrow = basis.astype(np.float32)
    out: Doubles = (weights.T @ (histories.T @ (histories @ (weights @ narrow)))).astype(np.float64)
    return out
