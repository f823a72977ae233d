"""Promise 6: an acknowledged event survives kill -9, of the writer and of the database's server.

The parent kills under load, opens the store again and counts: nothing acknowledged is missing, nothing
is there twice, and every batch is there whole or not at all.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, text

from butaca.events import schema
from butaca.events.records import Added
from butaca.events.store import EventStore
from tests.support.event_writer import THREADS, events
from tests.support.narrow import some
from tests.support.postgres import a_server

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the writers are forked")

KILLS = 20


class Writers:
    """The process that forks writers, and what they have acknowledged."""

    def __init__(self) -> None:
        script = Path(__file__).parents[1] / "support" / "event_writer.py"
        self.parent = subprocess.Popen(
            [sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.acknowledged: list[str] = []
        self.pids: list[int] = []
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        for line in some(self.parent.stdout):
            kind, value = line.split()
            if kind == "pid":
                self.pids.append(int(value))
            else:
                self.acknowledged.append(value)

    def start(self, address: str, name: str) -> int:
        before = len(self.pids)
        some(self.parent.stdin).write(f"{address} {name}\n")
        some(self.parent.stdin).flush()
        wait(lambda: len(self.pids) > before)
        return self.pids[-1]

    def wait_for_more(self, batches: int) -> None:
        until = len(self.acknowledged) + batches
        wait(lambda: len(self.acknowledged) >= until)

    def close(self) -> None:
        some(self.parent.stdin).close()
        for pid in self.pids:
            kill(pid)
        self.reader.join(20)  # the pipe ends with the last of the writers
        some(self.parent.stdout).close()
        self.parent.wait(20)


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def gone(pid: int) -> bool:
    """Dead: its parent need not have fetched it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def wait(condition, seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.002)


@pytest.fixture
def writers() -> Iterator[Writers]:
    made = Writers()
    try:
        yield made
    finally:
        made.close()


def count_up(store: EventStore, acknowledged: list[str]) -> None:
    """The promise, counted."""
    with store._database.read() as connection:
        stored = list(connection.execute(select(schema.events.c.id)).scalars())
    assert len(stored) == len(set(stored)), "nothing twice"
    batches = Counter(event.rpartition("-")[0] for event in stored)
    torn = {batch: n for batch, n in batches.items() if n != int(batch.split("-")[3])}
    assert torn == {}, "batches are whole"
    assert set(acknowledged) <= set(batches), "nothing acknowledged is missing"
    # Beyond these only what was written while the kill came: one batch a thread and a kill at most.
    assert len(batches) - len(set(acknowledged)) <= THREADS * KILLS


def test_acknowledged_events_survive_the_writer(database, writers):
    rng = random.Random(7)
    with EventStore.open(database) as store:
        for n in range(KILLS):
            pid = writers.start(database, f"round{n}")
            writers.wait_for_more(1)
            time.sleep(rng.uniform(0, 0.1))
            kill(pid)
            wait(lambda pid=pid: gone(pid))
        wait(lambda: still(writers))
        count_up(store, writers.acknowledged)
        before, last = store.count(), writers.acknowledged[-10:]
        assert [store.add(events(batch)) for batch in last] == [
            Added(0, len(events(batch))) for batch in last
        ]
        assert store.count() == before
        if store._database.sqlite:
            with store._database.read() as connection:
                assert connection.execute(text("PRAGMA integrity_check")).scalar() == "ok"
    with EventStore.open(database) as again:
        count_up(again, writers.acknowledged)
    assert len({batch.split("-")[0] for batch in writers.acknowledged}) == KILLS


def still(writers: Writers) -> bool:
    """Nothing more comes out of the pipe."""
    before = len(writers.acknowledged)
    time.sleep(0.05)
    return len(writers.acknowledged) == before


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the wheel with PostgreSQL is Linux's")
def test_acknowledged_events_survive_the_postgresql_server(writers):
    """The writer lives on: it sends what was not acknowledged again, until the server is back."""
    rng = random.Random(11)
    with a_server() as server:
        address = server.fresh()
        writers.start(address, "steady")
        for _ in range(KILLS):
            writers.wait_for_more(5)
            time.sleep(rng.uniform(0, 0.1))
            server.kill()
            server.start()
        writers.wait_for_more(5)
        kill(writers.pids[0])
        wait(lambda: still(writers))
        with EventStore.open(address) as store:
            count_up(store, writers.acknowledged)
