"""Exact top-k by score = query . vector + bias, the reference that every other index is held to.

numpy only. Excluded items are left out before the top is taken, so k come back if k exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from butaca.errors import SettingError
from butaca.types import Codes, Floats, Ints

#: Scores held at once: 4 M floats, 16 MB.
CHUNK = 1 << 22


@dataclass(frozen=True)
class TopK:
    """The best items of each query, best first.

    Attributes:
        items: int32 [B, k]; -1 where fewer than k items are left.
        scores: float32 [B, k]; -inf there.
    """

    items: Codes
    scores: Floats


class ExactIndex:
    """All vectors of a catalogue, scanned whole for every query.

    Args:
        vectors: float32 [N, d].
        bias: a term of each item alone, float32 [N], or None.
    """

    def __init__(self, vectors: Floats, bias: Floats | None = None) -> None:
        self.vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        self.bias = None if bias is None else np.asarray(bias, dtype=np.float32)
        self._columns = self.vectors.T

    def __len__(self) -> int:
        return len(self.vectors)

    def scores(self, queries: Floats) -> Floats:
        """Scores of all items: [B, d] -> [B, N]."""
        out: Floats = queries @ self._columns
        if self.bias is not None:
            out += self.bias
        return out

    def top_k(self, queries: Floats, k: int, exclude: Sequence[Codes | Ints] | None = None) -> TopK:
        """The k best items of each query.

        Equal scores are ordered by item code, so the same input gives the same list everywhere.

        Args:
            queries: float32 [B, d].
            k: at least 1; more than N gives N.
            exclude: for each query the item codes to leave out.

        Raises:
            SettingError: k below 1, or as many exclusions as queries are not given.
        """
        if k < 1:
            raise SettingError("k is at least 1", f"k={k}", "Ask for one item or more")
        if exclude is not None and len(exclude) != len(queries):
            raise SettingError(
                "Exclusions are given for every query",
                f"{len(exclude)} for {len(queries)} queries",
                "Pass one array per query, empty where nothing is excluded",
            )
        k = min(k, len(self))
        items = np.empty((len(queries), k), dtype=np.int32)
        scores = np.empty((len(queries), k), dtype=np.float32)
        step = max(CHUNK // max(len(self), 1), 1)
        for at in range(0, len(queries), step):
            block = self.scores(queries[at : at + step])
            for row, values in enumerate(block):
                if exclude is not None:
                    values[exclude[at + row]] = -np.inf
                items[at + row], scores[at + row] = best(values, k)
        items[scores == -np.inf] = -1
        return TopK(items, scores)


def best(values: Floats, k: int) -> tuple[Ints, Floats]:
    """The k largest values, best first, ties by position: values [N] -> positions [k], values [k].

    >>> best(np.array([1, 3, 2, 3], dtype=np.float32), 3)[0].tolist()
    [1, 3, 2]
    """
    n = len(values)
    top = np.arange(n)
    if k < n:  # everything from the k-th largest value on, ties included
        top = (values >= np.partition(values, n - k)[n - k]).nonzero()[0]
    top = top[(-values[top]).argsort(kind="stable")[:k]]
    return top, values[top]
