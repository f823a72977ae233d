"""This module holds what a Recommender answers with: small frozen records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from butaca.rank.ranker import Contribution

#: Where a list comes from; see `Recommendation`.
Source: TypeAlias = Literal["history", "user", "features", "popularity", "similar"]


#: What a reason counts: a share of the score, which add up to it, or what the score would be less by.
ReasonKind: TypeAlias = Literal["share", "effect"]


class Reason(NamedTuple):
    """A Reason is an item of the history, and its part in a score.

    Attributes:
        id, title: of the item.
        share: its part, in points of the score; see recommend/reasons.py.
        kind: "share", where the score is a sum over the history and this its term; "effect", where it is
            not, and this is the score less the score without the item.
    """

    id: Any
    title: str
    share: float
    kind: ReasonKind = "share"


class Item(NamedTuple):
    """An Item is one recommended item.

    Attributes:
        id: as the table gave it.
        title: what a person would call it; the id where the table has no title.
        score: higher is better; comparable within one list.
        stage: what gave the score: "retrieval", the towers; "ranker", the second stage; "popularity"; or
            "similar".
        because: the items of the history with the largest parts in the towers' score, if asked to explain.
        retrieval: the towers' score, which a ranker may have overruled; None where there was no ranker.
        place: where the list without ranking has the item, from 1: the towers', or for someone of whom
            nothing is known the most popular; None where there was no ranker.
        moved: features that moved it most in the second stage, if asked to explain.
    """

    id: Any
    title: str
    score: float
    stage: str = "retrieval"
    because: tuple[Reason, ...] = ()
    retrieval: float | None = None
    place: int | None = None
    moved: tuple[Contribution, ...] = ()


@dataclass(frozen=True)
class Recommendation:
    """A Recommendation is a list, best first.

    Attributes:
        asked: the user as given; for `similar`, the title that was found.
        items: at most k; fewer only if the catalogue, less what was left out, holds fewer.
        source: where the list comes from, the first rung of the ladder that holds: "history" (the history
            that was given, beside what the model has of the user), "user" (the stored history, or the
            vector, of a known user), "features" (nothing but what is known of the user), "popularity"
            (nothing is known: what most people chose), or "similar".
        history: titles of what was given as history.
        unknown: what was given as history, and skipped, because no item is called so.
        approximate: whether an item that belongs in the list may be missing; see butaca.index.approximate.
    """

    asked: Any
    items: tuple[Item, ...]
    source: Source
    history: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    approximate: bool = False
