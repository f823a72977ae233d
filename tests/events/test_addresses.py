"""Addresses of the event store: options that are known, passwords that are never said, PgBouncer."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from butaca.errors import StoreError
from butaca.events.address import address
from butaca.events.store import EventStore
from tests.support.postgres import free_port, watch

WORD = "hunTer2x"


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://me:{WORD}@host/db?sslmod=require", f"postgresql://me:{WORD}@host/db?Prepare=off",
        f"postgresql://me:{WORD}@host/db?prepare=false", f"postgresql://me:{WORD}@host/db?pgbouncer=true",
        f"postgresql://me:{WORD}@host/db?password={WORD}", f"postgresql://me@host/db?{WORD}=1",
        f"postgresql://me:1{WORD}/a@host/db", f"postgresql://me:12/{WORD}@host/db", f"postgresql://me:12?{WORD}@host/db",
        f"postgresql://me:p@{WORD}@host/db", f"postgresql://me:{WORD}@host:port/db", f"mysql://me:{WORD}@host/db",
        f"postgresql://me:12?{WORD}=1", f"sqlite://me:{WORD}@host/x.db",
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_address_is_said_without_any_of_its_password(url):
    with pytest.raises(StoreError) as error:
        address(url)
    assert WORD not in str(error.value)
    assert error.value.cure


def test_unknown_options_are_named_with_those_that_are_known():
    with pytest.raises(StoreError, match=r"sslmode.*sslmod\b") as error:
        address("postgresql://me:word@host/db?sslmod=require&connect_timeout=3")
    assert "prepare" in error.value.rule
    assert "connect_timeout" not in error.value.received


def test_options_are_taken():
    at = address("postgresql://me:w%40rd@host/db?prepare=off&sslmode=require")
    assert (at.prepare, dict(at.url.query)) == (False, {"sslmode": "require"})
    assert at.url.password == "w@rd"
    assert at.name == "postgresql+psycopg://me:***@host/db"
    assert at.without_secrets("no w@rd nor w%40rd") == "no *** nor ***"
    assert address("postgresql://me@host/db").prepare


@given(st.text(st.sampled_from("aZ0@:/?#%&=[] '\\"), min_size=1, max_size=12))
def test_no_password_is_ever_said(rest):
    """Whatever is in it, encoded or not; QXJ is a piece that nothing else says."""
    url = f"postgresql://me:{rest}QXJ{rest}@127.0.0.1:1/db"
    try:
        said = address(url).name
    except StoreError as error:
        said = str(error)
    assert "QXJ" not in said


@contextlib.contextmanager
def pgbouncer(server, folder: Path, *more: str):
    """PgBouncer in transaction mode in front of a server; its address."""
    found = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
    if not Path(found).exists():
        pytest.skip("pgbouncer is not installed")
    port, folder = free_port(), folder / "bouncer"
    folder.mkdir()
    users = folder / "users.txt"
    users.write_text(f'"butaca" "{server.password}"\n')
    lines = [
        "[databases]", f"* = host=127.0.0.1 port={server.port}", "[pgbouncer]", "listen_addr = 127.0.0.1",
        f"listen_port = {port}", "auth_type = plain", f"auth_file = {users}", "pool_mode = transaction",
        "default_pool_size = 2", "unix_socket_dir =", "server_tls_sslmode = disable", *more,
    ]  # fmt: skip
    (folder / "b.ini").write_text("\n".join(lines))
    command = [found, "-q", str(folder / "b.ini")]
    if os.geteuid() == 0:
        for path in (*reversed(folder.parents), folder):
            if path.stat().st_uid == 0 and "pytest" in str(path):
                path.chmod(0o755)
        for path in (folder, users, folder / "b.ini"):
            shutil.chown(path, "nobody")
        command[1:1] = ["-u", "nobody"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield port
    finally:
        process.terminate()
        process.wait(10)


def test_a_database_without_an_encoding_is_refused_in_words(postgres_server):
    """A cluster that was made without a locale is in SQL_ASCII, which psycopg gives as bytes unless told."""
    import psycopg

    name = f"ascii_{os.getpid()}"
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as connection:
        connection.execute(
            f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE_PROVIDER libc LOCALE 'C'"
        )
    with pytest.raises(StoreError, match="encoding SQL_ASCII"):
        EventStore.open(postgres_server.url(name))


def test_pgbouncer_in_transaction_mode(postgres_server, tmp_path):
    """A connection is nobody's own there: no prepared statements, and each transaction says what it needs."""
    import psycopg

    name = f"bounced_{os.getpid()}"
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
    with pgbouncer(postgres_server, tmp_path) as port:
        url = f"postgresql://butaca:{postgres_server.password}@127.0.0.1:{port}/{name}?prepare=off"
        deadline = time.monotonic() + 10
        while True:
            try:
                stores = [EventStore.open(url, 10.0), EventStore.open(url, 10.0)]
                break
            except StoreError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        for turn in range(30):  # the driver would prepare from the sixth on
            for n, store in enumerate(stores):
                assert store.add([watch(turn, f"u{n}")]).new == 1
                assert len(store.history(f"u{1 - n}", 100)) in {turn, turn + 1}
                store.changes()
        stores[0].probe()
        key = stores[0].keys.create("shop")
        assert stores[1].keys.verify(key)
        assert stores[1].erase("u0").events == 30
        for store in stores:
            store.close()
