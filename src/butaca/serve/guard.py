"""This module is the outermost layer, plain ASGI: every limit is checked before a route does any work.

In this order: names (Host), overload, keys, rate, content type, size. It reads the body, counting as it
arrives, answers POST /v1/recommend itself (the router and its dependencies would cost as much as the
scoring), hands everything else to the routes, and makes an answer of whatever goes wrong.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from butaca.serve.http.access import presented, scope_of
from butaca.serve.http.errors import logged, logged_problem
from butaca.serve.http.headers import DATA_HEADERS, CorsAllowed, Headers, allowed_host, page_headers
from butaca.serve.http.limits import RateLimiter, client_name
from butaca.serve.http.outgoing import Outgoing, compressed
from butaca.serve.http.problems import MEDIA_TYPE, Problem, unknown_parameters
from butaca.serve.http.refusals import check_direct, overload, too_large, too_late
from butaca.serve.service import Service
from butaca.serve.telemetry import log

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Answer = Callable[[bytes], Awaitable[bytes]]

#: Never shed, never limited: what tells whether the service lives.
HEALTH = ("/health/live", "/health/ready")
ALWAYS = (*HEALTH, "/metrics")


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
        self._root = settings.root_path or ""
        self._running = 0
        self._shed = overload(settings.max_in_flight)
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
        if self._root and self._below_root(scope):
            await _respond(send, 308, [(b"location", self._root.encode() + b"/")], b"")
            return
        path, method = scope["path"], scope["method"]
        route, status = "refused", 503
        headers = Headers(scope["headers"])
        extra = self._cors.headers(headers.origin) if headers.origin is not None else []
        if (
            self.in_flight() >= self.service.settings.max_in_flight
            and path not in ALWAYS
            and not (extra and method == "OPTIONS")
        ):
            self.service.telemetry.shed.inc()
            self.leave()  # those behind it are served sooner
            await _respond(send, 503, self._problem + extra + self._shed.headers, self._shed_body)
            self.service.telemetry.observe(route, status, seconds=time.perf_counter() - started)
            return
        self._running += 1
        try:
            self._admit(scope, path, method, headers)
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
                        if scope["query_string"]:
                            raise unknown_parameters(scope["query_string"], ())
                        route = path
                        content = await answer(body)
                        status, scope["butaca.begun"] = 200, True
                        packed, encoding = compressed(content, headers.encodings)
                        await _respond(send, 200, self._json + extra + encoding, packed)
                    else:
                        status = await self._routes(
                            scope, body, receive=receive, send=send, extra=extra, headers=headers
                        )
                        route = _label(scope)
            except TimeoutError:
                self.service.telemetry.late.inc()
                raise too_late(self.service.settings.timeout, body is None) from None
        except _Gone:
            status = 499
        except Exception as error:
            if scope.get("butaca.begun"):  # too late to say so; the routes told the log
                return
            problem, request_id = logged_problem(error, method, path=path)
            status = problem.status
            body = problem.body(request_id) if method != "HEAD" else b""
            close = [(b"connection", b"close")] if status == 408 else []
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

    def _admit(self, scope: Scope, path: str, method: str, headers: Headers) -> None:
        """Makes every check that needs no body."""
        service = self.service
        if headers.hosts > 1 or (not headers.hosts and scope.get("http_version") == "1.1"):
            raise Problem(
                400, "host", "A request has one Host header", f"{headers.hosts} of them", "Send one"
            )
        if path not in ALWAYS:
            self._allowed(headers.host)
        if service.keys is None and path not in HEALTH:
            check_direct(headers, scope.get("http_version"))
        if method == "OPTIONS":
            return
        client = scope.get("client")
        name = client_name(client[0]) if client else "local"
        if service.keys is not None:
            needed = scope_of(method, path)
            if needed is not None:
                name = self._key(service.keys, scope, needed, name)
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

    def _key(self, keys: Callable[[str], Any], scope: Scope, needed: str, name: str) -> str:
        """Returns whom the request counts as, by its key.

        Raises:
            Problem: 401 without a valid key, 403 with one that is not for this.
        """
        plaintext = presented(scope["headers"])
        key = keys(plaintext) if plaintext else None
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
        scope["butaca.client"] = key.name
        return f"key:{key.id}"

    async def _read(self, receive: Receive, headers: Headers) -> bytes:
        """Reads the body, no longer than it may be, counted as it arrives.

        Raises:
            Problem: 413.
        """
        limit = self.service.settings.max_body
        if headers.length > limit:
            raise too_large(limit, f"{headers.length:,} bytes announced")
        message = await receive()
        if not message.get("more_body"):
            body: bytes = message.get("body", b"")
            if message["type"] == "http.disconnect":
                raise _Gone
            if len(body) > limit:
                raise too_large(limit, f"{len(body):,} bytes")
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
            raise too_large(limit, f"{size:,} bytes and counting")
        return b"".join(parts)

    def _below_root(self, scope: Scope) -> bool:
        """Takes the prefix off a path, where a proxy left it; says whether nothing would be left."""
        for name, prefix in (("path", self._root), ("raw_path", self._root.encode())):
            path = scope.get(name)
            if path == prefix:
                return True
            if path and path.startswith(prefix + ("/" if name == "path" else b"/")):  # type: ignore[operator]
                scope[name] = path[len(prefix) :]
        return False

    async def _routes(
        self,
        scope: Scope,
        body: bytes,
        *,
        receive: Receive,
        send: Send,
        extra: list[tuple[bytes, bytes]],
        headers: Headers,
    ) -> int:
        """Hands a request to the routes: its body read, its path still encoded, our headers on the answer."""
        pending: Message | None = {"type": "http.request", "body": body, "more_body": False}

        async def replay() -> Message:
            nonlocal pending
            message, pending = pending, None
            return message if message is not None else await receive()

        outgoing = Outgoing(send, ours=self._security, extra=extra, encodings=headers.encodings)
        outgoing.headless = scope["method"] == "HEAD"
        outgoing.begin = lambda: scope.update({"butaca.begun": True})
        raw = scope.get("raw_path")
        asked = dict(scope)
        if raw and b"%" in raw:  # an id may hold an encoded slash: routes match the path as it was sent
            asked["path"] = raw.decode("ascii", "replace")
        if outgoing.headless:
            asked["method"] = "GET"
        try:
            await self.app(asked, replay, outgoing)
        finally:
            scope["route"] = asked.get("route")
        return outgoing.status


class _Gone(Exception):  # noqa: N818 - nobody is told
    """Says that the client closed the connection."""


def _label(scope: Scope) -> str:
    route = scope.get("route")
    return getattr(route, "path_format", None) or getattr(route, "path", None) or "unmatched"


async def _respond(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})
