"""This module keeps the earlier rows of what people had again, beside a data set that holds the latest.

They train nothing. They say which test pairs are repeats, so that lists can be judged both ways: with what
someone had before left out, and with it allowed (`evaluate/both_ways.py`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from butaca.data.dataset import Dataset
from butaca.data.histories import as_seconds
from butaca.data.merge import latest_of_each
from butaca.data.negatives import Aside
from butaca.types import Bools, Ints


def with_earlier(data: Dataset, source: Dataset, *, rows: Ints | Bools) -> Dataset:
    """Returns the data with some rows of their source beside them; as they are where rows have no times.

    Args:
        data: the latest of each pair.
        source: of all rows, in the same codes.
        rows: of the source.
    """
    if source.timestamp is None:
        return data
    return replace(data, earlier=Aside(source.user[rows], source.item[rows], source.timestamp[rows]))


def parted(sides: tuple[Dataset, Dataset], later: Bools | None) -> tuple[Dataset, Dataset]:
    """Returns both sides of a split, each with the earlier rows that are its own.

    Args:
        sides: each of which has all of them.
        later: which go with the test side, [m]; None where a split can't say, and neither side has any.
    """
    train, test = sides
    earlier = train.earlier
    if earlier is None or later is None:
        return replace(train, earlier=None), replace(test, earlier=None)
    return replace(train, earlier=earlier.take(~later)), replace(test, earlier=earlier.take(later))


def with_all(data: Dataset, *, users: Bools | None = None) -> Dataset:
    """Returns a side with its earlier rows among its interactions, each pair once, the latest.

    Values and weights are left out: earlier rows have none.

    >>> from butaca.data.tables import read_table
    >>> data = read_table({"user": ["ana", "eva"], "item": [7, 9], "time": [10, 10]})
    >>> more = replace(data, earlier=Aside(data.user, data.item[::-1].copy(), data.timestamp - 1))
    >>> with_all(more).item.tolist()
    [0, 1, 1, 0]

    Args:
        data: a side.
        users: whose earlier rows are taken, [U]; None: everyone's.
    """
    plain = replace(data, value=None, weight=None, earlier=None)
    earlier = data.earlier
    if earlier is None or data.timestamp is None:
        return plain
    if users is not None:
        earlier = earlier.take(users[earlier.user])
    assert earlier.timestamp is not None
    times = as_seconds(data.timestamp), as_seconds(earlier.timestamp)
    whole = replace(
        plain,
        user=np.concatenate([data.user, earlier.user]),
        item=np.concatenate([data.item, earlier.item]),
        timestamp=np.concatenate(times),
    )
    return whole.take(np.flatnonzero(latest_of_each(whole.user, whole.item, time=whole.timestamp)))
