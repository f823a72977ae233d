"""This module shows the models: which there are, which answers, and how they compare online."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from butaca.catalogue.items import Catalogue
from butaca.errors import BundleError, UnknownEntityError
from butaca.events.attribution import ArmCounts
from butaca.events.experiments import difference, rate
from butaca.serve.http.problems import of_error
from butaca.serve.routes.common import TheService, body_of, json_response, problems
from butaca.serve.schemas import Nothing, parse
from butaca.serve.schemas_out import Activated, ExperimentsAnswer, ModelsAnswer
from butaca.serve.service import Service
from butaca.serve.version_facts import model_info

router = APIRouter(prefix="/v1", tags=["models"])

#: Seconds for which a count of the experiment holds: it reads every list that was logged.
FRESH = 5.0


@router.get("/models", response_model=ModelsAnswer, responses=problems(), summary="Every version there is")
async def models(service: TheService) -> Response:
    """Lists the versions that are loaded or lie in the folders now, with their verdict against baselines."""
    versions = await service.models.run(service.registry.versions)
    return json_response({"models": [model_info(version) for version in versions]})


@router.post(
    "/models/{version:segment}/activate",
    response_model=Activated,
    responses=problems(404, 409, 413, 415, 422),
    openapi_extra=body_of("Nothing", {"nothing": {"value": {}}}),
    summary="Let a version answer from now on",
)
async def activate(
    service: TheService, request: Request, *, version: Annotated[str, Path(min_length=1, max_length=64)]
) -> Response:
    """Loads a version if need be and verifies it whole; then one swap, without a failed request.

    A damaged folder is answered 409, and what answered before still does. The version that was replaced
    stays in memory and can be activated again. The body is empty, or {}.
    """
    body = await request.body()
    if body:
        parse(Nothing, body)
    try:
        chosen = await service.models.run(service.registry.activate, version)
    except (UnknownEntityError, BundleError) as error:
        raise of_error(error, in_path=True) from None
    service.count_models()
    return json_response({"name": chosen.name, "version": chosen.version, "active": True})


def experiment(service: Service) -> dict[str, Any]:
    """Returns the online comparison as it stood at most `FRESH` seconds ago; reads the store."""
    now = time.monotonic()
    until, comparison = service.experiment
    if now >= until:
        comparison = _experiment(service)
        service.experiment = (now + FRESH, comparison)
    return comparison


def _experiment(service: Service) -> dict[str, Any]:
    registry = service.registry
    serving = registry.serving
    models = {name: serving.active[name].version for name in registry.split}
    called = {name: _named(serving.active[name].recommender.catalogue) for name in registry.split}
    counts = dict(service.store.experiment(models=models, names=called)) if registry.split else {}
    empty = ArmCounts(0, 0, 0, 0, 0.0)
    arms = []
    for name, share in registry.split.items():
        found = rate(counts.get(name, empty))
        arms.append(
            {
                "name": name,
                "model": models[name],
                "share": share,
                "recommendations": found.counts.recommendations,
                "with_event": found.counts.with_event,
                "events": found.counts.events,
                "users": found.counts.users,
                "rate": _finite(found.rate),
                "low": found.low,
                "high": found.high,
            }
        )
    names = list(registry.split)
    differences = []
    for name in names[1:]:
        found_difference = difference(counts, name, base=names[0])
        differences.append(
            {
                "arm": name,
                "base": names[0],
                "difference": _finite(found_difference.difference),
                "low": found_difference.low,
                "high": found_difference.high,
            }
        )
    return {"arms": arms, "differences": differences}


def _named(catalogue: Catalogue) -> Callable[[str], str]:
    """Returns what finds an item's id as lists have it: an event may call it by its title."""

    def id_of(item: str) -> str:
        code = catalogue.known(item)
        return item if code is None else str(catalogue.ids[code])

    return id_of


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


@router.get(
    "/experiments",
    response_model=ExperimentsAnswer,
    responses=problems(),
    summary="Two models side by side on real people",
)
async def experiments(service: TheService) -> Response:
    """Compares the arms of `--split`: lists shown, those that led to an event, the rate with its interval.

    An event counts for a list if it carries its request_id and its item was in it. Without a split there
    are no arms.
    """
    return json_response(await service.reads.run(experiment, service))
