"""This module reads the headers of a request, checks Host and Origin, and holds the headers of answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from butaca.serve.http.problems import Problem
from butaca.serve.settings import ServeSettings

#: No scripts, styles, frames or connections but our own.
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


#: Of answers that no browser shows: JSON and problems.
DATA_HEADERS = [
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
]


def policy(picture_hosts: Iterable[str] = ()) -> str:
    """Returns the content security policy of a page, with the hosts that pictures may come from.

    >>> "img-src 'self' data: https://images.example.com;" in policy(["images.example.com"])
    True
    """
    more = "".join(f" https://{host.lower()}" for host in picture_hosts)
    return CSP.replace("img-src 'self' data:", f"img-src 'self' data:{more}")


def page_headers(picture_hosts: Iterable[str] = ()) -> list[tuple[bytes, bytes]]:
    """Returns the headers that a page or file carries, unless its route says otherwise."""
    return [
        (b"content-security-policy", policy(picture_hosts).encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"cross-origin-resource-policy", b"same-origin"),
        (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
        (b"cache-control", b"no-store"),
    ]


class Headers:
    """A Headers holds the few headers of a request that the guard reads, found in one pass."""

    __slots__ = ("content_type", "encodings", "forwarded", "host", "hosts", "is_json", "length", "origin")

    def __init__(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        host = content_type = b""
        self.length = self.hosts = 0
        self.origin: bytes | None = None
        self.encodings = self.forwarded = b""
        for name, value in headers:
            if name == b"host":
                host = value
                self.hosts += 1
            elif name == b"content-type":
                content_type = value
            elif name == b"content-length":
                self.length = int(value) if value.isdigit() and len(value) < 20 else 0
            elif name == b"origin":
                self.origin = value
            elif name == b"accept-encoding":
                self.encodings = self.encodings + b"," + value if self.encodings else value
            elif name in FORWARDED or name.startswith(b"x-forwarded-"):
                self.forwarded = name
        self.host = host
        self.content_type = content_type.decode("latin-1")
        self.is_json = content_type == b"application/json" or (
            content_type.partition(b";")[0].strip().lower() == b"application/json"
        )


#: What says that a request came through somebody, beside all that begins with x-forwarded-.
FORWARDED = frozenset({b"forwarded", b"via", b"x-real-ip", b"x-forwarded"})


def takes_gzip(encodings: bytes) -> bool:
    """Says whether a client that accepts these encodings takes gzip.

    >>> [takes_gzip(e) for e in (b"gzip", b"br, *;q=0.1", b"gzip;q=0, identity", b"*, gzip;q=0", b"br", b"")]
    [True, True, False, False, False, False]
    """
    if encodings == b"gzip" or not encodings:
        return bool(encodings)
    weights: dict[str, float] = {}
    for part in encodings.decode("latin-1").lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        weight = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    weight = float(parameter[2:])
                except ValueError:
                    weight = 0.0
        weights[name] = weight
    return weights.get("gzip", weights.get("x-gzip", weights.get("*", 0.0))) > 0


def allowed_host(settings: ServeSettings) -> Callable[[bytes], None]:
    """Returns the check of the Host header: on this machine's own address, a name of this machine.

    A page on another site can have its name resolve to 127.0.0.1 (DNS rebinding) and would then be on the
    same origin as the service; its requests still carry its own name here.
    """
    names = {name.lower() for name in settings.host_names}
    if settings.is_local:
        names |= {"localhost", "127.0.0.1", "[::1]", settings.host.lower()}
    elif not names:
        return lambda host: None
    good: set[bytes] = set()

    def check(host: bytes) -> None:
        if host in good:
            return
        text = host.decode("latin-1").lower()
        bare = text.rsplit(":", 1)[0] if ":" in text and not text.endswith("]") else text
        if bare not in names:
            raise Problem(
                400,
                "host",
                "The Host header is a name of this service",
                text or "none",
                "Call it by localhost, or start it with this among its host_names (--host-name NAME)",
            )
        if len(good) < 64:
            good.add(host)

    return check


class CorsAllowed:
    """A CorsAllowed says which pages on other origins may read answers: none, unless they were named."""

    def __init__(self, origins: Iterable[str]) -> None:
        self._origins = {origin.encode() for origin in origins}
        self.preflight = [
            (b"access-control-allow-methods", b"GET, POST, DELETE"),
            (b"access-control-allow-headers", b"authorization, content-type, x-api-key"),
            (b"access-control-max-age", b"600"),
        ]

    def headers(self, origin: bytes) -> list[tuple[bytes, bytes]]:
        """Returns what lets this origin read the answer; nothing for others."""
        if origin not in self._origins:
            return []
        return [
            (b"access-control-allow-origin", origin),
            (b"vary", b"origin"),
            (b"access-control-expose-headers", b"retry-after"),
        ]
