"""This module takes events in, says what is known of a person, and erases a person."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from butaca.errors import SettingError
from butaca.events.records import Event
from butaca.recommend.recommender import Recommender
from butaca.serve.answering import same_id
from butaca.serve.routes.common import PathId, TheService, body_of, json_response, problems
from butaca.serve.schemas import EventIn, EventsRequest, TextId, parse, seconds_of
from butaca.serve.schemas_out import ErasedAnswer, EventsAnswer, HistoryAnswer, UndoneAnswer

router = APIRouter(prefix="/v1")

#: Seconds that an event's time may lie ahead of this machine's clock: clocks differ, and so do time zones.
AHEAD = 86_400


@router.post(
    "/events",
    tags=["events"],
    response_model=EventsAnswer,
    responses=problems(408, 409, 413, 415, 422),
    openapi_extra=body_of("EventsRequest"),
    summary="Store what people did",
)
async def add_events(service: TheService, request: Request) -> Response:
    """Stores a batch whole or not at all; it is on disk before this answers.

    Ids are made by the client, and count per user and client (the key's name): what is sent again under its
    id changes nothing and counts as `known`; the same id for something else is 409. Events count in the
    very next list of their user.
    """
    asked = parse(EventsRequest, await request.body())
    now = int(time.time())
    batch = [_event(event, now, at) for at, event in enumerate(asked.events)]
    users = {event.user for event in batch}
    try:
        added = await service.writes.run(service.store.add, batch, client_of(request))
    finally:  # stored or not, or not known: what is remembered may be old
        service.live.forget(users)
    service.telemetry.accepted.inc(added.new)
    service.telemetry.known.inc(added.known)
    return json_response({"accepted": added.new, "known": added.known})


def client_of(request: Request) -> str:
    """Returns the name of the key that a request carries; empty where none are needed."""
    name: str = request.scope.get("butaca.client", "")
    return name


@router.delete(
    "/events/{id:segment}",
    tags=["events"],
    response_model=UndoneAnswer,
    responses=problems(409, 422),
    summary="Take one event back",
)
async def undo(
    service: TheService,
    request: Request,
    *,
    id: PathId,  # noqa: A002
    user: Annotated[
        TextId | None, Query(description="Whose event it is; needed where several users have one of this id.")
    ] = None,
) -> Response:
    """Removes one event that the same client sent; it counts no more in the very next list.

    `removed` is 0 where there is no such event (any more). Sent again, the event is stored again.
    """
    found = None
    try:
        found = await service.writes.run(service.store.undo, id, user, client=client_of(request))
    finally:
        whose = user if found is None else found
        service.live.forget(None if whose is None else [whose])
    return json_response({"id": id, "user": whose, "removed": int(found is not None)})


def _event(event: EventIn, now: int, at: int) -> Event:
    """Makes the event that is stored; `at` is its place in the batch.

    Raises:
        SettingError: it has yet to happen. As the latest of its person's events it would stay so for years.
    """
    when = event.time
    when = now if when is None else seconds_of(when)
    if when > now + AHEAD:
        raise SettingError(
            f"The time of event {at} of the batch is at most a day ahead of the service's clock",
            f"{event.time}, while the clock says {datetime.fromtimestamp(now, UTC)}",
            "Send seconds since 1970-01-01 UTC (milliseconds: divide by 1000), or leave it out for now",
        )
    when = min(when, now)  # the last word counts: one of tomorrow would outrank today's
    return Event(event.id, str(event.user), str(event.item), event.kind, event.value, when, event.request_id)


@router.get(
    "/users/{id:segment}/history",
    tags=["users"],
    response_model=HistoryAnswer,
    responses=problems(422),
    summary="What is known of a person",
)
async def history(service: TheService, id: PathId) -> Response:  # noqa: A002
    """Lists what the model was trained on and the last 1,000 events since, latest first; may be empty."""
    recommender = service.registry.serving.default.recommender
    titles, known = recommender.catalogue.titles, recommender.catalogue.known
    events = await service.reads.run(service.store.history, id)
    erased = await service.reads.run(service.store.erased, id)
    entries = []
    for event in reversed(events):
        code = known(event.item)
        entries.append(
            {
                "id": event.item,
                "title": event.item if code is None else titles[code],
                "kind": event.kind,
                "value": event.value,
                "time": event.time,
                "from": "events",
            }
        )
    if not erased:
        entries += _trained(recommender, id)
    entries.sort(key=lambda entry: -1 if entry["time"] is None else entry["time"], reverse=True)  # stable
    return json_response({"user": id, "erased": erased, "items": entries})


def _trained(recommender: Recommender, user: str) -> list[dict[str, Any]]:
    if not same_id(recommender, user):
        return []
    code = recommender.users.ids.code(user)
    _, at = recommender.seen.rows(np.array([code], dtype=np.int32))
    seen = recommender.seen
    if seen.time is not None:
        at = at[np.argsort(-seen.time[at], kind="stable")]
    ids, titles = recommender.catalogue.ids, recommender.catalogue.titles
    return [
        {
            "id": ids[seen.items[i]],
            "title": titles[seen.items[i]],
            "kind": None,
            "value": None if seen.value is None or np.isnan(seen.value[i]) else float(seen.value[i]),
            "time": None if seen.time is None else int(seen.time[i]),
            "from": "training",
        }
        for i in at.tolist()
    ]


@router.delete(
    "/users/{id:segment}",
    tags=["users"],
    response_model=ErasedAnswer,
    responses=problems(422),
    summary="Erase a person",
)
async def erase(service: TheService, id: PathId) -> Response:  # noqa: A002
    """Removes the person's events and the lists they were shown, for good.

    A keyed hash of the id stays, so that what a model learned of the person is no longer used, and
    `butaca fit --from-events` leaves them out. What they do from now on is a new person's.
    """
    try:
        erased = await service.writes.run(service.store.erase, id)
    finally:
        service.live.forget([id])
    counts = {"events": erased.events, "recommendations": erased.recommendations}
    return json_response({"user": id, "erased": counts})
