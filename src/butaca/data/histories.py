"""This module holds what each user has had, an array per user: for seen items, masks and popularity."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from butaca.checks import of_kind
from butaca.data.dataset import Dataset
from butaca.errors import TableError
from butaca.types import Codes, Floats, Ints, Times


@dataclass(frozen=True, eq=False)
class Histories:
    """Holds the distinct items of every user, ascending: user u had `items[start[u]:start[u + 1]]`.

    Attributes:
        items: int32 [total].
        start: int64 [n_users + 1].
        value: float32 [total], the rating or weight of each, or None.
        time: [total], when, in seconds since 1970 UTC: int64, or float64 where there are fractions; or None.
        weight: float32 [total], how much each counts; None: all the same.
        negatives: what each user said no to, no part of the history, which leaves lists as it does; or None.

    A pair that occurs more than once stands here once, as its latest row by time, or its last row
    where there are no times; with the weights of all its rows.
    """

    items: Codes
    start: Ints
    value: Floats | None = None
    time: Times | None = None
    weight: Floats | None = None
    negatives: Histories | None = None

    def __post_init__(self) -> None:
        for name, column in (("value", self.value), ("time", self.time), ("weight", self.weight)):
            if column is not None and len(column) != len(self.items):
                raise TableError(
                    f"A history's {name} has one row per item",
                    f"{len(column)} for {len(self.items)} items",
                    "Make histories with Histories.of or from_pairs",
                )

    @classmethod
    def of(cls, data: Dataset) -> Histories:
        """Returns the histories in a data set, with its values, times and weights where it has them."""
        of_kind("data", data, kind=Dataset, cure="Read one with read_table or load_movielens")
        n_users, aside = len(data.users), data.negatives
        found = cls.from_pairs(
            data.user, data.item, n_users=n_users, value=data.value, time=data.timestamp, weight=data.weight
        )
        if aside is None:
            return found
        return replace(found, negatives=cls.from_pairs(aside.user, aside.item, n_users=n_users))

    @classmethod
    def from_pairs(
        cls,
        user: Codes,
        item: Codes,
        *,
        n_users: int,
        value: Floats | None = None,
        time: Times | None = None,
        weight: Floats | None = None,
    ) -> Histories:
        """Returns histories of pairs of codes, [n] each, with what is known of them, [n].

        >>> h = Histories.from_pairs(np.array([1, 0, 1]), np.array([5, 2, 3]), n_users=3)
        >>> [h[u].tolist() for u in range(3)]
        [[2], [3, 5], []]
        >>> again = np.array([0, 0]), np.array([7, 7])  # rated 4 at time 20, and 1 earlier
        >>> value, time = np.array([4.0, 1.0]), np.array([20, 10])
        >>> Histories.from_pairs(*again, n_users=1, value=value, time=time).value.tolist()
        [4.0]
        """
        if in_order(user, item):  # prepared data, which stay on the disk
            begin = np.searchsorted(user, np.arange(n_users + 1)).astype(np.int64)
            return cls(
                item.astype(np.int32, copy=False),
                begin,
                None if value is None else value.astype(np.float32, copy=False),
                None if time is None else as_seconds(time),
                weight,
            )
        # Sorts are stable: the last of equal pairs is the last row, and of the latest if sorted by time.
        pair = user.astype(np.int64) << 32 | item.astype(np.int64)
        order = np.argsort(pair, kind="stable")
        last = np.ones(len(pair), dtype=bool)
        last[:-1] = np.diff(pair[order]) != 0
        if weight is not None and not last.all():  # what was had again counts each time
            _, of = np.unique(pair, return_inverse=True)
            weight = np.bincount(of, weight)[of].astype(np.float32)
        if time is not None and not last.all():  # the same places are last: only the order changes
            order = np.lexsort((time, pair))
        order = order[last]
        u, i = user[order], item[order]
        start = np.searchsorted(u, np.arange(n_users + 1)).astype(np.int64)
        return cls(
            i.astype(np.int32),
            start,
            None if value is None else value[order].astype(np.float32),
            None if time is None else as_seconds(time[order]),
            None if weight is None else weight[order].astype(np.float32),
        )

    @classmethod
    def of_one(cls, item: Codes, *, value: Floats | None = None, time: Times | None = None) -> Histories:
        """Returns the history of one user: items, each once, in any order [n], with what is known of them.

        >>> Histories.of_one(np.array([5, 3]), time=np.array([10, 20])).time.tolist()
        [20, 10]
        """
        order = item.argsort()
        return cls(
            item[order].astype(np.int32, copy=False),
            np.array([0, len(item)], dtype=np.int64),
            None if value is None else value[order].astype(np.float32, copy=False),
            None if time is None else as_seconds(time[order]),
        )

    def __len__(self) -> int:
        return len(self.start) - 1

    def __getitem__(self, user: int) -> Codes:
        """Returns the items of a user; none for a code outside the known users."""
        if not 0 <= user < len(self):
            return self.items[:0]
        return self.items[self.start[user] : self.start[user + 1]]

    @property
    def lengths(self) -> Ints:
        """Returns the number of distinct items of each user, int64 [n_users]."""
        return np.diff(self.start)

    @cached_property
    def latest(self) -> float:
        """Returns the latest time of all, looked for once; 0 where there is none."""
        return 0 if self.time is None or not len(self.time) else self.time.max().item()

    def rows(self, users: Codes) -> tuple[Ints, Ints]:
        """Returns where a batch of users' items stand: rows into `users` and into `items`, int64 [m] each."""
        if len(users) == 1:  # one person is asked for often, and at once
            user = int(users[0])
            a, b = (self.start[user], self.start[user + 1]) if 0 <= user < len(self) else (0, 0)
            return np.zeros(b - a, dtype=np.int64), np.arange(a, b)
        known = (users >= 0) & (users < len(self))
        safe = np.where(known, users, 0)
        begin = self.start[safe]
        length = np.where(known, self.start[safe + 1] - begin, 0) if len(self) else np.zeros(len(users), int)
        rows = np.repeat(np.arange(len(users)), length)
        ends = np.cumsum(length)
        at = np.arange(int(ends[-1]) if len(ends) else 0) + np.repeat(begin - (ends - length), length)
        return rows, at

    def pairs(self, users: Codes) -> tuple[Ints, Codes]:
        """Returns all items of a batch of users: row into `users` int64 [m], item int32 [m]."""
        rows, at = self.rows(users)
        return rows, self.items[at]

    def gone(self, users: Codes) -> tuple[Ints, Codes]:
        """Returns what leaves the lists of a batch of users, as `pairs`: what they had, and said no to.

        The negatives come after all that was had.
        """
        rows, items = self.pairs(users)
        if self.negatives is None:
            return rows, items
        of, no = self.negatives.pairs(users)
        return np.concatenate([rows, of]), np.concatenate([items, no])

    def left_out(self, user: int) -> Codes:
        """Returns what leaves a user's list: what they had, and said no to."""
        if self.negatives is None:
            return self[user]
        return np.concatenate([self[user], self.negatives[user]])


def as_seconds(time: Times) -> Times:
    """Returns times as they are kept: real numbers as float64, all others as int64."""
    kept: Times = time.astype(np.float64 if time.dtype.kind == "f" else np.int64, copy=False)
    return kept


def in_order(user: Codes, item: Codes) -> bool:
    """Returns whether pairs come by user and within a user by item, each once."""
    if not len(user) or user[0] > user[-1]:
        return False
    later = (user[1:] > user[:-1]) | ((user[1:] == user[:-1]) & (item[1:] > item[:-1]))
    return bool(later.all())


def leaving_lists(seen: Histories, *, again: bool) -> Histories | None:
    """Returns what leaves the lists that a model is chosen by: what users have had, unless it may come again.

    What they said no to stays: the same positives then choose the same model, whatever else is known.

    Args:
        seen: the histories.
        again: of the data (`Dataset.again`).
    """
    return None if again else replace(seen, negatives=None)
