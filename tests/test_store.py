"""The event store, on SQLite and on PostgreSQL: every test that takes `database` or `store` runs on both."""

from __future__ import annotations

import doctest
import importlib
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from butaca.errors import ButacaError, SettingError, StoreError
from butaca.serve.store import erasures, migrate
from butaca.serve.store.attribution import ArmCounts
from butaca.serve.store.database import address
from butaca.serve.store.interactions import events_table
from butaca.serve.store.records import KINDS, MAX_TIME, Added, Erased, Event, Shown
from butaca.serve.store.schema import HEAD, metadata
from butaca.serve.store.store import EventStore

shared = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def store(database):
    with EventStore.open(database) as opened:
        yield opened


def watch(at: int | str, user: str = "ana", item: str = "Heat", **more) -> Event:
    return Event(f"e{at}", user, item, time=at if isinstance(at, int) else 0, **more)


def shown(
    request: str, user: str | None = "ana", arm: str | None = "a", items=("Heat", "Alien"), at: int = 10
):
    return Shown(request, user, at, "m1", arm, "history", tuple(items))


@pytest.mark.parametrize("name", ["records", "database", "keys", "split", "experiments"])
def test_doctests(name):
    assert doctest.testmod(importlib.import_module(f"butaca.serve.store.{name}")).failed == 0


# Addresses and schema


def test_opened_again_everything_is_there(database):
    with EventStore.open(database) as first:
        first.add([watch(1), watch(2)])
    with EventStore.open(database) as second:
        assert second.ready()
        assert [e.time for e in second.history("ana")] == [1, 2]


def test_a_plain_path_makes_its_folder_and_a_private_file(tmp_path):
    path = tmp_path / "new folder" / "50%#?.db"
    with EventStore.open(str(path)) as store:
        store.add([watch(1)])
        assert path.stat().st_mode & 0o077 == 0
    with EventStore.open(str(path)) as store:
        assert store.count() == 1


@pytest.mark.parametrize(
    "url", ["mysql://me:hunter2@host/db", "sqlite://", ":memory:", "postgresql+asyncpg://me:hunter2@host/db",
            "sqlite:///x.db?mode=memory", "postgresql://me:hunter2@host:port/db", "mysql://host/?password=hunter2"],
)  # fmt: skip
def test_other_addresses_are_refused_without_their_password(url):
    with pytest.raises(StoreError, match="PostgreSQL server") as error:
        EventStore.open(url)
    assert "hunter2" not in str(error.value)


def test_an_unreachable_server_is_an_error_without_the_password():
    with pytest.raises(StoreError, match=r"127\.0\.0\.1") as error:
        EventStore.open("postgresql://me:hunter2@127.0.0.1:1/films")
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgresql_means_psycopg_3(scheme):
    assert address(f"{scheme}://me@host/films").drivername == "postgresql+psycopg"


def test_a_file_that_is_no_database_is_refused(tmp_path):
    path = tmp_path / "events.db"
    path.write_bytes(b"What people watched, in prose. " * 100)
    with pytest.raises(StoreError, match="not a database"):
        EventStore.open(str(path))
    assert path.read_bytes().startswith(b"What")


def test_a_newer_schema_is_refused_and_left_alone(database, store):
    with store._database.write() as connection:
        connection.execute(text("UPDATE butaca_schema SET version_num = '9999'"))
    with pytest.raises(StoreError, match=r"'9999'.*Upgrade butaca"):
        EventStore.open(database)
    with pytest.raises(StoreError, match="9999"):
        store.ready()


def test_the_migrations_build_the_schema(store):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    assert ScriptDirectory.from_config(migrate.config()).get_current_head() == HEAD
    with store._database.read() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": "butaca_schema"})
        assert compare_metadata(context, metadata) == []


def test_processes_that_open_at_once_all_succeed(database):
    script = (
        "import sys; from butaca.serve.store.store import EventStore, Event\n"
        "sys.stdin.readline()\n"
        "with EventStore.open(sys.argv[1]) as s: s.add([Event(sys.argv[2], 'u', 'i')])"
    )
    runs = [
        subprocess.Popen([sys.executable, "-c", script, database, str(n)], stdin=subprocess.PIPE)
        for n in range(3)
    ]
    time.sleep(1.0)  # all have imported, and wait at the line
    for run in runs:
        run.communicate(b"go\n")
    assert [run.returncode for run in runs] == [0] * 3
    with EventStore.open(database) as store:
        assert store.count() == 3


