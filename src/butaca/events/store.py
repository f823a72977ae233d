"""This module is the door to the store: events, logged recommendations and API keys in one database."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Integer, bindparam, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from butaca.errors import ConflictError, SettingError, StoreError
from butaca.events import migrate
from butaca.events.attribution import ArmCounts, Names, count_arms
from butaca.events.batches import EventBatch, check_repeats, remove, row_of
from butaca.events.changes import Changes, Mark, read_changes
from butaca.events.database import Database
from butaca.events.erasures import Erasures
from butaca.events.group_commit import GroupCommit
from butaca.events.interactions import Interactions, read_interactions
from butaca.events.keys import Keys
from butaca.events.records import (
    POSITIVE_KINDS,
    Added,
    Erased,
    Event,
    Shown,
    checked_event,
    checked_shown,
    checked_text,
    checked_time,
    now,
)
from butaca.events.schema import HEAD, events, probes, recommendations, removals

#: PostgreSQL's code for the transaction that it ends when two wait for each other.
DEADLOCK = "40P01"
#: Lists deleted in one transaction.
PRUNED = 2_000
#: Seconds between two notes of when keys were last used.
NOTE_KEYS = 60.0

_c = events.c
_LATEST = (
    select(_c.id, _c.user_id, _c.item_id, _c.kind, _c.value, _c.time, _c.request_id)
    .where(_c.user_id == bindparam("user"))
    .order_by(_c.time.desc(), _c.seq.desc())
    .limit(bindparam("most", type_=Integer))
)


class EventStore:
    """An EventStore holds what people did and were shown; it is safe from many threads and processes.

    Attributes:
        name: the address without its password, for logs and messages.
        keys: the API keys.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._erasures = Erasures(database)
        self._group = GroupCommit(self._commit, parallel=1 if database.sqlite else 4)
        self.name = database.name
        self.keys = Keys(database)
        dialect: Any = sqlite if database.sqlite else postgresql
        self._insert_events = dialect.insert(events).on_conflict_do_nothing(
            index_elements=["user_id", "client", "id"]
        )
        self._insert_shown = dialect.insert(recommendations).on_conflict_do_nothing(
            index_elements=["request_id"]
        )

    @classmethod
    def open(cls, url: str, hurry: float | None = None) -> EventStore:
        """Opens a database, new or old, and brings it to the newest schema.

        Args:
            url: a path, `sqlite:///path.db` or `postgresql://user@host/database`.
            hurry: seconds after which whatever waits for the database is given up; None is patient.

        Raises:
            StoreError: another kind of address, a database that can't be reached, or a newer schema.
        """
        database = Database(url, hurry)
        try:
            return cls(database)
        except BaseException:
            database.close()
            raise

    def close(self) -> None:
        """Closes every connection; nothing is lost without it."""
        try:
            self.keys.note_uses()
        except StoreError:
            pass
        finally:
            self._database.close()

    def __enter__(self) -> EventStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def probe(self) -> None:
        """Writes a row and has it on disk, which proves that an event could be stored now.

        Raises:
            StoreError: it could not, with the `reason`.
        """
        with self._database.write() as connection:
            connection.execute(update(probes).values(time=now()))

    def ready(self) -> bool:
        """Returns True, or raises a StoreError that says why the database can't be used."""
        with self._database.read() as connection:
            at = migrate.revision(connection)
        if at != HEAD:
            raise StoreError(
                "The database is at this butaca's schema",
                f"schema {at!r}, not {HEAD!r}",
                "Restart the service",
            )
        return True

    def add(self, batch: Sequence[Event], client: str = "") -> Added:
        """Stores a batch: on disk when this returns, all of it or, after an error, none.

        An id counts per user and client. One that is there already changes nothing, so a batch whose answer
        was lost is sent again.

        Args:
            batch: what happened.
            client: who sends it, such as the name of a key.

        Returns:
            how many were new, and how many were known (an id twice in a batch: one new, one known).

        Raises:
            SettingError: a field of an event breaks a rule; nothing was stored.
            ConflictError: an id stands for another event already; nothing was stored.
            StoreError: the database failed. If it failed while committing, the batch may be there:
                send it again.
        """
        checked = [checked_event(e, f"event {at} of the batch") for at, e in enumerate(batch)]
        if not checked:
            return Added(0, 0)
        added = self._group.submit(EventBatch(client, checked), len(checked))
        if isinstance(added, ConflictError):
            raise added
        return added

    def _commit(self, batches: Sequence[EventBatch]) -> list[Added | ConflictError]:
        for attempt in range(5):
            try:
                with self._database.write() as connection:
                    self._erasures.refresh(connection)
                    return [self._insert(connection, b.events, b.client) for b in batches]
            except StoreError as error:
                # Two processes with the same ids in another order: PostgreSQL ends one of the two.
                orig = getattr(error.__cause__, "orig", None)
                if getattr(orig, "sqlstate", None) != DEADLOCK or attempt == 4:
                    raise
        raise AssertionError

    def _insert(self, connection: Connection, batch: list[Event], client: str = "") -> Added | ConflictError:
        """Writes a batch, or what stands in its way: the others of its group are not to fail with it."""
        asked = [(e.user, e.id) for e in batch if self._erasures.known(e.user) is not None]
        gone = self._erasures.gone(connection, asked)
        rows = [row_of(e, client) for e in batch if (e.user, e.id) not in gone]
        if not rows:
            return Added(0, len(batch))
        try:
            with connection.begin_nested():
                new = connection.execute(
                    self._insert_events, rows, execution_options={"preserve_rowcount": True}
                ).rowcount
                if new < len(rows):
                    check_repeats(connection, rows)
        except ConflictError as conflict:
            return conflict
        return Added(new, len(batch) - new)

    def undo(self, event: str, user: str | None = None, *, client: str = "") -> str | None:
        """Takes back one event that a client sent; returns whose it was, or None where there is no such.

        Args:
            event: its id.
            user: whose it is; None is whoever has the only event of this id.
            client: who sent it.

        Raises:
            ConflictError: several users have an event of this id, and none is named.
        """
        checked_text(event, "id of the event")
        if user is not None:
            checked_text(user, "user")
        with self._database.write(alone=True) as connection:
            found = remove(connection, user, event=event, client=client)
        if found is not None:
            self._database.forget_deleted()
        return found

    def history(self, user: str, limit: int = 1000) -> list[Event]:
        """Returns a user's latest events, oldest first; equal times in the order they were stored."""
        if limit < 1:
            raise SettingError("A history has at least one event", f"limit={limit}", "Ask for 1 or more")
        asked = {"user": checked_text(user, "user"), "most": limit}
        with self._database.read() as connection:
            return [Event(*row) for row in connection.execute(_LATEST, asked)][::-1]

    def changes(self, since: Mark | None = None) -> Changes:
        """Returns whose events any process has written since a mark; without one, only where to begin.

        After this, `erased` knows of every erasure that the answer knows of.
        """
        with self._database.read() as connection:
            self._erasures.refresh(connection)
            return read_changes(connection, since, overlap=not self._database.sqlite)

    def count(self) -> int:
        """Returns how many events the store holds."""
        with self._database.read() as connection:
            return connection.execute(select(func.count()).select_from(events)).scalar_one()

    def interactions(
        self, rows: int = 65_536, kinds: Sequence[str] = POSITIVE_KINDS
    ) -> Iterator[Interactions]:
        """Yields events as columns, in the order stored, `rows` at a time, of one state."""
        return read_interactions(self._database, rows, kinds=kinds)

    def log_recommendations(self, rows: Sequence[Shown]) -> None:
        """Notes what was shown. A request_id that is there already changes nothing.

        Meant for a background thread: the rows of a few seconds in one transaction. What was shown to a
        user who has been erased since is kept without the user.
        """
        checked = [checked_shown(row) for row in rows]
        if not checked:
            return
        with self._database.write(durable=False) as connection:
            self._erasures.refresh(connection)
            made = []
            for row in checked:
                erased_at = None if row.user is None else self._erasures.known(row.user)
                after = erased_at is None or row.time > erased_at
                made.append(
                    {
                        "request_id": row.request_id,
                        "user_id": row.user if after else None,
                        "time": row.time,
                        "model": row.model,
                        "arm": row.arm,
                        "source": row.source,
                        "items": json.dumps(row.items, ensure_ascii=False),
                    }
                )
            connection.execute(self._insert_shown, made)
        self.keys.note_uses(due=NOTE_KEYS)

    def prune(self, before: int) -> int:
        """Deletes what was shown before a time (seconds), some at a time so that writers go on between.

        Events stay.

        Returns:
            how many were deleted.
        """
        checked_time(before, "time")
        c, gone = recommendations.c, 0
        old = select(c.request_id).where(c.time < before).limit(PRUNED)
        with self._database.read() as connection:
            if connection.execute(old.limit(1)).first() is None:
                return 0  # nobody need wait for a write
        while True:
            with self._database.write() as connection:
                found = connection.execute(delete(recommendations).where(c.request_id.in_(old))).rowcount
            gone += found
            if found < PRUNED:
                break
        if gone:
            self._database.forget_deleted()
        return gone

    def experiment(
        self,
        since: int | None = None,
        *,
        models: Mapping[str, str] | None = None,
        names: Names | None = None,
    ) -> dict[str, ArmCounts]:
        """Returns what each arm showed and what came of it; see `attribution.count_arms`."""
        with self._database.read() as connection:
            return count_arms(connection, since, models=models, names=names)

    def erase(self, user: str) -> Erased:
        """Erases a person: events and logged recommendations go, a keyed hash of the id stays.

        What the person does from then on is a new person's. An erased event that a client sends again
        counts as known and is not stored.
        """
        checked_text(user, "user")
        with self._database.write(alone=True) as connection:
            ids = connection.execute(select(events.c.id).where(events.c.user_id == user)).scalars().all()
            self._erasures.record(connection, user, events=ids, at=now())
            connection.execute(delete(removals).where(removals.c.user_id == user))
            connection.execute(delete(events).where(events.c.user_id == user))
            shown = connection.execute(
                delete(recommendations).where(recommendations.c.user_id == user)
            ).rowcount
        with self._database.read() as connection:
            self._erasures.refresh(connection)
        self._database.forget_deleted()
        return Erased(len(ids), shown)

    def erased(self, user: str) -> bool:
        """Says whether a model's own history of this user must not be used: microseconds, from memory.

        An erasure by another process is seen within `erasures.STALE` seconds.
        """
        return self._erasures.time_of(user) is not None

    def known_erased(self, user: str) -> bool:
        """Says what `erased` does, from memory as it is, without waiting for the database."""
        return self._erasures.known(user) is not None

    def erased_among(self, users: Iterable[str]) -> set[str]:
        """Returns those of the users who were erased, for a refit that leaves them out."""
        with self._database.read() as connection:
            self._erasures.refresh(connection)
        return {user for user in users if self._erasures.known(user) is not None}


def events_table(store: EventStore, kinds: Sequence[str] = POSITIVE_KINDS) -> Interactions:
    """Returns every event of some kinds: columns `user`, `item`, `value`, `time`, `kind`.

    If not asked for, `skip` and `dislike` are left out (records.py). Nobody who was erased is here by what
    they did before. A history from elsewhere is cleaned with `store.erased_among(users)`.
    """
    return Interactions.joined(list(store.interactions(kinds=kinds)))
