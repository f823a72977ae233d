"""This module finds the items that speak for an item, by who had both: three models, cut to the strongest.

They are stored by the item that is scored, so that a score is a gather over a candidate's neighbours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from butaca.rank.facts import Neighbours
from butaca.types import Codes, Floats, Times

if TYPE_CHECKING:
    from scipy import sparse

#: Weights held at once: 4 M floats, 16 MB.
CHUNK = 1 << 22

#: Beyond this many steps apart in time, two items of a history are not near: parts of the span.
REACH = 3


def together(matrix: sparse.csr_array, kept: int, *, shrinkage: float = 0.0) -> Neighbours:
    """Returns item-kNN's cosines (baselines/item_knn.py) of who had what, sparse 0/1 [U, N]."""
    columns = matrix.T.tocsr()
    return _strongest(columns, matrix, np.diff(columns.indptr).astype(np.float32), kept, shrinkage)


def near(
    user: Codes, item: Codes, *, time: Times, n_items: int, kept: int, span: float, shrinkage: float = 2.0
) -> Neighbours:
    """Returns which items are had in a row: exp(-positions apart / span), summed over users, as a cosine.

    Two items of one page, one evening or one sitting. A user's positions are those in order of time.
    """
    from scipy import sparse

    order = np.lexsort((item, time, user))
    u, i = user[order], item[order].astype(np.int64)
    total: Any = sparse.csr_array((n_items, n_items), dtype=np.float32)
    for distance in range(1, max(int(REACH * span), 1) + 1):
        same = u[distance:] == u[:-distance]
        if not same.any():
            break
        a, b = i[:-distance][same], i[distance:][same]
        weight = np.full(len(a), np.exp(-distance / span), dtype=np.float32)
        total = total + sparse.coo_array((weight, (a, b)), shape=(n_items, n_items)).tocsr()
    total = (total + total.T).tocsr()
    count = np.bincount(i, minlength=n_items).astype(np.float32)
    return _strongest(total, None, count, kept, shrinkage)


def linear(matrix: sparse.csr_array, kept: int, *, l2: float | None = None) -> Neighbours:
    """Returns EASE's weights (baselines/ease.py) into each item, the largest by size, negative ones too."""
    from butaca.baselines.ease import default_l2
    from butaca.model.inverse import inverse_of

    n = matrix.shape[1]
    gram: NDArray[np.float64] = (matrix.T @ matrix).toarray().astype(np.float64)
    gram[np.diag_indices(n)] += default_l2(matrix) if l2 is None else l2
    inverse = inverse_of(gram)
    weights = -inverse / np.diag(inverse)[:, None]  # symmetric before: row j is the column into j
    weights[np.diag_indices(n)] = 0
    return _cut(weights.astype(np.float32), kept)


def _strongest(rows: Any, matrix: Any, count: Floats, kept: int, shrinkage: float) -> Neighbours:
    """Returns the rows of (rows @ matrix), or of rows, as cosines, cut."""
    n = len(count)
    length = np.sqrt(count)
    items, weights = [], []
    step = max(CHUNK // max(n, 1), 1)
    for at in range(0, n, step):
        block = rows[at : at + step] if matrix is None else rows[at : at + step] @ matrix
        dense = block.toarray().astype(np.float32)
        which = np.arange(at, at + len(dense))
        dense[np.arange(len(dense)), which] = 0
        dense /= np.maximum(length[which, None] * length + np.float32(shrinkage), 1e-12)
        part = _cut(dense, kept)
        items.append(part.items)
        weights.append(part.weights)
    empty = np.zeros((0, 0), np.int32), np.zeros((0, 0), np.float32)
    return Neighbours(np.concatenate(items), np.concatenate(weights)) if items else Neighbours(*empty)


def _cut(dense: Floats, kept: int) -> Neighbours:
    """Returns the largest `kept` weights of each row by size, in order of the items; ties to the first."""
    kept = min(kept, dense.shape[1])
    size = np.abs(dense)
    chosen = np.sort(np.argpartition(-size, kept - 1, axis=1)[:, :kept], axis=1)
    weights = np.take_along_axis(dense, chosen, axis=1)
    return Neighbours(chosen.astype(np.int32), np.ascontiguousarray(weights))
