"""This module shows what comes out in the OpenAPI document; a test holds the answers to it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field


class ReasonOut(BaseModel):
    """A ReasonOut names an item of the history and its part in a score."""

    id: str | int
    title: str
    share: float = Field(
        description="Its part of what the towers say (`retrieval_score`, or `score` without what freshness "
        "adds). A share is exact: those of the whole history and what the item has without it add up. An "
        "effect is that score less the score without the item."
    )
    kind: str = Field("share", description="share, or effect where the score is no sum over the history.")


class Moved(BaseModel):
    """A Moved says what part a feature had in the second stage's score of an item."""

    feature: str
    value: float | None = Field(description="What it was; null where unknown.")
    points: float = Field(description="What it added to the score, against the mean candidate.")


class RecommendedItem(BaseModel):
    """A RecommendedItem is one item of a list."""

    id: str | int
    title: str
    score: float = Field(description="Higher is better; comparable within one list.")
    stage: str = Field("retrieval", description="What gave the score: retrieval, ranker or popularity.")
    because: list[ReasonOut] = []
    retrieval_score: float | None = Field(None, description="Of the first stage, where there is a second.")
    place: int | None = Field(None, description="Where it stands without ranking, from 1.")
    moved: list[Moved] | None = Field(None, description="With `explain`: features that moved it most.")
    genres: list[str] | None = Field(None, description="With `explain`.")
    year: int | None = Field(None, description="With `explain`.")
    picture: str | None = Field(None, description="With `explain`: its address, where the table has one.")
    link: str | None = Field(None, description="With `explain`: of the item's own page.")


class RecommendAnswer(BaseModel):
    """A RecommendAnswer is a list, best first."""

    request_id: str = Field(description="Events can point at it.")
    model_version: str
    model: str
    arm: str | None = Field(None, description="Of the split, where the person is in one.")
    took_ms: float
    source: str = Field(description="The rung that answered: history, user, features or popularity.")
    user: str | None
    without_events: bool = Field(
        False,
        description="Whether the event store was out of reach: what the user did since is not in it.",
    )
    history: list[str] = Field(description="Titles of the history that was given.")
    unknown: list[str] = Field(description="What of it was passed over: no item is called so.")
    approximate: bool = Field(False, description="Whether an item that belongs here may be missing.")
    items: list[RecommendedItem]


class EventsAnswer(BaseModel):
    """An EventsAnswer says that events are stored: what got this answer survives a crash."""

    accepted: int = Field(description="New ones.")
    known: int = Field(description="Those whose id was stored before.")


class UndoneAnswer(BaseModel):
    """An UndoneAnswer says whether there was an event to take back."""

    id: str
    user: str | None = Field(description="Whose it is or would be; null where none is named and none found.")
    removed: int = Field(description="1, or 0 where there was none.")


class ProblemOut(BaseModel):
    """A ProblemOut says what went wrong: the rule, what was received, and the cure (RFC 9457)."""

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
    """An ItemShort is an item as lists show it."""

    id: str | int
    title: str
    genres: list[str]
    year: int | None
    popularity: int = Field(description="Interactions in training.")
    picture: str | None = Field(None, description="Its address, where the table has one.")
    link: str | None = Field(None, description="Of the item's own page, where the table has one.")


class ItemFull(ItemShort):
    """An ItemFull is an item with every column of its table."""

    features: dict[str, Any]


class ItemList(BaseModel):
    """An ItemList holds items, best first."""

    items: list[ItemShort]


class SimilarAnswer(BaseModel):
    """A SimilarAnswer holds the items that are like one."""

    item: ItemShort
    items: list[RecommendedItem]


class Place(BaseModel):
    """A Place says where an item lies on the map."""

    id: str | int
    title: str
    x: float
    y: float
    genre: str | None
    popularity: int


class MapAnswer(BaseModel):
    """A MapAnswer is the catalogue as a map: what is alike lies close."""

    method: str = Field(description="PCA, a sketch, or t-SNE, the drawing.")
    items: list[Place]


class FiltersAnswer(BaseModel):
    """A FiltersAnswer lists the columns that `where` takes: labels, numbers, dates, yes or no."""

    columns: list[dict[str, Any]]


class ValueOut(BaseModel):
    """A ValueOut is a label and how many items have it."""

    value: str
    count: int


class ValuesAnswer(BaseModel):
    """A ValuesAnswer lists labels of a column, those of the most items first."""

    values: list[ValueOut]


class HistoryEntry(BaseModel):
    """A HistoryEntry is something that a person had."""

    id: str | int
    title: str
    kind: str | None
    value: float | None
    time: int | None
    source: str = Field(alias="from", description="training, or events since.")


class HistoryAnswer(BaseModel):
    """A HistoryAnswer says what is known of a person, latest first."""

    user: str
    erased: bool = Field(description="Whether the person was erased: nothing from before is used or shown.")
    items: list[HistoryEntry]


class ErasedCounts(BaseModel):
    """An ErasedCounts says how much was removed."""

    events: int
    recommendations: int


class ErasedAnswer(BaseModel):
    """An ErasedAnswer says that a person was erased."""

    user: str
    erased: ErasedCounts


class ModelInfo(BaseModel):
    """A ModelInfo describes a version of a model."""

    name: str
    version: str
    active: bool = Field(description="Whether it answers requests that name no model.")
    loaded: bool
    loaded_at: float | None
    recipe: str | None
    verdict: str | None
    metrics: dict[str, Any]
    data: dict[str, Any]
    split: Any = Field(None, description="How its test pairs were held out.")
    softmax: Any = None
    chosen: dict[str, Any] | None = Field(
        None,
        description="What validation chose: name, value and closed_form, the value of the closed form alone; "
        "null where nothing was chosen.",
    )
    settings: Any = Field(None, description="What it was trained with.")
    versions: Any = Field(None, description="Of the libraries that trained it.")
    second_stage: dict[str, Any] | None = Field(
        None,
        description="What orders the candidates: target, rounds, candidates, features, examples and people "
        "that it learned from, and whether it was judged; null without a second stage.",
    )
    damaged: str | None = Field(None, description="Why its folder can't be read.")


class ModelsAnswer(BaseModel):
    """A ModelsAnswer lists every version that is loaded, or could be."""

    models: list[ModelInfo]


class Activated(BaseModel):
    """An Activated names the version that answers now."""

    name: str
    version: str
    active: bool


class Arm(BaseModel):
    """An Arm is one side of the online comparison."""

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
    """An ExperimentsAnswer compares events per list shown, by arm, with 95 % intervals."""

    arms: list[Arm]
    differences: list[dict[str, Any]]


class Health(BaseModel):
    """A Health says whether the service lives, or can answer."""

    status: str
