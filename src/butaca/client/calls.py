"""This module writes what is asked of a service, each route once, for both clients."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeAlias, TypeVar
from urllib.parse import quote

from butaca.client.types import (
    Activated,
    ErasedAnswer,
    EventIn,
    EventsAnswer,
    ExperimentsAnswer,
    FiltersAnswer,
    Health,
    HistoryAnswer,
    ItemFull,
    ItemList,
    MapAnswer,
    ModelsAnswer,
    RecommendAnswer,
    RecommendRequest,
    SimilarAnswer,
    UndoneAnswer,
    ValuesAnswer,
)

Answer = TypeVar("Answer")

#: An id as the tables have it.
AnyId: TypeAlias = str | int

#: What people do.
Kind: TypeAlias = Literal["watch", "rate", "like", "save", "click", "purchase", "skip", "dislike"]

#: Events that a service takes at once.
BATCH = 1_000


@dataclass(frozen=True)
class Call(Generic[Answer]):
    """A Call is one request, which may be sent again: no route of the service does more the second time.

    Attributes:
        method, path: of HTTP, the ids in the path encoded.
        params: of the query; None is left out.
        body: as JSON values, or None.
    """

    method: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None


def event(
    user: AnyId,
    item: AnyId,
    *,
    kind: Kind = "watch",
    value: float | None = None,
    time: int | str | None = None,
    request_id: str | None = None,
    id: str | None = None,  # noqa: A002 - as the service calls it
) -> EventIn:
    """Makes an event with an id of its own, so that sending it again changes nothing.

    Args:
        user: who.
        item: what, by id or title.
        kind: what was done.
        value: a rating or weight.
        time: seconds since 1970, or ISO 8601; None: when it arrives.
        request_id: of the list that led to it.
        id: one that you have, such as an order's number; None makes one.
    """
    made: EventIn = {"id": id or uuid.uuid4().hex, "user": user, "item": item, "kind": kind}
    if value is not None:
        made["value"] = value
    if time is not None:
        made["time"] = time
    if request_id is not None:
        made["request_id"] = request_id
    return made


def _in_path(one: AnyId) -> str:
    """Returns an id as a part of a path.

    >>> _in_path("AC/DC: Live"), _in_path(7)
    ('AC%2FDC%3A%20Live', '7')
    """
    return quote(str(one), safe="")


def recommend(asked: RecommendRequest) -> Call[RecommendAnswer]:
    """Asks for a list."""
    return Call("POST", "/v1/recommend", body=asked)


def items(query: str, *, limit: int, model: str | None) -> Call[ItemList]:
    """Asks for titles as they are typed."""
    return Call("GET", "/v1/items", {"query": query, "limit": limit, "model": model})


def item(one: AnyId, *, model: str | None) -> Call[ItemFull]:
    """Asks for one item."""
    return Call("GET", f"/v1/items/{_in_path(one)}", {"model": model})


def similar(one: AnyId, *, k: int, model: str | None) -> Call[SimilarAnswer]:
    """Asks for items like one."""
    return Call("GET", f"/v1/items/{_in_path(one)}/similar", {"k": k, "model": model})


def filters(model: str | None) -> Call[FiltersAnswer]:
    """Asks for the columns that conditions take."""
    return Call("GET", "/v1/filters", {"model": model})


def values(column: str, *, query: str, limit: int, model: str | None) -> Call[ValuesAnswer]:
    """Asks for the labels of a column."""
    params = {"query": query, "limit": limit, "model": model}
    return Call("GET", f"/v1/filters/{_in_path(column)}", params)


def catalogue_map(model: str | None) -> Call[MapAnswer]:
    """Asks for every item's place on the map."""
    return Call("GET", "/v1/map", {"model": model})


def send(events: Sequence[EventIn]) -> Iterator[Call[EventsAnswer]]:
    """Yields the calls that store events, in batches, each event with an id before the first is sent."""
    known: list[Any] = [{"id": uuid.uuid4().hex, **one} for one in events]
    for at in range(0, len(known), BATCH):
        yield Call("POST", "/v1/events", body={"events": known[at : at + BATCH]})


def undo(event_id: str, *, user: AnyId | None) -> Call[UndoneAnswer]:
    """Takes an event back."""
    return Call("DELETE", f"/v1/events/{_in_path(event_id)}", {"user": user})


def history(user: AnyId) -> Call[HistoryAnswer]:
    """Asks what is known of a person."""
    return Call("GET", f"/v1/users/{_in_path(user)}/history")


def erase(user: AnyId) -> Call[ErasedAnswer]:
    """Erases a person."""
    return Call("DELETE", f"/v1/users/{_in_path(user)}")


def models() -> Call[ModelsAnswer]:
    """Asks for the versions."""
    return Call("GET", "/v1/models")


def activate(version: str) -> Call[Activated]:
    """Lets a version answer."""
    return Call("POST", f"/v1/models/{_in_path(version)}/activate", body={})


def experiments() -> Call[ExperimentsAnswer]:
    """Asks for the comparison of the arms."""
    return Call("GET", "/v1/experiments")


def state() -> Call[dict[str, Any]]:
    """Asks for what the state page shows."""
    return Call("GET", "/v1/state")


def metrics() -> Call[str]:
    """Asks for the metrics."""
    return Call("GET", "/metrics")


def health(*, ready: bool) -> Call[Health]:
    """Asks whether the service lives, or whether an event could be stored now."""
    return Call("GET", "/health/ready" if ready else "/health/live")
