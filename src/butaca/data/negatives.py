"""This module holds pairs of user and item that stand beside a data set, never in it.

That is what someone said no to, and the earlier rows of what someone had again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from butaca.errors import TableError
from butaca.types import Bools, Codes, Ints, Times


@dataclass(frozen=True, eq=False)
class Aside:
    """An Aside holds pairs by the codes of the data set that they stand beside.

    Attributes:
        user, item: int32 [m].
        timestamp: [m], in seconds since 1970 UTC; or None.
    """

    user: Codes
    item: Codes
    timestamp: Times | None = None

    def __post_init__(self) -> None:
        for column in (self.item, self.timestamp):
            if column is not None and len(column) != len(self.user):
                raise TableError(
                    "Every column of what stands beside a data set has the same length",
                    f"{len(self.user)} users and {len(column)} rows",
                    "Rebuild the columns from the same rows",
                )
        for array in (self.user, self.item, self.timestamp):
            if array is not None:
                array.flags.writeable = False

    def __len__(self) -> int:
        return len(self.user)

    def take(self, rows: Ints | Bools) -> Self:
        """Returns the pairs at the given rows, or where a mask holds."""
        time = None if self.timestamp is None else self.timestamp[rows]
        return replace(self, user=self.user[rows], item=self.item[rows], timestamp=time)

    def recoded(self, users: Codes, items: Codes) -> Self:
        """Returns the pairs in other codes; those of which one is gone leave.

        Args:
            users: the new code of each old one, -1 for a user that is gone.
            items: likewise.
        """
        moved = replace(self, user=users[self.user], item=items[self.item])
        return moved.take((moved.user >= 0) & (moved.item >= 0))


@dataclass(frozen=True, eq=False)
class Negatives(Aside):
    """Holds pairs that a table tells as disliked, each once, with the time when it was last said."""

    def without(self, user: Codes, item: Codes) -> Negatives:
        """Returns the pairs that are not among others: what someone has had they did not say no to."""
        return self.take(~np.isin(_pairs(self.user, self.item), _pairs(user, item)))


def _pairs(user: Codes, item: Codes) -> Ints:
    """Returns a number for each pair of codes."""
    pair: Ints = user.astype(np.int64) << 32 | item.astype(np.int64)
    return pair


def together(one: Negatives | None, other: Negatives | None) -> Negatives | None:
    """Returns the pairs of both; times stay where both have them."""
    if one is None or other is None:
        return one if other is None else other
    time = None
    if one.timestamp is not None and other.timestamp is not None:
        time = np.concatenate([one.timestamp, other.timestamp])
    return Negatives(np.concatenate([one.user, other.user]), np.concatenate([one.item, other.item]), time)
