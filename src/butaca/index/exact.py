"""Exact top-k by score = query . vector + bias, the reference that every other index is held to.

numpy only. Items that are left out are so before the top is taken, and k come back if k exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from butaca.errors import SettingError
from butaca.types import Bools, Codes, Floats, Ints

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

    They are kept a dimension at a time, [d, N]: one query reads them in long runs, which takes a fifth of
    the time of N short ones at 50,000 items.

    Args:
        vectors: float32 [N, d].
        bias: a term of each item alone, float32 [N], or None.
    """

    def __init__(self, vectors: Floats, bias: Floats | None = None) -> None:
        self._columns = np.ascontiguousarray(np.asarray(vectors, dtype=np.float32).T)
        self.bias = None if bias is None else np.asarray(bias, dtype=np.float32)

    def __len__(self) -> int:
        return int(self._columns.shape[1])

    @property
    def vectors(self) -> Floats:
        """As given, [N, d]."""
        return self._columns.T

    def scores(self, queries: Floats) -> Floats:
        """Scores of all items: [B, d] -> [B, N]."""
        out: Floats = queries @ self._columns
        if self.bias is not None:
            out += self.bias
        return out

    def top_k(
        self,
        queries: Floats,
        k: int,
        exclude: Sequence[Codes | Ints] | None = None,
        allowed: Bools | None = None,
    ) -> TopK:
        """The k best items of each query.

        Equal scores are ordered by item code, so the same input gives the same list everywhere.

        Args:
            queries: float32 [B, d].
            k: at least 1; more than N gives N.
            exclude: for each query the item codes to leave out.
            allowed: items that may come back for any query, [N]; None: all.

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
        barred = None if allowed is None else ~allowed
        items = np.empty((len(queries), k), dtype=np.int32)
        scores = np.empty((len(queries), k), dtype=np.float32)
        step = max(CHUNK // max(len(self), 1), 1)
        for at in range(0, len(queries), step):
            block = self.scores(queries[at : at + step])
            if barred is not None:
                block[:, barred] = -np.inf
            if exclude is not None:
                of = exclude[at : at + step]
                rows = np.repeat(np.arange(len(of)), [len(e) for e in of])
                if len(rows):
                    block[rows, np.concatenate(of)] = -np.inf
            items[at : at + step], scores[at : at + step] = best_rows(block, k)
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
        top = (values >= _bound(values[None], k)[0]).nonzero()[0]
    top = top[(-values[top]).argsort(kind="stable")[:k]]
    return top, values[top]


def best_rows(values: Floats, k: int) -> tuple[Ints, Floats]:
    """`best` of every row: values [B, N] -> positions [B, k], values [B, k]; k at most N.

    >>> best_rows(np.array([[1, 3, 2], [5, 5, 7]], dtype=np.float32), 2)[0].tolist()
    [[1, 2], [2, 0]]
    """
    n_rows, n = values.shape
    if n_rows < 4 or k == n:
        pairs = [best(row, k) for row in values]
        shape = (n_rows, k)
        return (
            np.array([p for p, _ in pairs], dtype=np.int64).reshape(shape),
            np.array([v for _, v in pairs], dtype=np.float32).reshape(shape),
        )
    flat = (values >= _bound(values, k)[:, None]).ravel().nonzero()[0]  # ascending: ties stay by position
    row, column = np.divmod(flat, n)
    kept = values.ravel()[flat]
    order = np.lexsort((-kept, row))
    start = np.searchsorted(row, np.arange(n_rows))
    take = order[start[:, None] + np.arange(k)]
    return column[take], kept[take]


def _bound(values: Floats, k: int) -> Floats:
    """A value that at least k of a row reach, and few more: [B, N] -> [B].

    Of N/g groups of g values, the k-th largest of their maxima: k groups have a value at or above it.
    """
    n_rows, n = values.shape
    g = min(64, n // (8 * k))
    if g > 1:
        cut = n // g * g
        values = values[:, :cut].reshape(n_rows, g, cut // g).max(axis=1)
    place = values.shape[1] - k
    bound: Floats = np.partition(values, place, axis=1)[:, place]
    return bound
