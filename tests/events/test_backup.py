"""Copies of an event store that is written to, and putting one in its place."""

from __future__ import annotations

import sqlite3
import threading

import pytest

from butaca.errors import StoreError
from butaca.events.backup import backup, restore
from butaca.events.store import EventStore
from tests.support.postgres import watch


def test_a_backup_under_load_is_whole_and_has_what_was_acknowledged_before_it(tmp_path):
    events, stop = str(tmp_path / "events.db"), threading.Event()
    acknowledged: list[int] = []

    def write(store, first):
        n = first
        while not stop.is_set():
            store.add([watch(f"{first}-{n}-{i}", item="x" * 300) for i in range(10)])
            acknowledged.append(n)
            n += 1

    with EventStore.open(events) as store:
        threads = [threading.Thread(target=write, args=(store, first)) for first in (0, 10**6)]
        for thread in threads:
            thread.start()
        while len(acknowledged) < 50:
            pass
        for n in range(3):
            before = len(acknowledged)
            copied = backup(events, tmp_path / f"copy{n}.db")
            assert copied >= before * 10
            assert copied % 10 == 0  # batches are whole
        stop.set()
        for thread in threads:
            thread.join()
    assert (tmp_path / "copy0.db").stat().st_mode & 0o077 == 0
    with EventStore.open(str(tmp_path / "copy2.db")) as copy:
        assert copy.count() == copied


def test_a_copy_is_put_back_and_what_came_after_is_gone(tmp_path):
    events, copy = str(tmp_path / "events.db"), tmp_path / "copy.db"
    with EventStore.open(events) as store:
        store.add([watch(1)])
        key = store.keys.create("shop")
        assert backup(events, copy) == 1
        store.add([watch(2)])
        with pytest.raises(StoreError, match="Stop the service"):
            restore(copy, events)
        assert store.count() == 2
    assert restore(copy, events) == 1
    with EventStore.open(events) as store:
        assert [e.id for e in store.history("ana")] == ["e1"]
        assert store.keys.verify(key)
        assert store.add([watch(3)]).new == 1
    (tmp_path / "events.db").unlink()
    assert restore(copy, events) == 1
    (tmp_path / "events.db").write_bytes(b"not a database " * 1000)
    assert restore(copy, events) == 1


def test_what_can_not_be_copied_is_said_and_nothing_is_left(tmp_path):
    events = str(tmp_path / "events.db")
    with pytest.raises(StoreError, match="is there"):
        backup(events, tmp_path / "copy.db")
    EventStore.open(events).close()
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(StoreError, match="new file"):
        backup(events, tmp_path / "taken")
    with pytest.raises(StoreError):
        backup(events, tmp_path / "no folder" / "copy.db")
    with pytest.raises(StoreError, match="pg_dump"):
        backup("postgresql://me:word@host/db", tmp_path / "copy.db")
    sqlite3.connect(tmp_path / "other.db").execute("CREATE TABLE a (b)").connection.close()
    for bad in ("taken", "other.db", "nothing"):
        with pytest.raises(StoreError):
            restore(tmp_path / bad, events)
    assert {f.name for f in tmp_path.iterdir()} <= {"events.db", "taken", "other.db"}
    assert (tmp_path / "taken").read_text() == "mine"


def test_events_of_the_first_schema_are_kept(tmp_path):
    """A database of before: ids counted for everyone."""
    from alembic import command

    from butaca.events import migrate
    from butaca.events.database import Database

    path = str(tmp_path / "events.db")
    with EventStore.open(path) as store:
        store.add([watch(1), watch(2)])
        with store._database._writers.begin() as connection:
            command.downgrade(migrate.config(connection), "0001")
    database = Database(path)
    with database.read() as connection:
        assert migrate.revision(connection) == "0002"
    database.close()
    with EventStore.open(path) as store:
        assert [e.id for e in store.history("ana")] == ["e1", "e2"]
        assert store.add([watch(1, "bob"), watch(3)]).new == 2
        with store._database.read() as connection:
            assert connection.exec_driver_sql("SELECT max(seq) FROM events").scalar() == 4
