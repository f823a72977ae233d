"""This module holds what the routes share: ids in paths, JSON out, and the documents of their problems."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any
from urllib.parse import unquote

import orjson
from fastapi import Depends, Path, Request
from starlette.convertors import Convertor, register_url_convertor
from starlette.responses import Response

from butaca.serve.http.headers import DATA_HEADERS, takes_gzip
from butaca.serve.http.packed import Packed
from butaca.serve.http.problems import MEDIA_TYPE, unknown_parameters
from butaca.serve.schemas import TextId
from butaca.serve.service import Service


class Segment(Convertor[str]):
    """A Segment is one segment of a path as it was sent, decoded after routing: an id holds any character."""

    regex = "[^/]*"

    def convert(self, value: str) -> str:
        """Returns the decoded text; bytes that are not UTF-8 become lone surrogates, which no id may hold."""
        return unquote(value, errors="surrogateescape")

    def to_string(self, value: str) -> str:
        """Returns the text as it is: no address is made from a route."""
        return value


register_url_convertor("segment", Segment())


def service_of(request: Request) -> Service:
    """Returns the running service."""
    service: Service = request.app.state.service
    return service


def known_parameters(request: Request) -> None:
    """Refuses a query with parameters that the route does not have, as a body with unknown fields is.

    Raises:
        Problem: 422.
    """
    query = request.scope["query_string"]
    if query:
        route = request.scope["route"]
        known = set(_query_names(route.dependant))
        if not known.issuperset(request.query_params):
            raise unknown_parameters(query, known)


def _query_names(dependant: Any) -> Iterator[str]:
    """Yields the names of the query's parameters that a route or what it depends on takes."""
    yield from (field.alias for field in dependant.query_params)
    for inner in dependant.dependencies:
        yield from _query_names(inner)


TheService = Annotated[Service, Depends(service_of)]
PathId = Annotated[TextId, Path(description="An id, percent-encoded: %2F for a slash.")]


def json_response(content: Any) -> Response:
    """Answers JSON as it is: answers are made here, so nothing checks them again at run time."""
    return raw_json(orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY))


_DATA = {name.decode(): value.decode() for name, value in DATA_HEADERS}


def raw_json(content: bytes) -> Response:
    """Answers JSON that is bytes already."""
    return Response(content, headers=_DATA, media_type="application/json")


def packed_json(packed: Packed, request: Request) -> Response:
    """Answers JSON that stays the same for as long as its model does."""
    return packed_response(packed, request, headers=_DATA)


def packed_response(packed: Packed, request: Request, *, headers: Mapping[str, str]) -> Response:
    """Answers bytes that a browser may have already: 304 then; compressed where that is taken."""
    headers = {**headers, "cache-control": "no-cache", "etag": packed.tag, "vary": "accept-encoding"}
    if packed.tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    content = packed.content
    if packed.gzip is not None and takes_gzip(request.headers.get("accept-encoding", "").encode("latin-1")):
        content, headers["content-encoding"] = packed.gzip, "gzip"
    headers["content-type"] = packed.kind
    return Response(b"" if request.method == "HEAD" else content, headers=headers)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Returns what OpenAPI says of the problems that a route may answer with, beside those that all may."""
    meanings = {
        400: "The Host header is not a name of this service",
        401: "No API key, where one is needed",
        403: "The key's scopes do not cover this",
        404: "There is no such item, user or version",
        408: "The body did not arrive in time",
        409: "The model's folder is damaged, and that in use stays; an event's id is another one's",
        413: "The body is too large",
        415: "The body is not application/json",
        422: "The request breaks a rule, which the answer names",
        429: "Too many requests; Retry-After says when to come back",
        500: "An error of ours; the log has it under the request_id",
        503: "Overloaded, or the event store is away; Retry-After says when to come back",
    }
    always = (400, 401, 403, 429, 500, 503)
    return {
        status: {
            "description": meanings[status],
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemOut"}}},
        }
        for status in sorted({*always, *statuses})
    }


def body_of(model: str, examples: dict[str, Any] | None = None) -> dict[str, Any]:
    """Returns what OpenAPI says of a body that the route parses itself; without examples they come later."""
    content = {"schema": {"$ref": f"#/components/schemas/{model}"}, "examples": examples or {}}
    return {"requestBody": {"required": True, "content": {"application/json": content}}}
