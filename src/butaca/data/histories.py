"""What each user has had, as one array per user: for leaving out seen items, masks and popularity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from butaca.data.dataset import Dataset
from butaca.types import Codes, Ints


@dataclass(frozen=True, eq=False)
class Histories:
    """Distinct items of every user, ascending: user u had `items[start[u]:start[u + 1]]`.

    Attributes:
        items: int32 [total].
        start: int64 [n_users + 1].
    """

    items: Codes
    start: Ints

    @classmethod
    def of(cls, data: Dataset) -> Histories:
        """The histories in a data set."""
        return cls.from_pairs(data.user, data.item, len(data.users))

    @classmethod
    def from_pairs(cls, user: Codes, item: Codes, n_users: int) -> Histories:
        """Histories of pairs of codes, [n] each.

        >>> h = Histories.from_pairs(np.array([1, 0, 1]), np.array([5, 2, 3]), n_users=3)
        >>> [h[u].tolist() for u in range(3)]
        [[2], [3, 5], []]
        """
        order = np.lexsort((item, user))
        u, i = user[order], item[order]
        fresh = np.ones(len(u), dtype=bool)
        fresh[1:] = (u[1:] != u[:-1]) | (i[1:] != i[:-1])
        u, i = u[fresh], i[fresh]
        start = np.searchsorted(u, np.arange(n_users + 1)).astype(np.int64)
        return cls(i.astype(np.int32), start)

    def __len__(self) -> int:
        return len(self.start) - 1

    def __getitem__(self, user: int) -> Codes:
        """The items of a user; none for a code outside the known users."""
        if not 0 <= user < len(self):
            return self.items[:0]
        return self.items[self.start[user] : self.start[user + 1]]

    def pairs(self, users: Codes) -> tuple[Ints, Codes]:
        """All items of a batch of users: row into `users` int64 [m], item int32 [m]."""
        known = (users >= 0) & (users < len(self))
        safe = np.where(known, users, 0)
        begin = self.start[safe]
        length = np.where(known, self.start[safe + 1] - begin, 0) if len(self) else np.zeros(len(users), int)
        rows = np.repeat(np.arange(len(users)), length)
        ends = np.cumsum(length)
        at = np.arange(int(ends[-1]) if len(ends) else 0) + np.repeat(begin - (ends - length), length)
        return rows, self.items[at]
