"""This module says who candidates are ordered for, and when: histories, known users, the time of asking."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from butaca.data.histories import Histories
from butaca.types import Codes

Doubles = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class People:
    """A People is a batch of B persons.

    Attributes:
        rows: of `histories`, int32 [B]; a row outside them has no history.
        histories: what was had.
        known_as: row in the users' table, int32 [B]; one outside it is someone unknown.
        when: seconds since 1970 UTC, float64 [B]; nan where nothing tells.
    """

    rows: Codes
    histories: Histories
    known_as: Codes
    when: Doubles

    @classmethod
    def of(
        cls,
        users: Codes,
        histories: Histories,
        *,
        known_as: Codes | None = None,
        when: float | None = None,
    ) -> People:
        """Returns users by their rows of `histories`.

        Args:
            users: rows of `histories`.
            histories: what was had.
            known_as: rows in the users' table; None: the same.
            when: the time of asking; None: each one's latest known time, and the latest of all of
                `histories` for someone without any.
        """
        known = users if known_as is None else known_as
        moments = latest(users, histories) if when is None else np.full(len(users), when, dtype=np.float64)
        return cls(users.astype(np.int32), histories, known.astype(np.int32), moments)

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, which: slice | NDArray[np.int64]) -> People:
        """Returns some of these people."""
        return People(self.rows[which], self.histories, self.known_as[which], self.when[which])


def latest(users: Codes, histories: Histories) -> Doubles:
    """Returns the latest time of each one's history, float64 [B]; see `People.of`."""
    out = np.full(len(users), np.nan)
    if histories.time is None or not len(histories.time):
        return out
    row, at = histories.rows(users)
    out[:] = -np.inf
    np.maximum.at(out, row, histories.time[at].astype(np.float64))
    return np.where(np.isinf(out), float(histories.time.max()), out)
