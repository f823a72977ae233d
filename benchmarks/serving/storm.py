"""This benchmark is the service in a storm: honest traffic, and everything else at once.

`python -m benchmarks.serving.storm` runs ten minutes (`--seconds`), on loopback, with keys. First honest
traffic alone, as fast as the service takes it and then at a steady rate; then the same rate while
endless headers and chunks, slow and broken requests, floods of connections, guessed keys, conflicting
events, erasures, copies of the store, another writer and one who holds its lock come at the same time.
At the end every event that was acknowledged is looked for in the store.

The last line is JSON: `rps`, `p99_ms` (calm), `storm_p99_ms` (of honest lists), `storm_lost`
(acknowledged events that are not there), `rss_growth_mb` (from a quarter of the storm to its end), and
what else was counted.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import random
import re
import secrets
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection as PipeConnection
from pathlib import Path
from typing import Any

from benchmarks.serving.load import Connection, LoadResults, closed, opened
from butaca.errors import StoreError
from butaca.events.backup import backup
from butaca.events.records import Event
from butaca.events.store import EventStore

#: Required: milliseconds within which 99 of 100 honest lists come, and MB that memory may grow by.
P99, GROWTH = 50.0, 30.0

#: Honest lists a second, and batches of events.
LISTS, BATCHES = 200.0, 10.0

HEAD = b"GET /v1/items HTTP/1.1\r\nhost: localhost\r\n"
POST = b"POST /v1/recommend HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"


@dataclass
class Storm:
    """A Storm is what attackers and honest clients share.

    Attributes:
        port: of the service.
        keys: by scope.
        users, items: some ids that the model knows.
        until: when it ends, by time.monotonic().
        acknowledged: events that got their 200: user and id.
        counts: of what was done and answered.
    """

    port: int
    keys: dict[str, str]
    users: list[str]
    items: list[str]
    until: float = 0.0
    acknowledged: list[tuple[str, str]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def going(self) -> bool:
        """Says whether the storm goes on."""
        return time.monotonic() < self.until

    def message(self, method: str, path: str, body: object = None, *, key: str = "") -> bytes:
        """Makes a request."""
        content = b"" if body is None else json.dumps(body).encode()
        head = [
            f"{method} {path} HTTP/1.1",
            "host: localhost",
            f"x-api-key: {key}",
            f"content-length: {len(content)}",
        ]
        if body is not None:
            head.append("content-type: application/json")
        return "\r\n".join([*head, "", ""]).encode() + content

    def lists(self, n: int) -> list[bytes]:
        """Makes honest requests for lists, of known and of new people."""
        rng = random.Random(n)
        asked = [rng.choice(self.users) if rng.random() < 0.8 else secrets.token_hex(4) for _ in range(n)]
        return [
            self.message("POST", "/v1/recommend", {"user": u, "k": 10}, key=self.keys["read"]) for u in asked
        ]


async def honest_events(storm: Storm, number: int) -> None:
    """Sends events evenly, again what got no answer, and keeps what was acknowledged."""
    connection = await Connection.open(storm.port)
    n = 0
    while storm.going:
        user, ids = f"honest{n % 500}", [f"{number}-{n}-{i}" for i in range(5)]
        events = [{"id": i, "user": user, "item": random.choice(storm.items)} for i in ids]
        message = storm.message("POST", "/v1/events", {"events": events}, key=storm.keys["write"])
        status = 0
        while status != 200 and time.monotonic() < storm.until + 30:
            status = await connection.send(message)
            storm.counts[f"events {status}"] += 1
            if status == 0:
                await asyncio.sleep(0.05)
                connection = await Connection.open(storm.port)
            elif status != 200:
                await asyncio.sleep(0.2)
        if status == 200:
            storm.acknowledged += [(user, i) for i in ids]
        n += 1
        await asyncio.sleep(1 / BATCHES)
    connection.close()


async def endless(storm: Storm, begin: bytes, again: bytes) -> None:
    """Sends something that has no end until it is cut off, and again."""
    while storm.going:
        writer = None
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            _, writer = await asyncio.open_connection("127.0.0.1", storm.port)
            writer.write(begin)
            for _ in range(200):
                writer.write(again)
                await asyncio.wait_for(writer.drain(), 5)
        storm.counts["endless"] += 1
        if writer is not None:
            writer.close()
        await asyncio.sleep(0.1)


async def silent(storm: Storm) -> None:
    """Holds a connection with a head, or a body, that is never finished."""
    while storm.going:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", storm.port)
            writer.write(
                random.choice(
                    [HEAD, HEAD + b"x-a: " + b"a" * 20_000, POST + b"content-length: 9\r\n\r\n{", b""]
                )
            )
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(reader.read(100), 12)
            writer.close()
        storm.counts["silent"] += 1
        await asyncio.sleep(0.2)


async def odd(storm: Storm) -> None:
    """Sends broken, forbidden and guessed requests, and asks whether it is ready and for its metrics."""
    rng = random.Random(1)
    read, write, admin = (storm.keys[scope] for scope in ("read", "write", "admin"))
    makes: list[Callable[[], bytes]] = [
        lambda: b"nonsense\r\n\r\n",
        lambda: HEAD + b"host: evil.example\r\n\r\n",
        lambda: HEAD + b"\r\n" * 1,
        lambda: (HEAD + b"\r\n") * 100,
        lambda: storm.message("GET", "/v1/map", key=f"butaca_{secrets.token_hex(6)}_{secrets.token_hex(32)}"),
        lambda: storm.message("GET", "//v1/users/ana/history", key=read),
        lambda: storm.message("GET", "/v1/items?limt=1", key=read),
        lambda: storm.message("GET", f"/v1/users/honest{rng.randrange(500)}/history", key=read),
        lambda: storm.message("POST", "/v1/recommend", {"k": 0}, key=read),
        lambda: storm.message("POST", "/v1/recommend", {"user": "x" * 300_000}, key=read),
        lambda: storm.message("POST", "/v1/recommend", {"k": 200, "explain": True}, key=read),
        lambda: storm.message("POST", "/v1/events", {"events": [
            {"id": "same", "user": "clash", "item": rng.choice(storm.items)}]}, key=write),
        lambda: storm.message("DELETE", f"/v1/events/nothing{rng.random()}", key=write),
        lambda: storm.message("DELETE", f"/v1/users/gone{rng.randrange(50)}", key=admin),
        lambda: storm.message("POST", "/v1/models/0123456789ab/activate", {}, key=admin),
        lambda: storm.message("GET", "/health/ready"),
        lambda: storm.message("GET", "/metrics", key=read),
        lambda: storm.message("GET", "/v1/state", key=read),
    ]  # fmt: skip
    while storm.going:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", storm.port)
            with contextlib.suppress(asyncio.TimeoutError, OSError):
                writer.write(rng.choice(makes)())
                got = await asyncio.wait_for(reader.read(65_536), 12)
                storm.counts[f"odd {got[9:12].decode('latin-1')}"] += 1
            writer.close()
        await asyncio.sleep(0.05)


def other_process(storm: Storm, events: Path) -> None:
    """Writes to the store beside the service, holds its lock for a moment, copies it."""
    with EventStore.open(str(events)) as store:
        n = 0
        while storm.going:
            with contextlib.suppress(StoreError):
                store.add([Event(f"o{n}-{i}", f"other{n % 50}", storm.items[0]) for i in range(20)])
            if n % 10 == 5:
                with (
                    contextlib.suppress(sqlite3.Error),
                    contextlib.closing(sqlite3.connect(events, isolation_level=None, timeout=5)) as lock,
                ):
                    lock.execute("BEGIN IMMEDIATE")
                    time.sleep(1.5)
                    lock.execute("ROLLBACK")
                    storm.counts["locked"] += 1
            if n % 20 == 10:
                copy = events.with_name("copy.db")
                copy.unlink(missing_ok=True)
                with contextlib.suppress(StoreError):
                    backup(str(events), copy)
                    storm.counts["copied"] += 1
            n += 1
            time.sleep(0.5)


@contextmanager
def service(model: Path, events: Path, *, core: int) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """Runs `butaca serve` on one core until the block ends."""
    command = [sys.executable, "-m", "butaca", "serve", str(model), "--port", "0", "--events", str(events)]
    command += ["--rate", "0"]
    with (events.parent / "log").open("w") as log:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )  # fmt: skip
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if found := re.search(r"Open http://127.0.0.1:(\d+)", line):
                    break
            assert found is not None
            yield int(found[1]), process
        finally:
            process.terminate()
            process.wait(60)
            process.stdout.close()


def memory(process: subprocess.Popen[str]) -> float:
    """Returns resident MB."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def attack(storm: Storm, seconds: float, events: Path, told: PipeConnection) -> None:
    """Does all that is not honest, in a process of its own that gives way to the honest one."""
    os.nice(10)
    storm.until = time.monotonic() + seconds
    beside = threading.Thread(target=other_process, args=(storm, events))
    beside.start()
    floods = [
        (HEAD + b"x-a: ", b"a" * 65_536), (HEAD, b"x-a: b\r\n" * 8_192), (b"GET /", b"a" * 65_536),
        (POST + b"transfer-encoding: chunked\r\n\r\n1;a=", b"a" * 65_536),
        (POST + b"transfer-encoding: chunked\r\n\r\n0\r\n", b"x-a: b\r\n" * 8_192),
    ]  # fmt: skip

    async def everything() -> None:
        work: list[Awaitable[Any]] = [endless(storm, *flood) for flood in floods for _ in range(2)]
        work += [silent(storm) for _ in range(90)]
        work += [odd(storm) for _ in range(3)]
        await asyncio.gather(*work)

    asyncio.run(everything())
    beside.join()
    told.send(storm.counts)
    told.close()


