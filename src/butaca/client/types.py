"""This module holds what the service takes and gives, as JSON.

It is made of the service's OpenAPI document, by `python -m clients.generate`. What is not required may be
left out of a request, or of an answer of another version.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NotRequired, TypedDict

#: An Activated names the version that answers now.
Activated = TypedDict(
    "Activated",
    {
        "name": str,
        "version": str,
        "active": bool,
    },
)

#: An Arm is one side of the online comparison.
Arm = TypedDict(
    "Arm",
    {
        "name": str,
        "model": str,
        "share": float,
        "recommendations": int,
        "with_event": int,
        "events": int,
        "users": int,
        "rate": float | None,
        "low": float,
        "high": float,
    },
)

#: A Conditions holds conditions on one column; all that are given must hold.
Conditions = TypedDict(
    "Conditions",
    {
        # Any of these values.
        "any": NotRequired[Sequence[str | float | bool] | str | float | bool | None],
        # Every one of these.
        "all": NotRequired[Sequence[str | float | bool] | str | float | bool | None],
        # None of these.
        "not": NotRequired[Sequence[str | float | bool] | str | float | bool | None],
        # A number, or a date such as 2011-12-01, at least this.
        "min": NotRequired[float | str | None],
        # A number or a date at most this.
        "max": NotRequired[float | str | None],
    },
)

#: An ErasedCounts says how much was removed.
ErasedCounts = TypedDict(
    "ErasedCounts",
    {
        "events": int,
        "recommendations": int,
    },
)

#: An ErasedAnswer says that a person was erased.
ErasedAnswer = TypedDict(
    "ErasedAnswer",
    {
        "user": str,
        "erased": ErasedCounts,
    },
)

#: An EventIn says that somebody had something.
EventIn = TypedDict(
    "EventIn",
    {
        # Made by the client; the same again changes nothing, so retry freely.
        "id": str,
        "user": str | int,
        "item": str | int,
        # The last two say no: what they name is moved away from.
        "kind": NotRequired[Literal["watch", "rate", "like", "save", "click", "purchase", "skip", "dislike"]],
        # A rating or weight.
        "value": NotRequired[float | None],
        # Seconds since 1970, or ISO 8601 (UTC unless it says otherwise), at most a day ahead; now if left
        # out.
        "time": NotRequired[int | str | None],
        # Of the list that led to it.
        "request_id": NotRequired[str | None],
    },
)

#: An EventsAnswer says that events are stored: what got this answer survives a crash.
EventsAnswer = TypedDict(
    "EventsAnswer",
    {
        # New ones.
        "accepted": int,
        # Those whose id was stored before.
        "known": int,
    },
)

#: An EventsRequest is a batch of events, stored whole or not at all.
EventsRequest = TypedDict(
    "EventsRequest",
    {
        "events": Sequence[EventIn],
    },
)

#: An ExperimentsAnswer compares events per list shown, by arm, with 95 % intervals.
ExperimentsAnswer = TypedDict(
    "ExperimentsAnswer",
    {
        "arms": list[Arm],
        "differences": list[dict[str, Any]],
    },
)

#: A FiltersAnswer lists the columns that `where` takes: labels, numbers, dates, yes or no.
FiltersAnswer = TypedDict(
    "FiltersAnswer",
    {
        "columns": list[dict[str, Any]],
    },
)

#: A Health says whether the service lives, or can answer.
Health = TypedDict(
    "Health",
    {
        "status": str,
    },
)

#: A HistoryEntry is something that a person had.
HistoryEntry = TypedDict(
    "HistoryEntry",
    {
        "id": str | int,
        "title": str,
        "kind": str | None,
        "value": float | None,
        "time": int | None,
        # training, or events since.
        "from": str,
    },
)

#: A HistoryAnswer says what is known of a person, latest first.
HistoryAnswer = TypedDict(
    "HistoryAnswer",
    {
        "user": str,
        # Whether the person was erased: nothing from before is used or shown.
        "erased": bool,
        "items": list[HistoryEntry],
    },
)

#: A HistoryItem is an item that the person has had, with a rating and a time where they are known.
HistoryItem = TypedDict(
    "HistoryItem",
    {
        "item": str | int,
        "value": NotRequired[float | None],
        # When, as an event's; if left out now, after what comes before it in the list. It counts where the
        # model reads histories in order.
        "time": NotRequired[int | str | None],
    },
)

#: An ItemFull is an item with every column of its table.
ItemFull = TypedDict(
    "ItemFull",
    {
        "id": str | int,
        "title": str,
        "genres": list[str],
        "year": int | None,
        # Interactions in training.
        "popularity": int,
        # Its address, where the table has one.
        "picture": NotRequired[str | None],
        # Of the item's own page, where the table has one.
        "link": NotRequired[str | None],
        "features": dict[str, Any],
    },
)

#: An ItemShort is an item as lists show it.
ItemShort = TypedDict(
    "ItemShort",
    {
        "id": str | int,
        "title": str,
        "genres": list[str],
        "year": int | None,
        # Interactions in training.
        "popularity": int,
        # Its address, where the table has one.
        "picture": NotRequired[str | None],
        # Of the item's own page, where the table has one.
        "link": NotRequired[str | None],
    },
)

#: An ItemList holds items, best first.
ItemList = TypedDict(
    "ItemList",
    {
        "items": list[ItemShort],
    },
)

#: A Place says where an item lies on the map.
Place = TypedDict(
    "Place",
    {
        "id": str | int,
        "title": str,
        "x": float,
        "y": float,
        "genre": str | None,
        "popularity": int,
    },
)

#: A MapAnswer is the catalogue as a map: what is alike lies close.
MapAnswer = TypedDict(
    "MapAnswer",
    {
        # PCA, a sketch, or t-SNE, the drawing.
        "method": str,
        "items": list[Place],
    },
)

#: A ModelInfo describes a version of a model.
ModelInfo = TypedDict(
    "ModelInfo",
    {
        "name": str,
        "version": str,
        # Whether it answers requests that name no model.
        "active": bool,
        "loaded": bool,
        "loaded_at": float | None,
        "recipe": str | None,
        "verdict": str | None,
        "metrics": dict[str, Any],
        "data": dict[str, Any],
        # How its test pairs were held out.
        "split": NotRequired[Any],
        "softmax": NotRequired[Any],
        # What validation chose: name, value and closed_form, the value of the closed form alone; null where
        # nothing was chosen.
        "chosen": NotRequired[dict[str, Any] | None],
        # What it was trained with.
        "settings": NotRequired[Any],
        # Of the libraries that trained it.
        "versions": NotRequired[Any],
        # What orders the candidates: target, rounds, candidates, features, examples and people that it
        # learned from, and whether it was judged; null without a second stage.
        "second_stage": NotRequired[dict[str, Any] | None],
        # Why its folder can't be read.
        "damaged": NotRequired[str | None],
    },
)

#: A ModelsAnswer lists every version that is loaded, or could be.
ModelsAnswer = TypedDict(
    "ModelsAnswer",
    {
        "models": list[ModelInfo],
    },
)

#: A Moved says what part a feature had in the second stage's score of an item.
Moved = TypedDict(
    "Moved",
    {
        "feature": str,
        # What it was; null where unknown.
        "value": float | None,
        # What it added to the score, against the mean candidate.
        "points": float,
    },
)

#: A ProblemOut says what went wrong: the rule, what was received, and the cure (RFC 9457).
ProblemOut = TypedDict(
    "ProblemOut",
    {
        "type": str,
        "title": str,
        "status": int,
        "detail": str,
        "rule": str,
        "received": str,
        "cure": str,
        # Finds it in the log.
        "request_id": NotRequired[str | None],
        # Each broken rule and its place (loc).
        "errors": NotRequired[list[dict[str, Any]] | None],
    },
)

#: A ReasonOut names an item of the history and its part in a score.
ReasonOut = TypedDict(
    "ReasonOut",
    {
        "id": str | int,
        "title": str,
        # Its part of what the towers say (`retrieval_score`, or `score` without what freshness adds). A
        # share is exact: those of the whole history and what the item has without it add up. An effect is
        # that score less the score without the item.
        "share": float,
        # share, or effect where the score is no sum over the history.
        "kind": NotRequired[str],
    },
)

#: A RecommendedItem is one item of a list.
RecommendedItem = TypedDict(
    "RecommendedItem",
    {
        "id": str | int,
        "title": str,
        # Higher is better; comparable within one list.
        "score": float,
        # What gave the score: retrieval, ranker or popularity.
        "stage": NotRequired[str],
        "because": NotRequired[list[ReasonOut]],
        # Of the first stage, where there is a second.
        "retrieval_score": NotRequired[float | None],
        # Where it stands without ranking, from 1.
        "place": NotRequired[int | None],
        # With `explain`: features that moved it most.
        "moved": NotRequired[list[Moved] | None],
        # With `explain`.
        "genres": NotRequired[list[str] | None],
        # With `explain`.
        "year": NotRequired[int | None],
        # With `explain`: its address, where the table has one.
        "picture": NotRequired[str | None],
        # With `explain`: of the item's own page.
        "link": NotRequired[str | None],
    },
)

#: A RecommendAnswer is a list, best first.
RecommendAnswer = TypedDict(
    "RecommendAnswer",
    {
        # Events can point at it.
        "request_id": str,
        "model_version": str,
        "model": str,
        # Of the split, where the person is in one.
        "arm": NotRequired[str | None],
        "took_ms": float,
        # The rung that answered: history, user, features or popularity.
        "source": str,
        "user": str | None,
        # Whether the event store was out of reach: what the user did since is not in it.
        "without_events": NotRequired[bool],
        # Titles of the history that was given.
        "history": list[str],
        # What of it was passed over: no item is called so.
        "unknown": list[str],
        # Whether an item that belongs here may be missing.
        "approximate": NotRequired[bool],
        "items": list[RecommendedItem],
    },
)

#: A RecommendRequest says for whom, from what, and what to leave out; everything is optional.
RecommendRequest = TypedDict(
    "RecommendRequest",
    {
        # An id; one that the model does not know is a new person.
        "user": NotRequired[str | int | None],
        # How many items.
        "k": NotRequired[int],
        # Ids or titles of items that the person has had, besides what is known of them.
        "history": NotRequired[Sequence[str | int | HistoryItem]],
        # Items to move away from.
        "less": NotRequired[Sequence[str | int]],
        # Items to leave out.
        "exclude": NotRequired[Sequence[str | int]],
        # The only items to choose from.
        "allow": NotRequired[Sequence[str | int] | None],
        # Conditions on the columns that /v1/filters lists; all must hold.
        "where": NotRequired[
            Mapping[str, Sequence[str | float | bool] | Conditions | str | float | bool] | None
        ],
        # Leave out what the person had. If left out: yes, unless the model's data are of what people have
        # again.
        "exclude_seen": NotRequired[bool | None],
        # Say which of the history each item is because of.
        "explain": NotRequired[bool],
        # A model's name or version, instead of the split's choice.
        "model": NotRequired[str | None],
        # How much to avoid items that resemble each other.
        "variety": NotRequired[float],
        # How much to favour recent items.
        "freshness": NotRequired[float],
        # Let the second stage order the list, where the model has one.
        "rank": NotRequired[bool],
    },
)

#: A SimilarAnswer holds the items that are like one.
SimilarAnswer = TypedDict(
    "SimilarAnswer",
    {
        "item": ItemShort,
        "items": list[RecommendedItem],
    },
)

#: An UndoneAnswer says whether there was an event to take back.
UndoneAnswer = TypedDict(
    "UndoneAnswer",
    {
        "id": str,
        # Whose it is or would be; null where none is named and none found.
        "user": str | None,
        # 1, or 0 where there was none.
        "removed": int,
    },
)

#: A ValueOut is a label and how many items have it.
ValueOut = TypedDict(
    "ValueOut",
    {
        "value": str,
        "count": int,
    },
)

#: A ValuesAnswer lists labels of a column, those of the most items first.
ValuesAnswer = TypedDict(
    "ValuesAnswer",
    {
        "values": list[ValueOut],
    },
)
