"""This module finds the largest of many values, ties by position, which every index ends with."""

from __future__ import annotations

import numpy as np

from butaca.types import Floats, Ints


def best(values: Floats, k: int) -> tuple[Ints, Floats]:
    """Returns the k largest values, best first, ties by position: values [N] -> positions [k], values [k].

    >>> best(np.array([1, 3, 2, 3], dtype=np.float32), 3)[0].tolist()
    [1, 3, 2]
    """
    # Everything from the k-th largest value on, ties included.
    all_of = k >= len(values)
    top = np.arange(len(values)) if all_of else (values >= _bound(values[None], k)[0]).nonzero()[0]
    top = top[(-values[top]).argsort(kind="stable")[:k]]
    return top, values[top]


def best_rows(values: Floats, k: int) -> tuple[Ints, Floats]:
    """Returns `best` of every row: values [B, N] -> positions [B, k], values [B, k]; k at most N.

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
    return best_of(row, column, value=values.ravel()[flat], n_rows=n_rows, k=k)


def best_of(row: Ints, item: Ints, *, value: Floats, n_rows: int, k: int) -> tuple[Ints, Floats]:
    """Returns the k largest values of each row among pairs, of which every row has k at least.

    Args:
        row: of each pair [P].
        item: of each [P]; equal values of a row stand in the order in which they are to come back.
        value: of each [P].
        n_rows: rows B.
        k: how many.

    Returns:
        Items [B, k] and values [B, k].
    """
    order = np.lexsort((-value, row))
    count = np.bincount(row, minlength=n_rows)
    start = np.cumsum(count) - count
    take = order[start[:, None] + np.arange(k)]
    return item[take], value[take]


def _bound(values: Floats, k: int) -> Floats:
    """Returns a value that at least k of a row reach, and few more: [B, N] -> [B].

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
