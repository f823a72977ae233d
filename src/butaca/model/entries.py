"""This module takes the history rows of some users out of all histories, for everything that reads them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from butaca.data.histories import Histories
from butaca.model.order.moments import InOrder, ordered
from butaca.types import Codes, Floats, Ints, Times


@dataclass(frozen=True, eq=False)
class Entries:
    """An Entries holds the history rows of some users, m of them.

    Attributes:
        rows: row into the users, ascending [m].
        items: [m].
        value: their ratings or weights [m], or None.
        time: in seconds since 1970 UTC [m], or None, also where it isn't read.
    """

    rows: Ints
    items: Codes
    value: Floats | None = None
    time: Times | None = None

    @cached_property
    def order(self) -> InOrder:
        """Returns them by row and within a row by time, sorted once for all that read it."""
        return ordered(self.rows, self.items, time=self.time)


def entries(users: Codes, histories: Histories, *, with_time: bool = True) -> Entries:
    """Returns users' history rows, with their times where those are read."""
    rows, at = histories.rows(users)
    value = None if histories.value is None else histories.value[at]
    time = None if histories.time is None or not with_time else histories.time[at]
    return Entries(rows, histories.items[at], value, time)
