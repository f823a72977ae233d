"""This module wires the application: routes, their OpenAPI document, and the guard in front of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version as installed
from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException
from starlette.responses import Response

from butaca.errors import ButacaError
from butaca.serve.answering import Answering, Stub
from butaca.serve.examples import request_examples
from butaca.serve.guard import Guard
from butaca.serve.http.errors import logged_problem
from butaca.serve.http.headers import DATA_HEADERS
from butaca.serve.http.problems import MEDIA_TYPE, Problem
from butaca.serve.ports import Store
from butaca.serve.registry import Registry
from butaca.serve.routes import events, items, models, page, recommend, state
from butaca.serve.routes.common import known_parameters
from butaca.serve.schemas import EventsRequest, Nothing, RecommendRequest
from butaca.serve.schemas_out import ProblemOut
from butaca.serve.service import OPEN, Service
from butaca.serve.settings import ServeSettings
from butaca.serve.telemetry import log

DESCRIPTION = """A two-tower recommender you can defend.

Errors are `application/problem+json` with the rule, what was received and the cure. With keys in use, send
`Authorization: Bearer KEY` or `X-API-Key: KEY`; scopes are read, write and admin."""

TAGS = [
    {"name": "recommend", "description": "Lists for people."},
    {"name": "items", "description": "The catalogue."},
    {"name": "events", "description": "What people did; it counts at once."},
    {"name": "users", "description": "What is known of a person, and its erasure."},
    {"name": "models", "description": "Versions, activation, online comparison."},
    {"name": "state", "description": "Health and metrics."},
]


def create_app(
    registry: Registry,
    store: Store,
    *,
    settings: ServeSettings | None = None,
    keys: bool = False,
    stub: Stub | None = None,
) -> Guard:
    """Makes an ASGI application that answers from loaded models.

    Args:
        registry: the models.
        store: events, lists and keys; closed when the application ends.
        settings: limits and the like.
        keys: whether requests need an API key.
        stub: answers in place of the model, for benchmarks.
    """
    service = Service(settings or ServeSettings(), registry, store=store, keys=keys)
    answering = Answering(service, stub)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.start()
        models = {m.name: m.version for m in registry.serving.active.values()}
        log.info("serving", models=models, split=registry.split, keys=keys)
        if not keys:
            log.warning(OPEN)
        try:
            yield
        finally:
            await asyncio.to_thread(service.close)
            log.info("stopped", requests=service.telemetry.total, waiting_lists=len(service.shown))

    app = FastAPI(
        title="butaca",
        version=installed("butaca"),
        description=DESCRIPTION,
        openapi_tags=TAGS,
        lifespan=lifespan,
        docs_url=None,  # its page loads scripts from another host
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.service, app.state.answering = service, answering
    strict = [Depends(known_parameters)]
    for routes in (recommend, items, events, models, state):
        app.include_router(routes.router, dependencies=strict)
    app.include_router(page.router)
    for kind in (Problem, ButacaError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, _tell)
    app.openapi = lambda: _openapi(app, service)  # type: ignore[method-assign]
    guard = Guard(app, service, direct={"/v1/recommend": answering})
    service.running = lambda: guard.in_flight()
    return guard


async def _tell(request: Request, error: Exception) -> Response:
    """Answers with a problem what a route raised."""
    problem, request_id = logged_problem(error, request.method, path=request.scope["path"])
    headers = {name.decode(): value.decode() for name, value in [*problem.headers, *DATA_HEADERS]}
    return Response(problem.body(request_id), problem.status, headers, MEDIA_TYPE)


def _openapi(app: FastAPI, service: Service) -> dict[str, Any]:
    """Returns the OpenAPI document, with the bodies that routes parse themselves, and examples."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
            tags=app.openapi_tags,
        )
        models: Any = [
            (model, "validation") for model in (RecommendRequest, EventsRequest, Nothing, ProblemOut)
        ]
        _, extra = models_json_schema(models, ref_template="#/components/schemas/{model}")
        components = document.setdefault("components", {})
        schemas = components.setdefault("schemas", {})
        schemas |= extra.get("$defs", {})
        components["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }
        if app.state.service.settings.root_path:
            document["servers"] = [{"url": app.state.service.settings.root_path}]
        document["security"] = [{}, {"bearer": []}, {"header": []}]
        for path, examples in request_examples(service.registry.serving.default.recommender).items():
            body = document["paths"][path]["post"]["requestBody"]
            body["content"]["application/json"]["examples"] = examples
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        app.openapi_schema = document
    return app.openapi_schema
