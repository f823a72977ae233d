"""This module says who may do what: the scope that each path needs, and API keys, remembered for a moment."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from typing import Any

#: What a key may be for.
READ, WRITE, ADMIN = "read", "write", "admin"
SCOPES = (READ, WRITE, ADMIN)

#: Answers of the key check that are remembered.
REMEMBERED = 4_096


def scope_of(method: str, path: str) -> str | None:
    """Returns the scope that a request needs; None for what is open to all: the page, health, the schema.

    What is not named here needs a key, so that a new route is closed until somebody opens it.

    >>> [scope_of(*r) for r in (("GET", "/"), ("POST", "/v1/recommend"), ("DELETE", "/v1/users/21"))]
    [None, 'read', 'admin']
    """
    if path in {"/", "/state", "/openapi.json", "/favicon.ico"} or path.startswith(("/static/", "/health/")):
        return None
    if path == "/v1/events":
        return WRITE
    if path == "/v1/recommend" or method in {"GET", "HEAD"}:
        return READ
    return ADMIN


class KeyCheck:
    """A KeyCheck checks keys against the store, and remembers the answers for a moment.

    Args:
        verify: the store's check, which gives a key with `scopes`, or None. Its second argument is how
            many seconds old its own copy of the keys may be.
        threads: where it runs.
        staleness: seconds until a key that another process revoked is refused. Half of it is the store's.
    """

    def __init__(self, verify: Callable[[str, float], Any], threads: Executor, *, staleness: float) -> None:
        self._verify, self._threads, self._half = verify, threads, max(staleness, 0.05) / 2
        self._known: OrderedDict[bytes, tuple[Any, float]] = OrderedDict()

    async def find(self, plaintext: str) -> Any | None:
        """Returns the key that a text is, or None where there is no such."""
        digest = hashlib.sha256(plaintext.encode("utf-8", "surrogateescape")).digest()
        found = self._known.get(digest)
        now = time.monotonic()
        if found is not None and found[1] > now:
            return found[0]
        key = await asyncio.get_running_loop().run_in_executor(
            self._threads, self._verify, plaintext, self._half
        )
        self._known[digest] = (key, now + self._half)
        self._known.move_to_end(digest)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return key


def presented(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Returns the key in a request's headers: `Authorization: Bearer KEY`, or `X-API-Key: KEY`."""
    for name, value in headers:
        if name == b"x-api-key":
            return value.decode("latin-1").strip()
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            return value[7:].decode("latin-1").strip()
    return None