def test_commits_are_durable(store):
    """SQLite: WAL and FULL; PostgreSQL: synchronous_commit, even where the database's default is off."""
    with store._database.write() as connection:
        if store._database.sqlite:
            assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
            assert connection.execute(text("PRAGMA synchronous")).scalar() == 2
        else:
            name = connection.execute(text("SELECT current_database()")).scalar()
            connection.execute(text(f"ALTER DATABASE {name} SET synchronous_commit TO off"))
    if not store._database.sqlite:
        with EventStore.open(store._database.url.render_as_string(False)) as again:
            with again._database.write() as connection:
                assert connection.execute(text("SHOW synchronous_commit")).scalar() == "on"
            with again._database.write(durable=False) as connection:
                assert connection.execute(text("SHOW synchronous_commit")).scalar() == "off"


def test_ids_are_compared_byte_by_byte(store):
    users = ["Ana", "ana", "ana ", "an\u0061\u0301", "an\u00e1"]  # the last two look alike
    store.add([watch(n, user) for n, user in enumerate(users)])
    assert [len(store.history(user)) for user in users] == [1] * 5


# Adding


def test_an_event_comes_back_as_it_came(store):
    full = Event("1", "ana", "Heat", "rate", 4.5, 881250949, "r1")
    bare = Event("2", "ana", "Alien", time=MAX_TIME)
    store.add([bare, full])
    assert store.history("ana") == [full, bare]
    assert store.history("ana", limit=1) == [bare]
    assert store.history("nobody") == []


def test_the_time_defaults_to_now(store):
    store.add([Event("1", "ana", "Heat")])
    assert abs(store.history("ana")[0].time - time.time()) < 60


def test_equal_times_keep_the_order_of_the_batch(store):
    items = [f"film {n}" for n in (3, 1, 2)]
    store.add([Event(f"id{9 - n}", "ana", item, time=5) for n, item in enumerate(items)])
    assert [e.item for e in store.history("ana")] == items


def test_the_same_id_again_changes_nothing(store):
    assert store.add([watch(1), watch(2)]) == Added(new=2, known=0)
    assert store.add([watch(2, item="another"), watch(3)]) == Added(new=1, known=1)
    assert store.add([watch(4), watch(4)]) == Added(new=1, known=1)
    assert store.add([]) == Added(0, 0)
    assert [e.item for e in store.history("ana")] == ["Heat"] * 4


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("id", "", "empty"), ("id", None, "NoneType"), ("id", 7, "int 7"),
        ("user", "a\0b", "NUL at position 1"),
        ("item", "x" * 513, "513 characters"), ("item", "a\ud800", "lone surrogate at position 1"),
        ("request_id", "", "empty"), ("kind", "observe", "observe"), ("value", float("nan"), "nan"),
        ("value", float("inf"), "inf"), ("value", True, "True"), ("value", "4", "'4'"),
        ("value", 10**400, "1000"),
        ("time", -1, "-1"), ("time", MAX_TIME + 1, "253402300800"), ("time", 1.5, "1.5"),
        ("time", True, "True"), ("time", None, "None"),
    ],
)  # fmt: skip
def test_a_bad_field_is_named_and_nothing_of_the_batch_is_stored(tmp_path, field, value, says):
    with EventStore.open(str(tmp_path / "events.db")) as store:
        with pytest.raises(SettingError, match="event 1 of the batch") as error:
            store.add([watch(1), replace(watch(2), **{field: value}), watch(3)])
        assert says in error.value.received
        assert field in error.value.rule
        assert error.value.cure
        assert store.count() == 0


def test_numpy_numbers_are_numbers(store):
    store.add([Event("1", "ana", "Heat", value=np.float32(3.5), time=np.int64(7))])
    assert store.history("ana") == [Event("1", "ana", "Heat", value=3.5, time=7)]


ids = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40)
serial = count()


@shared
@given(ids, ids, ids, st.sampled_from(KINDS), st.none() | st.floats(allow_nan=False, allow_infinity=False))
def test_any_text_comes_back(store, user, item, request_id, kind, value):
    event = Event(f"{user}{next(serial)}", user, item, kind, value, next(serial), request_id)
    assert store.add([event]) == Added(1, 0)
    assert store.history(user, limit=1) == [event]


@pytest.mark.parametrize("sign", ["x", "🎬", "'", "\\", "../", "%s", "\x01", "\u202e"])
def test_the_longest_ids_come_back(store, sign):
    long = (sign * 512)[:512]
    event = Event(long, long, long, request_id=long, time=3)
    store.add([event])
    assert store.history(long) == [event]


