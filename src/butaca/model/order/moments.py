"""This module says where the items of a history stand in its order, of which equal times have none.

Items of one moment share its places: each has all of them in part. So neither ids nor rows decide.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from butaca.types import Codes, Floats, Ints, Times

#: Seconds.
DAY = 86_400.0


class InOrder(NamedTuple):
    """Holds the entries of histories by row and within a row by time, m of them.

    Attributes:
        at: where each entry stood before, int64 [m].
        rows: row of each, ascending [m].
        items: [m].
        place: places of the history that come after the moment of each, int64 [m]; 0 is the latest moment.
        size: entries of that moment, int64 [m].
        age: days before the row's latest, float32 [m].
    """

    at: Ints
    rows: Ints
    items: Codes
    place: Ints
    size: Ints
    age: Floats

    def some(self, which: slice | Ints) -> InOrder:
        """Returns these entries alone."""
        at, rows, items, place, size, age = (column[which] for column in self)
        return InOrder(at, rows, items, place, size, age)  # type: ignore[arg-type]


def ordered(rows: Ints, items: Codes, *, time: Times | None) -> InOrder:
    """Returns entries in order: rows ascending [m], items [m], times in seconds [m]; None is one moment.

    >>> of_one = ordered(np.zeros(4, int), np.arange(4), time=np.array([20, 10, 20, 30]))
    >>> of_one.items.tolist(), of_one.place.tolist(), of_one.size.tolist()
    ([1, 0, 2, 3], [3, 1, 1, 0], [1, 2, 2, 1])
    """
    if time is None:
        time = np.zeros(len(rows), dtype=np.int64)
    if len(rows) and rows[0] == rows[-1]:
        return _of_one(rows, items, time)
    at = np.lexsort((time, rows))
    r, t = rows[at], time[at]
    m = len(r)
    new_row = np.ones(m, dtype=bool)
    new_row[1:] = r[1:] != r[:-1]
    new_moment = new_row.copy()
    new_moment[1:] |= t[1:] != t[:-1]
    first = np.flatnonzero(new_moment)
    ends = np.append(first[1:], m)
    moment = np.cumsum(new_moment) - 1
    starts_row = np.flatnonzero(new_row)
    row_ends = np.append(starts_row[1:], m)[np.cumsum(new_row) - 1]
    size = (ends - first)[moment]
    place = row_ends - ends[moment]
    when = t.astype(np.float64)  # as integers, times far apart would overflow
    age = ((when[row_ends - 1] - when) / DAY).astype(np.float32) if m else np.zeros(0, np.float32)
    return InOrder(at, r, items[at], place, size, age)


def _of_one(rows: Ints, items: Codes, time: Times) -> InOrder:
    """Returns `ordered` of one history, which is asked for often, and at once, in a third of the time."""
    at = time.argsort(kind="stable")
    t = time[at]
    m = len(t)
    when = t.astype(np.float64)
    age = ((when[-1] - when) / DAY).astype(np.float32)
    ends = np.append((t[1:] != t[:-1]).nonzero()[0] + 1, m)
    if len(ends) == m:  # no two share a moment
        return InOrder(at, rows, items[at], np.arange(m - 1, -1, -1), np.ones(m, dtype=np.int64), age)
    of_moment = ends.copy()
    of_moment[1:] -= ends[:-1]
    place, size = (m - ends).repeat(of_moment), of_moment.repeat(of_moment)
    return InOrder(at, rows, items[at], place, size, age)


def up_to(by_place: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the sums of the numbers of the first 0 to w places, [w, k] -> [w + 1, k]."""
    return np.concatenate([np.zeros((1, by_place.shape[1])), np.cumsum(by_place, axis=0)])


def shared_places(sums: NDArray[np.float64], place: Ints, *, size: Ints) -> Floats:
    """Returns what each entry has of its moment's places: their mean, and nothing of those beyond the window.

    >>> sums = up_to(np.array([[1.0], [0.5], [0.25]]))
    >>> shared_places(sums, np.array([0, 1]), size=np.array([1, 4])).ravel().tolist()
    [1.0, 0.1875]

    Args:
        sums: `up_to` of a number for each of the last w places and k scales [w + 1, k].
        place: as in `InOrder` [m].
        size: as in `InOrder` [m].
    """
    w = len(sums) - 1
    a, b = np.minimum(place, w), np.minimum(place + size, w)
    out: Floats = ((sums[b] - sums[a]) / size[:, None]).astype(np.float32)
    return out


def alone(order: InOrder) -> bool:
    """Says whether no two entries share a moment, so that each has a place of its own."""
    return int(order.size.max(initial=1)) == 1
