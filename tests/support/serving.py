"""What the tests of the service share: a small model made of arrays, an app, and a real process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import structlog
import uvicorn

from butaca.events.store import EventStore
from butaca.model.query import HistoryWeights, QueryTower
from butaca.recommend.recommender import Recommender
from butaca.serve.app import create_app
from butaca.serve.registry import Registry
from butaca.serve.server import bind, url_of
from butaca.serve.settings import ServeSettings
from tests.support.boards import checkerboard
from tests.support.forks import Process, start
from tests.support.narrow import some

structlog.configure(
    processors=[structlog.processors.JSONRenderer()], logger_factory=structlog.ReturnLoggerFactory()
)


def small(seed: int = 0, reads_history: bool = True, **about: Any) -> Recommender:
    """The checkerboard's answer without training: items of one parity lie together."""
    board = checkerboard()
    rng = np.random.default_rng(seed)
    parity = np.arange(16) % 2
    items = np.zeros((16, 4), dtype=np.float32)
    items[np.arange(16), parity] = 1.0
    items += rng.normal(0, 0.01, items.shape).astype(np.float32)
    tower = QueryTower(np.zeros((21, 4), dtype=np.float32), HistoryWeights(items))
    model = SimpleNamespace(
        users=board.users,
        items=board.items,
        user_vectors=np.zeros((21, 4), dtype=np.float32),
        item_vectors=items,
        query_tower=tower,
    )
    built = Recommender.build(model, board, about={"recipe": "small", "seed": seed, **about})
    if reads_history:
        return built
    model.query_tower, model.user_vectors = None, built.user_vectors
    return Recommender.build(model, board, about={"recipe": "vectors"})


def client(app: Any, **keywords: Any) -> httpx.AsyncClient:
    """Requests to an app in this process."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://localhost", **keywords)


def asking(app, *requests):
    """Answers of an app to requests, each (method, path) or (method, path, keywords)."""

    async def run():
        async with client(app) as http:
            return [await http.request(m, p, **(k[0] if k else {})) for m, p, *k in requests]

    return asyncio.run(run())


def post(path, body):
    return "POST", path, {"json": body}


@contextlib.contextmanager
def running_app(
    tmp_path: Path, models: dict[str, Recommender] | None = None, split: Any = None, **settings: Any
):
    """An app over a store of its own, its writer at work, as within a server's life."""
    keys, stub = settings.pop("keys", False), settings.pop("stub", None)
    made = ServeSettings(**settings)
    store = EventStore.open(str(tmp_path / "events.db"), made.timeout)
    registry = Registry.of(models or {"small": small()}, split)
    app = create_app(registry, store, settings=made, keys=keys, stub=stub)
    app.service.start()
    try:
        yield app
    finally:
        app.service.close()


@contextlib.contextmanager
def listening(app: Any) -> Iterator[str]:
    """An app on a port of this machine, in a thread of this process."""
    link = bind("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [link]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield url_of(link)
    finally:
        server.should_exit = True
        thread.join()
        link.close()


@dataclass
class Server:
    """A service in a process of its own."""

    process: Process
    url: str
    log: list[str]

    def stop(self) -> int:
        """As a supervisor would."""
        self.process.terminate()
        return self.process.wait(20)


@contextlib.contextmanager
def serve(*arguments: Any, cwd: Path) -> Iterator[Server]:
    """`butaca serve` on a free port, once it says where."""
    port = [] if "--port" in arguments else ["--port", 0]
    process = start(
        "serve",
        *arguments,
        *port,
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | {"COLUMNS": "200"},
    )
    log: list[str] = []
    found: list[str] = []
    ready = threading.Event()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            log.append(line)
            at = re.search(r"Open (http://\S+)", line)
            if at:
                found.append(at[1])
                ready.set()
        ready.set()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        assert ready.wait(60)
        assert found, "".join(log)
        for _ in range(200):
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"{found[0]}/health/live")
                break
            time.sleep(0.05)
        yield Server(process, found[0], log)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        reader.join()
        some(process.stdout).close()
