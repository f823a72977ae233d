"""This module addresses, reads, writes and locks one database, SQLite or PostgreSQL.

SQLite: one writer at a time, behind a lock here and BEGIN IMMEDIATE there; readers in WAL mode see
the last commit and wait for nobody. PostgreSQL: a pool; writers share an advisory lock that an erasure
takes alone, so that no event slips in behind it.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from butaca.errors import StoreError
from butaca.events import migrate
from butaca.events.address import address, connect_arguments
from butaca.events.hung import Watchdog
from butaca.events.schema import HEAD

#: Seconds that a writer waits for another process's transaction.
PATIENCE = 30.0
#: Seconds that a migration may take: it writes large tables anew.
MIGRATION = 3_600.0
#: Advisory locks of PostgreSQL: any constants that others are unlikely to use.
MIGRATING, WRITING = 0x62757461, 0x62757462


def reason_of(error: BaseException) -> str:
    """Returns why a database failed, in words that hold nothing of it but the kind."""
    sqlite_name = getattr(error, "sqlite_errorname", None) or ""
    for start, words in _SQLITE_REASONS.items():
        if sqlite_name.startswith(start):
            return words
    state = getattr(error, "sqlstate", None) or ""
    for start, words in _POSTGRES_REASONS.items():
        if state.startswith(start):
            return words
    return "it does not answer" if isinstance(error, PoolTimeoutError) or not sqlite_name else ""


_SQLITE_REASONS = {
    "SQLITE_FULL": "the disk is full",
    "SQLITE_READONLY": "its file may only be read",
    "SQLITE_PERM": "its file may not be written",
    "SQLITE_CANTOPEN": "its file can't be opened",
    "SQLITE_BUSY": "another program holds it locked",
    "SQLITE_LOCKED": "another program holds it locked",
    "SQLITE_CORRUPT": "its file is damaged",
    "SQLITE_NOTADB": "its file is damaged",
    "SQLITE_IOERR": "the disk fails",
    "SQLITE_ERROR": "its tables are not those expected",
}
_POSTGRES_REASONS = {
    "25006": "it may only be read",
    "53100": "the disk is full",
    "53": "it has too little room",
    "42501": "the role may not write",
    "42": "its tables are not those expected",
    "57": "it is shutting down",
    "28": "it refuses the role",
}


class Database:
    """A Database runs transactions on one address; it is safe to use from many threads.

    Args:
        url: a path, `sqlite:///path.db` or `postgresql://user@host/database`.
        hurry: seconds after which whatever waits for the database is given up; None waits for another
            process's transaction for `PATIENCE` seconds, and for an answer without end.
    """

    def __init__(self, url: str, hurry: float | None = None) -> None:
        self.address = address(url)
        self.url, self.name, self.sqlite = self.address.url, self.address.name, self.address.sqlite
        self._patience = PATIENCE if hurry is None else min(hurry, PATIENCE)
        self._watchdog = None if hurry is None or self.sqlite else Watchdog(MIGRATION)
        self._lock = threading.Lock()
        self._remembers = False  # deleted rows that SQLite's log still holds
        self._file: tuple[int, int] | None = None
        with self._translated():
            self._writers, self._readers = self._sqlite() if self.sqlite else self._postgres()
            try:
                self._prepare()
            except BaseException:
                self.close()
                raise
        if self._watchdog is not None:
            self._watchdog.patience = self._patience
        if self.sqlite:
            self._file = self._found_file()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turns errors of the driver into StoreErrors, without statements, parameters or passwords."""
        try:
            yield
        except (DBAPIError, PoolTimeoutError, sqlite3.Error) as error:
            cause = getattr(error, "orig", None) or error
            lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
            said = self.address.without_secrets("; ".join(lines))[:500]
            made = StoreError(
                "The event store can be read and written",
                f"{type(cause).__name__} at {self.name}: {said}",
                "Check that the database is up, reachable and has room; what was acknowledged is kept",
            )
            made.reason = reason_of(cause)
            raise made from error

    def _found_file(self) -> tuple[int, int] | None:
        try:
            found = os.stat(str(self.url.database))
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def check_file(self) -> None:
        """Checks that SQLite's file is still the one that was opened: what goes to another one is lost.

        Raises:
            StoreError: it was removed or replaced.
        """
        if self._file is not None and self._found_file() != self._file:
            made = StoreError(
                "The database's file is the one that was opened",
                f"{self.name}, which was removed or replaced since",
                "Stop the service, put the file in its place (butaca events restore), and start it again",
            )
            made.reason = "its file was removed or replaced since it was opened"
            raise made

    def _sqlite(self) -> tuple[Engine, Engine]:
        path = Path(str(self.url.database))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                path.touch(mode=0o600)  # what people watched is nobody else's business
        except OSError as error:
            raise StoreError(
                "The database's file can be made", f"{error.strerror}: {path}", "Choose another folder"
            ) from None
        connect: dict[str, Any] = {"timeout": self._patience, "check_same_thread": False}
        writers = create_engine(
            self.url, connect_args=connect, hide_parameters=True, pool_size=1, max_overflow=0,
            pool_timeout=self._patience,
        )  # fmt: skip
        readers = create_engine(
            self.url, connect_args=connect, hide_parameters=True, pool_size=4, max_overflow=60
        )
        for engine, begin in ((writers, "BEGIN IMMEDIATE"), (readers, "BEGIN")):
            event.listen(engine, "connect", _sqlite_reader if engine is readers else _sqlite_writer)
            event.listen(engine, "begin", lambda connection, begin=begin: connection.exec_driver_sql(begin))
        return writers, readers

    def _postgres(self) -> tuple[Engine, Engine]:
        engine = create_engine(
            self.url,
            connect_args=connect_arguments(self.address, self._patience),
            hide_parameters=True,
            pool_size=4,
            max_overflow=16,
            pool_timeout=self._patience,
        )
        watchdog = self._watchdog

        def connected(raw: Any, _: object) -> None:
            if watchdog is not None:
                watchdog.take(raw)
            if self.address.prepare:  # else a connection is nobody's own: each transaction says so
                _postgres_connected(raw)

        def taken(raw: Any, _: object, __: object) -> None:
            if watchdog is not None:
                watchdog.take(raw)
            try:
                engine.dialect.do_ping(raw)
            except engine.dialect.loaded_dbapi.Error as error:
                raise DisconnectionError from error

        event.listen(engine, "connect", connected)
        event.listen(engine, "checkout", taken)
        if watchdog is not None:
            event.listen(engine, "checkin", lambda raw, _: watchdog.give_back(raw))
            event.listen(engine, "close", lambda raw, _: watchdog.give_back(raw))
        return (
            engine.execution_options(isolation_level="READ COMMITTED"),  # after a lock: what is there now
            engine.execution_options(isolation_level="REPEATABLE READ"),
        )

    def _prepare(self) -> None:
        with self._readers.connect() as connection:
            if not self.sqlite:
                encoding = connection.execute(text("SHOW server_encoding")).scalar()
                if encoding != "UTF8":
                    raise StoreError(
                        "The database holds any text",
                        f"encoding {encoding} at {self.name}",
                        "CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0",
                    )
            if migrate.revision(connection) == HEAD:
                return
        with self._writers.begin() as connection:
            if not self.sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATING})
            migrate.upgrade(connection)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Yields a connection that sees one state of the database until the block ends."""
        with self._translated(), self._readers.connect() as connection:
            yield connection

    @contextmanager
    def write(self, alone: bool = False, durable: bool = True) -> Iterator[Connection]:
        """Opens a transaction: committed and on disk when the block ends, or as if it had never been.

        Args:
            alone: no other writer at the same time (SQLite: always so).
            durable: False lets PostgreSQL answer before the disk has it.
        """
        if not self.sqlite:
            with self._translated(), self._writers.begin() as connection:
                shared = "" if alone else "_shared"
                connection.execute(text(f"SELECT pg_advisory_xact_lock{shared}(:key)"), {"key": WRITING})
                if not durable:
                    connection.execute(text("SET LOCAL synchronous_commit TO off"))
                elif not self.address.prepare:
                    connection.execute(text("SET LOCAL synchronous_commit TO on"))
                yield connection
            return
        with self._alone(), self._translated():
            self.check_file()
            with self._writers.begin() as connection:
                yield connection
            self.check_file()
            if self._remembers:
                self._truncate()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Waits for SQLite's other writers in this process, but not for ever."""
        if not self._lock.acquire(timeout=self._patience):
            made = StoreError("The event store can be written", f"{self.name}, which is locked", "Try again")
            made.reason = "another program holds it locked"
            raise made
        try:
            yield
        finally:
            self._lock.release()

    def forget_deleted(self) -> None:
        """Takes what was deleted out of SQLite's log too; PostgreSQL's (auto)vacuum sees to its own.

        A reader of an older state, such as a refit under way, puts it off until a write after its end.
        """
        if self.sqlite:
            with self._alone(), self._translated():
                self._truncate()

    def _truncate(self) -> None:
        with self._writers.connect() as connection:
            raw: Any = connection.connection.dbapi_connection
            raw.execute("PRAGMA busy_timeout = 20").close()
            try:
                busy = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            finally:
                raw.execute(f"PRAGMA busy_timeout = {int(self._patience * 1000)}").close()
        self._remembers = bool(busy)

    def close(self) -> None:
        """Closes every connection."""
        if self._watchdog is not None:
            self._watchdog.close()
        self._writers.dispose()
        self._readers.dispose()


def _sqlite_reader(raw: sqlite3.Connection, _: object) -> None:
    raw.isolation_level = None  # transactions begin when we say so, not when the driver thinks so
    raw.execute("PRAGMA query_only = ON").close()


def _sqlite_writer(raw: sqlite3.Connection, _: object) -> None:
    raw.isolation_level = None
    until = time.monotonic() + PATIENCE
    while True:  # two processes at once: changing to WAL does not wait by itself
        try:
            mode = raw.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            break
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)
    if mode != "wal":
        raise sqlite3.OperationalError(f"the file can't be put into WAL mode (it stays in {mode})")
    for pragma in ("synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
        raw.execute(f"PRAGMA {pragma}").close()


def _postgres_connected(raw: Any) -> None:
    """Makes a commit be on disk when it returns, whatever the server's or the role's default is."""
    with raw.cursor() as cursor:
        cursor.execute("SHOW synchronous_commit")
        if cursor.fetchone()[0] == "off":
            cursor.execute("SET synchronous_commit TO on")
    raw.commit()
