"""This module makes lists that trade some accuracy for variety or freshness; both off by default.

What they cost on MovieLens 100K is in docs/lists.md, measured by `python -m benchmarks.ranking.reorder`.
"""

from __future__ import annotations

import math

import numpy as np

from butaca.catalogue.filters import YEARS, Filters
from butaca.checks import real_number
from butaca.errors import SettingError
from butaca.index.interface import TopK
from butaca.index.selection import best
from butaca.types import Bools, Codes, Floats, Ints

#: Years in which an item's freshness halves.
HALF_LIFE = 10.0

#: Candidates that variety chooses among, for each item of the list; and the least.
POOL, LEAST = 5, 100


def check(variety: float, freshness: float) -> None:
    """Refuses a variety or freshness that is out of range.

    Raises:
        SettingError: variety outside 0 to 1, or freshness outside 0 to 10.
    """
    for name, value, most in (("variety", variety, 1.0), ("freshness", freshness, 10.0)):
        if not (math.isfinite(real_number(name, value)) and 0 <= value <= most):
            raise SettingError(f"{name} is between 0 and {most:g}", f"{name}={value}", "Try 0.2")


def fresh(filters: Filters) -> Floats:
    """Returns how new each item is, 1 for the newest year, half ten years before, [N]; 0 if not known.

    Raises:
        SettingError: the items have no year.
    """
    year = next((y for y in map(filters.numbers, YEARS) if y is not None), None)
    if year is None or not np.isfinite(year).any():
        raise SettingError(
            "Freshness is told from a column of years",
            f"items with {', '.join(filters.names()) or 'no columns'}",
            "Add a column called year to the items' table, and fit again",
        )
    age = np.nanmax(np.where(np.isfinite(year), year, np.nan)) - year
    out: Floats = np.nan_to_num(np.exp2(-age / HALF_LIFE), nan=0.0).astype(np.float32)
    return out


def reordered(
    scores: Floats,
    k: int,
    *,
    excluded: Codes,
    allowed: Bools | None,
    new: Floats | None = None,
    freshness: float = 0.0,
    vectors: Floats | None = None,
    variety: float = 0.0,
) -> TopK:
    """Returns a list for variety or freshness; its scores are the model's, with what freshness adds.

    Args:
        scores: one person's, of all items [N]; written over.
        k: how many.
        excluded: codes that are left out.
        allowed: which items may come back [N]; None: all.
        new: how new each item is [N], see `fresh`; None: freshness does not count.
        freshness: how much it counts, in spreads of the scores.
        vectors: unit vectors of all items [N, d]; None: variety does not count.
        variety: see `varied`.
    """
    if k < 1:
        raise SettingError("k is at least 1", f"k={k}", "Ask for one item or more")
    if new is not None:
        scores = scores + np.float32(freshness * scores.std()) * new
    if allowed is not None:
        scores[~allowed] = -np.inf
    scores[excluded] = -np.inf
    pool = k if vectors is None else max(POOL * k, LEAST)
    items, values = best(scores, min(pool, len(scores)))
    items, values = items[values > -np.inf], values[values > -np.inf]
    if vectors is not None:
        order = varied(items, values, vectors=vectors, k=k, variety=variety)
        items, values = items[order], values[order]
    return TopK(items[None].astype(np.int32), values[None])


def varied(codes: Ints, scores: Floats, *, vectors: Floats, k: int, variety: float) -> Ints:
    """Returns positions of k candidates by maximal marginal relevance (Carbonell and Goldstein 1998).

    Each next item is the one with the highest (1 - variety) * relevance - variety * likeness, relevance
    being the score from 0 to 1 among the candidates, and likeness the largest cosine to an item chosen
    before it.

    Args:
        codes: of the candidates, best first [m].
        scores: theirs [m].
        vectors: unit vectors of all items [N, d].
        k: how many.
        variety: from 0, the candidates' order, to 1.
    """
    low, high = float(scores.min(initial=np.inf)), float(scores.max(initial=-np.inf))
    relevance = (scores - low) / max(high - low, 1e-12)
    own = vectors[codes]
    likeness = np.zeros(len(codes), dtype=np.float32)
    left = np.ones(len(codes), dtype=bool)
    chosen: list[int] = []
    for _ in range(min(k, len(codes))):
        worth = np.where(left, (1 - variety) * relevance - variety * likeness, -np.inf)
        at = int(worth.argmax())
        chosen.append(at)
        left[at] = False
        likeness = np.maximum(likeness, own @ own[at])
    return np.array(chosen, dtype=np.int64)
