"""This module reads events as columns, for a refit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import select

from butaca.events.database import Database
from butaca.events.records import POSITIVE_KINDS
from butaca.events.schema import events
from butaca.types import Ints, Times, Values


@dataclass(frozen=True, eq=False)
class Interactions:
    """An Interactions holds events as columns, in the order they were stored.

    Attributes:
        user, item: raw ids, text objects [n].
        value: float64 [n], NaN where an event has none.
        time: int64 [n], seconds since 1970-01-01 UTC.
        kind: of `records.KINDS`, text objects [n].
    """

    user: Values
    item: Values
    value: Values
    time: Times
    kind: Values

    def __len__(self) -> int:
        return len(self.user)

    def take(self, rows: Ints) -> Interactions:
        """Returns the events at the given rows."""
        columns = (self.user, self.item, self.value, self.time, self.kind)
        return Interactions(*(column[rows] for column in columns))

    @classmethod
    def of(cls, rows: Sequence[Any]) -> Interactions:
        """Makes columns of rows of (user, item, value, time, kind)."""
        user, item, value, time, kind = zip(*rows, strict=True) if rows else ((), (), (), (), ())
        return cls(
            _texts(user),
            _texts(item),
            np.array(value, dtype=np.float64),  # None becomes NaN
            np.array(time, dtype=np.int64),
            _texts(kind),
        )

    @classmethod
    def joined(cls, chunks: Sequence[Interactions]) -> Interactions:
        """Puts several tables into one, in their order."""
        parts = chunks or [cls.of([])]
        return cls(
            np.concatenate([c.user for c in parts]),
            np.concatenate([c.item for c in parts]),
            np.concatenate([c.value for c in parts]),
            np.concatenate([c.time for c in parts]),
            np.concatenate([c.kind for c in parts]),
        )


def _texts(values: Sequence[str]) -> Values:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def read_interactions(
    database: Database, rows: int, *, kinds: Sequence[str] = POSITIVE_KINDS
) -> Iterator[Interactions]:
    """Yields `rows` events of some kinds at a time, of one state: what comes meanwhile waits."""
    c = events.c
    columns = (c.user_id, c.item_id, c.value, c.time, c.kind)
    query = select(*columns).where(c.kind.in_(kinds)).order_by(c.seq)
    with database.read() as connection, connection.execution_options(yield_per=rows).execute(query) as found:
        for part in found.partitions(rows):
            yield Interactions.of(part)