@shared
@given(st.data())
def test_retries_in_any_order_end_the_same(store, data):
    """Batches once in order; and shuffled, some of them twice: equal events, equal counts of new ones."""
    batches = data.draw(st.lists(st.lists(st.integers(0, 12), max_size=6), min_size=1, max_size=6))
    again = data.draw(st.permutations(batches + data.draw(st.lists(st.sampled_from(batches)))))
    once, twice = f"once{next(serial)}", f"twice{next(serial)}"

    def send(user, batch):
        return store.add([Event(f"{user}-{n}", user, f"film {n}", time=n) for n in batch])

    new = [sum(send(user, batch).new for batch in order) for user, order in ((once, batches), (twice, again))]
    ends = [[(e.item, e.time) for e in store.history(user)] for user in (once, twice)]
    assert ends[0] == ends[1] == [(f"film {n}", n) for n in sorted({n for batch in batches for n in batch})]
    assert new == [len(ends[0])] * 2


def test_threads_that_send_the_same_store_it_once(store):
    def send(worker: int) -> int:
        return sum(store.add([watch(n), watch(n + 1)]).new for n in range(worker % 5, 60))

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(send, range(16))) == 61
    assert [e.time for e in store.history("ana")] == list(range(61))


def test_a_group_that_fails_stores_nothing_and_tells_every_caller(store, monkeypatch):
    """The batches wait for one another; the second to be inserted fails, so that none is there."""
    insert, started, release = store._insert, threading.Event(), threading.Event()
    calls = count()

    def failing(connection, batch):
        n = next(calls)
        if n == 0:  # the leader's own group: hold it while the others gather
            started.set()
            release.wait(10)
        elif n == 2:
            raise RuntimeError("the disk is full")
        return insert(connection, batch)

    monkeypatch.setattr(store, "_insert", failing)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(store.add, [watch(0)])
        started.wait(10)
        others = [pool.submit(store.add, [watch(n)]) for n in (1, 2, 3)]
        while len(store._group._waiting) < 3:
            time.sleep(0.001)
        release.set()
        assert first.result() == Added(1, 0)
        for other in others:
            with pytest.raises(StoreError, match="RuntimeError"):
                other.result()
    monkeypatch.undo()
    assert store.count() == 1
    assert store.add([watch(1), watch(2), watch(3)]) == Added(3, 0)


# What a refit reads


def test_interactions_are_positive_events_in_the_order_stored(store):
    store.add([watch(9, "bea", value=2.0), watch(1), watch(2, kind="skip"), watch(3, kind="dislike")])
    store.add([watch(4, "ana", "Alien", kind="like")])
    table = events_table(store)
    assert table.user.tolist() == ["bea", "ana", "ana"]
    assert table.item.tolist() == ["Heat", "Heat", "Alien"]
    assert table.time.tolist() == [9, 1, 4]
    np.testing.assert_array_equal(table.value, [2.0, np.nan, np.nan])
    assert (table.user.dtype, table.time.dtype) == (object, np.int64)


def test_interactions_come_in_chunks_of_one_state(store):
    store.add([watch(n) for n in range(10)])
    chunks = store.interactions(rows=4)
    first = next(chunks)
    store.add([watch(99)])
    assert [len(first), *(len(chunk) for chunk in chunks)] == [4, 4, 2]
    assert len(events_table(store)) == 11


def test_no_events_are_an_empty_table(store):
    assert len(events_table(store)) == 0


# What was shown


def test_what_was_shown_and_what_came_of_it(store):
    """Arm a: r1 led to two events, r2 to none (not in the list), r3 to none (a skip); arm b: r4 to one."""
    store.log_recommendations(
        [shown("r1"), shown("r2"), shown("r3", "bea"), shown("r4", None, "b"), shown("r5")]
    )
    store.log_recommendations([shown("r1", "eve", "b"), shown("r6", arm=None)])  # r1 is known; r6 in no arm
    store.add(
        [
            watch(11, request_id="r1"), watch(12, item="Alien", kind="like", request_id="r1"),
            watch(13, item="Another film", request_id="r2"), watch(14, kind="skip", request_id="r3"),
            watch(15, "someone", request_id="r4"), watch(16, request_id="no such request"), watch(17),
            watch(18, request_id="r6"),
        ]
    )  # fmt: skip
    # a: 1 of 4, ana 1 of 3, bea 0 of 1: (1 - 3/4)^2 + (1/4)^2 = 1/8. b: 1 of 1.
    assert store.experiment() == {"a": ArmCounts(4, 1, 2, 2, 0.125), "b": ArmCounts(1, 1, 1, 1, 0.0)}
    assert store.experiment(since=11) == {}


