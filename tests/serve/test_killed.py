"""`kill -9` of the service under load: what was acknowledged is there once, batches are whole or absent."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from butaca.events.store import EventStore
from tests.support.narrow import some
from tests.support.serving import small

KILLS = {"sqlite": 20, "postgres": 5}
BATCH = 20


#: Imports the service once; each line on its input starts it in a process of its own, which says where it is.
STARTER = """
import json, os, sys
from pathlib import Path
from butaca.serve.app import create_app
from butaca.serve.registry import Registry
from butaca.serve.server import bind, run
from butaca.serve.settings import ServeSettings
from butaca.events.store import EventStore

folder, events = sys.argv[1:]
for _ in sys.stdin:
    pid = os.fork()
    if pid == 0:
        listening = bind("127.0.0.1", 0)
        settings = ServeSettings(port=0, events=events)
        app = create_app(Registry({"small": Path(folder)}), EventStore.open(events), settings=settings)
        print(json.dumps([os.getpid(), listening.getsockname()[1]]), flush=True)
        run(app, settings, listening=listening)
        os._exit(0)
    os.waitpid(pid, 0)
    print("ended", flush=True)
"""


class Service:
    """The service, started as often as it is killed."""

    def __init__(self, folder: object, events: str) -> None:
        self._starter = subprocess.Popen(
            [sys.executable, "-c", STARTER, str(folder), events],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
        )
        self._pid = 0

    def start(self) -> str:
        """Its address."""
        some(self._starter.stdin).write("\n")
        some(self._starter.stdin).flush()
        self._pid, port = json.loads(some(self._starter.stdout).readline())
        return f"http://127.0.0.1:{port}"

    def end(self, how: signal.Signals) -> None:
        """Send a signal, and wait until the process is gone."""
        os.kill(self._pid, how)
        assert some(self._starter.stdout).readline() == "ended\n"
        self._pid = 0

    def close(self) -> None:
        """End the service and what starts it."""
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
        some(self._starter.stdin).close()
        some(self._starter.stdout).close()
        self._starter.wait(20)


@contextlib.contextmanager
def starter(folder: object, events: str) -> Iterator[Service]:
    service = Service(folder, events)
    try:
        yield service
    finally:
        service.close()


class Client(threading.Thread):
    """Sends batches as fast as they are acknowledged; what got no answer is sent again, as it was."""

    def __init__(self, number: int) -> None:
        super().__init__(daemon=True)
        self.number, self.url = number, ""
        self.acknowledged: list[str] = []
        self.sent = self.repeats = 0
        self.stop = threading.Event()

    def run(self) -> None:
        with httpx.Client(timeout=5, trust_env=False) as http:
            self.send_all(http)

    def send_all(self, http: httpx.Client) -> None:
        n, again = 0, False
        while not self.stop.is_set():
            ids = [f"{self.number}-{n}-{i}" for i in range(BATCH)]
            events = [
                {"id": id_, "user": f"u{i:02d}", "item": "i02", "kind": "watch"} for i, id_ in enumerate(ids)
            ]
            try:
                answer = http.post(f"{self.url}/v1/events", json={"events": events})
            except httpx.HTTPError:  # killed before it could say: send the same again
                again = True
                time.sleep(0.01)
                continue
            if answer.status_code == 503:
                continue
            assert answer.status_code == 200, answer.text
            told = answer.json()
            assert told["accepted"] + told["known"] == BATCH
            assert told["known"] in ({0, BATCH} if again else {0})  # a batch is whole, or not there
            self.repeats += told["known"] > 0
            self.acknowledged += ids
            n, again = n + 1, False


def until_acknowledged(clients: list[Client], *, batches: int, seconds: float) -> None:
    """Waits until so many more batches are acknowledged: a loaded machine takes long to start a service."""
    enough = sum(len(client.acknowledged) for client in clients) + batches * BATCH
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and sum(len(client.acknowledged) for client in clients) < enough:
        time.sleep(0.005)


@pytest.mark.parametrize("kind", list(KILLS))
def test_nothing_acknowledged_is_lost_or_double(kind, tmp_path, request):
    address = str(tmp_path / "events.db")
    if kind == "postgres":
        address = request.getfixturevalue("postgres_server").fresh()
    folder = small().save(tmp_path / "model")
    rng = random.Random(7)
    clients = [Client(n) for n in range(4)]
    with starter(folder, address) as service:
        for kill in range(KILLS[kind]):
            url = service.start()
            for client in clients:
                client.url = url
                if not kill:
                    client.start()
            if kill % 4:  # and some while it still starts
                until_acknowledged(clients, batches=2, seconds=20)
            time.sleep(rng.uniform(0.0, 0.3))
            service.end(signal.SIGKILL)
        before = [len(client.acknowledged) for client in clients]
        url = service.start()  # and now all is answered
        for client in clients:
            client.url = url
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and any(
            len(client.acknowledged) <= n for client, n in zip(clients, before, strict=True)
        ):
            time.sleep(0.02)
        for client in clients:
            client.stop.set()
        for client in clients:
            client.join(10)
        service.end(signal.SIGTERM)
    acknowledged = [id_ for client in clients for id_ in client.acknowledged]
    assert len(acknowledged) >= KILLS[kind] * BATCH
    store = EventStore.open(address)
    try:
        stored = [event.id for u in range(BATCH) for event in store.history(f"u{u:02d}", 10**6)]
    finally:
        store.close()
    assert len(stored) == len(set(stored))  # nothing double
    assert set(acknowledged) <= set(stored)  # nothing missing
    whole = {id_.rsplit("-", 1)[0] for id_ in stored}
    assert len(stored) == BATCH * len(whole)  # no batch in part
    assert len(stored) - len(acknowledged) <= BATCH * len(clients)  # the last of each may lack its answer
    if kind == "sqlite":
        with contextlib.closing(sqlite3.connect(address)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
