"""This module makes a list that a person reads of what an index found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from butaca.catalogue.items import Catalogue
from butaca.index.interface import TopK
from butaca.recommend.answers import Item, Reason, Recommendation, Source


def listing(
    asked: Any,
    top: TopK,
    *,
    catalogue: Catalogue,
    source: Source,
    stage: str,
    row: int = 0,
    reasons: Sequence[tuple[Reason, ...]] | None = None,
    history: tuple[str, ...] = (),
    unknown: tuple[str, ...] = (),
) -> Recommendation:
    """Returns a row of what was found, without what fills it up, as an answer.

    Args:
        asked: the user as given; for similar items, the title that was found.
        top: items and scores [B, k].
        catalogue: names the items.
        source: where the list comes from.
        stage: what gave the scores.
        row: of `top`.
        reasons: of each item.
        history: titles of what was given as history.
        unknown: what was given as history, and skipped.
    """
    ids, titles = catalogue.ids, catalogue.titles
    pairs = zip(top.items[row].tolist(), top.scores[row].tolist(), strict=True)
    because = reasons or ()
    items = tuple(
        Item(ids[i], titles[i], s, stage, because[n] if because else ())
        for n, (i, s) in enumerate(pairs)
        if i >= 0
    )
    return Recommendation(asked, items, source, history, unknown, top.approximate)
