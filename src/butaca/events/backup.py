"""This module copies an event store of one file while it is written to, and puts a copy in its place."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from butaca.errors import StoreError
from butaca.events.address import address
from butaca.events.schema import VERSION_TABLE
from butaca.files import move_file

#: Pages copied at once; writers go on between.
PAGES = 1_000


def backup(events: str, copy: Path) -> int:
    """Copies a store to a new file, whole as of one moment, while a service writes to it; returns its events.

    Raises:
        StoreError: the store is none of one file or not there, the copy is there already, the disk refuses.
    """
    path = _file_of(events, "backup")
    if copy.exists():
        raise StoreError("A backup is a new file", f"{copy}, which is there", "Choose another name")
    return _copied(path, copy)


def restore(copy: Path, events: str) -> int:
    """Puts a copy in the place of a store that no service has open; returns its events.

    Raises:
        StoreError: a service has the store open, or the copy is damaged or none.
    """
    path = _file_of(events, "restore", there=False)
    if not copy.is_file():
        raise StoreError("A backup that is restored is there", str(copy), "Check its name")
    _check_unused(path)
    made = path.with_name(f".{path.name}.restored")
    made.unlink(missing_ok=True)
    try:
        found = _copied(copy, made)
        for name in (f"{path.name}-wal", f"{path.name}-shm"):
            path.with_name(name).unlink(missing_ok=True)
        move_file(made, path)
    finally:
        made.unlink(missing_ok=True)
    return found


def _file_of(events: str, verb: str, *, there: bool = True) -> Path:
    at = address(events)
    if not at.sqlite:
        raise StoreError(
            f"butaca events {verb} is for a store of one file",
            at.name,
            "Use PostgreSQL's own pg_dump and pg_restore",
        )
    path = Path(str(at.url.database))
    if there and not path.is_file():
        raise StoreError("The store that is copied is there", str(path), "Check its address (--events)")
    return path


def _check_unused(path: Path) -> None:
    """Checks that no other program has a store open, by taking all of it."""
    if not path.is_file():
        return
    try:
        with closing(sqlite3.connect(path, timeout=1.0, isolation_level=None)) as connection:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
            connection.execute("PRAGMA journal_mode = DELETE").fetchall()
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        raise StoreError(
            "A store is restored while no program has it open", f"{path}: {error}", "Stop the service first"
        ) from None
    except sqlite3.DatabaseError:
        pass  # damaged: it is about to be replaced


def _copied(source: Path, target: Path) -> int:
    made = False
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        made = True
        uri = f"{source.absolute().as_uri()}?mode=ro"
        with (
            closing(sqlite3.connect(uri, uri=True, timeout=30.0)) as old,
            closing(sqlite3.connect(target)) as new,
        ):
            # One transaction: a copy that is begun anew at each write of a busy service would never end.
            old.isolation_level = None
            old.execute("BEGIN")
            tables = {name for (name,) in old.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if VERSION_TABLE not in tables:
                raise StoreError("A backup is of an event store", str(source), "Check its name")
            old.backup(new, pages=PAGES)
            if new.execute("PRAGMA integrity_check").fetchone() != ("ok",):
                raise StoreError("A copy is whole", f"{source}, which is damaged", "Use an earlier backup")
            count: int = new.execute("SELECT count(*) FROM events").fetchone()[0]
        return count
    except (OSError, sqlite3.Error) as error:
        if made:
            target.unlink(missing_ok=True)
        if isinstance(error, StoreError):
            raise
        raise StoreError(
            "A store is copied to a disk that takes it", f"{source} to {target}: {error}", "Check both"
        ) from None
