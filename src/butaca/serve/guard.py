"""This module is the outermost layer, plain ASGI: every limit is checked before a route does any work.

In this order: names (Host), overload, keys, rate, content type, size. It reads the body, counting as it
arrives, answers POST /v1/recommend itself (the router and its dependencies would cost as much as the
scoring), hands everything else to the routes, and makes an answer of whatever goes wrong.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from butaca.serve.http.access import presented, scope_of
from butaca.serve.http.errors import logged, logged_problem
from butaca.serve.http.headers import DATA_HEADERS, CorsAllowed, Headers, allowed_host, page_headers
from butaca.serve.http.limits import RateLimiter, client_name
from butaca.serve.http.problems import MEDIA_TYPE, Problem
from butaca.serve.service import Service
from butaca.serve.telemetry import log

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Answer = Callable[[bytes], Awaitable[bytes]]

#: Never shed, never limited: what tells whether the service lives.
ALWAYS = ("/health/live", "/health/ready", "/metrics")


class Guard:
    """A Guard stands before an app: it checks limits, reads bodies, and answers what goes wrong.

    Args:
        app: the routes.
        service: what they share.
        direct: answers of POST requests that take and give JSON bytes, by path.
    """

    def __init__(self, app: App, service: Service, *, direct: dict[str, Answer]) -> None:
        self.app, self.service, self.direct = app, service, direct
        settings = service.settings
        self._security = page_headers(service.settings.picture_hosts)
        self._json = [(b"content-type", b"application/json"), *DATA_HEADERS]
        self._problem = [(b"content-type", MEDIA_TYPE.encode()), *DATA_HEADERS]
        self._allowed = allowed_host(settings)
        self._cors = CorsAllowed(settings.cors_origins)
        self._buckets = RateLimiter(settings.rate_limit(service.keys is not None), settings.burst)
        self._running = 0
        self._shed = _overload(settings.max_in_flight)
        self._shed_body = self._shed.body()
        #: How many requests are in work or wait for it, and what to do when one is done; a server that
        #: knows of those that wait replaces these.
        self.in_flight: Callable[[], int] = lambda: self._running
        self.leave: Callable[[], None] = lambda: None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request, or the life of the app."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # nothing here speaks WebSocket
            await send({"type": "websocket.close", "code": 1000})
            return
        started = time.perf_counter()
        path, method = scope["path"], scope["method"]
        route, status = "refused", 503
        if self.in_flight() >= self.service.settings.max_in_flight and path not in ALWAYS:
            self.service.telemetry.shed.inc()
            self.leave()  # those behind it are served sooner
            await _respond(send, 503, self._problem + self._shed.headers, self._shed_body)
            self.service.telemetry.observe(route, status, seconds=time.perf_counter() - started)
            return
        headers = Headers(scope["headers"])
        extra = self._cors.headers(headers.origin) if headers.origin is not None else []
        self._running += 1
        try:
            await self._admit(scope, path, method, headers)
            if method == "OPTIONS" and extra:
                status = 204
                await _respond(send, 204, [*self._security, *extra, *self._cors.preflight], b"")
                return
            body: bytes | None = None
            try:
                async with asyncio.timeout(self.service.settings.timeout) as limit:
                    body = await self._read(receive, headers) if method not in {"GET", "HEAD"} else b""
                    answer = self.direct.get(path) if method == "POST" else None
                    if method == "POST" and path.endswith("/activate"):
                        limit.reschedule(None)  # a large model takes longer to load
                    if answer is not None:
                        route = path
                        content = await answer(body)
                        status, scope["butaca.begun"] = 200, True
                        await _respond(send, 200, self._json + extra, content)
                    else:
                        status = await self._routes(scope, body, receive, send, extra)
                        route = _label(scope)
            except TimeoutError:
                self.service.telemetry.late.inc()
                raise _too_late(self.service.settings.timeout, body is None) from None
        except _Gone:
            status = 499
        except Exception as error:
            if scope.get("butaca.begun"):  # too late to say so; the routes told the log
                return
            problem, request_id = logged_problem(error, method, path=path)
            status = problem.status
            body = problem.body(request_id) if method != "HEAD" else b""
            close = [(b"connection", b"close")] if status in {408, 413} else []
            await _respond(send, status, [*self._problem, *extra, *problem.headers, *close], body)
        finally:
            self._running -= 1
            self.leave()
            seconds = time.perf_counter() - started
            telemetry = self.service.telemetry
            telemetry.observe(route, status, seconds=seconds)
            if route == "/v1/recommend" and status == 200:
                telemetry.latency.add(seconds)
            if self.service.settings.access_log:
                log.info(
                    "request", method=method, path=logged(path), status=status, ms=round(seconds * 1000, 3)
                )

    async def _admit(self, scope: Scope, path: str, method: str, headers: Headers) -> None:
        """Makes every check that needs no body."""
        service = self.service
        self._allowed(headers.host)
        if method == "OPTIONS":
            return
        client = scope.get("client")
        name = client_name(client[0]) if client else "local"
        if service.keys is not None:
            needed = scope_of(method, path)
            if needed is not None:
                name = await self._key(service.keys, scope["headers"], needed, name)
        if self._buckets.rate and path not in ALWAYS:
            self._within_rate(name)
        if method in {"POST", "PUT", "PATCH"} and not headers.is_json:
            raise Problem(
                415,
                "media-type",
                "A request's content-type is application/json",
                headers.content_type or "none",
                "Send the header content-type: application/json",
            )

    def _within_rate(self, name: str) -> None:
        wait = self._buckets.wait(name, time.monotonic())
        if wait:
            self.service.telemetry.limited.inc()
            raise Problem(
                429,
                "rate",
                f"A client sends at most {self._buckets.rate:g} requests a second",
                "more",
                "Wait as long as Retry-After says",
                retry_after=wait,
            )

    async def _key(self, keys: Any, headers: Sequence[tuple[bytes, bytes]], needed: str, name: str) -> str:
        """Returns whom the request counts as, by its key.

        Raises:
            Problem: 401 without a valid key, 403 with one that is not for this.
        """
        plaintext = presented(headers)
        key = None
        if plaintext:
            key = await keys.find(plaintext)
        if key is None:
            self.service.telemetry.denied.inc()
            self._within_rate(name)
            raise Problem(
                401,
                "key",
                "A request carries an API key",
                "an unknown or revoked one" if plaintext else "none",
                "Send Authorization: Bearer KEY; make one with `butaca keys add NAME --scope read`",
                headers=[(b"www-authenticate", b'Bearer realm="butaca"')],
            )
        if not key.may(needed):
            self.service.telemetry.denied.inc()
            raise Problem(
                403,
                "scope",
                f"This needs a key with the scope {needed}",
                f"one with {', '.join(key.scopes) or 'none'}",
                f"Make one with `butaca keys add NAME --scope {needed}`",
            )
        return f"key:{key.id}"

    async def _read(self, receive: Receive, headers: Headers) -> bytes:
        """Reads the body, no longer than it may be, counted as it arrives.

        Raises:
            Problem: 413.
        """
        limit = self.service.settings.max_body
        if headers.length > limit:
            raise _too_large(limit, f"{headers.length:,} bytes announced")
        message = await receive()
        if not message.get("more_body"):
            body: bytes = message.get("body", b"")
            if message["type"] == "http.disconnect":
                raise _Gone
            if len(body) > limit:
                raise _too_large(limit, f"{len(body):,} bytes")
            return body
        parts, size = [message.get("body", b"")], len(message.get("body", b""))
        while message.get("more_body"):
            if size > limit:
                break
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _Gone
            parts.append(message.get("body", b""))
            size += len(parts[-1])
        if size > limit:
            raise _too_large(limit, f"{size:,} bytes and counting")
        return b"".join(parts)

    async def _routes(
        self, scope: Scope, body: bytes, receive: Receive, send: Send, extra: list[tuple[bytes, bytes]]
    ) -> int:
        """Hands a request to the routes: its body read, its path still encoded, our headers on the answer."""
        status = 500
        pending: Message | None = {"type": "http.request", "body": body, "more_body": False}

        async def replay() -> Message:
            nonlocal pending
            message, pending = pending, None
            return message if message is not None else await receive()

        async def guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                scope["butaca.begun"] = True
                present = {name for name, _ in message["headers"]}
                ours = [pair for pair in self._security if pair[0] not in present]
                message["headers"] = [*message["headers"], *ours, *extra]
            await send(message)

        raw = scope.get("raw_path")
        if raw and b"%" in raw:  # an id may hold an encoded slash: routes match the path as it was sent
            scope["path"] = raw.decode("ascii", "replace")
        await self.app(scope, replay, guarded)
        return status


class _Gone(Exception):  # noqa: N818 - nobody is told
    """Says that the client closed the connection."""


def _label(scope: Scope) -> str:
    route = scope.get("route")
    return getattr(route, "path_format", None) or getattr(route, "path", None) or "unmatched"


def _too_late(seconds: float, reading: bool) -> Problem:
    if reading:
        return Problem(
            408,
            "slow-body",
            f"A body arrives within {seconds:g} seconds",
            "one that did not",
            "Send it again",
        )
    return Problem(
        503,
        "timeout",
        f"A request is answered within {seconds:g} seconds",
        "one that was not",
        "Try again; an event that is sent again under its id is stored once",
        retry_after=1,
    )


def _overload(most: int) -> Problem:
    rule = f"At most {most} requests are in work at once"
    return Problem(503, "overload", rule, "one more", "Try again in a second", retry_after=1)


def _too_large(limit: int, received: str) -> Problem:
    return Problem(413, "too-large", f"A body has at most {limit:,} bytes", received, "Send smaller batches")


async def _respond(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})
