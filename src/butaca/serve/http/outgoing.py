"""This module is what an answer of the routes goes through: our headers, gzip as asked, HEAD without body."""

from __future__ import annotations

import gzip
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from butaca.serve.http.headers import takes_gzip

#: Bytes from which on compressing JSON is worth its time on the event loop.
LARGE = 4 * 1024

VARY, GZIPPED = (b"vary", b"accept-encoding"), (b"content-encoding", b"gzip")


def compressed(content: bytes, encodings: bytes) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """Returns JSON as a client takes it, and the headers that say so."""
    if len(content) < LARGE:
        return content, []
    if not takes_gzip(encodings):
        return content, [VARY]
    return gzip.compress(content, 1, mtime=0), [VARY, GZIPPED]


class Outgoing:
    """An Outgoing sends one answer on.

    Args:
        send: where to.
        ours: headers that every answer has, unless it says otherwise.
        extra: headers that this one has.
        encodings: that the client accepts.

    Attributes:
        status: of the answer; 500 before there is one.
        headless: whether the body is left out.
        begin: called when the first of it goes out.
    """

    def __init__(
        self,
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
        *,
        ours: list[tuple[bytes, bytes]],
        extra: list[tuple[bytes, bytes]],
        encodings: bytes,
    ) -> None:
        self._send, self._ours, self._extra, self._encodings = send, ours, extra, encodings
        self._held: MutableMapping[str, Any] | None = None
        self.status, self.headless = 500, False
        self.begin: Callable[[], None] = lambda: None

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        """Takes a message of the routes."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            present = {name for name, _ in message["headers"]}
            ours = [pair for pair in self._ours if pair[0] not in present]
            message["headers"] = [*message["headers"], *ours, *self._extra]
            self._held = message
            return
        if message["type"] != "http.response.body":
            await self._send(message)
            return
        if self._held is not None:
            if not message.get("more_body"):
                self._pack(self._held, message)
            held, self._held = self._held, None
            self.begin()
            await self._send(held)
        if self.headless:
            message["body"] = b""
        await self._send(message)

    def _pack(self, start: MutableMapping[str, Any], message: MutableMapping[str, Any]) -> None:
        body = message.get("body", b"")
        headers = dict(start["headers"])
        kind = headers.get(b"content-type", b"")
        if len(body) < LARGE or b"json" not in kind or b"content-encoding" in headers or b"etag" in headers:
            return
        packed, more = compressed(body, self._encodings)
        if packed is not body:
            message["body"] = packed
            length = (b"content-length", str(len(packed)).encode())
            start["headers"] = [*(pair for pair in start["headers"] if pair[0] != length[0]), length]
        start["headers"] = [*start["headers"], *more]
