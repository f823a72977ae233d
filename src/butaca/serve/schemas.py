"""This module parses what goes in, strictly, with the models that the OpenAPI document shows."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from butaca.events.records import MAX_TIME
from butaca.serve.http.problems import of_pydantic
from butaca.serve.settings import BATCH_MAX, ID_MAX, K_MAX, LIST_MAX, TEXT_MAX


def _whole(value: Any) -> Any:
    """Makes a whole number of one that JSON wrote with a fraction of nothing, such as 3.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _moment(value: Any) -> Any:
    """Refuses a time of digits alone: "20231114" would be read as seconds, 13 digits as milliseconds."""
    if not (isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\d[T ]", value)):
        raise ValueError("A time is whole seconds, or text such as 2026-11-25T20:00:00Z")
    return value


#: An id as the tables have it. Numbers are taken too, and kept as text.
TextId = Annotated[
    str, StringConstraints(min_length=1, max_length=ID_MAX, pattern=r"^[^\x00]+$", strict=True)
]
NumberId = Annotated[int, Field(ge=-(2**63), lt=2**63, strict=True), BeforeValidator(_whole)]
Id = TextId | NumberId
Finite = Annotated[float, Field(allow_inf_nan=False, ge=-1e9, le=1e9, strict=True)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[\w.:-]+$")]
Label = Annotated[str, StringConstraints(max_length=TEXT_MAX)] | Finite | bool


def _seconds(value: Any) -> Any:
    """Refuses milliseconds in words."""
    whole = _whole(value)
    if isinstance(whole, int) and whole > MAX_TIME:
        raise ValueError("A time is whole seconds since 1970-01-01 UTC (milliseconds: divide by 1000)")
    return whole


Seconds = Annotated[int, Field(ge=0, le=MAX_TIME, strict=True), BeforeValidator(_seconds)]
Moment = Annotated[datetime, BeforeValidator(_moment)]


def seconds_of(when: int | datetime) -> int:
    """Returns a time in whole seconds since 1970; without a zone it is UTC.

    >>> seconds_of(datetime(1970, 1, 2))
    86400
    """
    if isinstance(when, int):
        return when
    return math.floor((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp())


class Strict(BaseModel):
    """A Strict is a request that refuses what it does not know, so that a misspelt field is noticed."""

    model_config = ConfigDict(extra="forbid", frozen=False)


Day = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\d$")]


class HistoryItem(Strict):
    """A HistoryItem is an item that the person has had, with a rating and a time where they are known."""

    item: Id
    value: Finite | None = None
    time: Seconds | Moment | None = Field(
        None,
        description="When, as an event's; if left out now, after what comes before it in the list. It counts "
        "where the model reads histories in order.",
    )


Labels = Annotated[list[Label], Field(max_length=100)] | Label


class Conditions(Strict):
    """A Conditions holds conditions on one column; all that are given must hold."""

    any: Labels | None = Field(None, description="Any of these values.")
    all: Labels | None = Field(None, description="Every one of these.")
    not_: Labels | None = Field(None, alias="not", description="None of these.")
    min: Finite | Day | None = Field(
        None, description="A number, or a date such as 2011-12-01, at least this."
    )
    max: Finite | Day | None = Field(None, description="A number or a date at most this.")


Condition = Annotated[list[Label], Field(max_length=100)] | Conditions | Label
Column = Annotated[str, StringConstraints(min_length=1, max_length=TEXT_MAX)]
Items = Annotated[list[Id], Field(max_length=LIST_MAX)]


class RecommendRequest(Strict):
    """A RecommendRequest says for whom, from what, and what to leave out; everything is optional."""

    user: Id | None = Field(None, description="An id; one that the model does not know is a new person.")
    k: Annotated[int, Field(ge=1, le=K_MAX, strict=True), BeforeValidator(_whole)] = Field(
        10, description="How many items."
    )
    history: list[Id | HistoryItem] = Field(
        default_factory=list,
        max_length=LIST_MAX,
        description="Ids or titles of items that the person has had, besides what is known of them.",
    )
    less: Items = Field(default_factory=list, description="Items to move away from.")
    exclude: Items = Field(default_factory=list, description="Items to leave out.")
    allow: Items | None = Field(None, description="The only items to choose from.")
    where: Annotated[dict[Column, Condition], Field(max_length=20)] | None = Field(
        None, description="Conditions on the columns that /v1/filters lists; all must hold."
    )
    exclude_seen: bool | None = Field(
        None,
        strict=True,
        description="Leave out what the person had. If left out: yes, unless the model's data are of what "
        "people have again.",
    )
    explain: bool = Field(False, strict=True, description="Say which of the history each item is because of.")
    model: Name | None = Field(None, description="A model's name or version, instead of the split's choice.")
    variety: float = Field(
        0.0, strict=True, ge=0, le=1, description="How much to avoid items that resemble each other."
    )
    freshness: float = Field(0.0, strict=True, ge=0, le=10, description="How much to favour recent items.")
    rank: bool = Field(
        True, strict=True, description="Let the second stage order the list, where the model has one."
    )


class EventIn(Strict):
    """An EventIn says that somebody had something."""

    id: TextId = Field(description="Made by the client; the same again changes nothing, so retry freely.")
    user: Id
    item: Id
    kind: Literal["watch", "rate", "like", "save", "click", "purchase", "skip", "dislike"] = Field(
        "watch", description="The last two say no: what they name is moved away from."
    )
    value: Finite | None = Field(None, description="A rating or weight.")
    time: Seconds | Moment | None = Field(
        None,
        description="Seconds since 1970, or ISO 8601 (UTC unless it says otherwise), at most a day ahead; "
        "now if left out.",
    )
    request_id: TextId | None = Field(None, description="Of the list that led to it.")


class EventsRequest(Strict):
    """An EventsRequest is a batch of events, stored whole or not at all."""

    events: Annotated[list[EventIn], Field(min_length=1, max_length=BATCH_MAX)]


class Nothing(Strict):
    """A Nothing is an empty object."""


M = TypeVar("M", bound=BaseModel)

#: What some programs write before UTF-8.
BOM = b"\xef\xbb\xbf"


def parse(model: type[M], body: bytes) -> M:
    """Returns a request's body as its model.

    Raises:
        Problem: 422, with every rule that it breaks.
    """
    try:
        return model.model_validate_json(body.removeprefix(BOM))
    except ValidationError as error:
        raise of_pydantic(error) from None