async def weather(
    storm: Storm, seconds: float, *, events: Path, rss: Callable[[], float]
) -> tuple[LoadResults, float]:
    """Lets the storm go on for so long; returns the honest lists, and by how much memory grew."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    other = context.Process(target=attack, args=(storm, seconds, events, there))
    other.start()
    storm.until = time.monotonic() + seconds
    honest = [asyncio.ensure_future(honest_events(storm, n)) for n in range(3)]
    messages = storm.lists(2_000)
    first = await opened(storm.port, messages, rate=LISTS, seconds=seconds / 4)
    before = rss()
    rest = await opened(storm.port, messages, rate=LISTS, seconds=max(storm.until - time.monotonic(), 1.0))
    growth = rss() - before
    await asyncio.gather(*honest)
    storm.counts += await asyncio.to_thread(here.recv)
    other.join()
    rest.times += first.times
    rest.statuses += first.statuses
    return rest, growth


def lost(events: Path, acknowledged: list[tuple[str, str]]) -> int:
    """Returns how many events that were acknowledged are not in the store."""
    with EventStore.open(str(events)) as store, store._database.read() as connection:
        stored = {
            (user, event) for user, event in connection.exec_driver_sql("SELECT user_id, id FROM events")
        }
    return len(set(acknowledged) - stored)


def measure(model: Path, seconds: float) -> dict[str, Any]:
    """Returns the figures of a calm and a storm."""
    with tempfile.TemporaryDirectory() as name:
        events = Path(name) / "events.db"
        with EventStore.open(str(events)) as store:
            keys = {scope: store.keys.create(scope, [scope]) for scope in ("read", "write", "admin")}
        from butaca.recommend.recommender import Recommender

        recommender = Recommender.load(model)
        users = [str(u) for u in recommender.users.ids.values.tolist()[:2_000]]
        items = [str(i) for i in recommender.catalogue.ids[:200]]
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[-1]})
        try:
            with service(model, events, core=cores[0]) as (port, process):
                storm = Storm(port, keys, users, items)
                known = storm.lists(2_000)
                calm = max(min(seconds / 8, 5.0), 1.0)
                asyncio.run(closed(port, known, connections=16, seconds=calm))  # warm
                fast = asyncio.run(closed(port, known, connections=16, seconds=calm))
                steady = asyncio.run(opened(port, known, rate=LISTS, seconds=calm))
                results, growth = asyncio.run(
                    weather(storm, seconds, events=events, rss=lambda: memory(process))
                )
        finally:
            os.sched_setaffinity(0, set(cores))
        return {
            "seconds": seconds,
            "rps": round(fast.rate),
            "p99_ms": round(steady.quantile(0.99), 2),
            "storm_p99_ms": round(results.quantile(0.99), 2),
            "storm_p50_ms": round(results.quantile(0.5), 2),
            "storm_lists": {str(status): n for status, n in sorted(results.statuses.items())},
            "storm_acknowledged": len(storm.acknowledged),
            "storm_lost": lost(events, storm.acknowledged),
            "rss_growth_mb": round(growth, 1),
            "counts": {key: storm.counts[key] for key in sorted(storm.counts)},
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600.0, help="of the storm (default 600)")
    parser.add_argument("--model", type=Path, help="a model's folder; without, MovieLens 100K is fitted")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        model = args.model
        if model is None:
            model = Path(name) / "model"
            fit = [sys.executable, "-m", "butaca", "fit", "ml-100k", "--out", str(model)]
            subprocess.run(fit, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        figures = measure(model, args.seconds)
    for met, text in (
        (
            figures["storm_lost"] == 0,
            f"{figures['storm_lost']} of {figures['storm_acknowledged']:,} acknowledged events lost",
        ),
        (figures["storm_p99_ms"] < P99, f"p99 of honest lists {figures['storm_p99_ms']} ms: under {P99:g}"),
        (
            figures["rss_growth_mb"] < GROWTH,
            f"memory grew by {figures['rss_growth_mb']} MB: under {GROWTH:g}",
        ),
    ):
        print("yes " if met else "no  ", text, file=sys.stderr)
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
