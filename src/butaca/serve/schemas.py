"""What goes in and out, as the OpenAPI document shows it. Requests are parsed with these, strictly."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from butaca.serve.problems import of_pydantic
from butaca.serve.settings import BATCH_MAX, ID_MAX, K_MAX, LIST_MAX, TEXT_MAX
from butaca.serve.store.records import MAX_TIME

#: An id as the tables have it. Numbers are taken too, and kept as text.
TextId = Annotated[
    str, StringConstraints(min_length=1, max_length=ID_MAX, pattern=r"^[^\x00]+$", strict=True)
]
NumberId = Annotated[int, Field(ge=-(2**63), lt=2**63, strict=True)]
Id = TextId | NumberId
Finite = Annotated[float, Field(allow_inf_nan=False, ge=-1e9, le=1e9)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[\w.:-]+$")]
Label = Annotated[str, StringConstraints(max_length=TEXT_MAX)] | Finite | bool


class Strict(BaseModel):
    """A request: what it does not know is refused, so that a misspelt field is noticed."""

    model_config = ConfigDict(extra="forbid", frozen=False)


class HistoryItem(Strict):
    """An item that the person has had, with a rating where there is one."""

    item: Id
    value: Finite | None = None


Labels = Annotated[list[Label], Field(max_length=100)] | Label


class Conditions(Strict):
    """Conditions on one column; all that are given must hold."""

    any: Labels | None = Field(None, description="Any of these values.")
    all: Labels | None = Field(None, description="Every one of these.")
    not_: Labels | None = Field(None, alias="not", description="None of these.")
    min: Finite | None = Field(None, description="A number at least this.")
    max: Finite | None = Field(None, description="A number at most this.")


Condition = Annotated[list[Label], Field(max_length=100)] | Conditions | Label
Column = Annotated[str, StringConstraints(min_length=1, max_length=TEXT_MAX)]
Items = Annotated[list[Id], Field(max_length=LIST_MAX)]

RECOMMEND_EXAMPLES: dict[str, Any] = {
    "known": {"summary": "A known user", "value": {"user": "21", "k": 3}},
    "new": {
        "summary": "Someone new, with reasons",
        "value": {
            "history": ["Toy Story (1995)", {"item": "Aladdin (1992)", "value": 4}],
            "k": 10,
            "explain": True,
        },
    },
    "filtered": {
        "summary": "Dramas and comedies of the nineties",
        "value": {
            "history": ["Fargo (1996)"],
            "where": {"genres": ["Drama", "Comedy"], "year": {"min": 1990, "max": 1999}},
        },
    },
}


class RecommendRequest(Strict):
    """For whom, from what, and what to leave out. Everything is optional."""

    user: Id | None = Field(None, description="An id; one that the model does not know is a new person.")
    k: int = Field(10, ge=1, le=K_MAX, strict=True, description="How many items.")
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
    exclude_seen: bool = Field(True, strict=True, description="Leave out what the person had.")
    explain: bool = Field(False, strict=True, description="Say which of the history each item is because of.")
    model: Name | None = Field(None, description="A model's name or version, instead of the split's choice.")
    variety: float = Field(0.0, ge=0, le=1, description="How much to avoid items that resemble each other.")
    freshness: float = Field(0.0, ge=0, le=10, description="How much to favour recent items.")


class Reason(BaseModel):
    """A share of a score."""

    id: str | int
    title: str
    share: float = Field(description="Of the score, exactly; the shares of all of the history add up.")


class RecommendedItem(BaseModel):
    """One item of a list."""

    id: str | int
    title: str
    score: float = Field(description="Higher is better; comparable within one list.")
    stage: str = "retrieval"
    because: list[Reason] = []


class RecommendAnswer(BaseModel):
    """A list, best first."""

    request_id: str = Field(description="Events can point at it.")
    model_version: str
    model: str
    arm: str | None = Field(None, description="Of the split, where the person is in one.")
    took_ms: float
    source: str = Field(description="The rung that answered: history, user, features or popularity.")
    user: str | None
    history: list[str] = Field(description="Titles of the history that was given.")
    unknown: list[str] = Field(description="What of it was passed over: no item is called so.")
    items: list[RecommendedItem]


class EventIn(Strict):
    """Somebody had something."""

    id: TextId = Field(description="Made by the client; the same again changes nothing, so retry freely.")
    user: Id
    item: Id
    kind: Literal["watch", "rate", "like", "save", "click", "skip", "dislike"] = Field(
        "watch", description="The last two say no: what they name is moved away from."
    )
    value: Finite | None = Field(None, description="A rating or weight.")
    time: Annotated[int, Field(ge=0, le=MAX_TIME, strict=True)] | datetime | None = Field(
        None, description="Seconds since 1970, or ISO 8601; now if left out."
    )
    request_id: TextId | None = Field(None, description="Of the list that led to it.")


class EventsRequest(Strict):
    """A batch, stored whole or not at all."""

    events: Annotated[list[EventIn], Field(min_length=1, max_length=BATCH_MAX)]


EVENTS_EXAMPLES: dict[str, Any] = {
    "rating": {
        "summary": "A rating",
        "value": {
            "events": [{"id": "a-1", "user": "21", "item": "Fargo (1996)", "kind": "rate", "value": 5}]
        },
    }
}


class EventsAnswer(BaseModel):
    """Stored: what got this answer survives a crash."""

    accepted: int = Field(description="New ones.")
    known: int = Field(description="Those whose id was stored before.")


M = TypeVar("M", bound=BaseModel)


def parse(model: type[M], body: bytes) -> M:
    """A request's body as its model.

    Raises:
        Problem: 422, with every rule that it breaks.
    """
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise of_pydantic(error) from None


text_id: TypeAdapter[str] = TypeAdapter(TextId)


class Problem(BaseModel):
    """What went wrong: the rule, what was received, and the cure (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    rule: str
    received: str
    cure: str
    request_id: str | None = Field(None, description="Finds it in the log.")
    errors: list[dict[str, Any]] | None = Field(None, description="Each broken rule and its place (loc).")


class ItemShort(BaseModel):
    """An item as lists show it."""

    id: str | int
    title: str
    genres: list[str]
    year: int | None
    popularity: int = Field(description="Interactions in training.")


class ItemFull(ItemShort):
    """An item with every column of its table."""

    features: dict[str, Any]


class ItemList(BaseModel):
    """Items, best first."""

    items: list[ItemShort]


class SimilarAnswer(BaseModel):
    """Items like one."""

    item: ItemShort
    items: list[RecommendedItem]


class Place(BaseModel):
    """An item's place on the map."""

    id: str | int
    title: str
    x: float
    y: float
    genre: str | None
    popularity: int


class MapAnswer(BaseModel):
    """The catalogue as a map: what is alike lies close."""

    items: list[Place]


class FiltersAnswer(BaseModel):
    """The columns that `where` takes: labels with their counts, numbers with their range."""

    columns: list[dict[str, Any]]


class HistoryEntry(BaseModel):
    """Something that a person had."""

    id: str | int
    title: str
    kind: str | None
    value: float | None
    time: int | None
    source: str = Field(alias="from", description="training, or events since.")


class HistoryAnswer(BaseModel):
    """What is known of a person, latest first."""

    user: str
    erased: bool = Field(description="Whether the person was erased: nothing from before is used or shown.")
    items: list[HistoryEntry]


class ErasedCounts(BaseModel):
    """What went."""

    events: int
    recommendations: int


class ErasedAnswer(BaseModel):
    """A person, erased."""

    user: str
    erased: ErasedCounts


class ModelInfo(BaseModel):
    """A version of a model."""

    name: str
    version: str
    active: bool = Field(description="Whether it answers requests that name no model.")
    loaded: bool
    loaded_at: float | None
    recipe: str | None
    verdict: str | None
    metrics: dict[str, Any]
    data: dict[str, Any]
    damaged: str | None = None


class ModelsAnswer(BaseModel):
    """Every version that is loaded, or could be."""

    models: list[ModelInfo]


class Activated(BaseModel):
    """The version that answers now."""

    name: str
    version: str
    active: bool


class Arm(BaseModel):
    """One side of the online comparison."""

    name: str
    model: str
    share: float
    recommendations: int
    with_event: int
    events: int
    users: int
    rate: float | None
    low: float
    high: float


class ExperimentsAnswer(BaseModel):
    """Events per list shown, by arm, with 95 % intervals."""

    arms: list[Arm]
    differences: list[dict[str, Any]]


class Health(BaseModel):
    """Whether it lives, or can answer."""

    status: str
