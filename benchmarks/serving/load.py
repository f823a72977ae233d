"""This module loads one route on loopback: keep-alive connections, nothing parsed but lengths.

A closed loop sends on each connection as soon as the answer is there, and finds what the service can take.
An open loop sends at a rate of its own, whatever comes back, as people do: its times begin when a request
was due, so that a stall counts for everyone who waited for it.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass
class LoadResults:
    """A LoadResults holds what came back.

    Attributes:
        seconds: wall time of the run.
        times: seconds of each answer.
        statuses: answers by status; 0 is a connection that broke.
    """

    seconds: float = 0.0
    times: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def rate(self) -> float:
        """Returns answers of status 200 a second."""
        return self.statuses[200] / max(self.seconds, 1e-9)

    def quantile(self, q: float) -> float:
        """Returns milliseconds within which a share q of the answers came."""
        return float(np.quantile(self.times, q)) * 1000 if self.times else float("nan")


def request(path: str, body: bytes, *, host: str = "localhost", key: str = "") -> bytes:
    """Makes a POST of JSON, with an API key if there is one."""
    head = [f"POST {path} HTTP/1.1", f"host: {host}", "content-type: application/json"]
    head += [f"authorization: Bearer {key}"] if key else []
    return "\r\n".join((*head, f"content-length: {len(body)}", "", "")).encode() + body


class Connection(asyncio.Protocol):
    """A Connection sends one request at a time."""

    def __init__(self) -> None:
        self._buffer = b""
        self._waiting: asyncio.Future[int] | None = None
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def open(cls, port: int) -> Connection:
        """Connects to a port on loopback."""
        loop = asyncio.get_running_loop()
        _, protocol = await loop.create_connection(cls, "127.0.0.1", port)
        return protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Takes some of an answer."""
        buffer = self._buffer = self._buffer + data if self._buffer else data
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = buffer[:end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(buffer) < end + 4 + length:
            return
        self._buffer = buffer[end + 4 + length :]
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(int(head[9:12]))

    def connection_lost(self, exc: Exception | None) -> None:
        """Gives what waits the status 0."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(0)
        self._transport = None

    async def send(self, message: bytes) -> int:
        """Returns the status of the answer; 0 if the connection broke."""
        if self._transport is None or self._transport.is_closing():
            return 0
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(message)
        return await self._waiting

    def close(self) -> None:
        """Hangs up."""
        if self._transport is not None:
            self._transport.close()


async def closed(port: int, messages: Sequence[bytes], *, connections: int, seconds: float) -> LoadResults:
    """Sends as many requests as the service takes, on so many connections."""
    out = LoadResults()
    begin = time.perf_counter()

    async def one(first: int) -> None:
        connection, n = await Connection.open(port), first
        while time.perf_counter() - begin < seconds:
            started = time.perf_counter()
            status = await connection.send(messages[n % len(messages)])
            out.times.append(time.perf_counter() - started)
            out.statuses[status] += 1
            if status == 0:
                connection = await Connection.open(port)
            n += connections
        connection.close()

    await asyncio.gather(*(one(i) for i in range(connections)))
    out.seconds = time.perf_counter() - begin
    return out


async def opened(
    port: int, messages: Sequence[bytes], *, rate: float, seconds: float, connections: int = 64
) -> LoadResults:
    """Sends so many requests a second, due evenly; each takes a connection that is free, or waits for one."""
    out = LoadResults()
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(connections):
        free.put_nowait(await Connection.open(port))

    async def one(n: int, due: float) -> None:
        connection = await free.get()
        status = await connection.send(messages[n % len(messages)])
        out.times.append(time.perf_counter() - due)
        out.statuses[status] += 1
        if status == 0:
            connection = await Connection.open(port)
        free.put_nowait(connection)

    begin = time.perf_counter()
    tasks: set[asyncio.Task[None]] = set()
    for n in range(int(rate * seconds)):
        due = begin + n / rate
        wait = due - time.perf_counter()
        if wait > 0.0005:
            await asyncio.sleep(wait)
        elif n % 16 == 0:
            await asyncio.sleep(0)
        task = asyncio.create_task(one(n, due))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.wait(tasks, timeout=10) if tasks else None
    out.seconds = time.perf_counter() - begin
    while not free.empty():
        free.get_nowait().close()
    return out
