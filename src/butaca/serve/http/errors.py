"""This module makes problems of errors: the caller's with their cure, ours without their insides."""

from __future__ import annotations

import re
from urllib.parse import unquote

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from butaca.errors import ButacaError, StoreError
from butaca.serve.http.problems import Problem, not_found, of_error, of_pydantic, of_validation, shown
from butaca.serve.telemetry import log, uuid7


def logged_problem(error: Exception, method: str, *, path: str) -> tuple[Problem, str]:
    """Returns the problem that answers an exception and the id under which the log has it; logs our own."""
    problem, request_id = problem_of(error, path), uuid7()
    if problem.status >= 500 and problem.kind not in {"overload", "timeout", "busy"}:
        cause = error if problem.status == 500 else None
        log.error(
            "request failed",
            request_id=request_id,
            method=method,
            path=shown(logged(path)),
            status=problem.status,
            reason=str(error if error.__cause__ is None else error.__cause__),
            exc_info=cause,
        )
    return problem, request_id


def logged(path: str) -> str:
    """Returns a path without whom it is about, whatever its spelling: a log outlives an erasure.

    >>> logged("/v1/users/ana/history"), logged("/v1/items/7"), logged("//V1/users/ana"), logged("/x")
    ('/v1/users/*', '/v1/items/7', '*', '*')
    """
    if path.startswith("/v1/users/"):
        return "/v1/users/*"
    if path.startswith("/v1/events/"):
        return "/v1/events/*"
    known = _NAMELESS.match(path) is not None
    return path if known and "user" not in unquote(unquote(path)).lower() else "*"


#: Paths that name nobody.
_NAMELESS = re.compile(
    r"/(v1/(items|models|filters|map|recommend|events|experiments|state)(/|$)|health/|metrics$|static/|state$"
    r"|openapi\.json$|$)"
)


def problem_of(error: Exception, path: str) -> Problem:
    """Returns the problem that an exception is answered with."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, StoreError):
        return Problem(
            503,
            "store",
            "The event store can be read and written",
            "one that can't",
            "Try again; an event that is sent again under its id is stored once",
            retry_after=1,
        )
    if isinstance(error, ButacaError):
        return of_error(error)
    if isinstance(error, RequestValidationError):
        return of_validation(error.errors(), place="")
    if isinstance(error, ValidationError):
        return of_pydantic(error)
    if isinstance(error, HTTPException):
        if error.status_code == 404:
            return not_found(path)
        if error.status_code == 405:
            allow = (error.headers or {}).get("Allow", "")
            return Problem(
                405,
                "method",
                "A path is asked with a method that it has",
                path,
                f"Use {allow}" if allow else "See /openapi.json",
                headers=[(b"allow", allow.encode())] if allow else [],
            )
        return Problem(error.status_code, "http", str(error.detail))
    return Problem(
        500,
        "internal",
        "A request is answered",
        "an error of ours",
        "Tell whoever runs this the request_id: the log has the rest",
    )
