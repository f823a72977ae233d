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

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from butaca.model.subspace import orthonormal
from butaca.types import Floats

Doubles = NDArray[np.float64]

#: The inverse takes time with the cube of the items, some 2 s for this many on two cores, and 24 n^2 bytes:
#: of a larger catalogue, those that most interactions are of.
RIDGE_ITEMS = 4096

#: Passes of the subspace iteration, and vectors beyond those asked for.
PASSES, OVERSAMPLE = 3, 16


def item_weights(gram: Floats, degree: Floats, *, ridge: float, leave_out: float) -> Floats:
    """Returns B with a zero diagonal, float32 [N, N], before degrees weigh it.

    Args:
        gram: G [N, N].
        degree: of each item [N].
        ridge: r in parts of G's mean diagonal, of items that someone had.
        leave_out: power of the division by r P_jj.
    """
    n = len(gram)
    of_anyone = degree > 0
    r = ridge * max(float(np.diag(gram)[of_anyone].mean()) if of_anyone.any() else 0.0, 1e-12)
    whole = gram.astype(np.float64)
    whole[np.diag_indices(n)] += r
    inverse = inverse_of(whole)
    alone = np.clip(r * np.diag(inverse), 0.05, 1.0)  # what the others explain of each, less than all
    weights: Floats = (inverse * (-r / alone**leave_out)).astype(np.float32)
    weights[np.diag_indices(n)] = 0.0
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


def inverse_of(a: Doubles) -> Doubles:
    """Returns the inverse of a symmetric positive definite matrix [n, n], by halves.

    With S = D - B A^-1 B' (Schur's complement), itself symmetric positive definite,

        [A B']^-1   [A^-1 + A^-1 B' S^-1 B A^-1   -A^-1 B' S^-1]
        [B D ]    = [-S^-1 B A^-1                  S^-1        ]

    Nearly all of it is matrix products: 0.08 s for 1,664 items on two cores, where LAPACK's potrf and
    potri take 0.13 s in float32, and up to 2.4 s when other work keeps their threads waiting for each
    other. The halves cost digits (float32 keeps three at a condition of 3,000), so this is float64.

    >>> inverse_of(np.array([[4.0, 0.0], [0.0, 0.5]])).tolist()
    [[0.25, 0.0], [0.0, 2.0]]
    """
    n = len(a)
    if n <= 128:
        small: Doubles = np.asarray(np.linalg.inv(a), dtype=np.float64)
        return small
    h = n // 2
    first = inverse_of(a[:h, :h])
    across = a[h:, :h] @ first
    second = inverse_of(a[h:, h:] - across @ a[h:, :h].T)
    corner = second @ across
    out = np.empty_like(a)
    out[:h, :h] = first + across.T @ corner
    out[h:, :h], out[:h, h:] = -corner, -corner.T
    out[h:, h:] = second
    return out
