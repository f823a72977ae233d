"""This module says whose events changed: another process keeps people in memory and forgets only those.

`seq` counts up in the order rows were written. SQLite has one writer at a time, so what is behind the mark
stays behind it. PostgreSQL's sequences are drawn before the commit: a slow transaction's rows can appear
behind rows that were seen before. There, the last `OVERLAP` seconds are told again each time.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from butaca.events.schema import erasures, events, removals

#: Seconds that a transaction may take unnoticed.
OVERLAP = 30.0
#: Users told one by one; beyond that, everyone.
MOST = 20_000


@dataclass(frozen=True)
class Mark:
    """A Mark says how far someone has read in the store.

    Attributes:
        events, erasures: the last rows seen.
        settled: pairs of a moment and the last event then, from which to tell again.
        removals: the last event seen to be taken back.
    """

    events: int = 0
    erasures: int = 0
    settled: tuple[tuple[float, int], ...] = ()
    removals: int = 0


@dataclass(frozen=True)
class Changes:
    """A Changes says whose events were written since a mark.

    Attributes:
        users: whose events; None where anyone's may have, as after an erasure.
        mark: to ask from next time.
    """

    users: frozenset[str] | None
    mark: Mark


def read_changes(connection: Connection, since: Mark | None, *, overlap: bool) -> Changes:
    """Returns whose events were written since a mark; without a mark, only where to begin."""
    last = connection.execute(select(func.coalesce(func.max(events.c.seq), 0))).scalar_one()
    erased = connection.execute(select(func.coalesce(func.max(erasures.c.seq), 0))).scalar_one()
    removed = connection.execute(select(func.coalesce(func.max(removals.c.seq), 0))).scalar_one()
    now = time.monotonic()
    before = () if since is None else since.settled
    old = [pair for pair in before if pair[0] <= now - OVERLAP]
    kept = (*old[-1:], *(pair for pair in before if pair[0] > now - OVERLAP), (now, last)) if overlap else ()
    mark = Mark(last, erased, kept, max(removed, 0 if since is None else since.removals))
    if since is None:
        return Changes(frozenset(), mark)
    if erased != since.erasures:
        return Changes(None, mark)
    start = min([since.events, *(seq for _, seq in before[:1])])
    rows = select(events.c.user_id).where(events.c.seq > start).distinct().limit(MOST + 1)
    users = frozenset(connection.execute(rows).scalars())
    back = select(removals.c.user_id).where(removals.c.seq > since.removals).distinct().limit(MOST + 1)
    users |= frozenset(connection.execute(back).scalars())
    return Changes(None if len(users) > MOST else users, mark)
