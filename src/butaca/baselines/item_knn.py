"""This module holds item-kNN: it offers what is like what you had, by who had both."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from butaca.baselines.from_history import FromHistory
from butaca.checks import finite_number, whole_number
from butaca.errors import SettingError
from butaca.types import Floats

#: Similarities held at once: 4 M floats, 16 MB.
CHUNK = 1 << 22


class ItemKNN(FromHistory):
    """Scores an item by the sum of its similarities to those of its neighbours that the user had.

        s(i, j) = users of both / (sqrt(users of i) sqrt(users of j) + shrinkage)

    Cosine of the columns of who had what, or the roots of weights, after Sarwar et al. 2001. Only an item's
    most similar neighbours count: weak similarities are noise. They are the neighbours of the item that is
    scored, not of the one that was had, which lets rare items speak for rare items: on a tenth of MovieLens
    100K's training data top-10 .131 against .117, top-100 .562 against .508. The same tenth chose the
    defaults.

    Args:
        neighbours: most similar items that speak for an item.
        shrinkage: pulls similarities that rest on few users towards 0.
    """

    def __init__(self, neighbours: int = 100, shrinkage: float = 0.0) -> None:
        super().__init__()
        whole_number("neighbours", neighbours, least=None)
        finite_number("shrinkage", shrinkage)
        if neighbours < 1 or shrinkage < 0:
            raise SettingError(
                "An item has at least one neighbour, and shrinkage is 0 or more",
                f"neighbours={neighbours}, shrinkage={shrinkage}",
                "Try ItemKNN(neighbours=100, shrinkage=0)",
            )
        self.neighbours, self.shrinkage = neighbours, shrinkage
        self._similarity: sparse.csr_array | None = None  # [N, N]; column i: its neighbours

    def _learn(self, matrix: sparse.csr_array) -> None:
        n = matrix.shape[1]
        columns = sparse.csr_array(matrix.T.tocsr())
        length = np.sqrt(np.asarray(columns.power(2).sum(axis=1), dtype=np.float64)).astype(np.float32)
        kept = min(self.neighbours, n)
        parts = []
        step = max(CHUNK // max(n, 1), 1)
        for at in range(0, n, step):
            block = (columns[at : at + step] @ matrix).toarray()  # [b, N]
            rows = np.arange(len(block))
            block[rows, at + rows] = 0
            block /= np.maximum(length[at : at + step, None] * length + np.float32(self.shrinkage), 1e-12)
            crowded = np.flatnonzero(np.count_nonzero(block, axis=1) > kept)
            dense = block[crowded]
            threshold = np.partition(dense, n - kept, axis=1)[:, n - kept]
            block[crowded] = np.where(dense < threshold[:, None], np.float32(0), dense)
            parts.append(sparse.csr_array(block))
        self._similarity = sparse.csr_array(sparse.vstack(parts).T.tocsr()) if parts else matrix[:0]

    def _scores(self, matrix: sparse.csr_array) -> Floats:
        scores: Floats = (matrix @ self._similarity).toarray()
        return scores
