"""This module writes errors as application/problem+json (RFC 9457), with butaca's rule, received and cure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

import orjson
from pydantic import ValidationError

from butaca.errors import BundleError, ButacaError, ConflictError, UnknownEntityError

MEDIA_TYPE = "application/problem+json"

_FORMS = re.compile(
    r"constrained-\w+|function-\w+\[.*|list\[.*|str|int|float|bool|datetime|HistoryItem|Conditions", re.S
)

#: How much of what was received is said back.
SHOWN = 200


class Problem(Exception):  # noqa: N818 - it is an answer
    """A Problem is an answer that is not the one asked for.

    Args:
        status: of HTTP.
        kind: what it is called in its `type`, such as "too-large".
        rule: what must hold.
        received: what was found instead; cut to a length fit to show.
        cure: what to do about it.
        errors: for a body that breaks several rules, each with its place.
        retry_after: seconds, for what passes by itself.
        headers: further ones.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        rule: str,
        received: str = "",
        cure: str = "",
        *,
        errors: Sequence[dict[str, Any]] = (),
        retry_after: float | None = None,
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        super().__init__(rule)
        self.status, self.kind = status, kind
        self.rule, self.received, self.cure = rule, shown(received), cure
        self.errors = list(errors)
        self.headers = list(headers)
        if retry_after is not None:
            self.headers.append((b"retry-after", str(max(1, round(retry_after + 0.499))).encode()))

    def body(self, request_id: str = "") -> bytes:
        """Returns the JSON that is sent."""
        detail = ButacaError(self.rule, self.received, self.cure)
        content: dict[str, Any] = {
            "type": f"urn:butaca:problem:{self.kind}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": str(detail),
            "rule": self.rule,
            "received": self.received,
            "cure": self.cure,
        }
        if self.errors:
            content["errors"] = self.errors
        if request_id:
            content["request_id"] = request_id
        return orjson.dumps(content)


def shown(value: object) -> str:
    """Returns a value as text that is safe to send back: short, and UTF-8.

    >>> shown("a" * 500)[-12:]
    'aaaa … (500)'
    """
    text = value if isinstance(value, str) else repr(value)
    if len(text) > SHOWN:
        text = f"{text[:SHOWN]} … ({len(text)})"
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\x00", "\\x00")


def of_error(error: ButacaError, *, in_path: bool = False) -> Problem:
    """Makes the problem that answers an error which the caller can mend."""
    status, kind = 422, "unprocessable"
    if isinstance(error, UnknownEntityError):
        status, kind = (404 if in_path else 422), "unknown-entity"
    elif isinstance(error, BundleError):
        status, kind = 409, "damaged-model"
    elif isinstance(error, ConflictError):
        status, kind = 409, "conflict"
    return Problem(status, kind, error.rule, error.received, error.cure)


def of_validation(errors: Sequence[Any], *, place: str = "body") -> Problem:
    """Makes the problem of a request that does not fit its schema, with every broken rule and its place."""
    broken: list[dict[str, Any]] = []
    for error in errors[:20]:
        loc = [
            part if isinstance(part, int) else shown(part) for part in error["loc"] if not _alternative(part)
        ]
        if place and loc[:1] != [place] and loc[:1] not in (["path"], ["query"], ["header"]):
            loc = [place, *loc]
        entry = {"loc": loc, "msg": shown(error["msg"]), "type": error["type"]}
        if "input" in error and isinstance(error["input"], str | int | float | bool | None):
            entry["input"] = shown(error["input"])
        broken.append(entry)
    first = broken[0]
    where = ".".join(map(str, first["loc"]))
    received = f"{where}: {first.get('input', first['msg'])}"
    if len(errors) > 1:
        received += f", and {len(errors) - 1} more"
    return Problem(
        422,
        "invalid",
        f"A request fits the schema in /openapi.json ({where}: {first['msg']})",
        received,
        "See `errors`, which names each place",
        errors=broken,
    )


def _alternative(part: int | str) -> bool:
    """Says whether a part of a place is not in the body, but names a form that it might have had."""
    return isinstance(part, str) and _FORMS.fullmatch(part) is not None


def of_pydantic(error: ValidationError, *, place: str = "body") -> Problem:
    """Makes the problem of a body that pydantic refuses, as `of_validation` does."""
    return of_validation(error.errors(include_url=False, include_context=False), place=place)


def not_found(path: str) -> Problem:
    """Makes the problem that answers a path without a route."""
    return Problem(404, "no-route", "A path is one of those in /openapi.json", path, "See /openapi.json")


def unknown_parameters(query: bytes, known: Iterable[str]) -> Problem:
    """Makes the problem of a query with parameters that the path does not have."""
    names = dict.fromkeys(name for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True))
    allowed = set(known)
    takes = f"This path takes {', '.join(sorted(allowed))}" if allowed else "This path takes none"
    errors = [
        {"loc": ["query", shown(name)], "msg": takes, "type": "extra_forbidden"}
        for name in names
        if name not in allowed
    ]
    return Problem(
        422,
        "invalid",
        f"A query has the parameters that its path takes. {takes}",
        ", ".join(name for name in names if name not in allowed),
        "Correct the name, or leave it out",
        errors=errors[:20],
    )
