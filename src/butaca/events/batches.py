"""This module holds what is written of a batch of events, and whether an id stands for the same event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select, tuple_

from butaca.errors import ConflictError
from butaca.events.records import Event, now
from butaca.events.schema import events, removals

#: What makes two events of one id the same. Of the time a client may have said nothing: then it is the
#: service's, another one each time.
SAME = ("item_id", "kind", "value")
#: Seconds for which it is kept of whom an event was taken back: other processes look every few seconds.
REMEMBERED = 3_600


@dataclass(frozen=True)
class EventBatch:
    """An EventBatch holds events that one client sends together."""

    client: str
    events: list[Event]


def row_of(event: Event, client: str) -> dict[str, Any]:
    """Returns an event as its table has it."""
    return {
        "id": event.id,
        "user_id": event.user,
        "item_id": event.item,
        "kind": event.kind,
        "value": event.value,
        "time": event.time,
        "request_id": event.request_id,
        "client": client,
    }


def check_repeats(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Checks that what is stored under the ids of these rows, all of one client, is what they say.

    Raises:
        ConflictError: an id stands for something else.
    """
    c = events.c
    for start in range(0, len(rows), 400):
        part = rows[start : start + 400]
        keys = [(row["user_id"], row["id"]) for row in part]
        found = select(c.user_id, c.id, c.item_id, c.kind, c.value).where(
            c.client == part[0]["client"], tuple_(c.user_id, c.id).in_(keys)
        )
        stored = {(row.user_id, row.id): row for row in connection.execute(found)}
        for at, row in enumerate(part, start):
            there = stored[row["user_id"], row["id"]]
            if any(getattr(there, name) != row[name] for name in SAME):
                raise _conflict(at, row, there)


def _conflict(at: int, row: dict[str, Any], there: Any) -> ConflictError:
    def said(kind: str, item: str, value: float | None) -> str:
        return f"{kind} of {item[:60]!r}" + ("" if value is None else f" with the value {value:g}")

    return ConflictError(
        "An event's id stands for one event of its user",
        f"the id {row['id'][:60]!r} again, for {said(row['kind'], row['item_id'], row['value'])}, "
        f"while it is stored as {said(there.kind, there.item_id, there.value)}",
        "Give another event an id of its own, or take the stored one back first "
        "(DELETE /v1/events/{id}?user=...); nothing of the batch was stored",
    )


def remove(connection: Connection, user: str | None, *, event: str, client: str) -> str | None:
    """Deletes an event of a client's, and notes of whom; returns whose it was, or None where there is none.

    Args:
        connection: to write by.
        user: whose; None is whoever has the only event of this id.
        event: its id.
        client: who sent it.

    Raises:
        ConflictError: several users have an event of this id, and none is named.
    """
    c = events.c
    chosen = [c.client == client, c.id == event, *([] if user is None else [c.user_id == user])]
    found = connection.execute(select(c.user_id).where(*chosen).limit(2)).scalars().all()
    if len(found) > 1:
        raise ConflictError(
            "An event that is taken back is one", f"the id {event[:60]!r}, of several users", "Name the user"
        )
    if not found:
        return None
    connection.execute(delete(events).where(*chosen))
    connection.execute(delete(removals).where(removals.c.time < now() - REMEMBERED))
    connection.execute(insert(removals), {"user_id": found[0], "time": now()})
    return str(found[0])
