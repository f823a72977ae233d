"""This module says how the service is: health, metrics, and what the state page shows."""

from __future__ import annotations

import time
from importlib.metadata import version as installed
from typing import Any

from fastapi import APIRouter
from starlette.responses import PlainTextResponse, Response

from butaca.serve.http.problems import Problem
from butaca.serve.logs import lost_lines
from butaca.serve.routes.common import TheService, json_response, problems
from butaca.serve.routes.models import experiment
from butaca.serve.schemas_out import Health
from butaca.serve.version_facts import model_info

router = APIRouter(tags=["state"])


@router.get("/health/live", response_model=Health, summary="Whether the process answers")
async def live() -> Response:
    """Answers always, while the process does."""
    return json_response({"status": "live"})


@router.get(
    "/health/ready", response_model=Health, responses=problems(), summary="Whether it can do its work"
)
async def ready(service: TheService) -> Response:
    """Checks that an event could be stored now, in the file that was opened, and that background work runs.

    Else it is 503, and says which of reading (lists know of people's events), writing (events are stored)
    and background work is down, and why.
    """
    read, write = await service.probing.run(service.health.check)
    broken = [
        {"loc": ["store", name], "msg": f"{what}: {half.reason}", "type": "store"}
        for name, what, half in (
            ("read", "what people did can't be read", read),
            ("write", "events can't be stored", write),
        )
        if not half.works
    ]
    broken += [{"loc": ["loops"], "msg": f"{told}", "type": "loop"} for told in service.watch.down()]
    if broken:
        works = "; lists are answered" if not (read.works and write.works) else ""
        raise Problem(
            503,
            "not-ready",
            "An event could be stored now, what people did can be read, and background work runs",
            "; ".join(str(one["msg"]) for one in broken) + works,
            "The log says more under the request_id",
            errors=broken,
            retry_after=1,
        ) from (write.error or read.error)
    return json_response({"status": "ready"})


@router.get("/metrics", response_class=PlainTextResponse, responses=problems(), summary="For Prometheus")
async def metrics(service: TheService) -> Response:
    """Gives requests, latencies, lists by source and model, events, what was shed, the queue, the models."""
    telemetry = service.telemetry
    telemetry.in_flight.set(service.running())
    telemetry.queue.set(len(service.shown))
    telemetry.lines_lost.set(lost_lines())
    service.watch.count()
    return Response(telemetry.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")


@router.get(
    "/v1/state", response_model=dict[str, Any], responses=problems(), summary="What the state page shows"
)
async def state(service: TheService) -> Response:
    """Gives models and verdicts, latencies of the last lists, counts since the start, the comparison."""
    telemetry, serving = service.telemetry, service.registry.serving
    versions = await service.models.run(service.registry.versions)
    default = serving.default
    now = time.time()
    return json_response(
        {
            "butaca": installed("butaca"),
            "started_at": telemetry.started,
            "uptime_seconds": round(now - telemetry.started, 1),
            "model": next(
                (
                    model_info(v)
                    for v in versions
                    if (v["name"], v["version"]) == (default.name, default.version)
                ),
                None,  # replaced while it was looked for
            ),
            "models": [model_info(v) | {"metrics": {}} for v in versions],
            "data": {
                "users": len(default.recommender.users),
                "items": len(default.recommender.items),
                "interactions": int(default.recommender.popularity.sum()),
            },
            "latency": telemetry.latency.percentiles(),
            "requests": {
                "total": telemetry.total,
                "errors": telemetry.errors,
                "shed": int(telemetry.shed._value.get()),
                "in_flight": service.running(),
            },
            "lists": {
                "logged": int(telemetry.logged._value.get()),
                "dropped": int(telemetry.dropped._value.get()),
                "waiting": len(service.shown),
            },
            "experiment": await service.reads.run(experiment, service),
        }
    )
