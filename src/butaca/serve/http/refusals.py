"""This module says in words what the guard refuses before any work is done."""

from __future__ import annotations

from butaca.serve.http.headers import Headers
from butaca.serve.http.problems import Problem


def check_direct(headers: Headers, version: str | None) -> None:
    """Checks that a request which needs no key comes from whoever may send one: this machine itself.

    Raises:
        Problem: 403, it came through a proxy; HTTP/1.0 is what proxies speak by default.
    """
    if headers.forwarded or version == "1.0":
        raise Problem(
            403,
            "forwarded",
            "Without API keys the service answers who calls it directly, not through a proxy",
            headers.forwarded.decode("latin-1") if headers.forwarded else "HTTP/1.0, as proxies speak it",
            "Make a key with `butaca keys add NAME --scope read` and restart the service",
        )


def too_late(seconds: float, reading: bool) -> Problem:
    """Returns the problem of a request, or of a body, that took too long."""
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


def overload(most: int) -> Problem:
    """Returns the problem of one request too many."""
    rule = f"At most {most} requests are in work at once"
    return Problem(503, "overload", rule, "one more", "Try again in a second", retry_after=1)


def too_large(limit: int, received: str) -> Problem:
    """Returns the problem of a body that is too large."""
    return Problem(413, "too-large", f"A body has at most {limit:,} bytes", received, "Send smaller batches")
