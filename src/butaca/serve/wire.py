"""This module bounds what a connection may cost before a request of it is known: uvicorn's protocol, counted.

Everything that comes before a key could be asked for is counted while it arrives: the request line, each
header and all of them, what surrounds a body (chunk sizes, extensions, trailers), requests sent ahead of
their answers, what all unfinished heads hold together, and the connections.
"""

from __future__ import annotations

from asyncio import TimerHandle, Transport
from dataclasses import dataclass, field
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from butaca.serve.http.problems import MEDIA_TYPE, Problem
from butaca.serve.telemetry import Telemetry

#: Seconds for a request's headers to arrive.
HEADERS_WITHIN = 10
#: Bytes of a request line and of all headers; headers; bytes of a request line alone.
HEAD_MAX, HEADERS_MAX, LINE_MAX = 32 * 1024, 100, 16 * 1024
#: Requests that may be sent ahead of their answers on one connection.
AHEAD_MAX = 32
#: Bytes that the unfinished heads of all connections may hold together.
HEADS_MAX = 8 * 1024 * 1024
#: Bytes of a body that are read on, and dropped, though its request was answered: who sends too much hears
#: why, where a connection that is closed under a body being sent is a broken pipe.
READ_ON = 8 * 1024 * 1024
#: Bytes around each byte of a body: the least chunk, of one byte, has five.
AROUND = 8


def _refusal(status: int, kind: str, rule: str) -> bytes:
    body = Problem(status, kind, rule, "one that does not", "Send less, and as HTTP/1.1 has it").body()
    head = b"content-type: " + MEDIA_TYPE.encode() + b"\r\ncontent-length: " + str(len(body)).encode()
    return STATUS_LINE[status] + head + b"\r\nconnection: close\r\n\r\n" + body


#: What is answered before anything else is known of a request, by why.
REFUSALS = {
    "malformed": _refusal(400, "http", "A request is written as HTTP/1.1 has it"),
    "line": _refusal(414, "line", f"A request line has at most {LINE_MAX:,} bytes"),
    "head": _refusal(431, "headers", f"The headers of a request have at most {HEAD_MAX:,} bytes"),
    "headers": _refusal(431, "headers", f"A request has at most {HEADERS_MAX} headers"),
    "around": _refusal(400, "chunks", f"A body comes in chunks with at most {HEAD_MAX:,} bytes around them"),
    "ahead": _refusal(400, "ahead", f"At most {AHEAD_MAX} requests are sent ahead of their answers"),
    "heads": _refusal(431, "headers", "Headers arrive whole while many others' are unfinished"),
}


@dataclass(eq=False)
class Bounds:
    """A Bounds holds what the connections of one service share.

    Attributes:
        telemetry: counts those that are turned away.
        max_connections: at once; beyond, the one that has been silent the longest makes room.
        held: bytes of unfinished heads, of all connections.
        connections: that are open.
    """

    telemetry: Telemetry
    max_connections: int = 1_000
    held: int = 0
    connections: set[Protocol] = field(default_factory=set)


class TooMuchError(Exception):
    """A TooMuchError ends the parsing of what is larger than it may be."""


class Protocol(HttpToolsProtocol):
    """A Protocol is uvicorn's, within bounds of what comes before a request is known."""

    def __init__(self, *args: Any, bounds: Bounds, **named: Any) -> None:
        super().__init__(*args, **named)
        self._bounds = bounds
        self._late: TimerHandle | None = None
        self._heard = 0.0
        self._fed = self._body = self._in_headers = 0  # bytes of this message
        self._held = 0  # bytes counted in bounds.held
        self._heading, self._over, self._refused = True, "", False

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Starts the clock when someone connects, and makes room where too many have."""
        super().connection_made(transport)
        bounds = self._bounds
        self._heard = self.loop.time()
        self._start_clock()
        if len(bounds.connections) >= bounds.max_connections:
            bounds.telemetry.crowded.inc()
            silent = min((c for c in bounds.connections if c.idle), key=lambda c: c._heard, default=None)
            if silent is None:
                transport.abort()
                return
            silent.abort()
        bounds.connections.add(self)

    @property
    def idle(self) -> bool:
        """Says whether no request of this connection is in work."""
        return self.cycle is None or self.cycle.response_complete

    def abort(self) -> None:
        """Lets go of the connection at once."""
        self._bounds.connections.discard(self)
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the clock when the connection is gone."""
        self._in_time()
        self._release()
        self._bounds.connections.discard(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parses what arrived, unless it is more than may be."""
        if self._refused:
            return
        self._heard = self.loop.time()
        self._unset_keepalive_if_required()
        self._fed += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # nothing here speaks another protocol: the request is answered as it is
        except httptools.HttpParserError:
            self._refuse(self._over or "malformed")
            return
        if self._fed > HEAD_MAX and self._fed - self._body > HEAD_MAX + AROUND * self._body:
            self._refuse("head" if self._heading else "around")
        elif self._heading and self._fed:
            self._hold()
        elif self._body > READ_ON and self.idle:
            self.abort()  # it was answered long ago, and still sends

    def on_message_begin(self) -> None:
        """Starts the clock at the first bytes of a further request."""
        super().on_message_begin()
        self._heading, self._in_headers = True, 0
        self._start_clock()

    def on_url(self, url: bytes) -> None:
        """Takes a part of the request line."""
        self.url += url
        if len(self.url) > LINE_MAX:
            self._stop("line")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Takes a header; trailers are counted, and dropped."""
        self._in_headers += len(name) + len(value) + 4
        if self._in_headers > HEAD_MAX:
            self._stop("head" if self._heading else "around")
        if not self._heading:
            return
        headers = self.headers
        if len(headers) >= HEADERS_MAX:
            self._stop("headers")
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Stops the clock when all headers of a request are there."""
        self._in_time()
        self._release()
        if len(self.pipeline) >= AHEAD_MAX:
            self._stop("ahead")
        self._heading, self._fed, self._body, self._in_headers = False, 0, 0, 0
        try:
            super().on_headers_complete()
        except (UnicodeDecodeError, ValueError, httptools.HttpParserError):  # a path that is no address
            self._stop("malformed")

    def on_body(self, body: bytes) -> None:
        """Takes a part of a body."""
        self._body += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Begins to count anew when a request is whole."""
        self._heading, self._fed, self._body = True, 0, 0
        self._in_time()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Gives what still arrives of an answered request no longer than headers have."""
        if not self._heading and not self.pipeline:
            self._start_clock()
        super().on_response_complete()

    def _unsupported_upgrade_warning(self) -> None:
        """Says nothing: no protocol to upgrade to is missed here."""

    def _stop(self, why: str) -> None:
        self._over = why
        raise TooMuchError

    def _hold(self) -> None:
        bounds = self._bounds
        bounds.held += self._fed - self._held
        self._held = self._fed
        if bounds.held > HEADS_MAX:
            self._refuse("heads")

    def _release(self) -> None:
        if self._held:
            self._bounds.held -= self._held
            self._held = 0

    def _refuse(self, why: str) -> None:
        """Says why, unless a request is being answered, and hangs up."""
        self._refused = True
        self._release()
        self._bounds.telemetry.cut_off.inc()
        if self.transport.is_closing():
            return
        if not self.idle:
            self.transport.abort()
            return
        self.transport.write(REFUSALS[why])
        self.transport.close()

    def _start_clock(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(HEADERS_WITHIN, self.transport.close)

    def _in_time(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