def test_items_are_compared_whole(store):
    store.log_recommendations([shown("r", items=['say "hi", 🎬', "1"])])
    store.add([watch(1, item="hi", request_id="r"), watch(2, item="🎬", request_id="r")])
    assert store.experiment()["a"].events == 0
    store.add([watch(3, item='say "hi", 🎬', request_id="r")])
    assert store.experiment()["a"].events == 1


def test_old_recommendations_are_pruned_and_events_stay(store):
    store.log_recommendations([shown("old", at=5), shown("new", at=6)])
    store.add([watch(1, request_id="old")])
    assert store.prune(before=6) == 1
    assert store.experiment()["a"].recommendations == 1
    assert store.count() == 1


def test_a_bad_row_shown_is_refused(store):
    with pytest.raises(SettingError, match="item shown"):
        store.log_recommendations([shown("r1"), shown("r2", items=["fine", ""])])
    store.log_recommendations([])
    assert store.experiment() == {}


# Erasing


def test_erasing_removes_a_person_and_nobody_else(store):
    store.add([watch(1), watch(2), watch(3, "bea")])
    store.log_recommendations([shown("r1"), shown("r2", "bea"), shown("r3", None)])
    assert store.erase("ana") == Erased(events=2, recommendations=1)
    assert store.history("ana") == []
    assert len(store.history("bea")) == 1
    assert store.experiment()["a"].recommendations == 2
    assert (store.erased("ana"), store.erased("bea")) == (True, False)
    assert store.erased_among(["bea", "ana", "cleo"]) == {"ana"}
    assert store.erase("never seen") == Erased(0, 0)
    assert store.erased("never seen")


def test_later_events_are_a_new_persons_and_a_retry_brings_nothing_back(store):
    store.add([watch(1), watch(2)])
    store.erase("ana")
    assert store.add([watch(1), watch(2), watch(3)]) == Added(new=1, known=2)
    assert [e.time for e in store.history("ana")] == [3]
    assert len(events_table(store)) == 1
    assert store.erased("ana")
    assert store.erase("ana") == Erased(1, 0)
    assert store.add([watch(n) for n in (1, 2, 3)]) == Added(0, 3)


def test_what_is_logged_late_for_an_erased_person_names_nobody(store):
    store.erase("ana")
    store.log_recommendations([shown("r1"), shown("r2", at=MAX_TIME)])
    assert store.erase("ana") == Erased(0, 1)  # r2, shown after the erasure
    assert store.experiment()["a"].recommendations == 1


def test_erasure_is_kept_and_seen_by_other_stores(database, store, monkeypatch):
    with EventStore.open(database) as other:
        store.add([watch(1)])
        store.erase("ana")
        assert not other.erased("ana")  # its copy is fresh for erasures.STALE seconds
        assert other.add([watch(1)]) == Added(0, 1)  # adding looks
        monkeypatch.setattr(other._erasures, "_times", {})
        monkeypatch.setattr(other._erasures, "_last", 0)
        other._erasures._fresh_until = 0.0
        assert other.erased("ana")
    with EventStore.open(database) as later:
        assert later.erased("ana")
    assert 0 < erasures.STALE <= 5


def test_no_trace_of_an_erased_id_stays_in_the_file(tmp_path):
    path = tmp_path / "events.db"
    with EventStore.open(str(path)) as store:
        store.add([Event(f"a{n}", "ana@example.com", "Heat") for n in range(500)] + [watch(1)])
        store.log_recommendations([shown(f"r{n}", "ana@example.com") for n in range(50)])
        assert b"ana@example.com" in content(tmp_path)
        reading = store.interactions(rows=1)
        next(reading)  # a refit under way sees the older state, which the log keeps for it
        store.erase("ana@example.com")
        reading.close()
        store.add([watch(2)])
        assert b"ana@example.com" not in content(tmp_path)
        assert store.count() == 2


def content(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir() if os.access(path, os.R_OK))


def test_a_database_that_goes_away_is_a_store_error(database, monkeypatch):
    with EventStore.open(database) as store:
        store.erase("ana")
        with store._database.write() as connection:
            connection.execute(text("DROP TABLE events"))
            connection.execute(text("DROP TABLE erasures"))
        for call in (lambda: store.add([watch(1)]), lambda: store.history("ana"), lambda: store.erase("bea")):
            with pytest.raises(StoreError, match="read and written"):
                call()
        store._erasures._fresh_until = 0.0
        assert store.erased("ana")  # what is known stays known
        assert issubclass(StoreError, ButacaError)
