"""This module addresses, reads, writes and locks one database, SQLite or PostgreSQL.

SQLite: one writer at a time, behind a lock here and BEGIN IMMEDIATE there; readers in WAL mode see
the last commit and wait for nobody. PostgreSQL: a pool; writers share an advisory lock that an erasure
takes alone, so that no event slips in behind it.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from butaca.errors import StoreError
from butaca.events import migrate
from butaca.events.schema import HEAD

#: Seconds that a writer waits for another process's transaction.
PATIENCE = 30.0
#: Advisory locks of PostgreSQL: any constants that others are unlikely to use.
MIGRATING, WRITING = 0x62757461, 0x62757462

POSTGRES = ("postgresql", "postgres", "postgresql+psycopg")


def address(url: str) -> URL:
    """Returns an address as SQLAlchemy takes it.

    >>> address("events.db").render_as_string(), address("postgresql://me@host/films").drivername
    ('sqlite:///events.db', 'postgresql+psycopg')
    """
    if "://" not in url:
        made = URL.create("sqlite", database=url)
    else:
        try:
            made = make_url(url)
        except (ArgumentError, ValueError):
            raise _not_an_address(f"{url.split('://')[0]}://... that does not parse") from None
    if made.drivername in POSTGRES:
        return made.set(drivername="postgresql+psycopg")
    if made.drivername != "sqlite":
        raise _not_an_address(made.set(query={}).render_as_string())
    if not made.database or made.database == ":memory:" or made.query or made.host:
        raise _not_an_address(made.set(query={}).render_as_string())
    return made


def _not_an_address(received: str) -> StoreError:
    return StoreError(
        "Events are kept in a file or on a PostgreSQL server",
        received,
        "Pass a path, sqlite:///path.db (four slashes for an absolute path) or postgresql://user@host/database",
    )


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Turns errors of the driver into StoreErrors, without statements, parameters or passwords."""
    try:
        yield
    except (DBAPIError, PoolTimeoutError, sqlite3.Error) as error:
        cause = getattr(error, "orig", None) or error
        lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
        raise StoreError(
            "The event store can be read and written",
            f"{type(cause).__name__} at {where}: {'; '.join(lines)[:500]}",
            "Check that the database is up, reachable and has room; what was acknowledged is kept",
        ) from error


class Database:
    """A Database runs transactions on one address; it is safe to use from many threads."""

    def __init__(self, url: str) -> None:
        self.url = address(url)
        self.name = self.url.set(query={}).render_as_string(hide_password=True)
        self.sqlite = self.url.drivername == "sqlite"
        self._lock = threading.Lock()
        self._remembers = False  # deleted rows that SQLite's log still holds
        with translated(self.name):
            self._writers, self._readers = self._sqlite() if self.sqlite else self._postgres()
            try:
                self._prepare()
            except BaseException:
                self.close()
                raise

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
        connect: dict[str, Any] = {"timeout": PATIENCE, "check_same_thread": False}
        writers = create_engine(
            self.url, connect_args=connect, hide_parameters=True, pool_size=1, max_overflow=0
        )
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
            connect_args={"connect_timeout": 10, "application_name": "butaca"},
            hide_parameters=True,
            pool_size=4,
            max_overflow=16,
            pool_pre_ping=True,
            pool_timeout=PATIENCE,
        )
        event.listen(engine, "connect", _postgres_connected)
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
        with translated(self.name), self._readers.connect() as connection:
            yield connection

    @contextmanager
    def write(self, alone: bool = False, durable: bool = True) -> Iterator[Connection]:
        """Opens a transaction: committed and on disk when the block ends, or as if it had never been.

        Args:
            alone: no other writer at the same time (SQLite: always so).
            durable: False lets PostgreSQL answer before the disk has it.
        """
        if not self.sqlite:
            with translated(self.name), self._writers.begin() as connection:
                shared = "" if alone else "_shared"
                connection.execute(text(f"SELECT pg_advisory_xact_lock{shared}(:key)"), {"key": WRITING})
                if not durable:
                    connection.execute(text("SET LOCAL synchronous_commit TO off"))
                yield connection
            return
        with self._lock, translated(self.name):
            with self._writers.begin() as connection:
                yield connection
            if self._remembers:
                self._truncate()

    def forget_deleted(self) -> None:
        """Takes what was deleted out of SQLite's log too; PostgreSQL's (auto)vacuum sees to its own.

        A reader of an older state, such as a refit under way, puts it off until a write after its end.
        """
        if self.sqlite:
            with self._lock, translated(self.name):
                self._truncate()

    def _truncate(self) -> None:
        with self._writers.connect() as connection:
            raw: Any = connection.connection.dbapi_connection
            raw.execute("PRAGMA busy_timeout = 20").close()
            try:
                busy = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            finally:
                raw.execute(f"PRAGMA busy_timeout = {int(PATIENCE * 1000)}").close()
        self._remembers = bool(busy)

    def close(self) -> None:
        """Closes every connection."""
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


def _postgres_connected(raw: Any, _: object) -> None:
    """Makes a commit be on disk when it returns, whatever the server's or the role's default is."""
    with raw.cursor() as cursor:
        cursor.execute("SHOW synchronous_commit")
        if cursor.fetchone()[0] == "off":
            cursor.execute("SET synchronous_commit TO on")
    raw.commit()
