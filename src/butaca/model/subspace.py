"""This module finds leading eigenvectors of diag(s) W^T W diag(s), rows of W a block at a time.

Subspace iteration (Halko, Martinsson and Tropp 2011). A pass reads every block once and multiplies by it
twice while it is at hand, W_b^T (W_b Q), so that blocks may lie on the disk and nothing as large as the
interactions is copied. Blocks are summed in a fixed number of groups, whatever the cores: the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import TypeAlias, TypeVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from butaca.cores import cores
from butaca.types import Codes, Floats, Ints

#: Vectors in single or in double precision.
Reals = TypeVar("Reals", NDArray[np.float32], NDArray[np.float64])

#: Gives some rows of W, sparse [r, N].
Rows: TypeAlias = Callable[[], sp.csr_matrix]

#: Groups that blocks are summed in, and as many threads at most; entries of a block.
GROUPS, BLOCK = 4, 1 << 20


def leading(
    blocks: Sequence[Rows], scale: Floats, *, first: Floats, strides: Sequence[int]
) -> tuple[Floats, Floats]:
    """Finds the eigenvalues, falling [k], and eigenvectors [N, k], float32.

    Args:
        blocks: all rows of W.
        scale: s [N].
        first: the subspace to begin with [N, k].
        strides: a pass of the iteration each, over every such block: the first passes need not see all. The
            blocks are all read once more to turn the result into eigenvectors.
    """
    with ThreadPoolExecutor(min(GROUPS, cores())) as threads:

        def product(basis: Floats, stride: int) -> Floats:
            scaled = scale[:, None] * basis
            total = np.zeros_like(scaled)
            used = blocks[::stride]
            groups = [used[at::GROUPS] for at in range(GROUPS)]
            for part in threads.map(lambda group: _sum(group, scaled), groups):
                total += part
            total *= scale[:, None]
            return total

        basis = orthonormal(first)
        for stride in strides:
            basis = orthonormal(product(basis, stride))
        values, turn = np.linalg.eigh(basis.T @ product(basis, 1))
    return values[::-1].astype(np.float32), np.ascontiguousarray((basis @ turn)[:, ::-1], dtype=np.float32)


def histories(
    item: Codes, start: Ints, *, n_items: int, power: float, weight: Floats | None = None
) -> list[Rows]:
    """Returns blocks of whole histories: a row per user, each entry n ** -power for one of n items.

    Args:
        item: of each interaction, user after user [n]; memory-mapped, perhaps.
        start: where each user's begin [U + 1].
        n_items: N.
        power: of the length.
        weight: of each interaction, by which its entry is multiplied [n]; or None.
    """

    def rows(a: int, b: int) -> sp.csr_matrix:
        begin = start[a : b + 1]
        lengths = np.diff(begin)
        of_user = np.maximum(lengths, 1).astype(np.float32) ** np.float32(-power)
        values = np.repeat(of_user, lengths)
        if weight is not None:
            values = values * weight[begin[0] : begin[-1]]
        entries = (values, np.asarray(item[begin[0] : begin[-1]]), begin - begin[0])
        return sp.csr_matrix(entries, shape=(b - a, n_items))

    return [partial(rows, a, b) for a, b in _cuts(start)]


def in_blocks(matrix: sp.csr_matrix) -> list[Rows]:
    """Gives a sparse matrix in memory a block of rows at a time."""

    def rows(a: int, b: int) -> sp.csr_matrix:
        return matrix[a:b].astype(np.float32)

    return [partial(rows, a, b) for a, b in _cuts(matrix.indptr)]


def orthonormal(vectors: Reals) -> Reals:
    """Returns an orthonormal basis of the columns' span, [N, k], as QR gives it up to a rotation.

    By the k x k products of the columns, twice (Stathopoulos and Wu 2002): at 50,000 x 272 a tenth of QR's
    time. Directions that the columns lack come out as zero; float64 tells more of them apart.
    """
    least = 1e-10 if vectors.dtype == np.float32 else 1e-14
    for _ in range(2):
        gram = vectors.T @ vectors
        values, turn = np.linalg.eigh(gram.astype(np.float64))
        kept = values > max(float(values[-1]), 1e-300) * least
        inverse = np.where(kept, 1.0 / np.sqrt(np.where(kept, values, 1.0)), 0.0)
        vectors = vectors @ (turn * inverse).astype(vectors.dtype)
    return vectors


def _sum(group: Sequence[Rows], basis: Floats) -> Floats:
    total = np.zeros_like(basis)
    for rows in group:
        block = rows()
        total += block.T @ (block @ basis)
    return total


def _cuts(start: Ints) -> list[tuple[int, int]]:
    """Cuts stretches of rows with about BLOCK entries each."""
    marks = np.searchsorted(start, np.arange(0, int(start[-1]), BLOCK), side="right") - 1
    cuts = np.unique(np.append(marks, len(start) - 1)).tolist()
    return [(a, b) for a, b in pairwise(cuts) if start[b] > start[a]]
