"""Addresses, migrations and durability settings of the event store, on both databases."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from sqlalchemy import text

from butaca.errors import StoreError
from butaca.events import migrate
from butaca.events.address import address
from butaca.events.schema import HEAD, metadata
from butaca.events.store import EventStore
from tests.support.postgres import watch


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
    assert address(f"{scheme}://me@host/films").url.drivername == "postgresql+psycopg"


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
        "import sys; from butaca.events.store import EventStore, Event\n"
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


def test_commits_are_durable_in_sqlite(tmp_path):
    with EventStore.open(str(tmp_path / "events.db")) as store, store._database.write() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 2  # FULL
        assert connection.execute(text("PRAGMA secure_delete")).scalar() == 1  # what goes is overwritten


def test_commits_are_durable_in_postgresql_where_the_default_is_not(postgres_server):
    with EventStore.open(postgres_server.fresh() + "%20-csynchronous_commit%3Doff") as store:
        with store._database.write() as connection:
            assert connection.execute(text("SHOW synchronous_commit")).scalar() == "on"
        with store._database.write(durable=False) as connection:
            assert connection.execute(text("SHOW synchronous_commit")).scalar() == "off"


def test_ids_are_compared_byte_by_byte(store):
    users = ["Ana", "ana", "ana ", "an\u0061\u0301", "an\u00e1"]  # the last two look alike
    store.add([watch(n, user) for n, user in enumerate(users)])
    assert [len(store.history(user)) for user in users] == [1] * 5
