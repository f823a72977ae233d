"""This module says who may do what: the scope that each path needs, and the key that a request presents."""

from __future__ import annotations

from collections.abc import Iterable

#: What a key may be for.
READ, WRITE, ADMIN = "read", "write", "admin"
SCOPES = (READ, WRITE, ADMIN)


def scope_of(method: str, path: str) -> str | None:
    """Returns the scope that a request needs; None for what is open to all: the page, health, the schema.

    What is not named here needs a key, so that a new route is closed until somebody opens it.

    >>> [scope_of(*r) for r in (("GET", "/"), ("POST", "/v1/recommend"), ("DELETE", "/v1/users/21"))]
    [None, 'read', 'admin']
    """
    if path in {"/", "/state", "/openapi.json", "/favicon.ico"} or path.startswith(("/static/", "/health/")):
        return None
    if path == "/v1/events" or (method == "DELETE" and path.startswith("/v1/events/")):
        return WRITE
    if path == "/v1/recommend" or method in {"GET", "HEAD"}:
        return READ
    return ADMIN


def presented(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Returns the key in a request's headers: `Authorization: Bearer KEY`, or `X-API-Key: KEY`."""
    for name, value in headers:
        if name == b"x-api-key":
            return value.decode("latin-1").strip()
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            return value[7:].decode("latin-1").strip()
    return None
