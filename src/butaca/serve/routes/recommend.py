"""This module gives POST /v1/recommend, which guard.py answers before the router, its place in OpenAPI."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from butaca.serve.routes.common import body_of, problems, raw_json
from butaca.serve.schemas_out import RecommendAnswer

router = APIRouter(prefix="/v1", tags=["recommend"])


@router.post(
    "/recommend",
    response_model=RecommendAnswer,
    responses=problems(404, 408, 413, 415, 422),
    openapi_extra=body_of("RecommendRequest"),
    summary="The best items for one person",
)
async def recommend(request: Request) -> Response:
    """Recommends to anyone: a known user, a history in the request, both, or neither.

    The ladder: what is known of the user, with events since training and the given history; the given
    history alone; features; popularity. `source` names the rung. Filters apply before the list is cut, so
    `k` items come back if they exist.
    """
    return raw_json(await request.app.state.answering(await request.body()))
