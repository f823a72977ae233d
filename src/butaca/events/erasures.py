"""This module knows who was erased: keyed hashes in the database, and a copy of them in the process.

An id is hashed with HMAC-SHA-256 under a random key of the database's own, so that a copy of the table
alone can't be searched for a name, nor compared with another database's.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
import time
from collections.abc import Iterable

from sqlalchemy import Connection, delete, insert, select

from butaca.errors import StoreError
from butaca.events.database import Database
from butaca.events.schema import erased_events, erasures, secrets

#: Seconds after which an erasure by another process is seen here. One's own is seen at once.
STALE = 2.0


class Erasures:
    """An Erasures is the set of erased users: asking costs a hash and a look-up, from any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._times: dict[bytes, int] = {}
        self._last = 0
        self._fresh_until = 0.0
        self._refreshing = threading.Lock()
        with database.read() as connection:
            key = connection.execute(select(secrets.c.value).where(secrets.c.name == "erasures")).scalar_one()
            self._keyed = hmac.new(key, digestmod=hashlib.sha256)
            self.refresh(connection)

    def hash(self, value: str, kind: bytes = b"user") -> bytes:
        """Returns the keyed hash of an id."""
        keyed = self._keyed.copy()
        keyed.update(kind + b"\0" + value.encode())
        return keyed.digest()

    def refresh(self, connection: Connection) -> None:
        """Reads the erasures that are new in the table."""
        new = select(erasures).where(erasures.c.seq > self._last).order_by(erasures.c.seq)
        for row in connection.execute(new):
            self._times[row.user_hash] = row.time
            self._last = max(self._last, row.seq)
        self._fresh_until = time.monotonic() + STALE

    def time_of(self, user: str) -> int | None:
        """Returns when a user was erased, at most `STALE` seconds behind other processes, or None.

        While the database can't be read, the answer is what this process last knew.
        """
        if time.monotonic() > self._fresh_until and self._refreshing.acquire(blocking=False):
            try:
                self._fresh_until = time.monotonic() + STALE
                with self._database.read() as connection:
                    self.refresh(connection)
            except StoreError:
                pass
            finally:
                self._refreshing.release()
        return self.known(user)

    def known(self, user: str) -> int | None:
        """Returns what `time_of` does, from the process's copy as it is."""
        return self._times.get(self.hash(user)) if self._times else None

    def record(self, connection: Connection, user: str, *, events: Iterable[str], at: int) -> None:
        """Writes an erasure: the user's hash, and those of the user's events that are going."""
        mark = self.hash(user)
        connection.execute(delete(erasures).where(erasures.c.user_hash == mark))
        connection.execute(insert(erasures), {"user_hash": mark, "time": at})
        rows = [{"event_hash": mark} for mark in {self._of_user(user, event) for event in events}]
        if rows:
            connection.execute(insert(erased_events), rows)

    def _of_user(self, user: str, event: str) -> bytes:
        """Returns the keyed hash of a user's event: another user's may have the same id."""
        return self.hash(f"{user}\0{event}", b"event of")

    def gone(self, connection: Connection, events: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
        """Returns those of the events, each a user and an id, that an erasure removed."""
        marks: dict[bytes, tuple[str, str]] = {}
        for user, event in events:
            marks[self._of_user(user, event)] = (user, event)
            marks[self.hash(event, b"event")] = (user, event)  # as erasures were written before
        found: set[tuple[str, str]] = set()
        every = list(marks)
        for at in range(0, len(every), 500):
            where = erased_events.c.event_hash.in_(every[at : at + 500])
            found.update(
                marks[bytes(h)] for h in connection.execute(select(erased_events).where(where)).scalars()
            )
        return found
